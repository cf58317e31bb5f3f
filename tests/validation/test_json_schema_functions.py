"""The pg_jsonschema-compatible functions: same names, arguments, attributes and messages."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from atlas_models.validation.engine import SchemaCache


def scalar(conn: psycopg.Connection, statement: str, *parameters: object) -> object:
    row = conn.execute(statement, parameters).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("json_matches_schema", "schema json, instance json", "boolean"),
        ("jsonb_matches_schema", "schema json, instance jsonb", "boolean"),
        ("jsonschema_is_valid", "schema json", "boolean"),
        ("jsonschema_validation_errors", "schema json, instance json", "text[]"),
    ],
)
def test_signatures_and_attributes_are_those_of_pg_jsonschema(
    conn: psycopg.Connection, name: str, arguments: str, result: str
) -> None:
    row = conn.execute(
        "select pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile, proisstrict, proparallel"
        " from pg_proc where proname = %s",
        [name],
    ).fetchone()
    assert row == (arguments, result, "i", True, "s")


@pytest.mark.parametrize("function", ["json_matches_schema", "jsonb_matches_schema"])
def test_an_instance_matches_or_does_not(conn: psycopg.Connection, function: str) -> None:
    assert scalar(conn, f"""select {function}('{{"maxLength": 5}}', '"foo"')""") is True
    assert scalar(conn, f"""select {function}('{{"maxLength": 5}}', '"foobar"')""") is False
    assert scalar(conn, f"select {function}(null, '1')") is None


def test_it_serves_in_a_check_as_pg_jsonschema_does(conn: psycopg.Connection) -> None:
    conn.execute(
        "create table customer (metadata json, constraint valid check ("
        """json_matches_schema('{"properties": {"tags": {"items": {"maxLength": 16}}}}', metadata)))"""
    )
    conn.execute("""insert into customer values ('{"tags": ["vip"]}')""")
    with pytest.raises(errors.CheckViolation):
        conn.execute("""insert into customer values ('{"tags": ["darkmode-ui-of-a-very-long-name"]}')""")


def test_errors_read_as_in_pg_jsonschema(conn: psycopg.Connection) -> None:
    errors_of = "select jsonschema_validation_errors(%s, %s)"
    assert scalar(conn, errors_of, '{"maxLength": 4}', '"123456789"') == ['"123456789" is longer than 4 characters']
    assert scalar(conn, errors_of, '{"maxLength": 4}', '"foo"') == []
    schema = {"properties": {"foo": {"type": "string"}, "bar": {"type": "number"}, "baz": {"type": "boolean"}}}
    found = scalar(conn, errors_of, json.dumps(schema), '{"foo": 1, "bar": [], "baz": "1"}')
    assert isinstance(found, list)
    assert sorted(found) == ['"1" is not of type "boolean"', '1 is not of type "string"', '[] is not of type "number"']


def test_a_schema_that_is_none_is_an_error_of_its_own(conn: psycopg.Connection) -> None:
    found = scalar(conn, "select jsonschema_validation_errors(%s, '1')", '{"type": "obj"}')
    assert found == ["\"obj\" is not valid under any of the schemas listed in the 'anyOf' keyword"]
    with pytest.raises(errors.InvalidParameterValue):
        conn.execute("select json_matches_schema(%s, '1')", ['{"type": "obj"}'])


def test_a_notice_says_where_a_schema_is_none(conn: psycopg.Connection) -> None:
    notices: list[str | None] = []
    conn.add_notice_handler(lambda diag: notices.append(diag.message_primary))
    assert scalar(conn, "select jsonschema_is_valid(%s)", '{"properties": {"a": {"type": "obj"}}}') is False
    assert notices == ["Invalid JSON schema at path: /properties/a/type"]
    assert scalar(conn, "select jsonschema_is_valid(%s)", '{"type": "object"}') is True


def test_patterns_that_could_backtrack_are_refused_with_a_hint(conn: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="regex") as caught:
        conn.execute("select json_matches_schema(%s, %s)", ['{"pattern": "(?=a)"}', '"a"'])
    assert "look-around" in str(caught.value.diag.message_hint)


def test_a_pattern_made_to_backtrack_answers_at_once(conn: psycopg.Connection) -> None:
    # (a+)+$ takes a backtracking engine 2^50000 steps, and no statement_timeout would stop it.
    conn.execute("set statement_timeout = '10s'")
    assert (
        scalar(conn, "select json_matches_schema(%s, %s)", '{"pattern": "^(a+)+$"}', json.dumps("a" * 50_000 + "!"))
        is False
    )


def test_formats_are_asserted_as_the_draft_says(conn: psycopg.Connection) -> None:
    draft7 = '{"$schema": "http://json-schema.org/draft-07/schema#", "format": "ipv4"}'
    assert scalar(conn, "select json_matches_schema(%s, %s)", draft7, '"no address"') is False
    draft2020 = '{"$schema": "https://json-schema.org/draft/2020-12/schema", "format": "ipv4"}'
    assert scalar(conn, "select json_matches_schema(%s, %s)", draft2020, '"no address"') is True


def test_integers_beyond_64_bits_are_compared_exactly(conn: psycopg.Connection) -> None:
    schema = '{"maximum": 10000000000000000000000000000000}'
    assert scalar(conn, "select json_matches_schema(%s, %s)", schema, "10000000000000000000000000000000") is True
    assert scalar(conn, "select json_matches_schema(%s, %s)", schema, "10000000000000000000000000000001") is False


def test_a_remote_reference_is_never_fetched(conn: psycopg.Connection, tmp_path: Path) -> None:
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        remote = f"http://127.0.0.1:{server.server_port}/schema.json"
        for reference in (remote, f"file://{tmp_path}/schema.json"):
            for schema in ({"$ref": reference}, {"$schema": reference}):
                with pytest.raises(errors.InvalidParameterValue):
                    conn.execute("select json_matches_schema(%s, '1')", [json.dumps(schema)])
                assert scalar(conn, "select jsonschema_is_valid(%s)", json.dumps(schema)) is False
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize("levels", [501, 3000])
def test_a_document_nested_too_deeply_is_a_clean_error(conn: psycopg.Connection, levels: int) -> None:
    # The engine recurses on the native stack: without the limit a deeper document would crash the backend.
    with pytest.raises(errors.InvalidParameterValue, match="nested deeper than 500 levels"):
        conn.execute("""select json_matches_schema('{"items": {"$ref": "#"}}', %s)""", ["[" * levels + "]" * levels])


def test_a_document_of_500_levels_is_answered(conn: psycopg.Connection) -> None:
    schema = '{"items": {"$ref": "#"}}'
    assert scalar(conn, "select json_matches_schema(%s, %s)", schema, "[" * 500 + "]" * 500) is True


@pytest.mark.parametrize("schema", ['{"$ref": "#"}', '{"not": {"$ref": "#"}}', '{"allOf": [{"$ref": "#"}]}'])
def test_a_schema_that_refers_to_itself_for_ever_is_answered(conn: psycopg.Connection, schema: str) -> None:
    assert scalar(conn, "select json_matches_schema(%s, '1')", schema) in (True, False)


def test_the_cache_keeps_the_64_schemas_used_last() -> None:
    cache = SchemaCache()
    first = cache.validator('{"maxLength": 0}')
    for number in range(1, 64):
        cache.validator(json.dumps({"maxLength": number}))
    assert cache.validator('{"maxLength": 0}') is first
    second = cache.validator('{"maxLength": 1}')
    for number in range(64, 127):
        cache.validator(json.dumps({"maxLength": number}))
    assert cache.validator('{"maxLength": 1}') is second
    assert cache.validator('{"maxLength": 0}') is not first
