"""Evaluations, gates, policies, deletion and the history, from Python."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta, timezone

import pytest

from atlas_models import (
    DeletedModel,
    GateCheck,
    GatesNotMet,
    InvalidArgument,
    NotFound,
    Problem,
    RecordedEvaluation,
    Registry,
    RemovalRefused,
    UnknownReference,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def version(registry, internal) -> str:
    return registry.register_model("risk", internal).artifact_id


def test_evaluations_are_recorded_and_a_repeated_one_is_recognised(registry, version):
    first = registry.record_evaluation(version, {"auroc": 0.95}, benchmark_id="b", evaluated_at=NOON)
    assert first == RecordedEvaluation(first.evaluation_id, True)
    again = registry.record_evaluation(version, {"auroc": 0.95}, benchmark_id="b", evaluated_at=NOON)
    assert again == RecordedEvaluation(first.evaluation_id, False)
    assert registry.get_model("risk").latest_metrics == {"auroc": 0.95}


def test_what_is_no_evaluation_is_refused_before_or_by_the_database(registry, version):
    for metrics, problem in (
        ({"auroc": float("nan")}, "/metrics/auroc"),
        ({"auroc": "0.9"}, "/metrics/auroc"),
        ({}, "/metrics"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            registry.record_evaluation(version, metrics)
        assert caught.value.problems[0].path == problem
    with pytest.raises(InvalidArgument):
        registry.record_evaluation(version, {"f1": 1}, evaluated_at=datetime(2026, 1, 1))
    with pytest.raises(UnknownReference):
        registry.record_evaluation(version, {"f1": 1}, eval_dataset_artifact_id="nowhere")
    with pytest.raises(NotFound):
        registry.record_evaluation("nowhere", {"f1": 1})


def test_a_promotion_meets_its_gates_or_is_overridden(registry, version):
    gate = registry.set_promotion_gate("auroc", ">=", 0.9, model_name="risk", reason="agreed")
    registry.set_promotion_policy("risk", require_evaluation=True)
    assert registry.check_gates(version) == [
        GateCheck("evaluation", None, "one recorded at least", None, False),
        GateCheck("gate", "auroc", ">= 0.9", None, False),
    ]
    with pytest.raises(GatesNotMet) as caught:
        registry.promote(version)
    assert caught.value.problems == [
        Problem("/evaluation", "wanted one recorded at least, missing"),
        Problem("/auroc", "wanted >= 0.9, missing"),
    ]
    registry.promote(version, override_reason="for the pilot")
    assert registry.remove_promotion_gate(gate, reason="no longer") is None
    with pytest.raises(NotFound):
        registry.remove_promotion_gate(gate)
    with pytest.raises(InvalidArgument):
        registry.set_promotion_gate("auroc", "like", 1)
    events = registry.model_history("risk")
    assert [event.action for event in events] == [
        "registered", "gate_set", "policy_set", "promoted", "gate_removed",
    ]  # fmt: skip
    assert (events[3].gates, events[3].reason, events[3].to_state) == ("overridden", "for the pilot", "promoted")
    assert events[3].evidence[1]["wanted"] == ">= 0.9"
    assert events[1].summary == "postgres set the gate auroc >= 0.9: agreed"
    assert [event.action for event in registry.model_history(None)] == ["policy_set"]


def test_what_was_in_service_can_be_asked_for(registry, version):
    assert registry.promoted_at("risk").note == "none was promoted"
    registry.promote(version)
    now = registry.promoted_at("risk")
    assert (now.artifact_id, now.version_number, now.known) == (version, 1, True)
    before = registry.promoted_at("risk", registry.model_history("risk")[0].happened_at - timedelta(seconds=1))
    assert (before.artifact_id, before.known) == (None, False)


def test_a_version_is_deleted_unless_it_was_in_service_or_is_referred_to(registry, internal, version):
    second = registry.register_model("risk", internal, parent_version_id=version).artifact_id
    with pytest.raises(UnknownReference) as caught:
        registry.delete_model(version, reason="a trial")
    assert caught.value.problems == [Problem("/parent_version_id", f"{second} refers to it")]
    assert registry.delete_model(second, reason="a trial") == DeletedModel("risk", 2, version)
    registry.promote(version)
    with pytest.raises(RemovalRefused):
        registry.delete_model(version, reason="a trial")
    with pytest.raises(InvalidArgument):
        registry.delete_model(version, reason=" ")


@pytest.mark.parametrize(
    ("method", "function"),
    [
        ("record_evaluation", "record_evaluation"),
        ("check_gates", "check_gates"),
        ("set_promotion_gate", "set_promotion_gate"),
        ("remove_promotion_gate", "remove_promotion_gate"),
        ("set_promotion_policy", "set_promotion_policy"),
        ("delete_model", "delete_model"),
        ("model_history", "model_history"),
        ("promoted_at", "promoted_at"),
        ("promote", "promote_model"),
    ],
)
def test_a_method_takes_what_its_function_takes(conn, method, function):
    query = """
        select coalesce(p.proargnames[1:cardinality(p.proargtypes::oid[])], p.proargnames)
        from pg_proc as p where p.pronamespace = 'atlas'::regnamespace and p.proname = %s
    """
    (of_function,) = conn.execute(query, [function]).fetchone()
    assert sorted(list(inspect.signature(getattr(Registry, method)).parameters)[1:]) == sorted(of_function)
