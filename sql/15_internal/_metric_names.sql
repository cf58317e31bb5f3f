-- The names of all metrics: one look into the index for each name, however many rows there are.
create or replace function _metric_names(max_names integer default 1000)
returns setof text
language sql stable called on null input parallel safe security invoker
set search_path from current
as $function$
    with recursive names (metric) as (
        (select m.metric from model_metrics as m order by m.metric limit 1)
        union all
        select (select m.metric from model_metrics as m where m.metric > n.metric order by m.metric limit 1)
        from names as n
        where n.metric is not null
    )

    select n.metric from names as n where n.metric is not null limit _metric_names.max_names
$function$;

comment on function _metric_names(integer) is
$$The names of the metrics of all versions, in order, the first max_names of them.$$;
