"""A registry that asks for what a new one asks for, on one database a module; each test's changes are rolled back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from factories import internal_metadata, register

REPOSITORY = "https://git.example.org/team/project"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
AS_AT_FIRST = "select atlas.set_promotion_policy(null, true, true, false, 'as at first')"


class Governed:
    """Registers, evaluates and promotes on one connection, and tells what became of it."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def register(self, artifact_id: str, name: str = "risk", metadata: Any = None, **arguments: Any) -> str:
        """A version of an internal model with a pin to its code."""
        arguments = {"code_repo_url": REPOSITORY, "code_commit_sha": COMMIT} | arguments
        return register(
            self.conn, name, metadata or internal_metadata(), artifact_id=artifact_id, **arguments
        ).artifact_id

    def ready(self, artifact_id: str, name: str = "risk", **metrics: float) -> str:
        """A version that meets the policies of a new database."""
        self.register(artifact_id, name)
        self.evaluate(artifact_id, metrics or {"auroc": 0.91})
        return artifact_id

    def evaluate(self, artifact_id: str, metrics: Any, **facts: Any) -> tuple[int, bool]:
        named = {"artifact_id": artifact_id, "metrics": json.dumps(metrics)} | facts
        call = sql.SQL("select * from record_evaluation({})").format(
            sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in named)
        )
        return self.conn.execute(call, named).fetchone()

    def gate(self, metric: str, comparator: str, threshold: float, model: str | None = None, **more: Any) -> int:
        query = "select set_promotion_gate(%s, %s, %s, model_name => %s, benchmark_id => %s, reason => %s)"
        given = [metric, comparator, threshold, model, more.get("benchmark_id"), more.get("reason")]
        return self.conn.execute(query, given).fetchone()[0]

    def promote(self, artifact_id: str, **arguments: Any) -> None:
        named = {"artifact_id": artifact_id} | arguments
        call = sql.SQL("select promote_model({})").format(
            sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in named)
        )
        self.conn.execute(call, named)

    def state(self, artifact_id: str) -> str | None:
        row = self.conn.execute("select promotion_state from models where artifact_id = %s", [artifact_id]).fetchone()
        return row and row[0]

    def rows(self, query: str, *parameters: Any) -> list[tuple]:
        return self.conn.execute(query, parameters or None).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        return self.rows(query, *parameters)[0][0]

    def history(self, name: str | None = "risk") -> list[dict[str, Any]]:
        with self.conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute("select * from model_history(%s)", [name]).fetchall()

    def actions(self, name: str | None = "risk") -> list[str]:
        return [event["action"] for event in self.history(name)]

    def refusal(self, query: str, *parameters: Any) -> psycopg.Error:
        """Runs a statement that must be refused, at once or at COMMIT; the transaction goes on without it."""
        with pytest.raises(psycopg.Error) as caught, self.conn.transaction():
            self.conn.execute(query, parameters or None)
            self.conn.execute("set constraints all immediate")
        return caught.value

    def as_user(self, user: str, query: str, *parameters: Any) -> list[tuple]:
        """Runs a statement as another user would, within this transaction."""
        self.conn.execute(sql.SQL("set local session authorization {}").format(sql.Identifier(user)))
        rows = self.rows(query, *parameters)
        self.conn.execute("reset session authorization")
        return rows

    def refusal_of(self, user: str, query: str, *parameters: Any) -> psycopg.Error:
        with pytest.raises(psycopg.Error) as caught, self.conn.transaction():
            self.as_user(user, query, *parameters)
        return caught.value


@pytest.fixture(scope="module")
def module_connection(
    server_url: str, template_database: str, new_database: Callable[..., str]
) -> Iterator[psycopg.Connection]:
    url = new_database(template_database)
    with psycopg.connect(url, autocommit=True, options="-c search_path=atlas") as conn:
        conn.execute(AS_AT_FIRST)
        yield conn
    name = str(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def governed(module_connection: psycopg.Connection) -> Iterator[Governed]:
    """A registry without models; whatever the test does to it is rolled back."""
    with module_connection.transaction(force_rollback=True):
        yield Governed(module_connection)


@pytest.fixture
def committing(conn: psycopg.Connection) -> Governed:
    """A registry of its own, for tests that commit."""
    conn.execute(AS_AT_FIRST)
    return Governed(conn)
