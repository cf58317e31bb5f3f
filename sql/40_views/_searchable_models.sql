-- The one place that says what is searched: the rows of model_search as they are to be.
create or replace view _searchable_models as
select
    v.artifact_id,
    v.created_at as registered_at,
    v.training_completed_at as trained_at,
    substr(_search_term('family', lower(a.metadata ->> 'model_family')), 9) as family,
    -- What is no finite double is put right or left out; nearly always there is nothing of the kind, which is cheap to see.
    case
        when v.eval_metrics_json is null then '{}'
        when
            octet_length(v.eval_metrics_json::text) <= 1000
            and not v.eval_metrics_json @? '$.* ? (@.type() != "number" || !(@ == 0 || @.abs() >= 1e-307 && @.abs() <= 1.797e308))'
            then v.eval_metrics_json
        else coalesce(
                (
                    select jsonb_object_agg(n.key, case when abs(n.value) < 1e-307 then 0 else n.value end)
                    from (
                        select
                            e.key,
                            case when jsonb_typeof(e.value) = 'number' then e.value::numeric end as value
                        from jsonb_each(v.eval_metrics_json) as e (key, value)
                    ) as n
                    where abs(n.value) <= 1.797e308 and octet_length(n.key) <= 1000
                ),
                '{}'
            )
    end as metrics,
    -- A tsvector holds 1 MiB, and a list of datasets may be as long: what is searched of a long text or list is its beginning.
    strip(to_tsvector('simple', concat_ws(' ', v.model_name, left(a.title, 1000), left(a.metadata ->> 'description', 10000))))
    || array_to_tsvector(array_remove(
        array[
            _search_term('name', v.model_name),
            _search_term('state', v.promotion_state),
            _search_term('is_external', v.is_external::text),
            _search_term('family', lower(a.metadata ->> 'model_family')),
            _search_term('framework', lower(a.metadata ->> 'framework')),
            _search_term('task', lower(a.metadata ->> 'task')),
            _search_term('trained_by', v.trained_by),
            _search_term('base_model', v.base_model_id),
            _search_term('benchmark', v.benchmark_id),
            _search_term('evaluation_dataset', v.eval_dataset_artifact_id)
        ]
        || case jsonb_typeof(a.metadata -> 'training_data')
            when 'string' then array[_search_term('training_dataset', a.metadata ->> 'training_data')]
            when 'array' then array(
                    select _search_term('training_dataset', e.element)
                    from jsonb_array_elements_text(a.metadata -> 'training_data') with ordinality as e (element, place)
                    where e.place <= 300
                )
        end
        || case jsonb_typeof(a.metadata -> 'evaluation_dataset')
            when 'string' then array[_search_term('evaluation_dataset', a.metadata ->> 'evaluation_dataset')]
            when 'array' then array(
                    select _search_term('evaluation_dataset', e.element)
                    from jsonb_array_elements_text(a.metadata -> 'evaluation_dataset') with ordinality as e (element, place)
                    where e.place <= 300
                )
        end,
        null
    )) as document
from model_versions as v
inner join artifacts as a on v.artifact_id = a.id;

comment on view _searchable_models is
$$The rows of model_search as they are to be.$$;
