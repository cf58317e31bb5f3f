-- What a row of artifacts must have besides its metadata. One function and not a CHECK for each rule: every statement that writes a row
-- reads and plans its CHECKs anew, which took longer than the rest of the row.
create or replace function is_complete_artifact(
    artifact_type text,
    metadata_schema_version integer,
    id text,
    name text,
    version_number integer,
    is_latest boolean,
    parent_version_id text,
    superseded_by text,
    created_at timestamptz,
    updated_at timestamptz
)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if not is_model_name(name) then
        return false;
    end if;
    -- A row of an old table is kept as it is.
    if artifact_type = 'model' and metadata_schema_version = 0 then
        return true;
    end if;
    return (parent_version_id <> id) is not false
        and (superseded_by <> id) is not false
        and case
            when artifact_type = 'model' then
                num_nulls(metadata_schema_version, name, version_number, is_latest, created_at, updated_at) = 0
                and version_number >= 1
            else
                num_nonnulls(metadata_schema_version, name) = 0
                -- 'Model' would be no model, and validated by nobody.
                and lower(btrim(artifact_type)) not in ('model', '')
        end;
end
$function$;

comment on function is_complete_artifact(
    text, integer, text, text, integer, boolean, text, text, timestamptz, timestamptz
) is
$$Whether a row of artifacts is whole. A model has a metadata schema version, a name, a version number from 1, its latest flag and its
times; what is no model has neither name nor schema version, and no type that reads like 'model'; none is its own parent or
successor. A legacy row (metadata_schema_version 0) may lack anything; a name is well formed wherever there is one.$$;
