-- Deletes a version that was never in service and that nothing refers to; what was known of it stays in the history.
create or replace function delete_model(artifact_id text, reason text)
returns table (name text, version_number integer, latest text)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_artifact record;
begin
    perform _refuse_blank('reason', coalesce(delete_model.reason, ''));
    select a.name into v_artifact
    from artifacts as a
    where a.id = delete_model.artifact_id and a.artifact_type = 'model';
    -- Lock order: the name, then the artifact.
    perform _lock_model_name(v_artifact.name);
    select a.name, a.version_number into v_artifact
    from artifacts as a
    where a.id = delete_model.artifact_id and a.artifact_type = 'model'
    for update;
    if not found then
        raise exception 'there is no model version %', delete_model.artifact_id using
            errcode = 'no_data_found',
            detail = format('/artifact_id: %L names no model', delete_model.artifact_id),
            hint = 'select artifact_id, name, version_number from models lists the versions.';
    end if;
    perform _state_change(delete_model.reason);
    delete from artifacts as a where a.id = delete_model.artifact_id;
    perform _state_change();
    return query
    select
        v_artifact.name, v_artifact.version_number,
        (select a.id from artifacts as a where a.name = v_artifact.name and a.is_latest);
end
$function$;

comment on function delete_model(text, text) is
$$Deletes a candidate or rejected version that was never promoted and that nothing refers to, with its evaluations; latest is the version that is
the latest now, NULL when none is left. Its number is not used again, and its full record stays in the history under the reason. P0002 for an
unknown id, MR008 for a version that is or was promoted, or legacy; 23503 naming what refers to it; 22023 without a reason.$$;
