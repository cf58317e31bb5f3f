-- A value as a cell of a Markdown table: on one line, not too long, and nothing in it that Markdown or HTML would act on.
create or replace function _markdown_cell(value text)
returns text
language sql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
    select coalesce(_markdown(left(value, 240) || case when char_length(value) > 240 then ' …' else '' end), '')
$function$;

comment on function _markdown_cell(text) is
$$The text for a cell of a Markdown table, at most 240 characters of it; empty for NULL.$$;
