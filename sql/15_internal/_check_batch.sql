-- The form of register_models()'s argument: an array of objects with nothing in them that would go unnoticed.
create or replace function _check_batch(models jsonb)
returns void
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
declare
    -- Which JSON each parameter takes; any at all for those of type jsonb.
    v_arguments constant jsonb := (
        select jsonb_object_agg(
            a.attname,
            case a.atttypid
                when 'text'::regtype then 'string'
                when 'timestamptz'::regtype then 'time'
                when 'boolean'::regtype then 'boolean'
                else 'any'
            end
        )
        from pg_attribute as a
        where a.attrelid = 'model_registration'::regclass and a.attnum > 0 and not a.attisdropped
    );
    v_names constant text[] := array(select k.key from jsonb_each_text(v_arguments) as k);
    v_not_texts constant text[] := array(select k.key from jsonb_each_text(v_arguments) as k where k.value <> 'string');
    v_not_times constant text[] := array(select k.key from jsonb_each_text(v_arguments) as k where k.value in ('string', 'any'));
    v_problems text;
begin
    -- One quick look first: nearly every array is well formed.
    if
        jsonb_typeof(models) = 'array'
        and not exists (
            select from jsonb_array_elements(models) as e (element)
            where
                jsonb_typeof(e.element) <> 'object'
                or e.element - v_names <> '{}'
                or jsonb_path_exists(e.element - v_not_texts, 'strict $.* ? (@.type() != "string" && @.type() != "null")')
                or jsonb_path_exists(
                    e.element - v_not_times,
                    'strict $.* ? (@.type() != "null" && (@.type() != "string"'
                    ' || !(@ like_regex "^[0-9].*:[0-9.]+ *([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$")))'
                )
        )
    then
        return;
    end if;

    if jsonb_typeof(models) is distinct from 'array' then
        v_problems := format(': must be an array, not %s', coalesce(jsonb_typeof(models), 'NULL'));
    else
        select string_agg(p.problem, e'\n')
        into v_problems
        from (
            select format('/%s: must be an object, not %s', e.place - 1, jsonb_typeof(e.element)) as problem
            from jsonb_array_elements(models) with ordinality as e (element, place)
            where jsonb_typeof(e.element) <> 'object'
            union all
            select
                format(
                    '/%s/%s: %s', given.place - 1,
                    -- A JSON pointer on one line, whatever the key is.
                    left(btrim(to_json(replace(replace(given.key, '~', '~0'), '/', '~1'))::text, '"'), 256),
                    case
                        when given.asked is null then 'is not a parameter of register_model()'
                        when given.asked = 'time' and given.type = 'string' then 'must be a date and time with its offset, such as 2024-05-01T12:00:00Z'
                        else format('must be a %s, not %s', replace(given.asked, 'time', 'string'), given.type)
                    end
                )
            from (
                select e.place, m.key, m.value, jsonb_typeof(m.value) as type, v_arguments ->> m.key as asked
                from jsonb_array_elements(models) with ordinality as e (element, place)
                cross join lateral jsonb_each(
                    case when jsonb_typeof(e.element) = 'object' then e.element else '{}' end
                ) as m
            ) as given
            where
                given.asked is null
                -- 'yesterday', or a time without its offset, would mean another instant at another attempt or in another session.
                or (given.asked = 'time' and given.type = 'string' and given.value #>> '{}' !~ '^[0-9].*:[0-9.]+ *([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$')
                or (given.type <> 'null' and given.asked <> 'any' and given.type <> replace(given.asked, 'time', 'string'))
            limit 100
        ) as p;
    end if;
    if v_problems is not null then
        raise exception 'the models to register are not well formed' using
            errcode = 'invalid_parameter_value',
            detail = v_problems,
            hint = 'Give [{"name": …, "metadata": {…}}, …]; the keys are the parameters of register_model().';
    end if;
end
$function$;

comment on function _check_batch(jsonb) is
$$Refuses (22023) what is no array of objects, keys that are no parameter of register_model(), and values of another JSON type
than the parameter's, which would silently become text.$$;
