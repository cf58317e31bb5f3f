-- A reason that says nothing is none.
create or replace function _refuse_blank(argument text, given text)
returns void
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if given !~ '[^[:space:]]' then
        raise exception '% must not be blank', argument using
            errcode = 'invalid_parameter_value',
            detail = format('/%s: must not be blank', argument),
            hint = 'Say why in words that somebody will understand later.';
    end if;
end
$function$;

comment on function _refuse_blank(text, text) is
$$Raises 22023 for a text of white space alone; NULL passes.$$;
