-- Whether every number of a document can be written out. 1e100000 is 8 bytes stored and 100 kB as text, so this comes before anything
-- turns the document into text.
create or replace function has_bounded_numbers(metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return not jsonb_path_exists(
        metadata,
        '$.** ? (@.type() == "number" && (@ > 1.8e308 || @ < -1.8e308 || (@ != 0 && @ < 1e-400 && @ > -1e-400)))'
    );
end
$function$;

comment on function has_bounded_numbers(jsonb) is
$$Whether no number in the document lies beyond ±1.8e308 or closer to 0 than 1e-400 without being 0. NULL for NULL.$$;
