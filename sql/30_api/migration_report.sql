-- What the backfill did, for people to read: every artifact's old and new state, each change with its rule, each open question.
create or replace function migration_report(max_artifacts integer default 1000)
returns text
language plpgsql stable called on null input parallel safe security definer
set search_path from current
as $function$
declare
    v_counts record;
    v_report text;
    v_left bigint;
begin
    select
        count(*) as artifacts,
        count(*) filter (where a.artifact_type = 'model') as models,
        count(*) filter (where a.artifact_type <> 'model') as others,
        count(*) filter (where b.outcome = 'backfilled') as backfilled,
        count(*) filter (where b.outcome = 'queued') as queued,
        count(*) filter (where a.metadata_schema_version = 0) as legacy,
        count(*) filter (where a.metadata_schema_version = 0 and (b.outcome is null or b.outcome = 'planned')) as ahead,
        count(*) filter (where a.metadata_schema_version > 0 and b.artifact_id is null) as registered,
        count(v.artifact_id) as versions,
        count(*) filter (where v.promotion_state = 'promoted') as promoted,
        count(*) filter (where v.promotion_state = 'candidate') as candidates,
        count(*) filter (where v.promotion_state = 'superseded') as superseded,
        count(*) filter (where v.promotion_state = 'rejected') as rejected
    into v_counts
    from artifacts as a
    left join backfill_log as b on a.id = b.artifact_id
    left join model_versions as v on a.id = v.artifact_id;

    v_report := format(
        $md$# Migration report

What became of the artifacts that stood in the table before it was taken over.

| | count |
|---|---:|
| artifacts | %s |
| models | %s |
| … backfilled | %s |
| … waiting for a person | %s |
| … not looked at yet | %s |
| … registered since | %s |
| other artifacts, untouched | %s |
| original rows kept in `artifacts_original` | %s |
| rows in `model_versions` | %s |
| … promoted | %s |
| … candidate | %s |
| … superseded | %s |
| … rejected | %s |
| open questions | %s |
$md$,
        v_counts.artifacts, v_counts.models, v_counts.backfilled, v_counts.queued, v_counts.ahead, v_counts.registered, v_counts.others,
        (select count(*) from artifacts_original), v_counts.versions, v_counts.promoted, v_counts.candidates, v_counts.superseded,
        v_counts.rejected,
        (select coalesce(sum(jsonb_array_length(b.questions)), 0) from backfill_log as b where b.outcome = 'queued')
    );

    v_report := v_report || coalesce(e'\n## Rules\n\n| rule | changes |\n|---|---:|\n' || (
        select string_agg(format(e'| %s | %s |\n', _markdown_cell(r.rule), r.changes), '' order by r.changes desc, r.rule)
        from (
            select c ->> 'rule' as rule, count(*) as changes
            from backfill_log as b
            cross join lateral jsonb_array_elements(b.chain_changes || case b.outcome when 'backfilled' then b.changes else '[]' end) as c
            group by c ->> 'rule'
        ) as r
    ), '');

    v_report := v_report || coalesce(e'\n## Questions\n\n| field | why | rows |\n|---|---|---:|\n' || (
        select string_agg(format(e'| %s | %s | %s |\n', _markdown_cell(q.field), _markdown_cell(q.why), q.rows), '' order by q.rows desc, q.field, q.why)
        from (
            select c ->> 'field' as field, c ->> 'why' as why, count(*) as rows
            from backfill_log as b
            cross join lateral jsonb_array_elements(b.questions) as c
            where b.outcome = 'queued'
            group by 1, 2
            order by 3 desc, 1, 2
            limit 100
        ) as q
    ), '');

    v_report := v_report || coalesce(e'\n## Artifacts\n' || (
        select string_agg(_report_of_artifact(l.artifact_id), '' order by l.chain_root, l.chain_place, l.artifact_id)
        from (
            select b.artifact_id, b.chain_root, b.chain_place
            from backfill_log as b
            order by b.chain_root, b.chain_place, b.artifact_id
            limit max_artifacts
        ) as l
    ), '');
    v_left := greatest((select count(*) from backfill_log) - max_artifacts, 0);
    if v_left > 0 then
        v_report := v_report || format(e'\n… and %s more: `migration_report(max_artifacts => …)`, or the table `backfill_log`.\n', v_left);
    end if;
    return v_report;
end
$function$;

comment on function migration_report(integer) is
$$What the backfill did, as Markdown: counts, which rule made how many changes, which questions are open, and for at most max_artifacts
legacy models (all of them when NULL) the old and the new state side by side.$$;
