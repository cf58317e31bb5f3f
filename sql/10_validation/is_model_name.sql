-- What may be a model's name. PL/pgSQL keeps its plan; SQL would be parsed anew by every statement that
-- checks a row.
create or replace function is_model_name(name text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    -- Dollar-quoted: a session that turns standard_conforming_strings off would read the pattern's backslashes otherwise.
    return char_length(name) between 1 and 256
        and name !~ $re$^\s|\s$|[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]$re$;
end
$function$;

comment on function is_model_name(text) is
$$Whether a text may be a model's name: 1 to 256 characters, no white space around it, no control character, no line separator
and nothing that reorders text. NULL for NULL.$$;
