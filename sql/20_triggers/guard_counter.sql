-- A name is registered once and kept, and its counter starts at 0. Looks at the row alone; verify_counter() at the numbers.
create or replace function guard_counter()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
begin
    raise exception 'the counter of a model name is kept by the database' using
        errcode = 'MR005',
        detail = '/last_version: ' || case tg_op
            when 'INSERT' then 'a new name starts at 0'
            else 'a name is never forgotten'
        end,
        hint = 'Leave registered_models alone; register_model() moves the counter.',
        schema = tg_table_schema, table = tg_table_name, column = 'last_version';
end
$function$;

comment on function guard_counter() is
$$Trigger function of registered_models_10_guard_start and registered_models_20_refuse_delete: MR005 for a new name that does not start
at 0, and for a name that would go.$$;
