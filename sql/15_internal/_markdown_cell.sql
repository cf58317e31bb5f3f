-- A value as a cell of a Markdown table: on one line, not too long, and nothing in it that Markdown or HTML would act on.
create or replace function _markdown_cell(value text)
returns text
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
declare
    v_text text := left(value, 240) || case when char_length(value) > 240 then ' …' else '' end;
begin
    v_text := regexp_replace(v_text, $re$[\s[:cntrl:]]+$re$, ' ', 'g');
    v_text := replace(replace(replace(v_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;');
    -- The characters that begin a link, a style or a cell.
    return coalesce(regexp_replace(v_text, $re$([\\`*_\[\]|~])$re$, $re$\\\1$re$, 'g'), '');
end
$function$;

comment on function _markdown_cell(text) is
$$The text for a cell of a Markdown table, at most 240 characters of it; empty for NULL.$$;
