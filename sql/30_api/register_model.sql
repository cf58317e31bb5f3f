-- Registers a model version: writes artifacts and model_versions, in the caller's transaction.
create or replace function register_model(
    name text,
    metadata jsonb,
    title text default null,
    parent_version_id text default null,
    version_tag text default null,
    changelog text default null,
    lifecycle_state text default null,
    origin_type text default null,
    origin_url text default null,
    created_by text default null,
    is_external boolean default null,
    external_source_url text default null,
    external_source_version text default null,
    base_model_id text default null,
    code_repo_url text default null,
    code_commit_sha text default null,
    code_entrypoint text default null,
    training_started_at timestamptz default null,
    training_completed_at timestamptz default null,
    trained_by text default null,
    gpu_allocation_id text default null,
    training_params_json jsonb default null,
    eval_metrics_json jsonb default null,
    eval_dataset_artifact_id text default null,
    benchmark_id text default null,
    promotion_notes text default null,
    inout artifact_id text default null,
    idempotency_key text default null,
    out version_number integer,
    out created boolean
)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_registration constant model_registration := row(
        name, metadata, title, parent_version_id, version_tag, changelog, lifecycle_state, origin_type, origin_url,
        created_by, is_external, external_source_url, external_source_version, base_model_id, code_repo_url,
        code_commit_sha, code_entrypoint, training_started_at, training_completed_at, trained_by, gpu_allocation_id,
        training_params_json, eval_metrics_json, eval_dataset_artifact_id, benchmark_id, promotion_notes,
        artifact_id, idempotency_key
    );
    v_registered record;
begin
    -- The trigger would refuse it too, but only after the name was locked, and below the context of every statement in between.
    if
        has_bounded_numbers(metadata) is not true
        or is_valid_metadata('model', current_metadata_schema_version(), metadata) is not true
    then
        perform validate_metadata(metadata);
    end if;
    select * into v_registered from _register(array[v_registration]);
    register_model.artifact_id := v_registered.artifact_id;
    version_number := v_registered.version_number;
    created := v_registered.created;
end
$function$;

comment on function register_model(
    text, jsonb, text, text, text, text, text, text, text, text, boolean, text, text, text, text, text,
    text, timestamptz, timestamptz, text, text, jsonb, jsonb, text, text, text, text, text
) is
$$Registers a new version of the model called name and returns its artifact_id ('model-<uuid>' unless given), its version_number
(1, 2, 3 … for each name) and whether it was created by this call. metadata must be valid against the current metadata schema;
what it declares (is_external, external_source_url, external_source_version, base_model_id, benchmark_id) may be left out here
and is refused when it differs. training_params_json and eval_metrics_json default to the declared values. A repeated
idempotency_key returns the first call's row with created = false. Every version starts as 'candidate'.
23514 invalid metadata, one DETAIL line a problem; 23502 no name; 23503 unknown parent, base or dataset; 23505 artifact_id taken;
MR003 key used with other arguments; MR005 contradicts the metadata; MR007 lineage.$$;
