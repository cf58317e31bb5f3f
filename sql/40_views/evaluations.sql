-- Every evaluation that was recorded.
create or replace view evaluations as
select
    e.evaluation_id,
    e.artifact_id,
    a.name,
    a.version_number,
    e.benchmark_id,
    e.eval_dataset_artifact_id,
    e.metrics,
    e.evaluated_at,
    e.evaluated_by,
    e.notes,
    e.recorded_by,
    e.recorded_at
from model_evaluations as e
inner join artifacts as a on e.artifact_id = a.id;

comment on view evaluations is
$$One row for each recorded evaluation of a version; the latest by evaluated_at is what models.latest_metrics shows.$$;
comment on column evaluations.evaluation_id is $$Identity of the evaluation.$$;
comment on column evaluations.artifact_id is $$The version that was evaluated.$$;
comment on column evaluations.name is $$The model's name.$$;
comment on column evaluations.version_number is $$The version's number.$$;
comment on column evaluations.benchmark_id is $$The benchmark that it was evaluated on.$$;
comment on column evaluations.eval_dataset_artifact_id is $$The dataset artifact that it was evaluated on.$$;
comment on column evaluations.metrics is $$Metric name → number.$$;
comment on column evaluations.evaluated_at is $$When it was evaluated.$$;
comment on column evaluations.evaluated_by is $$Who is said to have evaluated it: a claim.$$;
comment on column evaluations.notes is $$What was said of it.$$;
comment on column evaluations.recorded_by is $$The database user who recorded it.$$;
comment on column evaluations.recorded_at is $$When it was recorded.$$;
