-- Takes a person's answers about a legacy model that waits, and backfills it again with them.
create or replace function resolve_backfill_review(
    artifact_id text,
    patch jsonb,
    notes text default null,
    out outcome text,
    out open_questions integer
)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_review record;
    v_patch jsonb := patch;
    v_ids text[];
    v_problems text;
begin
    if jsonb_typeof(patch) is distinct from 'object' then
        raise exception 'the answers must be an object' using
            errcode = 'invalid_parameter_value',
            detail = format('/patch: must be an object, not %s', coalesce(jsonb_typeof(patch), 'NULL')),
            hint = 'Give field → value, for instance {"parameter_count": 12000}; null leaves a field out.';
    end if;
    -- Before anything turns them into text: 1e100000 is 8 bytes stored and 100 kB written out.
    if not has_bounded_numbers(patch) then
        raise exception 'an answer is not well formed' using
            errcode = 'invalid_parameter_value',
            detail = '/patch: holds a number that is neither a 64-bit integer nor a finite double',
            hint = 'Numbers must lie within ±1.797e308; write anything beyond as text.';
    end if;
    select string_agg(format('/patch/%s: must be %s', k.field, k.wanted), e'\n' order by k.field)
    into v_problems
    from (values
        ('name', 'a name of 1 to 256 characters', patch -> 'name', '["string"]'::jsonb),
        ('version_number', 'an integer from 1, or "along the parents"', patch -> 'version_number', '["number", "string"]'),
        ('parent_version_id', 'an artifact id, or null', patch -> 'parent_version_id', '["string", "null"]'),
        ('is_latest', 'true or false, or the id of the latest version', patch -> 'is_latest', '["boolean", "string"]'),
        ('promotion_state', '"promoted" or "candidate"', patch -> 'promotion_state', '["string"]')
    ) as k (field, wanted, value, types)
    where
        k.value is not null
        and (
            not k.types ? jsonb_typeof(k.value)
            or (k.field = 'name' and not is_model_name(k.value #>> '{}'))
            or (k.field = 'version_number' and k.value #>> '{}' !~ '^([1-9][0-9]{0,8}|along the parents)$')
            or (k.field = 'promotion_state' and k.value #>> '{}' not in ('promoted', 'candidate'))
        );
    if v_problems is not null then
        raise exception 'an answer is not well formed' using
            errcode = 'invalid_parameter_value', detail = v_problems, hint = 'Correct it; nothing was written.';
    end if;

    select b.* into v_review
    from backfill_log as b
    where b.artifact_id = resolve_backfill_review.artifact_id and b.outcome = 'queued'
    for update;
    if not found then
        raise exception 'no review is open for artifact %', resolve_backfill_review.artifact_id using
            errcode = 'no_data_found',
            detail = format('/artifact_id: %L does not wait for a person', resolve_backfill_review.artifact_id),
            hint = 'select * from backfill_reviews lists what is open.';
    end if;
    if v_review.is_placed and patch ?| '{name,version_number,parent_version_id,is_latest}' then
        raise exception 'version % of % has its name and number already', v_review.chain_place, v_review.model_name using
            errcode = 'MR005',
            detail = (
                select string_agg(format('/patch/%s: is written once', k), e'\n' order by k)
                from jsonb_object_keys(patch) as k
                where k in ('name', 'version_number', 'parent_version_id', 'is_latest')
            ),
            hint = 'Answer the questions about its metadata.',
            schema = current_schema(), table = 'backfill_log', column = 'answers';
    end if;

    if jsonb_typeof(patch -> 'is_latest') = 'string' then
        -- Said of another row of the chain, it is that row's answer.
        update backfill_log as b
        set answers = b.answers || jsonb_build_object('is_latest', b.artifact_id = patch ->> 'is_latest')
        where b.chain_root = v_review.chain_root and not b.is_placed;
        if not exists (
            select from backfill_log as b
            where b.artifact_id = patch ->> 'is_latest' and b.chain_root = v_review.chain_root and not b.is_placed
        ) then
            raise exception 'an answer is not well formed' using
                errcode = 'invalid_parameter_value',
                detail = format('/patch/is_latest: %s is no version of the chain', to_json(left(patch ->> 'is_latest', 256))),
                hint = 'Give one of the ids that the question names.';
        end if;
        v_patch := patch - 'is_latest';
    end if;

    update backfill_log as b
    set
        answers = _merged_answers(b.answers, v_patch),
        notes = coalesce(resolve_backfill_review.notes, b.notes),
        outcome = 'planned',
        blocked = null
    where b.artifact_id = v_review.artifact_id;

    v_ids := array[v_review.artifact_id];
    if not v_review.is_placed then
        -- The answer may part a chain, or join it to the chain of the parent that was named.
        v_ids := array(
            select b.artifact_id
            from backfill_log as b
            where
                not b.is_placed
                and b.chain_root in (
                    select c.chain_root
                    from backfill_log as c
                    where c.artifact_id in (v_review.artifact_id, patch ->> 'parent_version_id')
                )
        );
        perform _plan_backfill(v_ids);
        v_ids := array(select b.artifact_id from backfill_log as b where b.artifact_id = any(v_ids) and b.outcome = 'planned');
    end if;
    perform _settle_backfill(v_ids);

    select string_agg(format('/%s: %s', q ->> 'field', q ->> 'why'), e'\n' order by q ->> 'field')
    into v_problems
    from backfill_log as b
    cross join lateral jsonb_array_elements(b.questions) as q
    where
        b.artifact_id = v_review.artifact_id
        and patch ? (q ->> 'field')
        -- These may wait for answers about other versions, or about another key of extra.
        and q ->> 'field' not in ('version_number', 'parent_version_id', 'is_latest', 'promotion_state', 'extra');
    if v_problems is not null then
        raise exception 'an answer leaves its question open' using
            errcode = 'check_violation',
            detail = v_problems,
            hint = 'Correct the answer; nothing was written.',
            schema = current_schema(), table = 'backfill_log', column = 'answers';
    end if;
    select b.outcome, jsonb_array_length(b.questions)
    into outcome, open_questions
    from backfill_log as b
    where b.artifact_id = v_review.artifact_id;
end
$function$;

comment on function resolve_backfill_review(text, jsonb, text) is
$$Settles open questions of a legacy model: patch is field → value, null leaving a field out; on top of the fields of the metadata it may
hold name, version_number (a number, or "along the parents" for its whole chain), parent_version_id, is_latest (true or
false, or the id of the latest version; these until the chain has its name) and promotion_state. The row is backfilled again with
all answers so far; returns its outcome and how many questions are left. 22023 for an answer that is not well formed, 23514 for one that
leaves its question open, MR005 for what is written already, P0002 when nothing waits. notes are kept beside the answers.$$;
