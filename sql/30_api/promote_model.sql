-- Promotes a model version, superseding the one that was promoted before, in the caller's transaction.
create or replace function promote_model(
    artifact_id text,
    notes text default null,
    expected_state text default null
)
returns table (name text, version_number integer, superseded text)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
begin
    return query
    select t.name, t.version_number, t.superseded
    from _transition(promote_model.artifact_id, '{candidate,superseded}', 'promoted', promote_model.notes, promote_model.expected_state) as t;
end
$function$;

comment on function promote_model(text, text, text) is
$$Moves a candidate or superseded version to 'promoted' and the one promoted before to 'superseded'; superseded is that one's
artifact id, NULL when there was none. notes, when given, become promotion_notes. P0002 for an unknown id; MR002 when
expected_state is given and the version is in another; MR001 when it is in no state that this starts from.$$;
