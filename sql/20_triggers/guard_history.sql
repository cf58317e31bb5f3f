-- atlas: superuser
-- Keeps the history as it was written: it grows by what triggers record, and by nothing else. Who owns this function could take the
-- guard away, so it stays with the superuser.
create or replace function guard_history()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
begin
    raise exception 'the history cannot be written by hand (% on %)', tg_op, tg_table_name using
        errcode = 'MR008',
        detail = format('%s on %I.%I would change what is remembered', tg_op, tg_table_schema, tg_table_name),
        hint = 'Read it with model_history(); every change writes its own event.',
        schema = tg_table_schema, table = tg_table_name;
end
$function$;

comment on function guard_history() is
$$Trigger function of model_events_10_refuse_insert, model_events_20_refuse_change and model_events_20_refuse_truncate: SQLSTATE MR008.$$;
