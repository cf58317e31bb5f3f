"""Whatever stands in an argument is a value: it finds what equals it, or is refused; nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FRAGMENTS = [
    *(
        "'",
        "''",
        '"',
        "\\",
        "\\'",
        "$1",
        "$$",
        "$1[1]",
        "%s",
        "%I",
        "%%",
        "--",
        "/*",
        "*/",
        ";",
        ":*",
        "!",
        "|",
        "&",
        "<->",
        "(",
        ")",
    ),
    *(" or true", "' or '1'='1", "1) or (1=1", "'; drop table artifacts; --", "') is not null --", "=state:candidate"),
    *(
        "=family:vit",
        "'=state:candidate':*",
        "pg_sleep(9)",
        "{}",
        "[",
        "null",
        "true",
        "0",
        "1e400",
        "NaN",
        "infinity",
        "now",
    ),
    *(
        "epoch",
        "\u00df",
        "\u202e",
        "\U0010ffff",
        "\n",
        "\t",
        "\x01",
        " ",
        "*",
        "a*",
        "metric:",
        "metric:auroc",
        "vit",
        "credit",
    ),
]
TEXT = st.lists(
    st.sampled_from(FRAGMENTS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
    max_size=5,
).map("".join)
FACETS = [
    *(
        "name",
        "family",
        "framework",
        "task",
        "trained_by",
        "dataset",
        "training_dataset",
        "evaluation_dataset",
        "base_model",
        "benchmark",
    ),
]
# A text in one place of a question, and what is expected of it.
PLACES = [
    *FACETS,
    *(
        "name_prefix",
        "text",
        "state",
        "metric",
        "op",
        "value",
        "is_latest",
        "trained_since",
        "registered_before",
        "key",
    ),
    *("order_by", "after", "direction", "lineage", "reference", "suggest"),
]
# What the database may answer: a value that is not understood, or names nothing.
CLEAN = {"22023", "P0002", "P0003"}


def ask(conn: psycopg.Connection, place: str, text: str) -> list[Any] | str:
    """The ids that are found, or the SQLSTATE of the refusal."""
    search: dict[str, Any] = {"filter": {}, "order_by": "registered", "after": None}
    query = "select artifact_id from search_models(%(filter)s, order_by => %(order_by)s, after => %(after)s)"
    if place in FACETS or place in ("name_prefix", "text", "state", "is_latest", "trained_since", "registered_before"):
        search["filter"] = {place: text}
    elif place in ("metric", "op", "value"):
        search["filter"] = {"metric": "auroc", "op": ">=", "value": 0.5} | {place: text}
    elif place == "key":
        search["filter"] = {"any": [{text: text}]}
    elif place in ("order_by", "after"):
        search[place] = text
    else:
        query = {
            "direction": "select id from model_lineage('crop-1', %(text)s)",
            "lineage": "select id from model_lineage(%(text)s)",
            "reference": "select resolve_artifact(%(text)s)",
            "suggest": "select name from suggest_names(%(text)s)",
        }[place]
    arguments = search | {"filter": json.dumps(search["filter"]), "text": text}
    try:
        with conn.transaction():
            return [row[0] for row in conn.execute(query, arguments)]
    except psycopg.Error as error:
        return error.sqlstate or str(error)


def expected(conn: psycopg.Connection, place: str, text: str) -> list[Any] | None:
    """What a plain look into the view finds; None where something else is to be said of the answer."""
    plain = {
        "name": "name = %(text)s",
        "family": "lower(model_family) = lower(%(text)s)",
        "framework": "lower(framework) = lower(%(text)s)",
        "task": "lower(task) = lower(%(text)s)",
        "trained_by": "trained_by = %(text)s",
        "base_model": "base_model_id = %(text)s",
        "benchmark": "benchmark_id = %(text)s",
        "training_dataset": "training_data @> to_jsonb(%(text)s::text)",
        "evaluation_dataset": "evaluation_dataset @> to_jsonb(%(text)s::text) or eval_dataset_artifact_id = %(text)s",
        "dataset": "training_data @> to_jsonb(%(text)s::text) or evaluation_dataset @> to_jsonb(%(text)s::text)"
        " or eval_dataset_artifact_id = %(text)s",
        "name_prefix": "starts_with(name, %(text)s)",
        "text": "to_tsvector('simple', concat_ws(' ', name, title, description))"
        " @@ plainto_tsquery('simple', %(text)s)",
    }
    if place not in plain or (place == "text" and "*" in text):
        return None
    rows = conn.execute(f"select artifact_id from models where {plain[place]}", {"text": text})
    return sorted(row[0] for row in rows)


def check(conn: psycopg.Connection, place: str, text: str) -> None:
    answer = ask(conn, place, text)
    if isinstance(answer, str):
        assert answer in CLEAN, (place, text)
        return
    wanted = expected(conn, place, text)
    if wanted is not None:
        assert sorted(answer) == wanted, (place, text)
    elif place == "key":
        assert answer == [], (place, text)
    elif place == "metric":
        assert text == "auroc" or answer == [], (place, text)
    elif place == "order_by":
        assert text in ("registered", "trained") or text.startswith("metric:"), (place, text)
    elif place in ("op", "value", "state", "is_latest", "after"):
        raise AssertionError((place, text, answer))


@pytest.fixture(scope="module")
def untouched(module_connection: psycopg.Connection):
    """The module's connection; at the end everything stands where it stood."""
    state = "select (select count(*) from artifacts), (select count(*) from models), (select count(*) from pg_class)"
    before = module_connection.execute(state).fetchone()
    yield module_connection
    assert module_connection.execute(state).fetchone() == before


SETTINGS = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=100, **SETTINGS)
@given(place=st.sampled_from(PLACES), text=TEXT)
def test_a_text_in_any_argument_is_a_value(untouched, place, text):
    check(untouched, place, text)


@pytest.mark.long
@settings(max_examples=10_000, **SETTINGS)
@given(place=st.sampled_from(PLACES), text=TEXT)
def test_ten_thousand_texts_in_any_argument_are_values(untouched, place, text):
    check(untouched, place, text)


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_every_fragment_in_every_argument_is_a_value(untouched, place):
    for text in FRAGMENTS:
        check(untouched, place, text)
