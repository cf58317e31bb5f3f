-- Model versions: provenance and promotion of every model, the counter of each name, and the triggers that hold them together.
-- Why: where a version came from, how to reproduce it and whether it is in service are columns, not keys of a JSON blob.
-- Locks: ACCESS EXCLUSIVE on artifacts for the triggers bound here, no longer than this transaction. Ways down: docs/migrations.md.

set local role atlas_owner;

-- Most names have one version and some have thousands. Planned for the average, the composite foreign key of model_versions would look its
-- artifact up by name and read through all versions of it; told that names have many, it looks by id and name.
alter table artifacts alter column name set (n_distinct = -0.01);

create table registered_models (
    name text not null,
    last_version integer not null default 0,
    created_at timestamptz not null default now(),
    constraint registered_models_pkey primary key (name),
    constraint registered_models_last_version_counts check (last_version >= 0)
);

comment on table registered_models is
$$One row per model name: the counter of its versions, and the row that every writer of that name locks.$$;
comment on column registered_models.name is $$The model's name, as in artifacts.name.$$;
comment on column registered_models.last_version is $$The highest version number ever allotted to the name. Kept by the database.$$;
comment on column registered_models.created_at is $$When the name was first registered.$$;

create table model_versions (
    artifact_id text not null,
    model_name text,
    is_external boolean not null default false,
    external_source_url text,
    external_source_version text,
    base_model_id text,
    code_repo_url text,
    code_commit_sha text,
    code_entrypoint text,
    training_started_at timestamptz,
    training_completed_at timestamptz,
    trained_by text,
    gpu_allocation_id text,
    training_params_json jsonb,
    eval_metrics_json jsonb,
    eval_dataset_artifact_id text,
    benchmark_id text,
    promotion_state text not null default 'candidate',
    promotion_notes text,
    first_promoted_at timestamptz,
    idempotency_key text,
    idempotency_digest bytea,
    registered_by text not null default session_user,
    created_at timestamptz not null default now(),
    constraint model_versions_pkey primary key (artifact_id),
    constraint model_versions_artifact_fkey foreign key (artifact_id) references artifacts (id) on delete cascade,
    constraint model_versions_artifact_name_fkey
    foreign key (artifact_id, model_name) references artifacts (id, name) on delete cascade,
    constraint model_versions_base_model_fkey foreign key (base_model_id) references artifacts (id),
    constraint model_versions_eval_dataset_fkey foreign key (eval_dataset_artifact_id) references artifacts (id),
    constraint model_versions_promotion_state_known check (
        promotion_state = any('{candidate, promoted, rejected, superseded}')
    )
);

create index idx_model_versions_base on model_versions (base_model_id) where base_model_id is not null;
create index idx_model_versions_trained_by on model_versions (trained_by) where trained_by is not null;
create index idx_model_versions_promotion on model_versions (promotion_state, model_name);
create index idx_model_versions_eval_dataset on model_versions (eval_dataset_artifact_id)
where eval_dataset_artifact_id is not null;
create unique index model_versions_one_promoted on model_versions (model_name) where promotion_state = 'promoted';
create unique index model_versions_idempotency_key_once on model_versions (model_name, idempotency_key)
where idempotency_key is not null;

comment on table model_versions is
$$Provenance and promotion of each model version: exactly one row for each model in artifacts.$$;
comment on column model_versions.artifact_id is $$The artifact that this is the version row of.$$;
comment on column model_versions.model_name is $$The model's name, always equal to artifacts.name.$$;
comment on column model_versions.is_external is $$Whether the model was taken over from elsewhere. Derived from metadata.$$;
comment on column model_versions.external_source_url is $$Where an external model was taken from. Derived from metadata.$$;
comment on column model_versions.external_source_version is $$Version at the source: Hugging Face revision, Git commit, Zenodo version … Derived from metadata.$$;
comment on column model_versions.base_model_id is $$The model this one was fine-tuned or converted from. Derived from metadata, write-once.$$;
comment on column model_versions.code_repo_url is $$Repository of the training code: http(s), ssh, git or scp-like URL without credentials.$$;
comment on column model_versions.code_commit_sha is $$Commit of the training code: 40 or 64 lower-case hexadecimal digits.$$;
comment on column model_versions.code_entrypoint is $$What was run in the repository, for instance 'train.py'.$$;
comment on column model_versions.training_started_at is $$When the training began.$$;
comment on column model_versions.training_completed_at is $$When the training ended; not before it began.$$;
comment on column model_versions.trained_by is $$Agent id of who trained the model.$$;
comment on column model_versions.gpu_allocation_id is $$Reference into the system that hands out GPUs; not checked here.$$;
comment on column model_versions.training_params_json is $$Training parameters, an object: as declared in metadata.training_config, later as recorded.$$;
comment on column model_versions.eval_metrics_json is $$Metric name → value, an object: as declared in metadata.evaluation_metrics, later as measured last.$$;
comment on column model_versions.eval_dataset_artifact_id is $$The dataset artifact that the metrics were measured on.$$;
comment on column model_versions.benchmark_id is $$The benchmark that the metrics belong to. Derived from metadata.$$;
comment on column model_versions.promotion_state is $$candidate, promoted, rejected or superseded; every version starts as candidate.$$;
comment on column model_versions.promotion_notes is $$What was said at the last change of promotion_state, or what stands open.$$;
comment on column model_versions.first_promoted_at is $$When the version was first promoted; NULL when never. Kept by the database.$$;
comment on column model_versions.idempotency_key is $$The caller's key of the registration, unique within the name.$$;
comment on column model_versions.idempotency_digest is $$SHA-256 of what was registered under idempotency_key.$$;
comment on column model_versions.registered_by is $$The database user who registered the version, whoever created_by claims to be. Kept by the database.$$;
comment on column model_versions.created_at is $$When the version was registered.$$;

-- The arguments of one registration, in the order of register_model()'s parameters.
create type model_registration as (
    name text,
    metadata jsonb,
    title text,
    parent_version_id text,
    version_tag text,
    changelog text,
    lifecycle_state text,
    origin_type text,
    origin_url text,
    created_by text,
    is_external boolean,
    external_source_url text,
    external_source_version text,
    base_model_id text,
    code_repo_url text,
    code_commit_sha text,
    code_entrypoint text,
    training_started_at timestamptz,
    training_completed_at timestamptz,
    trained_by text,
    gpu_allocation_id text,
    training_params_json jsonb,
    eval_metrics_json jsonb,
    eval_dataset_artifact_id text,
    benchmark_id text,
    promotion_notes text,
    artifact_id text,
    idempotency_key text
);

comment on type model_registration is
$$What register_model() takes and what an element of register_models()'s array may hold.$$;

-- Stubs, as in 0001.
create function is_repository_url(url text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_repository_url() is not deployed'; end $stub$;

create function is_commit_sha(sha text)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_commit_sha() is not deployed'; end $stub$;

create function is_complete_version(
    artifact_id text,
    base_model_id text,
    code_repo_url text,
    code_commit_sha text,
    training_started_at timestamptz,
    training_completed_at timestamptz,
    training_params_json jsonb,
    eval_metrics_json jsonb,
    idempotency_key text,
    idempotency_digest bytea
)
returns boolean
language plpgsql immutable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'is_complete_version() is not deployed'; end $stub$;

create function needs_place(
    artifact_type text,
    name text,
    version_number integer,
    is_latest boolean,
    schema_version integer,
    parent_version_id text,
    id text
)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'needs_place() is not deployed'; end $stub$;

create function needs_facts(model_name text, base_model_id text, eval_dataset_artifact_id text)
returns boolean
language plpgsql stable called on null input parallel safe security invoker
set search_path from current
as $stub$ begin raise exception 'needs_facts() is not deployed'; end $stub$;

alter table model_versions add constraint model_versions_row_complete check (
    is_complete_version(
        artifact_id, base_model_id, code_repo_url, code_commit_sha, training_started_at, training_completed_at,
        training_params_json, eval_metrics_json, idempotency_key, idempotency_digest
    ) is true
) not valid;

do $do$
declare
    v_function text;
begin
    foreach v_function in array array[
        'place_version', 'settle_versions', 'check_parents', 'require_version', 'verify_latest',
        'verify_succession', 'sync_declared_facts', 'derive_declared_facts', 'verify_versions', 'explain_version',
        'guard_version_update', 'supersede_promoted', 'guard_counter', 'verify_counter', 'check_legacy_parent'
    ] loop
        execute format(
            'create function %I() returns trigger
             language plpgsql volatile called on null input parallel unsafe security invoker
             set search_path from current
             as $stub$ begin raise exception ''%s() is not deployed''; end $stub$',
            v_function, v_function
        );
    end loop;
end
$do$;

-- Triggers that write or look elsewhere fire on the origin only: a subscriber's first copy brings finished rows.
-- Row triggers do not look at what is said to be complete: CHECKs, settle_versions() and verify_versions() compare it with the truth,
-- whoever says so. These conditions are read anew by every statement, hence their shortness.
create trigger artifacts_30_place_version
before insert on artifacts
for each row
when (
    needs_place(
        new.artifact_type, new.name, new.version_number, new.is_latest, new.metadata_schema_version, new.parent_version_id, new.id
    )
)
execute function place_version();

create trigger artifacts_50_settle_versions
after insert on artifacts
referencing new table as new_rows
for each statement
execute function settle_versions();

create trigger artifacts_60_check_parents
after insert on artifacts
referencing new table as new_rows
for each statement
execute function check_parents();

-- Who can write versions can settle a legacy row as a whole; the old application of a table that was taken over cannot.
create trigger artifacts_62_check_legacy_parent
after update of parent_version_id on artifacts
for each row
when (
    new.metadata_schema_version = 0
    and old.parent_version_id is distinct from new.parent_version_id
    and not has_table_privilege('model_versions'::regclass, 'insert')
)
execute function check_legacy_parent();

create constraint trigger artifacts_70_require_version
after insert on artifacts
deferrable initially deferred
for each row
when (new.artifact_type = 'model')
execute function require_version();

create constraint trigger artifacts_71_require_version_of_legacy
after update of name, metadata_schema_version on artifacts
deferrable initially deferred
for each row
when (
    old.metadata_schema_version = 0
    and (new.metadata_schema_version > 0 or (old.name is null and new.name is not null))
)
execute function require_version();

create constraint trigger artifacts_72_verify_latest
after update of is_latest on artifacts
deferrable initially deferred
for each row
when (old.is_latest is distinct from new.is_latest)
execute function verify_latest();

create constraint trigger artifacts_74_verify_succession
after update of superseded_by on artifacts
deferrable initially deferred
for each row
when (new.artifact_type = 'model' and new.name is not null and old.superseded_by is distinct from new.superseded_by)
execute function verify_succession();

create trigger artifacts_80_sync_declared_facts
after update of metadata on artifacts
for each row
when (new.artifact_type = 'model' and old.metadata is distinct from new.metadata)
execute function sync_declared_facts();

create trigger model_versions_05_explain_insert
before insert on model_versions
for each row
when (not rows_are_complete())
execute function explain_version();

-- Bound to columns, here and below: a promotion touches none of these, and the conditions of triggers are read anew by every statement.
create trigger model_versions_05_explain_update
before update of
code_repo_url, code_commit_sha, training_started_at, training_completed_at, training_params_json, eval_metrics_json,
idempotency_key, idempotency_digest
on model_versions
for each row
when (
    new.code_repo_url is not null
    or new.code_commit_sha is not null
    or new.training_completed_at is not null
    or new.training_params_json is not null
    or new.eval_metrics_json is not null
    or new.idempotency_key is not null
    or new.idempotency_digest is not null
)
execute function explain_version();

create trigger model_versions_10_derive_declared_facts
before insert on model_versions
for each row
when (needs_facts(new.model_name, new.base_model_id, new.eval_dataset_artifact_id))
execute function derive_declared_facts();

create trigger model_versions_20_guard_update
before update on model_versions
for each row
execute function guard_version_update();

create trigger model_versions_20_refuse_delete
before delete on model_versions
for each row
execute function refuse_removal();

create trigger model_versions_20_refuse_truncate
before truncate on model_versions
for each statement
execute function refuse_removal();

create trigger model_versions_30_guard_declared_facts
before update of
is_external, external_source_url, external_source_version, base_model_id, benchmark_id, eval_dataset_artifact_id
on model_versions
for each row
when (
    -- Not as one comparison of rows: that comes back from a dump in other brackets, and no two dumps would be equal.
    old.is_external is distinct from new.is_external
    or old.external_source_url is distinct from new.external_source_url
    or old.external_source_version is distinct from new.external_source_version
    or old.base_model_id is distinct from new.base_model_id
    or old.benchmark_id is distinct from new.benchmark_id
    or old.eval_dataset_artifact_id is distinct from new.eval_dataset_artifact_id
)
execute function derive_declared_facts();

create trigger model_versions_40_supersede_promoted
before update of promotion_state on model_versions
for each row
when (new.promotion_state = 'promoted' and old.promotion_state <> 'promoted')
execute function supersede_promoted();

create trigger model_versions_60_verify_versions
after insert on model_versions
referencing new table as new_rows
for each statement
execute function verify_versions();

create trigger registered_models_10_guard_start
before insert on registered_models
for each row
when (new.last_version <> 0)
execute function guard_counter();

create trigger registered_models_20_verify_counter
before update on registered_models
for each row
execute function verify_counter();

create trigger registered_models_20_refuse_delete
before delete on registered_models
for each row
execute function guard_counter();

create trigger registered_models_20_refuse_truncate
before truncate on registered_models
for each statement
execute function refuse_removal();

alter table model_versions enable always trigger model_versions_05_explain_insert;
alter table model_versions enable always trigger model_versions_05_explain_update;
alter table model_versions enable always trigger model_versions_20_guard_update;
alter table model_versions enable always trigger model_versions_20_refuse_delete;
alter table model_versions enable always trigger model_versions_20_refuse_truncate;
alter table registered_models enable always trigger registered_models_20_refuse_truncate;
