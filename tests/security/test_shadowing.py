"""Somebody's own tables, functions and operators with the names of ours, or of PostgreSQL's, change no outcome."""

from __future__ import annotations

import json

import pytest

from factories import internal_metadata

METADATA = json.dumps(internal_metadata())
# Everything that our functions call by an unqualified name, answering what an attacker would like.
EVIL = """
create schema evil;
create table evil.artifacts (like atlas.artifacts);
create table evil.model_versions (like atlas.model_versions);
create table evil.registered_models (like atlas.registered_models);
create table evil.models as table atlas.models with no data;
create function evil.is_valid_metadata(text, integer, jsonb) returns boolean language sql return true;
create function evil.has_bounded_numbers(jsonb) returns boolean language sql return true;
create function evil.is_model_name(text) returns boolean language sql return true;
create function evil.is_commit_sha(text) returns boolean language sql return true;
create function evil.is_repository_url(text) returns boolean language sql return true;
create function evil.current_metadata_schema_version() returns integer language sql return 0;
create function evil.json_matches_schema(json, json) returns boolean language sql return true;
create function evil.validate_metadata(jsonb) returns void language sql return null;
create function evil.metadata_errors(jsonb, integer default null)
    returns table (path text, keyword text, message text) language sql begin atomic select '', '', '' where false; end;
create function evil._lock_model_name(text) returns integer language sql return 41;
create function evil._lineage_cycles(text[]) returns text[] language sql return '{}'::text[];
create function evil._declared_facts(jsonb) returns table (
    is_external boolean, external_source_url text, external_source_version text, base_model_id text,
    benchmark_id text, training_params jsonb, eval_metrics jsonb
) language sql begin atomic select true, 'evil', 'evil', null::text, 'evil', null::jsonb, null::jsonb; end;
create function evil._register(atlas.model_registration[], boolean) returns table (a text, b integer, c boolean)
    language sql begin atomic select 'evil', 666, true; end;
create function evil._transition(text, text[], text, text, text, boolean, text)
    returns table (n text, v integer, f text, s text) language sql begin atomic select 'evil', 666, 'evil', 'evil'; end;
create table evil.model_events (like atlas.model_events);
create table evil.model_evaluations (like atlas.model_evaluations);
create table evil.promotion_gates (like atlas.promotion_gates);
create table evil.promotion_policies (like atlas.promotion_policies);
create function evil._gate_results(text)
    returns table (rule text, metric text, wanted text, found text, passed boolean, pointer text)
    language sql begin atomic select '', '', '', '', true, '' where false; end;
create function evil._require_gates(text, text) returns jsonb language sql return '{"gates": "passed"}'::jsonb;
create function evil._state_change(text, text, jsonb) returns void language sql return null;
create function evil.pg_has_role(name, name, text) returns boolean language sql return true;
create function evil.current_setting(text, boolean) returns text language sql return null;
create function evil.set_config(text, text, boolean) returns text language sql return null;
create function evil.clock_timestamp() returns timestamptz language sql return timestamptz '2001-01-01 00:00+00';
create function evil.jsonb_agg(jsonb) returns jsonb language sql return '[]'::jsonb;
create function evil.jsonb_typeof(jsonb) returns text language sql return 'object';
create function evil.now() returns timestamptz language sql return timestamptz '2001-01-01 00:00+00';
create function evil.max(integer) returns integer language sql return 99;
create function evil.octet_length(text) returns integer language sql return 0;
create function evil.char_length(text) returns integer language sql return 1;
create function evil.gen_random_uuid() returns uuid language sql return '00000000-0000-0000-0000-000000000000'::uuid;
create function evil.sha256(bytea) returns bytea language sql return '\\x00'::bytea;
create function evil.yes(text, text) returns boolean language sql return true;
create function evil.no(text, text) returns boolean language sql return false;
create function evil.no(integer, integer) returns boolean language sql return false;
create operator evil.= (leftarg = text, rightarg = text, function = evil.no);
create operator evil.<> (leftarg = text, rightarg = text, function = evil.no);
create operator evil.~ (leftarg = text, rightarg = text, function = evil.yes);
create operator evil.< (leftarg = integer, rightarg = integer, function = evil.no);
create operator evil.<> (leftarg = integer, rightarg = integer, function = evil.no);
grant usage on schema evil to public;
grant all on all tables in schema evil to public;
"""
# pg_catalog is named, and not first: even the names of PostgreSQL's own functions and operators lead to evil.
EVIL_PATH = "evil, pg_temp, atlas, pg_catalog"


@pytest.fixture
def evil(superuser, actor):
    """``evil(user)`` acts where every unqualified name is shadowed, by a schema and by temporary objects."""
    superuser.execute("set local search_path = atlas, pg_temp")
    superuser.execute("select register_model('m', %s, artifact_id => 'v1')", [METADATA])
    superuser.execute(EVIL)

    def act(user: str):
        acting = actor(user, search_path="pg_catalog")
        for table in (
            "artifacts",
            "model_versions",
            "registered_models",
            "models",
            "new_rows",
            "old_rows",
            "pg_attribute",
            "model_events",
            "model_evaluations",
            "promotion_gates",
            "promotion_policies",
        ):
            acting.execute(f"create temporary table {table} (id text, name text, artifact_id text)")
        acting.execute(
            """
            create function pg_temp.is_valid_metadata(text, integer, jsonb) returns boolean language sql return true;
            create function pg_temp.jsonb_typeof(jsonb) returns text language sql return 'object';
            create type pg_temp.model_registration as (name text, metadata jsonb);
            """
        )
        return actor(user, search_path=EVIL_PATH)

    return act


def test_the_trap_works(evil):
    conn = evil("test_registrar")
    row = conn.execute(
        "select 'a'::text = 'a'::text, jsonb_typeof('7'), is_valid_metadata('model', 1, '{}')"
    ).fetchone()
    assert row == (False, "object", True)


def test_a_registration_goes_where_it_belongs(evil, superuser):
    row = evil("test_registrar").execute("select * from atlas.register_model('m', %s, artifact_id => 'v2')", [METADATA])
    assert row.fetchone() == ("v2", 2, True)
    query = """
        select a.version_number, a.is_latest, a.metadata_schema_version, v.model_name, v.is_external,
            v.created_at > '2020-01-01'
        from atlas.artifacts as a join atlas.model_versions as v on v.artifact_id = a.id where a.id = 'v2'
    """
    assert superuser.execute(query).fetchone() == (2, True, 1, "m", False, True)
    assert superuser.execute("select count(*) from evil.artifacts").fetchone() == (0,)


def test_a_set_of_registrations_goes_where_it_belongs(evil, superuser):
    models = json.dumps([{"name": "m", "metadata": internal_metadata(), "artifact_id": f"w{n}"} for n in range(3)])
    rows = evil("test_registrar").execute("select * from atlas.register_models(%s)", [models]).fetchall()
    assert rows == [("w0", 2, True), ("w1", 3, True), ("w2", 4, True)]
    assert superuser.execute("select count(*) from atlas.models").fetchone() == (4,)


@pytest.mark.parametrize(
    ("metadata", "arguments", "sqlstate"),
    [
        ("{}", "", "23514"),
        ('{"is_external": false, "parameter_count": 1e400}', "", "23514"),
        (METADATA, ", code_commit_sha => 'main'", "23514"),
        (METADATA, ", code_repo_url => 'not a url'", "23514"),
        (METADATA, ", training_params_json => '[]'", "23514"),
        (METADATA, ", is_external => true", "MR005"),
        (METADATA, ", parent_version_id => 'nowhere'", "23503"),
        (METADATA, ", artifact_id => 'v1'", "23505"),
    ],
)
def test_a_bad_registration_is_refused_all_the_same(evil, metadata, arguments, sqlstate):
    error = evil("test_registrar").refusal(f"select * from atlas.register_model('m', %s{arguments})", [metadata])
    assert error.sqlstate == sqlstate


def test_a_document_is_judged_by_our_functions(evil):
    stranger = evil("test_stranger")
    assert stranger.execute("select atlas.is_valid_metadata('model', 1, '{}')").fetchone() == (False,)
    assert stranger.execute("select atlas.jsonb_matches_schema('{\"type\": \"string\"}', '7')").fetchone() == (False,)
    assert stranger.refusal("select atlas.validate_metadata('{}')").sqlstate == "23514"


def test_a_promotion_moves_our_version(evil, superuser):
    superuser.execute("select atlas.register_model('m', %s, artifact_id => 'v2')", [METADATA])
    reviewer = evil("test_reviewer")
    reviewer.execute("select atlas.promote_model('v1')")
    assert reviewer.execute("select superseded from atlas.promote_model('v2')").fetchone() == ("v1",)
    query = "select artifact_id, promotion_state, superseded_by from atlas.models order by artifact_id"
    assert superuser.execute(query).fetchall() == [("v1", "superseded", "v2"), ("v2", "promoted", None)]


def test_gates_and_policies_hold_and_the_history_is_ours(evil, superuser):
    superuser.execute("select atlas.set_promotion_gate('auroc', '>=', 0.9)")
    superuser.execute("select atlas.record_evaluation('v1', metrics => '{\"auroc\": 0.8}')")
    reviewer = evil("test_reviewer")
    error = reviewer.refusal("select atlas.promote_model('v1')")
    assert (error.sqlstate, error.diag.message_detail) == ("MR011", "/auroc: wanted >= 0.9, found 0.8")
    assert reviewer.execute("select found, passed from atlas.check_gates('v1')").fetchall() == [("0.8", False)]
    reviewer.execute("select atlas.promote_model('v1', override_reason => 'because')")
    query = """
        select actor, gates, reason, happened_at > '2020-01-01' from atlas.model_history('m') where action = 'promoted'
    """
    assert superuser.execute(query).fetchall() == [("test_reviewer", "overridden", "because", True)]
    assert superuser.execute("select artifact_id from atlas.promoted_at('m')").fetchone() == ("v1",)
    superuser.execute("grant atlas_registrar to test_reviewer")
    assert reviewer.refusal("select atlas.record_evaluation('v1', metrics => '{}')").sqlstate == "23514"
    reviewer.execute("select atlas.record_evaluation('v1', metrics => '{\"auroc\": 0.95}')")
    assert superuser.execute("select latest_metrics from atlas.models").fetchone() == ({"auroc": 0.95},)
    for table in ("model_events", "model_evaluations", "promotion_gates"):
        assert superuser.execute(f"select count(*) from evil.{table}").fetchone() == (0,)


def test_the_state_machine_holds(evil):
    assert evil("test_reviewer").refusal("select atlas.demote_model('v1')").sqlstate == "MR001"


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("insert into atlas.artifacts (id, artifact_type, name, metadata) values ('x', 'model', 'm', '{}')", "23514"),
        ("update atlas.artifacts set metadata = '{}'", "23514"),
        ("update atlas.artifacts set name = 'stolen'", "MR005"),
        ("update atlas.artifacts set is_latest = false", "MR005"),
        ("delete from atlas.artifacts", "MR008"),
    ],
)
def test_who_writes_the_table_meets_our_checks_and_triggers(evil, superuser, statement, sqlstate):
    superuser.execute("grant select, insert, update, delete on atlas.artifacts to test_stranger")
    assert evil("test_stranger").refusal(statement).sqlstate == sqlstate


def test_who_writes_the_version_table_meets_our_checks_and_triggers(evil, superuser):
    superuser.execute("grant select, insert, update on atlas.model_versions to test_stranger")
    writer = evil("test_stranger")
    for statement in (
        "update atlas.model_versions set promotion_state = 'superseded'",
        "update atlas.model_versions set promotion_state = 'anything'",
    ):
        assert writer.refusal(statement).sqlstate == "MR001"
    assert writer.refusal("update atlas.model_versions set benchmark_id = 'evil'").sqlstate == "MR005"
    writer.execute("update atlas.model_versions set promotion_state = 'promoted'")
    query = "select promotion_state, first_promoted_at > '2020-01-01' from atlas.model_versions"
    assert superuser.execute(query).fetchone() == ("promoted", True)
