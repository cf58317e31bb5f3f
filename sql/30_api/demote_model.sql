-- Takes the promoted version out of service, in the caller's transaction; none takes its place.
create or replace function demote_model(
    artifact_id text,
    notes text default null,
    expected_state text default null
)
returns table (name text, version_number integer, from_state text)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
begin
    return query
    select t.name, t.version_number, t.from_state
    from _transition(demote_model.artifact_id, '{promoted}', 'candidate', demote_model.notes, demote_model.expected_state) as t;
end
$function$;

comment on function demote_model(text, text, text) is
$$Moves the promoted version back to 'candidate'; its name then has no promoted version. notes, when given, become promotion_notes.
P0002 for an unknown id; MR002 when expected_state is given and the version is in another; MR001 when it is in
no state that this starts from.$$;
