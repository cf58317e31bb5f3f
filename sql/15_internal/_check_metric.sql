-- Refuses the name of a metric that no version has.
create or replace function _check_metric(metric text, place text)
returns void
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $function$
#variable_conflict use_column
declare
    v_near text[];
begin
    if not exists (select from model_metrics as m where m.metric = _check_metric.metric) then
        v_near := _nearest(_check_metric.metric, array(select n.name from _metric_names() as n (name)));
        perform _refuse_search(
            place,
            'no model has a metric of this name',
            case
                when cardinality(v_near) > 0 then 'Did you mean ' || array_to_string(v_near, ', ') || '?'
                else 'select distinct jsonb_object_keys(latest_metrics) from models lists the metrics there are.'
            end
        );
    end if;
end
$function$;

comment on function _check_metric(text, text) is
$$Raises 22023 with the nearest names when no model version has a metric of the given name.$$;
