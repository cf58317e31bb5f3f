-- Whether place_version() has something to do; see needs_explanation().
create or replace function needs_place(
    artifact_type text,
    name text,
    version_number integer,
    is_latest boolean,
    schema_version integer,
    parent_version_id text,
    id text
)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if artifact_type is distinct from 'model' then
        return false;
    end if;
    return not rows_are_complete()
        or num_nulls(name, version_number, is_latest, schema_version) > 0
        or parent_version_id = id;
end
$function$;

comment on function needs_place(text, text, integer, boolean, integer, text, text) is
$$Condition of the trigger artifacts_30_place_version: a model that is not said to be complete, or lacks something all the same.$$;
