-- Refuses arguments that cannot be, before anything is locked, in words that a constraint does not have.
create or replace function _check_arguments(registrations model_registration[])
returns void
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_refused record;
begin
    -- Most registrations give none of these.
    if not exists (
        select from unnest(registrations) as m
        where num_nonnulls(m.is_external, m.artifact_id, m.parent_version_id, m.eval_dataset_artifact_id) > 0
    ) then
        return;
    end if;

    select
        min(p.code) as code,
        min(p.column_name) as column_name,
        string_agg(format('/%s: %s', p.column_name, p.problem), e'\n') as detail
    into v_refused
    from (
        -- The most telling kind of problem first; the others wait until it is mended.
        select k.*, rank() over (order by k.kind) as place
        from (
            select 1 as kind, 'MR005' as code, 'is_external' as column_name, 'the metadata declares the other value' as problem
            from unnest(registrations) as m
            where
                m.is_external is not null
                and jsonb_typeof(m.metadata -> 'is_external') = 'boolean'
                and m.is_external <> (m.metadata -> 'is_external')::boolean
            union all
            select 2, '22023', 'artifact_id', 'must be 1 to 256 characters without white space or control characters'
            from unnest(registrations) as m
            where not _is_artifact_id(m.artifact_id)
            union all
            select 3, '23505', 'artifact_id', 'is taken'
            from unnest(registrations) as m
            inner join artifacts as a on m.artifact_id = a.id
            where m.idempotency_key is null
            union all
            select 4, '23503', 'parent_version_id', format('there is no artifact %s', r.id)
            from (
                select m.parent_version_id as id
                from unnest(registrations) as m
                where m.parent_version_id is not null
                except
                select m.artifact_id
                from unnest(registrations) as m
            ) as r
            where not exists (select from artifacts as a where a.id = r.id)
            union all
            select 5, '23503', 'eval_dataset_artifact_id', format('there is no artifact %s', r.id)
            from (
                select distinct m.eval_dataset_artifact_id as id
                from unnest(registrations) as m
                where m.eval_dataset_artifact_id is not null
            ) as r
            where not exists (select from artifacts as a where a.id = r.id)
        ) as k
    ) as p
    where p.place = 1;

    if v_refused.code is not null then
        raise exception '%', case v_refused.code
            when 'MR005' then 'is_external differs from the metadata'
            when '23503' then v_refused.column_name || ' names an artifact that is not registered'
            when '23505' then 'artifact_id is taken'
            else 'artifact_id is not well formed'
        end using
            errcode = v_refused.code,
            detail = v_refused.detail,
            hint = case v_refused.code
                when 'MR005' then 'Declare it in the metadata and leave it out here: the column is derived.'
                when '23503' then 'Register it first: register_model() for a model, register_artifact() for a dataset.'
                else 'Leave artifact_id out: model-<uuid> is given.'
            end,
            schema = current_schema(),
            table = case when v_refused.column_name in ('artifact_id', 'parent_version_id') then 'artifacts' else 'model_versions' end,
            column = case v_refused.column_name when 'artifact_id' then 'id' else v_refused.column_name end,
            constraint = case v_refused.column_name || v_refused.code
                when 'artifact_id23505' then 'artifacts_pkey'
                when 'parent_version_id23503' then 'artifacts_parent_fkey'
                when 'eval_dataset_artifact_id23503' then 'model_versions_eval_dataset_fkey'
                else ''
            end;
    end if;
end
$function$;

comment on function _check_arguments(model_registration[]) is
$$Refuses an is_external that contradicts the metadata (MR005), an artifact_id that is malformed (22023) or taken (23505), and a
parent or dataset that does not exist (23503). Several problems of one kind stand in one DETAIL.$$;
