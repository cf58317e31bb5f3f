-- Finds model versions by a filter, page by page.
create or replace function search_models(
    filter      jsonb default '{}',
    order_by    text default 'registered',
    descending  boolean default true,
    page_size   integer default 20,
    after       text default null
)
returns table (
    artifact_id      text,
    name             text,
    version_number   integer,
    is_latest        boolean,
    promotion_state  text,
    is_external      boolean,
    title            text,
    model_family     text,
    framework        text,
    latest_metrics   jsonb,
    registered_at    timestamptz,
    cursor           text
)
language plpgsql stable called on null input parallel safe security definer
set search_path from current
-- The cursor holds a time or a number as text, to the last digit, and a time without an offset is UTC.
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
-- A page is a matter of milliseconds: whatever would read a table whole, start workers or compile is no plan for it.
set enable_seqscan = off
set max_parallel_workers_per_gather = 0
set jit = off
set plan_cache_mode = force_generic_plan
as $function$
#variable_conflict use_column
declare
    c_few constant integer := 1000;
    c_far constant bigint := 2000 + 20 * search_models.page_size;
    v_all double precision;
    v_probed bigint := greatest(500, 2 * search_models.page_size);
    v_next bigint;
    v_found integer;
    v_worded integer;
    v_metric text := substring(search_models.order_by from '^metric:(.*)$');
    v_order text := case when v_metric is null then search_models.order_by else 'metric' end;
    v_plan record;
    v_direction text := case when search_models.descending then 'desc' else 'asc' end;
    v_from text;
    v_key text;
    v_type text;
    v_columns text;
    v_row text;
    v_cursor jsonb;
    v_after_key text;
    v_after_place bigint;
    v_matches text;
    v_in_order text;
    v_among_found text;
    v_places bigint[];
    v_keys text[];
    v_are_more boolean;
begin
    if search_models.order_by is null or v_order not in ('registered', 'trained', 'metric') then
        perform _refuse_search('/order_by', 'must be registered, trained or metric:<name>', 'For instance metric:auroc.');
    end if;
    if search_models.descending is null then
        perform _refuse_search('/descending', 'must be true or false', 'true: the newest, or the highest value, first.');
    end if;
    if search_models.page_size is null or search_models.page_size not between 1 and 1000 then
        perform _refuse_search('/page_size', 'must be 1 to 1,000', 'Take the next page with after => the last row''s cursor.');
    end if;
    if octet_length(search_models.filter::text) > 65536 then
        perform _refuse_search('/filter', 'is longer than 64 kB', 'Ask in several parts.');
    end if;
    if v_metric is not null then
        perform _check_metric(v_metric, '/order_by');
    end if;

    if search_models.after is not null then
        begin
            v_cursor := convert_from(decode(search_models.after, 'base64'), 'UTF8')::jsonb;
            v_after_key := v_cursor ->> 2;
            v_after_place := (v_cursor ->> 3)::bigint;
            if v_order = 'metric' then
                perform v_after_key::double precision;
            else
                perform v_after_key::timestamptz;
            end if;
        exception when data_exception or program_limit_exceeded then
            v_cursor := null;
        end;
        if v_cursor is null or num_nulls(v_after_key, v_after_place) > 0
            or v_cursor -> 0 is distinct from to_jsonb(search_models.order_by)
            or v_cursor -> 1 is distinct from to_jsonb(search_models.descending)
        then
            perform _refuse_search(
                '/after', 'is no cursor of a search in this order', 'Give the cursor of a row as it is, with the same order_by and descending.'
            );
        end if;
    end if;

    select c.* into v_plan from _compile_search(coalesce(search_models.filter, '{}'), '/filter', 1, 0, 0, v_order, v_metric) as c;

    -- k is the row of the index that has the order, s that of model_search.
    if v_order = 'metric' then
        v_key := 'k.value';
        v_type := 'double precision';
        v_columns := 'k.place';
        v_from := 'model_metrics as k where k.metric = $6';
        v_row := 'cross join lateral (select m.* from model_search as m where m.place = k.place offset 0) as s';
    else
        v_key := format('k.%s_at', v_order);
        v_type := 'timestamptz';
        v_columns := 'k.*';
        v_from := format('model_search as k where k.%s_at is not null', v_order);
        v_row := 'cross join lateral (select k.place, k.artifact_id, k.registered_at, k.trained_at, k.metrics, k.document) as s';
    end if;
    v_from := v_from || coalesce(v_plan.bound, '');
    if v_cursor is not null then
        v_from := v_from || format(
            ' and (%s, k.place) %s ($3::%s, $4)', v_key, case when search_models.descending then '<' else '>' end, v_type
        );
    end if;
    v_matches := coalesce(
        nullif(concat_ws(' and ', case when v_plan.words is not null then 's.document @@ $2' end, v_plan.condition), ''), 'true'
    );
    -- In order, from the first on, at most so many. The limit inside, and OFFSET 0, keep the planner from another order.
    v_in_order := format(
        'select s.place, k.key::text as key
        from (select %1$s, %2$s as key from %3$s order by %2$s %4$s, k.place %4$s %%s) as k
        %5$s
        where %6$s
        order by k.key %4$s, k.place %4$s
        limit $5',
        v_columns, v_key, v_from, v_direction, v_row, v_matches
    );
    -- All that match, found by another index, and of them the first.
    v_among_found := format(
        'with found as materialized (
            select s.place, %1$s as key from model_search as s%2$s where %3$s
        )
        select k.place, k.key::text as key
        from found as k
        where k.key is not null%4$s
        order by k.key %5$s, k.place %5$s
        limit $5',
        case when v_order = 'metric' then '(s.metrics ->> $6)::double precision' else format('s.%s_at', v_order) end,
        '%s',
        v_matches,
        case when v_cursor is not null
            then format(' and (k.key, k.place) %s ($3::%s, $4)', case when search_models.descending then '<' else '>' end, v_type)
            else ''
        end,
        v_direction
    );

    -- Among rows that are frequent, the first few in order hold a page. How many match among them says whether it is worth to go on, or
    -- better to find all of them by another index.
    select c.reltuples into v_all from pg_class as c where c.oid = 'model_search'::regclass;
    while coalesce(v_plan.driver_size > c_few, true) loop
        execute format('select array_agg(f.place), array_agg(f.key) from (%s) as f', format(v_in_order, 'limit ' || v_probed))
        into v_places, v_keys
        using v_plan.vals, v_plan.words, v_after_key, v_after_place, search_models.page_size, v_metric;
        v_found := coalesce(cardinality(v_places), 0);
        exit when v_found >= search_models.page_size;
        execute format(
            'select exists (select from (select from %s order by %s %s, k.place %3$s offset %4$s limit 1) as beyond)',
            v_from, v_key, v_direction, v_probed
        )
        into v_are_more
        using v_plan.vals, v_plan.words, v_after_key, v_after_place, search_models.page_size, v_metric;
        exit when not v_are_more;
        v_next := v_probed * 3 / 2 * search_models.page_size / greatest(v_found, 1);
        if v_plan.words is null or v_plan.bound is not null then
            exit when v_next > c_far;
        else
            -- All that have the words, or so many more in order? Of these, rows in the order of registration stand side by side.
            execute format(
                'select count(*)
                from (select %1$s, %2$s as key from %3$s order by %2$s %4$s, k.place %4$s limit %5$s) as k %6$s
                where s.document @@ $2',
                v_columns, v_key, v_from, v_direction, v_probed, v_row
            )
            into v_worded
            using v_plan.vals, v_plan.words, v_after_key, v_after_place, search_models.page_size, v_metric;
            exit when v_found = 0 or v_next > v_all * v_worded / v_probed * case v_order when 'metric' then 1 else 2 end;
        end if;
        v_are_more := false;
        v_probed := v_next;
    end loop;
    if coalesce(v_plan.driver_size <= c_few, false) or v_are_more then
        execute format(
            'select array_agg(f.place), array_agg(f.key) from (%s) as f',
            case
                when v_plan.driver_size <= c_few or (v_plan.words is null and v_plan.driver is not null)
                    then format(v_among_found, format(' inner join (%s) as d on s.place = d.place', v_plan.driver))
                when v_plan.words is not null then format(v_among_found, '')
                else format(v_in_order, 'offset 0')
            end
        )
        into v_places, v_keys
        using v_plan.vals, v_plan.words, v_after_key, v_after_place, search_models.page_size, v_metric;
    end if;

    return query
    select
        a.id, a.name, a.version_number, a.is_latest, v.promotion_state, v.is_external, a.title, a.metadata ->> 'model_family',
        a.metadata ->> 'framework', v.eval_metrics_json, s.registered_at,
        translate(
            encode(
                convert_to(
                    jsonb_build_array(search_models.order_by, search_models.descending, f.key, f.place)::text, 'UTF8'
                ),
                'base64'
            ),
            e'\n', ''
        )
    from unnest(v_places, v_keys) with ordinality as f (place, key, nth)
    inner join model_search as s on f.place = s.place
    inner join model_versions as v on v.artifact_id = s.artifact_id collate "default"
    inner join artifacts as a on v.artifact_id = a.id
    order by f.nth;
end
$function$;

comment on function search_models(jsonb, text, boolean, integer, text) is
$$Model versions that match a filter, a page of them. filter is an object of conditions, all of which must hold:
name, name_prefix, family, framework, task, state, text, trained_by, dataset (training_dataset or evaluation_dataset), base_model,
benchmark: a text, or a list of which one will do; is_external, is_latest: true or false; metric with op and value;
registered_since, registered_before, trained_since, trained_before; all: [filters], any: [filters].
order_by is registered, trained or metric:<name>; after is the cursor of the last row of the page before.
22023 with the place in DETAIL for what is not understood.$$;
