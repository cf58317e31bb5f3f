-- Gives a new model version its place: schema version, number, and the latest flag of its name.
create or replace function place_version()
returns trigger
language plpgsql volatile called on null input parallel unsafe security definer
set search_path from current
as $function$
declare
    v_standing record;
begin
    if new.metadata_schema_version is null then
        new.metadata_schema_version := current_metadata_schema_version();
    elsif new.metadata_schema_version = 0 then
        raise exception 'a model cannot be inserted as legacy' using
            errcode = 'MR005',
            detail = '/metadata_schema_version: 0 marks rows that stood in the table before it was adopted',
            hint = 'Leave metadata_schema_version out; the current version is filled in.',
            schema = tg_table_schema, table = tg_table_name, column = 'metadata_schema_version';
    end if;
    if new.name is null then
        raise exception 'a model needs a name' using
            errcode = 'not_null_violation',
            detail = '/name: is required',
            hint = 'Give the name that all versions of the model share.',
            schema = tg_table_schema, table = tg_table_name, column = 'name';
    end if;
    if not is_model_name(new.name) then
        raise exception 'the name of a model is not well formed' using
            errcode = 'check_violation',
            detail = '/name: must be 1 to 256 characters, without control characters and without white space around',
            hint = 'Shorten or clean the name.',
            schema = tg_table_schema, table = tg_table_name, column = 'name', constraint = 'artifacts_row_complete';
    end if;
    if _is_artifact_id(new.id) is not true then
        raise exception 'the id of a model is not well formed' using
            errcode = 'check_violation',
            detail = '/id: must be 1 to 256 characters without white space or control characters',
            hint = 'Leave artifact_id out: model-<uuid> is given.',
            schema = tg_table_schema, table = tg_table_name, column = 'id';
    end if;
    if new.parent_version_id = new.id then
        raise exception 'a model cannot be its own parent' using
            errcode = 'MR007',
            detail = format('/parent_version_id: %s is this version itself', new.id),
            hint = 'Leave it out for a model that was made from no other.',
            schema = tg_table_schema, table = tg_table_name, column = 'parent_version_id';
    end if;
    if new.superseded_by is not null then
        raise exception 'superseded_by of a model is kept by the database' using
            errcode = 'MR005',
            detail = '/superseded_by: a new version is superseded by none',
            hint = 'Leave it out; promote_model() sets it.',
            schema = tg_table_schema, table = tg_table_name, column = 'superseded_by';
    end if;

    if new.version_number < 1 then
        raise exception 'a version number was given out of turn' using
            errcode = 'MR006',
            detail = format('/version_number: the next one of %s is not %s', new.name, new.version_number),
            hint = 'Leave version_number out: the next one is allotted.',
            schema = tg_table_schema, table = tg_table_name, column = 'version_number';
    end if;
    new.created_at := coalesce(new.created_at, now());
    new.updated_at := coalesce(new.updated_at, new.created_at);

    if new.version_number is not null and rows_are_complete() then
        return new;
    end if;

    if new.version_number is null or new.is_latest is not false then
        -- ON CONFLICT will decide on a row that is there already: nothing moves for it.
        select a.version_number, a.is_latest into v_standing from artifacts as a where a.id = new.id;
        if not found and new.version_number is not null then
            select a.version_number, a.is_latest
            into v_standing
            from artifacts as a
            where a.name = new.name and a.version_number = new.version_number;
        end if;
        if found then
            new.version_number := coalesce(new.version_number, v_standing.version_number, 1);
            new.is_latest := coalesce(v_standing.is_latest, false);
            return new;
        end if;
    end if;

    -- A row that comes numbered takes the flag from the version before. What is numbered here waits for settle_versions(): moving the flag row by row would check the foreign key to a parent that the statement has yet to bring.
    if new.version_number is null then
        new.is_latest := false;
        new.version_number := _lock_model_name(new.name) + 1;
        -- Rows that the same statement inserted before are not counted yet.
        select greatest(new.version_number, max(a.version_number) + 1)
        into new.version_number
        from artifacts as a
        where a.name = new.name;
    elsif new.is_latest is not false or new.version_number = 1 then
        perform _lock_model_name(new.name);
    end if;
    if new.is_latest is not false then
        new.is_latest := true;
        update artifacts as a set is_latest = false where a.name = new.name and a.is_latest;
    end if;
    return new;
end
$function$;

comment on function place_version() is
$$Trigger function of artifacts_30_place_version: fills metadata_schema_version, allots version_number when it is NULL,
and takes the latest flag from the version before a row that comes numbered. MR005 for what only the database may set;
23502 without a name, 23514 for a name or id that is not well formed.$$;
