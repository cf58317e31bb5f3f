-- Whether metadata may be turned into text at all. 1e100000 is 8 bytes stored and 100 kB as text, so this comes before anything does.
create or replace function is_bounded_metadata(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if artifact_type <> 'model' or schema_version = 0 then
        return true;
    end if;
    -- The numbers of a small document come to some 20 MB at most, which the limits of is_valid_metadata() refuse as text: no need
    -- to look at each, in a document that is checked more than once. A compressed one may be larger than it looks.
    if pg_column_size(metadata) <= 2048 and pg_column_compression(metadata) is null then
        return true;
    end if;
    return has_bounded_numbers(metadata);
end
$function$;

comment on function is_bounded_metadata(text, integer, jsonb) is
$$Whether the text of an artifact's metadata has a bounded size: true for what is no model and for a legacy row; for a model, whether the
document is small or has_bounded_numbers(). A number beyond any double in a small document is for is_valid_metadata() to refuse.$$;
