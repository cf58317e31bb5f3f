-- Says how a version was trained, once that is known.
create or replace function record_training(
    artifact_id text,
    training_started_at timestamptz default null,
    training_completed_at timestamptz default null,
    trained_by text default null,
    gpu_allocation_id text default null,
    training_params_json jsonb default null
)
returns boolean
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_version model_versions;
begin
    v_version := _lock_version(record_training.artifact_id);
    perform _refuse_other_value(
        v_version, 'training_started_at', v_version.training_started_at::text, record_training.training_started_at::text
    );
    perform _refuse_other_value(
        v_version, 'training_completed_at', v_version.training_completed_at::text, record_training.training_completed_at::text
    );
    perform _refuse_other_value(v_version, 'trained_by', v_version.trained_by, record_training.trained_by);
    perform _refuse_other_value(v_version, 'gpu_allocation_id', v_version.gpu_allocation_id, record_training.gpu_allocation_id);
    update model_versions as v
    set
        training_started_at = coalesce(v.training_started_at, record_training.training_started_at),
        training_completed_at = coalesce(v.training_completed_at, record_training.training_completed_at),
        trained_by = coalesce(v.trained_by, record_training.trained_by),
        gpu_allocation_id = coalesce(v.gpu_allocation_id, record_training.gpu_allocation_id),
        -- What was declared gives way to what was measured, and that to what was measured last.
        training_params_json = coalesce(record_training.training_params_json, v.training_params_json)
    where
        v.artifact_id = v_version.artifact_id
        and (
            (v.training_started_at is null and record_training.training_started_at is not null)
            or (v.training_completed_at is null and record_training.training_completed_at is not null)
            or (v.trained_by is null and record_training.trained_by is not null)
            or (v.gpu_allocation_id is null and record_training.gpu_allocation_id is not null)
            or v.training_params_json <> record_training.training_params_json
            or (v.training_params_json is null and record_training.training_params_json is not null)
        );
    return found;
end
$function$;

comment on function record_training(text, timestamptz, timestamptz, text, text, jsonb) is
$$Records the run that trained a version: when it began and ended, the agent id of who trained it, the GPU allocation, and the parameters.
Fills in what is not known yet; what is given as NULL stays. Parameters replace the declared ones, and later those recorded before. Returns
whether anything changed: a repeated call returns false. P0002 for an unknown version, MR005 for another value than the one that stands,
23514 for times in the wrong order or parameters that are no object.$$;
