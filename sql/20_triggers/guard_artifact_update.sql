-- Keeps what a model's row says of its identity: written once, whoever updates. Looks at the row alone.
create or replace function guard_artifact_update()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $function$
declare
    v_column text;
    v_is_legacy constant boolean := old.metadata_schema_version is not distinct from 0;
begin
    if old.artifact_type <> 'model' and new.artifact_type <> 'model' then
        return new;
    end if;
    if old.artifact_type is distinct from new.artifact_type then
        raise exception 'artifact % cannot change its type from % to %',
            old.id, old.artifact_type, coalesce(new.artifact_type, 'none') using
            errcode = 'MR005',
            detail = '/artifact_type: an artifact never becomes a model, and a model never ceases to be one',
            hint = 'Register a new artifact: register_model() for a model, register_artifact() for anything else.',
            schema = tg_table_schema, table = tg_table_name, column = 'artifact_type';
    end if;

    if v_is_legacy and new.metadata_schema_version = 0 and new.metadata is distinct from old.metadata then
        raise exception 'the metadata of legacy model % changes only when it is validated', old.id using
            errcode = 'MR005',
            detail = '/metadata: metadata_schema_version 0 says that it was never validated',
            hint = 'Settle it with the backfill, or register a new version with register_model().',
            schema = tg_table_schema, table = tg_table_name, column = 'metadata';
    end if;

    -- The rest of a version lies in model_versions: who cannot write that can neither name a legacy row nor validate it.
    v_column := case
        when not v_is_legacy or has_table_privilege(to_regclass('model_versions'), 'insert') then null
        when new.metadata_schema_version <> 0 then 'metadata_schema_version'
        when new.name is distinct from old.name then 'name'
    end;
    if v_column is not null then
        raise exception 'column % of legacy model % is set when it becomes a version', v_column, old.id using
            errcode = 'MR005',
            detail = format('/%s: a legacy model has no version yet', v_column),
            hint = 'Settle it with the backfill, or register a new version with register_model().',
            schema = tg_table_schema, table = tg_table_name, column = v_column;
    end if;

    -- A legacy row gets its name, number and lineage when it becomes a version, and keeps them from then on.
    v_column := case
        when new.id is distinct from old.id then 'id'
        when v_is_legacy and old.name is null then null
        when new.name is distinct from old.name then 'name'
        when new.version_number is distinct from old.version_number then 'version_number'
        when new.parent_version_id is distinct from old.parent_version_id then 'parent_version_id'
        when new.created_at is distinct from old.created_at then 'created_at'
        when v_is_legacy then null
        when new.metadata ->> 'base_model_id' is distinct from old.metadata ->> 'base_model_id' then 'metadata'
    end;
    if v_column is not null then
        raise exception 'column % of model % is written once', v_column, old.id using
            errcode = 'MR005',
            detail = case v_column
                when 'metadata' then '/metadata/base_model_id: the base of a registered version never changes'
                else '/' || v_column || ': a registered version keeps it'
            end,
            hint = 'Register a new version instead.',
            schema = tg_table_schema, table = tg_table_name, column = v_column;
    end if;

    -- What a CHECK would refuse with the whole row in its DETAIL.
    v_column := case
        when new.is_latest is null then 'is_latest'
        when new.superseded_by = new.id then 'superseded_by'
    end;
    if v_column is not null and (new.metadata_schema_version is distinct from 0 or new.name is not null) then
        raise exception '% of a model is kept by the database', v_column using
            errcode = 'MR005',
            detail = format('/%s: cannot be %s', v_column, case v_column when 'is_latest' then 'NULL' else 'the version itself' end),
            hint = 'Leave it alone.',
            schema = tg_table_schema, table = tg_table_name, column = v_column;
    end if;

    if new.metadata_schema_version is null or new.metadata_schema_version < old.metadata_schema_version then
        raise exception 'the metadata of model % cannot go back from schema version % to %',
            old.id, old.metadata_schema_version, coalesce(new.metadata_schema_version::text, 'none') using
            errcode = 'MR005',
            detail = '/metadata_schema_version: a row is only ever raised to a later version',
            hint = 'Leave metadata_schema_version as it is.',
            schema = tg_table_schema, table = tg_table_name, column = 'metadata_schema_version';
    end if;

    if new.updated_at is null or new.updated_at = old.updated_at then
        new.updated_at := now();
    end if;
    return new;
end
$function$;

comment on function guard_artifact_update() is
$$Trigger function of artifacts_20_guard_update and artifacts_20_guard_update_of_latest: a model's id, type, name, number, parent, base and time of creation never
change, and its schema version never goes back. A legacy model keeps its metadata until it is validated, which takes the right to
write model_versions. SQLSTATE MR005 with the column. Sets updated_at.$$;
