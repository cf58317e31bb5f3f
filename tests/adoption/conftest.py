"""A database with an old table in it, and the application that used it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from old_catalogues import Catalogue


@pytest.fixture
def catalogue(empty_database: str) -> Iterator[Catalogue]:
    """A database with an empty schema ``atlas``: the test lays the old table down."""
    made = Catalogue(empty_database)
    yield made
    made.close()


@pytest.fixture
def old_application(server_url: str) -> Iterator[Callable[[Catalogue], None]]:
    """``old_application(catalogue)`` hands the old table to a role ``old_app`` that may log in."""
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("create role old_app login; create role old_reader login")
    used: list[Catalogue] = []

    def hand_over(catalogue: Catalogue) -> None:
        catalogue.run("alter table artifacts owner to old_app; grant select on artifacts to old_reader")
        catalogue.run("grant usage on schema atlas to old_app, old_reader")
        used.append(catalogue)

    yield hand_over
    for catalogue in used:
        catalogue.close()
        catalogue.run("drop owned by old_app, old_reader")
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("drop role old_app; drop role old_reader")
