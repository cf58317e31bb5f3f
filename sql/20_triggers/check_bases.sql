-- No chain of parents and bases leads back to where it began: the same as check_parents(), for the edges that come last.
create or replace function check_bases()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Planned once, for lookups by index: right for one row and for thousands, while a plan made when the tables were small would read
-- them whole ever after.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $function$
declare
    v_found text;
begin
    if not exists (select from new_rows as n where n.base_model_id is not null) then
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

comment on function check_bases() is
$$Trigger function of model_versions_60_check_bases: MR007 when lineage would be cyclic.$$;
