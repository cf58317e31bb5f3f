"""Gates and policies: what a promotion asks for, and how it says what is missing."""

from __future__ import annotations

import json

import pytest

from factories import external_metadata, internal_metadata


def detail(governed, artifact_id: str = "v", **arguments) -> list[str]:
    named = "".join(f", {name} => '{value}'" for name, value in arguments.items())
    error = governed.refusal(f"select promote_model('{artifact_id}'{named})")
    assert error.sqlstate == "MR011"
    return error.diag.message_detail.splitlines()


def test_each_failed_gate_and_policy_is_one_line_and_check_gates_shows_the_same_without_acting(governed):
    governed.register("v", code_commit_sha=None)
    governed.gate("auroc", ">=", 0.9, benchmark_id="imagenet")
    governed.gate("auroc", ">=", 0.8)
    governed.gate("latency/p99", "<", 20, "risk")
    governed.gate("auroc", ">", 0.99, "another model")
    assert detail(governed) == [
        "/code_commit_sha: wanted repository and commit, found repository only",
        "/evaluation: wanted one recorded at least, missing",
        "/auroc: wanted >= 0.8, missing",
        "/auroc: wanted >= 0.9 on imagenet, missing",
        "/latency~1p99: wanted < 20, missing",
    ]
    governed.evaluate("v", {"auroc": 0.85}, benchmark_id="imagenet")
    assert governed.rows("select * from check_gates('v')") == [
        ("code pin", None, "repository and commit", "repository only", False),
        ("evaluation", None, "one recorded at least", "1", True),
        ("gate", "auroc", ">= 0.8", "0.85", True),
        ("gate", "auroc", ">= 0.9 on imagenet", "0.85", False),
        ("gate", "latency/p99", "< 20", None, False),
    ]
    assert detail(governed) == [
        "/code_commit_sha: wanted repository and commit, found repository only",
        "/auroc: wanted >= 0.9 on imagenet, found 0.85",
        "/latency~1p99: wanted < 20, missing",
    ]
    assert governed.state("v") == "candidate"
    governed.conn.execute("select link_code('v', code_commit_sha => repeat('a', 40))")
    governed.evaluate("v", {"auroc": 0.9, "latency/p99": 19.5}, benchmark_id="imagenet")
    governed.promote("v")
    assert governed.state("v") == "promoted"


@pytest.mark.parametrize(
    ("comparator", "below", "equal", "above"),
    [
        (">=", False, True, True),
        (">", False, False, True),
        ("<=", True, True, False),
        ("<", True, False, False),
        ("=", False, True, False),
        ("<>", True, False, True),
    ],
)
def test_a_comparator_means_what_it_says_to_the_last_digit(governed, comparator, below, equal, above):
    governed.gate("m", comparator, 0.1)
    for number, passes in (("0.09999999999999999", below), ("0.1", equal), ("0.10000000000000001", above)):
        governed.register(f"v{number}", f"model {number}")
        query = "select record_evaluation(%s, metrics => jsonb_build_object('m', %s::numeric))"
        governed.rows(query, f"v{number}", number)
        query = "select passed from check_gates(%s) where metric = 'm'"
        assert governed.value(query, f"v{number}") is passes, number


def test_the_latest_evaluation_that_holds_the_metric_decides_and_what_is_declared_does_not(governed):
    governed.register("v")
    governed.gate("auroc", ">=", 0.9)
    assert "/auroc: wanted >= 0.9, missing" in detail(governed)
    governed.evaluate("v", {"auroc": 0.95}, evaluated_at="2026-01-01")
    governed.evaluate("v", {"f1": 0.1}, evaluated_at="2026-01-03")
    assert governed.value("select bool_and(passed) from check_gates('v')")
    governed.evaluate("v", {"auroc": 0.8}, evaluated_at="2026-01-02")
    assert detail(governed) == ["/auroc: wanted >= 0.9, found 0.8"]


def test_an_external_model_is_asked_for_gates_alone(governed):
    governed.register("v", metadata=external_metadata(), code_repo_url=None, code_commit_sha=None)
    assert governed.rows("select from check_gates('v')") == []
    governed.gate("top1", ">=", 0.7)
    assert detail(governed) == ["/top1: wanted >= 0.7, missing"]
    governed.conn.execute("select set_promotion_policy(null, require_second_person => true)")
    assert detail(governed)[0] == "/registered_by: wanted not who registered it, found postgres"


def test_rolling_back_meets_the_gates_of_today(governed):
    for artifact_id in ("v", "w"):
        governed.ready(artifact_id, auroc=0.9)
        governed.promote(artifact_id)
    governed.gate("auroc", ">=", 0.95, "risk")
    assert detail(governed) == ["/auroc: wanted >= 0.95, found 0.9"]
    governed.conn.execute("select remove_promotion_gate(gate_id) from gates")
    governed.promote("v", notes="back")
    assert (governed.state("v"), governed.state("w")) == ("promoted", "superseded")


def test_what_is_wrong_with_the_state_is_said_before_the_gates(governed):
    governed.register("v")
    governed.conn.execute("select reject_model('v')")
    assert governed.refusal("select promote_model('v')").sqlstate == "MR001"
    assert governed.refusal("select promote_model('v', expected_state => 'candidate')").sqlstate == "MR002"
    assert governed.refusal("select promote_model('nowhere')").sqlstate == "P0002"
    assert governed.refusal("select check_gates('nowhere')").sqlstate == "P0002"


def test_a_policy_of_a_name_inherits_what_it_leaves_open(governed):
    governed.register("v", code_repo_url=None)
    governed.conn.execute("select set_promotion_policy('risk', require_evaluation => false)")
    assert detail(governed) == ["/code_commit_sha: wanted repository and commit, found commit only"]
    governed.conn.execute("select set_promotion_policy(null, require_code_pin => false)")
    assert governed.rows(
        "select model_name, require_code_pin, require_evaluation, require_second_person from policies"
    ) == [
        (None, False, True, False),
        ("risk", None, False, None),
    ]
    governed.promote("v")
    governed.register("w", "another")
    assert detail(governed, "w") == ["/evaluation: wanted one recorded at least, missing"]


def test_without_the_row_for_every_model_a_promotion_asks_for_what_a_new_database_asks_for(governed):
    governed.register("v", code_repo_url=None, code_commit_sha=None)
    governed.conn.execute("delete from promotion_policies")
    assert len(detail(governed)) == 2
    governed.conn.execute("select set_promotion_policy(null, require_code_pin => false)")
    assert governed.rows("select require_code_pin, require_evaluation, require_second_person from policies") == [
        (False, True, False)
    ]


def test_a_gate_is_set_once_and_its_threshold_moves(governed):
    gate = governed.gate("auroc", ">=", 0.8)
    assert governed.gate("auroc", ">=", 0.9) == gate
    assert governed.gate("auroc", ">=", 0.9) == gate
    assert (
        len({gate, governed.gate("auroc", ">=", 0.9, "risk"), governed.gate("auroc", ">=", 0.9, benchmark_id="b")}) == 3
    )
    assert governed.actions(None)[-3:] == ["gate_set", "gate_set", "gate_set"]
    query = "select remove_promotion_gate(%s, 'no longer asked for')"
    governed.rows(query, gate)
    assert governed.refusal(query, gate).sqlstate == "P0002"
    event = governed.history(None)[-1]
    assert (event["action"], event["reason"], event["old"]["threshold"]) == ("gate_removed", "no longer asked for", 0.9)
    assert event["summary"] == "postgres removed the gate auroc >= 0.9: no longer asked for"


@pytest.mark.parametrize(
    "call",
    [
        "set_promotion_gate('auroc', 'like', 1)",
        "set_promotion_gate('auroc', null, 1)",
        "set_promotion_gate('', '>', 1)",
        "set_promotion_gate(null, '>', 1)",
        "set_promotion_gate('auroc', '>', 'NaN')",
        "set_promotion_gate('auroc', '>', '-Infinity')",
        "set_promotion_gate('auroc', '>', null)",
        "set_promotion_gate('auroc', '>', 1, model_name => ' x')",
        "set_promotion_gate('auroc', '>', 1, benchmark_id => '')",
        "set_promotion_gate('auroc', '>', 1, reason => ' ')",
        "set_promotion_policy(' x')",
        "set_promotion_policy('x', reason => e'\\t')",
        "promote_model('v', override_reason => ' ')",
        "delete_model('v', null)",
        "delete_model('v', ' ')",
    ],
)
def test_what_is_no_gate_policy_or_reason_is_refused(governed, call):
    error = governed.refusal(f"select {call}")
    assert error.sqlstate == "22023"
    assert error.diag.message_detail.startswith("/") and error.diag.message_hint


# --- overrides ------------------------------------------------------------------------------------------------------


def test_a_reviewer_overrides_with_a_reason_and_the_history_says_so_with_the_evidence(governed):
    governed.register("v", code_repo_url=None, code_commit_sha=None)
    governed.gate("auroc", ">=", 0.9)
    governed.evaluate("v", {"auroc": 0.85})
    governed.as_user(
        "test_reviewer", "select promote_model('v', 'for the pilot', override_reason => 'asked for by ops')"
    )
    event = governed.history()[-1]
    assert [event[key] for key in ("actor", "action", "gates", "reason", "from_state", "to_state")] == [
        "test_reviewer", "promoted", "overridden", "asked for by ops", "candidate", "promoted",
    ]  # fmt: skip
    assert [row["rule"] for row in event["evidence"] if not row["passed"]] == ["code pin", "gate"]
    assert event["evidence"][-1] == {
        "rule": "gate", "metric": "auroc", "wanted": ">= 0.9", "found": "0.85", "passed": False,
    }  # fmt: skip
    assert event["summary"] == (
        "test_reviewer promoted version 1, candidate → promoted, gates overridden: asked for by ops"
    )
    assert governed.value("select promotion_notes from models") == "for the pilot"


def test_a_reason_that_nothing_needed_is_kept_with_a_plain_promotion(governed):
    governed.ready("v")
    governed.promote("v", override_reason="just in case")
    event = governed.history()[-1]
    assert (event["gates"], event["reason"], len(event["evidence"])) == ("passed", "just in case", 2)


def test_who_may_call_but_is_no_reviewer_overrides_nothing(governed):
    governed.register("v")
    governed.conn.execute("grant execute on function promote_model(text, text, text, text) to test_stranger")
    error = governed.refusal_of("test_stranger", "select atlas.promote_model('v', override_reason => 'because')")
    assert (error.sqlstate, error.diag.message_detail) == (
        "42501",
        "/override_reason: test_stranger is no member of atlas_reviewer",
    )


def test_a_second_person_cannot_be_overridden_not_even_by_a_superuser(governed):
    governed.conn.execute("select set_promotion_policy('risk', false, false, true)")
    governed.conn.execute("grant atlas_registrar to test_reviewer")
    governed.as_user(
        "test_reviewer", "select register_model('risk', %s, artifact_id => 'v')", json.dumps(internal_metadata())
    )
    call = "select promote_model('v', override_reason => 'urgent')"
    error = governed.refusal_of("test_reviewer", call)
    assert (error.sqlstate, error.diag.message_detail) == (
        "MR011",
        "/registered_by: wanted not who registered it, found test_reviewer",
    )
    governed.promote("v")
    governed.register("w")
    assert governed.refusal("select promote_model('w', override_reason => 'urgent')").sqlstate == "MR011"
    governed.as_user("test_reviewer", "select promote_model('w')")
    assert (governed.state("v"), governed.state("w")) == ("superseded", "promoted")
