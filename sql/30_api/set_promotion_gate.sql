-- Sets a gate, for one model or for every model: what the latest evaluation must show before a promotion.
create or replace function set_promotion_gate(
    metric text,
    comparator text,
    threshold double precision,
    model_name text default null,
    benchmark_id text default null,
    reason text default null
)
returns bigint
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_problem text;
    v_id bigint;
begin
    v_problem := case
        when is_model_name(set_promotion_gate.metric) is not true then '/metric: must be the name of a metric'
        when (set_promotion_gate.comparator in ('>=', '>', '<=', '<', '=', '<>')) is not true
            then '/comparator: must be >=, >, <=, <, = or <>'
        when (set_promotion_gate.threshold not in ('NaN', 'Infinity', '-Infinity')) is not true
            then '/threshold: must be a finite number'
        when not is_model_name(set_promotion_gate.model_name) then '/model_name: must be the name of a model'
        when not is_model_name(set_promotion_gate.benchmark_id) then '/benchmark_id: must be 1 to 256 characters'
    end;
    if v_problem is not null then
        raise exception 'this is no gate' using
            errcode = 'invalid_parameter_value', detail = v_problem,
            hint = 'For instance set_promotion_gate(''auroc'', ''>='', 0.9, model_name => ''credit-risk'').';
    end if;
    perform _refuse_blank('reason', set_promotion_gate.reason);

    perform _lock_rules(set_promotion_gate.model_name);
    perform _state_change(set_promotion_gate.reason);
    insert into promotion_gates as g (model_name, metric, comparator, threshold, benchmark_id)
    values (
        set_promotion_gate.model_name, set_promotion_gate.metric, set_promotion_gate.comparator, set_promotion_gate.threshold,
        set_promotion_gate.benchmark_id
    )
    on conflict on constraint promotion_gates_once do update
    set threshold = excluded.threshold, set_by = session_user, set_at = now()
    where g.threshold <> excluded.threshold
    returning g.gate_id into v_id;
    if v_id is null then
        select g.gate_id into v_id
        from promotion_gates as g
        where
            g.model_name is not distinct from set_promotion_gate.model_name
            and g.metric = set_promotion_gate.metric
            and g.comparator = set_promotion_gate.comparator
            and g.benchmark_id is not distinct from set_promotion_gate.benchmark_id;
    end if;
    perform _state_change();
    return v_id;
end
$function$;

comment on function set_promotion_gate(text, text, double precision, text, text, text) is
$$Sets what the latest recorded evaluation that holds the metric (of benchmark_id, when given) must show before promote_model() promotes a
version of model_name, or of any model when that is NULL. Returns the gate's id. The same model, metric, comparator and benchmark again set a
new threshold. Versions that are promoted already stay so. 22023 for what is no gate.$$;
