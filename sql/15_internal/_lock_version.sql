-- Finds a version and locks its row, for what adds facts to it.
create or replace function _lock_version(artifact_id text)
returns model_versions
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_version model_versions;
begin
    select v.* into v_version
    from model_versions as v
    where v.artifact_id = _lock_version.artifact_id
    for no key update;
    if not found then
        raise exception 'there is no model version %', _lock_version.artifact_id using
            errcode = 'no_data_found',
            detail = format('/artifact_id: %L names no model version', _lock_version.artifact_id),
            hint = 'select artifact_id, name, version_number from models lists the versions.';
    end if;
    return v_version;
end
$function$;

comment on function _lock_version(text) is
$$The row of a version, locked until the end of the transaction. P0002 when there is none.$$;
