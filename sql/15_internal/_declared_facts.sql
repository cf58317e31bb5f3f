-- The one place that says which columns of model_versions follow from the metadata.
-- No SET clause, so that it is inlined into the statements of its callers, whose search_path is pinned.
create or replace function _declared_facts(metadata jsonb)
returns table (
    is_external boolean,
    external_source_url text,
    external_source_version text,
    base_model_id text,
    benchmark_id text,
    training_params jsonb,
    eval_metrics jsonb
)
language sql immutable called on null input parallel safe security invoker
as $function$
    select
        coalesce((metadata -> 'is_external') = 'true'::jsonb, false),
        metadata ->> 'external_source_url',
        metadata ->> 'external_source_version',
        metadata ->> 'base_model_id',
        metadata ->> 'benchmark_id',
        metadata -> 'training_config',
        metadata -> 'evaluation_metrics'
$function$;

comment on function _declared_facts(jsonb) is
$$The facts that model_versions takes from a model's metadata; the last two are starting values.$$;
