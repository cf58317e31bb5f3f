-- What somebody may have meant who wrote a name that no model has.
create or replace function suggest_names(
    name       text,
    max_names  integer default 5
)
returns table (name text, last_version integer)
language sql stable strict parallel safe security definer
set search_path from current
as $function$
    select n.name, n.last_version
    from (
        select c.name, c.last_version, _edit_distance(lower(suggest_names.name), lower(c.name)) as distance
        from (
            -- Of every name there is it is asked, cheaply, whether one holds the other, or they share nearly all of their letters; only
            -- the most alike are looked at letter by letter.
            select r.name, r.last_version
            from (select lower(suggest_names.name) as word, char_length(suggest_names.name) as length offset 0) as w
            -- OFFSET 0: small letters are made once for each name, and not wherever they are asked for.
            cross join lateral (
                select m.name, m.last_version, lower(m.name) as word from registered_models as m where m.last_version > 0 offset 0
            ) as r
            cross join lateral (
                select
                    char_length(translate(r.word, w.word, '')) + char_length(translate(w.word, r.word, '')) as odd_letters,
                    abs(char_length(r.name) - w.length) as difference
            ) as l
            where
                w.word <> ''
                and (
                    (l.difference <= 3 and l.odd_letters <= 3)
                    or strpos(r.word, w.word) > 0
                    or (char_length(r.name) >= 3 and strpos(w.word, r.word) > 0)
                )
            order by l.odd_letters + l.difference, r.name
            limit 200
        ) as c
    ) as n
    order by n.distance, n.name
    limit greatest(least(suggest_names.max_names, 100), 0)
$function$;

comment on function suggest_names(text, integer) is
$$The registered names that are nearest to the given one, the nearest first, at most max_names (100) of them.$$;
