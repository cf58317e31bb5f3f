-- An address in a card: a link where it is nothing but a plain http(s) address, else text that does nothing.
create or replace function _card_address(url text)
returns text
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return case
        when url ~ $re$\Ahttps?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~%/?#=+,;:@-]*)?\Z$re$ then '<' || url || '>'
        else _markdown(url)
    end;
end
$function$;

comment on function _card_address(text) is
$$The address as Markdown: <https://…> when every character of it is one of a plain address, else escaped text. NULL for NULL.$$;
