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
    v_metric text := substring(search_models.order_by from '^metric:(.*)$');
    v_order text := case when v_metric is null then search_models.order_by else 'metric' end;
    v_cursor jsonb;
    v_after_key text;
    v_after_place bigint;
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
    -- 1e100000 is 8 bytes stored and 100 kB as text.
    if not is_bounded_metadata('model', 1, search_models.filter) then
        perform _refuse_search('/filter', 'holds a number that no metric has', 'Numbers must lie within ±1.797e308.');
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
    from _search_page(
        coalesce(search_models.filter, '{}'), v_order, v_metric, search_models.descending, search_models.page_size, v_after_key,
        v_after_place
    ) with ordinality as f (place, key, nth)
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
