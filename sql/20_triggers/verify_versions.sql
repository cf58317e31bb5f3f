-- What one INSERT brought is what the metadata declares, whatever the row trigger was told; and no chain of parents and bases leads
-- back to where it began: the same as check_parents(), for the edges that come last.
create or replace function verify_versions()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_false record;
    v_found text;
begin
    -- Nearly every statement ends here: nothing given but what is declared, and no base.
    if not exists (
        select
        from new_rows as n
        -- By index for each row: a join might come to be planned over all artifacts.
        left join lateral (select * from artifacts as c where c.id = n.artifact_id limit 1) as a on true
        cross join lateral _declared_facts(case when a.metadata_schema_version > 0 then a.metadata end) as f
        where
            a.artifact_type is distinct from 'model'
            or n.model_name is distinct from a.name
            or n.registered_by <> session_user
            or n.promotion_state <> 'candidate'
            or n.first_promoted_at is not null
            or n.base_model_id is not null
            or f.base_model_id is not null
            or n.is_external is distinct from f.is_external
            or n.external_source_url is distinct from f.external_source_url
            or n.external_source_version is distinct from f.external_source_version
            or n.benchmark_id is distinct from f.benchmark_id
            or n.training_params_json is distinct from f.training_params
            or n.eval_metrics_json is distinct from f.eval_metrics
    ) then
        return null;
    end if;

    select p.*
    into v_false
    from (
        select
            a.id,
            a.name,
            a.artifact_type,
            case
                when a.artifact_type is distinct from 'model' then 'artifact_id'
                when n.model_name is distinct from a.name then 'model_name'
                when n.registered_by <> session_user then 'registered_by'
                when n.promotion_state <> 'candidate' then 'promotion_state'
                when n.first_promoted_at is not null then 'first_promoted_at'
                when n.is_external is distinct from f.is_external then 'is_external'
                when n.external_source_url is distinct from f.external_source_url then 'external_source_url'
                when n.external_source_version is distinct from f.external_source_version then 'external_source_version'
                when n.base_model_id is distinct from f.base_model_id then 'base_model_id'
                when n.benchmark_id is distinct from f.benchmark_id then 'benchmark_id'
                -- These may be given as they were measured, but then as numbers that can be written out.
                when
                    n.training_params_json is distinct from f.training_params
                    and has_bounded_numbers(n.training_params_json) is not true
                    then 'training_params_json'
                when
                    n.eval_metrics_json is distinct from f.eval_metrics
                    and has_bounded_numbers(n.eval_metrics_json) is not true
                    then 'eval_metrics_json'
            end as differs
        from new_rows as n
        left join lateral (select * from artifacts as c where c.id = n.artifact_id limit 1) as a on true
        cross join lateral _declared_facts(case when a.metadata_schema_version > 0 then a.metadata end) as f
    ) as p
    where p.differs is not null
    limit 1;
    if v_false.differs = 'artifact_id' then
        raise exception 'artifact % is no model', v_false.id using
            errcode = 'MR004',
            detail = format('/artifact_id: %s is a %s', v_false.id, v_false.artifact_type),
            hint = 'Only models have versions; register_model() registers one.',
            schema = tg_table_schema, table = tg_table_name, column = 'artifact_id';
    elsif v_false.differs in ('promotion_state', 'first_promoted_at') then
        raise exception 'a new version cannot start as it was given' using
            errcode = 'MR001',
            detail = '/promotion_state: every version starts as candidate, never promoted before',
            hint = 'Register it, then use promote_model() or reject_model().',
            schema = tg_table_schema, table = tg_table_name, column = 'promotion_state';
    elsif v_false.differs in ('model_name', 'registered_by') then
        raise exception 'column % of version % is kept by the database', v_false.differs, v_false.id using
            errcode = 'MR005',
            detail = format('/%s: is not what the registry knows', v_false.differs),
            hint = 'Leave it out: the database fills it.',
            schema = tg_table_schema, table = tg_table_name, column = v_false.differs;
    elsif v_false.differs is not null then
        raise exception '% differs from the metadata of %', v_false.differs, v_false.name using
            errcode = 'MR005',
            detail = format('/%s: the metadata declares another value, or none', v_false.differs),
            hint = 'Declare it in the metadata and leave it out here: the column is derived.',
            schema = tg_table_schema, table = tg_table_name, column = v_false.differs;
    elsif not exists (select from new_rows as n where n.base_model_id is not null) then
        return null;
    end if;

    -- A cycle holds a new row that is pointed at from outside this statement, or an edge to no earlier row of it.
    with ranked as (
        select n.artifact_id, n.base_model_id, a.parent_version_id, row_number() over () as place
        from new_rows as n
        inner join artifacts as a on n.artifact_id = a.id
    ),

    suspects as (
        select source.artifact_id
        from ranked as source
        inner join ranked as target on source.base_model_id = target.artifact_id
        where target.place >= source.place
        union
        select source.artifact_id
        from ranked as source
        inner join ranked as target on source.parent_version_id = target.artifact_id
        where target.place >= source.place
        union
        select source.artifact_id
        from ranked as source
        where exists (
            select from artifacts as child
            where
                child.parent_version_id = source.artifact_id
                and not exists (select from ranked as r where r.artifact_id = child.id)
        )
        union
        select source.artifact_id
        from ranked as source
        where exists (
            select from model_versions as derived
            where
                derived.base_model_id = source.artifact_id
                and not exists (select from ranked as r where r.artifact_id = derived.artifact_id)
        )
    )

    select array_to_string(_lineage_cycles(array_agg(s.artifact_id)), ', ')
    into v_found
    from suspects as s;
    if v_found <> '' then
        raise exception 'lineage would run in a circle' using
            errcode = 'MR007',
            detail = '/metadata/base_model_id: ' || v_found || ' would be made from each other in a circle',
            hint = 'A version can only be made from versions that were there before it.',
            schema = tg_table_schema, table = tg_table_name, column = 'base_model_id';
    end if;
    return null;
end
$function$;

comment on function verify_versions() is
$$Trigger function of model_versions_60_verify_versions: MR005 when a derived or kept column is not what it must be, MR001 for an
initial state other than candidate, MR004 for an artifact that is no model, MR007 when lineage would be cyclic.$$;
