"""What each kind of user can do, tried; everything else ends in 42501."""

from __future__ import annotations

import json

import psycopg
import pytest

from factories import internal_metadata

METADATA = json.dumps(internal_metadata())
REGISTER = {
    "register_model": f"select register_model('m', '{METADATA}')",
    "register_models": """select register_models('[{"name": "m"}]')""",
    "register_artifact": "select register_artifact('dataset', 'cohort')",
    "link_code": "select link_code('v')",
    "record_training": "select record_training('v')",
    "record_evaluation": """select record_evaluation('v', metrics => '{"f1": 1}')""",
}
PROMOTE = {
    "promote": "select promote_model('v')",
    "reject": "select reject_model('v')",
    "demote": "select demote_model('v')",
    "reopen": "select reopen_model('v')",
    "override": "select promote_model('v', override_reason => 'because')",
    "delete_model": "select delete_model('v', 'because')",
    "resolve": "select resolve_backfill_review('v', '{}')",
    "seal": "select seal_legacy()",
}
SET_RULES = {
    "set gate": "select set_promotion_gate('f1', '>', 0)",
    "remove gate": "select remove_promotion_gate(1)",
    "set policy": "select set_promotion_policy(null, false, false, false)",
}
READ = {
    "read models": "select name from models",
    "copy models": "copy (select * from models) to stdout",
    "read gates": "select from gates",
    "read policies": "select from policies",
    "read evaluations": "select from evaluations",
    "check_gates": "select check_gates('v')",
    "model_history": "select model_history('m')",
    "promoted_at": "select promoted_at('m')",
}
NOBODY = {
    "select artifacts": "select from artifacts",
    "select versions": "select from model_versions",
    "select names": "select from registered_models",
    "select ledger": "select from atlas_migrations",
    "select events": "select from model_events",
    "select evaluations": "select from model_evaluations",
    "copy artifacts": "copy artifacts to stdout",
    "insert event": "insert into model_events (action) values ('promoted')",
    "insert evaluation": "insert into model_evaluations (artifact_id) values ('v')",
    "insert gate": "insert into promotion_gates (metric, comparator, threshold) values ('f1', '>', 0)",
    "update event": "update model_events set actor = 'somebody else'",
    "update evaluation": "update model_evaluations set metrics = '{}'",
    "update gate": "update promotion_gates set threshold = 0",
    "update policy": "update promotion_policies set require_second_person = false",
    "delete events": "delete from model_events",
    "delete gates": "delete from promotion_gates",
    "truncate events": "truncate model_events",
    "guard of the history": "alter table model_events disable trigger all",
    "drop its guard": "drop trigger model_events_20_refuse_change on model_events",
    "say that gates passed": "select _state_change('lie', 'passed', '[]')",
    "insert artifact": "insert into artifacts (id, artifact_type) values ('d', 'dataset')",
    "insert version": "insert into model_versions (artifact_id) values ('v')",
    "insert name": "insert into registered_models (name) values ('m')",
    "update artifact": "update artifacts set title = 'mine'",
    "update version": "update model_versions set promotion_state = 'promoted'",
    "update counter": "update registered_models set last_version = 7",
    "delete artifact": "delete from artifacts",
    "delete version": "delete from model_versions",
    "truncate": "truncate artifacts, model_versions",
    "lock": "lock table model_versions in access share mode",
    "lock rows": "select from registered_models for share",
    "drop table": "drop table artifacts",
    "disable triggers": "alter table model_versions disable trigger all",
    "drop constraint": "alter table artifacts drop constraint artifacts_metadata_valid",
    "add trigger": "create trigger t before insert on artifacts execute function suppress_redundant_updates_trigger()",
    "rule": "create rule r as on insert to artifacts do instead nothing",
    "grow the schema": "create table atlas.mine (id integer)",
    "add overload": "create function atlas.is_model_name(name varchar) returns boolean language sql return true",
    "replace check": """
        create or replace function is_valid_metadata(artifact_type text, schema_version integer, metadata jsonb)
        returns boolean language sql return true
        """,
    "drop function": "drop function promote_model(text, text, text, text)",
    "inner transition": "select _transition('v', '{candidate}', 'promoted', null, null, false)",
    "inner registration": "select _register('{}', false)",
    "lock a name": "select _lock_model_name('m')",
    "blame": "select _blame_models('[]')",
    "python": "create function pg_temp.f() returns text language plpython3u as 'return 1'",
    "owner role": "set role atlas_owner",
    "replica mode": "set session_replication_role = replica",
    "other session": "set session authorization postgres",
    "grant": "grant atlas_owner to test_stranger",
    "default privileges": "alter default privileges for role atlas_owner grant execute on functions to public",
}
REFUSED = {
    "test_registrar": PROMOTE | SET_RULES | NOBODY,
    "test_reviewer": REGISTER | SET_RULES | NOBODY,
    "test_steward": REGISTER | PROMOTE | NOBODY,
    "test_reader": REGISTER | PROMOTE | SET_RULES | NOBODY,
    "test_stranger": READ | REGISTER | PROMOTE | SET_RULES | NOBODY,
}


def test_there_are_attempts_enough():
    assert sum(map(len, REFUSED.values())) > 300


@pytest.mark.parametrize("user", REFUSED)
def test_what_a_user_may_not_do_is_refused_for_lack_of_privilege(become, user):
    conn = become(user)
    answers = {}
    for name, statement in REFUSED[user].items():
        with pytest.raises(psycopg.Error) as caught, conn.transaction():
            if statement.startswith("copy"):
                with conn.cursor().copy(statement) as rows:
                    rows.read()
            else:
                conn.execute(statement)
        answers[name] = caught.value.sqlstate
    assert {name: sqlstate for name, sqlstate in answers.items() if sqlstate != "42501"} == {}


def test_a_registrar_registers_and_reads(become):
    conn = become("test_registrar")
    conn.execute("select register_artifact('dataset', 'cohort', artifact_id => 'd')")
    conn.execute("select register_model('m', %s, artifact_id => 'v', eval_dataset_artifact_id => 'd')", [METADATA])
    conn.execute("select register_models(%s)", [json.dumps([{"name": "m", "metadata": internal_metadata()}])])
    conn.execute("set constraints all immediate")
    assert conn.execute("select name, version_number from models order by 2").fetchall() == [("m", 1), ("m", 2)]


def test_a_reviewer_moves_versions_and_reads(conn, connect):
    conn.execute("select register_model('m', %s, artifact_id => 'v')", [METADATA])
    reviewer = connect("test_reviewer")
    for function in ("promote_model", "demote_model", "reject_model", "reopen_model"):
        reviewer.execute(f"select {function}('v')")
    assert reviewer.execute("select promotion_state from models").fetchone() == ("candidate",)


def test_a_steward_sets_gates_and_policies_and_reads(become):
    conn = become("test_steward")
    gate = conn.execute("select set_promotion_gate('f1', '>', 0.5)").fetchone()[0]
    conn.execute("select set_promotion_policy('m', require_second_person => true)")
    assert conn.execute("select metric from gates").fetchall() == [("f1",)]
    assert conn.execute("select remove_promotion_gate(%s)", [gate]).fetchone() == (True,)
    actors = conn.execute("select distinct actor from model_history(null) where action <> 'policy_set'").fetchall()
    assert actors == [("test_steward",)]


def test_a_reader_reads(become):
    assert become("test_reader").execute("select count(*) from models").fetchone() == (0,)


def test_the_view_is_for_reading_only_whatever_one_may(superuser):
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        superuser.execute("update models set promotion_state = 'promoted'")


@pytest.mark.parametrize("user", ["test_registrar", "test_reviewer", "test_steward", "test_reader", "test_stranger"])
def test_everybody_can_ask_what_is_wrong_with_a_document(become, user):
    conn = become(user)
    assert conn.execute("select path from metadata_errors('[]')").fetchall() == [("",)]
    assert conn.execute("""select jsonb_matches_schema('{"type": "string"}', '7')""").fetchone() == (False,)


# --- who did it -----------------------------------------------------------------------------------------------------


def test_the_user_of_the_session_is_recorded_although_the_function_runs_as_its_owner(become):
    conn = become("test_registrar")
    conn.execute("select register_model('m', %s)", [METADATA])
    assert conn.execute("select created_by from models").fetchone() == ("test_registrar",)


def test_the_user_of_the_session_is_recorded_whatever_role_was_set(become):
    conn = become("test_registrar")
    conn.execute("set local role atlas_registrar")
    conn.execute("select register_model('m', %s)", [METADATA])
    assert conn.execute("select created_by from models").fetchone() == ("test_registrar",)


def test_the_user_of_the_session_is_recorded_for_what_is_no_model(connect, conn):
    connect("test_registrar").execute("select register_artifact('dataset', 'cohort')")
    assert conn.execute("select created_by from artifacts").fetchone() == ("test_registrar",)
