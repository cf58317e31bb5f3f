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
    v.registered_by,
    a.created_at,
    a.updated_at,
    a.metadata_schema_version,
    a.metadata
from artifacts as a
inner join model_versions as v on a.id = v.artifact_id;

comment on view models is
$$One row for each model version: what it is, where it came from, how to reproduce it, and whether it is in service. declared_… is
what the metadata says, latest_… what was recorded last.$$;

comment on column models.artifact_id is $$Identity of the version; what feedback, lineage and promote_model() refer to.$$;
comment on column models.name is $$The model's name: all its versions share it.$$;
comment on column models.version_number is $$1..n for each name, without gaps.$$;
comment on column models.is_latest is $$Whether this is the highest version of its name, whatever its state.$$;
comment on column models.promotion_state is $$candidate, promoted, rejected or superseded; at most one version of a name is promoted.$$;
comment on column models.is_external is $$Whether the model was taken over from elsewhere.$$;
comment on column models.title is $$A heading for people.$$;
comment on column models.model_family is $$The kind of model, as declared.$$;
comment on column models.framework is $$What runs it, as declared.$$;
comment on column models.parameter_count is $$Number of parameters, as declared; 0 for a model made of rules; NULL when not declared.$$;
comment on column models.task is $$What it is for, as declared.$$;
comment on column models.license is $$Its licence, as declared.$$;
comment on column models.description is $$What it is, as declared; free text.$$;
comment on column models.training_data is $$What it learned from: a text or a list of texts, as JSON.$$;
comment on column models.evaluation_dataset is $$What it was measured on: a text or a list of texts, as JSON.$$;
comment on column models.declared_metrics is $$Metric name → value, as the metadata declares them.$$;
comment on column models.latest_metrics is $$Metric name → value, as recorded last; the declared ones until then.$$;
comment on column models.declared_training_config is $$Training parameters, as the metadata declares them.$$;
comment on column models.latest_training_params is $$Training parameters, as recorded last; the declared ones until then.$$;
comment on column models.extra is $$Facts without a field of their own.$$;
comment on column models.external_source_url is $$Where an external model was taken from.$$;
comment on column models.external_source_version is $$Which version was taken there.$$;
comment on column models.base_model_id is $$artifact_id of the model it was fine-tuned or converted from.$$;
comment on column models.parent_version_id is $$artifact_id of the version it was made from.$$;
comment on column models.superseded_by is $$artifact_id of the version that took its place when that one was promoted.$$;
comment on column models.code_repo_url is $$Repository of the training code.$$;
comment on column models.code_commit_sha is $$Commit of the training code.$$;
comment on column models.code_entrypoint is $$What was run in the repository.$$;
comment on column models.training_started_at is $$When the training began.$$;
comment on column models.training_completed_at is $$When the training ended.$$;
comment on column models.trained_by is $$Agent id of who trained it.$$;
comment on column models.gpu_allocation_id is $$Reference into the system that hands out GPUs.$$;
comment on column models.eval_dataset_artifact_id is $$Artifact id of the dataset that the metrics were measured on.$$;
comment on column models.benchmark_id is $$The benchmark that the metrics belong to.$$;
comment on column models.promotion_notes is $$What was said at the last change of promotion_state.$$;
comment on column models.first_promoted_at is $$When the version was first promoted; NULL when never.$$;
comment on column models.version_tag is $$A label of the version that people use.$$;
comment on column models.changelog is $$What changed against the parent.$$;
comment on column models.lifecycle_state is $$A legacy fact, free text; drives nothing.$$;
comment on column models.origin_type is $$How the artifact came to be; free text.$$;
comment on column models.origin_url is $$Where the artifact came from; free text.$$;
comment on column models.created_by is $$Who is said to have created it: a claim.$$;
comment on column models.registered_by is $$The database user who registered it.$$;
comment on column models.created_at is $$When the artifact was written.$$;
comment on column models.updated_at is $$When the artifact was last changed.$$;
comment on column models.metadata_schema_version is $$The version of the metadata schema that metadata is valid against; 0: legacy, not validated.$$;
comment on column models.metadata is $$The declared facts as a whole.$$;
