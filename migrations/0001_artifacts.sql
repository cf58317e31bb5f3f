-- Roles and the artifacts table: everything a platform keeps, models among them, and what makes a model's row acceptable.
-- Why: a model can only be stored with metadata that says what it is, where it came from and how to reproduce it.
-- Locks: none that anybody could be waiting for; only new objects. Ways down: docs/migrations.md.

create extension if not exists plpython3u with schema pg_catalog;

-- Roles belong to the cluster, migrations to a database: another database may create the same roles at the same moment.
do $do$
declare
    v_role text;
begin
    foreach v_role in array array['atlas_owner', 'atlas_registrar', 'atlas_reviewer', 'atlas_reader'] loop
        if to_regrole(v_role) is null then
            begin
                execute format('create role %I nologin', v_role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
    foreach v_role in array array['atlas_registrar', 'atlas_reviewer'] loop
        if not pg_has_role(v_role, 'atlas_reader', 'member') then
            begin
                execute format('grant atlas_reader to %I', v_role);
            exception when unique_violation then
                null;
            end;
        end if;
    end loop;
    execute format('grant usage, create on schema %I to atlas_owner', current_schema());
    execute format('grant usage on schema %I to public', current_schema());
end
$do$;

-- Whatever atlas_owner creates here is closed until it is granted.
alter default privileges for role atlas_owner revoke execute on functions from public;

-- Stubs: they fail closed until sql/ puts the real bodies in, within the same transaction. What will be PL/Python stays with
-- the superuser who deploys; everything else belongs to atlas_owner.
create function is_valid_metadata(artifact_type text, schema_version integer, metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_valid_metadata() is not deployed'; end $stub$;

create function explain_metadata()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'explain_metadata() is not deployed'; end $stub$;

set local role atlas_owner;

create table artifacts (
    id text not null,
    artifact_type text not null,
    name text,
    title text,
    metadata jsonb,
    metadata_schema_version integer,
    version_number integer,
    parent_version_id text,
    version_tag text,
    changelog text,
    is_latest boolean default true,
    lifecycle_state text,
    superseded_by text,
    origin_type text,
    origin_url text,
    created_by text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint artifacts_pkey primary key (id),
    -- What model_versions refers to, so that its model_name is always the artifact's name.
    constraint artifacts_id_name_key unique (id, name),
    constraint artifacts_parent_fkey foreign key (parent_version_id) references artifacts (id),
    constraint artifacts_superseded_by_fkey foreign key (superseded_by) references artifacts (id),
    constraint artifacts_parent_is_another check (parent_version_id <> id),
    constraint artifacts_superseded_by_another check (superseded_by <> id),
    -- 'Model' would be no model, and validated by nobody.
    constraint artifacts_type_unambiguous check (artifact_type = 'model' or lower(btrim(artifact_type)) not in ('model', '')),
    constraint artifacts_schema_version_of_models check (
        (artifact_type = 'model') = (metadata_schema_version is not null)
    ),
    constraint artifacts_name_of_models check (artifact_type = 'model' or name is null),
    constraint artifacts_model_complete check (
        artifact_type <> 'model'
        or metadata_schema_version is not distinct from 0
        or (name is not null and version_number is not null and is_latest is not null)
    ),
    constraint artifacts_version_number_positive check (artifact_type <> 'model' or version_number >= 1),
    -- Legacy rows (version 0) only ever stand in a table that was adopted; this one is new, hence sealed.
    constraint artifacts_legacy_sealed check (metadata_schema_version <> 0)
);

create unique index artifacts_name_version_key on artifacts (name, version_number);
create unique index artifacts_one_latest on artifacts (name) where is_latest and name is not null;
create index idx_artifacts_parent on artifacts (parent_version_id) where parent_version_id is not null;
create index idx_artifacts_superseded_by on artifacts (superseded_by) where superseded_by is not null;

comment on table artifacts is
$$Everything the platform keeps: models, datasets, benchmarks … A model's row carries validated metadata and has exactly one row in model_versions.$$;
comment on column artifacts.id is $$Identity of the artifact; what feedback, lineage and model_versions refer to.$$;
comment on column artifacts.artifact_type is $$'model' for a model version; any other text for what is not one (dataset, benchmark …). Never changes to or from 'model'.$$;
comment on column artifacts.name is $$The model's name: all versions of one model share it. Write-once; NULL for what is no model.$$;
comment on column artifacts.title is $$A heading for people; free text.$$;
comment on column artifacts.metadata is $$The declared facts, valid against the metadata schema when the artifact is a model; free-form otherwise.$$;
comment on column artifacts.metadata_schema_version is $$The version of the metadata schema that metadata was validated against; 0: legacy, not validated; NULL for what is no model.$$;
comment on column artifacts.version_number is $$Number of this version of the model: 1..n for each name, without gaps, never used again. Allotted by the database.$$;
comment on column artifacts.parent_version_id is $$The model version that this one was made from. Write-once for models.$$;
comment on column artifacts.version_tag is $$A label of the version that people use, for instance '2.1-rc1'.$$;
comment on column artifacts.changelog is $$What changed against the parent; free text.$$;
comment on column artifacts.is_latest is $$Whether this is the highest version of its name. For models kept by the database, never given.$$;
comment on column artifacts.lifecycle_state is $$A legacy fact, free text; drives nothing. See model_versions.promotion_state.$$;
comment on column artifacts.superseded_by is $$The version that took this one's place when it was promoted. For models kept by the database.$$;
comment on column artifacts.origin_type is $$How the artifact came to be, in the platform's own words; free text.$$;
comment on column artifacts.origin_url is $$Where the artifact came from; free text.$$;
comment on column artifacts.created_by is $$Who is said to have created the artifact; a claim, not an authenticated identity.$$;
comment on column artifacts.created_at is $$When the row was written.$$;
comment on column artifacts.updated_at is $$When the row was last changed.$$;

create function is_model_name(name text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_model_name() is not deployed'; end $stub$;

create function has_bounded_numbers(metadata jsonb)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'has_bounded_numbers() is not deployed'; end $stub$;

create function current_metadata_schema_version()
returns integer
language plpgsql immutable strict parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'current_metadata_schema_version() is not deployed'; end $stub$;

create function refuse_unbounded_number()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'refuse_unbounded_number() is not deployed'; end $stub$;

create function guard_artifact_update()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'guard_artifact_update() is not deployed'; end $stub$;

create function refuse_removal()
returns trigger
language plpgsql volatile called on null input parallel unsafe security invoker
set search_path from current
as $stub$ begin raise exception 'refuse_removal() is not deployed'; end $stub$;

-- CHECKs run in the order of their names, so this one comes before artifacts_metadata_valid.
alter table artifacts add constraint artifacts_metadata_bounded check (
    artifact_type <> 'model' or has_bounded_numbers(metadata)
) not valid;

alter table artifacts add constraint artifacts_metadata_valid check (
    artifact_type <> 'model' or is_valid_metadata(artifact_type, metadata_schema_version, metadata) is true
) not valid;

alter table artifacts add constraint artifacts_name_wellformed check (is_model_name(name)) not valid;

comment on constraint artifacts_metadata_valid on artifacts is
$$A model's metadata is valid against the schema version that its row names; metadata_errors() lists what is not.$$;

-- Row guards that look at the row alone fire always, on a replica's apply too.
create trigger artifacts_05_refuse_unbounded_number
before insert or update of artifact_type, metadata, metadata_schema_version on artifacts
for each row
when (new.artifact_type = 'model' and not has_bounded_numbers(new.metadata))
execute function refuse_unbounded_number();

create trigger artifacts_10_explain_metadata
before insert or update of artifact_type, metadata, metadata_schema_version on artifacts
for each row
when (
    new.artifact_type = 'model'
    and is_valid_metadata(
        new.artifact_type, coalesce(new.metadata_schema_version, current_metadata_schema_version()), new.metadata
    ) is not true
)
execute function explain_metadata();

create trigger artifacts_20_guard_update
before update on artifacts
for each row
when (old.artifact_type = 'model' or new.artifact_type = 'model')
execute function guard_artifact_update();

create trigger artifacts_20_refuse_delete
before delete on artifacts
for each row
when (old.artifact_type = 'model')
execute function refuse_removal();

create trigger artifacts_20_refuse_truncate
before truncate on artifacts
for each statement
execute function refuse_removal();

alter table artifacts enable always trigger artifacts_05_refuse_unbounded_number;
alter table artifacts enable always trigger artifacts_10_explain_metadata;
alter table artifacts enable always trigger artifacts_20_guard_update;
alter table artifacts enable always trigger artifacts_20_refuse_delete;
alter table artifacts enable always trigger artifacts_20_refuse_truncate;
