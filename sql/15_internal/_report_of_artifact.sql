-- One legacy model in the migration report.
create or replace function _report_of_artifact(artifact_id text)
returns text
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_row record;
    v_text text;
begin
    select
        a.id, a.title, a.name, a.version_number, a.metadata_schema_version, a.metadata,
        b.outcome, b.was, b.became, b.chain_changes || b.changes as changes, b.questions, b.notes,
        v.promotion_state, v.promotion_notes, v.code_repo_url, v.code_commit_sha,
        o.row_text::json as original
    into v_row
    from backfill_log as b
    inner join artifacts as a on b.artifact_id = a.id
    left join model_versions as v on b.artifact_id = v.artifact_id
    left join artifacts_original as o on b.artifact_id = o.id
    where b.artifact_id = _report_of_artifact.artifact_id;

    v_text := format(
        e'\n### %s\n\n%s, %s\n\n| | before | after |\n|---|---|---|\n',
        _markdown_cell(v_row.id),
        coalesce(nullif(_markdown_cell(v_row.title), ''), '(no title)'),
        case v_row.outcome when 'backfilled' then 'backfilled' when 'queued' then '**waits for a person**' else 'not settled yet' end
    ) || format(
        e'| name, version | %s | %s |\n| state | %s | %s |\n| schema version | 0 | %s |\n',
        _markdown_cell(format('number %s', coalesce(v_row.original ->> 'version_number', '—'))),
        _markdown_cell(coalesce(v_row.name || ', ' || v_row.version_number, '—')),
        _markdown_cell(coalesce(v_row.original ->> 'lifecycle_state', v_row.was ->> 'lifecycle_state', '—')),
        _markdown_cell(coalesce(v_row.promotion_state, '—') || coalesce(' (' || v_row.promotion_notes || ')', '')),
        v_row.metadata_schema_version
    ) || coalesce((
        select string_agg(
            format(e'| %s | %s | %s |\n', _markdown_cell(k.key), _markdown_cell(k.was), _markdown_cell(k.became)), '' order by k.key
        )
        from (
            select key, w.value::text as was, n.value::text as became
            from jsonb_each(case when jsonb_typeof(v_row.was -> 'metadata') = 'object' then v_row.was -> 'metadata' end) as w (key, value)
            full join jsonb_each(
                case when v_row.outcome = 'backfilled' then v_row.became -> 'metadata' when jsonb_typeof(v_row.metadata) = 'object' then v_row.metadata end
            ) as n (key, value) using (key)
        ) as k
    ), '');
    if v_row.changes <> '[]' and v_row.name is not null then
        v_text := v_text || e'\nChanges, each by its rule:\n\n' || (
            select string_agg(
                format(
                    e'- %s: %s%s%s\n', _markdown_cell(c ->> 'rule'), _markdown_cell(nullif(c ->> 'from', '')),
                    coalesce(' → ' || nullif(_markdown_cell(c ->> 'to'), c ->> 'from'), ''),
                    -- What only moved has neither.
                    case when c ? 'was' then format(', %s → %s', _markdown_cell((c -> 'was')::text), _markdown_cell((c -> 'now')::text)) end
                ),
                '' order by c.ordinality
            )
            from jsonb_array_elements(v_row.changes) with ordinality as c (c, ordinality)
        );
    end if;
    if v_row.outcome = 'queued' then
        v_text := v_text || e'\nOpen questions:\n\n' || (
            select string_agg(
                format(
                    e'- **%s**: %s. Seen: %s. Could be: %s.\n', _markdown_cell(q ->> 'field'), _markdown_cell(q ->> 'why'),
                    _markdown_cell((q -> 'seen')::text),
                    coalesce(nullif(_markdown_cell((select string_agg(r::text, ' or ') from jsonb_array_elements(q -> 'readings') as r)), ''), '—')
                ),
                '' order by q.ordinality
            )
            from jsonb_array_elements(v_row.questions) with ordinality as q (q, ordinality)
        );
    end if;
    if v_row.notes is not null then
        v_text := v_text || e'\nNotes: ' || _markdown_cell(v_row.notes) || e'\n';
    end if;
    return v_text;
end
$function$;

comment on function _report_of_artifact(text) is
$$The section of migration_report() on one legacy model, as Markdown.$$;
