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
-- Planned once, for lookups by index: a plan made when the tables were small would read them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
#variable_conflict use_variable
declare
    v_last integer;
    v_digest bytea;
    v_registration model_registration;
    v_hint text;
begin
    -- The trigger would refuse it too, but only after the name was locked, and below the context of every statement in between.
    if
        is_bounded_metadata('model', current_metadata_schema_version(), metadata) is not true
        or is_valid_metadata('model', current_metadata_schema_version(), metadata) is not true
    then
        perform validate_metadata(metadata);
    end if;
    if num_nonnulls(is_external, artifact_id, parent_version_id, eval_dataset_artifact_id, idempotency_key) > 0 then
        v_registration := row(
            name, metadata, title, parent_version_id, version_tag, changelog, lifecycle_state, origin_type, origin_url,
            created_by, is_external, external_source_url, external_source_version, base_model_id, code_repo_url,
            code_commit_sha, code_entrypoint, training_started_at, training_completed_at, trained_by, gpu_allocation_id,
            training_params_json, eval_metrics_json, eval_dataset_artifact_id, benchmark_id, promotion_notes,
            artifact_id, idempotency_key
        );
        perform _check_arguments(array[v_registration]);
    end if;

    if is_model_name(name) then
        -- As _lock_model_name() does it, without the call; what is inserted here needs no lock.
        select r.last_version into v_last from registered_models as r where r.name = register_model.name for no key update;
        if not found then
            insert into registered_models (name) values (register_model.name) on conflict do nothing returning last_version into v_last;
        end if;
        if not found then
            v_last := _lock_model_name(name);
        end if;
    end if;
    if idempotency_key is not null then
        if exists (
            select from model_versions as v
            where v.model_name = register_model.name and v.idempotency_key = register_model.idempotency_key
        ) then
            select r.artifact_id, r.version_number, r.created
            into artifact_id, version_number, created
            from _register(array[v_registration], true) as r;
            return;
        end if;
        v_digest := _registration_digest(v_registration);
    end if;

    -- What is written here comes complete: no row trigger need look elsewhere for it, unless there is something to explain. A hint
    -- and not a permission, see docs/architecture.md.
    if
        v_last is not null
        and num_nonnulls(training_params_json, eval_metrics_json) = 0
        and is_complete_version(
            artifact_id, base_model_id, code_repo_url, code_commit_sha, training_started_at, training_completed_at, null, null,
            idempotency_key, v_digest
        )
    then
        v_hint := set_config('atlas_models.rows_are_complete', 'yes', true);
    end if;
    artifact_id := coalesce(artifact_id, 'model-' || gen_random_uuid());
    version_number := v_last + 1;
    created := true;
    if v_last > 0 then
        -- The flag goes to the new version in one statement: two would read the CHECKs of the table twice. The rows come in the order of
        -- VALUES, and a unique index refuses a second latest.
        merge into artifacts as a
        using (values (false), (true)) as s (is_new)
        on not s.is_new and a.name = register_model.name and a.is_latest
        when matched then
            update set is_latest = false
        when not matched and s.is_new then
            insert (
                id, artifact_type, name, title, metadata, metadata_schema_version, version_number, is_latest, parent_version_id,
                version_tag, changelog, lifecycle_state, origin_type, origin_url, created_by
            )
            values (
                artifact_id, 'model', register_model.name, title, metadata, current_metadata_schema_version(), version_number, true,
                parent_version_id, version_tag, changelog, lifecycle_state, origin_type, origin_url, coalesce(created_by, session_user)
            );
    else
        insert into artifacts (
            id, artifact_type, name, title, metadata, metadata_schema_version, version_number, is_latest, parent_version_id,
            version_tag, changelog, lifecycle_state, origin_type, origin_url, created_by
        )
        values (
            artifact_id, 'model', name, title, metadata, current_metadata_schema_version(), version_number, true, parent_version_id,
            version_tag, changelog, lifecycle_state, origin_type, origin_url, coalesce(created_by, session_user)
        );
    end if;

    insert into model_versions (
        artifact_id, model_name, is_external, external_source_url, external_source_version, base_model_id, code_repo_url,
        code_commit_sha, code_entrypoint, training_started_at, training_completed_at, trained_by, gpu_allocation_id,
        training_params_json, eval_metrics_json, eval_dataset_artifact_id, benchmark_id, promotion_notes,
        idempotency_key, idempotency_digest
    )
    select
        artifact_id, name, coalesce(is_external, f.is_external), coalesce(external_source_url, f.external_source_url),
        coalesce(external_source_version, f.external_source_version), coalesce(base_model_id, f.base_model_id), code_repo_url,
        code_commit_sha, code_entrypoint, training_started_at, training_completed_at, trained_by, gpu_allocation_id,
        coalesce(training_params_json, f.training_params), coalesce(eval_metrics_json, f.eval_metrics), eval_dataset_artifact_id,
        coalesce(benchmark_id, f.benchmark_id), promotion_notes, idempotency_key, v_digest
    from _declared_facts(metadata) as f;
    v_hint := set_config('atlas_models.rows_are_complete', '', true);
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
