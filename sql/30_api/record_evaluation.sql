-- Keeps the results of an evaluation; the latest ones become the version's metrics.
create or replace function record_evaluation(
    artifact_id text,
    benchmark_id text default null,
    eval_dataset_artifact_id text default null,
    metrics jsonb default null,
    evaluated_at timestamptz default null,
    evaluated_by text default null,
    notes text default null
)
returns table (evaluation_id bigint, created boolean)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_version model_versions;
    v_problem text;
    v_digest bytea;
    v_id bigint;
    v_latest model_evaluations;
begin
    v_problem := case
        when jsonb_typeof(record_evaluation.metrics) is distinct from 'object' or record_evaluation.metrics = '{}'
            then '/metrics: must be an object of at least one metric name → number'
        when not has_bounded_numbers(record_evaluation.metrics) then '/metrics: must hold finite numbers'
        when octet_length(record_evaluation.metrics::text) > 1048576 then '/metrics: must be at most 1048576 bytes of text'
        else (
            select string_agg(
                format(
                    '/metrics/%s: %s', replace(replace(left(m.key, 256), '~', '~0'), '/', '~1'),
                    case when m.key ~ '[^[:space:]]' then 'must be a number' else 'must have a name' end
                ),
                e'\n' order by m.key
            )
            from jsonb_each(record_evaluation.metrics) as m
            where jsonb_typeof(m.value) <> 'number' or m.key !~ '[^[:space:]]'
        )
    end;
    if v_problem is not null then
        raise exception 'these are no metrics' using
            errcode = 'check_violation', detail = v_problem, hint = 'Give metric name → finite number, for instance {"auroc": 0.91}.',
            schema = current_schema(), table = 'model_evaluations', column = 'metrics', constraint = 'model_evaluations_metrics_named';
    end if;
    -- The latest by its time stays the latest for ever.
    if not isfinite(record_evaluation.evaluated_at) or record_evaluation.evaluated_at > clock_timestamp() + interval '5 minutes' then
        raise exception 'an evaluation cannot lie in the future' using
            errcode = 'invalid_parameter_value',
            detail = format('/evaluated_at: %s has not come yet', record_evaluation.evaluated_at),
            hint = 'Check the time and its time zone, or leave it out: now.';
    end if;

    v_version := _lock_version(record_evaluation.artifact_id);
    if
        record_evaluation.eval_dataset_artifact_id is not null
        and not exists (select from artifacts as a where a.id = record_evaluation.eval_dataset_artifact_id)
    then
        raise exception 'evaluation dataset % is not registered', record_evaluation.eval_dataset_artifact_id using
            errcode = 'foreign_key_violation',
            detail = '/eval_dataset_artifact_id: no such artifact',
            hint = 'Register the dataset with register_artifact() and give its id.',
            schema = current_schema(), table = 'model_evaluations', column = 'eval_dataset_artifact_id',
            constraint = 'model_evaluations_eval_dataset_fkey';
    end if;
    -- As given, so that a repeated call without a time is recognised too; the same instant in another time zone is the same.
    v_digest := sha256(convert_to(
        jsonb_build_array(
            record_evaluation.benchmark_id, record_evaluation.eval_dataset_artifact_id, record_evaluation.metrics,
            extract(epoch from record_evaluation.evaluated_at), record_evaluation.evaluated_by, record_evaluation.notes
        )::text,
        'UTF8'
    ));
    select e.evaluation_id into v_id
    from model_evaluations as e
    where e.artifact_id = v_version.artifact_id and e.digest = v_digest;
    if found then
        return query select v_id, false;
        return;
    end if;

    insert into model_evaluations (
        artifact_id, benchmark_id, eval_dataset_artifact_id, metrics, evaluated_at, evaluated_by, notes, digest
    )
    values (
        v_version.artifact_id, record_evaluation.benchmark_id, record_evaluation.eval_dataset_artifact_id, record_evaluation.metrics,
        coalesce(record_evaluation.evaluated_at, clock_timestamp()), record_evaluation.evaluated_by, record_evaluation.notes, v_digest
    )
    returning model_evaluations.evaluation_id into v_id;

    select e.* into v_latest
    from model_evaluations as e
    where e.artifact_id = v_version.artifact_id
    order by e.evaluated_at desc, e.evaluation_id desc
    limit 1;
    -- The dataset goes with the metrics: another one's would be a lie.
    perform _state_change(format('evaluation %s is the latest', v_latest.evaluation_id));
    update model_versions as v
    set eval_metrics_json = v_latest.metrics, eval_dataset_artifact_id = v_latest.eval_dataset_artifact_id
    where
        v.artifact_id = v_version.artifact_id
        and (v.eval_metrics_json, v.eval_dataset_artifact_id) is distinct from (v_latest.metrics, v_latest.eval_dataset_artifact_id);
    perform _state_change();
    return query select v_id, true;
end
$function$;

comment on function record_evaluation(text, text, text, jsonb, timestamptz, text, text) is
$$Records the results of an evaluation: metrics (metric name → finite number), on which benchmark and dataset, when (now unless given) and, as a
claim, by whom. Every evaluation is kept; the latest by evaluated_at becomes the version's eval_metrics_json and eval_dataset_artifact_id,
while the metadata keep what was declared. Returns the evaluation and whether this call created it: the same call again does not; a run with the
same numbers is told apart by evaluated_at. P0002 for an unknown version, 23514 for metrics that are none, 23503 for an unknown dataset.$$;
