-- Finds out which legacy models are versions of one model, in which order and by what name; what cannot be told becomes a question.
create or replace function _plan_backfill(artifact_ids text[])
returns bigint
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
-- What is larger goes to disk: however many rows there are, the memory stays about the same.
set work_mem = '16MB'
set jit = off
set plan_cache_mode = force_custom_plan
set enable_nestloop = on
as $function$
declare
    v_rules_digest constant text := _backfill_rules_digest();
    v_planned bigint;
begin
    -- Nothing is known of how many rows the steps below give: by nested loops a million would take days, and a few are taken by nothing else
    -- without reading whole tables. The setting ends with the function.
    perform set_config('enable_nestloop', case when artifact_ids is null then 'off' else 'on' end, true);
    with legacy as materialized (
        select
            a.id,
            a.created_at,
            nullif(btrim(a.title), '') as title,
            b.answers ->> 'name' as given_name,
            case when b.answers ? 'parent_version_id' then b.answers ->> 'parent_version_id' else a.parent_version_id end as parent,
            case
                when jsonb_typeof(b.answers -> 'version_number') = 'number' then (b.answers ->> 'version_number')::numeric::integer
                else a.version_number
            end as number,
            coalesce(a.is_latest, false) as is_latest,
            (b.answers ->> 'is_latest')::boolean as is_said_latest,
            coalesce(b.answers ->> 'version_number' = 'along the parents', false) as is_numbered_along,
            b.artifact_id is not null as is_logged
        from artifacts as a
        left join backfill_log as b on a.id = b.artifact_id
        where
            a.artifact_type = 'model'
            and a.metadata_schema_version = 0
            and a.name is null
            and (artifact_ids is null or a.id = any(artifact_ids))
    ),

    -- Only rows with a parent or a child among them need the walk, and what is costly for a set of rows; most are chains of one.
    linked as materialized (
        select l.id, l.parent from legacy as l inner join legacy as p on l.parent = p.id
    ),

    walked as materialized (
        select c.*
        from _legacy_chains(
            (select array_agg(l.id order by l.id) from linked as l),
            (select array_agg(l.parent order by l.id) from linked as l)
        ) as c
    ),

    branches as materialized (
        select k.parent as id, count(*) as children, (array_agg(k.id order by k.id))[:5] as first_children
        from linked as k
        group by k.parent
    ),

    -- The walk was given rows below a root; the root itself stands one place above them.
    walked_rows as materialized (
        select
            l.*,
            coalesce(w.root_parent, l.id) as root,
            case when w.id is null then 1 else w.place + 1 end as place,
            coalesce(w.is_circular, false) as is_circular,
            coalesce(b.children, 0) as children,
            w.id is not null or b.id is not null as is_linked
        from legacy as l
        left join (
            select w.id, w.place, w.is_circular, case when w.is_circular then w.root else k.parent end as root_parent
            from walked as w
            inner join linked as k on w.root = k.id
        ) as w on l.id = w.id
        left join branches as b on l.id = b.id
    ),

    -- Who says which version is the latest says of the others that they are not.
    placed as materialized (
        select
            w.id, w.created_at, w.title, w.given_name, w.parent, w.number, w.is_numbered_along, w.is_logged, w.root, w.place, w.is_circular, w.children, w.is_linked,
            case when said.root is not null then coalesce(w.is_said_latest, false) else coalesce(w.is_said_latest, w.is_latest) end as is_latest
        from walked_rows as w
        left join (select distinct r.root from walked_rows as r where r.is_said_latest) as said on w.root = said.root
    ),

    chains as materialized (
        select
            p.root,
            1 as versions,
            coalesce(p.given_name, p.title) as title,
            p.given_name is not null as is_named,
            false as is_circular,
            false as is_forked,
            null as forked_at,
            p.is_latest::integer as latest_rows,
            array[p.id] as latest_ids,
            p.is_numbered_along,
            num_nonnulls(p.number) as numbered,
            coalesce((p.number = 1)::integer, 0) as numbered_in_order,
            array[p.number] as numbers,
            array[p.id] as first_ids,
            1 as length
        from placed as p
        where not p.is_linked
        union all
        select
            p.root,
            count(*),
            coalesce(
                max(p.given_name),
                case when min(p.title) = max(p.title) and count(p.title) = count(*) then min(p.title) end
            ),
            bool_or(p.given_name is not null),
            bool_or(p.is_circular),
            max(p.children) > 1,
            min(p.id) filter (where p.children > 1),
            count(*) filter (where p.is_latest),
            (array_agg(p.id order by p.place) filter (where p.is_latest))[:5],
            bool_or(p.is_numbered_along),
            count(p.number),
            count(*) filter (where p.number = p.place),
            (array_agg(p.number order by p.place))[:5],
            (array_agg(p.id order by p.place))[:5],
            max(p.place)
        from placed as p
        where p.is_linked
        group by p.root
    ),

    latest as materialized (
        select p.root, bool_or(p.is_latest and p.place = c.length) as last_is_latest
        from placed as p
        inner join chains as c on p.root = c.root
        where p.is_linked and c.versions > 1
        group by p.root
    ),

    titles as materialized (
        select t.title
        from (
            select c.title from chains as c where c.title is not null
            union all
            select b.chain_title
            from backfill_log as b
            where
                b.artifact_id = b.chain_root
                and b.chain_title is not null
                and not exists (select from legacy as l where l.id = b.artifact_id)
        ) as t
        group by t.title
        having count(*) > 1
    ),

    named as materialized (
        select
            c.*,
            case when c.title_is_name and t.title is null and r.name is null then c.title else c.root end as name,
            c.title_is_name and (t.title is not null or r.name is not null) as title_is_taken
        from (select k.*, k.title is not null and is_model_name(k.title) as title_is_name from chains as k offset 0) as c
        left join titles as t on c.title = t.title
        left join registered_models as r on c.title = r.name
    ),

    clashes as materialized (
        select n.name from named as n group by n.name having count(*) > 1
    ),

    asked as materialized (
        select
            n.root,
            n.title,
            n.name,
            n.versions,
            array_remove(array[
                case when n.is_circular then jsonb_build_object(
                    'field', 'parent_version_id', 'seen', jsonb_build_object('circle', to_jsonb(n.first_ids)), 'readings', '[]'::jsonb,
                    'why', 'the parents run in a circle: which of them was the first version?'
                ) end,
                case when n.is_forked then jsonb_build_object(
                    'field', 'parent_version_id',
                    'seen', (select jsonb_build_object('parent', b.id, 'children', to_jsonb(b.first_children)) from branches as b where b.id = n.forked_at),
                    'readings', '[]'::jsonb,
                    'why', 'one version has several successors: which of them goes on, and which is a model of its own?'
                ) end,
                case
                    when n.is_circular or n.is_forked then null
                    when n.latest_rows > 1 then jsonb_build_object(
                        'field', 'is_latest', 'seen', jsonb_build_object('is_latest', to_jsonb(n.latest_ids)), 'readings', to_jsonb(n.latest_ids),
                        'why', 'several versions are said to be the latest'
                    )
                    when n.latest_rows = 1 and n.versions > 1 and not l.last_is_latest then jsonb_build_object(
                        'field', 'is_latest', 'seen', jsonb_build_object('is_latest', to_jsonb(n.latest_ids)), 'readings', '[]'::jsonb,
                        'why', 'a version that has a successor is said to be the latest'
                    )
                end,
                case when not (n.is_circular or n.is_forked or n.is_numbered_along) and n.numbered > 0 and n.numbered_in_order < n.versions then jsonb_build_object(
                    'field', 'version_number', 'seen', jsonb_build_object('version_number', to_jsonb(n.numbers)),
                    'readings', '["along the parents"]'::jsonb,
                    'why', 'the numbers are not 1 to n along the chain of parents'
                ) end,
                case
                    when n.name = n.root and not is_model_name(n.name) then jsonb_build_object(
                        'field', 'name', 'seen', jsonb_build_object('title', left(n.title, 256), 'id', left(n.root, 256)), 'readings', '[]'::jsonb,
                        'why', 'neither the title nor the first version''s id can be the name of a model: 1 to 256 characters, no control characters'
                    )
                    when n.is_named and n.title_is_taken then jsonb_build_object(
                        'field', 'name', 'seen', jsonb_build_object('name', n.title), 'readings', '[]'::jsonb,
                        'why', 'another model has this name'
                    )
                    when clash.name is not null or (n.name = n.root and taken.name is not null) then jsonb_build_object(
                        'field', 'name', 'seen', jsonb_build_object('title', n.title, 'id', n.root), 'readings', '[]'::jsonb,
                        'why', 'another model has the id of this one as its name'
                    )
                end
            ], null) as questions
        from named as n
        left join latest as l on n.root = l.root
        left join registered_models as taken on n.name = taken.name
        left join clashes as clash on n.name = clash.name
    ),

    -- A parent among the legacy models is a model.
    strays as materialized (
        select
            p.id,
            p.root,
            jsonb_build_object(
                'field', 'parent_version_id', 'seen', jsonb_build_object('parent_version_id', left(p.parent, 256)),
                'readings', jsonb_build_array(null),
                'why', case when m.id is null then 'the parent does not exist' else 'the parent is no model but a ' || m.artifact_type end
            ) as question
        from placed as p
        left join artifacts as m on p.parent = m.id
        where
            p.parent is not null
            and not exists (select from linked as k where k.id = p.id)
            and m.artifact_type is distinct from 'model'
    ),

    planned as materialized (
        select
            p.id,
            p.created_at,
            p.root,
            p.place,
            p.is_logged,
            k.title,
            -- One question about any row of a chain leaves the whole chain without its name.
            case when k.questions = '{}' and astray.root is null then k.name end as name,
            case
                when k.questions = '{}' and astray.root is null then '[]'
                when k.questions = '{}' and s.id is null then jsonb_build_array(jsonb_build_object(
                    'field', 'parent_version_id', 'seen', jsonb_build_object('chain', p.root), 'readings', '[]'::jsonb,
                    'why', 'another version of the same chain has an open question'
                ))
                when s.id is null then to_jsonb(k.questions)
                else to_jsonb(k.questions || s.question)
            end as questions
        from placed as p
        inner join asked as k on p.root = k.root
        left join strays as s on p.id = s.id
        left join (select distinct r.root from strays as r) as astray on p.root = astray.root
    ),

    -- Two statements: an INSERT with ON CONFLICT would hold memory for every row.
    inserted as (
        insert into backfill_log (artifact_id, chain_root, chain_place, chain_title, model_name, chain_questions)
        select p.id, p.root, p.place, p.title, p.name, p.questions
        from planned as p
        where not p.is_logged
        order by p.created_at, p.id
        returning 1
    ),

    updated as (
        update backfill_log as b
        set
            outcome = 'planned',
            chain_root = p.root,
            chain_place = p.place,
            chain_title = p.title,
            model_name = p.name,
            chain_questions = p.questions,
            blocked = null
        from planned as p
        where
            p.is_logged
            and b.artifact_id = p.id
            and (
                b.outcome <> 'planned' and b.rules_digest is distinct from v_rules_digest
                or b.blocked is null
                and (b.chain_root, b.chain_place, b.chain_title, b.model_name, b.chain_questions)
                is distinct from
                (p.root, p.place, p.title, p.name, p.questions)
            )
        returning 1
    ),

    written as (
        select 1 from inserted
        union all
        select 1 from updated
    )

    select count(*) into v_planned from written;

    -- What has its place already waits for answers only, or for other rules.
    update backfill_log as b
    set outcome = 'planned'
    where
        b.outcome = 'queued'
        and b.is_placed
        and (artifact_ids is null or b.artifact_id = any(artifact_ids))
        and b.rules_digest is distinct from v_rules_digest;
    return v_planned;
end
$function$;

comment on function _plan_backfill(text[]) is
$$Writes into backfill_log, for the legacy models that have no name yet (all of them, or those given), their chain, place, name and what
cannot be told about it. Rows whose plan is as before are left alone. Returns how many were written.$$;
