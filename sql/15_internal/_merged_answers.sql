-- Later answers beside earlier ones: an object is added to an object, anything else takes the place of what was said before.
create or replace function _merged_answers(earlier jsonb, later jsonb)
returns jsonb
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
begin
    if jsonb_typeof(earlier) is distinct from 'object' or jsonb_typeof(later) is distinct from 'object' then
        return later;
    end if;
    return earlier || (
        select coalesce(jsonb_object_agg(l.key, _merged_answers(earlier -> l.key, l.value)), '{}')
        from jsonb_each(later) as l
    );
end
$function$;

comment on function _merged_answers(jsonb, jsonb) is
$$Both answers as one, objects merged level by level; a null stays, because it says that a field is left out on purpose.$$;
