-- Refuses a number that no double holds before anything turns it into text (1e100000 is 8 bytes stored, 100 kB written).
create or replace function refuse_unbounded_number()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
begin
    raise exception 'invalid metadata: 1 problem' using
        errcode = 'check_violation',
        detail = ': holds a number that is neither a 64-bit integer nor a finite double',
        hint = 'Numbers must lie within ±1.797e308; write anything beyond as text.',
        schema = tg_table_schema, table = tg_table_name, column = 'metadata',
        constraint = 'artifacts_metadata_bounded';
end
$function$;

comment on function refuse_unbounded_number() is
$$Trigger function of artifacts_05_refuse_unbounded_number: SQLSTATE 23514, constraint artifacts_metadata_bounded.$$;
