-- Whether explain_metadata() has something to say; see needs_bounds().
create or replace function needs_explanation(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    -- What may not be turned into text is refused by another trigger.
    if artifact_type is distinct from 'model' or rows_are_complete() or not is_bounded_metadata(artifact_type, schema_version, metadata) then
        return false;
    end if;
    return is_valid_metadata(artifact_type, coalesce(schema_version, current_metadata_schema_version()), metadata) is not true;
end
$function$;

comment on function needs_explanation(text, integer, jsonb) is
$$Condition of the trigger artifacts_10_explain_metadata: a model that is not said to be complete, whose metadata
are bounded, and for which is_valid_metadata() is not true.$$;
