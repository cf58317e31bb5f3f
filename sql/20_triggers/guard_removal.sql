-- Lets a version go that was never in service and that nothing refers to, and writes all that was known of it into the history first.
create or replace function guard_removal()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
set bytea_output = 'hex'
as $function$
declare
    v_version model_versions;
    v_referrers text;
begin
    perform _lock_model_name(old.name);
    -- Against evaluations that are being recorded.
    select v.* into v_version from model_versions as v where v.artifact_id = old.id for update;
    if v_version.promotion_state in ('promoted', 'superseded') or v_version.first_promoted_at is not null then
        raise exception 'version % was in service and cannot be removed', old.id using
            errcode = 'MR008',
            detail = format('DELETE on %I.%I would take away the provenance of a version that was promoted', tg_table_schema, tg_table_name),
            hint = 'Take it out of use with reject_model().',
            schema = tg_table_schema, table = tg_table_name;
    end if;

    select string_agg(format('/%s: %s refers to it', r.place, r.id), e'\n' order by r.place, r.id)
    into v_referrers
    from (
        select 'parent_version_id' as place, a.id from artifacts as a where a.parent_version_id = old.id and a.id <> old.id
        union all
        select 'superseded_by', a.id from artifacts as a where a.superseded_by = old.id and a.id <> old.id
        union all
        select 'base_model_id', v.artifact_id from model_versions as v where v.base_model_id = old.id
        union all
        select 'eval_dataset_artifact_id', v.artifact_id from model_versions as v where v.eval_dataset_artifact_id = old.id
        limit 100
    ) as r;
    if v_referrers is not null then
        raise exception 'version % is referred to and cannot be removed', old.id using
            errcode = 'foreign_key_violation',
            detail = v_referrers,
            hint = 'Remove what was made from it first, or take it out of use with reject_model().',
            schema = tg_table_schema, table = tg_table_name;
    end if;

    insert into model_events (action, artifact_id, model_name, version_number, reason, old)
    values (
        'deleted', old.id, old.name, old.version_number,
        nullif(current_setting('atlas_models.change', true), '')::jsonb ->> 'reason',
        jsonb_build_object(
            'artifact', to_jsonb(old),
            'version', to_jsonb(v_version),
            'evaluations', (
                select coalesce(jsonb_agg(to_jsonb(e) order by e.evaluation_id), '[]')
                from model_evaluations as e
                where e.artifact_id = old.id
            )
        )
    );
    return old;
end
$function$;

comment on function guard_removal() is
$$Trigger function of artifacts_22_guard_removal: MR008 for a version that is or was promoted, 23503 naming what refers to it; else writes
a 'deleted' event with the full record of the version and its evaluations.$$;
