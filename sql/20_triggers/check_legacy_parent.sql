-- A legacy model is older than every registered version, so it was made from none of them: what it points at cannot close a circle
-- around a version that is registered.
create or replace function check_legacy_parent()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    if exists (select from artifacts as a where a.id = new.parent_version_id and a.metadata_schema_version > 0) then
        raise exception 'legacy model % cannot be made from a registered version', new.id using
            errcode = 'MR007',
            detail = format('/parent_version_id: %s was registered after %s', new.parent_version_id, new.id),
            hint = 'Name another legacy model, or register what was made from the version with register_model().',
            schema = tg_table_schema, table = tg_table_name, column = 'parent_version_id';
    end if;
    return null;
end
$function$;

comment on function check_legacy_parent() is
$$Trigger function of artifacts_62_check_legacy_parent, for writers who cannot write model_versions: MR007 when the parent of a legacy
model becomes a registered version.$$;
