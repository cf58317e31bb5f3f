-- What metadata says as a text or a list of texts, as a list.
create or replace function _texts(value jsonb)
returns text[]
language sql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
    select coalesce(array_agg(t.value #>> '{}' order by t.nth), '{}')
    from jsonb_path_query(value, 'lax $[*] ? (@.type() == "string")') with ordinality as t (value, nth)
$function$;

comment on function _texts(jsonb) is $$A text, or the texts of a list, in order; none for anything else.$$;
