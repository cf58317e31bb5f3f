-- What somebody may have meant who wrote a word that is none of the known ones.
create or replace function _nearest(word text, known text[], max_words integer default 3)
returns text[]
language sql stable called on null input parallel safe security invoker
set search_path from current
as $function$
    select coalesce(array_agg(n.word order by n.distance, n.word), '{}')
    from (
        select k.word, _edit_distance(lower(_nearest.word), lower(k.word)) as distance
        from unnest(_nearest.known) as k (word)
        order by distance, k.word
        limit _nearest.max_words
    ) as n
    -- Half of it wrong is no slip of the pen; what begins with it is meant, however long.
    where n.distance <= greatest(2, char_length(_nearest.word) / 2) or starts_with(lower(n.word), lower(_nearest.word))
$function$;

comment on function _nearest(text, text[], integer) is
$$The known words that are nearest to the given one, the nearest first; none when nothing is near.$$;
