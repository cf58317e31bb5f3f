-- A legacy model that is given its name takes its place among the versions of it: the same as settle_versions(), and the same as
-- check_parents(), for rows that stood in the table before.
create or replace function settle_placements()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
set plan_cache_mode = force_generic_plan
as $function$
declare
    v_ids text[];
    v_problem text;
begin
    select array_agg(n.id)
    into v_ids
    from new_rows as n
    inner join old_rows as o on n.id = o.id
    where n.artifact_type = 'model' and o.name is null and n.name is not null;
    if v_ids is null then
        return null;
    end if;

    insert into registered_models (name)
    select distinct n.name
    from new_rows as n
    where n.id = any(v_ids)
    order by n.name
    on conflict (name) do nothing;

    with placed as (
        select n.name, min(n.version_number) as first_number, max(n.version_number) as last_number, count(*) as versions
        from new_rows as n
        where n.id = any(v_ids)
        group by n.name
    ),

    counted as (
        update registered_models as r
        set last_version = p.last_number
        from placed as p
        where
            r.name = p.name
            and p.first_number = r.last_version + 1
            and p.last_number = r.last_version + p.versions
        returning r.name
    )

    select string_agg(format('/version_number: the next one of %s is not %s', p.name, coalesce(p.first_number::text, 'NULL')), e'\n' order by p.name)
    into v_problem
    from placed as p
    where not exists (select from counted as c where c.name = p.name);
    if v_problem is not null then
        raise exception 'a version number was given out of turn' using
            errcode = 'MR006',
            detail = v_problem,
            hint = 'Number the versions of a name from the last one on, without gaps, in one statement.',
            schema = tg_table_schema, table = tg_table_name, column = 'version_number';
    end if;

    select string_agg(format('/is_latest: %s is the highest version of %s', r.last_version, r.name), e'\n' order by r.name)
    into v_problem
    from registered_models as r
    where
        r.name in (select n.name from new_rows as n where n.id = any(v_ids))
        and not exists (
            select from artifacts as a where a.name = r.name and a.version_number = r.last_version and a.is_latest
        );
    if v_problem is not null then
        raise exception 'is_latest of a model is kept by the database' using
            errcode = 'MR005',
            detail = v_problem,
            hint = 'Give the flag to the highest version, and to no other.',
            schema = tg_table_schema, table = tg_table_name, column = 'is_latest';
    end if;

    select string_agg(
        format('/parent_version_id: %s, the parent of %s, %s', n.parent_version_id, n.id, case when p.id is null then 'is not there' else 'is a ' || p.artifact_type end),
        e'\n' order by n.id
    )
    into v_problem
    from new_rows as n
    left join artifacts as p on n.parent_version_id = p.id
    where n.id = any(v_ids) and n.parent_version_id is not null and p.artifact_type is distinct from 'model';
    if v_problem is null then
        v_problem := '/parent_version_id: ' || nullif(array_to_string(_lineage_cycles(v_ids), ', '), '')
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
