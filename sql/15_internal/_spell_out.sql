-- Characters that are not seen and act all the same: on a terminal (escape sequences), on the text around them (bidirectional overrides,
-- which show it in another order than it is stored in) or on who reads it line by line. Each is written as its number.
create or replace function _spell_out(value text, form text)
returns text
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
declare
    c_unseen constant text := $re$[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]$re$;
    v_text text := value;
    v_character text;
begin
    if v_text ~ c_unseen then
        for v_character in select distinct f.found[1] from regexp_matches(value, c_unseen, 'g') as f (found) loop
            v_text := replace(v_text, v_character, format(form, lpad(upper(to_hex(ascii(v_character))), 4, '0')));
        end loop;
    end if;
    return v_text;
end
$function$;

comment on function _spell_out(text, text) is
$$The text with every control character (but tab and line break), line separator and bidirectional control (embedding, override, isolate) as its
number in hexadecimal, which form takes. Letters that run from right to left, joiners and combining characters stay.$$;
