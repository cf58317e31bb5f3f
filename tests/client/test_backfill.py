"""An old catalogue is settled from Python: questions, answers, what is known later, the report and the seal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

from atlas_models import (
    InvalidArgument,
    KeptByDatabase,
    LegacyLeft,
    NotFound,
    Registry,
    ReviewOutcome,
    UnlinkedModel,
)

SHA = "5c1d2a9e0f5b7c3d8e6f4a1b2c3d4e5f6a7b8c9d"
NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def backfilled(backfilled_url: str) -> Iterator[Registry]:
    with Registry(backfilled_url) as opened:
        yield opened


def test_the_open_questions_are_listed_chain_by_chain(backfilled):
    reviews = backfilled.backfill_reviews()
    assert [(review.artifact_id, review.field) for review in reviews] == [
        ("drift-1", "is_latest"),
        ("drift-2", "is_latest"),
        ("ode-1", "parameter_count"),
    ]
    assert (reviews[0].chain_root, reviews[0].name, reviews[0].title) == ("drift-1", None, "Drift")
    assert reviews[0].seen == {"is_latest": ["drift-1", "drift-2"]}
    assert reviews[0].readings == ["drift-1", "drift-2"]
    assert reviews[0].why == "several versions are said to be the latest"
    assert (reviews[2].name, reviews[2].notes) == ("Microglia ODE", None)
    assert datetime.now(timezone.utc) - reviews[2].asked_at < timedelta(minutes=5)


def test_questions_can_be_asked_for_one_artifact_or_some(backfilled):
    assert [review.field for review in backfilled.backfill_reviews("ode-1")] == ["parameter_count"]
    assert [review.artifact_id for review in backfilled.backfill_reviews(limit=2)] == ["drift-1", "drift-2"]
    assert backfilled.backfill_reviews("risk-1") == []


def test_an_answer_backfills_the_model(backfilled):
    assert backfilled.resolve_backfill_review("ode-1", {"parameter_count": 12}, notes="counted") == ReviewOutcome(
        "backfilled", 0
    )
    found = backfilled.get_model("Microglia ODE")
    assert (found.artifact_id, found.parameter_count, found.metadata_schema_version) == ("ode-1", 12, 1)
    assert backfilled.backfill_reviews("ode-1") == []


def test_an_answer_that_leaves_its_question_open_is_refused(backfilled):
    with pytest.raises(InvalidArgument) as caught:
        backfilled.resolve_backfill_review("ode-1", {"parameter_count": "many"})
    assert (caught.value.sqlstate, [problem.path for problem in caught.value.problems]) == (
        "23514",
        ["/parameter_count"],
    )
    assert [review.field for review in backfilled.backfill_reviews("ode-1")] == ["parameter_count"]


def test_an_answer_that_is_not_well_formed_is_refused(backfilled):
    with pytest.raises(InvalidArgument) as caught:
        backfilled.resolve_backfill_review("drift-1", {"is_latest": 1})
    assert (caught.value.sqlstate, caught.value.problems) == (
        "22023",
        [("/patch/is_latest", "must be true or false, or the id of the latest version")],
    )


def test_an_answer_that_json_does_not_have_is_not_sent(backfilled):
    with pytest.raises(InvalidArgument) as caught:
        backfilled.resolve_backfill_review("ode-1", {"parameter_count": float("nan")})
    assert (caught.value.sqlstate, caught.value.problems) == (
        None,
        [("/patch/parameter_count", "must be a finite number")],
    )


def test_without_an_open_question_there_is_nothing_to_answer(backfilled):
    with pytest.raises(NotFound) as caught:
        backfilled.resolve_backfill_review("risk-1", {"task": "risk"})
    assert caught.value.sqlstate == "P0002"


def test_the_seal_is_refused_while_legacy_models_are_left(backfilled):
    with pytest.raises(LegacyLeft) as caught:
        backfilled.seal_legacy()
    assert (caught.value.sqlstate, caught.value.problems) == (
        "MR010",
        [
            ("/drift-1", "1 open question"),
            ("/drift-2", "1 open question"),
            ("/ode-1", "1 open question"),
        ],
    )


def test_the_seal_is_set_once_when_every_question_is_answered(backfilled):
    backfilled.resolve_backfill_review("drift-2", {"is_latest": True})
    backfilled.resolve_backfill_review("ode-1", {"parameter_count": 12})
    assert backfilled.seal_legacy() is True
    assert backfilled.seal_legacy() is False


def test_the_report_is_markdown_with_a_section_for_each_legacy_model(backfilled):
    report = backfilled.migration_report(max_artifacts=None)
    assert report.startswith("# Migration report\n")
    assert report.count("\n### ") == 5
    assert backfilled.migration_report(max_artifacts=2).count("\n### ") == 2
    assert "\n### " in backfilled.migration_report()


def test_versions_without_a_pin_are_listed_by_name(registry, internal, external):
    registry.register_model("risk", internal, artifact_id="r1", code_repo_url="https://git.example.org/risk")
    registry.register_model(
        "risk", internal, artifact_id="r2", code_repo_url="https://git.example.org/risk", code_commit_sha=SHA
    )
    registry.register_model("bert", external, artifact_id="b1", title="BERT")
    assert registry.unlinked_models() == [
        UnlinkedModel("b1", "bert", 1, "BERT", "candidate", True, None, None),
        UnlinkedModel("r1", "risk", 1, None, "candidate", False, "https://git.example.org/risk", None),
    ]


def test_code_is_linked_once(registry, internal):
    made = registry.register_model("risk", internal).artifact_id
    assert registry.link_code(made, code_repo_url="https://git.example.org/risk", code_commit_sha=SHA) is True
    assert registry.link_code(made, code_commit_sha=SHA) is False
    assert registry.link_code(made, code_entrypoint="train.py") is True
    found = registry.get_model("risk")
    assert (found.code_repo_url, found.code_commit_sha, found.code_entrypoint) == (
        "https://git.example.org/risk",
        SHA,
        "train.py",
    )
    assert registry.unlinked_models() == []


def test_another_link_or_a_malformed_one_is_refused(registry, internal):
    made = registry.register_model("risk", internal, code_commit_sha=SHA).artifact_id
    with pytest.raises(KeptByDatabase) as caught:
        registry.link_code(made, code_commit_sha=SHA[::-1])
    assert caught.value.problems == [("/code_commit_sha", "has another value already")]
    other = registry.register_model("risk", internal).artifact_id
    with pytest.raises(InvalidArgument) as malformed:
        registry.link_code(other, code_commit_sha="v1.0")
    assert malformed.value.constraint == "model_versions_row_complete"
    with pytest.raises(NotFound):
        registry.link_code("nope", code_commit_sha=SHA)


def test_training_is_recorded_once_and_its_parameters_anew(registry, internal):
    made = registry.register_model("risk", internal | {"training_config": {"seed": 1}}).artifact_id
    run = {"training_started_at": NOON, "trained_by": "agent-7", "gpu_allocation_id": "gpu-3"}
    assert registry.record_training(made, **run, training_params_json={"seed": 7}) is True
    assert registry.record_training(made, **run, training_params_json={"seed": 7}) is False
    assert registry.record_training(made, training_params_json={"seed": 8}) is True
    found = registry.get_model("risk")
    assert (found.training_started_at, found.trained_by, found.gpu_allocation_id) == (NOON, "agent-7", "gpu-3")
    assert (found.declared_training_config, found.latest_training_params) == ({"seed": 1}, {"seed": 8})


def test_another_run_or_one_that_ends_before_it_began_is_refused(registry, internal):
    made = registry.register_model("risk", internal, training_started_at=NOON).artifact_id
    with pytest.raises(KeptByDatabase):
        registry.record_training(made, training_started_at=NOON + timedelta(seconds=1))
    with pytest.raises(InvalidArgument) as caught:
        registry.record_training(made, training_completed_at=NOON - timedelta(days=1))
    assert caught.value.constraint == "model_versions_row_complete"
    with pytest.raises(InvalidArgument, match="needs a time zone"):
        registry.record_training(made, training_completed_at=datetime(2026, 5, 1))


def test_answers_take_part_in_the_callers_transaction(backfilled_url):
    with psycopg.connect(backfilled_url) as conn:
        Registry(conn).resolve_backfill_review("ode-1", {"parameter_count": 12})
        conn.rollback()
        assert [review.field for review in Registry(conn).backfill_reviews("ode-1")] == ["parameter_count"]
