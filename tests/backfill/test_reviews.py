"""What waits for a person, and what the answers do."""

from __future__ import annotations

import json

import psycopg
import pytest

from factories import internal_metadata
from refusals import refused

WITHOUT_COUNT = {name: value for name, value in internal_metadata().items() if name != "parameter_count"}


def test_a_queued_row_keeps_its_metadata_and_says_what_is_open(legacy):
    legacy.add("a", "Risk", WITHOUT_COUNT)
    legacy.backfill()
    assert legacy.version("a") == ("Risk", 1, True, 0, "candidate")
    assert legacy.value("select metadata from artifacts") == WITHOUT_COUNT
    assert legacy.value("select promotion_notes from model_versions") == (
        "open: parameter_count (nothing in the row says it)"
    )
    assert legacy.questions("a") == [("parameter_count", {"title": "Risk"}, [], "nothing in the row says it")]


def test_nothing_is_derived_from_metadata_that_was_never_validated(legacy):
    legacy.add("a", metadata=WITHOUT_COUNT | {"benchmark_id": "b1", "external_source_url": "https://example.org"})
    legacy.backfill()
    query = "select is_external, external_source_url, benchmark_id, eval_metrics_json from model_versions"
    assert legacy.rows(query) == [(False, None, None, None)]


def test_a_queued_row_cannot_be_promoted(legacy):
    legacy.add("a", metadata=WITHOUT_COUNT)
    legacy.backfill()
    with refused("MR001", detail="/promotion_state: its metadata was never validated", column="promotion_state"):
        legacy.run("select promote_model('a')")
    with refused("MR001", detail="/promotion_state: its metadata was never validated", column="promotion_state"):
        legacy.run("update model_versions set promotion_state = 'promoted'")


def test_an_answer_settles_its_question_and_backfills_the_row(legacy):
    legacy.add("a", metadata=WITHOUT_COUNT | {"benchmark_id": "b1"})
    legacy.backfill()
    assert legacy.resolve("a", "counted by hand", parameter_count=12400) == ("backfilled", 0)
    assert legacy.version("a") == ("A", 1, True, 1, "candidate")
    assert legacy.value("select metadata from artifacts") == internal_metadata() | {"benchmark_id": "b1"}
    query = "select benchmark_id, eval_metrics_json, promotion_notes from model_versions"
    assert legacy.rows(query) == [("b1", {"auroc": 0.91}, None)]
    assert legacy.rows("select answers, notes, settled_by from backfill_log") == [
        ({"parameter_count": 12400}, "counted by hand", "postgres")
    ]
    assert legacy.rows("select * from backfill_reviews") == []


def test_answers_may_come_one_by_one(legacy):
    del (document := dict(WITHOUT_COUNT))["framework"]
    legacy.add("a", metadata=document)
    legacy.backfill()
    assert legacy.resolve("a", framework="xgboost") == ("queued", 1)
    assert [question[0] for question in legacy.questions("a")] == ["parameter_count"]
    assert legacy.value("select metadata from artifacts") == document
    assert legacy.resolve("a", parameter_count=7) == ("backfilled", 0)
    assert legacy.value("select metadata ->> 'framework' from artifacts") == "xgboost"


def test_answers_about_one_object_are_added_to_each_other(legacy):
    legacy.add("a", metadata='{"a": 1, "a": 2, "b": 1, "b": 2, ' + json.dumps(internal_metadata())[1:])
    legacy.backfill()
    assert [question[0] for question in legacy.questions("a")] == ["extra", "extra"]
    assert legacy.resolve("a", extra={"a": 1}) == ("queued", 1)
    assert legacy.resolve("a", extra={"b": 2}) == ("backfilled", 0)
    assert legacy.value("select metadata -> 'extra' from artifacts") == {"a": 1, "b": 2}


def test_an_answer_that_is_not_valid_is_refused_and_nothing_is_kept(legacy):
    legacy.add("a", metadata=WITHOUT_COUNT)
    legacy.backfill()
    before = legacy.everything()
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        legacy.resolve("a", parameter_count="many")
    assert caught.value.diag.message_detail.startswith("/parameter_count: ")
    assert legacy.everything() == before


@pytest.mark.parametrize(
    ("patch", "detail"),
    [
        ("null", "/patch: must be an object, not null"),
        ("[]", "/patch: must be an object, not array"),
        ('{"name": " x"}', "/patch/name: must be a name of 1 to 256 characters"),
        ('{"name": 1}', "/patch/name: must be a name of 1 to 256 characters"),
        ('{"version_number": 0}', '/patch/version_number: must be an integer from 1, or "along the parents"'),
        ('{"version_number": 1.5}', '/patch/version_number: must be an integer from 1, or "along the parents"'),
        ('{"parent_version_id": 1}', "/patch/parent_version_id: must be an artifact id, or null"),
        ('{"is_latest": 1}', "/patch/is_latest: must be true or false, or the id of the latest version"),
        ('{"promotion_state": "rejected"}', '/patch/promotion_state: must be "promoted" or "candidate"'),
    ],
)
def test_an_answer_of_the_wrong_form_is_refused(legacy, patch, detail):
    legacy.add("a", metadata=WITHOUT_COUNT)
    legacy.backfill()
    with refused("22023", detail=detail):
        legacy.rows("select * from resolve_backfill_review('a', %s)", patch)


@pytest.mark.parametrize("artifact_id", ["done", "data", "nobody"])
def test_what_does_not_wait_cannot_be_resolved(legacy, artifact_id):
    legacy.add("done")
    legacy.add("data", artifact_type="dataset")
    legacy.backfill()
    with refused("P0002", detail=f"/artifact_id: '{artifact_id}' does not wait for a person"):
        legacy.resolve(artifact_id)


def test_a_name_that_was_given_is_written_once(legacy):
    legacy.add("a", metadata=WITHOUT_COUNT)
    legacy.backfill()
    with refused("MR005", detail="/patch/is_latest: is written once\n/patch/name: is written once", column="answers"):
        legacy.resolve("a", name="other", is_latest=True)


def test_a_base_that_is_not_registered_is_a_question(legacy):
    legacy.add("a", metadata=internal_metadata(base_model_id="gone"))
    legacy.add("b", metadata=internal_metadata(base_model_id="a"))
    legacy.backfill()
    why = "no model with this id is registered: register the base first"
    assert legacy.questions("a") == [("base_model_id", {"base_model_id": "gone"}, [], why)]
    assert legacy.value("select base_model_id from model_versions where artifact_id = 'b'") == "a"
    assert legacy.resolve("a", base_model_id=None) == ("backfilled", 0)
    assert "base_model_id" not in legacy.value("select metadata from artifacts where id = 'a'")


def test_a_row_that_the_constraints_refuse_is_queued_with_their_reason_and_stops_no_other(legacy):
    legacy.add("a", metadata=internal_metadata(base_model_id="b"))
    legacy.add("b", metadata=internal_metadata(base_model_id="a"))
    legacy.add("c")
    assert legacy.backfill() == "3 rows done: 2 backfilled (0 of them promoted), 1 wait for a person"
    assert legacy.version("c").schema_version == 1
    ((artifact_id, why),) = legacy.rows("select artifact_id, why from backfill_reviews")
    assert artifact_id in ("a", "b")
    assert "in a circle" in why
    before = legacy.everything()
    assert legacy.backfill() == "0 rows done: 0 backfilled (0 of them promoted), 0 wait for a person"
    assert legacy.everything() == before
    assert legacy.resolve(artifact_id, base_model_id=None) == ("backfilled", 0)


def test_a_version_in_service_is_promoted_by_the_rule_that_says_so(legacy):
    legacy.add("a", lifecycle_state="production")
    assert legacy.backfill() == "1 rows done: 1 backfilled (1 of them promoted), 0 wait for a person"
    assert legacy.version("a").state == "promoted"
    assert legacy.value("select promotion_notes from model_versions").startswith("adopted: ")


def test_a_default_is_no_evidence_of_service(legacy):
    legacy.run("alter table artifacts alter lifecycle_state set default 'production'")
    legacy.add("a")
    legacy.backfill()
    assert legacy.version("a").state == "candidate"


def test_a_version_that_was_superseded_is_not_the_one_in_service(legacy):
    legacy.chain("a", "b", lifecycle_state="production")
    legacy.run("update artifacts set superseded_by = 'b' where id = 'a'")
    assert legacy.backfill() == "2 rows done: 2 backfilled (1 of them promoted), 0 wait for a person"
    assert [legacy.version(i).state for i in "ab"] == ["candidate", "promoted"]


def test_two_versions_in_service_are_a_question(legacy):
    legacy.chain("a", "b", lifecycle_state="production")
    legacy.backfill()
    why = "several versions of one model are said to be in service"
    question = ("promotion_state", {"in service": ["a", "b"]}, ["promoted", "candidate"], why)
    assert legacy.questions("a") == legacy.questions("b") == [question]
    assert legacy.resolve("a", promotion_state="candidate") == ("backfilled", 0)
    assert legacy.resolve("b") == ("backfilled", 0)
    assert [legacy.version(i).state for i in "ab"] == ["candidate", "promoted"]


def test_the_log_says_what_each_row_was_and_became(legacy):
    legacy.add("a", "Risk", {**WITHOUT_COUNT, "params": "1.2M"}, lifecycle_state="production")
    legacy.backfill()
    ((was, became, changes),) = legacy.rows("select was, became, chain_changes || changes from backfill_log")
    assert was["metadata"] == {**WITHOUT_COUNT, "params": "1.2M"}
    assert was["lifecycle_state"] == "production"
    assert became["metadata"] == internal_metadata(parameter_count=1_200_000)
    assert sorted((change["rule"], change["from"], change["to"]) for change in changes) == [
        ("column lifecycle_state says in service", "lifecycle_state", "promoted_by"),
        ("params is parameter_count", "/params", "parameter_count"),
        ("the name is the title", "title", "name"),
    ]


def test_the_report_counts_what_the_tables_hold(legacy):
    legacy.chain("a", "b", lifecycle_state="production")
    legacy.run("update artifacts set superseded_by = 'b' where id = 'a'")
    legacy.add("c", "<b>|[x](y)\n", WITHOUT_COUNT)
    legacy.add("d", artifact_type="dataset")
    legacy.backfill()
    report = legacy.value("select migration_report()")
    for line in (
        "| artifacts | 4 |",
        "| models | 3 |",
        "| … backfilled | 2 |",
        "| … waiting for a person | 1 |",
        "| other artifacts, untouched | 1 |",
        "| original rows kept in `artifacts_original` | 4 |",
        "| rows in `model_versions` | 3 |",
        "| open questions | 1 |",
        "| parameter_count | nothing in the row says it | 1 |",
    ):
        assert f"{line}\n" in report, line
    assert "<b>" not in report
    assert "&lt;b&gt;\\|\\[x\\](y)" in report
    assert legacy.value("select migration_report(1)").endswith("or the table `backfill_log`.\n")


def test_the_report_of_an_empty_registry_is_only_counts(legacy):
    legacy.adopt()
    report = legacy.value("select migration_report()")
    assert report.startswith("# Migration report\n")
    assert "## " not in report


def test_reviewers_resolve_and_others_do_not(legacy):
    legacy.add("a", metadata=WITHOUT_COUNT)
    legacy.backfill()
    query = "select has_function_privilege(%s, 'resolve_backfill_review(text, jsonb, text)', 'execute')"
    assert [legacy.value(query, role) for role in ("atlas_reviewer", "atlas_registrar", "public")] == [
        True,
        False,
        False,
    ]
    query = "select has_function_privilege(%s, 'backfill_model_versions(integer, boolean)', 'execute')"
    assert [legacy.value(query, role) for role in ("atlas_reviewer", "atlas_registrar", "public")] == [
        True,
        False,
        False,
    ]
    with legacy.connect() as conn:
        conn.execute("set role atlas_reviewer")
        answer = json.dumps({"parameter_count": 1})
        assert conn.execute("select * from atlas.resolve_backfill_review('a', %s)", [answer]).fetchone() == (
            "backfilled",
            0,
        )
        conn.execute("call atlas.backfill_model_versions()")
