"""Any sequence of calls does what a small model in Python says: outcomes, states, numbers, latest, and the history."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from factories import internal_metadata

NAMES = ("risk", "churn")
METRICS = ("auroc", "loss")
MOVES = {
    "promote_model": (("candidate", "superseded"), "promoted", "promoted"),
    "reject_model": (("candidate", "superseded"), "rejected", "rejected"),
    "demote_model": (("promoted",), "candidate", "demoted"),
    "reopen_model": (("rejected",), "candidate", "reopened"),
}
COMPARE = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b}
METADATA = json.dumps(internal_metadata())
PIN = ("https://git.example.org/team/project", "0123456789abcdef0123456789abcdef01234567")


class Version:
    """What the model knows of a version."""

    def __init__(self, name: str, number: int, pinned: bool, parent: str | None) -> None:
        self.name, self.number, self.pinned, self.parent = name, number, pinned, parent
        self.state = "candidate"
        self.was_promoted = False
        self.evaluations: list[dict[str, float]] = []

    def found(self, metric: str) -> float | None:
        return next((metrics[metric] for metrics in reversed(self.evaluations) if metric in metrics), None)


class Governance(RuleBasedStateMachine):
    """The registry beside the model; each run is one transaction that is rolled back."""

    conn: psycopg.Connection

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, Version] = {}
        self.counters = dict.fromkeys(NAMES, 0)
        self.gates: dict[tuple, float] = {}
        self.policies: dict[str | None, list[bool | None]] = {None: [True, True, False]}
        self.events: dict[str, list[tuple]] = {name: [] for name in NAMES}
        self.calls = 0
        self.conn.execute("begin")

    def teardown(self) -> None:
        self.conn.execute("rollback")

    def call(self, query: str, parameters: list[Any]) -> str | None:
        """The SQLSTATE of the refusal, None when it succeeds."""
        self.calls += 1
        try:
            with self.conn.transaction():
                self.conn.execute(query, parameters)
                self.conn.execute("set constraints all immediate")
                self.conn.execute("set constraints all deferred")
        except psycopg.Error as error:
            return error.sqlstate
        return None

    def of(self, data: st.DataObject) -> tuple[str, Version]:
        return data.draw(st.sampled_from(sorted(self.versions.items(), key=lambda item: item[0])))

    def asked(self, name: str) -> list[bool]:
        named = self.policies.get(name, [None] * 3)
        return [bool(general if own is None else own) for own, general in zip(named, self.policies[None], strict=True)]

    def failures(self, version: Version) -> tuple[int, bool]:
        """How many gates and policies it does not meet, and whether the second person is one of them."""
        code_pin, evaluation, second_person = self.asked(version.name)
        failed = (code_pin and not version.pinned) + (evaluation and not version.evaluations) + second_person
        for (model, metric, comparator), threshold in self.gates.items():
            found = version.found(metric)
            if model in (None, version.name) and not (found is not None and COMPARE[comparator](found, threshold)):
                failed += 1
        return failed, second_person

    # --- rules ------------------------------------------------------------------------------------------------------

    @rule(data=st.data(), name=st.sampled_from(NAMES), pinned=st.booleans(), with_parent=st.booleans())
    def register(self, data: st.DataObject, name: str, pinned: bool, with_parent: bool) -> None:
        parent = self.of(data)[0] if with_parent and self.versions else None
        artifact_id = f"v{self.calls}"
        query = """
            select register_model(
                %s, %s, artifact_id => %s, parent_version_id => %s, code_repo_url => %s, code_commit_sha => %s
            )
        """
        assert self.call(query, [name, METADATA, artifact_id, parent, *(PIN if pinned else (None, None))]) is None
        self.counters[name] += 1
        self.versions[artifact_id] = Version(name, self.counters[name], pinned, parent)
        self.events[name].append(("registered", artifact_id))

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), metric=st.sampled_from(METRICS), value=st.integers(0, 4))
    def evaluate(self, data: st.DataObject, metric: str, value: int) -> None:
        artifact_id, version = self.of(data)
        # In one transaction the clock goes on, and two runs with equal numbers are told apart by their notes.
        query = "select record_evaluation(%s, metrics => %s, notes => %s)"
        metrics = {metric: value}
        before = version.evaluations[-1] if version.evaluations else {"auroc": 0.91}
        assert self.call(query, [artifact_id, json.dumps(metrics), str(self.calls)]) is None
        version.evaluations.append(metrics)
        self.events[version.name].append(("evaluated", artifact_id))
        if metrics != before:
            self.events[version.name].append(("changed", artifact_id))

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def link_code(self, data: st.DataObject) -> None:
        artifact_id, version = self.of(data)
        assert self.call("select link_code(%s, %s, %s)", [artifact_id, *PIN]) is None
        if not version.pinned:
            self.events[version.name].append(("code_linked", artifact_id))
        version.pinned = True

    @rule(
        model=st.sampled_from((*NAMES, None)),
        metric=st.sampled_from(METRICS),
        comparator=st.sampled_from(sorted(COMPARE)),
        threshold=st.integers(0, 4),
    )
    def set_gate(self, model: str | None, metric: str, comparator: str, threshold: int) -> None:
        query = "select set_promotion_gate(%s, %s, %s, model_name => %s)"
        assert self.call(query, [metric, comparator, threshold, model]) is None
        key = (model, metric, comparator)
        if model and self.gates.get(key) != threshold:
            self.events[model].append(("gate_set", None))
        self.gates[key] = threshold

    @precondition(lambda self: self.gates)
    @rule(data=st.data())
    def remove_gate(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.gates, key=str)))
        query = """
            select remove_promotion_gate(gate_id) from gates
            where model_name is not distinct from %s and metric = %s and comparator = %s
        """
        assert self.call(query, list(key)) is None
        if key[0]:
            self.events[key[0]].append(("gate_removed", None))
        del self.gates[key]

    @rule(model=st.sampled_from((*NAMES, None)), asked=st.tuples(*[st.sampled_from((None, False, False, True))] * 3))
    def set_policy(self, model: str | None, asked: tuple[bool | None, ...]) -> None:
        assert self.call("select set_promotion_policy(%s, %s, %s, %s)", [model, *asked]) is None
        if model is None:
            asked = tuple(old if new is None else new for new, old in zip(asked, self.policies[None], strict=True))
        elif self.policies.get(model) != list(asked):
            self.events[model].append(("policy_set", None))
        self.policies[model] = list(asked)

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), expected=st.sampled_from((None, None, "candidate", "promoted")))
    def promote(self, data: st.DataObject, expected: str | None) -> None:
        self.move_by(data, "promote_model", expected, overrides=False)

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def override(self, data: st.DataObject) -> None:
        self.move_by(data, "promote_model", None, overrides=True)

    @precondition(lambda self: self.versions)
    @rule(
        data=st.data(),
        function=st.sampled_from(sorted(set(MOVES) - {"promote_model"})),
        expected=st.sampled_from((None, None, "candidate", "promoted")),
    )
    def move(self, data: st.DataObject, function: str, expected: str | None) -> None:
        self.move_by(data, function, expected, overrides=False)

    def move_by(self, data: st.DataObject, function: str, expected: str | None, *, overrides: bool) -> None:
        artifact_id, version = self.of(data)
        starts, target, action = MOVES[function]
        query, parameters = f"select {function}(%s, expected_state => %s)", [artifact_id, expected]
        if overrides:
            query, parameters = f"select {function}(%s, expected_state => %s, override_reason => 'why')", parameters
        outcome = self.call(query, parameters)
        failed, lacks_second_person = self.failures(version)
        if expected not in (None, version.state):
            assert outcome == "MR002"
        elif version.state not in starts:
            assert outcome == "MR001"
        elif function == "promote_model" and failed and (lacks_second_person or not overrides):
            assert outcome == "MR011"
        else:
            assert outcome is None
            if target == "promoted":
                version.was_promoted = True
                for other_id, other in self.versions.items():
                    if other.name == version.name and other.state == "promoted":
                        other.state = "superseded"
                        self.events[version.name].append(("superseded", other_id))
                action = "promoted overridden" if failed else "promoted passed"
            version.state = target
            self.events[version.name].append((action, artifact_id))

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), by_hand=st.booleans())
    def delete(self, data: st.DataObject, by_hand: bool) -> None:
        artifact_id, version = self.of(data)
        query = "delete from artifacts where id = %s" if by_hand else "select delete_model(%s, 'why')"
        outcome = self.call(query, [artifact_id])
        if version.was_promoted:
            assert outcome == "MR008"
        elif any(other.parent == artifact_id for other in self.versions.values()):
            assert outcome == "23503"
        else:
            assert outcome is None
            del self.versions[artifact_id]
            self.events[version.name].append(("deleted", artifact_id))

    # --- what holds after each --------------------------------------------------------------------------------------

    @invariant()
    def the_registry_is_as_the_model_says(self) -> None:
        highest = {
            name: max((v.number for v in self.versions.values() if v.name == name), default=None) for name in NAMES
        }
        query = "select artifact_id, name, version_number, promotion_state, is_latest, latest_metrics from models"
        assert sorted(self.conn.execute(query).fetchall(), key=lambda row: row[0]) == [
            (
                artifact_id, v.name, v.number, v.state, v.number == highest[v.name],
                v.evaluations[-1] if v.evaluations else {"auroc": 0.91},
            )
            for artifact_id, v in sorted(self.versions.items())
        ]  # fmt: skip

    @invariant()
    def the_history_tells_it_all(self) -> None:
        query = """
            select concat_ws(' ', action, gates), artifact_id from model_events where model_name = %s order by event_id
        """
        for name in NAMES:
            assert self.conn.execute(query, [name]).fetchall() == self.events[name]
            promoted = [
                artifact_id for artifact_id, v in self.versions.items() if (v.name, v.state) == (name, "promoted")
            ]
            in_service = self.conn.execute("select artifact_id from promoted_at(%s)", [name]).fetchone()
            assert in_service == (promoted[0] if promoted else None,)


def run(connect: Callable[..., psycopg.Connection], runs: int, steps: int) -> None:
    conn = connect()
    conn.execute("select set_promotion_policy(null, true, true, false)")

    class OnThisDatabase(Governance):
        pass

    OnThisDatabase.conn = conn
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_short_sequence_of_calls_does_what_the_model_says(connect):
    run(connect, runs=10, steps=30)


@pytest.mark.long
def test_any_sequence_of_calls_does_what_the_model_says(connect):
    run(connect, runs=500, steps=50)
