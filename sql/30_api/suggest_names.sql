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
            from registered_models as r
            cross join lateral (
                select
                    char_length(translate(lower(r.name), lower(suggest_names.name), ''))
                    + char_length(translate(lower(suggest_names.name), lower(r.name), '')) as odd_letters,
                    abs(char_length(r.name) - char_length(suggest_names.name)) as difference
            ) as l
            where
                r.last_version > 0
                and suggest_names.name <> ''
                and (
                    (l.odd_letters <= 3 and l.difference <= 3)
                    or strpos(lower(r.name), lower(suggest_names.name)) > 0
                    or (char_length(r.name) >= 3 and strpos(lower(suggest_names.name), lower(r.name)) > 0)
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
