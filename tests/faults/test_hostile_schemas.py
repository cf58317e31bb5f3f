"""JSON Schemas that a caller gives, made to read a file, open a connection, run for ever or break the stack."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hostile import HOSTILE, LARGE

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
LONG = json.dumps("a" * 50_000 + "!")
# Patterns on which an engine that backtracks takes longer than the world stands.
BACKTRACKING = [
    *(
        r"^(a+)+$",
        r"^(a|a)*$",
        r"^(a|aa)+$",
        r"^(.*a){20}$",
        r"(x+x+)+y",
        r".*.*.*.*.*.*.*.*.*=x",
        r"^(([a-z])+.)+[A-Z]+$",
    ),
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
]
# Patterns that the linear engine has no room or no way for.
REFUSED = [
    "(((a{1,100}){1,100}){1,100}){1,100}",
    "(a{1000}){1000}",
    r"(\p{L}{100}){50}",
    r"(a)\1",
    "(?=a)",
    "(",
    "(" * 5000,
]


def chain(length: int, step: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """A schema of so many definitions, each of which says something of the next."""
    definitions = {f"d{nth}": step(f"#/definitions/d{nth + 1}") for nth in range(length)}
    return {"definitions": definitions | {f"d{length}": {"type": "string"}}, "$ref": "#/definitions/d0"}


def inside(levels: int, opening: str) -> str:
    return opening * levels + "true" + "}" * (levels * opening.count("{"))


ANSWERED: dict[str, tuple[str, str, bool]] = {
    "a reference to itself": ('{"$ref": "#"}', "1", True),
    "two that refer to each other": (
        '{"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}},'
        ' "$ref": "#/definitions/a"}',
        "1",
        True,
    ),
    "a chain of 5,000 references": (json.dumps(chain(5000, lambda next_one: {"$ref": next_one})), "1", False),
    "a chain of 3,000 conditions": (
        json.dumps(chain(3000, lambda next_one: {"allOf": [{"$ref": next_one}, {"type": "integer"}]})),
        "1",
        False,
    ),
    "as deep as the document": ('{"items": {"$ref": "#"}}', "[" * 500 + "]" * 500, True),
    "200,000 values": (json.dumps({"enum": list(range(200_000))}), "200001", False),
    "20,000 properties": (
        json.dumps({"properties": {f"p{n}": {"type": "null"} for n in range(20_000)}}),
        '{"p7": 1}',
        False,
    ),
    "20,000 words": (json.dumps({"pattern": "|".join(f"a{n}" for n in range(20_000))}), '"b"', False),
    "20,000 different": ('{"uniqueItems": true}', json.dumps([{"a": n} for n in range(20_000)]), True),
    "a key given twice": ('{"type": "string", "type": "integer"}', "1", True),
    "a NUL in a text": ('{"maxLength": 2}', r'"a\u0000b"', False),
    "a number of 4,000 digits": ('{"maximum": 3}', "9" * 4000, False),
    "a negative zero": ('{"minimum": 0}', "-0.0", True),
}
NO_SCHEMA: dict[str, str] = {
    **{f"the pattern {pattern[:20]}": json.dumps({"pattern": pattern}) for pattern in REFUSED},
    "a file": '{"$ref": "file:///etc/passwd"}',
    "a server": '{"$ref": "http://127.0.0.1:9/x"}',
    "a server below an id": '{"$id": "http://127.0.0.1:9/", "$ref": "x"}',
    "a dialect of a server": '{"$schema": "http://127.0.0.1:9/x"}',
    "no address": '{"$ref": "%%%"}',
    "a place that is not there": '{"$ref": "#/definitions/nowhere"}',
    "a place far away": json.dumps({"$ref": "#" + "/a" * 20_000}),
    "501 levels": '{"not":' * 501 + "{}" + "}" * 501,
    "490 levels of not": inside(490, '{"not": '),
    "250 levels of properties": inside(240, '{"properties": {"a": '),
    "a number beyond any double": '{"maximum": 1e400}',
    "a number of 5,000 digits": '{"maximum": ' + "9" * 5000 + "}",
    "half of a surrogate pair": r'{"const": "\ud800"}',
    "half of a surrogate pair in a key": r'{"properties": {"\ud800": {}}}',
    "half of a surrogate pair in a pattern": r'{"pattern": "\udfff"}',
    "a text": '"x"',
    "a text that is a schema": json.dumps('{"type": "integer"}'),
    "a text that is deep": json.dumps("[" * 100_000),
    **{f"the JSON {text}": text for text in ("1", "[]", "null")},
}


@pytest.fixture(scope="module")
def conn(template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """One connection for the file, of a user who has no rights but those of everybody."""
    url = new_database(template_database)
    with psycopg.connect(url, user="test_stranger", autocommit=True) as connection:
        connection.execute("set search_path = atlas")
        pid = connection.info.backend_pid
        yield connection
        assert connection.execute("select pg_backend_pid()").fetchone() == (pid,)


def answer(conn: psycopg.Connection, statement: str, *parameters: str) -> Any:
    """What a function answers, or the SQLSTATE; at once."""
    for _ in range(3):  # a machine that is busy with something else is so not three times
        begun = time.perf_counter()
        try:
            found = conn.execute(statement, parameters).fetchone()[0]
        except psycopg.Error as error:
            found = error.sqlstate
            said = f"{error.diag.message_primary}"
            assert not any(word in said for word in ("codec", "sys.", "Traceback", "UTF-8")), said
        if (seconds := time.perf_counter() - begun) < 1:
            break
    assert seconds < 1, (parameters[0][:80], seconds)
    return found


MATCHES = "select json_matches_schema(%s, %s)"
ERRORS = "select jsonschema_validation_errors(%s, %s)"
IS_SCHEMA = "select jsonschema_is_valid(%s)"


@pytest.mark.parametrize("case", ANSWERED)
def test_what_can_be_answered_is_answered_at_once(conn: psycopg.Connection, case: str) -> None:
    schema, instance, matches = ANSWERED[case]
    assert answer(conn, MATCHES, schema, instance) is matches
    assert (answer(conn, ERRORS, schema, instance) == []) is matches
    assert answer(conn, IS_SCHEMA, schema) is True


def test_no_pattern_backtracks(conn: psycopg.Connection) -> None:
    for pattern in BACKTRACKING:
        for schema in (
            {"pattern": pattern},
            {"propertyNames": {"pattern": pattern}},
            {"patternProperties": {pattern: False}},
        ):
            instance = LONG if "pattern" in schema else f"{{{LONG}: 1}}"
            assert answer(conn, MATCHES, json.dumps(schema), instance) in (True, False)
            assert len(answer(conn, ERRORS, json.dumps(schema), instance)) <= 1


@pytest.mark.parametrize("case", NO_SCHEMA)
def test_what_cannot_be_a_schema_here_is_refused_in_words(conn: psycopg.Connection, case: str) -> None:
    schema = NO_SCHEMA[case]
    assert answer(conn, MATCHES, schema, "1") == "22023"
    (problem,) = answer(conn, ERRORS, schema, "1")
    assert not any(word in problem for word in ("codec", "sys.", "UnicodeEncodeError"))
    assert answer(conn, IS_SCHEMA, schema) is False


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e100000", '[1, {"a": 1e309}]', "1" * 400 + ".5"])
def test_a_number_beyond_any_double_never_matches_as_if_it_were_none(conn: psycopg.Connection, number: str) -> None:
    # The engine would be given an infinity, which it takes for a null: every limit would be kept.
    assert answer(conn, MATCHES, '{"maximum": 3}', number) == "22023"
    assert answer(conn, ERRORS, '{"maximum": 3}', number) == ["the document holds a number that is too large"]


def test_half_of_a_surrogate_pair_in_a_document_is_refused_in_words(conn: psycopg.Connection) -> None:
    for document in (r'"\ud800"', r'{"\udc00": 1}', r'["x\ud83d"]'):
        assert answer(conn, MATCHES, '{"maxLength": 0}', document) == "22023"
        assert answer(conn, ERRORS, "{}", document) == ["the document holds half of a surrogate pair"]
    assert answer(conn, MATCHES, '{"maxLength": 1}', r'"\ud83d\ude00"') is True
    assert answer(conn, MATCHES, '{"maxLength": 6}', r'"\\ud800"') is True


def test_hostile_documents_are_schemas_or_are_not(conn: psycopg.Connection) -> None:
    for text in HOSTILE:
        if text in LARGE:
            continue
        assert answer(conn, IS_SCHEMA, text) in (True, False, "22P02", "54001"), text[:80]
        assert answer(conn, MATCHES, "{}", text) in (True, "22P02", "22023", "54001"), text[:80]
        assert answer(conn, MATCHES, text, "{}") in (True, False, "22P02", "22023", "54001"), text[:80]


def test_nothing_is_fetched(conn: psycopg.Connection, tmp_path: Path) -> None:
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    (tmp_path / "schema.json").write_text("{}")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for place in (f"http://127.0.0.1:{server.server_port}/", f"file://{tmp_path}/"):
            for schema in (
                {"properties": {"a": {"$ref": f"{place}schema.json"}}},
                {"$id": place, "allOf": [{"$ref": "schema.json"}]},
                {
                    "$schema": DRAFT_7,
                    "definitions": {"a": {"$id": place, "$ref": "schema.json"}},
                    "$ref": "#/definitions/a",
                },
                {"$schema": "https://json-schema.org/draft/2020-12/schema", "$dynamicRef": f"{place}schema.json"},
            ):
                assert answer(conn, MATCHES, json.dumps(schema), '{"a": 1}') == "22023", schema
        server.shutdown()
    assert asked == []
