"""JSON text is exact, and what JSON cannot hold is said, not changed."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import pytest

from atlas_models import InvalidMetadata, validate_metadata
from atlas_models.documents import UnwritableError, json_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0.1, "0.1"),
        (90.0, "90.0"),
        (1e22, "1e+22"),
        (2**70, "1180591620717411303424"),
        (Decimal("1.10"), "1.10"),
        ('é"\\\n', '"é\\"\\\\\\n"'),
        ([1, (2, [])], "[1, [2, []]]"),
        ({"a": {}, "b": [None]}, '{"a": {}, "b": [null]}'),
        (MappingProxyType(OrderedDict(z=1, a=2)), '{"z": 1, "a": 2}'),
    ],
)
def test_values_are_written_exactly(value, text):
    assert json_text(value) == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, float("nan")]}, ("/a/1", "must be a finite number")),
        ({"a": -float("inf")}, ("/a", "must be a finite number")),
        ({"a": Decimal("sNaN")}, ("/a", "must be a finite number")),
        ({"a": "x\0"}, ("/a", "holds a NUL character, which PostgreSQL cannot store")),
        ({"a": "\udc80"}, ("/a", "holds half of a surrogate pair, which is no Unicode text")),
        ({"a": {1: 2}}, ("/a", "has a key that is not text")),
        ({"a\0": 2}, ("", "has a key that holds a NUL character, which PostgreSQL cannot store")),
        ({"a": date(2026, 1, 1)}, ("/a", "is of the type date, which JSON does not have")),
        ({"a/b": {"c~d": b""}}, ("/a~1b/c~0d", "is of the type bytes, which JSON does not have")),
        ({"a": 10**5000}, ("/a", "holds a number that is neither a 64-bit integer nor a finite double")),
    ],
)
def test_what_json_cannot_hold_is_named_with_its_place(value, problem):
    with pytest.raises(UnwritableError) as caught:
        json_text(value)
    assert caught.value.problems == [problem]


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def test_a_hundred_levels_are_written():
    assert json.loads(json_text(nested(100))) == nested(100)


def test_one_level_more_is_refused():
    with pytest.raises(UnwritableError) as caught:
        json_text(nested(101))
    assert caught.value.problems == [("", "is nested deeper than 100 levels")]


def test_a_value_that_holds_itself_is_refused():
    value = {}
    value["again"] = value
    with pytest.raises(UnwritableError) as caught:
        json_text(value)
    assert caught.value.problems == [("", "is nested deeper than 100 levels")]


def test_every_value_that_is_not_finite_is_named_when_registering(registry, internal):
    with pytest.raises(InvalidMetadata) as caught:
        registry.register_model("churn", internal | {"evaluation_metrics": {"auroc": float("nan"), "f1": float("inf")}})
    assert caught.value.problems == [
        ("/evaluation_metrics/auroc", "must be a finite number"),
        ("/evaluation_metrics/f1", "must be a finite number"),
    ]


WRONG = [
    {},
    {"is_external": "no"},
    {"is_external": True, "framework": "PyTorch"},
    {"is_external": False, "framework": 1, "external_source_url": "https://example.org", "whatever": 1},
    {
        "is_external": True,
        "model_family": " ",
        "framework": "x" * 257,
        "external_source_url": "not a URL",
        "external_source_version": "1",
    },
    {"is_external": False, "description": "x" * 1_100_000},
    {"is_external": False, "extra": {"n": 10**20 + 1}},
]


@pytest.mark.parametrize("metadata", WRONG)
def test_checking_without_a_database_answers_as_the_database_does(registry, metadata):
    with pytest.raises(InvalidMetadata) as offline:
        validate_metadata(metadata)
    with pytest.raises(InvalidMetadata) as online:
        registry.validate(metadata)
    assert offline.value.problems == online.value.problems
    assert (offline.value.message, offline.value.sqlstate, offline.value.constraint) == (
        online.value.message,
        online.value.sqlstate,
        online.value.constraint,
    )


def test_valid_metadata_passes_without_a_database(internal, external):
    validate_metadata(internal)
    validate_metadata(external)


def test_metadata_with_a_number_that_is_not_finite_is_refused_without_a_database(internal):
    with pytest.raises(InvalidMetadata) as caught:
        validate_metadata(internal | {"extra": {"x": float("nan")}})
    assert caught.value.problems == [("/extra/x", "must be a finite number")]
