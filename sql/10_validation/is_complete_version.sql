-- What a row of model_versions must be by itself. One function and not a CHECK for each rule, as is_complete_artifact() is.
create or replace function is_complete_version(
    artifact_id text,
    base_model_id text,
    code_repo_url text,
    code_commit_sha text,
    training_started_at timestamptz,
    training_completed_at timestamptz,
    training_params_json jsonb,
    eval_metrics_json jsonb,
    idempotency_key text,
    idempotency_digest bytea
)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return (base_model_id <> artifact_id) is not false
        and is_repository_url(code_repo_url) is not false
        and is_commit_sha(code_commit_sha) is not false
        and (training_completed_at < training_started_at) is not true
        and (idempotency_key is null) = (idempotency_digest is null)
        and (char_length(idempotency_key) between 1 and 256) is not false
        and is_bounded_object(training_params_json)
        and is_bounded_object(eval_metrics_json);
end
$function$;

comment on function is_complete_version(
    text, text, text, text, timestamptz, timestamptz, jsonb, jsonb, text, bytea
) is
$$Whether a row of model_versions is whole: a base that is another model, a well-formed repository and commit, training that does not end
before it began, an idempotency key of 1 to 256 characters together with its digest, parameters and metrics that are objects of
at most 1,048,576 bytes of text. What is NULL is not asked for.$$;
