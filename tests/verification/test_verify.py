"""`atlas doctor --verify` finds whatever was altered since the deploy, and nothing where nothing was."""

from __future__ import annotations

import json
import re
import shutil

import psycopg
import pytest
from click.testing import CliRunner

from atlas_models.cli import main
from atlas_models.deployment_files import packaged_folder
from atlas_models.migration_errors import MigrationError
from atlas_models.migration_runner import migrate, verify
from commands import as_url
from factories import internal_metadata
from old_catalogues import POSTGRES_TABLE, SMALL_TABLE, SQLITE_TABLE, Catalogue
from waiting import wait_until_blocked

# What is done, and the lines that tell it; … stands for what a person does not read: digests and long definitions.
TAMPERED = (
    (
        "alter table artifacts drop constraint artifacts_metadata_valid",
        ["constraint artifacts_metadata_valid on artifacts: expected CHECK (…) , found nothing"],
    ),
    (
        """alter table artifacts drop constraint artifacts_name_wellformed,
        add constraint artifacts_name_wellformed check (name is null or name <> '')""",
        [
            "constraint artifacts_name_wellformed on artifacts: definition: expected CHECK (is_model_name(name)), "
            "found CHECK (name IS NULL OR name <> ''::text)"
        ],
    ),
    (
        """alter table artifacts drop constraint artifacts_row_complete,
        add constraint artifacts_row_complete check (is_complete_artifact(
            artifact_type, metadata_schema_version, id, name, version_number, is_latest, parent_version_id, superseded_by,
            created_at, updated_at) is true) not valid""",
        ["constraint artifacts_row_complete on artifacts: validated: expected yes, found no"],
    ),
    (
        "alter table artifacts drop constraint artifacts_legacy_sealed",
        ["constraint artifacts_legacy_sealed on artifacts: expected CHECK (…) , found nothing"],
    ),
    (
        """alter table model_versions drop constraint model_versions_base_fkey,
        add constraint model_versions_base_fkey foreign key (base_model_id) references artifacts (id) on delete set null""",
        [
            "constraint model_versions_base_fkey on model_versions: definition: expected FOREIGN KEY (base_model_id) "
            "REFERENCES artifacts(id), found FOREIGN KEY (base_model_id) REFERENCES artifacts(id) ON DELETE SET NULL",
            "constraint model_versions_base_fkey on model_versions: kept by: …",
        ],
    ),
    (
        "alter table registered_models disable trigger all",
        [
            "constraint model_versions_model_fkey on model_versions: kept by: …",
            "trigger registered_models_20_guard_counter on registered_models: fires: expected …, found never (disabled)",
            "…",
        ],
    ),
    (
        "alter table artifacts disable trigger artifacts_70_require_version",
        [
            "trigger artifacts_70_require_version on artifacts: fires: expected on the origin only, "
            "found never (disabled)"
        ],
    ),
    (
        "alter table artifacts enable trigger artifacts_20_guard_update",
        ["trigger artifacts_20_guard_update on artifacts: fires: expected always, found on the origin only"],
    ),
    (
        "drop trigger artifacts_72_verify_latest on artifacts",
        ["trigger artifacts_72_verify_latest on artifacts: expected CREATE CONSTRAINT TRIGGER …, found nothing"],
    ),
    (
        """create or replace trigger model_events_20_refuse_rewriting before delete on model_events
        for each row execute function guard_history()""",
        ["trigger model_events_20_refuse_rewriting on model_events: …"],
    ),
    (
        """create trigger artifacts_99_mine after insert on artifacts
        for each row execute function suppress_redundant_updates_trigger()""",
        ["trigger artifacts_99_mine on artifacts: expected nothing, found CREATE TRIGGER …"],
    ),
    ("drop index idx_artifacts_parent", ["index idx_artifacts_parent on artifacts: expected CREATE INDEX …, found nothing"]),
    (
        """drop index model_versions_one_promoted;
        create unique index model_versions_one_promoted on model_versions (model_name, artifact_id)
        where promotion_state = 'promoted'""",
        [
            "index model_versions_one_promoted on model_versions: definition: expected CREATE UNIQUE INDEX "
            "model_versions_one_promoted ON model_versions USING btree (model_name) WHERE …, found CREATE UNIQUE INDEX "
            "model_versions_one_promoted ON model_versions USING btree (model_name, artifact_id) WHERE …"
        ],
    ),
    (
        "update pg_index set indisvalid = false where indexrelid = 'idx_model_search_document'::regclass",
        ["index idx_model_search_document on model_search: valid: expected yes, found no"],
    ),
    (
        """create or replace function is_model_name(name text) returns boolean language sql immutable parallel safe
        called on null input security invoker set search_path from current as 'select true'""",
        [
            "function is_model_name(text): body: expected …, found …",
            "…",
        ],
    ),
    (
        """do $do$ begin
            execute replace(pg_get_functiondef('promote_model'::regproc), 'must be', 'can be');
            execute replace(pg_get_functiondef('_transition'::regproc), 'must be', 'can be');
        end $do$""",
        ["function _transition(text, text[], text, text, text, boolean, text): body: expected …, found …"],
    ),
    (
        "alter function delete_model(text, text) owner to postgres",
        ["function delete_model(text, text): owner: expected atlas_owner, found a superuser"],
    ),
    (
        "alter function register_models(jsonb) security invoker",
        ["function register_models(jsonb): runs with the rights of: expected its owner, found its caller"],
    ),
    (
        "alter function promote_model(text, text, text, text) set search_path = public, atlas",
        [
            "function promote_model(text, text, text, text): settings: "
            "expected search_path=atlas, pg_temp, found search_path=public, atlas"
        ],
    ),
    (
        "alter function link_code(text, text, text, text) reset all",
        ["function link_code(text, text, text, text): settings: expected search_path=atlas, pg_temp, found nothing"],
    ),
    (
        "alter function is_valid_metadata(text, integer, jsonb) strict",
        ["function is_valid_metadata(text, integer, jsonb): attributes: expected …, found …strict…"],
    ),
    (
        "grant execute on function delete_model(text, text) to atlas_reader",
        ["function delete_model(text, text): granted to atlas_reader: expected nothing, found EXECUTE"],
    ),
    (
        "grant execute on function _register(model_registration[], boolean) to public",
        ["function _register(model_registration[], boolean): granted to everybody: expected nothing, found EXECUTE"],
    ),
    (
        "revoke execute on function search_models(jsonb, text, boolean, integer, text) from atlas_reader",
        [
            "function search_models(jsonb, text, boolean, integer, text): granted to atlas_reader: "
            "expected EXECUTE, found nothing"
        ],
    ),
    (
        "grant insert on model_events to test_registrar with grant option",
        ["table model_events: granted to test_registrar: expected nothing, found INSERT with grant option"],
    ),
    (
        "grant update (happened_at) on model_events to atlas_owner",
        ["column happened_at of model_events: granted to atlas_owner: expected nothing, found UPDATE"],
    ),
    ("revoke select on models from atlas_reader", ["view models: granted to atlas_reader: expected SELECT, found nothing"]),
    ("alter table model_events owner to atlas_owner", ["table model_events: owner: expected a superuser, found atlas_owner", "…"]),
    ("grant atlas_owner to test_registrar", ["role atlas_owner: expected nothing, found can be taken by test_registrar"]),
    ("alter role atlas_owner login", ["role atlas_owner: expected nothing, found may log in"]),
    (
        "alter default privileges for role atlas_owner in schema atlas grant select on tables to test_stranger",
        ["default privileges of atlas_owner for r: expected nothing, found granted to test_stranger SELECT"],
    ),
    (
        "alter default privileges for role atlas_owner grant execute on functions to public",
        ["default privileges of atlas_owner for f: expected granted to atlas_owner EXECUTE, found nothing"],
    ),
    (
        "alter table model_evaluations alter evaluated_by type varchar(200)",
        ["column evaluated_by of model_evaluations: type: expected text, found character varying(200)"],
    ),
    (
        "alter table artifacts alter created_at set default 'epoch'",
        ["column created_at of artifacts: default: expected now(), found '1970-01-01 00:00:00+00'…"],
    ),
    (
        "alter table model_versions alter is_external drop not null",
        ["column is_external of model_versions: null: expected refused, found allowed"],
    ),
    (
        "alter table model_versions alter promotion_notes set not null",
        ["column promotion_notes of model_versions: null: expected allowed, found refused"],
    ),
    ("alter table artifacts alter name reset (n_distinct)", ["column name of artifacts: options: expected …, found nothing"]),
    ("alter table artifacts add column extra text", ["column extra of artifacts: expected nothing, found text"]),
    (
        """create or replace view policies as
        select p.* from (select * from promotion_policies) as q, lateral (select null::text) as p(x)""",
        None,
    ),
    (
        "create or replace rule deaf as on insert to promotion_gates do instead nothing",
        ["rule deaf on promotion_gates: expected nothing, found CREATE RULE …"],
    ),
    (
        "alter table model_versions enable row level security",
        ["table model_versions: row level security enabled: expected nothing, found yes"],
    ),
    (
        "create policy some on model_versions for select to atlas_owner using (is_external)",
        ["policy some on model_versions: expected nothing, found permissive r using (is_external) …"],
    ),
    (
        "create table smuggled () inherits (model_evaluations)",
        ["table model_evaluations: inherited by: expected nothing, found smuggled"],
    ),
    (
        "create function register_models(models json) returns text language sql as 'select null'",
        ["function register_models(json): expected nothing, found …"],
    ),
    ("create function lower(x integer) returns text language sql as 'select null'", ["function lower(integer): expected nothing, …"]),
    ("drop view unlinked_models", ["view unlinked_models: expected …, found nothing", "…"]),
    ("drop function model_card(text)", ["function model_card(text): expected …, found nothing"]),
    (
        "alter table model_versions alter created_at set default clock_timestamp()",
        ["column created_at of model_versions: default: expected now(), found clock_timestamp()"],
    ),
    (
        "alter sequence model_events_event_id_seq cycle",
        ["sequence model_events_event_id_seq: counting: expected …, found …again and again"],
    ),
)
