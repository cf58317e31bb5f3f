-- One event for each version row that an UPDATE changed: what happened is told from what changed, not from who says so.
create or replace function record_version_changes()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Both sides of the join hold the rows of one UPDATE: one pass over each, however many they are. Each artifact is found by index.
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
set enable_seqscan = off
-- What must be a loop all the same looks so dear that compiling it seems to pay.
set jit = off
as $function$
declare
    -- Said by the function that changes something, see _state_change(); what happened, to what, when and by whom is not up to it.
    v_change constant jsonb := nullif(current_setting('atlas_models.change', true), '')::jsonb;
begin
    insert into model_events (action, artifact_id, model_name, version_number, reason, old, new, gates, evidence)
    select
        c.action, c.artifact_id, c.model_name, c.version_number,
        case
            when v_change ? 'reason' then v_change ->> 'reason'
            when c.became ? 'promotion_state' then c.became ->> 'promotion_notes'
        end,
        c.was, c.became,
        case when c.action = 'promoted' then coalesce(v_change ->> 'gates', 'none') end,
        case when c.action = 'promoted' then v_change -> 'evidence' end
    from (
        select
            n.artifact_id, n.model_name, d.was, d.became,
            (select a.version_number from artifacts as a where a.id = n.artifact_id) as version_number,
            case
                when n.promotion_state <> o.promotion_state
                    then case
                        when n.promotion_state <> 'candidate' then n.promotion_state
                        when o.promotion_state = 'promoted' then 'demoted'
                        else 'reopened'
                    end
                when d.was - '{code_repo_url,code_commit_sha,code_entrypoint}'::text[] = '{}' then 'code_linked'
                when
                    d.was - '{training_started_at,training_completed_at,trained_by,gpu_allocation_id,training_params_json}'::text[] = '{}'
                    then 'training_recorded'
                else 'changed'
            end as action
        from new_rows as n
        inner join old_rows as o on n.artifact_id = o.artifact_id
        cross join lateral (
            select jsonb_object_agg(w.key, w.value) as was, jsonb_object_agg(w.key, j.after -> w.key) as became
            from (select to_jsonb(o) as before, to_jsonb(n) as after offset 0) as j
            cross join lateral jsonb_each(j.before) as w
            where w.value is distinct from j.after -> w.key
        ) as d
        -- What a legacy row is before it has a name, the backfill's log tells.
        where o.model_name is not null and d.was is not null
    ) as c
    order by c.model_name, c.action = 'promoted', c.version_number;
    return null;
end
$function$;

comment on function record_version_changes() is
$$Trigger function of model_versions_90_record_version_changes: writes one event for each version row that changed. A change of promotion_state
is named after it, with the outcome of the gates; without promote_model() a promotion stands there as done without gates.$$;
