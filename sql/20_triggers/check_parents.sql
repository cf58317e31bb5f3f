-- A model's parent is a model, and no chain of parents and bases leads back to where it began.
create or replace function check_parents()
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
    if not exists (select from new_rows as n where n.artifact_type = 'model' and n.parent_version_id is not null) then
        return null;
    end if;

    select string_agg(format('/parent_version_id: %s, the parent of %s, is a %s', p.id, n.id, p.artifact_type), e'\n' order by n.id)
    into v_found
    from new_rows as n
    inner join artifacts as p on n.parent_version_id = p.id
    where n.artifact_type = 'model' and p.artifact_type <> 'model';
    if v_found is not null then
        raise exception 'the parent of a model must be a model' using
            errcode = 'MR007',
            detail = v_found,
            hint = 'Name the dataset it was evaluated on as eval_dataset_artifact_id, and its data in the metadata.',
            schema = tg_table_schema, table = tg_table_name, column = 'parent_version_id';
    end if;

    -- Rows that stood before cannot point at new ones, so a cycle lies within this statement and has at least one
    -- edge that does not point to an earlier row of it. Only those need a walk.
    with ranked as (
        select n.id, n.parent_version_id, row_number() over () as place
        from new_rows as n
    )

    select array_to_string(_lineage_cycles(array_agg(child.id)), ', ')
    into v_found
    from ranked as child
    inner join ranked as parent on child.parent_version_id = parent.id
    where parent.place >= child.place;
    if v_found <> '' then
        raise exception 'lineage would run in a circle' using
            errcode = 'MR007',
            detail = '/parent_version_id: ' || v_found || ' would be made from each other in a circle',
            hint = 'A version can only be made from versions that were there before it.',
            schema = tg_table_schema, table = tg_table_name, column = 'parent_version_id';
    end if;
    return null;
end
$function$;

comment on function check_parents() is
$$Trigger function of artifacts_60_check_parents: MR007 when a model's parent is no model or lineage would be cyclic.$$;
