-- Promoting takes the place of the version promoted before, whoever updates the column.
create or replace function supersede_promoted()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_artifact record;
    v_previous text;
begin
    perform _lock_model_name(new.model_name);
    -- By its id and nothing else: a condition on superseded_by would be an invitation to look through all that were superseded.
    select a.metadata_schema_version, a.superseded_by into v_artifact from artifacts as a where a.id = new.artifact_id;
    if new.model_name is null or v_artifact.metadata_schema_version = 0 then
        raise exception 'version % is legacy and cannot be promoted', new.artifact_id using
            errcode = 'MR001',
            detail = '/promotion_state: its metadata was never validated',
            hint = 'Settle its open questions first; the backfill gives it a name and a number.',
            schema = tg_table_schema, table = tg_table_name, column = 'promotion_state';
    end if;

    select v.artifact_id into v_previous
    from model_versions as v
    where v.model_name = new.model_name and v.promotion_state = 'promoted' and v.artifact_id <> new.artifact_id;
    -- An UPDATE that finds no row costs as much as one that does: its statement triggers fire.
    if v_previous is not null then
        update model_versions as v set promotion_state = 'superseded' where v.artifact_id = v_previous;
    end if;
    if v_artifact.superseded_by is not null then
        update artifacts as a set superseded_by = null where a.id = new.artifact_id;
    end if;
    if v_previous is not null then
        update artifacts as a set superseded_by = new.artifact_id where a.id = v_previous;
    end if;
    new.first_promoted_at := coalesce(old.first_promoted_at, now());
    return new;
end
$function$;

comment on function supersede_promoted() is
$$Trigger function of model_versions_40_supersede_promoted: supersedes the promoted version of the name, links it to the new
one, and keeps first_promoted_at. MR001 for a legacy version.$$;
