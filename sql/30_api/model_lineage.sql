-- What an artifact was made from and what came of it, over parents, bases, successions and evaluation datasets.
create or replace function model_lineage(
    artifact_id  text,
    direction    text default 'both',
    max_depth    integer default null
)
returns table (
    side             text,
    depth            integer,
    relation         text,
    via              text,
    id               text,
    artifact_type    text,
    name             text,
    version_number   integer,
    title            text,
    promotion_state  text,
    path             text[]
)
language plpgsql stable called on null input parallel safe security definer
set search_path from current
-- Planned once, for lookups by index and joins by hash: right for ten artifacts and for a hundred thousand.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_mergejoin = off
set work_mem = '64MB'
set jit = off
as $function$
#variable_conflict use_column
declare
    c_longest_path constant integer := 100;
    -- Equal to no time at all, however often it is added up, and yet its days can be counted.
    c_step constant interval := '1 day -24 hours';
    v_side text;
    v_forwards boolean;
begin
    if model_lineage.direction is null or model_lineage.direction not in ('ancestors', 'descendants', 'both') then
        raise exception 'invalid argument: direction' using
            errcode = 'invalid_parameter_value',
            detail = '/direction: must be ancestors, descendants or both',
            hint = 'ancestors: what it was made from; descendants: what came of it.';
    end if;
    if model_lineage.max_depth < 1 then
        raise exception 'invalid argument: max_depth' using
            errcode = 'invalid_parameter_value',
            detail = '/max_depth: must be at least 1',
            hint = 'Leave it out to see everything.';
    end if;
    if not exists (select from artifacts as a where a.id = model_lineage.artifact_id) then
        raise exception 'there is no artifact %', model_lineage.artifact_id using
            errcode = 'no_data_found',
            detail = '/artifact_id: names no artifact',
            hint = 'resolve_artifact() finds the id that is meant by a name or by the beginning of an id.';
    end if;

    foreach v_side in array case model_lineage.direction
        when 'ancestors' then array['ancestor']
        when 'descendants' then array['descendant']
        else array['ancestor', 'descendant']
    end loop
        v_forwards := v_side = 'descendant';
        return query
        -- A row is an edge, met once: the walk ends where everything was met, circles or not. UNION takes all the steps for equal, so the
        -- first to meet an edge stays, and tells how far it is.
        with recursive walk (
            steps, via, relation, id, artifact_type, name, version_number, title, promotion_state, superseded_by, parent, base, dataset
        ) as (
            select
                interval '0', null::text, null::text, a.id, a.artifact_type, a.name, a.version_number, a.title, v.promotion_state,
                a.superseded_by, a.parent_version_id, v.base_model_id, v.eval_dataset_artifact_id
            from artifacts as a
            left join model_versions as v on a.id = v.artifact_id
            where a.id = model_lineage.artifact_id
            union
            select
                w.steps + c_step, w.id, e.relation, a.id, a.artifact_type, a.name, a.version_number, a.title,
                coalesce(e.state, v.promotion_state),
                a.superseded_by, a.parent_version_id, v.base_model_id, v.eval_dataset_artifact_id
            from walk as w
            cross join lateral (
                select 'parent' as relation, a.id, null::text as state
                from artifacts as a
                where v_forwards and a.parent_version_id = w.id
                union all
                select 'base_model', v.artifact_id, v.promotion_state
                from model_versions as v
                where v_forwards and v.base_model_id = w.id
                union all
                -- Nothing that comes of something is a dataset.
                select 'evaluation_dataset', v.artifact_id, v.promotion_state
                from model_versions as v
                where v_forwards and w.via is null and v.eval_dataset_artifact_id = w.id
                union all
                select 'superseded_by', w.superseded_by, null::text
                where v_forwards and w.superseded_by is not null
                union all
                select k.relation, k.id, null::text
                from (values ('parent', w.parent), ('base_model', w.base), ('evaluation_dataset', w.dataset)) as k (relation, id)
                where not v_forwards and k.id is not null
                union all
                select 'superseded_by', a.id, null::text
                from artifacts as a
                where not v_forwards and a.superseded_by = w.id
            ) as e
            -- One by one, by their keys: OFFSET 0 keeps the planner from joining whole tables.
            cross join lateral (
                select a.id, a.artifact_type, a.name, a.version_number, a.title, a.superseded_by, a.parent_version_id
                from artifacts as a
                where a.id = e.id
                offset 0
            ) as a
            left join lateral (
                select v.promotion_state, v.base_model_id, v.eval_dataset_artifact_id
                from model_versions as v
                where v.artifact_id = e.id and e.state is null
                offset 0
            ) as v on true
            where model_lineage.max_depth is null or date_part('day', w.steps) < model_lineage.max_depth
        ),

        -- To most there is one way, which is found out faster than all are sorted.
        met_again as (select w.id from walk as w group by w.id having count(*) > 1),

        nodes as materialized (
            select date_part('day', w.steps)::integer as depth, w.*
            from walk as w
            where w.id not in (select m.id from met_again as m)
            union all
            select n.*
            from (
                select distinct on (w.id) date_part('day', w.steps)::integer as depth, w.*
                from walk as w
                where w.id in (select m.id from met_again as m)
                order by w.id, date_part('day', w.steps), w.relation collate "C" nulls first, w.via collate "C"
            ) as n
        ),

        -- The ways to what others were reached from; to most there is nothing beyond. Each is there once; DISTINCT says so to the planner.
        inner_nodes as (
            select distinct on (n.id) n.depth, n.via, n.id
            from nodes as n
            where n.depth < c_longest_path and n.id in (select o.via from nodes as o group by o.via)
        ),

        ways as (
            select b.id, array[b.id] as ids
            from inner_nodes as b
            where b.depth = 0
            union all
            select b.id, w.ids || b.id
            from ways as w
            inner join inner_nodes as b on w.id = b.via
            where b.depth > 0
        ),

        -- There may be a hundred thousand: depth and relation are compared as one number, texts by their bytes, and what is compared stands in
        -- front of each row.
        sorted as (
            select
                n.depth * 4::bigint + case n.relation
                    when 'base_model' then 0 when 'evaluation_dataset' then 1 when 'parent' then 2 else 3
                end as rank,
                n.depth, n.version_number, n.name, n.id, n.relation, n.via, n.artifact_type, n.title, n.promotion_state, w.ids
            from nodes as n
            left join ways as w on n.via = w.id and n.depth > 0
            -- The artifact itself is the first row, once.
            where n.depth > 0 or v_side = 'ancestor' or model_lineage.direction <> 'both'
            order by rank, n.name collate "C", n.version_number, n.id collate "C"
        )

        select
            case when s.depth = 0 then 'self' else v_side end, s.depth, s.relation, s.via, s.id, s.artifact_type, s.name, s.version_number,
            s.title, s.promotion_state,
            case when s.depth <= c_longest_path then coalesce(s.ids, '{}') || s.id end
        from sorted as s;
    end loop;
end
$function$;

comment on function model_lineage(text, text, integer) is
$$What an artifact was made from (direction 'ancestors') and what came of it ('descendants'), or 'both': each artifact once for each
side (ancestor, descendant; the artifact itself: self), by the shortest way. relation says how it and via hang together: parent, base_model, evaluation_dataset or superseded_by (the
one that superseded another came of it); path holds the ids from the given artifact to this one, NULL beyond 100 steps.
P0002 when there is no such artifact.$$;
