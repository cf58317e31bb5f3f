-- Whether derive_declared_facts() has something to do for a new version; see needs_explanation().
create or replace function needs_facts(model_name text, base_model_id text, eval_dataset_artifact_id text)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return not rows_are_complete()
        or model_name is null
        or num_nonnulls(base_model_id, eval_dataset_artifact_id) > 0;
end
$function$;

comment on function needs_facts(text, text, text) is
$$Condition of the trigger model_versions_10_derive_declared_facts: a version that is not said to be complete, or points at something.$$;
