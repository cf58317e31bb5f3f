-- Writes what is searched anew for versions that changed.
create or replace function _refresh_model_search(artifact_ids text[], metrics_changed boolean)
returns void
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
begin
    if artifact_ids is null then
        return;
    end if;

    -- A promotion changes no metric.
    if metrics_changed then
        delete from model_metrics as m
        using model_search as s, _searchable_models as t, jsonb_each(s.metrics) as e (key, value)
        where
            s.artifact_id = any(artifact_ids)
            and t.artifact_id = any(artifact_ids)
            and s.artifact_id = t.artifact_id
            and s.metrics <> t.metrics
            and m.metric = e.key
            and m.value = e.value::double precision
            and m.place = s.place;

        insert into model_metrics (metric, value, place)
        select e.key, e.value::double precision, s.place
        from _searchable_models as t
        inner join model_search as s on t.artifact_id = s.artifact_id
        cross join lateral jsonb_each(t.metrics) as e (key, value)
        where t.artifact_id = any(artifact_ids) and s.metrics <> t.metrics;
    end if;

    update model_search as s
    set
        registered_at = t.registered_at,
        trained_at = t.trained_at,
        family = t.family,
        metrics = t.metrics,
        document = t.document
    from _searchable_models as t
    where
        t.artifact_id = any(artifact_ids)
        and s.artifact_id = t.artifact_id
        and (s.registered_at, s.trained_at, s.family, s.metrics, s.document)
        is distinct from (t.registered_at, t.trained_at, t.family, t.metrics, t.document);
end
$function$;

comment on function _refresh_model_search(text[], boolean) is
$$Puts the rows of model_search right for the given versions, and those of model_metrics where eval_metrics_json changed.$$;
