-- What may stand beside the metadata as a document of its own: parameters, metrics.
create or replace function is_bounded_object(document jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    return document is null
        or (
            jsonb_typeof(document) = 'object'
            and case
                when is_bounded_metadata('model', 1, document) then octet_length(document::text) <= 1048576
                else false
            end
        );
end
$function$;

comment on function is_bounded_object(jsonb) is
$$Whether a document is a JSON object of at most 1,048,576 bytes of text. True for NULL.$$;
