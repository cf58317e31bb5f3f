-- Declared facts have one source, the metadata: fills the columns derived from it and refuses any other value in them.
create or replace function derive_declared_facts()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_artifact record;
    v_differs text;
    v_base_type text;
begin
    if tg_op = 'INSERT' and (new.promotion_state is distinct from 'candidate' or new.first_promoted_at is not null) then
        raise exception 'a new version cannot start as %', coalesce(new.promotion_state, 'none') using
            errcode = 'MR001',
            detail = '/promotion_state: every version starts as candidate, never promoted before',
            hint = 'Register it, then use promote_model() or reject_model().',
            schema = tg_table_schema, table = tg_table_name, column = 'promotion_state';
    end if;

    select a.artifact_type, a.name, f.*
    into v_artifact
    from artifacts as a
    -- What a legacy row says was never validated, so nothing is derived from it.
    cross join lateral _declared_facts(case when a.metadata_schema_version > 0 then a.metadata end) as f
    where a.id = new.artifact_id;
    -- The foreign key is checked after the whole statement, when a WITH may have brought the artifact: too late for what follows.
    if not found then
        raise exception 'artifact % is not registered', new.artifact_id using
            errcode = 'foreign_key_violation',
            detail = format('/artifact_id: there is no artifact %s', new.artifact_id),
            hint = 'Insert the artifact in an earlier statement of the transaction, or use register_model().',
            schema = tg_table_schema, table = tg_table_name, column = 'artifact_id',
            constraint = 'model_versions_artifact_fkey';
    end if;
    if v_artifact.artifact_type <> 'model' then
        raise exception 'artifact % is no model', new.artifact_id using
            errcode = 'MR004',
            detail = format('/artifact_id: %s is a %s', new.artifact_id, v_artifact.artifact_type),
            hint = 'Only models have versions; register_model() registers one.',
            schema = tg_table_schema, table = tg_table_name, column = 'artifact_id';
    end if;

    if tg_op = 'INSERT' then
        new.registered_by := session_user;
        new.created_at := coalesce(new.created_at, now());
        new.model_name := coalesce(new.model_name, v_artifact.name);
        new.is_external := coalesce(new.is_external, false) or v_artifact.is_external;
        new.external_source_url := coalesce(new.external_source_url, v_artifact.external_source_url);
        new.external_source_version := coalesce(new.external_source_version, v_artifact.external_source_version);
        new.base_model_id := coalesce(new.base_model_id, v_artifact.base_model_id);
        new.benchmark_id := coalesce(new.benchmark_id, v_artifact.benchmark_id);
        new.training_params_json := coalesce(new.training_params_json, v_artifact.training_params);
        new.eval_metrics_json := coalesce(new.eval_metrics_json, v_artifact.eval_metrics);
    end if;

    v_differs := case
        when new.is_external is distinct from v_artifact.is_external then 'is_external'
        when new.external_source_url is distinct from v_artifact.external_source_url then 'external_source_url'
        when new.external_source_version is distinct from v_artifact.external_source_version then 'external_source_version'
        when new.base_model_id is distinct from v_artifact.base_model_id then 'base_model_id'
        when new.benchmark_id is distinct from v_artifact.benchmark_id then 'benchmark_id'
    end;
    if v_differs is not null then
        raise exception '% differs from the metadata of %', v_differs, v_artifact.name using
            errcode = 'MR005',
            detail = format('/%s: the metadata declares another value, or none', v_differs),
            hint = 'Declare it in the metadata and leave it out here: the column is derived.',
            schema = tg_table_schema, table = tg_table_name, column = v_differs;
    end if;

    if new.base_model_id = new.artifact_id then
        raise exception 'a model cannot be its own base' using
            errcode = 'MR007',
            detail = format('/metadata/base_model_id: %s is this version itself', new.artifact_id),
            hint = 'Leave it out for a model that was made from no other.',
            schema = tg_table_schema, table = tg_table_name, column = 'base_model_id';
    elsif new.base_model_id is not null then
        select a.artifact_type into v_base_type from artifacts as a where a.id = new.base_model_id;
        if v_base_type is distinct from 'model' then
            raise exception 'base model % is not registered', new.base_model_id using
                errcode = 'foreign_key_violation',
                detail = '/metadata/base_model_id: '
                || case when v_base_type is null then 'no such artifact' else 'that artifact is a ' || v_base_type end,
                hint = 'Register the base first, as an external model, and give its artifact id.',
                schema = tg_table_schema, table = tg_table_name, column = 'base_model_id',
                constraint = 'model_versions_base_model_fkey';
        end if;
    end if;

    if new.eval_dataset_artifact_id is not null
        and exists (select from artifacts as a where a.id = new.eval_dataset_artifact_id and a.artifact_type = 'model')
    then
        raise exception 'a model is no evaluation dataset' using
            errcode = 'foreign_key_violation',
            detail = format('/eval_dataset_artifact_id: %s is a model', new.eval_dataset_artifact_id),
            hint = 'Register the dataset with register_artifact() and give its id.',
            schema = tg_table_schema, table = tg_table_name, column = 'eval_dataset_artifact_id',
            constraint = 'model_versions_eval_dataset_fkey';
    end if;
    return new;
end
$function$;

comment on function derive_declared_facts() is
$$Trigger function of model_versions_10_derive_declared_facts and model_versions_30_guard_declared_facts. MR005 when a derived
column differs from the metadata, MR001 for an initial state other than candidate, MR004 for an artifact that is no model, 23503
for an artifact or a base that is not registered.$$;
