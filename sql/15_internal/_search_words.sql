-- Turns a fact or a text that is looked for into a tsquery over model_search.document. What was given is quoted, never parsed.
create or replace function _search_words(key text, value text)
returns tsquery
language plpgsql immutable strict parallel safe security invoker
set search_path from current
as $function$
declare
    v_part text;
    v_words tsquery;
    v_query tsquery;
begin
    if key = 'text' then
        -- Every word must be there; one that ends in * stands for all that begin with it.
        foreach v_part in array regexp_split_to_array(value, '[[:space:]]+') loop
            v_words := plainto_tsquery('pg_catalog.simple', v_part);
            if numnode(v_words) > 0 then
                if right(v_part, 1) = '*' then
                    v_words := (v_words::text || ':*')::tsquery;
                end if;
                v_query := coalesce(v_query && v_words, v_words);
            end if;
        end loop;
        return v_query;
    end if;
    v_part := _search_term(case key when 'name_prefix' then 'name' else key end, value);
    -- A tsquery gives a meaning of its own to quotes and backslashes.
    return (
        '''' || replace(replace(v_part, e'\\', e'\\\\'), '''', '''''') || '''' || case key when 'name_prefix' then ':*' else '' end
    )::tsquery;
end
$function$;

comment on function _search_words(text, text) is
$$The tsquery that finds a fact (key, value), or every word of a text (key 'text'); NULL for a text without a word.$$;
