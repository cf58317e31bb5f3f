"""Searching, lineage and names from Python: thin calls, pages that follow on, errors that say what is near."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from atlas_models import Ambiguous, InvalidArgument, NotFound, Registry, calls


@pytest.fixture
def stocked(registry: Registry, internal, external) -> Registry:
    registry.register_model("vit", external | {"model_family": "ViT"}, artifact_id="vit-1")
    for n in range(1, 6):
        metadata = internal | {"base_model_id": "vit-1", "evaluation_metrics": {"auroc": 0.5 + n / 10}}
        trained = datetime(2025, n, 1, tzinfo=timezone.utc)
        registry.register_model(
            "crop-disease", metadata, artifact_id=f"crop-{n}", trained_by="agent-7", training_completed_at=trained
        )
    registry.promote("crop-4")
    return registry


def test_a_search_gives_a_page_and_what_the_next_is_asked_for_with(stocked):
    page = stocked.search(trained_by="agent-7", page_size=2)
    assert [model.artifact_id for model in page.models] == ["crop-5", "crop-4"]
    second = stocked.search(trained_by="agent-7", page_size=2, after=page.after)
    assert [model.artifact_id for model in second.models] == ["crop-3", "crop-2"]
    third = stocked.search(trained_by="agent-7", page_size=2, after=second.after)
    assert ([model.artifact_id for model in third.models], third.after) == (["crop-1"], None)
    promoted = page.models[1]
    assert (promoted.name, promoted.version_number, promoted.promotion_state) == ("crop-disease", 4, "promoted")
    assert (promoted.latest_metrics, promoted.is_latest) == ({"auroc": 0.9}, False)


def test_named_conditions_and_a_filter_must_all_hold(stocked):
    found = stocked.search(
        {"any": [{"state": "promoted"}, {"metric": "auroc", "op": ">=", "value": 0.99}]},
        base_model="vit-1",
        metrics={"auroc": ("<", 2)},
        trained_since=datetime(2025, 1, 1, tzinfo=timezone.utc),
        family=None,
        order_by="metric:auroc",
    )
    assert [model.artifact_id for model in found.models] == ["crop-5", "crop-4"]


def test_all_pages_are_read_one_after_the_other(stocked):
    assert [model.artifact_id for model in stocked.search_all(name="crop-disease", page_size=2)] == [
        *("crop-5", "crop-4", "crop-3", "crop-2", "crop-1")
    ]
    assert len(list(stocked.search_all())) == 6


def test_what_is_not_understood_says_where_and_what_is_near(stocked):
    with pytest.raises(InvalidArgument) as caught:
        stocked.search({"famly": "vit"})
    assert caught.value.problems == [("/filter/famly", "is not a condition")]
    assert caught.value.hint.startswith("Did you mean family?")
    with pytest.raises(InvalidArgument) as caught:
        stocked.search(metrics={"aurok": (">", 0)})
    assert caught.value.hint == "Did you mean auroc?"
    with pytest.raises(InvalidArgument) as caught:
        stocked.search(trained_since=datetime(2025, 1, 1))
    assert caught.value.problems[0].path == "/trained_since"
    with pytest.raises(InvalidArgument) as caught:
        stocked.search(metrics={"auroc": 0.9})
    assert caught.value.problems == [("/metrics/auroc", 'must be a pair such as (">=", 0.9)')]


def test_lineage_lists_ancestors_and_descendants(stocked):
    steps = stocked.lineage("crop-1", "ancestors")
    assert [(step.side, step.depth, step.relation, step.id, step.path) for step in steps] == [
        ("self", 0, None, "crop-1", ["crop-1"]),
        ("ancestor", 1, "base_model", "vit-1", ["crop-1", "vit-1"]),
    ]
    assert len(stocked.lineage("vit-1", max_depth=1)) == 6
    with pytest.raises(NotFound):
        stocked.lineage("nothing")


def test_names_and_the_beginning_of_ids_are_resolved(stocked):
    assert stocked.resolve("crop-disease") == "crop-5"
    assert stocked.resolve("vit-") == "vit-1"
    assert [(near.name, near.last_version) for near in stocked.suggest_names("crop-desease")] == [("crop-disease", 5)]
    with pytest.raises(Ambiguous) as caught:
        stocked.resolve("crop-")
    assert caught.value.problems[0] == ("/reference", "crop-1 (crop-disease@1)")
    with pytest.raises(NotFound) as refused:
        stocked.get_model("crop-desease")
    assert refused.value.hint == "did you mean crop-disease?"


def test_a_filter_is_put_together_without_a_database():
    assert calls.search_filter(None, {}) == {}
    assert calls.search_filter({"state": "promoted"}, {}) == {"state": "promoted"}
    assert calls.search_filter(None, {"family": "vit", "name": None}) == {"family": "vit"}
    assert calls.search_filter({"state": "promoted"}, {"family": "vit", "metrics": {"f1": (">", 0.5)}}) == {
        "all": [{"state": "promoted"}, {"metric": "f1", "op": ">", "value": 0.5}, {"family": "vit"}]
    }
