-- The counter of a name is what the registry handed out: whoever moves it, it equals the highest number allotted.
create or replace function verify_counters()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_false record;
begin
    select n.name, p.highest
    into v_false
    from new_rows as n
    cross join lateral (select max(a.version_number) as highest from artifacts as a where a.name = n.name) as p
    where n.last_version <> coalesce(p.highest, 0)
    limit 1;
    if found then
        raise exception 'the counter of a model name is kept by the database' using
            errcode = 'MR005',
            detail = format('/last_version: the highest version of %s is %s', v_false.name, coalesce(v_false.highest, 0)),
            hint = 'Leave registered_models alone; register_model() moves the counter.',
            schema = tg_table_schema, table = tg_table_name, column = 'last_version';
    end if;
    return null;
end
$function$;

comment on function verify_counters() is
$$Trigger function of registered_models_30_verify_counters: MR005 for a counter that does not equal the highest number allotted.$$;
