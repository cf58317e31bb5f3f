"""What nobody should send, in every argument of every function that somebody may call: a clean refusal, at once.

Which doors there are is asked of the catalogue, so a new function without a call below fails.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import internal_metadata, register
from hostile import GROWING, HOSTILE, LARGE, Raw, allowed_by, spoiled, written

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "model_artifact_metadata.json").read_text())
VALID = written(internal_metadata())
SECONDS = 1.0

# A call of each function that is open to somebody, as it would succeed or be refused for want of something to do.
CALLS: dict[str, dict[str, str]] = {
    "register_model": {"name": "'n'", "metadata": f"'{VALID}'"},
    "register_models": {"models": f"""'[{{"name": "n", "metadata": {VALID}}}]'"""},
    "register_artifact": {"artifact_type": "'dataset'", "title": "'t'"},
    "link_code": {"artifact_id": "'v'"},
    "record_training": {"artifact_id": "'v'"},
    "record_evaluation": {"artifact_id": "'v'", "metrics": """'{"f1": 1}'"""},
    "promote_model": {"artifact_id": "'v'"},
    "reject_model": {"artifact_id": "'v'", "reason": "'r'"},
    "demote_model": {"artifact_id": "'v'"},
    "reopen_model": {"artifact_id": "'v'"},
    "delete_model": {"artifact_id": "'v'", "reason": "'r'"},
    "resolve_backfill_review": {"artifact_id": "'ode-1'", "patch": "'{}'"},
    "set_promotion_gate": {"metric": "'f1'", "comparator": "'>'", "threshold": "1"},
    "remove_promotion_gate": {"gate_id": "1"},
    "set_promotion_policy": {"model_name": "'n'", "require_code_pin": "true"},
    "model_card": {"artifact_id": "'v'"},
    "check_gates": {"artifact_id": "'v'"},
    "model_history": {"name": "'n'"},
    "promoted_at": {"name": "'n'"},
    "search_models": {},
    "model_lineage": {"artifact_id": "'v'"},
    "resolve_artifact": {"id": "'v'"},
    "suggest_names": {"name": "'n'"},
    "is_valid_metadata": {"artifact_type": "'model'", "schema_version": "1", "metadata": "'{}'"},
    "metadata_errors": {"metadata": "'{}'"},
    "validate_metadata": {"metadata": "'{}'"},
    "has_bounded_numbers": {"metadata": "'{}'"},
    "is_bounded_metadata": {"artifact_type": "'model'", "schema_version": "1", "metadata": "'{}'"},
    "is_bounded_object": {"document": "'{}'"},
    "is_complete_version": dict.fromkeys(
        (
            *("artifact_id", "base_model_id", "code_repo_url", "code_commit_sha", "training_started_at"),
            *("training_completed_at", "training_params_json", "eval_metrics_json", "idempotency_key"),
            "idempotency_digest",
        ),
        "null",
    ),
    "is_complete_artifact": dict.fromkeys(
        (
            *("artifact_type", "metadata_schema_version", "id", "name", "version_number", "is_latest"),
            *("parent_version_id", "superseded_by", "created_at", "updated_at"),
        ),
        "null",
    ),
    "is_model_name": {"name": "'n'"},
    "needs_explanation": {"artifact_type": "'model'", "schema_version": "1", "metadata": "'{}'"},
    "needs_facts": {"model_name": "'n'", "base_model_id": "null", "eval_dataset_artifact_id": "null"},
    "needs_place": dict.fromkeys(
        ("artifact_type", "name", "version_number", "is_latest", "schema_version", "parent_version_id", "id"), "null"
    ),
    "is_repository_url": {"url": "'u'"},
    "is_commit_sha": {"sha": "'s'"},
    "json_matches_schema": {"schema": """'{"items": {"$ref": "#"}, "maximum": 3}'""", "instance": "'1'"},
    "jsonb_matches_schema": {"schema": """'{"items": {"$ref": "#"}, "maximum": 3}'""", "instance": "'1'"},
    "jsonschema_is_valid": {"schema": "'{}'"},
    "jsonschema_validation_errors": {"schema": """'{"items": {"$ref": "#"}, "type": "null"}'""", "instance": "'1'"},
}
# What is written into the one argument that is a document of documents.
INSIDE = {
    ("register_models", "models"): [
        "[%s]",
        '[{"name": %s}]',
        '[{"name": "n", "metadata": %s}]',
        f'[{{"name": "n", "metadata": {VALID}, "training_params_json": %s, "idempotency_key": "k"}}]',
        f'[{{"name": "n", "metadata": {VALID}, "training_started_at": %s}}]',
        f'[{{"name": "n", "metadata": {VALID}, "trained_by": %s}}]',
        f'[{{"name": "n", "metadata": {VALID}}}, {{"name": "n", "metadata": {VALID}, %s: 1}}]',
    ],
    ("search_models", "filter"): [
        '{"name": %s}',
        '{"text": %s}',
        '{"all": [%s]}',
        '{"metric": "f1", "op": ">", "value": %s}',
        '{"registered_since": %s}',
        '{"is_latest": %s}',
    ],
    ("resolve_backfill_review", "patch"): [
        '{"parameter_count": %s}',
        '{"extra": %s}',
        '{"name": %s}',
        '{"version_number": %s}',
        '{"parent_version_id": %s}',
        '{"is_latest": %s}',
        '{"promotion_state": %s}',
        '{"framework": "x", %s: 1}',
    ],
    ("record_evaluation", "metrics"): ['{"f1": %s}', '{"f1": 1, %s: 1}'],
    ("register_model", "metadata"): [written(internal_metadata(extra={"n": Raw("%s")}))],
    ("register_model", "training_params_json"): ['{"n": %s}'],
    ("register_artifact", "metadata"): ['{"n": %s}'],
    ("record_training", "training_params_json"): ['{"n": %s}'],
    ("json_matches_schema", "schema"): ['{"const": %s}', '{"maximum": %s}', '{"pattern": %s}', '{"$ref": %s}'],
    ("jsonschema_validation_errors", "schema"): ['{"enum": [%s]}', '{"properties": %s}', '{"required": [%s]}'],
    ("jsonschema_validation_errors", "instance"): ['{"n": %s}'],
}
TEXTS = [
    *("", " ", "\t\n", "x" * 300, "x" * 9000, "'; select 1; --", '"', "\\", "$$", "%s%n", "\u202e", "é" * 256, "NULL"),
    *("\ufeff", "{}", "[", "-1", "1e400", "../../etc/passwd", "\x01\x1b[2J", "🙂" * 256, " v ", "V", "v\u200b"),
    "".join(chr(ord("a") + number * number % 26) for number in range(300_000)),
]
DOCUMENTED = {
    code.strip(" .…")
    for line in re.findall(r"^\| ([0-9A-Z]{2,5}[^|]*) \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    for code in line.split(",")
}
# Words that only the inside of a program has.
INTERNAL = re.compile(r"Traceback|plpy|spiexceptions|codec|sys\.|Errno|File \"|0x[0-9a-f]{6}|NoneType|<class")


class Door(NamedTuple):
    """An argument that takes text or JSON."""

    function: str
    argument: str
    type: str


def is_documented(sqlstate: str) -> bool:
    return any(sqlstate.startswith(code) for code in DOCUMENTED)


@pytest.fixture(scope="module")
def conn(legacy_template: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a registry with a version, a dataset, a gate, and a legacy model that waits."""
    with psycopg.connect(new_database(legacy_template), autocommit=True) as connection:
        connection.execute("set search_path = atlas, public")
        connection.execute("call backfill_model_versions()")
        register(connection, "n", artifact_id="v")
        connection.execute("select register_artifact('dataset', 'd', artifact_id => 'd')")
        connection.execute("select set_promotion_gate('f1', '>', 0.5)")
        assert connection.execute("select from backfill_reviews where artifact_id = 'ode-1'").fetchone() is not None
        yield connection


@pytest.fixture(scope="module")
def doors(conn: psycopg.Connection) -> list[Door]:
    """Every argument of type text, json or jsonb of every function that one of the roles may execute."""
    rows = conn.execute(
        """
        select p.proname, n.name, format_type(n.type, null)
        from pg_proc as p
        cross join lateral unnest(
            p.proargnames, coalesce(p.proallargtypes, string_to_array(p.proargtypes::text, ' ')::oid[]), p.proargmodes
        ) with ordinality as n (name, type, mode, place)
        where
            p.pronamespace = 'atlas'::regnamespace
            and coalesce(n.mode, 'i') in ('i', 'b')
            and p.prorettype <> 'trigger'::regtype
            and (
                select bool_or(has_function_privilege(r.rolname, p.oid, 'execute'))
                from pg_roles as r
                where r.rolname ~ '^atlas_(registrar|reviewer|steward|reader)$'
            )
            and n.type in ('text'::regtype, 'json'::regtype, 'jsonb'::regtype)
        order by 1, n.place
        """
    )
    return [Door(*row) for row in rows]


def knock(conn: psycopg.Connection, door: Door, value: str) -> str | None:
    """Calls a function with a value in one argument; gives the SQLSTATE, and undoes what it did."""
    arguments = CALLS[door.function] | {door.argument: f"%(value)s::{door.type}"}
    call = f"select * from {door.function}({', '.join(f'{name} => {text}' for name, text in arguments.items())})"
    return ask(conn, call.replace("%(", "%%(").replace("%%(value)s", "%(value)s"), value)


def ask(conn: psycopg.Connection, statement: str, value: str) -> str | None:
    """Runs a statement, and asserts what must hold whatever it is given; gives the SQLSTATE."""
    pid = conn.info.backend_pid
    sqlstate, said = None, ""
    for _ in range(3):  # a machine that is busy with something else is so not three times
        begun = time.perf_counter()
        try:
            with conn.transaction(force_rollback=True):
                conn.execute(statement, {"value": value})
                conn.execute("set constraints all immediate")
        except psycopg.Error as error:
            sqlstate = error.sqlstate
            diag = error.diag
            said = "\n".join(filter(None, [diag.message_primary, diag.message_detail, diag.message_hint]))
        seconds = time.perf_counter() - begun
        if seconds < SECONDS:
            break
    place = f"{statement[:90]} with {value[:60]!r}: {sqlstate} {said[:200]!r} after {seconds:.2f} s"
    assert sqlstate != "", place
    assert sqlstate is None or is_documented(sqlstate), place
    assert seconds < SECONDS, place
    quoted = said.replace(value[:400], "")
    assert not INTERNAL.search(quoted) or INTERNAL.search(value), place
    assert conn.execute("select pg_backend_pid()").fetchone() == (pid,), place
    return sqlstate


def test_the_documented_codes_are_found() -> None:
    assert {"MR001", "22023", "22", "54", "23514", "3F000", "P0002"} <= DOCUMENTED
    assert not any(is_documented(code) for code in ("XX000", "38000", "P0001", "0A000"))


def test_every_open_function_has_its_call(doors: list[Door]) -> None:
    without_text = {"remove_promotion_gate"} - {door.function for door in doors}
    assert {door.function for door in doors} == CALLS.keys() - without_text
    assert len(doors) > 90
    assert {(door.function, door.argument) for door in doors} >= INSIDE.keys()


def json_doors(doors: list[Door]) -> list[Door]:
    return [door for door in doors if door.type != "text"]


# These ask for the document as text, whatever comes of it: what is larger than PostgreSQL can hold is refused, too, but
# only after the gigabyte that it takes to find out.
WRITTEN_OUT = {"metadata_errors", "is_valid_metadata", "needs_explanation", "jsonb_matches_schema"}


def check_every_argument(conn: psycopg.Connection, doors: list[Door], values: list[Raw]) -> int:
    accepted, asked = 0, 0
    for door in json_doors(doors):
        for value in values:
            if value in GROWING and (door.function in WRITTEN_OUT or door.type == "json"):
                continue
            asked += 1
            accepted += knock(conn, door, value) is None
    for (function, argument), patterns in INSIDE.items():
        door = next(door for door in doors if door[:2] == (function, argument))
        for pattern in patterns:
            for value in values:
                asked += 1
                accepted += knock(conn, door, pattern.replace("%s", value)) is None
    assert 0 < accepted < asked
    return asked


def test_hostile_documents_are_refused_cleanly_by_every_function(conn: psycopg.Connection, doors: list[Door]) -> None:
    values = [value for value in HOSTILE if value not in LARGE and value not in GROWING]
    assert check_every_argument(conn, doors, [*values[::5], *GROWING[:1]]) > 500


@pytest.mark.long
def test_all_hostile_documents_are_refused_cleanly_by_every_function(
    conn: psycopg.Connection, doors: list[Door]
) -> None:
    assert check_every_argument(conn, doors, HOSTILE) > 3000


def test_hostile_texts_are_refused_cleanly_by_every_function(conn: psycopg.Connection, doors: list[Door]) -> None:
    for door in doors:
        if door.type == "text":
            for text in TEXTS:
                knock(conn, door, text)


@pytest.mark.long
def test_numbers_that_grow_beyond_what_a_text_can_hold_are_refused_by_the_pure_functions_too(
    conn: psycopg.Connection, doors: list[Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "SECONDS", 10.0)
    for door in json_doors(doors):
        if door.function in WRITTEN_OUT and door.type == "jsonb":
            assert {knock(conn, door, value) for value in GROWING} == {"54000"}


# --- tables ---------------------------------------------------------------------------------------------------------

WRITES = {
    "insert": "insert into artifacts (id, artifact_type, name, metadata) values ('m', 'model', 'n', %(value)s::jsonb)",
    "insert of a dataset": "insert into artifacts (id, artifact_type, metadata) values ('x', 'dataset', %(value)s)",
    "update": "update artifacts set metadata = %(value)s::jsonb where id = 'v'",
    "update of a legacy row": (
        "update artifacts set metadata = %(value)s, metadata_schema_version = 1 where id = 'ode-1'"
    ),
    "parameters": "update model_versions set training_params_json = %(value)s where artifact_id = 'v'",
    "results": "update model_versions set eval_metrics_json = %(value)s where artifact_id = 'v'",
}


@pytest.mark.parametrize("write", WRITES)
def test_hostile_documents_are_refused_cleanly_by_the_tables(conn: psycopg.Connection, write: str) -> None:
    for value in HOSTILE[:: 3 if write != "insert" else 1]:
        ask(conn, WRITES[write], value)
        ask(conn, WRITES[write], written(internal_metadata(extra={"n": value})))


def test_hostile_lines_are_refused_cleanly_by_copy(conn: psycopg.Connection) -> None:
    pid = conn.info.backend_pid
    for value in [*HOSTILE, Raw("\0"), Raw("\\N"), Raw("\\")]:
        with (
            pytest.raises(psycopg.Error) as caught,
            conn.cursor().copy("copy artifacts (id, artifact_type, name, metadata) from stdin") as rows,
        ):
            rows.write(f"m\tmodel\tn\t{value}\n")
        assert is_documented(caught.value.sqlstate or "none"), (value[:60], caught.value)
    assert conn.execute("select pg_backend_pid()").fetchone() == (pid,)


# --- made from the schema -------------------------------------------------------------------------------------------


def check_spoiled_documents(conn: psycopg.Connection, doors: list[Door], examples: int) -> None:
    metadata_doors = [
        door for door in doors if door.type == "jsonb" and door.argument in ("metadata", "patch", "filter")
    ]
    assert len(metadata_doors) >= 9
    answers = []

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.sampled_from(metadata_doors), spoiled(allowed_by(SCHEMA, SCHEMA)))
    def check(door: Door, text: str) -> None:
        answers.append(knock(conn, door, text))

    check()
    assert {None, "23514", "22P02", "22023"} <= set(answers)


def test_spoiled_metadata_are_refused_cleanly_by_every_function(conn: psycopg.Connection, doors: list[Door]) -> None:
    check_spoiled_documents(conn, doors, 150)


@pytest.mark.long
def test_thousands_of_spoiled_metadata_are_refused_cleanly_by_every_function(
    conn: psycopg.Connection, doors: list[Door]
) -> None:
    check_spoiled_documents(conn, doors, 4000)
