-- A model version's card: what the registry knows of it, for people and for programs that read Hugging Face model cards.
create or replace function model_card(artifact_id text)
returns text
language plpgsql stable called on null input parallel safe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_row record;
    v_metadata jsonb;
    -- The fields that are texts: those of a legacy row need not be.
    v_said jsonb;
    v_training_data text[];
    v_evaluation_dataset text[];
    v_declared jsonb;
    v_measured record;
    v_metrics text[];
    v_task text;
    v_name text;
    v_results text := '';
    v_card text;
    v_unknown text[];
begin
    select
        a.id, a.name, a.version_number, a.is_latest, a.title, a.parent_version_id, a.superseded_by, a.version_tag, a.changelog,
        a.origin_type, a.origin_url, a.created_by, a.created_at, a.metadata_schema_version > 0 as is_validated, a.metadata, a.lifecycle_state,
        v.promotion_state, v.promotion_notes, v.code_repo_url, v.code_commit_sha, v.code_entrypoint, v.training_started_at,
        v.training_completed_at, v.external_source_url, v.external_source_version, v.base_model_id, v.trained_by, v.gpu_allocation_id, v.training_params_json, v.eval_metrics_json, v.eval_dataset_artifact_id,
        b.outcome, jsonb_array_length(b.questions) as questions
    into v_row
    from artifacts as a
    left join model_versions as v on a.id = v.artifact_id
    left join backfill_log as b on a.id = b.artifact_id
    where a.id = model_card.artifact_id and a.artifact_type = 'model';
    if not found then
        raise exception 'there is no model version %', model_card.artifact_id using
            errcode = 'no_data_found',
            detail = format('/artifact_id: %L names no model version', model_card.artifact_id),
            hint = 'select artifact_id, name, version_number from models lists the versions.';
    end if;

    v_metadata := case jsonb_typeof(v_row.metadata) when 'object' then v_row.metadata else '{}' end;
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') into v_said
    from jsonb_each(v_metadata) as f
    where jsonb_typeof(f.value) = 'string' and f.value #>> '{}' ~ $re$[^ \t\n\r]$re$;
    v_training_data := _texts(v_metadata -> 'training_data');
    v_evaluation_dataset := _texts(v_metadata -> 'evaluation_dataset');
    select coalesce(jsonb_object_agg(m.key, m.value), '{}') into v_declared
    from jsonb_each(case jsonb_typeof(v_metadata -> 'evaluation_metrics') when 'object' then v_metadata -> 'evaluation_metrics' else '{}' end) as m
    where jsonb_typeof(m.value) = 'number';
    -- What was measured last; until something is, model_versions repeats what is declared.
    select
        coalesce(e.metrics, m.metrics) as metrics,
        coalesce(e.eval_dataset_artifact_id, case when e.metrics is null then v_row.eval_dataset_artifact_id end) as dataset_id,
        e.benchmark_id, e.evaluated_at, e.evaluated_by, e.metrics is not null as is_recorded
    into v_measured
    from (
        select nullif(jsonb_object_agg(m.key, m.value) filter (where jsonb_typeof(m.value) = 'number'), v_declared) as metrics
        from jsonb_each(case jsonb_typeof(v_row.eval_metrics_json) when 'object' then v_row.eval_metrics_json end) as m
    ) as m
    left join lateral (
        select e.metrics, e.eval_dataset_artifact_id, e.benchmark_id, e.evaluated_at, e.evaluated_by
        from model_evaluations as e
        where e.artifact_id = model_card.artifact_id
        order by e.evaluated_at desc, e.evaluation_id desc
        limit 1
    ) as e on true;
    v_metrics := array(
        select k.name collate "C"
        from jsonb_object_keys(v_declared || coalesce(v_measured.metrics, '{}')) as k (name)
        order by k.name collate "C"
    );
    -- The Hub writes a task as words in lower case, joined by hyphens.
    v_task := lower(regexp_replace(v_said ->> 'task', '[ _]+', '-', 'g') collate "C");
    v_task := case when v_task ~ '^[a-z0-9]+(-[a-z0-9]+)*$' then v_task end;
    v_name := coalesce(v_row.name, v_row.id);

    -- One result for what was measured last and one for what is declared, each with its dataset.
    if v_said ? 'task' then
        select coalesce(string_agg(
            format(e'  - task:\n      type: %s\n', coalesce(v_task, _yaml(v_said ->> 'task')))
            || case when v_task is distinct from v_said ->> 'task' then format(e'      name: %s\n', _yaml(v_said ->> 'task')) else '' end
            || format(e'    dataset:\n      type: %s\n      name: %s\n    metrics:\n', _yaml(r.dataset), _yaml(r.dataset_name))
            || (
                select string_agg(format(e'    - type: %s\n      value: %s\n', _yaml(m.key), m.value), '' order by m.key collate "C")
                from jsonb_each(r.metrics) as m
            ),
            '' order by r.nth
        ), '')
        into v_results
        from (
            select
                1 as nth, a.id as dataset, case when btrim(a.title) <> '' then a.title else a.id end as dataset_name,
                coalesce(v_measured.metrics, v_declared) as metrics
            from artifacts as a
            where a.id = v_measured.dataset_id
            union all
            select 2, v_evaluation_dataset[1], v_evaluation_dataset[1], v_declared
            where
                -- Of several datasets nobody knows which one a metric is of.
                cardinality(v_evaluation_dataset) = 1
                and (v_measured.dataset_id is null or v_measured.metrics is not null)
        ) as r
        where r.metrics <> '{}';
    end if;

    v_card := concat(
        e'---\n',
        _hub_license(v_said ->> 'license'),
        (
            select format(
                e'base_model: %s\n',
                -- Where it is one of the Hub's, the Hub's name says more.
                _yaml(coalesce(
                    substring(v.external_source_url from $re$^https://huggingface\.co/([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(?:/(?:tree|commit)/[A-Za-z0-9._/-]+)?/?$re$ || '$'),
                    a.name, a.id
                ))
            )
            from artifacts as a
            left join model_versions as v on a.id = v.artifact_id
            where a.id = v_said ->> 'base_model_id'
        ),
        (
            select e'datasets:\n' || string_agg(format(e'- %s\n', _yaml(d.name)), '' order by d.nth)
            from unnest(v_training_data) with ordinality as d (name, nth)
            where d.name ~ $re$[^ \t\n\r]$re$
        ),
        (
            select e'metrics:\n' || string_agg(format(e'- %s\n', _yaml(m.name)), '' order by m.nth)
            from unnest(v_metrics) with ordinality as m (name, nth)
        ),
        (
            select e'tags:\n' || string_agg(format(e'- %s\n', _yaml(t.tag)), '' order by t.nth)
            from (
                select k.tag, min(k.nth) as nth
                from (
                    values
                    (1, v_said ->> 'model_family'),
                    (2, v_said ->> 'framework'),
                    (3, coalesce(v_task, v_said ->> 'task')),
                    (4, case v_metadata -> 'is_external' when 'true' then 'external' when 'false' then 'internal' end)
                ) as k (nth, tag)
                where k.tag is not null
                group by k.tag
            ) as t
        ),
        'pipeline_tag: ' || v_task || e'\n',
        e'model-index:\n- name: ' || _yaml(v_name) || e'\n  results:\n' || nullif(v_results, ''),
        e'---\n'
    );
    -- A version without anything to say in front matter has none: an empty one is no mapping.
    v_card := case v_card when e'---\n---\n' then '' else v_card || e'\n' end;

    v_card := v_card || concat(
        '# ', coalesce(nullif(_markdown(v_row.title), ''), _markdown(v_name)), e'\n\n',
        case
            when v_row.is_validated then ''
            when v_row.questions > 0
                then format(
                    e'**A legacy model that waits for review**: %s open %s. What stands below is what its row says; none of it was validated.\n\n',
                    v_row.questions, case v_row.questions when 1 then 'question' else 'questions' end
                )
            else e'**A legacy model that waits for the backfill.** What stands below is what its row says; none of it was validated.\n\n'
        end,
        _card_list(
            'Model', coalesce(_markdown(v_row.name) || ', ', '') || 'version ' || v_row.version_number
                || case when v_row.is_latest then ' (the latest)' else '' end,
            'Artifact id', _markdown(v_row.id),
            'Version tag', _markdown(v_row.version_tag),
            'Origin', case v_metadata -> 'is_external'
                when 'true' then 'external (taken over from elsewhere)'
                when 'false' then 'internal (trained here)'
            end,
            'State', v_row.promotion_state || coalesce(' (' || nullif(_markdown(v_row.promotion_notes), '') || ')', ''),
            'Lifecycle state', _markdown(v_row.lifecycle_state),
            'Model family', _markdown(v_said ->> 'model_family'),
            'Framework', _markdown(v_said ->> 'framework'),
            'Parameters', case jsonb_typeof(v_metadata -> 'parameter_count')
                when 'number' then case
                    when v_row.is_validated
                        then to_char((v_metadata ->> 'parameter_count')::numeric, 'FM9,999,999,999,999,999,990')
                    else v_metadata ->> 'parameter_count'
                end
            end,
            'Task', _markdown(v_said ->> 'task'),
            'Licence', _markdown(v_said ->> 'license'),
            'Registered', _utc(v_row.created_at) || coalesce(', said to be by ' || nullif(_markdown(v_row.created_by), ''), '')
        ),
        e'\n## Description\n\n' || _markdown(v_said ->> 'description', keeps_lines => true) || e'\n',
        e'\n## Provenance\n\n' || nullif(_card_list(
            'Source', _card_address(coalesce(v_row.external_source_url, v_said ->> 'external_source_url')),
            'Version at the source', _markdown(coalesce(v_row.external_source_version, v_said ->> 'external_source_version')),
            'Code', _card_address(v_row.code_repo_url),
            'Commit', v_row.code_commit_sha,
            'Entry point', _markdown(v_row.code_entrypoint),
            'Base model', _card_reference(v_row.base_model_id),
            'Made from', _card_reference(v_row.parent_version_id),
            'Superseded by', _card_reference(v_row.superseded_by),
            'Changes', _markdown(v_row.changelog),
            'Training data', (
                select string_agg(_markdown(d.name), '; ' order by d.nth) from unnest(v_training_data) with ordinality as d (name, nth)
            ),
            'Trained by', _markdown(v_row.trained_by),
            'Training began', _utc(v_row.training_started_at),
            'Training ended', _utc(v_row.training_completed_at),
            'GPU allocation', _markdown(v_row.gpu_allocation_id),
            'Origin type', _markdown(v_row.origin_type),
            'Origin URL', _card_address(v_row.origin_url)
        ), ''),
        e'\n## Metrics\n\n' || nullif(concat(
            _card_list(
                'Evaluation dataset, declared', (
                    select string_agg(_markdown(d.name), '; ' order by d.nth)
                    from unnest(v_evaluation_dataset) with ordinality as d (name, nth)
                ),
                'Benchmark, declared', _markdown(v_said ->> 'benchmark_id'),
                'Evaluation dataset, measured', _card_reference(v_measured.dataset_id),
                'Benchmark, measured', _markdown(v_measured.benchmark_id),
                'Measured', _utc(v_measured.evaluated_at)
                    || coalesce(', said to be by ' || nullif(_markdown(v_measured.evaluated_by), ''), '')
            ),
            (
                select e'\n| metric | declared | measured last |\n|---|---:|---:|\n' || string_agg(
                    format(
                        e'| %s | %s | %s |\n',
                        _markdown(m.name), coalesce(v_declared ->> m.name, '—'), coalesce(v_measured.metrics ->> m.name, '—')
                    ),
                    '' order by m.nth
                )
                from unnest(v_metrics) with ordinality as m (name, nth)
            )
        ), ''),
        e'\n## Training parameters\n\n' || _card_json(nullif(v_row.training_params_json, '{}')),
        e'\n## Further facts\n\n' || _card_json(nullif(v_metadata -> 'extra', '{}')),
        case when not v_row.is_validated then e'\n## What the row says\n\n' || _card_json(v_row.metadata) end
    );

    select array_agg(u.what order by u.nth) into v_unknown
    from (
        values
        (1, 'whether it was trained here or taken over from elsewhere', not coalesce(v_metadata -> 'is_external' in ('true', 'false'), false)),
        (2, 'its name', v_row.name is null),
        (3, 'its family', not v_said ? 'model_family'),
        (4, 'its framework', not v_said ? 'framework'),
        (5, 'its number of parameters', coalesce(jsonb_typeof(v_metadata -> 'parameter_count'), '') <> 'number'),
        (6, 'what it is for (task)', not v_said ? 'task'),
        (7, 'its licence', not v_said ? 'license'),
        (8, 'what it is (description)', not v_said ? 'description'),
        (9, 'the repository of its code', v_row.code_repo_url is null),
        (10, 'the commit of its code', v_row.code_commit_sha is null),
        (11, 'what it was trained on', v_training_data = '{}'),
        (12, 'who trained it', v_row.trained_by is null),
        (13, 'when it was trained', coalesce(v_row.training_started_at, v_row.training_completed_at) is null),
        (14, 'with which parameters it was trained', coalesce(v_row.training_params_json, '{}') = '{}'),
        (15, 'what it was evaluated on', v_evaluation_dataset = '{}' and v_measured.dataset_id is null),
        (
            16, 'which of its evaluation datasets a declared metric is of',
            cardinality(v_evaluation_dataset) > 1 and v_declared <> '{}'
        ),
        (17, 'any metric', v_metrics = '{}'),
        (18, 'any measurement; the metrics above are declared', v_metrics <> '{}' and v_measured.metrics is null)
    ) as u (nth, what, applies)
    where u.applies;
    return v_card || coalesce(e'\n## Not known\n\n'
        || case when v_row.is_validated then 'The registry does not say:' else 'In no field that the registry could take over does the row say:' end
        || e'\n\n- ' || array_to_string(v_unknown, e'\n- ') || e'\n', '');
end
$function$;

comment on function model_card(text) is
$$A model version's card: Markdown with the front matter of a Hugging Face model card (license, base_model, datasets, metrics, tags,
pipeline_tag, model-index), each field only where the registry knows it, then the same and more for people, and what is not known. Every text is shown
and none acts. The same rows give the same bytes, whatever the session's settings. A legacy model gets a card that says so. P0002 for an unknown id.$$;
