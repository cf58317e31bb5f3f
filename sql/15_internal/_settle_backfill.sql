-- Settles planned legacy models, whole chains at a time: normalises, validates, gives names and numbers, writes the version rows.
create or replace function _settle_backfill(artifact_ids text[])
returns table (backfilled bigint, queued bigint, promoted bigint)
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
-- What must be read whole all the same is small, but looks so dear that compiling it seems to pay.
set jit = off
as $function$
declare
    v_rules constant text := (
        -- What the function compares for every row is kept short.
        select coalesce(jsonb_agg(to_jsonb(r) - '{position,enabled,note}'::text[] order by r.position, r.name), '[]')::text
        from backfill_rules as r
        where r.enabled
    );
    v_rules_digest constant text := _backfill_rules_digest();
    v_defaults constant jsonb := _text_defaults();
    v_version constant integer := current_metadata_schema_version();
begin
    with seen as materialized (
        select
            -- A hundred documents of the greatest size there is are as much as one array should hold.
            (row_number() over ()) / 100 as part,
            a.id,
            a.metadata,
            a.version_number,
            a.parent_version_id,
            a.superseded_by,
            b.answers,
            b.chain_questions,
            coalesce(o.row_text::json ->> 'metadata', a.metadata::text) as metadata_text,
            jsonb_strip_nulls(to_jsonb(a) - '{id,artifact_type,metadata,metadata_schema_version,name,version_number,parent_version_id,is_latest,superseded_by,created_at,updated_at}'::text[]) as facts
        from unnest(artifact_ids) as i (id)
        inner join backfill_log as b on i.id = b.artifact_id
        inner join artifacts as a on i.id = a.id
        left join artifacts_original as o on i.id = o.id
    ),

    -- Many in one call, and its answers laid beside the rows again: both are in the same order.
    gathered as (
        select
            array_agg(s.id) as ids,
            array_agg(s.metadata) as metadata,
            array_agg(s.version_number) as version_numbers,
            array_agg(s.parent_version_id) as parent_version_ids,
            array_agg(s.superseded_by) as superseded_by,
            array_agg(s.chain_questions) as chain_questions,
            array_agg(s.facts) as facts,
            array_agg(s.metadata_text) as metadata_texts,
            array_agg(
                case
                    when v_defaults = '{}' then s.facts
                    -- What a column says by itself is no evidence.
                    else s.facts - array(select d.key from jsonb_each(v_defaults) as d where s.facts -> d.key = d.value)
                end
            ) as evidence,
            array_agg(s.answers - '{name,version_number,parent_version_id,is_latest,promotion_state}'::text[]) as answers
        from seen as s
        group by s.part
    ),

    normalised as materialized (
        select n.*
        from gathered as g
        cross join lateral rows from (
            unnest(g.ids, g.metadata, g.version_numbers, g.parent_version_ids, g.superseded_by, g.chain_questions, g.facts),
            _normalise_documents(g.metadata_texts, g.evidence, v_rules, g.answers)
        ) as n (id, metadata, version_number, parent_version_id, superseded_by, chain_questions, facts, answer)
    ),

    judged as (
        select
            n.*,
            n.chain_questions || (n.answer -> 'questions') || case
                when n.answer #>> '{metadata,base_model_id}' is null or base.artifact_type = 'model' then '[]'::jsonb
                else jsonb_build_array(jsonb_build_object(
                    'field', 'base_model_id', 'seen', jsonb_build_object('base_model_id', left(n.answer #>> '{metadata,base_model_id}', 256)),
                    'readings', '[]'::jsonb, 'why', 'no model with this id is registered: register the base first'
                ))
            end as all_questions
        from normalised as n
        left join artifacts as base on n.answer #>> '{metadata,base_model_id}' = base.id
    )

    update backfill_log as b
    set
        outcome = case when j.all_questions = '[]' then 'backfilled' else 'queued' end,
        questions = j.all_questions,
        changes = j.answer -> 'changes',
        was = jsonb_build_object('metadata', j.metadata) || j.facts,
        became = jsonb_build_object('metadata', j.answer -> 'metadata', 'columns', j.answer -> 'columns'),
        -- What was superseded is not what is in service.
        promoted_by = case when j.superseded_by is null then j.answer ->> 'promoted_by' end,
        is_placed = b.model_name is not null,
        chain_changes = case
            when b.is_placed or b.model_name is null then b.chain_changes
            else jsonb_build_array(
                case
                    when b.answers ? 'name' then jsonb_build_object(
                        'rule', 'a person''s answer', 'from', 'answers', 'to', 'name', 'was', null, 'now', b.model_name
                    )
                    when b.model_name = b.chain_title then jsonb_build_object(
                        'rule', 'the name is the title', 'from', 'title', 'to', 'name', 'was', null, 'now', b.model_name
                    )
                    else jsonb_build_object(
                        'rule', 'the name is the id of the first version', 'from', 'id', 'to', 'name', 'was', null, 'now', b.model_name
                    )
                end
            ) || case
                when j.version_number = b.chain_place then '[]'::jsonb
                else jsonb_build_array(jsonb_build_object(
                    'rule', 'numbered along the parents', 'from', 'version_number', 'to', 'version_number',
                    'was', j.version_number, 'now', b.chain_place
                ))
            end || case
                when not b.answers ? 'parent_version_id' then '[]'::jsonb
                else jsonb_build_array(jsonb_build_object(
                    'rule', 'a person''s answer', 'from', 'answers', 'to', 'parent_version_id',
                    'was', j.parent_version_id, 'now', b.answers -> 'parent_version_id'
                ))
            end || case
                when j.superseded_by is null then '[]'::jsonb
                else jsonb_build_array(jsonb_build_object(
                    'rule', 'superseded_by follows from promotions', 'from', 'superseded_by', 'to', null,
                    'was', left(j.superseded_by, 256), 'now', null
                ))
            end
        end,
        rules_digest = v_rules_digest,
        settled_at = now(),
        settled_by = session_user
    from judged as j
    where b.artifact_id = j.id;

    -- Only one version of a name can be in service.
    with claims as (
        select b.model_name, array_agg(b.artifact_id order by b.chain_place) as ids
        from backfill_log as b
        where
            b.chain_root in (select m.chain_root from backfill_log as m where m.artifact_id = any(artifact_ids))
            and b.model_name is not null
            and b.promoted_by is not null
            and not b.answers ? 'promotion_state'
        group by b.model_name
        having count(*) > 1
    )

    update backfill_log as b
    set
        outcome = 'queued',
        questions = b.questions || jsonb_build_array(jsonb_build_object(
            'field', 'promotion_state', 'seen', jsonb_build_object('in service', to_jsonb(c.ids[:5])),
            'readings', '["promoted", "candidate"]'::jsonb, 'why', 'several versions of one model are said to be in service'
        ))
    from claims as c
    where b.artifact_id = any(c.ids) and b.artifact_id = any(artifact_ids);

    -- By index for each name, here and below: a join planned while the table was empty would read it whole ever after.
    insert into registered_models (name)
    select distinct b.model_name
    from backfill_log as b
    left join lateral (select true as is_there from registered_models as r where r.name = b.model_name limit 1) as r on true
    where b.artifact_id = any(artifact_ids) and b.model_name is not null and r.is_there is null
    order by b.model_name
    on conflict (name) do nothing;
    perform
    from (
        select b.model_name
        from backfill_log as b
        where b.artifact_id = any(artifact_ids) and b.model_name is not null
        group by b.model_name
        order by b.model_name
    ) as b
    cross join lateral (select from registered_models as r where r.name = b.model_name for no key update) as r;

    -- Name and place for every row of a chain that can be told, its validated metadata for every row without a question.
    with lengths as materialized (
        select b.chain_root, max(b.chain_place) as length
        from backfill_log as b
        where
            b.chain_root in (select m.chain_root from backfill_log as m where m.artifact_id = any(artifact_ids))
            and b.model_name is not null
        group by b.chain_root
    )

    update artifacts as a
    set
        name = b.model_name,
        version_number = case when a.name is null then b.chain_place else a.version_number end,
        is_latest = case when a.name is null then b.chain_place = l.length else a.is_latest end,
        superseded_by = case when a.name is null then null else a.superseded_by end,
        parent_version_id = case when b.answers ? 'parent_version_id' then b.answers ->> 'parent_version_id' else a.parent_version_id end,
        created_at = coalesce(a.created_at, now()),
        updated_at = coalesce(a.updated_at, a.created_at, now()),
        metadata = case b.outcome when 'backfilled' then b.became -> 'metadata' else a.metadata end,
        metadata_schema_version = case b.outcome when 'backfilled' then v_version else 0 end
    from backfill_log as b
    inner join lengths as l on b.chain_root = l.chain_root
    where
        b.artifact_id = any(artifact_ids)
        and a.id = b.artifact_id
        and b.model_name is not null
        and (b.outcome = 'backfilled' or a.name is null);

    -- Before those are inserted that have none yet.
    update model_versions as v
    set
        model_name = b.model_name,
        promotion_notes = _open_questions(b.questions),
        code_repo_url = coalesce(v.code_repo_url, c.code_repo_url),
        code_commit_sha = coalesce(v.code_commit_sha, c.code_commit_sha),
        code_entrypoint = coalesce(v.code_entrypoint, c.code_entrypoint),
        training_started_at = coalesce(v.training_started_at, c.training_started_at),
        training_completed_at = coalesce(v.training_completed_at, c.training_completed_at),
        trained_by = coalesce(v.trained_by, c.trained_by),
        gpu_allocation_id = coalesce(v.gpu_allocation_id, c.gpu_allocation_id)
    from backfill_log as b
    cross join lateral jsonb_to_record(coalesce(b.became -> 'columns', '{}')) as c (
        code_repo_url text, code_commit_sha text, code_entrypoint text,
        training_started_at timestamptz, training_completed_at timestamptz, trained_by text, gpu_allocation_id text
    )
    where
        v.artifact_id = any(artifact_ids)
        and b.artifact_id = v.artifact_id
        and (v.model_name is distinct from b.model_name or v.promotion_notes is distinct from _open_questions(b.questions));

    insert into model_versions (
        artifact_id, model_name, is_external, external_source_url, external_source_version, base_model_id, benchmark_id,
        training_params_json, eval_metrics_json, promotion_notes, code_repo_url, code_commit_sha, code_entrypoint,
        training_started_at, training_completed_at, trained_by, gpu_allocation_id
    )
    select
        b.artifact_id, b.model_name, f.is_external, f.external_source_url, f.external_source_version, f.base_model_id, f.benchmark_id,
        f.training_params, f.eval_metrics, _open_questions(b.questions), c.code_repo_url, c.code_commit_sha, c.code_entrypoint,
        c.training_started_at, c.training_completed_at, c.trained_by, c.gpu_allocation_id
    from unnest(artifact_ids) as i (id)
    inner join backfill_log as b on i.id = b.artifact_id
    left join lateral (select true as is_there from model_versions as v where v.artifact_id = i.id limit 1) as v on true
    cross join lateral _declared_facts(case b.outcome when 'backfilled' then b.became -> 'metadata' end) as f
    cross join lateral jsonb_to_record(coalesce(b.became -> 'columns', '{}')) as c (
        code_repo_url text, code_commit_sha text, code_entrypoint text,
        training_started_at timestamptz, training_completed_at timestamptz, trained_by text, gpu_allocation_id text
    )
    where v.is_there is null;

    -- What keeps each row in its place for the next statement; the artifacts were written above.
    perform
    from unnest(artifact_ids) as i (id)
    cross join lateral (select from model_versions as w where w.artifact_id = i.id for no key update) as w;

    -- Adoption is no review: the legacy row itself says that it was in service, by a rule that everybody can read.
    perform _move_versions(
        array_agg(b.artifact_id),
        array_agg('promoted'::text),
        array_agg('adopted: ' || coalesce(b.promoted_by, 'a person''s answer'))
    )
    from unnest(artifact_ids) as i (id)
    inner join backfill_log as b on i.id = b.artifact_id
    -- Looked up one by one: by its state it would be one of a million candidates.
    cross join lateral (select w.promotion_state from model_versions as w where w.artifact_id = i.id limit 1) as v
    left join lateral (
        select true as is_there
        from model_versions as other
        where other.model_name = b.model_name and other.promotion_state = 'promoted'
        limit 1
    ) as promoted on true
    where
        b.outcome = 'backfilled'
        and coalesce(b.answers ->> 'promotion_state' = 'promoted', b.promoted_by is not null)
        and v.promotion_state = 'candidate'
        and promoted.is_there is null;

    return query
    select
        count(*) filter (where b.outcome = 'backfilled'),
        count(*) filter (where b.outcome = 'queued'),
        count(*) filter (where v.promotion_state = 'promoted')
    from unnest(artifact_ids) as i (id)
    inner join backfill_log as b on i.id = b.artifact_id
    cross join lateral (select w.promotion_state from model_versions as w where w.artifact_id = i.id limit 1) as v;
end
$function$;

comment on function _settle_backfill(text[]) is
$$Settles planned rows of backfill_log, whole chains at a time, in the caller's transaction: those without a question are validated and
backfilled, the others keep their metadata at version 0 and wait with their questions. Returns how many of each, and how many are promoted now.$$;
