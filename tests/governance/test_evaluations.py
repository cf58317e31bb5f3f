"""Evaluations: each is kept, a repeated one is recognised, the latest is what a version shows."""

from __future__ import annotations

import pytest

T1, T2 = "2026-01-01 10:00+00", "2026-01-02 10:00+00"


def latest(governed, artifact_id: str = "v") -> tuple:
    query = "select latest_metrics, declared_metrics, eval_dataset_artifact_id from models where artifact_id = %s"
    return governed.rows(query, artifact_id)[0]


def test_the_latest_by_its_time_is_what_the_version_shows_and_metadata_keep_what_was_declared(governed):
    governed.register("v")
    governed.conn.execute("select register_artifact('dataset', 'cohort', artifact_id => 'd')")
    governed.evaluate("v", {"auroc": 0.95}, evaluated_at=T2, eval_dataset_artifact_id="d", benchmark_id="b")
    assert latest(governed) == ({"auroc": 0.95}, {"auroc": 0.91}, "d")
    governed.evaluate("v", {"auroc": 0.5}, evaluated_at=T1)
    assert latest(governed) == ({"auroc": 0.95}, {"auroc": 0.91}, "d")
    governed.evaluate("v", {"f1": 0.7}, evaluated_at=T2)
    assert latest(governed) == ({"f1": 0.7}, {"auroc": 0.91}, None)
    query = "select metrics, benchmark_id, recorded_by from evaluations order by evaluation_id"
    assert governed.rows(query) == [
        ({"auroc": 0.95}, "b", "postgres"),
        ({"auroc": 0.5}, None, "postgres"),
        ({"f1": 0.7}, None, "postgres"),
    ]


def test_the_same_call_again_records_nothing_and_a_run_at_another_time_does(governed):
    governed.register("v")
    first, created = governed.evaluate("v", {"auroc": 0.9}, evaluated_at=T1)
    assert created
    assert governed.evaluate("v", {"auroc": 0.9}, evaluated_at="2026-01-01 11:00+01") == (first, False)
    second, created = governed.evaluate("v", {"auroc": 0.9}, evaluated_at=T2)
    assert created and second > first
    third, created = governed.evaluate("v", {"auroc": 0.9})
    assert created
    assert governed.evaluate("v", {"auroc": 0.9}) == (third, False)
    assert governed.evaluate("v", {"auroc": 0.9}, notes="once more")[1]
    assert governed.actions().count("evaluated") == 4


def test_metadata_that_change_later_leave_what_was_measured(governed):
    governed.ready("v", auroc=0.91)
    change = (
        """update artifacts set metadata = jsonb_set(metadata, '{evaluation_metrics,auroc}', '0.99') where id = 'v'"""
    )
    governed.conn.execute(change)
    assert latest(governed)[:2] == ({"auroc": 0.91}, {"auroc": 0.99})


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ("{}", "/metrics: must be an object of at least one metric name → number"),
        ("[1]", "/metrics: must be an object of at least one metric name → number"),
        (None, "/metrics: must be an object of at least one metric name → number"),
        ('{"auroc": "0.9", "f1": null, "ok": 1}', "/metrics/auroc: must be a number\n/metrics/f1: must be a number"),
        ('{"a/b": [1]}', "/metrics/a~1b: must be a number"),
        ('{" ": 1}', "/metrics/ : must have a name"),
        ('{"auroc": 1e400}', "/metrics: must hold finite numbers"),
    ],
)
def test_what_are_no_metrics_is_refused_by_the_function_and_by_the_table(governed, metrics, problem):
    governed.register("v")
    error = governed.refusal("select record_evaluation('v', metrics => %s)", metrics)
    assert (error.sqlstate, error.diag.message_detail) == ("23514", problem)
    raw = "insert into model_evaluations (artifact_id, metrics, evaluated_at, digest) values ('v', %s, now(), '')"
    assert governed.refusal(raw, metrics).sqlstate == ("23502" if metrics is None else "23514")


def test_what_an_evaluation_cannot_be_about_is_refused(governed):
    governed.register("v")
    call = "select record_evaluation(%s, metrics => '{{\"f1\": 1}}', {} => %s)"
    cases = [
        ("nowhere", "notes", "x", "P0002"),
        ("v", "eval_dataset_artifact_id", "nowhere", "23503"),
        ("v", "eval_dataset_artifact_id", "v", "23503"),
        ("v", "evaluated_at", "3000-01-01", "22023"),
        ("v", "evaluated_at", "infinity", "22023"),
        ("v", "evaluated_at", "-infinity", "22023"),
    ]
    for artifact_id, argument, value, sqlstate in cases:
        assert governed.refusal(call.format(argument), artifact_id, value).sqlstate == sqlstate, (argument, value)
    assert governed.rows("select from evaluations") == []


def test_what_was_recorded_is_neither_changed_nor_removed_nor_recorded_in_anothers_name(governed):
    governed.ready("v")
    for statement in (
        "update model_evaluations set metrics = '{\"auroc\": 1}'",
        "delete from model_evaluations",
        "truncate model_evaluations",
    ):
        for role in ("reset role", "set local role atlas_owner"):
            governed.conn.execute(role)
            assert governed.refusal(statement).sqlstate == "MR008"
        governed.conn.execute("reset role")
    row = """
        insert into model_evaluations (artifact_id, metrics, evaluated_at, digest, recorded_by, recorded_at)
        values ('v', '{"f1": 1}', now(), 'x', 'somebody', '2001-01-01') returning recorded_by, recorded_at = now()
    """
    assert governed.rows(row) == [("postgres", True)]
