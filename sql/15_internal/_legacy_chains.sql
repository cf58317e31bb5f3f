-- Orders legacy rows along their parents, in time linear in how many there are.
create or replace function _legacy_chains(ids text[], parents text[])
returns table (id text, root text, place integer, is_circular boolean)
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $function$
declare
    v_parents integer[];  -- place of each row's parent in ids, 0 for none
    v_roots integer[];
    v_places integer[];  -- 0 untouched, -1 on the path that is being walked
    v_circular boolean[];
    v_path integer[];
    v_at integer;
    v_place integer;
    v_root integer;
    v_is_circular boolean;
begin
    v_parents := array(
        select coalesce(p.ordinality::integer, 0)
        from unnest(ids, parents) with ordinality as c (id, parent, ordinality)
        left join unnest(ids) with ordinality as p (id, ordinality) on c.parent = p.id
        order by c.ordinality
    );
    v_roots := v_parents;
    v_places := array_fill(0, array[coalesce(cardinality(ids), 0)]);
    v_circular := array_fill(false, array[coalesce(cardinality(ids), 0)]);
    for v_start in 1 .. cardinality(v_places) loop
        v_path := '{}';
        v_at := v_start;
        while v_at > 0 and v_places[v_at] = 0 loop
            v_places[v_at] := -1;
            v_path := v_path || v_at;
            v_at := v_parents[v_at];
        end loop;
        -- The walk ended above a root, at a row that is settled already, or on its own path: a circle.
        v_is_circular := v_at > 0 and (v_places[v_at] = -1 or v_circular[v_at]);
        if v_at = 0 then
            v_root := v_path[cardinality(v_path)];
            v_place := 0;
        else
            v_root := case v_places[v_at] when -1 then v_at else v_roots[v_at] end;
            v_place := greatest(v_places[v_at], 0);
        end if;
        for v_step in reverse cardinality(v_path) .. 1 loop
            v_place := v_place + 1;
            v_places[v_path[v_step]] := v_place;
            v_roots[v_path[v_step]] := v_root;
            v_circular[v_path[v_step]] := v_is_circular;
        end loop;
    end loop;
    return query
    select c.id, r.id, c.place, c.is_circular
    from unnest(ids, v_roots, v_places, v_circular) as c (id, root, place, is_circular)
    -- Not ids[c.root]: finding an element of an array of texts takes the longer, the further on it stands.
    inner join unnest(ids) with ordinality as r (id, ordinality) on c.root = r.ordinality;
end
$function$;

comment on function _legacy_chains(text[], text[]) is
$$For each id the first row of the chain of parents that it belongs to, its place in it from 1, and whether the chain runs in a circle
(root and place then say nothing). parents stands beside ids; a parent that is not among ids begins a chain.$$;
