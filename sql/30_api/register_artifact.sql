-- Registers what is no model but what models point to: datasets, benchmarks.
create or replace function register_artifact(
    artifact_type text,
    title text,
    metadata jsonb default null,
    artifact_id text default null,
    version_tag text default null,
    origin_type text default null,
    origin_url text default null,
    created_by text default null
)
returns text
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_id text;
    v_argument constant text := case
        when register_artifact.artifact_type is null or register_artifact.artifact_type !~ '^[a-z][a-z0-9_-]{0,62}$'
            then 'artifact_type'
        when register_artifact.title is null or register_artifact.title !~ '[^[:space:]]' then 'title'
        when not _is_artifact_id(register_artifact.artifact_id) then 'artifact_id'
    end;
begin
    if v_argument is not null then
        raise exception 'an artifact needs a type, a title, and an id or none' using
            errcode = 'invalid_parameter_value',
            detail = '/' || v_argument || case v_argument
                when 'title' then ': must not be blank'
                when 'artifact_id' then ': must be 1 to 256 characters without white space or control characters'
                else ': must be 1 to 63 lower-case letters, digits, _ or -, a letter first'
            end,
            hint = 'For instance register_artifact(''dataset'', ''ImageNet-1k'').';
    end if;
    if register_artifact.artifact_type = 'model' then
        raise exception 'a model is registered with register_model()' using
            errcode = 'invalid_parameter_value',
            detail = '/artifact_type: must not be model',
            hint = 'register_model(name, metadata, …) writes the artifact and its version together.';
    end if;
    insert into artifacts (
        id, artifact_type, title, metadata, version_tag, origin_type, origin_url, created_by
    )
    values (
        coalesce(register_artifact.artifact_id, register_artifact.artifact_type || '-' || gen_random_uuid()),
        register_artifact.artifact_type, register_artifact.title, register_artifact.metadata,
        register_artifact.version_tag, register_artifact.origin_type, register_artifact.origin_url,
        coalesce(register_artifact.created_by, session_user)
    )
    returning id into v_id;
    return v_id;
end
$function$;

comment on function register_artifact(text, text, jsonb, text, text, text, text, text) is
$$Registers an artifact that is no model and returns its id, '<artifact_type>-<uuid>' unless given. metadata is free-form.
22023 for a blank title, a malformed type or id, or 'model'; 23505 when artifact_id is taken.$$;
