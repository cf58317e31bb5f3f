-- The policies that promote_model() holds to.
create or replace view policies as
select
    p.model_name,
    p.require_code_pin,
    p.require_evaluation,
    p.require_second_person,
    p.set_by,
    p.set_at
from promotion_policies as p
order by p.model_name nulls first;

comment on view policies is
$$What a promotion asks for besides the gates: one row for every model (model_name NULL), others for single ones, where NULL means: as for
every model. set_promotion_policy() sets them.$$;
comment on column policies.model_name is $$The model that it is for; NULL: every model.$$;
comment on column policies.require_code_pin is $$Whether an internal version needs its repository and commit.$$;
comment on column policies.require_evaluation is $$Whether an internal version needs a recorded evaluation.$$;
comment on column policies.require_second_person is $$Whether who registered a version must not promote it.$$;
comment on column policies.set_by is $$The database user who set it last.$$;
comment on column policies.set_at is $$When it was set last.$$;
