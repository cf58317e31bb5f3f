-- A text as Markdown that shows it and does nothing else: the one place that escapes Markdown and HTML.
create or replace function _markdown(value text, keeps_lines boolean default false)
returns text
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
declare
    v_text text := _spell_out(value, '⟨U+%s⟩');
begin
    if keeps_lines then
        v_text := regexp_replace(replace(replace(v_text, e'\r\n', e'\n'), e'\r', e'\n'), $re$\A\n+|\n+\Z$re$, '', 'g');
    else
        v_text := btrim(regexp_replace(v_text, $re$[ \t\n\r]+$re$, ' ', 'g'));
    end if;
    v_text := replace(replace(replace(v_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;');
    -- What begins a link, a style, code, a cell, a heading, a formula or a mention, and what makes a link of a bare address.
    v_text := regexp_replace(v_text, $re$[\\`*\[\]|~#$@]|:(?=//)$re$, $re$\\\&$re$, 'g');
    -- Within a word it begins nothing, and an id can be copied as it stands.
    v_text := regexp_replace(v_text, '(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])', $re$\\_$re$, 'g');
    v_text := regexp_replace(v_text, $re$(www)\.$re$, $re$\1\\.$re$, 'gi');
    if keeps_lines then
        -- What would make more of a line than a line: an item, an underline, a table, a number, an indentation.
        v_text := regexp_replace(v_text, $re$^[-+=:]$re$, $re$\\\&$re$, 'gn');
        v_text := regexp_replace(v_text, $re$^([0-9]{1,9})([.)])$re$, $re$\1\\\2$re$, 'gn');
        v_text := regexp_replace(regexp_replace(v_text, '^ ', '&#32;', 'gn'), $re$^\t$re$, '&#9;', 'gn');
        -- A line ends where it ended; an empty one begins a paragraph.
        v_text := regexp_replace(v_text, $re$([^\n])\n(?=[^\n])$re$, $re$\1\\$re$ || e'\n', 'g');
    end if;
    return v_text;
end
$function$;

comment on function _markdown(text, boolean) is
$$A text for Markdown (CommonMark, GitHub's tables and addresses) in which nothing acts: on one line, or with its lines, which then begin a block of their
own. NULL for NULL. Controls that are not seen are spelt out as ⟨U+202E⟩.$$;
