"""The state machine: all pairs of states, by every function and every way to write the table."""

from __future__ import annotations

import json

import psycopg
import pytest

from factories import internal_metadata

STATES = ("candidate", "promoted", "rejected", "superseded")
LEGAL = {
    ("candidate", "promoted"),
    ("candidate", "rejected"),
    ("promoted", "superseded"),
    ("promoted", "candidate"),
    ("superseded", "promoted"),
    ("superseded", "rejected"),
    ("rejected", "candidate"),
}
ILLEGAL = [
    ("candidate", "superseded"),
    ("promoted", "rejected"),
    ("rejected", "promoted"),
    ("rejected", "superseded"),
    ("superseded", "candidate"),
]
# Function, state before: state after, or what the refusal advises.
BY_FUNCTION = {
    ("promote_model", "candidate"): "promoted",
    ("promote_model", "promoted"): "There is nothing to do.",
    ("promote_model", "rejected"): "reopen_model() makes it a candidate first.",
    ("promote_model", "superseded"): "promoted",
    ("reject_model", "candidate"): "rejected",
    ("reject_model", "promoted"): "demote_model() takes it out of service first.",
    ("reject_model", "rejected"): "There is nothing to do.",
    ("reject_model", "superseded"): "rejected",
    ("demote_model", "candidate"): "There is nothing to do.",
    ("demote_model", "promoted"): "candidate",
    ("demote_model", "rejected"): "reopen_model() makes it a candidate first.",
    ("demote_model", "superseded"): "promote_model() and reject_model() are open to it.",
    ("reopen_model", "candidate"): "There is nothing to do.",
    ("reopen_model", "promoted"): "demote_model() takes it out of service first.",
    ("reopen_model", "rejected"): "candidate",
    ("reopen_model", "superseded"): "promote_model() and reject_model() are open to it.",
}
WAYS_TO_UPDATE = {
    "update": "update model_versions set promotion_state = %(state)s where artifact_id = 'v'",
    "merge": """
        merge into model_versions as v using (values ('v')) as given (id) on v.artifact_id = given.id
        when matched then update set promotion_state = %(state)s
        """,
    "upsert": """
        insert into model_versions (artifact_id) values ('v')
        on conflict (artifact_id) do update set promotion_state = %(state)s
        """,
}


def test_the_two_lists_of_this_file_cover_all_sixteen_pairs():
    assert len(LEGAL) + len(ILLEGAL) + len(STATES) == 16
    assert not LEGAL & set(ILLEGAL)


MOVES = {pair: outcome for pair, outcome in BY_FUNCTION.items() if outcome in STATES}
REFUSALS = {pair: outcome for pair, outcome in BY_FUNCTION.items() if outcome not in STATES}


@pytest.mark.parametrize(("function", "before"), MOVES)
def test_a_reviewer_moves_a_version_by_function(versions, function, before):
    versions.in_state(before)
    versions.conn.execute("set local role atlas_reviewer")
    row = versions.conn.execute(f"select * from {function}('v')").fetchone()
    # The last column: what promote_model() superseded, for the others where the version came from.
    promoted_before = {"candidate": None, "superseded": "v-successor"}
    assert row == ("risk", 1, promoted_before[before] if function == "promote_model" else before)
    assert versions.state("v") == MOVES[function, before]


@pytest.mark.parametrize(("function", "before"), REFUSALS)
def test_a_function_that_cannot_move_a_version_says_what_comes_first(versions, function, before):
    versions.in_state(before)
    error = versions.refusal(f"select {function}('v')")
    assert (error.sqlstate, error.diag.message_primary) == ("MR001", f"version v is {before}")
    assert error.diag.message_hint == REFUSALS[function, before]
    assert versions.state("v") == before


@pytest.mark.parametrize(("before", "after"), sorted(LEGAL))
@pytest.mark.parametrize("role", ["atlas_owner", "superuser"])
@pytest.mark.parametrize("way", ["update", "merge", "upsert"])
def test_a_legal_transition_passes_whoever_writes_the_table_and_however(versions, before, after, role, way):
    versions.in_state(before)
    if role == "atlas_owner":
        versions.conn.execute("set local role atlas_owner")
    versions.conn.execute(WAYS_TO_UPDATE[way], {"state": after})
    assert versions.state("v") == after


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
@pytest.mark.parametrize("way", ["update", "merge", "upsert"])
@pytest.mark.parametrize("settings", ["", "set local role atlas_owner", "set local session_replication_role = replica"])
def test_an_illegal_transition_is_refused_whoever_writes_the_table_and_however(versions, before, after, way, settings):
    versions.in_state(before)
    if settings:
        versions.conn.execute(settings)
    error = versions.refusal(WAYS_TO_UPDATE[way], {"state": after})
    assert error.sqlstate == "MR001"
    assert error.diag.message_primary == f"version v cannot go from {before} to {after}"
    assert error.diag.column_name == "promotion_state"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("way", ["update", "merge", "upsert"])
def test_writing_the_state_that_a_version_is_in_changes_nothing(versions, state, way):
    versions.in_state(state)
    query = "select promotion_state, first_promoted_at, superseded_by from models where artifact_id = 'v'"
    before = versions.conn.execute(query).fetchone()
    versions.conn.execute(WAYS_TO_UPDATE[way], {"state": state})
    assert versions.conn.execute(query).fetchone() == before


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("settings", ["set local role atlas_owner", "set local session_replication_role = replica"])
def test_an_unknown_state_is_refused(versions, state, settings):
    versions.in_state(state)
    versions.conn.execute(settings)
    assert versions.refusal(WAYS_TO_UPDATE["update"], {"state": "archived"}).sqlstate == "MR001"


def test_a_state_cannot_be_taken_away(versions):
    versions.register("v")
    assert versions.refusal("update model_versions set promotion_state = null").sqlstate == "MR001"


def test_a_replica_takes_a_legal_transition_over_as_it_comes(versions):
    versions.in_state("promoted")
    versions.conn.execute("set local session_replication_role = replica")
    versions.move("v", "superseded")
    assert versions.state("v") == "superseded"


# --- initial states -------------------------------------------------------------------------------------------------


def insert_artifact(conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into artifacts (id, artifact_type, name, metadata) values ('v', 'model', 'risk', %s)",
        [json.dumps(internal_metadata())],
    )


@pytest.mark.parametrize("role", ["atlas_owner", "superuser"])
@pytest.mark.parametrize("state", ["promoted", "rejected", "superseded", "archived"])
def test_an_insert_cannot_start_as_anything_but_a_candidate(versions, state, role):
    insert_artifact(versions.conn)
    if role == "atlas_owner":
        versions.conn.execute("set local role atlas_owner")
    error = versions.refusal("insert into model_versions (artifact_id, promotion_state) values ('v', %s)", [state])
    assert (error.sqlstate, error.diag.message_primary) == ("MR001", f"a new version cannot start as {state}")


@pytest.mark.parametrize("state", ["promoted", "rejected", "superseded", "archived"])
def test_a_copy_cannot_start_as_anything_but_a_candidate(versions, state):
    insert_artifact(versions.conn)
    copy = "copy model_versions (artifact_id, promotion_state) from stdin"
    with (
        pytest.raises(psycopg.Error) as caught,
        versions.conn.transaction(),
        versions.conn.cursor().copy(copy) as rows,
    ):
        rows.write_row(("v", state))
    assert caught.value.sqlstate == "MR001"


@pytest.mark.parametrize("state", ["promoted", "rejected", "superseded"])
def test_a_version_written_before_its_artifact_in_one_statement_cannot_start_otherwise_either(versions, state):
    error = versions.refusal(
        """
        with version as (
            insert into model_versions (artifact_id, promotion_state) values ('v', %s) returning artifact_id
        ),
        artifact as (
            insert into artifacts (id, artifact_type, name, metadata) values ('v', 'model', 'risk', %s) returning 1
        )
        select from version
        """,
        [state, json.dumps(internal_metadata())],
    )
    assert error.sqlstate == "MR001"


def test_a_version_written_before_its_artifact_in_one_statement_is_refused_because_nothing_can_be_derived(versions):
    error = versions.refusal(
        """
        with version as (
            insert into model_versions (artifact_id, external_source_url) values ('v', 'https://x.example') returning 1
        ),
        artifact as (
            insert into artifacts (id, artifact_type, name, metadata) values ('v', 'model', 'risk', %s) returning 1
        )
        select from version
        """,
        [json.dumps(internal_metadata())],
    )
    assert (error.sqlstate, error.diag.constraint_name) == ("23503", "model_versions_artifact_fkey")


def test_a_version_written_after_its_artifact_in_one_statement_is_accepted(versions):
    versions.conn.execute(
        """
        with artifact as (
            insert into artifacts (id, artifact_type, name, metadata) values ('v', 'model', 'risk', %s) returning id
        )
        insert into model_versions (artifact_id) select id from artifact
        """,
        [json.dumps(internal_metadata())],
    )
    versions.conn.execute("set constraints all immediate")
    assert versions.states() == {"v": "candidate"}


@pytest.mark.parametrize("moment", ["2001-01-01", "infinity"])
def test_a_new_version_cannot_claim_that_it_was_promoted_before(versions, moment):
    insert_artifact(versions.conn)
    error = versions.refusal("insert into model_versions (artifact_id, first_promoted_at) values ('v', %s)", [moment])
    assert error.sqlstate == "MR001"


def test_a_new_version_cannot_come_without_a_state(versions):
    insert_artifact(versions.conn)
    error = versions.refusal("insert into model_versions (artifact_id, promotion_state) values ('v', null)")
    assert (error.sqlstate, error.diag.message_primary) == ("MR001", "a new version cannot start as none")


def test_a_version_cannot_be_promoted_before_its_row_is_written(versions):
    insert_artifact(versions.conn)
    error = versions.refusal("select promote_model('v')")
    assert (error.sqlstate, error.diag.message_primary) == ("MR004", "model v has no row in model_versions")
