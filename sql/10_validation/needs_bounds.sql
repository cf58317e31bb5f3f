-- Whether refuse_unbounded_number() has something to say. The conditions of triggers, like CHECKs, are read and planned anew by every
-- statement, a long one for longer than it takes to answer: each is one function that keeps its plan.
create or replace function needs_bounds(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return not rows_are_complete() and not is_bounded_metadata(artifact_type, schema_version, metadata);
end
$function$;

comment on function needs_bounds(text, integer, jsonb) is
$$Condition of the trigger artifacts_05_refuse_unbounded_number: the row is not said to be complete and is_bounded_metadata() is false.$$;
