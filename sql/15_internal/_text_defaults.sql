-- What the columns of artifacts say by themselves when nobody says anything.
create or replace function _text_defaults()
returns jsonb
language sql stable called on null input parallel safe security invoker
set search_path from current
as $function$
    -- A literal and nothing else: no expression of somebody else's is evaluated here.
    select coalesce(jsonb_object_agg(a.attname, replace(substring(e.expression from $re$^'((?:[^']|'')*)'::(?:text|character varying)$$re$), '''''', '''')), '{}')
    from pg_attrdef as d
    inner join pg_attribute as a on d.adrelid = a.attrelid and d.adnum = a.attnum
    cross join lateral (select pg_get_expr(d.adbin, d.adrelid) as expression) as e
    where d.adrelid = 'artifacts'::regclass and e.expression ~ $re$^'(?:[^']|'')*'::(?:text|character varying)$$re$
$function$;

comment on function _text_defaults() is
$$The columns of artifacts that have a text literal as their default: column → that text, as an object.$$;
