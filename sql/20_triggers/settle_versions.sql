-- Settles what one INSERT brought, once for each name: numbers must follow on, the counter moves, the last is the latest. It looks at
-- every row, whatever the row trigger was told.
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
    v_rows integer;
    v_name text;
    v_has_one_name boolean;
    v_first_number integer;
    v_last_number integer;
    v_latest_number integer;
    v_latest_rows integer;
    v_counted integer;
    v_names integer;
    v_out_of_turn text;
    v_flags_differ boolean;
    v_has_odd_rows boolean;
    v_column text;
begin
    -- Nearly every statement brings versions of one name, so the set is looked at as if it did.
    select
        count(*),
        min(n.name),
        min(n.name) = max(n.name),
        min(n.version_number),
        max(n.version_number),
        max(n.version_number) filter (where n.is_latest),
        count(*) filter (where n.is_latest),
        bool_or(
            n.metadata_schema_version = 0
            or n.superseded_by is not null
            or n.created_at is null
            or n.updated_at is null
            -- Nearly every id is one that was made up, and those are well formed.
            or char_length(n.id) <> 42
            or n.id !~ '^model-[0-9a-f-]+$'
        )
    into v_rows, v_name, v_has_one_name, v_first_number, v_last_number, v_latest_number, v_latest_rows, v_has_odd_rows
    from new_rows as n
    where n.artifact_type = 'model';

    if v_rows = 0 then
        return null;
    end if;

    -- What place_version() has seen to already, unless it was told not to look.
    if v_has_odd_rows then
        select p.odd
        into v_column
        from (
            select
                case
                    when n.metadata_schema_version = 0 then 'metadata_schema_version'
                    when n.superseded_by is not null then 'superseded_by'
                    when n.created_at is null then 'created_at'
                    when n.updated_at is null then 'updated_at'
                    when _is_artifact_id(n.id) is not true then 'id'
                end as odd
            from new_rows as n
            where n.artifact_type = 'model'
        ) as p
        where p.odd is not null
        limit 1;
        if v_column is not null then
            raise exception 'a new model cannot have this %', v_column using
                errcode = 'MR005',
                detail = format('/%s: is not what a new version starts with', v_column),
                hint = 'Leave it out: the database fills it.',
                schema = tg_table_schema, table = tg_table_name, column = v_column;
        end if;
    end if;

    -- As many distinct numbers as rows (the unique index sees to that) between counter + 1 and counter + rows.
    if v_has_one_name then
        v_names := 1;
        update registered_models as r
        set last_version = v_last_number
        where r.name = v_name and r.last_version = v_first_number - 1 and r.last_version = v_last_number - v_rows;
        get diagnostics v_counted = row_count;
        v_flags_differ := v_latest_rows <> 1 or v_latest_number <> v_last_number;
    else
        update registered_models as r
        set last_version = p.last_number
        from (
            select n.name, min(n.version_number) as first_number, max(n.version_number) as last_number, count(*) as versions
            from new_rows as n
            where n.artifact_type = 'model'
            group by n.name
        ) as p
        where
            r.name = p.name
            and p.first_number = r.last_version + 1
            and p.last_number = r.last_version + p.versions;
        get diagnostics v_counted = row_count;

        select count(*), bool_or(p.latest_rows <> 1 or p.latest_number <> p.last_number)
        into v_names, v_flags_differ
        from (
            select
                max(n.version_number) as last_number,
                max(n.version_number) filter (where n.is_latest) as latest_number,
                count(*) filter (where n.is_latest) as latest_rows
            from new_rows as n
            where n.artifact_type = 'model'
            group by n.name
        ) as p;
    end if;

    if v_counted < v_names then
        select string_agg(format('/version_number: the next one of %s is not %s', p.name, p.first_number), e'\n' order by p.name)
        into v_out_of_turn
        from (
            select n.name, min(n.version_number) as first_number, max(n.version_number) as last_number
            from new_rows as n
            where n.artifact_type = 'model'
            group by n.name
        ) as p
        left join registered_models as r on p.name = r.name
        where r.last_version is distinct from p.last_number;
        raise exception 'a version number was given out of turn' using
            errcode = 'MR006',
            detail = coalesce(v_out_of_turn, '/version_number: not the next one of its name'),
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
$$Trigger function of artifacts_50_settle_versions: MR006 when a given version_number is not the next of its name, MR005
for what no new version may have; moves registered_models.last_version and is_latest, each once for a name and statement.$$;
