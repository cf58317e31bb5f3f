-- Whether every number of a document can be written out. 1e100000 is 8 bytes stored and 100 kB as text, so this comes before anything
-- turns the document into text.
create or replace function has_bounded_numbers(metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    -- The type first, and one comparison for both signs: this walks every document that is written, more than once.
    return not jsonb_path_exists(
        metadata, 'strict $.** ? (@.type() == "number").abs() ? (@ > 1.8e308 || (@ < 1e-400 && @ != 0))'
    );
end
$function$;

comment on function has_bounded_numbers(jsonb) is
$$Whether no number in the document lies beyond ±1.8e308 or closer to 0 than 1e-400 without being 0. NULL for NULL.$$;
