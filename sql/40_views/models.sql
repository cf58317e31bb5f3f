-- What people and programs read: one flat, typed row for each model version.
create or replace view models as
select
    a.id as artifact_id,
    a.name,
    a.version_number,
    a.is_latest,
    v.promotion_state,
    v.is_external,
    a.title,
    a.metadata ->> 'model_family' as model_family,
    a.metadata ->> 'framework' as framework,
    -- A legacy row was never validated: its texts need not be numbers.
    case when a.metadata_schema_version > 0 then (a.metadata ->> 'parameter_count')::numeric::bigint end as parameter_count,
    a.metadata ->> 'task' as task,
    a.metadata ->> 'license' as license,
    a.metadata ->> 'description' as description,
    a.metadata -> 'training_data' as training_data,
    a.metadata -> 'evaluation_dataset' as evaluation_dataset,
    a.metadata -> 'evaluation_metrics' as declared_metrics,
    v.eval_metrics_json as latest_metrics,
    a.metadata -> 'training_config' as declared_training_config,
    v.training_params_json as latest_training_params,
    a.metadata -> 'extra' as extra,
    v.external_source_url,
    v.external_source_version,
    v.base_model_id,
    a.parent_version_id,
    a.superseded_by,
    v.code_repo_url,
    v.code_commit_sha,
    v.code_entrypoint,
    v.training_started_at,
    v.training_completed_at,
    v.trained_by,
    v.gpu_allocation_id,
    v.eval_dataset_artifact_id,
    v.benchmark_id,
    v.promotion_notes,
    v.first_promoted_at,
    a.version_tag,
    a.changelog,
    a.lifecycle_state,
    a.origin_type,
    a.origin_url,
    a.created_by,
    a.created_at,
    a.updated_at,
    a.metadata_schema_version,
    a.metadata
from artifacts as a
inner join model_versions as v on a.id = v.artifact_id;

comment on view models is
$$One row for each model version: what it is, where it came from, how to reproduce it, and whether it is in service. declared_… is
what the metadata says, latest_… what was recorded last.$$;
