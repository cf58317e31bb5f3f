-- One step of the backfill: takes some planned rows that nobody else is at, and settles them; one that cannot be written is queued
-- with the reason, and stops none of the others.
create or replace function _backfill_batch(max_chains integer)
returns table (done bigint, backfilled bigint, queued bigint, promoted bigint)
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
-- The next chains come in the order of the index: by a bitmap all that are planned would be read and sorted, for every batch.
set enable_bitmapscan = off
set jit = off
as $function$
declare
    v_leaders text[];
    v_ids text[];
    v_part record;
    v_settled record;
    v_message text;
    v_detail text;
    v_column text;
    v_attempts integer := 0;
begin
    -- Before any row of it is locked: a run that begins meanwhile waits for this table as a whole.
    lock table backfill_log in row exclusive mode;
    v_leaders := array(
        select b.artifact_id
        from backfill_log as b
        where b.outcome = 'planned' and (b.artifact_id = b.chain_root or b.model_name is null or b.is_placed)
        order by b.position
        limit max_chains
        for update skip locked
    );
    done := 0;
    backfilled := 0;
    queued := 0;
    promoted := 0;
    if cardinality(v_leaders) = 0 then
        return next;
        return;
    end if;

    v_ids := array(
        select i.id from unnest(v_leaders) as i (id)
        union
        select b.artifact_id
        from backfill_log as b
        where b.chain_root = any(v_leaders) and b.outcome = 'planned' and b.model_name is not null and not b.is_placed
    );
    done := cardinality(v_ids);
    <<attempts>>
    loop
        v_attempts := v_attempts + 1;
        begin
            -- As _register() does: constraints and statement-level triggers refuse; the triggers that say why look at what is repeated below.
            perform set_config('atlas_models.rows_are_complete', 'yes', true);
            select s.backfilled, s.queued, s.promoted into v_settled from _settle_backfill(v_ids) as s;
            perform set_config('atlas_models.rows_are_complete', '', true);
            backfilled := v_settled.backfilled;
            queued := v_settled.queued;
            promoted := v_settled.promoted;
            return next;
            return;
        exception when data_exception or integrity_constraint_violation or program_limit_exceeded
            or sqlstate 'MR001' or sqlstate 'MR004' or sqlstate 'MR005' or sqlstate 'MR006' or sqlstate 'MR007' then
            exit attempts;  -- one of them is to blame: each chain by itself, then
        when deadlock_detected then
            -- Two batches that have each other's bases; what this one held is free now, and the other goes on.
            if v_attempts = 10 then
                raise;
            end if;
        end;
    end loop;

    for v_part in
        select i.id as leader, array(
            select i.id
            union
            select b.artifact_id
            from backfill_log as b
            where b.chain_root = i.id and b.artifact_id = any(v_ids) and b.model_name is not null and not b.is_placed
        ) as ids
        from unnest(v_leaders) as i (id)
    loop
        begin
            select s.backfilled, s.queued, s.promoted into v_settled from _settle_backfill(v_part.ids) as s;
            backfilled := backfilled + v_settled.backfilled;
            queued := queued + v_settled.queued;
            promoted := promoted + v_settled.promoted;
        exception when data_exception or integrity_constraint_violation or program_limit_exceeded
            or sqlstate 'MR001' or sqlstate 'MR004' or sqlstate 'MR005' or sqlstate 'MR006' or sqlstate 'MR007' then
            get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_column = column_name;
            queued := queued + _queue_backfill(
                v_part.ids,
                jsonb_build_array(jsonb_build_object(
                    'field', coalesce(nullif(v_column, ''), 'metadata'), 'seen', '{}'::jsonb, 'readings', '[]'::jsonb,
                    -- PostgreSQL's own DETAIL of a CHECK is the whole row.
                    'why', left(v_message || case when v_detail like '/%' then '; ' || v_detail else '' end, 1000)
                ))
            );
        end;
    end loop;
    return next;
end
$function$;

comment on function _backfill_batch(integer) is
$$Settles up to max_chains planned chains, in the caller's transaction, and returns how many rows were done, backfilled, queued, and are
promoted now; all 0 when nothing is planned or others are at the rest. What a bad row breaks is repeated chain by chain.$$;
