"""One database a module, seen by a superuser and by each kind of user; what a test does is rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

Become = Callable[[str | None], psycopg.Connection]


@pytest.fixture(scope="module")
def module_database(server_url: str, template_database: str, new_database: Callable[..., str]) -> Iterator[str]:
    url = new_database(template_database)
    yield url
    name = str(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def module_connections(module_database: str) -> Iterator[Become]:
    opened: dict[str | None, psycopg.Connection] = {}

    def connection(user: str | None) -> psycopg.Connection:
        if user not in opened:
            parameters = conninfo_to_dict(module_database) | {"options": "-c search_path=atlas"}
            if user is not None:
                parameters["user"] = user
            opened[user] = psycopg.connect(make_conninfo("", **parameters))
        return opened[user]

    yield connection
    for conn in opened.values():
        conn.close()


@pytest.fixture
def become(module_connections: Become) -> Iterator[Become]:
    """``become("test_reader")`` is a connection of that user, ``become(None)`` a superuser's; all are rolled back."""
    used: list[psycopg.Connection] = []

    def connection(user: str | None) -> psycopg.Connection:
        used.append(module_connections(user))
        return used[-1]

    yield connection
    for conn in used:
        conn.rollback()


@pytest.fixture
def superuser(become: Become) -> psycopg.Connection:
    return become(None)


class Actor:
    """A user without a connection of its own: what it does is part of the superuser's transaction."""

    def __init__(self, conn: psycopg.Connection, user: str, search_path: str = "atlas") -> None:
        self.conn = conn
        self.user = user
        self.search_path = search_path

    def execute(self, statement: str, parameters: object = None) -> psycopg.Cursor:
        self._become()
        cursor = self.conn.execute(statement, parameters)
        self.conn.execute("reset session authorization")
        self.conn.execute("set local search_path = atlas, pg_temp")
        return cursor

    def refusal(self, statement: str, parameters: object = None) -> psycopg.Error:
        """Runs a statement that must be refused, at once or at commit; then all is as before."""
        with pytest.raises(psycopg.Error) as caught, self.conn.transaction():
            self._become()
            self.conn.execute(statement, parameters)
            self.conn.execute("set constraints all immediate")
        return caught.value

    def _become(self) -> None:
        self.conn.execute(f"set local search_path = {self.search_path}")
        self.conn.execute(sql.SQL("set local session authorization {}").format(sql.Identifier(self.user)))


@pytest.fixture
def actor(superuser: psycopg.Connection) -> Callable[..., Actor]:
    """``actor("test_reader")`` acts as that user within the superuser's transaction."""
    superuser.execute("set local search_path = atlas, pg_temp")
    return lambda user, **options: Actor(superuser, user, **options)
