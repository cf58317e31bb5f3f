-- Refuses arguments that contradict the metadata or name what is not there, in words that a foreign key does not have.
create or replace function _check_references(registrations model_registration[])
returns void
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_missing text;
    v_column text;
begin
    if exists (
        select from unnest(registrations) as m
        where
            m.is_external is not null
            and jsonb_typeof(m.metadata -> 'is_external') = 'boolean'
            and m.is_external <> (m.metadata -> 'is_external')::boolean
    ) then
        raise exception 'is_external differs from the metadata' using
            errcode = 'MR005',
            detail = '/is_external: the metadata declares the other value',
            hint = 'Declare it in the metadata and leave it out here: the column is derived.',
            schema = current_schema(), table = 'model_versions', column = 'is_external';
    end if;

    select string_agg(format('/%s: there is no artifact %s', r.column_name, r.id), e'\n'), min(r.column_name)
    into v_missing, v_column
    from (
        (
            select 'parent_version_id' as column_name, m.parent_version_id as id
            from unnest(registrations) as m
            where m.parent_version_id is not null
            except
            select 'parent_version_id', m.artifact_id
            from unnest(registrations) as m
        )
        union all
        select distinct 'eval_dataset_artifact_id', m.eval_dataset_artifact_id
        from unnest(registrations) as m
        where m.eval_dataset_artifact_id is not null
    ) as r
    where not exists (select from artifacts as a where a.id = r.id);
    if v_missing is not null then
        raise exception '% names an artifact that is not registered', v_column using
            errcode = 'foreign_key_violation',
            detail = v_missing,
            hint = 'Register it first: register_model() for a model, register_artifact() for a dataset.',
            schema = current_schema(), column = v_column,
            table = case v_column when 'parent_version_id' then 'artifacts' else 'model_versions' end,
            constraint = case v_column
                when 'parent_version_id' then 'artifacts_parent_fkey' else 'model_versions_eval_dataset_fkey'
            end;
    end if;
end
$function$;

comment on function _check_references(model_registration[]) is
$$Refuses an is_external that contradicts the metadata (MR005) and a parent or dataset that does not exist (23503).$$;
