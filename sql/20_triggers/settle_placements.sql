-- A legacy model that is given its name takes its place among the versions of it: the same as settle_versions(), and the same as
-- check_parents(), for rows that stood in the table before.
create or replace function settle_placements()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $function$
declare
    -- These run parallel to each other: a condition on the transition tables would be evaluated row by row against a long list.
    v_ids text[];
    v_names text[];
    v_numbers integer[];
    v_parents text[];
    v_problem text;
begin
    -- Nearly every statement ends here. A join of both tables, planned for one row, would take the square of many.
    if not exists (select from old_rows as o where o.name is null and o.artifact_type = 'model') then
        return null;
    end if;

    select array_agg(n.id), array_agg(n.name), array_agg(n.version_number), array_agg(n.parent_version_id)
    into v_ids, v_names, v_numbers, v_parents
    from new_rows as n
    inner join old_rows as o on n.id = o.id
    where n.artifact_type = 'model' and o.name is null and n.name is not null;
    if v_ids is null then
        return null;
    end if;

    insert into registered_models (name)
    select distinct n.name
    from unnest(v_names) as n (name)
    -- By index for each name, here and below: a join planned while the table was empty would read it whole ever after.
    left join lateral (select true as is_there from registered_models as r where r.name = n.name limit 1) as r on true
    where r.is_there is null
    order by n.name
    on conflict (name) do nothing;

    -- Locked, so that each stays in its place for the next statement.
    perform
    from (select n.name from unnest(v_names) as n (name) group by n.name order by n.name) as n
    cross join lateral (select from registered_models as r where r.name = n.name for no key update) as r;

    with placed as materialized (
        select n.name, min(n.version_number) as first_number, max(n.version_number) as last_number, count(*) as versions
        from unnest(v_names, v_numbers) as n (name, version_number)
        group by n.name
    ),

    counted as (
        update registered_models as r
        set last_version = p.last_number
        from placed as p
        cross join lateral (select c.ctid from registered_models as c where c.name = p.name limit 1) as c
        where
            r.ctid = c.ctid
            and p.first_number = r.last_version + 1
            and p.last_number = r.last_version + p.versions
        returning r.name
    )

    select string_agg(format('/version_number: the next one of %s is not %s', p.name, coalesce(p.first_number::text, 'NULL')), e'\n' order by p.name)
    into v_problem
    from placed as p
    where p.name not in (select c.name from counted as c);
    if v_problem is not null then
        raise exception 'a version number was given out of turn' using
            errcode = 'MR006',
            detail = v_problem,
            hint = 'Number the versions of a name from the last one on, without gaps, in one statement.',
            schema = tg_table_schema, table = tg_table_name, column = 'version_number';
    end if;

    select string_agg(format('/is_latest: %s is the highest version of %s', p.last_number, p.name), e'\n' order by p.name)
    into v_problem
    from (
        select n.name, max(n.version_number) as last_number
        from unnest(v_names, v_numbers) as n (name, version_number)
        group by n.name
    ) as p
    left join lateral (
        select a.is_latest from artifacts as a where a.name = p.name and a.version_number = p.last_number limit 1
    ) as a on true
    where a.is_latest is not true;
    if v_problem is not null then
        raise exception 'is_latest of a model is kept by the database' using
            errcode = 'MR005',
            detail = v_problem,
            hint = 'Give the flag to the highest version, and to no other.',
            schema = tg_table_schema, table = tg_table_name, column = 'is_latest';
    end if;

    select string_agg(
        format('/parent_version_id: %s, the parent of %s, %s', n.parent_id, n.id, case when p.id is null then 'is not there' else 'is a ' || p.artifact_type end),
        e'\n' order by n.id
    )
    into v_problem
    from unnest(v_ids, v_parents) as n (id, parent_id)
    left join lateral (select * from artifacts as c where c.id = n.parent_id limit 1) as p on true
    where n.parent_id is not null and p.artifact_type is distinct from 'model';
    if v_problem is null then
        v_problem := '/parent_version_id: ' || nullif(array_to_string(_lineage_cycles(array(
            -- A circle leaves each of its versions by a parent or a base.
            select n.id
            from unnest(v_ids, v_parents) as n (id, parent_id)
            left join lateral (select * from model_versions as w where w.artifact_id = n.id limit 1) as v on true
            where n.parent_id is not null or v.base_model_id is not null
        )), ', '), '')
            || ' would be made from each other in a circle';
    end if;
    if v_problem is not null then
        raise exception 'the lineage of a legacy model must be put right first' using
            errcode = 'MR007',
            detail = v_problem,
            hint = 'Set parent_version_id in the same statement: to the version it was made from, or NULL.',
            schema = tg_table_schema, table = tg_table_name, column = 'parent_version_id';
    end if;
    return null;
end
$function$;

comment on function settle_placements() is
$$Trigger function of artifacts_52_settle_placements, for legacy models that are given a name: MR006 when their numbers do not follow on,
MR005 when the highest is not the latest, MR007 when a parent is no model or lineage would be cyclic. Moves registered_models.last_version.$$;
