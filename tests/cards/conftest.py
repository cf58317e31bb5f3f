"""One registry for all tests of the cards; each registers models of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from cards_as_read import Card, take_apart


@pytest.fixture(scope="package")
def registry_url(template_database: str, new_database: Callable[..., str]) -> str:
    """URL of a registry that the tests of this folder share; each registers models of its own."""
    return new_database(template_database)


@pytest.fixture(scope="package")
def shared(registry_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to it."""
    with psycopg.connect(registry_url, autocommit=True, options="-c search_path=atlas") as connection:
        yield connection


@pytest.fixture
def card(shared: psycopg.Connection) -> Callable[[str], Card]:
    """``card(artifact_id)``: a card of the shared registry."""

    def read(artifact_id: str) -> Card:
        (text,) = shared.execute("select model_card(%s)", [artifact_id]).fetchone()
        return take_apart(text)

    return read
