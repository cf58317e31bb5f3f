-- A text as a scalar of YAML on one line: plain where that is surely a text, else as a JSON string, which YAML reads too.
create or replace function _yaml(value text)
returns text
language sql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
    select case
        when
            value ~ $re$^[A-Za-z][A-Za-z0-9_./+-]*( [A-Za-z0-9_./+-]+)*\Z$re$
            and lower(value collate "C") not in ('true', 'false', 'yes', 'no', 'on', 'off', 'y', 'n', 'null')
            then value
        else _spell_out(to_json(value)::text, e'\\u%s')
    end
$function$;

comment on function _yaml(text) is $$A text as a YAML scalar on one line; NULL for NULL.$$;
