-- What search_models() reads follows what is written to model_versions, once for a statement.
create or replace function keep_model_search()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_changed text[];
begin
    if tg_op = 'INSERT' then
        with listed as (
            insert into model_search (artifact_id, registered_at, trained_at, family, metrics, document)
            select s.artifact_id, s.registered_at, s.trained_at, s.family, s.metrics, s.document
            from new_rows as n
            inner join _searchable_models as s on n.artifact_id = s.artifact_id
            returning place, metrics
        )

        insert into model_metrics (metric, value, place)
        select e.key, e.value::double precision, l.place
        from listed as l
        cross join lateral jsonb_each(l.metrics) as e (key, value);
    elsif tg_op = 'UPDATE' then
        -- A promotion supersedes by a statement of its own, which often finds nothing to supersede.
        if not exists (select from new_rows) then
            return null;
        end if;

        -- By EXCEPT and not by a join, which a session would plan once, for one row, and take the square of many.
        select array_agg(c.artifact_id) into v_changed
        from (
            select
                n.artifact_id, n.model_name, n.is_external, n.trained_by, n.base_model_id, n.benchmark_id, n.eval_dataset_artifact_id,
                n.training_completed_at, n.created_at, n.eval_metrics_json
            from new_rows as n
            except
            select
                o.artifact_id, o.model_name, o.is_external, o.trained_by, o.base_model_id, o.benchmark_id, o.eval_dataset_artifact_id,
                o.training_completed_at, o.created_at, o.eval_metrics_json
            from old_rows as o
        ) as c;
        if v_changed is not null then
            perform _refresh_model_search(
                v_changed,
                exists (
                    select n.artifact_id, n.eval_metrics_json from new_rows as n
                    except
                    select o.artifact_id, o.eval_metrics_json from old_rows as o
                )
            );
        end if;

        -- Where only the state changed, as by a promotion, the rest need not be read again.
        update model_search as s
        set document = ts_delete(s.document, array['=state:candidate', '=state:promoted', '=state:rejected', '=state:superseded'])
            || array_to_tsvector(array[_search_term('state', c.promotion_state)])
        from (
            select n.artifact_id, n.promotion_state from new_rows as n
            except
            select o.artifact_id, o.promotion_state from old_rows as o
        ) as c
        where s.artifact_id = c.artifact_id and (v_changed is null or c.artifact_id <> all(v_changed));
    else
        with gone as (
            delete from model_search as s using old_rows as o where s.artifact_id = o.artifact_id
            returning s.place, s.metrics
        )

        delete from model_metrics as m
        using gone as g, jsonb_each(g.metrics) as e (key, value)
        where m.metric = e.key and m.value = e.value::double precision and m.place = g.place;
    end if;
    return null;
end
$function$;

comment on function keep_model_search() is
$$Trigger function of model_versions_80_keep_search_insert, …_keep_search_update and …_keep_search_delete: writes the rows of
model_search and model_metrics anew.$$;
