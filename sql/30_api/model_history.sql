-- What happened to a model, as a log.
create or replace function model_history(name text)
returns table (
    event_id bigint,
    happened_at timestamptz,
    actor text,
    on_behalf_of text,
    action text,
    artifact_id text,
    version_number integer,
    from_state text,
    to_state text,
    reason text,
    gates text,
    evidence jsonb,
    old jsonb,
    new jsonb,
    summary text
)
language plpgsql stable called on null input parallel safe security definer
set search_path from current
as $function$
#variable_conflict use_column
begin
    return query
    select
        e.event_id, e.happened_at, e.actor, e.on_behalf_of, e.action, e.artifact_id, e.version_number,
        s.from_state, s.to_state, e.reason, e.gates, e.evidence, e.old, e.new,
        concat(
            e.actor,
            ' (for ' || e.on_behalf_of || ')',
            ' ',
            case
                when e.action = 'gate_set' then 'set the gate ' || r.gate
                when e.action = 'gate_removed' then 'removed the gate ' || r.gate
                when e.action in ('policy_set', 'policy_removed')
                    then format(
                        '%s the policy: code pin %s, evaluation %s, second person %s',
                        case e.action when 'policy_set' then 'set' else 'removed' end,
                        coalesce(r.rule ->> 'require_code_pin', 'as for every model'),
                        coalesce(r.rule ->> 'require_evaluation', 'as for every model'),
                        coalesce(r.rule ->> 'require_second_person', 'as for every model')
                    )
                else format(
                    '%s version %s%s', replace(e.action, '_', ' '), e.version_number,
                    case
                        when s.from_state is not null then concat(', ', s.from_state, ' → ' || s.to_state)
                        when e.action = 'evaluated'
                            then format('%s: %s', ' on ' || (e.new ->> 'benchmark_id'), left(e.new ->> 'metrics', 200))
                        when e.action = 'adopted' and e.new ->> 'promotion_state' <> 'candidate' then ', ' || (e.new ->> 'promotion_state')
                        when e.action not in ('adopted', 'registered', 'deleted')
                            then ': ' || (select string_agg(k.key, ', ' order by k.key) from jsonb_object_keys(e.new) as k (key))
                    end
                )
            end,
            case e.gates
                when 'overridden' then ', gates overridden'
                when 'none' then ', without asking the gates'
            end,
            ': ' || e.reason
        )
    from model_events as e
    cross join lateral (
        select e.old ->> 'promotion_state' as from_state, e.new ->> 'promotion_state' as to_state
        where e.action <> 'deleted'
        union all
        select e.old #>> '{version,promotion_state}', null
        where e.action = 'deleted'
    ) as s
    cross join lateral (select coalesce(e.new, e.old) as rule) as w
    cross join lateral (
        select
            w.rule,
            concat_ws(' ', w.rule ->> 'metric', w.rule ->> 'comparator', w.rule ->> 'threshold', 'on ' || (w.rule ->> 'benchmark_id')) as gate
    ) as r
    where e.model_name is not distinct from model_history.name
    order by e.event_id;
end
$function$;

comment on function model_history(text) is
$$What happened to a model, its gates and policies, oldest first; for NULL what happened to the gates and policies of every model. summary is
one readable line; old and new hold the columns that changed. What a version was at some time is what it is now, or what its 'deleted' event holds
in old, with old of every later event laid over, latest first.$$;
