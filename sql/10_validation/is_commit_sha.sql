-- What may be a commit.
create or replace function is_commit_sha(sha text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    -- Counting within the pattern would take longer than all the rest.
    return char_length(sha) in (40, 64) and sha !~ '[^0-9a-f]';
end
$function$;

comment on function is_commit_sha(text) is
$$Whether a text is a whole Git commit hash: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. An abbreviated hash may
name two commits tomorrow. NULL for NULL.$$;
