-- Promotes a model version, superseding the one that was promoted before, in the caller's transaction.
create or replace function promote_model(
    artifact_id text,
    notes text default null,
    expected_state text default null,
    override_reason text default null
)
returns table (name text, version_number integer, superseded text)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
begin
    perform _refuse_blank('override_reason', promote_model.override_reason);
    return query
    select t.name, t.version_number, t.superseded
    from _transition(
        promote_model.artifact_id, '{candidate,superseded}', 'promoted', promote_model.notes, promote_model.expected_state,
        is_gated => true, override_reason => promote_model.override_reason
    ) as t;
end
$function$;

comment on function promote_model(text, text, text, text) is
$$Moves a candidate or superseded version to 'promoted' and the one promoted before to 'superseded'; superseded is that one's
artifact id, NULL when there was none. notes, when given, become promotion_notes. P0002 for an unknown id; MR002 when
expected_state is given and the version is in another; MR001 when it is in no state that this starts from. MR011, one DETAIL line each,
for gates and policies that it does not meet: check_gates() shows them beforehand. A reviewer's override_reason lets it pass all the same,
but for the second person, and stands in the history.$$;
