-- The gates that promote_model() asks for.
create or replace view gates as
select
    g.gate_id,
    g.model_name,
    g.metric,
    g.comparator,
    g.threshold,
    g.benchmark_id,
    g.set_by,
    g.set_at
from promotion_gates as g
order by g.model_name nulls first, g.metric, g.gate_id;

comment on view gates is
$$One row for each gate: what the latest evaluation of a version must show before it is promoted. set_promotion_gate() sets them.$$;
comment on column gates.gate_id is $$Identity of the gate, for remove_promotion_gate().$$;
comment on column gates.model_name is $$The model that it is for; NULL: every model.$$;
comment on column gates.metric is $$The metric that is looked at.$$;
comment on column gates.comparator is $$How the metric must compare with the threshold.$$;
comment on column gates.threshold is $$What the metric is compared with.$$;
comment on column gates.benchmark_id is $$The benchmark whose latest evaluation counts; NULL: any.$$;
comment on column gates.set_by is $$The database user who set it last.$$;
comment on column gates.set_at is $$When it was set last.$$;
