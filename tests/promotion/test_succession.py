"""At most one version of a name is promoted, and superseded_by leads from each to the one that took its place."""

from __future__ import annotations

import random

import psycopg
import pytest

LEGAL = {
    "candidate": ("promoted", "rejected"),
    "promoted": ("superseded", "candidate"),
    "superseded": ("promoted", "rejected"),
    "rejected": ("candidate",),
}


def test_promoting_supersedes_the_version_promoted_before(versions):
    versions.in_state("promoted", "v1")
    versions.conn.execute("select promote_model(%s)", [versions.register("v2")])
    assert versions.states() == {"v1": "superseded", "v2": "promoted"}
    assert versions.successors() == {"v1": "v2"}


def test_a_name_rolls_back_to_a_superseded_version(versions):
    versions.in_state("superseded", "v")
    row = versions.conn.execute("select name, version_number, superseded from promote_model('v')").fetchone()
    assert row == ("risk", 1, "v-successor")
    assert versions.states() == {"v": "promoted", "v-successor": "superseded"}
    assert versions.successors() == {"v-successor": "v"}


def test_rolling_back_and_forth_leaves_one_link(versions):
    versions.in_state("superseded", "v")
    for artifact_id in ("v", "v-successor", "v", "v-successor"):
        versions.conn.execute("select promote_model(%s)", [artifact_id])
    assert versions.successors() == {"v": "v-successor"}


def test_rolling_back_over_several_versions_keeps_the_other_links(versions):
    for artifact_id in ("v1", "v2", "v3"):
        versions.conn.execute("select promote_model(%s)", [versions.register(artifact_id)])
    versions.conn.execute("select promote_model('v1')")
    assert versions.successors() == {"v2": "v3", "v3": "v1"}


def test_a_version_promoted_after_a_demotion_supersedes_none(versions):
    versions.in_state("promoted", "v1")
    versions.conn.execute("select demote_model('v1')")
    versions.conn.execute("select promote_model(%s)", [versions.register("v2")])
    assert versions.states() == {"v1": "candidate", "v2": "promoted"}
    assert versions.successors() == {}


def test_promoting_touches_no_version_of_another_name(versions):
    versions.in_state("promoted", "v", name="risk")
    versions.in_state("promoted", "w", name="risk of another kind")
    assert versions.states() == {"v": "promoted", "w": "promoted"}


@pytest.mark.parametrize("role", ["atlas_owner", "superuser"])
def test_a_raw_promotion_supersedes_too(versions, role):
    versions.in_state("promoted", "v1")
    versions.register("v2")
    if role == "atlas_owner":
        versions.conn.execute("set local role atlas_owner")
    versions.move("v2", "promoted")
    assert versions.states() == {"v1": "superseded", "v2": "promoted"}
    assert versions.successors() == {"v1": "v2"}


def test_a_raw_update_of_many_candidates_leaves_one_promoted(versions):
    for artifact_id in ("v1", "v2", "v3"):
        versions.register(artifact_id)
    versions.conn.execute("update model_versions set promotion_state = 'promoted'")
    states = versions.states()
    assert sorted(states.values()) == ["promoted", "superseded", "superseded"]
    assert versions.conn.execute("select count(*) from models where superseded_by is not null").fetchone() == (2,)


def test_a_raw_update_of_many_names_promotes_one_of_each(versions):
    for name in ("a", "b", "c"):
        versions.register(f"{name}1", name)
        versions.register(f"{name}2", name)
    versions.conn.execute("update model_versions set promotion_state = 'promoted'")
    query = "select name, count(*) from models where promotion_state = 'promoted' group by name order by name"
    assert versions.conn.execute(query).fetchall() == [("a", 1), ("b", 1), ("c", 1)]


def test_one_raw_update_cannot_promote_one_version_and_write_the_one_promoted_before(versions):
    versions.register("v2")
    versions.in_state("promoted", "v1")
    error = versions.refusal(
        """
        update model_versions
        set promotion_state = case artifact_id when 'v1' then 'superseded' else 'promoted' end
        """
    )
    # PostgreSQL's own refusal: the trigger wrote a row that the statement meant to write after it.
    assert error.sqlstate == "27000"
    assert versions.states() == {"v1": "promoted", "v2": "candidate"}


def test_a_replica_cannot_promote_two_versions_of_a_name(versions):
    versions.in_state("promoted", "v1")
    versions.register("v2")
    versions.conn.execute("set local session_replication_role = replica")
    error = versions.refusal("update model_versions set promotion_state = 'promoted' where artifact_id = 'v2'")
    assert (error.sqlstate, error.diag.constraint_name) == ("23505", "model_versions_one_promoted")


# --- superseded_by, written by hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "links",
    [
        {"v1": "v1"},
        {"v1": "v2", "v2": "v1"},
        {"v1": "v2", "v2": "v3", "v3": "v1"},
        # The walk from v1 comes into a circle that it is no part of.
        {"v1": "v2", "v2": "v3", "v3": "v2"},
    ],
)
def test_one_update_cannot_make_succession_run_in_a_circle(versions, links):
    for artifact_id in ("v1", "v2", "v3"):
        versions.register(artifact_id)
    versions.conn.execute("set local statement_timeout = '10s'")
    changes = " ".join(f"when '{source}' then '{target}'" for source, target in links.items())
    error = versions.refusal(
        f"update artifacts set superseded_by = case id {changes} end where id = any(%s)", [list(links)]
    )
    assert error.sqlstate in ("MR005", "23514")


def test_a_circle_cannot_be_closed_by_a_later_update(versions):
    for artifact_id in ("v1", "v2", "v3"):
        versions.register(artifact_id)
        versions.conn.execute("select promote_model(%s)", [artifact_id])
    versions.conn.execute("select demote_model('v3')")
    assert versions.successors() == {"v1": "v2", "v2": "v3"}
    error = versions.refusal("update artifacts set superseded_by = 'v1' where id = 'v3'")
    assert error.diag.message_detail == "/superseded_by: v1 would be superseded by itself"


def test_a_version_is_never_superseded_by_one_that_was_never_promoted(versions):
    for artifact_id in ("v1", "v2"):
        versions.register(artifact_id)
    error = versions.refusal("update artifacts set superseded_by = 'v2' where id = 'v1'")
    assert (error.sqlstate, error.diag.constraint_name) == ("MR005", "artifacts_74_verify_succession")
    assert error.diag.message_detail == "/superseded_by: v2 was never promoted"


def test_the_promoted_version_is_superseded_by_none(versions):
    versions.in_state("superseded", "v")
    versions.conn.execute("update artifacts set superseded_by = null where id = 'v'")
    error = versions.refusal("update artifacts set superseded_by = 'v' where id = 'v-successor'")
    assert error.diag.message_detail == "/superseded_by: v-successor is promoted itself"


def test_a_version_is_never_superseded_by_one_of_another_name(versions):
    versions.register("v", "risk")
    versions.register("w", "another model")
    error = versions.refusal("update artifacts set superseded_by = 'w' where id = 'v'")
    assert error.diag.message_detail == "/superseded_by: w is no version of risk"


def test_a_version_is_never_superseded_by_one_that_does_not_exist(versions):
    versions.register("v")
    assert versions.refusal("update artifacts set superseded_by = 'nowhere' where id = 'v'").sqlstate == "23503"


# --- any sequence ---------------------------------------------------------------------------------------------------


class Expected:
    """The same registry in twenty lines of Python."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.states = dict.fromkeys(names, "candidate")
        self.successors: dict[str, str] = {}
        self.ever_promoted: set[str] = set()

    def move(self, artifact_id: str, state: str) -> bool:
        """Makes a transition when it is legal; tells whether it was."""
        if state not in LEGAL[self.states[artifact_id]]:
            return False
        if state == "promoted":
            self.successors.pop(artifact_id, None)
            self.ever_promoted.add(artifact_id)
            for other, name in self.names.items():
                if name == self.names[artifact_id] and self.states[other] == "promoted":
                    self.states[other] = "superseded"
                    self.successors[other] = artifact_id
        self.states[artifact_id] = state
        return True


BY_FUNCTION = {
    "promoted": ["promote_model"],
    "rejected": ["reject_model"],
    "candidate": ["demote_model", "reopen_model"],
    "superseded": [],
}


def try_to_move(versions, artifact_id: str, state: str, function: str | None) -> bool:
    try:
        with versions.conn.transaction():
            if function is None:
                versions.move(artifact_id, state)
            else:
                versions.conn.execute(f"select {function}(%s)", [artifact_id])
    except psycopg.Error as error:
        assert error.sqlstate == "MR001", error
        return False
    return True


def runs_in_a_circle(successors: dict[str, str]) -> bool:
    for start in successors:
        at, steps = successors.get(start), 0
        while at is not None and steps <= len(successors):
            at, steps = successors.get(at), steps + 1
        if at is not None:
            return True
    return False


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_any_sequence_of_moves_states_and_links_are_what_the_rules_say(versions, seed):
    choose = random.Random(seed)
    names = {f"{name}{number}": name for name in ("a", "b") for number in range(1, 5)}
    for artifact_id, name in names.items():
        versions.register(artifact_id, name)
    expected = Expected(names)
    moves = 0
    for _ in range(300):
        artifact_id = choose.choice(list(names))
        state = choose.choice([state for state in LEGAL if state != expected.states[artifact_id]])
        # The functions are as strict as the table where only one of them leads to a state.
        functions = [None, *BY_FUNCTION[state]] if state != "candidate" else [None]
        moved = try_to_move(versions, artifact_id, state, choose.choice(functions))
        assert moved == expected.move(artifact_id, state)
        moves += moved
        assert versions.states() == expected.states
        assert versions.successors() == expected.successors
        assert not runs_in_a_circle(expected.successors)
    query = "select array_agg(artifact_id) from models where first_promoted_at is not null"
    assert set(versions.conn.execute(query).fetchone()[0]) == expected.ever_promoted
    assert moves > 100
