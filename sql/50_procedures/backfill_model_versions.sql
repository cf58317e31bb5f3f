-- Walks every legacy model, in batches that commit. A procedure that commits can neither have a SET clause nor run as its owner, so it is
-- a bare loop around functions that do; this is the one place where the deploy puts the schema's name in.
do $do$
begin
    execute format(
        $create$
create or replace procedure backfill_model_versions(batch_size integer default 1000, dry_run boolean default false)
language plpgsql security invoker
as $procedure$
declare
    v_planned bigint;
    v_batch record;
    v_done bigint := 0;
    v_backfilled bigint := 0;
    v_queued bigint := 0;
    v_promoted bigint := 0;
    v_started pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    v_told pg_catalog.timestamptz := v_started;
    v_seconds pg_catalog.float8;
begin
    if batch_size is null or batch_size not between 1 and 100000 then
        raise exception 'batch_size must be between 1 and 100000' using
            errcode = 'invalid_parameter_value',
            detail = pg_catalog.format('/batch_size: is %%s', coalesce(batch_size::text, 'NULL')),
            hint = 'Leave it out: 1000 chains a transaction.';
    end if;
    v_planned := %1$I._begin_backfill();
    if not dry_run then
        commit;
    end if;
    if v_planned > batch_size then
        raise notice '%% rows to do', v_planned;
    end if;
    loop
        select * into v_batch from %1$I._backfill_batch(batch_size);
        exit when v_batch.done = 0;
        if not dry_run then
            commit;
        end if;
        v_done := v_done + v_batch.done;
        v_backfilled := v_backfilled + v_batch.backfilled;
        v_queued := v_queued + v_batch.queued;
        v_promoted := v_promoted + v_batch.promoted;
        if pg_catalog.clock_timestamp() - v_told >= '2 seconds' then
            v_told := pg_catalog.clock_timestamp();
            v_seconds := extract(epoch from v_told - v_started);
            raise notice '%% of %% rows done, %% a second, about %% s left', v_done, greatest(v_planned, v_done),
                pg_catalog.round(v_done / v_seconds), pg_catalog.ceil(greatest(v_planned - v_done, 0) * v_seconds / v_done);
        end if;
    end loop;
    raise notice '%%', pg_catalog.format(
        '%%s%%s rows done: %%s backfilled (%%s of them promoted), %%s wait for a person',
        case when dry_run then 'dry run, nothing was written; ' end, v_done, v_backfilled, v_promoted, v_queued
    );
    if dry_run then
        rollback;
    end if;
end
$procedure$
        $create$,
        current_schema()
    );
end
$do$;

comment on procedure backfill_model_versions(integer, boolean) is -- noqa: LT01
$$Turns legacy models (metadata_schema_version 0) into registered versions: whole chains of parents at a time, batch_size chains a
transaction. Each row ends backfilled or waiting in backfill_reviews, never guessed; it can be stopped anywhere and called again, and
by several sessions at once. dry_run does everything in one transaction and rolls it back. Must not be called inside a transaction.$$;
