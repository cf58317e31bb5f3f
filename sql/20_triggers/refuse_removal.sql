-- Keeps every registered version: neither DELETE nor TRUNCATE takes provenance away.
create or replace function refuse_removal()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
begin
    raise exception 'a registered model cannot be removed (% on %)', tg_op, tg_table_name using
        errcode = 'MR008',
        detail = format('%s on %I.%I would take away the provenance of model versions', tg_op, tg_table_schema, tg_table_name),
        hint = 'Take a version out of use with reject_model().',
        schema = tg_table_schema, table = tg_table_name;
end
$function$;

comment on function refuse_removal() is
$$Trigger function of the …_refuse_delete and …_refuse_truncate triggers: SQLSTATE MR008.$$;
