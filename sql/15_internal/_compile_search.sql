-- Turns a filter of search_models() into what is executed: SQL put together from the fragments below, which hold nothing that was given
-- but the numbers of places in the array of values.
create or replace function _compile_search(
    filter jsonb,
    place text,
    depth integer,
    values_before integer,
    conditions_before integer,
    order_key text,
    order_metric text,
    out words tsquery,
    out condition text,
    out bound text,
    out driver text,
    out driver_size integer,
    out driver_kind text,
    out driver_words tsquery,
    out branches jsonb,
    out vals text[],
    out conditions integer
)
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    c_texts constant text[] := array[
        'name', 'name_prefix', 'family', 'framework', 'task', 'state', 'text', 'trained_by', 'dataset', 'training_dataset',
        'evaluation_dataset', 'base_model', 'benchmark'
    ];
    c_keys constant text[] := c_texts || array[
        'all', 'any', 'metric', 'op', 'value', 'is_external', 'is_latest', 'registered_since', 'registered_before',
        'trained_since', 'trained_before'
    ];
    c_states constant text[] := array['candidate', 'promoted', 'rejected', 'superseded'];
    c_few constant integer := 1000;
    v_key text;
    v_value jsonb;
    v_at text;
    v_texts text[];
    v_text text;
    v_query tsquery;
    v_number numeric;
    v_child record;
    v_has_conditions boolean;
    v_has_words boolean;
    v_query_of_any tsquery;
    v_conditions text[];
    v_listed text[];
    v_drivers text[];
    v_few text;
    v_size integer;
    v_operator text;
    v_column text;
    v_since text;
    v_before text;
    v_time timestamptz;
    v_is_bound boolean;
begin
    vals := '{}';
    conditions := conditions_before;
    if jsonb_typeof(filter) is distinct from 'object' then
        perform _refuse_search(place, 'must be a JSON object', 'For instance {"family": "resnet", "state": "promoted"}.');
    end if;
    if depth > 8 then
        perform _refuse_search(place, 'is nested more than 8 levels deep', 'all inside all, and any inside any, can be one.');
    end if;
    if filter = '{}' and depth > 1 then
        perform _refuse_search(place, 'holds no condition', 'Leave it out.');
    end if;

    for v_key, v_value in select e.key, e.value from jsonb_each(filter) as e loop
        v_at := place || '/' || replace(replace(v_key, '~', '~0'), '/', '~1');
        v_is_bound := false;
        v_few := null;
        conditions := conditions + 1;
        if conditions > 100 then
            perform _refuse_search(place, 'holds more than 100 conditions', 'Ask in several parts; a list of texts counts as one.');
        end if;

        if v_key = any(c_texts) then
            if jsonb_typeof(v_value) = 'string' then
                v_value := jsonb_build_array(v_value);
            elsif jsonb_typeof(v_value) <> 'array' or jsonb_array_length(v_value) not between 1 and 100
                or v_value @? '$[*] ? (@.type() != "string")'
            then
                perform _refuse_search(v_at, 'must be a text, or a list of 1 to 100 texts', 'Any text of a list will do.');
            end if;
            v_texts := array(select e.element from jsonb_array_elements_text(v_value) as e (element));
            v_query := null;
            v_listed := '{}';
            foreach v_text in array v_texts loop
                if v_key = 'state' and v_text <> all(c_states) then
                    perform _refuse_search(
                        v_at, 'is not a promotion state',
                        'A version is ' || array_to_string(c_states, ', ', '') || '.'
                    );
                end if;
                if v_key in ('family', 'framework', 'task') then
                    v_text := lower(v_text);
                end if;
                if v_key = 'name_prefix' and (v_text = '' or char_length(v_text) > 256) then
                    perform _refuse_search(v_at, 'must be 1 to 256 characters', 'A name has no more.');
                end if;
                if v_key = 'text' and (octet_length(v_text) > 1000 or _search_words(v_key, v_text) is null) then
                    perform _refuse_search(
                        v_at, 'must hold a word, and at most 1,000 bytes', 'Words are letters and digits; class* finds classifier.'
                    );
                end if;
                if v_key = 'family' then
                    vals := vals || substr(_search_term('family', v_text), 9);
                    v_listed := v_listed || format('$1[%s]', values_before + cardinality(vals));
                end if;
                v_query := coalesce(v_query || w.words, w.words)
                from (
                    select case v_key
                        when 'dataset'
                            then _search_words('training_dataset', v_text) || _search_words('evaluation_dataset', v_text)
                        else _search_words(v_key, v_text)
                    end as words
                ) as w;
            end loop;
            words := coalesce(words && v_query, v_query);
            if v_key = 'family' and cardinality(v_texts) = 1 and order_key = 'registered' then
                bound := concat(bound, ' and k.family = ' || v_listed[1]);
                continue;
            elsif v_key = 'family' then
                v_text := 'select t.* from model_search as t where t.family in (' || array_to_string(v_listed, ', ') || ')';
            else
                -- The latest of some names are far fewer than their versions.
                continue when v_key <> 'name_prefix' or cardinality(v_texts) > 1 or filter -> 'is_latest' is distinct from 'true';
                vals := vals || v_text;
                v_text := format(
                    'where a.is_latest and a.name ~>=~ $1[%1$s] and a.name ~<~ ($1[%1$s] || chr(1114111))',
                    values_before + cardinality(vals)
                );
                v_few := 'select from artifacts as a ' || v_text;
                v_text := 'select t.* from artifacts as a inner join model_search as t on a.id = t.artifact_id ' || v_text;
                v_is_bound := true;
            end if;

        elsif v_key in ('is_external', 'is_latest') then
            if jsonb_typeof(v_value) <> 'boolean' then
                perform _refuse_search(v_at, 'must be true or false', 'Leave it out when it does not matter.');
            end if;
            if v_key = 'is_external' then
                v_query := _search_words(v_key, v_value #>> '{}');
                words := coalesce(words && v_query, v_query);
            else
                -- Not in the document: every registration would have to write that of the version before anew. A subquery and no
                -- EXISTS, which could be turned into a join with all that are the latest.
                condition := concat_ws(
                    ' and ', condition,
                    '(select a.is_latest from artifacts as a where a.id = s.artifact_id collate "default") = '
                    || case when v_value = 'true' then 'true' else 'false' end
                );
            end if;
            continue;

        elsif v_key in ('op', 'value') then
            if not filter ? 'metric' then
                perform _refuse_search(
                    v_at, 'belongs to a metric', 'For instance {"metric": "auroc", "op": ">=", "value": 0.9}.'
                );
            end if;
            continue;

        elsif v_key = 'metric' then
            if jsonb_typeof(v_value) <> 'string' then
                perform _refuse_search(v_at, 'must be the name of a metric', 'For instance {"metric": "auroc", "op": ">=", "value": 0.9}.');
            end if;
            v_text := v_value #>> '{}';
            perform _check_metric(v_text, v_at);
            vals := vals || v_text;
            v_size := values_before + cardinality(vals);
            if not filter ?| array['op', 'value'] then
                condition := concat_ws(' and ', condition, format('s.metrics ->> $1[%s] is not null', v_size));
                if order_key = 'metric' and order_metric = v_text then
                    continue;
                end if;
                v_operator := '';
            else
                v_operator := case filter ->> 'op'
                    when '>=' then '>=' when '>' then '>' when '<=' then '<=' when '<' then '<' when '=' then '='
                end;
                if v_operator is null then
                    perform _refuse_search(place || '/op', 'must be one of >=, >, <=, <, =', 'Two conditions on one metric make a range.');
                end if;
                if jsonb_typeof(filter -> 'value') is distinct from 'number' then
                    perform _refuse_search(place || '/value', 'must be a number', 'Leave op and value out to ask whether there is one.');
                end if;
                v_number := (filter -> 'value')::numeric;
                if abs(v_number) > 1.797e308 then
                    perform _refuse_search(place || '/value', 'must be a finite double', 'No metric is beyond that.');
                end if;
                vals := vals || case when abs(v_number) < 1e-307 then 0 else v_number end::text;
                condition := concat_ws(
                    ' and ', condition,
                    format('(s.metrics ->> $1[%s])::double precision %s $1[%s]::double precision', v_size, v_operator, v_size + 1)
                );
                v_operator := format(' and m.value %s $1[%s]::double precision', v_operator, v_size + 1);
                if order_key = 'metric' and order_metric = v_text then
                    bound := concat(bound, replace(v_operator, 'm.', 'k.'));
                    v_is_bound := true;
                end if;
            end if;
            v_text := format('select m.place from model_metrics as m where m.metric = $1[%s]%s', v_size, v_operator);

        elsif v_key in ('registered_since', 'registered_before', 'trained_since', 'trained_before') then
            if jsonb_typeof(v_value) <> 'string' or (v_value #>> '{}')
                !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?$'
            then
                perform _refuse_search(
                    v_at, 'must be a time as ISO 8601 writes it', 'For instance "2026-05-01" or "2026-05-01T12:00:00Z"; without an offset it is UTC.'
                );
            end if;
            begin
                v_time := (v_value #>> '{}')::timestamptz;
            exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
                perform _refuse_search(v_at, 'is no time of the calendar', 'Correct the month, the day or the hour.');
            end;
            vals := vals || v_time::text;
            v_size := values_before + cardinality(vals);
            v_column := case when v_key in ('registered_since', 'registered_before') then 'registered_at' else 'trained_at' end;
            v_operator := format(
                '%s %s $1[%s]::timestamptz', v_column, case when v_key in ('registered_since', 'trained_since') then '>=' else '<' end, v_size
            );
            condition := concat_ws(' and ', condition, 's.' || v_operator);
            if order_key || '_at' = v_column then
                bound := concat(bound, ' and k.' || v_operator);
                continue;
            end if;
            -- Both ends of a range are one driver, made with the second (keys come in the order of their length).
            if v_column = 'registered_at' then
                v_since := concat(v_since, ' and t.' || v_operator);
                continue when v_key = 'registered_since' and filter ? 'registered_before';
                v_text := 'select t.* from model_search as t where true' || v_since;
            else
                v_before := concat(v_before, ' and t.' || v_operator);
                continue when v_key = 'trained_since' and filter ? 'trained_before';
                v_text := 'select t.* from model_search as t where true' || v_before;
            end if;

        elsif v_key in ('all', 'any') then
            if jsonb_typeof(v_value) <> 'array' or jsonb_array_length(v_value) = 0 then
                perform _refuse_search(v_at, 'must be a list of at least one filter', 'For instance {"any": [{"state": "promoted"}, {"is_external": true}]}.');
            end if;
            v_has_conditions := false;
            v_has_words := true;
            v_query_of_any := null;
            v_conditions := '{}';
            v_drivers := '{}';
            v_size := 0;
            for v_nth in 0 .. jsonb_array_length(v_value) - 1 loop
                select c.* into v_child
                from _compile_search(
                    v_value -> v_nth, v_at || '/' || v_nth, depth + 1, values_before + cardinality(vals), conditions, order_key, order_metric
                ) as c;
                vals := vals || v_child.vals;
                conditions := v_child.conditions;
                if v_key = 'all' then
                    words := coalesce(words && v_child.words, words, v_child.words);
                    condition := nullif(concat_ws(' and ', condition, v_child.condition), '');
                    bound := nullif(concat(bound, v_child.bound), '');
                    if v_child.driver is not null and (driver_size is null or v_child.driver_size < driver_size) then
                        driver := v_child.driver;
                        driver_size := v_child.driver_size;
                        driver_kind := v_child.driver_kind;
                        driver_words := v_child.driver_words;
                    end if;
                    continue;
                end if;
                v_has_conditions := v_has_conditions or v_child.condition is not null;
                v_has_words := v_has_words and v_child.words is not null;
                v_query_of_any := coalesce(v_query_of_any || v_child.words, v_query_of_any, v_child.words);
                v_text := null;
                if v_child.words is not null then
                    vals := vals || v_child.words::text;
                    v_text := format('s.document @@ $1[%s]::tsquery', values_before + cardinality(vals));
                    if coalesce(v_child.driver_size > c_few, true) then
                        v_child.driver := format(
                            'select t.* from model_search as t where t.document @@ $1[%s]::tsquery', values_before + cardinality(vals)
                        );
                        v_child.driver_size := c_few + 1;
                    end if;
                end if;
                v_conditions := v_conditions || concat_ws(' and ', v_text, v_child.condition);
                v_drivers := v_drivers || ('select t.place from (' || v_child.driver || ') as t');
                v_size := v_size + v_child.driver_size;
            end loop;
            if v_key = 'all' then
                continue;
            end if;
            -- Where every branch has words, one of these must match, and one look into the index finds them all.
            if v_has_words then
                words := coalesce(words && v_query_of_any, v_query_of_any);
            end if;
            continue when not v_has_conditions;
            -- The first of either are the first of the first of each. The search for one meets fewer rows, and has an order of its own.
            if depth = 1 and jsonb_array_length(v_value) <= 4 then
                branches := (
                    select jsonb_agg(filter - 'any' || jsonb_build_object('all', coalesce(filter -> 'all', '[]') || jsonb_build_array(b.branch)))
                    from jsonb_array_elements(v_value) as b (branch)
                );
            end if;
            condition := concat_ws(' and ', condition, '(' || array_to_string(v_conditions, ' or ') || ')');
            if array_position(v_drivers, null) is null and (driver_size is null or v_size < driver_size) then
                driver := array_to_string(v_drivers, ' union ');
                driver_size := v_size;
                driver_kind := 'union';
                driver_words := null;
            end if;
            continue;

        else
            v_texts := _nearest(v_key, c_keys);
            perform _refuse_search(
                v_at, 'is not a condition',
                case when cardinality(v_texts) > 0 then 'Did you mean ' || array_to_string(v_texts, ', ') || '? ' else '' end
                || 'There are ' || array_to_string(c_keys, ', ') || '.'
            );
        end if;

        -- Whether it is a few rows that a comparison leaves is worth a look into its index.
        execute format('select count(*) from (%s limit %s) as few', coalesce(v_few, v_text), c_few + 1)
        into v_size
        using case when values_before > 0 then array_fill(null::text, array[values_before]) || vals else vals end;
        continue when v_is_bound and v_size > c_few;
        if driver_size is null or v_size < driver_size then
            driver := v_text;
            driver_size := v_size;
            driver_kind := case v_key when 'metric' then 'places' else 'rows' end;
            driver_words := case v_key when 'family' then v_query end;
        end if;
        -- These few are what is asked for, no more and no less.
        if v_key = 'name_prefix' and depth = 1 and filter - array['name_prefix', 'is_latest'] = '{}' then
            words := null;
            condition := null;
        end if;
    end loop;
end
$function$;

comment on function _compile_search(jsonb, text, integer, integer, integer, text, text) is
$$For search_models(): a row of model_search as s matches the filter when words match its document and condition, SQL, holds. bound is
the part of it that is said of the index of the order (k), vals what $1 stands for. driver is SQL that gives the places of rows, among
them all that match (driver_size, at most 1,001 of each part counted): driver_kind places, or rows of model_search, or a union of
places; driver_words are those of words that say the same.
branches are filters of which a row that matches meets one.$$;
