-- The counter of a name is what the registry handed out: whoever moves it, it moves up, to a number that was given to a version.
create or replace function verify_counter()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: a plan made when the table was small would read it whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_problem text;
begin
    if new.name <> old.name or new.created_at <> old.created_at then
        v_problem := 'a name is written once';
    elsif new.last_version < old.last_version then
        v_problem := format('version %s of %s was handed out, and no number is used again', old.last_version, old.name);
    elsif
        new.last_version > old.last_version
        and not exists (select from artifacts as a where a.name = new.name and a.version_number = new.last_version)
    then
        v_problem := format('there is no version %s of %s', new.last_version, new.name);
    end if;
    if v_problem is not null then
        raise exception 'the counter of a model name is kept by the database' using
            errcode = 'MR005',
            detail = '/last_version: ' || v_problem,
            hint = 'Leave registered_models alone; register_model() moves the counter.',
            schema = tg_table_schema, table = tg_table_name, column = 'last_version';
    end if;
    return new;
end
$function$;

comment on function verify_counter() is
$$Trigger function of registered_models_20_verify_counter: MR005 for a name that changes, and for a counter that moves back or to a
number that no version has.$$;
