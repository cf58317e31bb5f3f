-- What may be the URL of a code repository.
create or replace function is_repository_url(url text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    -- Dollar-quoted: a session that turns standard_conforming_strings off would read the pattern's backslashes otherwise.
    return char_length(url) <= 2048
        and url ~ $re$^((https?|git)://|ssh://([^\s/@:]+@)?)[^\s/@:]+(:[0-9]+)?/\S+$|^[^\s/@:]+@[^\s/@:]+:\S+$$re$;
end
$function$;

comment on function is_repository_url(text) is
$$Whether a text may be a repository's URL: http(s), ssh, git, or scp-like (user@host:path); at most 2,048 characters, no
white space, and no credentials in it: a user name only for ssh, since elsewhere it may be a token. NULL for NULL.$$;
