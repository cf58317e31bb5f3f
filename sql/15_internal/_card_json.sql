-- A JSON object as a block of code in a card. No line of it can end the block: within JSON a line break is written as two characters.
create or replace function _card_json(value jsonb)
returns text
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return e'```json\n' || _spell_out(jsonb_pretty(value), e'\\u%s') || e'\n```\n';
end
$function$;

comment on function _card_json(jsonb) is $$The value as a fenced block of JSON, with unseen characters as \u escapes; NULL for NULL.$$;
