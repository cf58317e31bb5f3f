-- The one inner transition behind promote_model() and its siblings: locks name, artifact, version, in this order, then moves.
create or replace function _transition(
    artifact_id text, from_states text[], to_state text, notes text, expected_state text,
    is_gated boolean default false, override_reason text default null
)
returns table (name text, version_number integer, from_state text, superseded text)
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_artifact record;
    v_state text;
    v_superseded text;
    v_outcome jsonb;
begin
    if expected_state not in ('candidate', 'promoted', 'rejected', 'superseded') then
        raise exception 'there is no promotion state %', expected_state using
            errcode = 'invalid_parameter_value',
            detail = '/expected_state: must be candidate, promoted, rejected or superseded',
            hint = 'Leave it out to move the version whatever its state.';
    end if;
    select a.name, a.version_number, a.metadata_schema_version into v_artifact
    from artifacts as a
    where a.id = _transition.artifact_id and a.artifact_type = 'model';
    if not found then
        raise exception 'there is no model version %', _transition.artifact_id using
            errcode = 'no_data_found',
            detail = format('/artifact_id: %L names no model', _transition.artifact_id),
            hint = 'select artifact_id, name, version_number from models lists the versions.';
    end if;

    perform _lock_model_name(v_artifact.name);
    perform from artifacts as a where a.id = _transition.artifact_id for no key update;
    select v.promotion_state into v_state
    from model_versions as v
    where v.artifact_id = _transition.artifact_id
    for no key update;
    if not found then
        raise exception 'model % has no row in model_versions', _transition.artifact_id using
            errcode = 'MR004',
            detail = format('/artifact_id: %L is a model whose version was not written yet', _transition.artifact_id),
            hint = 'Use register_model(), or insert both rows before this.';
    end if;

    if v_state <> expected_state then
        raise exception 'version % is %, not %', _transition.artifact_id, v_state, expected_state using
            errcode = 'MR002',
            detail = format('/expected_state: %s was expected, %s is the state', expected_state, v_state),
            hint = 'Look at the version again and decide anew.';
    end if;
    -- Names the state machine's own refusal too, and keeps demote_model() from reopening and reopen_model() from demoting.
    if v_state <> all (from_states) then
        raise exception 'version % is %', _transition.artifact_id, v_state using
            errcode = 'MR001',
            detail = format('/promotion_state: must be %s to become %s', array_to_string(from_states, ' or '), to_state),
            hint = case v_state
                when to_state then 'There is nothing to do.'
                when 'promoted' then 'demote_model() takes it out of service first.'
                when 'rejected' then 'reopen_model() makes it a candidate first.'
                else 'promote_model() and reject_model() are open to it.'
            end;
    end if;

    -- Behind the locks: what was committed before them counts.
    if is_gated and v_artifact.metadata_schema_version > 0 then
        v_outcome := _require_gates(_transition.artifact_id, override_reason);
    end if;
    perform _state_change(coalesce(override_reason, notes), v_outcome ->> 'gates', v_outcome -> 'evidence');
    if to_state = 'promoted' then
        select v.artifact_id into v_superseded
        from model_versions as v
        where v.model_name = v_artifact.name and v.promotion_state = 'promoted'
        for no key update;
    end if;
    if v_superseded is null then
        perform _move_versions(array[_transition.artifact_id], array[to_state], array[notes]);
    else
        -- Both at once, as what is written about them is; promoted alone, the trigger supersedes the other.
        perform _move_versions(
            array[v_superseded, _transition.artifact_id], array['superseded', to_state], array[null, notes]
        );
        update artifacts as a set superseded_by = _transition.artifact_id where a.id = v_superseded;
    end if;
    perform _state_change();
    return query select v_artifact.name, v_artifact.version_number, v_state, v_superseded;
end
$function$;

comment on function _transition(text, text[], text, text, text, boolean, text) is
$$Moves a version from one of from_states to another promotion state, in the caller's transaction. P0002 for an unknown id,
MR004 for a model without its version row, MR002 when the version is not in expected_state, MR001 when it is in none of from_states.
is_gated, for a promotion: MR011 when it does not meet its gates and policies, unless override_reason is given.$$;
