-- Finds a circle over parents and bases among some versions and their ancestors, in time linear in how many these are.
create or replace function _lineage_cycles(artifact_ids text[])
returns text[]
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_ids text[];
    -- Places in v_ids of each version's parent and base, of the one it was reached from, and how far it is explored.
    v_parents integer[];
    v_bases integer[];
    v_reached_from integer[];
    v_progress integer[];  -- 0 untouched, 1 on the path by its parent, 2 on the path by its base, 3 done
    v_at integer;
    v_next integer;
    v_circle text[] := '{}';
begin
    if artifact_ids is null then
        return v_circle;
    end if;

    -- An id's rank serves as its number: no join has to look it up.
    with recursive lineage (id, parent_id, base_id) as (
        select a.id, a.parent_version_id, v.base_model_id
        from artifacts as a
        -- By index for each row: a join planned while the table was empty would read it whole ever after.
        left join lateral (select * from model_versions as w where w.artifact_id = a.id limit 1) as v on true
        where a.id = any(artifact_ids)
        union
        select edge.target, a.parent_version_id, v.base_model_id
        from lineage
        cross join lateral (values (lineage.parent_id), (lineage.base_id)) as edge (target)
        left join lateral (select * from artifacts as c where c.id = edge.target limit 1) as a on true
        left join lateral (select * from model_versions as w where w.artifact_id = edge.target limit 1) as v on true
        where edge.target is not null
    ),

    ranked as (
        select lineage.id, k.kind, dense_rank() over (order by k.key)::integer as place
        from lineage
        cross join lateral (values (0, lineage.id), (1, lineage.parent_id), (2, lineage.base_id)) as k (kind, key)
        where k.key is not null
    ),

    numbered as (
        select
            r.id,
            max(r.place) filter (where r.kind = 0) as place,
            max(r.place) filter (where r.kind = 1) as parent,
            max(r.place) filter (where r.kind = 2) as base
        from ranked as r
        group by r.id
    )

    select
        array_agg(n.id order by n.place),
        array_agg(n.parent order by n.place),
        array_agg(n.base order by n.place)
    into v_ids, v_parents, v_bases
    from numbered as n;

    v_progress := array_fill(0, array[coalesce(cardinality(v_ids), 0)]);
    v_reached_from := v_progress;
    for v_start in 1 .. cardinality(v_progress) loop
        v_at := v_start;
        while v_at > 0 and v_progress[v_at] < 3 loop
            v_progress[v_at] := v_progress[v_at] + 1;
            v_next := case v_progress[v_at] when 1 then v_parents[v_at] when 2 then v_bases[v_at] end;
            if v_progress[v_at] = 3 then
                v_at := v_reached_from[v_at];
            elsif v_progress[v_next] = 0 then
                v_reached_from[v_next] := v_at;
                v_at := v_next;
            elsif v_progress[v_next] < 3 then
                loop
                    v_circle := v_ids[v_at] || v_circle;
                    exit when v_at = v_next;
                    v_at := v_reached_from[v_at];
                end loop;
                return v_circle;
            end if;
        end loop;
    end loop;
    return v_circle;
end
$function$;

comment on function _lineage_cycles(text[]) is
$$The artifact ids of one circle over parent_version_id and base_model_id that the given ids belong or lead to, each made from
the one after it; empty when there is none.$$;
