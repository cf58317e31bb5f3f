"""Versions in every promotion state, on one database a module; each test's changes are rolled back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from factories import internal_metadata


class Versions:
    """Registers and moves model versions on one connection, and tells what became of them."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def register(self, artifact_id: str, name: str = "risk") -> str:
        self.conn.execute(
            "select register_model(%s, %s, artifact_id => %s)", [name, json.dumps(internal_metadata()), artifact_id]
        )
        return artifact_id

    def in_state(self, state: str, artifact_id: str = "v", name: str = "risk") -> str:
        """Registers a version and brings it into the state by the functions; 'superseded' takes a second one."""
        self.register(artifact_id, name)
        if state in ("promoted", "superseded"):
            self.conn.execute("select promote_model(%s)", [artifact_id])
        if state == "superseded":
            self.conn.execute("select promote_model(%s)", [self.register(f"{artifact_id}-successor", name)])
        if state == "rejected":
            self.conn.execute("select reject_model(%s)", [artifact_id])
        assert self.state(artifact_id) == state
        return artifact_id

    def state(self, artifact_id: str) -> str:
        return self.column("promotion_state", artifact_id)

    def column(self, column: str, artifact_id: str):
        query = sql.SQL("select {} from models where artifact_id = %s").format(sql.Identifier(column))
        return self.conn.execute(query, [artifact_id]).fetchone()[0]

    def states(self) -> dict[str, str]:
        return dict(
            self.conn.execute("select artifact_id, promotion_state from models order by artifact_id").fetchall()
        )

    def successors(self) -> dict[str, str]:
        query = "select artifact_id, superseded_by from models where superseded_by is not null order by artifact_id"
        return dict(self.conn.execute(query).fetchall())

    def move(self, artifact_id: str, state: str) -> None:
        """A raw UPDATE of promotion_state."""
        self.conn.execute("update model_versions set promotion_state = %s where artifact_id = %s", [state, artifact_id])

    def refusal(self, query: str, parameters: list | None = None) -> psycopg.Error:
        """Runs a statement that must be refused; the transaction goes on as if it had not been sent."""
        with pytest.raises(psycopg.Error) as caught, self.conn.transaction():
            self.conn.execute(query, parameters)
            self.conn.execute("set constraints all immediate")
        return caught.value


@pytest.fixture(scope="module")
def module_connection(
    server_url: str, template_database: str, new_database: Callable[..., str]
) -> Iterator[psycopg.Connection]:
    url = new_database(template_database)
    with psycopg.connect(url, autocommit=True, options="-c search_path=atlas") as conn:
        yield conn
    name = str(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def versions(module_connection: psycopg.Connection) -> Iterator[Versions]:
    """A registry without models; whatever the test does to it is rolled back."""
    with module_connection.transaction(force_rollback=True):
        yield Versions(module_connection)


@pytest.fixture
def registry(conn: psycopg.Connection) -> Versions:
    """A registry of its own, for tests that commit."""
    return Versions(conn)
