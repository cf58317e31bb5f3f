"""What the four functions take, keep and answer."""

from __future__ import annotations

import pytest

FUNCTIONS = ["promote_model", "reject_model", "demote_model", "reopen_model"]
STARTS_FROM = {
    "promote_model": "candidate",
    "reject_model": "candidate",
    "demote_model": "promoted",
    "reopen_model": "rejected",
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_expectation_that_does_not_hold_is_refused_and_changes_nothing(versions, function):
    before = STARTS_FROM[function]
    versions.in_state(before)
    error = versions.refusal(f"select {function}('v', expected_state => 'superseded')")
    assert (error.sqlstate, error.diag.message_primary) == ("MR002", f"version v is {before}, not superseded")
    assert error.diag.message_detail == f"/expected_state: superseded was expected, {before} is the state"
    assert versions.state("v") == before


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_expectation_that_holds_lets_the_version_pass(versions, function):
    versions.in_state(STARTS_FROM[function])
    versions.conn.execute(f"select {function}('v', expected_state => %s)", [STARTS_FROM[function]])
    assert versions.state("v") != STARTS_FROM[function]


def test_an_expectation_that_holds_does_not_make_an_illegal_move_legal(versions):
    versions.in_state("rejected")
    assert versions.refusal("select promote_model('v', expected_state => 'rejected')").sqlstate == "MR001"


def test_an_expectation_that_is_no_state_at_all_is_one_that_does_not_hold(versions):
    versions.register("v")
    assert versions.refusal("select promote_model('v', expected_state => 'Candidate')").sqlstate == "22023"


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("artifact_id", ["nowhere", "", None])
def test_an_id_that_names_no_version_is_not_found(versions, function, artifact_id):
    error = versions.refusal(f"select {function}(%s)", [artifact_id])
    assert error.sqlstate == "P0002"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_id_of_a_dataset_names_no_version(versions, function):
    versions.conn.execute("select register_artifact('dataset', 'cohort A', artifact_id => 'd')")
    assert versions.refusal(f"select {function}('d')").sqlstate == "P0002"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_notes_are_kept_when_given(versions, function):
    versions.in_state(STARTS_FROM[function])
    versions.conn.execute(f"select {function}('v', 'because of the audit')")
    assert versions.column("promotion_notes", "v") == "because of the audit"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_notes_stay_when_none_are_given(versions, function):
    versions.in_state(STARTS_FROM[function])
    versions.conn.execute("update model_versions set promotion_notes = 'from before'")
    versions.conn.execute(f"select {function}('v')")
    assert versions.column("promotion_notes", "v") == "from before"


def test_being_superseded_leaves_the_notes_of_the_promotion(versions):
    versions.register("v")
    versions.conn.execute("select promote_model('v', 'passed the review')")
    versions.conn.execute("select promote_model(%s, 'better')", [versions.register("w")])
    assert versions.column("promotion_notes", "v") == "passed the review"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_refused_call_keeps_no_notes(versions, function):
    state = {"promote_model": "rejected", "reject_model": "promoted"}.get(function, "candidate")
    versions.in_state(state)
    versions.refusal(f"select {function}('v', 'never written')")
    assert versions.column("promotion_notes", "v") is None


def test_promoting_tells_which_version_was_superseded(versions):
    versions.in_state("promoted")
    versions.register("w")
    row = versions.conn.execute("select name, version_number, superseded from promote_model('w')").fetchone()
    assert row == ("risk", 2, "v")


def test_promoting_the_first_version_of_a_name_supersedes_none(versions):
    versions.in_state("promoted", "other", name="another model")
    versions.register("v")
    row = versions.conn.execute("select name, version_number, superseded from promote_model('v')").fetchone()
    assert row == ("risk", 1, None)


# --- first_promoted_at ----------------------------------------------------------------------------------------------


def test_a_version_that_was_never_promoted_has_no_first_promotion(versions):
    versions.in_state("rejected")
    assert versions.column("first_promoted_at", "v") is None


def test_the_first_promotion_stays_the_first(registry):
    registry.in_state("promoted")
    first = registry.column("first_promoted_at", "v")
    registry.conn.execute("select demote_model('v')")
    registry.conn.execute("select promote_model('v')")
    registry.conn.execute("select promote_model(%s)", [registry.register("w")])
    assert registry.column("first_promoted_at", "v") == first
    assert registry.column("first_promoted_at", "w") > first


@pytest.mark.parametrize(
    ("state", "value"),
    [
        ("candidate", "2001-01-01"),
        ("rejected", "2001-01-01"),
        ("promoted", "2001-01-01"),
        ("promoted", None),
        ("superseded", "2001-01-01"),
        ("superseded", None),
    ],
)
@pytest.mark.parametrize("settings", ["set local role atlas_owner", "set local session_replication_role = replica"])
def test_the_first_promotion_cannot_be_written_by_hand(versions, state, value, settings):
    versions.in_state(state)
    versions.conn.execute(settings)
    error = versions.refusal("update model_versions set first_promoted_at = %s where artifact_id = 'v'", [value])
    assert (error.sqlstate, error.diag.column_name) == ("MR005", "first_promoted_at")


def test_a_raw_promotion_cannot_choose_its_moment(versions):
    versions.register("v")
    versions.conn.execute("update model_versions set promotion_state = 'promoted', first_promoted_at = '2001-01-01'")
    query = "select first_promoted_at = now() from models"
    assert versions.conn.execute(query).fetchone() == (True,)


def test_a_rejection_cannot_bring_a_first_promotion_with_it(versions):
    versions.register("v")
    error = versions.refusal("update model_versions set promotion_state = 'rejected', first_promoted_at = now()")
    assert (error.sqlstate, error.diag.column_name) == ("MR005", "first_promoted_at")
