-- The counter of a name is what the registry handed out: it starts at 0 and always equals the highest number allotted.
create or replace function guard_counter()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_problem text;
    v_highest integer;
begin
    if tg_op = 'INSERT' then
        v_problem := 'a new name starts at 0';
    elsif tg_op = 'DELETE' then
        v_problem := 'a name is never forgotten';
    elsif new.name <> old.name or new.created_at <> old.created_at then
        v_problem := 'a name is written once';
    elsif new.last_version <> old.last_version then
        select max(a.version_number) into v_highest from artifacts as a where a.name = new.name;
        if new.last_version < old.last_version or new.last_version is distinct from v_highest then
            v_problem := format('the highest version of %s is %s', new.name, coalesce(v_highest, 0));
        end if;
    end if;
    if v_problem is not null then
        raise exception 'the counter of a model name is kept by the database' using
            errcode = 'MR005',
            detail = '/last_version: ' || v_problem,
            hint = 'Leave registered_models alone; register_model() moves the counter.',
            schema = tg_table_schema, table = tg_table_name, column = 'last_version';
    end if;
    return coalesce(new, old);
end
$function$;

comment on function guard_counter() is
$$Trigger function of registered_models_10_guard_start and registered_models_20_guard_counter: MR005 for a counter that does not equal the highest number allotted.$$;
