-- Keeps what was recorded once: such a table only ever grows.
create or replace function refuse_rewriting()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
begin
    raise exception 'what was recorded in % cannot be changed or removed (%)', tg_table_name, tg_op using
        errcode = 'MR008',
        detail = format('%s on %I.%I would rewrite a record', tg_op, tg_table_schema, tg_table_name),
        hint = 'Read it as it is.',
        schema = tg_table_schema, table = tg_table_name;
end
$function$;

comment on function refuse_rewriting() is
$$Trigger function of the …_refuse_rewriting triggers and of …_refuse_truncate on records: SQLSTATE MR008.$$;
