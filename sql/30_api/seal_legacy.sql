-- Ends the time of legacy rows: from then on no model can be without validated metadata.
create or replace function seal_legacy()
returns boolean
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_left bigint;
    v_lines text;
begin
    if exists (select from pg_constraint as k where k.conrelid = 'artifacts'::regclass and k.conname = 'artifacts_legacy_sealed') then
        return false;
    end if;
    lock table artifacts in share row exclusive mode;
    select count(*) into v_left from artifacts as a where a.metadata_schema_version = 0;
    if v_left > 0 then
        select string_agg(
            format(
                '/%s: %s',
                -- A JSON pointer on one line, whatever the id is.
                btrim(to_json(replace(replace(left(l.id, 256), '~', '~0'), '/', '~1'))::text, '"'),
                case l.questions when 0 then 'not backfilled yet' when 1 then '1 open question' else l.questions || ' open questions' end
            ),
            e'\n' order by l.id
        )
        into v_lines
        from (
            select a.id, coalesce(jsonb_array_length(b.questions), 0) as questions
            from artifacts as a
            left join backfill_log as b on a.id = b.artifact_id
            where a.metadata_schema_version = 0
            order by a.id
            limit 100
        ) as l;
        raise exception 'legacy models are left: %', v_left using
            errcode = 'MR010',
            detail = v_lines || case when v_left > 100 then format(e'\n: and %s more', v_left - 100) else '' end,
            hint = 'Backfill them (call backfill_model_versions()) and settle what waits in backfill_reviews.',
            schema = current_schema(), table = 'artifacts', column = 'metadata_schema_version';
    end if;
    alter table artifacts add constraint artifacts_legacy_sealed check (metadata_schema_version <> 0);
    return true;
end
$function$;

comment on function seal_legacy() is
$$Adds the constraint that makes metadata_schema_version 0 impossible. Returns true when it was added, false when it stood already.
MR010, listing the rows (at most 100), while any legacy model is left.$$;
