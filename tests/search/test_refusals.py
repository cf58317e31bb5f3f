"""What search_models() does not understand, it says where and what is near."""

from __future__ import annotations

import base64
import json

import psycopg
import pytest
from psycopg.types.json import Jsonb


def refusal(registry, query: str, parameters: list) -> tuple[str, str, str]:
    with pytest.raises(psycopg.Error) as caught, registry.transaction():
        registry.execute(query, parameters)
    diag = caught.value.diag
    return caught.value.sqlstate, diag.message_detail, diag.message_hint


FILTERS = [
    ([], "/filter: must be a JSON object"),
    ("x", "/filter: must be a JSON object"),
    ({"famly": "vit"}, "/filter/famly: is not a condition"),
    ({"a/b~c": 1}, "/filter/a~1b~0c: is not a condition"),
    ({"all": [{"family": "vit"}, {"stat": "x"}]}, "/filter/all/1/stat: is not a condition"),
    ({"all": []}, "/filter/all: must be a list of at least one filter"),
    ({"any": {}}, "/filter/any: must be a list of at least one filter"),
    ({"any": [{}]}, "/filter/any/0: holds no condition"),
    ({"any": [1]}, "/filter/any/0: must be a JSON object"),
    ({"family": 3}, "/filter/family: must be a text, or a list of 1 to 100 texts"),
    ({"family": []}, "/filter/family: must be a text, or a list of 1 to 100 texts"),
    ({"family": ["a", None]}, "/filter/family: must be a text, or a list of 1 to 100 texts"),
    ({"family": ["a"] * 101}, "/filter/family: must be a text, or a list of 1 to 100 texts"),
    ({"state": "promotd"}, "/filter/state: is not a promotion state"),
    ({"is_latest": "yes"}, "/filter/is_latest: must be true or false"),
    ({"is_external": None}, "/filter/is_external: must be true or false"),
    ({"text": " -- "}, "/filter/text: must hold a word, and at most 1,000 bytes"),
    ({"text": "x " * 600}, "/filter/text: must hold a word, and at most 1,000 bytes"),
    ({"name_prefix": ""}, "/filter/name_prefix: must be 1 to 256 characters"),
    ({"metric": "aurco", "op": ">=", "value": 1}, "/filter/metric: no model has a metric of this name"),
    ({"metric": 1}, "/filter/metric: must be the name of a metric"),
    ({"metric": "auroc", "op": "~", "value": 1}, "/filter/op: must be one of >=, >, <=, <, ="),
    ({"metric": "auroc", "op": [">="], "value": 1}, "/filter/op: must be one of >=, >, <=, <, ="),
    ({"metric": "auroc", "value": 1}, "/filter/op: must be one of >=, >, <=, <, ="),
    ({"metric": "auroc", "op": ">=", "value": "1"}, "/filter/value: must be a number"),
    ({"metric": "auroc", "op": ">="}, "/filter/value: must be a number"),
    ({"op": ">=", "value": 1}, "/filter/op: belongs to a metric"),
    ({"trained_since": "yesterday"}, "/filter/trained_since: must be a time as ISO 8601 writes it"),
    ({"trained_since": "infinity"}, "/filter/trained_since: must be a time as ISO 8601 writes it"),
    ({"registered_before": "2025-02-30"}, "/filter/registered_before: is no time of the calendar"),
    ({"registered_before": "2025-02-03T00:00+99"}, "/filter/registered_before: is no time of the calendar"),
    ({"any": [{"is_latest": True}] * 101}, "/filter/any/99: holds more than 100 conditions"),
    ({"family": "x" * 70000}, "/filter: is longer than 64 kB"),
]


def test_a_filter_that_is_not_understood_is_refused_with_the_place(registry):
    query = "select from search_models(%s)"
    refused = [refusal(registry, query, [Jsonb(asked)]) for asked, _ in FILTERS]
    assert [(code, detail) for code, detail, _ in refused] == [("22023", detail) for _, detail in FILTERS]
    assert all(hint for _, _, hint in refused)


def test_a_filter_that_is_nested_too_deep_is_refused(registry):
    nested: dict = {"family": "vit"}
    for _ in range(7):
        nested = {"any": [nested]}
    assert registry.execute("select count(*) from search_models(%s)", [Jsonb(nested)]).fetchone() == (3,)
    code, detail, _ = refusal(registry, "select from search_models(%s)", [Jsonb({"any": [nested]})])
    assert (code, detail) == ("22023", "/filter" + "/any/0" * 8 + ": is nested more than 8 levels deep")


def test_a_number_beyond_a_double_is_refused(registry):
    code, detail, _ = refusal(
        registry, "select from search_models(%s)", ['{"metric": "auroc", "op": "<", "value": 1e400}']
    )
    assert (code, detail) == ("22023", "/filter/value: must be a finite double")


def test_what_is_near_is_suggested(registry):
    assert refusal(registry, "select from search_models(%s)", [Jsonb({"famly": "x"})])[2].startswith(
        "Did you mean family?"
    )
    assert refusal(registry, "select from search_models(%s)", [Jsonb({"metric": "AUROCC"})])[2] == "Did you mean auroc?"
    assert refusal(registry, "select from search_models(order_by => 'metric:los')", [])[2] == "Did you mean loss?"


def test_order_and_page_size_are_refused_by_name(registry):
    for arguments, detail in [
        ("order_by => 'name'", "/order_by: must be registered, trained or metric:<name>"),
        ("order_by => null", "/order_by: must be registered, trained or metric:<name>"),
        ("order_by => 'metric:'", "/order_by: no model has a metric of this name"),
        ("descending => null", "/descending: must be true or false"),
        ("page_size => 0", "/page_size: must be 1 to 1,000"),
        ("page_size => 1001", "/page_size: must be 1 to 1,000"),
        ("page_size => null", "/page_size: must be 1 to 1,000"),
    ]:
        assert refusal(registry, f"select from search_models({arguments})", [])[:2] == ("22023", detail)


def test_a_cursor_that_is_none_or_of_another_order_is_refused(registry):
    (other,) = registry.execute("select cursor from search_models(descending => false, page_size => 1)").fetchone()
    made_up = [
        ["registered", True, "2025-01-01", "x"],
        ["registered", True, "no time", 1],
        ["registered", True, None, 1],
        ["registered", True, "2025-01-01", 10**30],
        {"0": 1},
        1,
    ]
    cursors = [other, "", "x", "%%%", "AAAA", "W10="]
    cursors += [base64.b64encode(json.dumps(value).encode()).decode() for value in made_up]
    refused = [refusal(registry, "select from search_models(after => %s)", [cursor])[:2] for cursor in cursors]
    assert refused == [("22023", "/after: is no cursor of a search in this order")] * len(cursors)
