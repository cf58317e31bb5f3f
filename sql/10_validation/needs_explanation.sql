-- Whether explain_metadata() has something to say. The conditions of triggers, like CHECKs, are read and planned anew by every
-- statement, a long one for longer than it takes to answer: one function keeps its plan.
create or replace function needs_explanation(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if artifact_type is distinct from 'model' or rows_are_complete() then
        return false;
    end if;
    return is_valid_metadata(artifact_type, coalesce(schema_version, current_metadata_schema_version()), metadata) is not true;
end
$function$;

comment on function needs_explanation(text, integer, jsonb) is
$$Condition of the trigger artifacts_10_explain_metadata: a model that is not said to be complete, and is_valid_metadata() is not true.$$;
