-- Metadata is the one source of declared facts: when it changes, the columns derived from it follow.
create or replace function sync_declared_facts()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
begin
    -- A legacy model that is given its place has no version row yet, and an UPDATE that finds no row costs as much as one that does: its
    -- statement triggers fire.
    if not exists (select from model_versions as v where v.artifact_id = new.id) then
        return null;
    end if;

    update model_versions as v
    set
        is_external = f.is_external,
        external_source_url = f.external_source_url,
        external_source_version = f.external_source_version,
        base_model_id = f.base_model_id,
        benchmark_id = f.benchmark_id,
        -- What was measured meanwhile stays; what is still the declared value follows the declaration.
        training_params_json = case
            when v.training_params_json is not distinct from was.training_params then f.training_params
            else v.training_params_json
        end,
        eval_metrics_json = case
            when
                v.eval_metrics_json is not distinct from was.eval_metrics
                and not exists (select from model_evaluations as e where e.artifact_id = v.artifact_id)
                then f.eval_metrics
            else v.eval_metrics_json
        end
    from
        _declared_facts(new.metadata) as f,
        -- Nothing was taken from what a legacy row said.
        _declared_facts(case when old.metadata_schema_version > 0 then old.metadata end) as was
    where v.artifact_id = new.id;
    return null;
end
$function$;

comment on function sync_declared_facts() is
$$Trigger function of artifacts_80_sync_declared_facts: carries changed metadata over to model_versions.$$;
