-- One event for each version whose facts in artifacts an UPDATE changed, and for each legacy model that got its name and number. The
-- flag of the latest, superseded_by and updated_at follow from other events and make none of their own.
create or replace function record_artifact_changes()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
-- Both sides of the join hold the rows of one UPDATE: one pass over each, however many they are.
set enable_nestloop = off
-- What must be a loop all the same looks so dear that compiling it seems to pay.
set jit = off
as $function$
declare
    v_reason text;
begin
    -- Every registration of a known name moves the flag of the latest, and every promotion superseded_by: such a statement ends here.
    if not exists (
        select from new_rows as n
        inner join old_rows as o on n.id = o.id
        where
            (
                n.name, n.metadata_schema_version, n.title, n.version_number, n.parent_version_id, n.version_tag, n.changelog,
                n.lifecycle_state, n.origin_type, n.origin_url, n.created_by, n.created_at, n.metadata
            ) is distinct from (
                o.name, o.metadata_schema_version, o.title, o.version_number, o.parent_version_id, o.version_tag, o.changelog,
                o.lifecycle_state, o.origin_type, o.origin_url, o.created_by, o.created_at, o.metadata
            )
    ) then
        return null;
    end if;

    v_reason := nullif(current_setting('atlas_models.change', true), '')::jsonb ->> 'reason';
    insert into model_events (action, artifact_id, model_name, version_number, reason, old, new)
    select
        case when o.name is null then 'adopted' else 'changed' end,
        n.id, n.name, n.version_number, v_reason,
        -- What a legacy row was, artifacts_original and the log of the backfill keep.
        case when o.name is not null then c.was end,
        case when o.name is not null then c.became end
    from new_rows as n
    inner join old_rows as o on n.id = o.id
    cross join lateral (
        select jsonb_object_agg(w.key, w.value) as was, jsonb_object_agg(w.key, d.after -> w.key) as became
        from (select to_jsonb(o) as before, to_jsonb(n) as after offset 0) as d
        cross join lateral jsonb_each(d.before) as w
        where
            w.key not in ('is_latest', 'superseded_by', 'updated_at')
            and o.name is not null
            and w.value is distinct from d.after -> w.key
    ) as c
    where
        n.artifact_type = 'model'
        and n.name is not null
        and (
            o.name is null
            or o.metadata is distinct from n.metadata
            or o.metadata_schema_version <> n.metadata_schema_version
            or o.title is distinct from n.title
            or o.version_number is distinct from n.version_number
            or o.parent_version_id is distinct from n.parent_version_id
            or o.version_tag is distinct from n.version_tag
            or o.changelog is distinct from n.changelog
            or o.lifecycle_state is distinct from n.lifecycle_state
            or o.origin_type is distinct from n.origin_type
            or o.origin_url is distinct from n.origin_url
            or o.created_by is distinct from n.created_by
            or o.created_at is distinct from n.created_at
        )
    order by n.name, n.version_number;
    return null;
end
$function$;

comment on function record_artifact_changes() is
$$Trigger function of artifacts_90_record_artifact_changes: writes one 'changed' event for each version whose title, metadata … changed, and one
'adopted' event for each legacy model that was given its name.$$;
