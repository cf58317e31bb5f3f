-- The first that match a filter of search_models() in an order, from a place in it on.
create or replace function _search_page(
    filter jsonb,
    order_key text,
    order_metric text,
    descending boolean,
    page_size integer,
    after_key text,
    after_place bigint,
    is_branch boolean default false
)
returns table (place bigint, key text)
language plpgsql stable called on null input parallel safe security invoker
rows 20
set search_path from current
-- A page is a matter of milliseconds: whatever would read a table whole, start workers or compile is no plan for it.
set enable_seqscan = off
set max_parallel_workers_per_gather = 0
set jit = off
set plan_cache_mode = force_generic_plan
-- Or all rows in the order that they lie in would be preferred to those of the index of the document, where these are a few thousand.
set random_page_cost = 1.1
as $function$
#variable_conflict use_column
declare
    c_few constant integer := 1000;
    c_some constant integer := 20000;
    c_ahead constant integer := 50000;
    c_far constant bigint := 2000 + 20 * _search_page.page_size;
    v_all double precision;
    v_probed bigint := greatest(500, 2 * _search_page.page_size);
    v_next bigint;
    v_found integer;
    v_worded bigint;
    v_words_are_few boolean := false;
    v_is_counted boolean := false;
    v_plan record;
    v_driver text;
    v_branch jsonb;
    v_direction constant text := case when _search_page.descending then 'desc' else 'asc' end;
    v_beyond constant text := case when _search_page.descending then '<' else '>' end;
    v_from text;
    -- Of what is given, nothing becomes part of a statement.
    v_column constant text := case _search_page.order_key when 'registered' then 'registered_at' when 'trained' then 'trained_at' end;
    v_key constant text := coalesce('k.' || v_column, 'k.value');
    v_type constant text := case when _search_page.order_key = 'metric' then 'double precision' else 'timestamptz' end;
    v_columns text := 'k.place';
    v_row text := 'cross join lateral (select m.* from model_search as m where m.place = k.place offset 0) as s';
    v_among text := '';
    v_matches text;
    v_in_order text;
    v_places bigint[];
    v_keys text[];
    v_branch_places bigint[];
    v_branch_keys text[];
    v_are_more boolean;
    -- How the page is found when the first rows in order do not hold it: see below.
    v_way text;
begin
    select c.* into v_plan
    from _compile_search(filter, '/filter', 1, 0, 0, _search_page.order_key, _search_page.order_metric) as c;

    -- SQL in fixed fragments, like all of the plan.
    v_driver := coalesce(v_plan.driver, 'select null::bigint as place where false');

    -- k is the row of the index that has the order, s that of model_search.
    v_from := coalesce('model_search as k where k.' || v_column || ' is not null', 'model_metrics as k where k.metric = $6');
    v_from := v_from || coalesce(v_plan.bound, '');
    if after_place is not null then
        v_from := v_from || format(' and (%s, k.place) %s ($3::%s, $4)', v_key, v_beyond, v_type);
    end if;
    v_matches := coalesce(
        nullif(concat_ws(' and ', case when v_plan.words is not null then 's.document @@ $2' end, v_plan.condition), ''), 'true'
    );
    -- In order, from the first on, at most so many. The limit inside, and OFFSET 0, keep the planner from another order.
    v_in_order := 'select s.place, k.key::text as key
        from (select %1$s, %2$s as key from %3$s order by %2$s %4$s, k.place %4$s %5$s) as k
        %6$s
        where %7$s %8$s
        order by k.key %4$s, k.place %4$s
        limit $5';

    -- The first few in order hold a page of what is frequent. How many match among them says whether it is worth to go on.
    select c.reltuples into v_all from pg_class as c where c.oid = 'model_search'::regclass;
    if v_plan.driver_size <= c_few then
        v_way := 'found';
    elsif v_plan.driver_kind <> 'union' then
        v_probed := greatest(100, 2 * page_size);
    end if;
    while v_way is null loop
        if v_column is not null then
            v_columns := 'k.*';
            v_row := 'cross join lateral (select k.place, k.artifact_id, k.registered_at, k.trained_at, k.family, k.metrics, k.document) as s';
        end if;
        execute format(
            'select array_agg(f.place), array_agg(f.key) from (%s) as f',
            format(v_in_order, v_columns, v_key, v_from, v_direction, 'limit ' || v_probed, v_row, '', v_matches)
        )
        into v_places, v_keys
        using v_plan.vals, v_plan.words, after_key, after_place, page_size, order_metric;
        v_found := coalesce(cardinality(v_places), 0);
        exit when v_found >= page_size;
        execute format(
            'select exists (select from (select from %s order by %s %s, k.place %3$s offset %4$s limit 1) as beyond)',
            v_from, v_key, v_direction, v_probed
        )
        into v_are_more
        using v_plan.vals, v_plan.words, after_key, after_place, page_size, order_metric;
        exit when not v_are_more;

        v_next := v_probed * 3 / 2 * page_size / greatest(v_found, 1);
        if v_plan.branches is not null and not is_branch and v_next > c_few then
            v_way := 'branches';
            exit;
        end if;
        v_worded := v_probed;
        if v_plan.words is not null and v_plan.words is distinct from v_plan.driver_words then
            execute format(
                'select count(*)
                from (select %1$s, %2$s as key from %3$s order by %2$s %4$s, k.place %4$s limit %5$s) as k %6$s
                where s.document @@ $2',
                v_columns, v_key, v_from, v_direction, v_probed, v_row
            )
            into v_worded
            using v_plan.vals, v_plan.words, after_key, after_place, page_size, order_metric;
        end if;
        if v_plan.driver_kind <> 'union' and not v_is_counted then
            -- Where more than one in fifty has the words, the index of the document need not be asked whether they are few.
            if v_worded * 50 < v_probed then
                execute format('select count(*) <= %s from (select from model_search as s where s.document @@ $2 limit %1$s + 1) as few', c_few / 2)
                into v_words_are_few
                using v_plan.vals, v_plan.words;
            end if;
            if not v_words_are_few then
                execute format('select count(*) from (%s limit %s) as few', v_driver, c_some + 1) into v_plan.driver_size using v_plan.vals;
            end if;
            v_is_counted := true;
            v_way := case when v_words_are_few then 'found' when v_plan.driver_size <= c_some then 'among' end;
            v_probed := greatest(500, 2 * page_size);
            continue;
        end if;
        if v_plan.words is null or v_plan.bound is not null then
            v_way := case when v_next > c_far then 'found' end;
        elsif v_found = 0 or v_next > v_all * v_worded / v_probed * (case order_key when 'metric' then 1 else 2 end) then
            -- All that have the words, or so many more in order? Of these, rows in the order of registration stand side by side.
            v_way := 'found';
            -- The newest may be of another kind altogether, and what is looked for be frequent among the rest.
            if v_worded = 0 then
                execute format('select count(*) > %s from (select from model_search as s where s.document @@ $2 limit %1$s + 1) as some_rows', 5 * c_few)
                into v_are_more
                using v_plan.vals, v_plan.words;
                if v_are_more then
                    v_way := null;
                    v_next := 8 * v_probed;
                end if;
            end if;
        end if;
        v_are_more := true;
        v_probed := v_next;
    end loop;

    -- Either of some: the first of the first of each.
    if v_way = 'branches' then
        v_places := null;
        v_keys := null;
        for v_branch in select b.branch from jsonb_array_elements(v_plan.branches) as b (branch) loop
            select array_agg(p.place), array_agg(p.key) into v_branch_places, v_branch_keys
            from _search_page(
                v_branch, order_key, order_metric, descending, page_size, after_key, after_place, is_branch => true
            ) as p;
            v_places := v_places || v_branch_places;
            v_keys := v_keys || v_branch_keys;
        end loop;
        execute format(
            'select array_agg(f.place), array_agg(f.key)
            from (
                select k.place, k.key from unnest($1, $2) as k (place, key)
                group by k.place, k.key order by k.key::%s %s, k.place %2$s limit $3
            ) as f',
            v_type, v_direction
        )
        into v_places, v_keys
        using v_places, v_keys, page_size;
    end if;

    -- By the index of the order alone, among the places that the driver gives; only what is among them is looked at.
    if v_way = 'among' then
        v_among := format('(k.place in (select d.place from (%s limit %s) as d)) is true and', v_driver, c_some + 1);
        execute format(
            'select array_agg(f.place), array_agg(f.key) from (%s) as f',
            format(
                v_in_order, 'k.place', v_key, v_from, v_direction, 'limit ' || c_ahead,
                'cross join lateral (select m.* from model_search as m where m.place = k.place offset 0) as s', v_among, v_matches
            )
        )
        into v_places, v_keys
        using v_plan.vals, v_plan.words, after_key, after_place, page_size, order_metric;
        if coalesce(cardinality(v_places), 0) < page_size then
            execute format(
                'select exists (select from (select from %s order by %s %s, k.place %3$s offset %4$s limit 1) as beyond)',
                v_from, v_key, v_direction, c_ahead
            )
            into v_are_more
            using v_plan.vals, v_plan.words, after_key, after_place, page_size, order_metric;
            v_way := case when v_are_more then 'found' end;
        end if;
    end if;

    -- All that match, found by another index, and of them the first; or, where no index knows them, all in order.
    if v_way = 'found' then
        execute format(
            'select array_agg(f.place), array_agg(f.key) from (%s) as f',
            case
                when v_plan.words is null and v_plan.driver is null
                    then format(v_in_order, v_columns, v_key, v_from, v_direction, 'offset 0', v_row, '', v_matches)
                else format(
                    'with found as materialized (select s.place, %1$s as key from %2$s where %3$s)
                    select k.place, k.key::text as key
                    from found as k
                    where k.key is not null%4$s
                    order by k.key %5$s, k.place %5$s
                    limit $5',
                    coalesce('s.' || v_column, '(s.metrics ->> $6)::double precision'),
                    case
                        when not (
                            v_plan.driver_size <= c_few or (v_plan.driver is not null and v_plan.words is null)
                            or (v_is_counted and v_plan.driver_size <= c_some and not v_words_are_few)
                        ) or v_plan.driver is null
                            then 'model_search as s'
                        when v_plan.driver_kind = 'rows' then '(' || v_plan.driver || ') as s'
                        else 'model_search as s inner join (' || v_plan.driver || ') as d on s.place = d.place'
                    end,
                    v_matches,
                    case when after_place is not null then format(' and (k.key, k.place) %s ($3::%s, $4)', v_beyond, v_type) end,
                    v_direction
                )
            end
        )
        into v_places, v_keys
        using v_plan.vals, v_plan.words, after_key, after_place, page_size, order_metric;
    end if;

    return query
    select f.place, f.key from unnest(v_places, v_keys) with ordinality as f (place, key, nth) order by f.nth;
end
$function$;

comment on function _search_page(jsonb, text, text, boolean, integer, text, bigint, boolean) is
$$For search_models(): at most page_size versions that match the filter, in order (order_key registered, trained or metric, then
order_metric), after the given key and place; is_branch: one of the branches of a filter, which is not taken apart again.$$;
