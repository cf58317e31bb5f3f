-- Says what is wrong with a question to search_models().
create or replace function _refuse_search(place text, problem text, hint text)
returns void
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    raise exception 'invalid argument: %', split_part(place, '/', 2) using
        errcode = 'invalid_parameter_value',
        detail = place || ': ' || problem,
        hint = _refuse_search.hint;
end
$function$;

comment on function _refuse_search(text, text, text) is
$$Raises 22023: the place as a JSON pointer, what is wrong there, and what to do.$$;
