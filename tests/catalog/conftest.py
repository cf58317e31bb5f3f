"""A deployed database to look at; no test here changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict


@pytest.fixture(scope="package")
def catalog(server_url: str, template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """A superuser's connection; nothing of ours is on its search_path, so that names come qualified."""
    url = new_database(template_database)
    with psycopg.connect(url, autocommit=True, options="-c search_path=pg_catalog") as conn:
        yield conn
    name = str(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
