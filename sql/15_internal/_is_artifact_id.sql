-- What may be the id of a new artifact. Adopted rows keep theirs, whatever they are.
create or replace function _is_artifact_id(id text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    -- Dollar-quoted: a session that turns standard_conforming_strings off would read the pattern's backslashes otherwise.
    return char_length(id) <= 256 and id ~ $re$^\S+$$re$ and id !~ $re$[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]$re$;
end
$function$;

comment on function _is_artifact_id(text) is
$$Whether a text may be the id of a new artifact: 1 to 256 characters, no white space, no control character. NULL for NULL.$$;
