-- Queues rows that could not be written as they would have become, with the reason; nothing of them changes but this.
create or replace function _queue_backfill(artifact_ids text[], reasons jsonb)
returns bigint
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
declare
    v_queued bigint;
begin
    update backfill_log as b
    set
        outcome = 'queued',
        model_name = case when b.is_placed then b.model_name end,
        questions = b.chain_questions || reasons,
        blocked = reasons,
        rules_digest = _backfill_rules_digest(),
        settled_at = now(),
        settled_by = session_user
    where b.artifact_id = any(artifact_ids);
    get diagnostics v_queued = row_count;

    insert into model_versions (artifact_id, promotion_notes)
    select b.artifact_id, _open_questions(b.questions)
    from backfill_log as b
    where
        b.artifact_id = any(artifact_ids)
        and not exists (select from model_versions as v where v.artifact_id = b.artifact_id);
    update model_versions as v
    set promotion_notes = _open_questions(b.questions)
    from backfill_log as b
    where b.artifact_id = any(artifact_ids) and v.artifact_id = b.artifact_id and v.promotion_state = 'candidate';
    return v_queued;
end
$function$;

comment on function _queue_backfill(text[], jsonb) is
$$Makes the rows wait for a person with these reasons, version row included. Returns how many.$$;
