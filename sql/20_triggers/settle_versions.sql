-- Settles what one INSERT brought, once for each name: numbers must follow on, the counter moves, the last is the latest.
create or replace function settle_versions()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_out_of_turn text;
    v_flags_differ boolean;
begin
    -- One pass: as many distinct numbers as rows (the unique index sees to that) between counter + 1 and counter + rows.
    with placed as (
        select
            n.name,
            min(n.version_number) as first_number,
            max(n.version_number) as last_number,
            count(*) as versions,
            max(n.version_number) filter (where n.is_latest) as latest_number,
            count(*) filter (where n.is_latest) as latest_rows
        from new_rows as n
        where n.artifact_type = 'model'
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

    select
        string_agg(format('/version_number: the next one of %s is not %s', p.name, p.first_number), e'\n' order by p.name)
            filter (where c.name is null),
        bool_or(p.latest_rows <> 1 or p.latest_number <> p.last_number)
    into v_out_of_turn, v_flags_differ
    from placed as p
    left join counted as c on p.name = c.name;

    if v_out_of_turn is not null then
        raise exception 'a version number was given out of turn' using
            errcode = 'MR006',
            detail = v_out_of_turn,
            hint = 'Leave version_number out: the next one is allotted.',
            schema = tg_table_schema, table = tg_table_name, column = 'version_number';
    end if;

    if v_flags_differ then
        update artifacts as a
        set is_latest = false
        from (select n.name from new_rows as n where n.artifact_type = 'model' group by n.name) as p
        inner join registered_models as r on p.name = r.name
        where a.name = p.name and a.is_latest and a.version_number <> r.last_version;

        update artifacts as a
        set is_latest = true
        from (select n.name from new_rows as n where n.artifact_type = 'model' group by n.name) as p
        inner join registered_models as r on p.name = r.name
        where a.name = p.name and not a.is_latest and a.version_number = r.last_version;
    end if;
    return null;
end
$function$;

comment on function settle_versions() is
$$Trigger function of artifacts_50_settle_versions: MR006 when a given version_number is not the next of its name;
moves registered_models.last_version and is_latest, each once for a name and statement.$$;
