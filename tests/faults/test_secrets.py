"""What stands in refused metadata, such as a password, is told neither to the client nor to the server's log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories import internal_metadata, register
from refusals import everything_said

SECRET = "hunter2-canary"
VALID = internal_metadata(description=SECRET, extra={"password": SECRET})
INVALID = internal_metadata(
    model_family=[SECRET],
    parameter_count=SECRET,
    framework={SECRET: SECRET},
    evaluation_metrics={"f1": SECRET},
    training_data=[{"x": SECRET}],
    license=SECRET * 40,
    extra=[SECRET],
)
TOO_DEEP = json.loads("[" * 99 + f'"{SECRET}"' + "]" * 99)
TOO_LARGE = internal_metadata(description=SECRET * 100_000)

# Door → statement and parameters, each refused; where the metadata are valid, for another reason.
REFUSED: dict[str, tuple[str, list[object]]] = {
    "register_model": ("select register_model('n', %s)", [Jsonb(INVALID)]),
    "register_model, too deep": ("select register_model('n', %s)", [Jsonb(internal_metadata(extra={"x": TOO_DEEP}))]),
    "register_model, too large": ("select register_model('n', %s)", [Jsonb(TOO_LARGE)]),
    "register_model, no name": ("select register_model(null, %s)", [Jsonb(VALID)]),
    "register_model, a bad name": ("select register_model(' n', %s)", [Jsonb(VALID)]),
    "register_model, a taken id": ("select register_model('n', %s, artifact_id => 'v')", [Jsonb(VALID)]),
    "register_model, an unknown parent": ("select register_model('n', %s, parent_version_id => '?')", [Jsonb(VALID)]),
    "register_model, an unknown base": ("select register_model('n', %s)", [Jsonb(VALID | {"base_model_id": "?"})]),
    "register_model, a dataset as base": ("select register_model('n', %s)", [Jsonb(VALID | {"base_model_id": "d"})]),
    "register_model, another value": ("select register_model('n', %s, is_external => true)", [Jsonb(VALID)]),
    "register_model, a key used otherwise": (
        "select register_model('n', %s, idempotency_key => 'k')",
        [Jsonb(VALID | {"description": f"other {SECRET}"})],
    ),
    "register_model, bad parameters": (
        "select register_model('n', %s, training_params_json => %s)",
        [Jsonb(VALID), Jsonb([SECRET])],
    ),
    "register_model, a bad pin": ("select register_model('n', %s, code_commit_sha => 'x')", [Jsonb(VALID)]),
    "register_models": ("select register_models(%s)", [Jsonb([{"name": "n", "metadata": INVALID}])]),
    "register_models, a taken id": (
        "select register_models(%s)",
        [Jsonb([{"name": "n", "metadata": VALID, "artifact_id": "v"}])],
    ),
    "register_models, one id twice": (
        "select register_models(%s)",
        [Jsonb([{"name": "n", "metadata": VALID, "artifact_id": "w"}] * 2)],
    ),
    "register_models, an unknown base": (
        "select register_models(%s)",
        [Jsonb([{"name": "n", "metadata": VALID | {"base_model_id": "?"}}])],
    ),
    "register_models, a key used otherwise": (
        "select register_models(%s)",
        [Jsonb([{"name": "n", "metadata": VALID | {"description": f"o {SECRET}"}, "idempotency_key": "k"}])],
    ),
    "register_models, bad parameters": (
        "select register_models(%s)",
        [Jsonb([{"name": "n", "metadata": VALID, "training_params_json": SECRET}])],
    ),
    "register_models, no array": ("select register_models(%s)", [Jsonb({"name": "n", "metadata": VALID})]),
    "register_models, an unknown key": (
        "select register_models(%s)",
        [Jsonb([{"name": "n", "metadata": VALID, "metdata": {"x": SECRET}}])],
    ),
    "register_artifact": ("select register_artifact('model', 't', %s)", [Jsonb({"x": SECRET})]),
    "register_artifact, a taken id": (
        "select register_artifact('dataset', 't', %s, artifact_id => 'd')",
        [Jsonb({"x": SECRET})],
    ),
    "validate_metadata": ("select validate_metadata(%s)", [Jsonb(INVALID)]),
    "record_training": ("select record_training('v', training_params_json => %s)", [Jsonb([SECRET])]),
    "record_training, unknown": ("select record_training('?', training_params_json => %s)", [Jsonb({"x": SECRET})]),
    "record_evaluation": ("select record_evaluation('v', metrics => %s)", [Jsonb({"f1": SECRET})]),
    "record_evaluation, unknown": ("select record_evaluation('?', metrics => %s)", [Jsonb({"f1": 1, SECRET: 1})]),
    "promote_model, a gate": ("select promote_model('v')", []),
    "resolve_backfill_review": ("select resolve_backfill_review('ode-1', %s)", [Jsonb({"parameter_count": SECRET})]),
    "resolve_backfill_review, a list": ("select resolve_backfill_review('ode-1', %s)", [Jsonb([SECRET])]),
    "resolve_backfill_review, settled": ("select resolve_backfill_review('risk-1', %s)", [Jsonb({"x": SECRET})]),
    "search_models": ("select search_models(%s)", [Jsonb({"state": SECRET})]),
    "search_models, a list": ("select search_models(%s)", [Jsonb({"text": [SECRET, 1]})]),
    "INSERT": (
        "insert into artifacts (id, artifact_type, name, metadata) values ('m', 'model', 'n', %s)",
        [Jsonb(INVALID)],
    ),
    "INSERT, no name": (
        "insert into artifacts (id, artifact_type, metadata) values ('m', 'model', %s)",
        [Jsonb(VALID)],
    ),
    "INSERT, a taken id": (
        "insert into artifacts (id, artifact_type, name, metadata) values ('v', 'model', 'n', %s)",
        [Jsonb(VALID)],
    ),
    "INSERT, an unknown parent": (
        "insert into artifacts (id, artifact_type, name, metadata, parent_version_id)"
        " values ('m', 'model', 'n', %s, '?')",
        [Jsonb(VALID)],
    ),
    "INSERT, no version": (
        "insert into artifacts (id, artifact_type, name, metadata) values ('m', 'model', 'n', %s)",
        [Jsonb(VALID)],
    ),
    "INSERT, out of turn": (
        "insert into artifacts (id, artifact_type, name, metadata, version_number) values ('m', 'model', 'n', %s, 7)",
        [Jsonb(VALID)],
    ),
    "INSERT, no time": (
        "insert into artifacts (id, artifact_type, name, metadata, created_at) values ('m', 'model', 'n', %s, null)",
        [Jsonb(VALID)],
    ),
    "INSERT, no id": (
        "insert into artifacts (artifact_type, name, metadata) values ('model', 'n', %s)",
        [Jsonb(VALID)],
    ),
    "INSERT of a version": (
        "insert into model_versions (artifact_id, training_params_json) values ('d', %s)",
        [Jsonb({"x": SECRET})],
    ),
    "UPDATE": ("update artifacts set metadata = %s where id = 'v'", [Jsonb(INVALID)]),
    "UPDATE, another base": (
        "update artifacts set metadata = %s where id = 'v'",
        [Jsonb(VALID | {"base_model_id": "w"})],
    ),
    "UPDATE of a legacy row": (
        "update artifacts set metadata = %s, metadata_schema_version = 1 where id = 'ode-1'",
        [Jsonb(INVALID)],
    ),
    "UPDATE of parameters": (
        "update model_versions set training_params_json = %s where artifact_id = 'v'",
        [Jsonb([SECRET])],
    ),
    "UPDATE of results": (
        "update model_versions set eval_metrics_json = %s where artifact_id = 'v'",
        [Jsonb({"x": SECRET} | {"y": "z" * 1_100_000})],
    ),
    "UPDATE of a state": ("update model_versions set promotion_state = 'new' where artifact_id = 'v'", []),
}

# Rows of the owner's own making that are no models: PostgreSQL says which CHECK they fail, and of what they consist.
SHOWN = {
    "INSERT, no type": ("insert into artifacts (id, name, metadata) values ('m', 'n', %s)", [Jsonb({"x": SECRET})]),
    "INSERT, a type like a model's": (
        "insert into artifacts (id, artifact_type, metadata) values ('m', ' Model', %s)",
        [Jsonb({"x": SECRET})],
    ),
    "INSERT, a dataset with a name": (
        "insert into artifacts (id, artifact_type, name, metadata) values ('m', 'dataset', 'n', %s)",
        [Jsonb({"x": SECRET})],
    ),
    "UPDATE of a dataset": ("update artifacts set metadata = %s, name = 'x' where id = 'd'", [Jsonb({"x": SECRET})]),
    "INSERT of an evaluation": (
        "insert into model_evaluations (artifact_id, metrics) values ('v', %s)",
        [Jsonb({"x": SECRET})],
    ),
}


class ServerLog:
    """What the server writes into its log from a moment on."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn
        (folder,) = conn.execute("show data_directory").fetchone()
        self._path = Path(folder).parent / "Server.log"
        if not self._path.is_file():
            pytest.skip("the log of a given server is not ours to read")
        self._seen = self._path.stat().st_size

    def new(self) -> str:
        """All that was written since the last time; waits until what was done before has arrived."""
        marker = f"marker {time.monotonic_ns()}"
        with self._conn.transaction():
            self._conn.execute("set local log_min_messages = 'log'")
            self._conn.execute(f"do $$begin raise log '{marker}'; end$$")
        deadline = time.monotonic() + 10
        while marker not in (text := self._path.read_bytes()[self._seen :].decode(errors="replace")):
            assert time.monotonic() < deadline, "the log does not move"
            time.sleep(0.01)
        self._seen += len(text.encode())
        return text


@pytest.fixture(scope="module")
def conn(legacy_template: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a registry in which the secret stands already, in rows that are valid."""
    with psycopg.connect(new_database(legacy_template), autocommit=True) as connection:
        connection.execute("set search_path = atlas, public")
        connection.execute("call backfill_model_versions()")
        register(connection, "n", VALID, artifact_id="v", idempotency_key="k")
        connection.execute("select register_artifact('dataset', 'd', %s, artifact_id => 'd')", [Jsonb({"x": SECRET})])
        connection.execute("select set_promotion_gate('f1', '>', 0.5)")
        yield connection


def test_the_server_logs_as_it_does_unless_told_otherwise(conn: psycopg.Connection) -> None:
    rows = conn.execute(
        "select name, setting from pg_settings where name in ('log_min_error_statement', 'log_min_messages',"
        " 'log_parameter_max_length_on_error', 'log_error_verbosity', 'log_statement') order by 1"
    )
    assert dict(rows.fetchall()) == {
        "log_error_verbosity": "default",
        "log_min_error_statement": "error",
        "log_min_messages": "warning",
        "log_parameter_max_length_on_error": "0",
        "log_statement": "none",
    }


@pytest.mark.parametrize("door", REFUSED)
def test_nothing_of_what_is_refused_is_told(conn: psycopg.Connection, door: str) -> None:
    log = ServerLog(conn)
    statement, parameters = REFUSED[door]
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        conn.execute(statement, parameters)
        conn.execute("set constraints all immediate")
    diag = caught.value.diag
    assert SECRET not in everything_said(caught.value)
    assert SECRET not in str(caught.value)
    assert not any(SECRET in str(getattr(diag, name)) for name in dir(diag) if not name.startswith("_"))
    written = log.new()
    # The refusal is there, or not finding the secret would say nothing.
    assert diag.message_primary in written
    assert SECRET not in written


def test_what_a_statement_says_itself_stands_in_the_log(conn: psycopg.Connection) -> None:
    log = ServerLog(conn)
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(f"select register_model('n', '{json.dumps(INVALID)}')")
    assert SECRET not in everything_said(caught.value)
    assert "STATEMENT:  select register_model('n', '{" in (written := log.new())
    assert SECRET in written


def test_a_line_that_copy_cannot_take_stands_in_the_log_and_in_the_clients_error(conn: psycopg.Connection) -> None:
    log = ServerLog(conn)
    with (
        pytest.raises(psycopg.Error) as caught,
        conn.cursor().copy("copy artifacts (id, artifact_type, name, metadata) from stdin") as rows,
    ):
        rows.write_row(("m", "model", "n", json.dumps({"x": SECRET})))
    assert SECRET in caught.value.diag.context
    assert SECRET in log.new()


def test_text_that_is_no_json_stands_in_the_log_and_in_the_clients_error(conn: psycopg.Connection) -> None:
    log = ServerLog(conn)
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught:
        conn.execute("select register_model('n', %s::jsonb)", ['{"x": canary}'])
    assert "canary" in everything_said(caught.value)
    assert "canary" in log.new()


@pytest.mark.parametrize("door", SHOWN)
def test_a_row_that_is_no_model_and_is_written_by_hand_is_shown_by_postgresql(
    conn: psycopg.Connection, door: str
) -> None:
    log = ServerLog(conn)
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        conn.execute(*SHOWN[door])
    assert caught.value.diag.message_detail.startswith("Failing row contains (")
    assert SECRET in caught.value.diag.message_detail
    assert SECRET in log.new()
