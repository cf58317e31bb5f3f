-- How many models are legacy rows still, for who may run the backfill and not read the table.
create or replace function _legacy_models()
returns bigint
language sql stable called on null input parallel safe security definer
set search_path from current
begin atomic
    select count(*)
    from artifacts as a
    where a.metadata_schema_version = 0;
end;

comment on function _legacy_models() is
$$How many models have metadata_schema_version 0, whether the backfill has seen them or not.$$;
