-- The known ones of some facts as a list of a card.
create or replace function _card_list(variadic facts text[])
returns text
language sql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
    select coalesce(string_agg(format(e'- **%s:** %s\n', facts[f.n], facts[f.n + 1]), '' order by f.n), '')
    from generate_series(1, cardinality(facts), 2) as f (n)
    where facts[f.n + 1] <> ''
$function$;

comment on function _card_list(text[]) is
$$Labels and facts in turn as a Markdown list; a fact is Markdown already, and left out when NULL or empty.$$;
