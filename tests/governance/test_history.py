"""The history: one event for what happened, by whom it was done, that nobody can take back."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import psycopg
import pytest

from factories import internal_metadata


def test_the_life_of_a_model_reads_like_a_log(governed):
    governed.conn.execute("set local atlas_models.on_behalf_of = 'agent-7'")
    governed.register("v", code_commit_sha=None)
    governed.conn.execute("set local atlas_models.on_behalf_of = ''")
    governed.conn.execute("select link_code('v', code_commit_sha => repeat('a', 40))")
    governed.conn.execute("select record_training('v', trained_by => 'agent-7')")
    governed.evaluate("v", {"auroc": 0.93}, benchmark_id="imagenet")
    governed.gate("auroc", ">=", 0.9, "risk", reason="the board asks for it")
    governed.promote("v", notes="passed the review")
    governed.ready("w")
    governed.conn.execute("select remove_promotion_gate(gate_id) from gates")
    governed.conn.execute("update model_versions set promotion_state = 'promoted' where artifact_id = 'w'")
    governed.conn.execute("select demote_model('w', 'drifts')")
    governed.conn.execute("update artifacts set title = 'Risk' where id = 'w'")
    governed.conn.execute("select reject_model('w')")
    governed.conn.execute("select reopen_model('w')")
    governed.conn.execute("select set_promotion_policy('risk', require_second_person => true)")
    governed.register("x")
    governed.conn.execute("select delete_model('x', 'by mistake')")
    assert [re.sub(r"evaluation \d+", "evaluation N", event["summary"]) for event in governed.history()] == [
        "postgres (for agent-7) registered version 1",
        "postgres code linked version 1: code_commit_sha",
        "postgres training recorded version 1: trained_by",
        'postgres evaluated version 1 on imagenet: {"auroc": 0.93}',
        "postgres changed version 1: eval_metrics_json: evaluation N is the latest",
        "postgres set the gate auroc >= 0.9: the board asks for it",
        "postgres promoted version 1, candidate → promoted: passed the review",
        "postgres registered version 2",
        'postgres evaluated version 2: {"auroc": 0.91}',
        "postgres removed the gate auroc >= 0.9",
        "postgres superseded version 1, promoted → superseded",
        "postgres promoted version 2, candidate → promoted, without asking the gates",
        "postgres demoted version 2, promoted → candidate: drifts",
        "postgres changed version 2: title",
        "postgres rejected version 2, candidate → rejected",
        "postgres reopened version 2, rejected → candidate",
        "postgres set the policy: code pin as for every model, evaluation as for every model, second person true",
        "postgres registered version 3",
        "postgres deleted version 3, candidate: by mistake",
    ]


def test_a_registration_makes_one_event_and_its_counter_and_latest_none(governed):
    for number in range(3):
        governed.register(f"v{number}")
    models = [{"name": name, "metadata": internal_metadata()} for name in ("risk", "risk", "churn")]
    governed.conn.execute("select register_models(%s)", [json.dumps(models)])
    raw = "insert into artifacts (id, artifact_type, name, metadata) values ('raw', 'model', 'churn', %s)"
    governed.conn.execute(raw, [json.dumps(internal_metadata())])
    governed.conn.execute("insert into model_versions (artifact_id) values ('raw')")
    numbers = [(event["action"], event["version_number"]) for event in governed.history()]
    assert numbers == [("registered", number) for number in range(1, 6)]
    assert governed.actions("churn") == ["registered", "registered"]
    governed.conn.execute("select register_artifact('dataset', 'cohort', artifact_id => 'd')")
    governed.conn.execute("update artifacts set title = 'Cohort' where id = 'd'")
    assert governed.value("select count(*) from model_events where model_name is distinct from null") == 7


def test_a_change_of_metadata_keeps_both_documents_and_the_past_can_be_read_from_the_end(governed):
    governed.register("v", title="first")
    change = "update artifacts set metadata = %s, title = 'second' where id = 'v'"
    governed.conn.execute(change, [json.dumps(internal_metadata(task="triage"))])
    governed.conn.execute("update artifacts set title = 'third' where id = 'v'")
    first, second = [event for event in governed.history() if set(event["old"] or {}) & {"title"}]
    assert first["old"] == {"metadata": internal_metadata(), "title": "first"}
    assert first["new"] == {"metadata": internal_metadata(task="triage"), "title": "second"}
    now = governed.value("select to_jsonb(a) from artifacts as a")
    past = now | second["old"] | first["old"]
    assert (past["title"], past["metadata"]) == ("first", internal_metadata())


def test_a_raw_promotion_stands_there_as_done_without_gates_whatever_a_session_says(governed):
    governed.register("v")
    governed.conn.execute("update model_versions set promotion_state = 'promoted'")
    event = governed.history()[-1]
    assert (event["action"], event["gates"], event["evidence"]) == ("promoted", "none", None)
    assert event["summary"] == "postgres promoted version 1, candidate → promoted, without asking the gates"


def test_what_a_session_says_of_its_changes_reaches_no_further_than_their_reason(governed):
    governed.ready("v")
    forged = '{"reason": "a lie", "gates": "overridden", "evidence": [{"rule": "gate"}], "actor": "somebody else"}'
    governed.conn.execute("select set_config('atlas_models.change', %s, true)", [forged])
    governed.as_user("test_registrar", "select link_code('v', code_entrypoint => 'train.py')")
    governed.as_user("test_reviewer", "select promote_model('v', 'really')")
    linked, promoted = governed.history()[-2:]
    assert [linked[key] for key in ("actor", "action", "reason", "gates", "evidence")] == [
        "test_registrar", "code_linked", "a lie", None, None,
    ]  # fmt: skip
    assert (promoted["actor"], promoted["reason"], promoted["gates"]) == ("test_reviewer", "really", "passed")
    assert [row["rule"] for row in promoted["evidence"]] == ["code pin", "evaluation"]


def test_the_actor_is_who_is_logged_in_whoever_it_claims_to_be(governed):
    metadata = json.dumps(internal_metadata())
    governed.conn.execute("set local atlas_models.on_behalf_of = 'the boss'")
    governed.as_user("test_registrar", "select register_model('risk', %s, created_by => 'the boss')", metadata)
    event = governed.history()[0]
    assert (event["actor"], event["on_behalf_of"], event["new"]["created_by"]) == (
        "test_registrar",
        "the boss",
        "the boss",
    )


def test_what_happens_in_one_transaction_carries_its_id_and_the_time_of_each_event(committing):
    with committing.conn.transaction():
        committing.register("v")
        committing.register("w")
        (xid,) = committing.conn.execute("select pg_current_xact_id()::text").fetchone()
    query = "select transaction_id::text, happened_at from model_events where model_name = 'risk' order by event_id"
    (first, at), (second, later) = committing.rows(query)
    assert first == second == xid
    assert later > at


# --- what nobody can do to it ---------------------------------------------------------------------------------------


REWRITING = [
    "update model_events set actor = 'somebody else'",
    "update model_events set reason = null where false",
    "delete from model_events",
    "truncate model_events",
]
BY_HAND = "insert into model_events (action) values ('promoted')"


def test_the_history_is_not_written_by_hand_not_even_by_a_superuser(governed):
    governed.register("v")
    for statement in [*REWRITING, BY_HAND]:
        assert governed.refusal(statement).sqlstate == "MR008", statement
    # A subscriber's apply inserts; nothing rewrites.
    governed.conn.execute("set local session_replication_role = replica")
    for statement in REWRITING:
        assert governed.refusal(statement).sqlstate == "MR008", statement


def test_the_history_is_not_written_by_hand_by_the_owner_of_everything_else(governed):
    governed.conn.execute("set local role atlas_owner")
    assert [governed.refusal(statement).sqlstate for statement in [*REWRITING, BY_HAND]] == ["42501"] * 4 + ["MR008"]


FORGING = [
    "insert into model_events (action, actor) values ('promoted', 'somebody else')",
    "insert into model_events (action, happened_at) values ('promoted', '2001-01-01')",
    "insert into model_events (event_id, action) overriding system value values (1, 'promoted')",
    "alter table model_events disable trigger all",
    "alter table model_events disable trigger model_events_20_refuse_change",
    "drop trigger model_events_20_refuse_change on model_events",
    "drop table model_events",
    "create or replace function guard_history() returns trigger language plpgsql as 'begin return null; end'",
    "drop function guard_history()",
    "create rule r as on insert to model_events do instead nothing",
    "create trigger t before insert on model_events for each row execute function suppress_redundant_updates_trigger()",
]


def test_the_owner_of_everything_else_cannot_forge_the_history_or_take_its_guards_away(governed):
    governed.conn.execute("set local role atlas_owner")
    for statement in FORGING:
        assert governed.refusal(statement).sqlstate == "42501", statement


def test_a_statement_that_fails_leaves_no_event(governed):
    governed.register("v")
    before = governed.actions()
    assert governed.refusal("select promote_model('v')").sqlstate == "MR011"
    with pytest.raises(psycopg.errors.DivisionByZero), governed.conn.transaction():
        governed.conn.execute("select promote_model('v', override_reason => 'x'), 1 / 0")
    assert governed.actions() == before


def test_a_reason_is_over_with_the_call_that_gave_it(governed):
    governed.ready("v")
    governed.promote("v", override_reason="once")
    governed.conn.execute("update model_versions set promotion_state = 'candidate'")
    governed.conn.execute("update model_versions set promotion_state = 'promoted'")
    assert [(event["gates"], event["reason"]) for event in governed.history()[-2:]] == [(None, None), ("none", None)]


# --- promoted_at ----------------------------------------------------------------------------------------------------


def test_what_was_in_service_can_be_asked_for_any_time(committing):
    def at(event: int, shift: timedelta = timedelta()) -> tuple:
        query = "select artifact_id, version_number, known, note from promoted_at('risk', %s)"
        return committing.rows(query, committing.history()[event]["happened_at"] + shift)[0]

    committing.ready("v")  # 0 registered, 1 evaluated (the same numbers as declared)
    committing.promote("v")  # 2
    committing.ready("w")  # 3, 4
    committing.promote("w")  # 5 superseded, 6
    committing.promote("v")  # 7, 8
    committing.conn.execute("select demote_model('v')")  # 9
    first = committing.history()[0]["happened_at"]
    before = at(0, timedelta(microseconds=-1))
    assert before[:3] == (None, None, False)
    assert before[3].startswith(f"unknown before {first.year}-")
    assert at(0) == at(1) == (None, None, True, "none was promoted")
    assert at(2) == at(4) == ("v", 1, True, None)
    assert at(6) == ("w", 2, True, None)
    assert at(8) == ("v", 1, True, None)
    assert at(9) == (None, None, True, "none was promoted")
    assert committing.rows("select artifact_id, known from promoted_at('risk')") == [(None, True)]
    assert committing.rows("select known, note from promoted_at('nowhere')") == [
        (False, "no model of this name is in the history")
    ]


# --- what was there before ------------------------------------------------------------------------------------------


def test_a_backfilled_model_has_one_event_of_its_adoption_and_one_of_each_promotion(backfilled_url):
    with psycopg.connect(backfilled_url, autocommit=True) as conn:
        query = """
            select
                count(*) filter (where e.action = 'adopted'),
                count(distinct e.artifact_id) filter (where e.action = 'adopted'),
                count(*) filter (where e.action = 'promoted' and e.gates = 'none' and e.reason like 'adopted: %'),
                count(*) filter (where e.action not in ('adopted', 'promoted', 'changed'))
            from atlas.model_events as e where e.artifact_id is not null
        """
        adopted, distinct, promoted, others = conn.execute(query).fetchone()
        (placed,) = conn.execute("select count(*) from atlas.artifacts where name is not null").fetchone()
        (in_service,) = conn.execute("select count(*) from atlas.models where promotion_state = 'promoted'").fetchone()
    assert (adopted, distinct) == (placed, placed)
    assert (promoted, others) == (in_service, 0)
    assert placed > 0 and in_service > 0
