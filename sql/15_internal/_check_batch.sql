-- The form of register_models()'s argument: an array of objects with nothing in them that would go unnoticed.
create or replace function _check_batch(models jsonb)
returns void
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
declare
    v_arguments constant text[] := array(
        select a.attname::text
        from pg_attribute as a
        where a.attrelid = 'model_registration'::regclass and a.attnum > 0 and not a.attisdropped
    );
    v_problems text;
begin
    if jsonb_typeof(models) is distinct from 'array' then
        v_problems := format(': must be an array, not %s', coalesce(jsonb_typeof(models), 'NULL'));
    else
        select string_agg(p.problem, e'\n')
        into v_problems
        from (
            select
                case
                    when jsonb_typeof(e.element) <> 'object' then
                        format('/%s: must be an object, not %s', e.place - 1, jsonb_typeof(e.element))
                    else
                        format('/%s/%s: is not a parameter of register_model()', e.place - 1, k.unknown)
                end as problem
            from jsonb_array_elements(models) with ordinality as e (element, place)
            left join lateral jsonb_object_keys(
                case when jsonb_typeof(e.element) = 'object' then e.element - v_arguments else '{}' end
            ) as k (unknown) on true
            where jsonb_typeof(e.element) <> 'object' or k.unknown is not null
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
$$Refuses (22023) what is no array of objects, and keys that are no parameter of register_model().$$;
