"""What search_models() finds, and in which order."""

from __future__ import annotations

import json

import pytest
from psycopg.types.json import Jsonb

NEWEST_FIRST = ["plain-1", "odd-1", "crop-2", "crop-1", "limit-1", "risk-2", "risk-1", "vit-1"]

FOUND = [
    ({}, NEWEST_FIRST),
    ({"name": "credit-risk"}, ["risk-2", "risk-1"]),
    ({"name": "Credit-Risk"}, []),
    ({"name": "credit"}, []),
    ({"name_prefix": "credit-"}, ["limit-1", "risk-2", "risk-1"]),
    ({"name_prefix": "credit-", "is_latest": True}, ["limit-1", "risk-2"]),
    ({"name_prefix": ["crop", "vi"], "is_latest": True}, ["crop-2", "vit-1"]),
    ({"family": "VIT"}, ["crop-2", "crop-1", "vit-1"]),
    ({"family": "vi"}, []),
    ({"family": ["vit", "gradient boosting"], "state": "promoted"}, ["crop-1", "risk-2"]),
    ({"framework": "pytorch", "is_external": True}, ["vit-1"]),
    ({"task": "Classification"}, ["crop-1"]),
    ({"state": ["superseded", "rejected"]}, ["limit-1", "risk-1"]),
    ({"is_external": False, "family": "vit"}, ["crop-2", "crop-1"]),
    ({"is_latest": False}, ["crop-1", "risk-1"]),
    ({"trained_by": "agent-2"}, ["limit-1", "risk-2"]),
    ({"base_model": "vit-1"}, ["crop-2", "crop-1"]),
    ({"benchmark": "imagenet"}, ["vit-1"]),
    ({"dataset": "loans-2024"}, ["risk-2"]),
    ({"dataset": "dataset-fields"}, ["crop-1"]),
    ({"training_dataset": "cohort A", "state": "rejected"}, ["limit-1"]),
    ({"training_dataset": "cohort B"}, []),
    ({"evaluation_dataset": "cohort B", "name": "plain"}, ["plain-1"]),
    ({"text": "DISEASE crop"}, ["crop-2", "crop-1"]),
    ({"text": "class*"}, ["crop-1"]),
    ({"text": "class"}, []),
    ({"text": ["patches", "limits"]}, ["limit-1", "vit-1"]),
    ({"text": "words image"}, ["vit-1"]),
    ({"text": "credit"}, ["limit-1", "risk-2", "risk-1"]),
    ({"metric": "auroc", "op": ">=", "value": 0.93}, ["limit-1", "risk-2"]),
    ({"metric": "auroc", "op": ">", "value": 0.93}, []),
    ({"metric": "auroc", "op": "<", "value": 0.9}, ["risk-1"]),
    ({"metric": "loss", "op": "=", "value": -2.0}, ["limit-1"]),
    ({"metric": "f1"}, ["crop-2", "risk-1"]),
    ({"metric": "it's \"", "op": "<=", "value": 0}, ["odd-1"]),
    (
        {"all": [{"metric": "auroc", "op": ">=", "value": 0.8}, {"metric": "auroc", "op": "<", "value": 0.9}]},
        ["risk-1"],
    ),
    ({"trained_since": "2025-01-10", "trained_before": "2025-02-10"}, ["risk-1"]),
    ({"trained_since": "2025-02-10T09:00:00+09"}, ["limit-1", "risk-2"]),
    ({"registered_before": "2000-01-01"}, []),
    ({"registered_since": "2000-01-01", "family": "vit", "state": "candidate"}, ["crop-2", "vit-1"]),
    ({"any": [{"family": "vit"}, {"state": "rejected"}]}, ["crop-2", "crop-1", "limit-1", "vit-1"]),
    (
        {
            "any": [{"family": "vit", "metric": "f1", "op": ">", "value": 0.8}, {"state": "rejected"}],
            "is_latest": True,
        },
        ["crop-2", "limit-1"],
    ),
    (
        {
            "all": [
                {"is_external": False},
                {"any": [{"metric": "auroc", "op": ">=", "value": 0.9}, {"all": [{"state": "promoted"}]}]},
            ]
        },
        ["plain-1", "crop-1", "limit-1", "risk-2"],
    ),
    ({"any": [{"is_latest": False}, {"trained_since": "2025-03-01"}]}, ["crop-1", "limit-1", "risk-1"]),
    ({"any": [{"any": [{"family": "nothing"}]}, {"text": "limits"}]}, ["limit-1"]),
    ({"family": "it's \\'=x':*"}, ["odd-1"]),
    ({"name": 'o\'clock \\ "odd" %s', "trained_by": "a|b&!c"}, ["odd-1"]),
    ({"name_prefix": "o'clock \\"}, ["odd-1"]),
    ({"text": "'; drop table artifacts; --"}, ["odd-1"]),
]


def test_a_filter_finds_what_it_says(search):
    wrong = {json.dumps(asked): found for asked, wanted in FOUND if (found := search(asked)) != wanted}
    assert wrong == {}


def test_the_order_is_by_registration_training_or_a_metric(search):
    assert search(descending=False) == NEWEST_FIRST[::-1]
    assert search(order_by="trained") == ["limit-1", "risk-2", "risk-1"]
    assert search({"trained_since": "2025-02-01"}, order_by="trained", descending=False) == ["risk-2", "limit-1"]
    assert search({"state": ["promoted", "superseded"]}, order_by="metric:auroc") == ["risk-2", "crop-1", "risk-1"]
    assert search(order_by="metric:f1", descending=False) == ["risk-1", "crop-2"]
    bounded = {"metric": "auroc", "op": "<", "value": 0.93}
    assert search(bounded, order_by="metric:auroc")[-1] == "risk-1"


def test_a_row_says_what_the_version_is(registry):
    found = registry.execute(
        """select artifact_id, name, version_number, is_latest, promotion_state, is_external, title, model_family,
        framework, latest_metrics, registered_at = (select created_at from model_versions where artifact_id = 'crop-2')
        from search_models('{"text": "sharper"}')"""
    ).fetchall()
    assert found == [
        (
            *("crop-2", "crop-disease", 2, True, "candidate", False, "Crop disease, sharper", "vit", "PyTorch"),
            {"f1": 0.88},
            True,
        )
    ]


@pytest.mark.parametrize(
    ("order_by", "descending"),
    [("registered", True), ("registered", False), ("trained", True), ("metric:auroc", True), ("metric:auroc", False)],
)
def test_pages_follow_on_to_each_other(registry, search, order_by, descending):
    query = (
        "select artifact_id, cursor from search_models(order_by => %s, descending => %s, page_size => 2, after => %s)"
    )
    pages, after = [], None
    while page := registry.execute(query, [order_by, descending, after]).fetchall():
        pages += [artifact_id for artifact_id, _ in page]
        after = page[-1][1]
    assert pages == search(order_by=order_by, descending=descending)
    assert len(pages) >= 3


def test_what_is_registered_meanwhile_neither_moves_a_page_nor_repeats_a_version(registry):
    query = "select artifact_id, cursor from search_models(page_size => 3, after => %s)"
    first = registry.execute(query, [None]).fetchall()
    registry.execute(
        """select register_model('newer', (select metadata from models where artifact_id = 'plain-1'),
        artifact_id => 'new')"""
    )
    second = registry.execute(query, [first[-1][1]]).fetchall()
    assert [row[0] for row in first + second] == NEWEST_FIRST[:6]


def test_an_adopted_row_that_is_no_valid_metadata_is_found_by_what_it_says(legacy_url):
    import psycopg

    with psycopg.connect(legacy_url, autocommit=True, options="-c search_path=atlas") as conn:
        conn.execute("call atlas.backfill_model_versions()")
        same = "select count(*), count(*) filter (where s.document = t.document and s.metrics = t.metrics) from"
        counted = conn.execute(
            f"{same} model_search as s full join _searchable_models as t on s.artifact_id = t.artifact_id"
        ).fetchone()
        versions = conn.execute("select count(*) from model_versions").fetchone()
        assert counted == (versions[0], versions[0])
        assert versions[0] >= 5


def test_a_reader_may_search_and_nobody_else_without_a_role(connect):
    reader = connect("test_reader")
    assert reader.execute("select count(*) from search_models()").fetchone() == (0,)
    assert reader.execute("select count(*) from suggest_names('x')").fetchone() == (0,)
    stranger = connect("test_stranger")
    refused = stranger.execute(
        """select p.proname from pg_proc as p where p.pronamespace = 'atlas'::regnamespace
        and p.proname in ('search_models', 'model_lineage', 'suggest_names', 'resolve_artifact')
        and has_function_privilege(p.oid, 'execute')"""
    ).fetchall()
    assert refused == []


def test_filter_and_page_can_be_null_for_everything(registry):
    query = "select count(*) from search_models(%s, after => null)"
    assert registry.execute(query, [None]).fetchone() == (8,)
    assert registry.execute(query, [Jsonb({})]).fetchone() == (8,)
