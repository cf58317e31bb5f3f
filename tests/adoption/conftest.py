"""A database with an old table in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from old_catalogues import Catalogue


@pytest.fixture
def catalogue(empty_database: str) -> Iterator[Catalogue]:
    """A database with an empty schema ``atlas``: the test lays the old table down."""
    made = Catalogue(empty_database)
    yield made
    made.close()
