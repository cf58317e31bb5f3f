-- A fact as one term of model_search.document; no word of a text begins with =. What is too long for an index is told by its digest.
-- No SET clause, so that it is inlined into the statements of its callers, whose search_path is pinned.
create or replace function _search_term(key text, value text)
returns text
language sql immutable called on null input parallel safe security invoker
as $function$
    select '=' || key || ':' || case when octet_length(value) <= 1100 then value else md5(value) end
$function$;

comment on function _search_term(text, text) is
$$The term that stands for a fact in model_search.document; NULL for none.$$;
