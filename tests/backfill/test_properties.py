"""What holds for whatever a legacy row holds: nothing is raised, nothing is lost, nothing that is valid is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atlas_models.backfill.normalisation import normalise
from atlas_models.validation.engine import json_pointer
from legacy_rows import GROWN_BY_HAND, ODD, complete

KEYS = [
    *(
        "is_external",
        "model_family",
        "Model-Family",
        "architecture",
        "framework",
        "lib",
        "pytorch_version",
        "tf_version",
    ),
    *("parameter_count", "Parameters", "params", "params_m", "training_data", "dataset", "test_set", "metrics"),
    *("evaluation_metrics", "test_f1", "accuracy", "hyperparameters", "training_config", "license", "extra", "status"),
    *("external_source_url", "hf_revision", "origin", "source", "repo", "code_url", "git_commit", "training_start"),
    *("training_end", "tags", "mlflow", "mlflow.source.git.commit", "gpu_allocation", "owner", "a/b~c", "", "*", "."),
]
TEXTS = [
    *(
        "1.2M",
        "86,567,656",
        "~86M",
        "1-2M",
        "14-16",
        "1,234",
        "1.234",
        "91.2%",
        "0.5%",
        "NaN",
        "n/a",
        "unknown",
        "",
        " ",
    ),
    *("true", "no", "pytorch", "PyTorch", "production", "archived", "huggingface", "internal", "2024-05-01T10:00:00Z"),
    *("2024-05-01 10:00", "01/05/2024", "5 Jan 2024", "https://huggingface.co/a/b", "https://joe:pw@h.org/x", "main"),
    *(
        "https://github.com/o/r/blob/main/x.py",
        "https://github.com/o/r",
        "0" * 40,
        '{"a": "5%"}',
        "[1",
        "\x00",
        "x" * 300,
    ),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(TEXTS),
)
NAMES = st.one_of(st.sampled_from(KEYS), st.text(max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=12)
FACTS = st.dictionaries(
    st.sampled_from(["title", "notes", "origin_type", "origin_url", "lifecycle_state", "status", "team"]),
    st.one_of(st.none(), st.sampled_from(TEXTS), st.text(max_size=20)).filter(lambda text: "\x00" not in (text or "")),
)
ANSWERS = st.dictionaries(NAMES, VALUES, max_size=4)
QUICKLY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def is_accounted_for(pointer: str, value: Any, result: dict[str, Any]) -> bool:
    """Whether a fact stands where it stood, or a change says what became of it or of each part of it."""
    places = [change["from"] for change in result["changes"]]
    if any(place == pointer or place.startswith(f"{pointer}/") for place in places):
        return True
    found: Any = result["metadata"]
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        found = found.get(json.loads(f'"{key}"'), KeyError) if isinstance(found, dict) else KeyError
    return bool(found == value)


@QUICKLY
@given(DOCUMENTS, FACTS)
def test_every_fact_stands_where_it_stood_or_a_change_accounts_for_it(seeded, guide, document, facts):
    result = normalise(json.dumps(document), facts, seeded, {}, guide)
    if "\\u0000" in json.dumps(document) or "\\ud" in json.dumps(document):
        return
    for key, value in document.items():
        # Other facts join extra; each of its own stays.
        parts = value if key == "extra" and isinstance(value, dict) else {key: value}
        for part, inner in parts.items():
            path = (key, part) if parts is value else (key,)
            assert is_accounted_for(json_pointer(path), inner, result), path


@QUICKLY
@given(DOCUMENTS, FACTS)
def test_every_difference_in_the_result_has_a_change_that_leads_to_it(seeded, guide, document, facts):
    result = normalise(json.dumps(document), facts, seeded, {}, guide)
    reached = {change["to"] for change in result["changes"]}
    for field, value in result["metadata"].items():
        if field != "extra":
            assert field in reached or document[field] == value
    assert result["columns"].keys() <= reached | document.keys()
    assert (result["promoted_by"] is None) or IN_SERVICE in reached


IN_SERVICE = "promoted_by"


@QUICKLY
@given(DOCUMENTS, FACTS, ANSWERS)
def test_nothing_is_raised_and_a_row_is_valid_or_has_a_question(seeded, guide, document, facts, answers):
    result = normalise(json.dumps(document), facts, seeded, answers, guide)
    written = json.dumps(result, allow_nan=False)
    assert result["valid"] or result["questions"]
    assert guide.validator.is_valid(result["metadata"]) or not result["valid"]
    assert "joe:pw" not in json.dumps([result["questions"]])
    assert json.loads(written).keys() == {"metadata", "columns", "promoted_by", "changes", "questions", "valid"}


@QUICKLY
@given(DOCUMENTS, FACTS)
def test_no_field_is_filled_while_it_is_asked_about(seeded, guide, document, facts):
    result = normalise(json.dumps(document), facts, seeded, {}, guide)
    refused = ("it ", "/", "the rule")
    for question in result["questions"]:
        field, why = question["field"], question["why"]
        if field in result["metadata"] and field != "extra":
            # What the schema refuses is asked about as it stands.
            assert why.startswith(refused)
            assert not result["valid"] or why.startswith("the rule")


@QUICKLY
@given(DOCUMENTS, FACTS)
def test_what_was_normalised_stays_as_it_is_when_it_is_normalised_again(seeded, guide, document, facts):
    first = normalise(json.dumps(document), facts, seeded, {}, guide)
    if first["valid"] and not first["questions"]:
        again = normalise(json.dumps(first["metadata"]), facts, seeded, {}, guide)
        assert (again["metadata"], again["valid"]) == (first["metadata"], True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS, FACTS)
def test_the_database_gives_the_same_answer(normalise, normalise_on_server, document, facts):
    here, there = normalise(document, facts), normalise_on_server(document, facts)
    assert json.loads(json.dumps(there), parse_int=float) == json.loads(json.dumps(here), parse_int=float)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_document_is_valid_or_has_a_question(seeded, guide, name):
    result = normalise(ODD[name], {"lifecycle_state": "live"}, seeded, {}, guide)
    assert result["questions"] and not result["valid"]


def test_the_order_of_keys_does_not_matter_to_the_document(seeded, guide):
    for document in (GROWN_BY_HAND, complete(lib="xgboost", params="12.4k", dataset="x")):
        backwards = dict(reversed(document.items()))
        one, other = (normalise(json.dumps(each), {}, seeded, {}, guide) for each in (document, backwards))
        assert one["metadata"] == other["metadata"]
        assert one["questions"] == other["questions"]
