-- Plans a run of the backfill, while no other run settles anything.
create or replace function _begin_backfill()
returns bigint
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    lock table backfill_log in share row exclusive mode;
    perform _plan_backfill(null);
    return (select count(*) from backfill_log as b where b.outcome = 'planned');
end
$function$;

comment on function _begin_backfill() is
$$Plans every legacy model that is not settled, in the caller's transaction; waits for the batches of other runs. Returns how many rows
are to be done.$$;
