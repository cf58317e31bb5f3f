"""An old catalogue to take over, and the normalisation as Python runs it and as the server does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from atlas_models.backfill.normalisation import SchemaGuide, normalise_json, read_schema
from atlas_models.backfill.rules import RuleBook, compile_rules
from atlas_models.offline_validation import _current_schema
from backfill_catalogues import LegacyCatalogue

Normalise = Callable[..., dict[str, Any]]

RULES_AS_TEXT = "select jsonb_agg(to_jsonb(r) order by position, name)::text from atlas.backfill_rules as r"


@pytest.fixture
def legacy(empty_database: str) -> Iterator[LegacyCatalogue]:
    """An empty SQLite-like table ``artifacts``, ready for old rows."""
    made = LegacyCatalogue(empty_database)
    yield made
    made.close()


@pytest.fixture(scope="session")
def backfill_database(server_url: str, template_database: str, new_database: Callable[..., str]) -> Iterator[str]:
    """URL of a database that no test here changes."""
    url = new_database(template_database)
    yield url
    with psycopg.connect(server_url, autocommit=True) as server:
        name = str(conninfo_to_dict(url)["dbname"])
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def seeded_text(backfill_database: str) -> str:
    """The seeded rules as the function takes them."""
    with psycopg.connect(backfill_database) as conn:
        row = conn.execute(RULES_AS_TEXT).fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture(scope="session")
def seeded(seeded_text: str) -> RuleBook:
    return compile_rules(seeded_text)


@pytest.fixture(scope="session")
def guide() -> SchemaGuide:
    return read_schema(*_current_schema())


@pytest.fixture(scope="session")
def normalise(seeded: RuleBook, guide: SchemaGuide) -> Normalise:
    """``normalise(document, facts=None, answers=None, rules=None)``; a text is the legacy JSON text as it stands."""

    def run(
        document: Any,
        facts: dict[str, Any] | None = None,
        answers: dict[str, Any] | None = None,
        rules: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        text = document if document is None or isinstance(document, str) else json.dumps(document)
        book = seeded if rules is None else compile_rules(json.dumps(rules))
        given = None if answers is None else json.dumps(answers)
        result: dict[str, Any] = json.loads(normalise_json(text, json.dumps(facts or {}), book, given, guide))
        return result

    return run


@pytest.fixture(scope="session")
def server(backfill_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection with a search_path that holds nothing of ours."""
    with psycopg.connect(backfill_database, autocommit=True, options="-c search_path=pg_catalog") as conn:
        yield conn


@pytest.fixture(scope="session")
def normalise_on_server(server: psycopg.Connection, seeded_text: str) -> Normalise:
    """What ``normalise`` does, by the function in the database."""

    def run(
        document: Any, facts: dict[str, Any] | None = None, answers: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        text = document if document is None or isinstance(document, str) else json.dumps(document)
        given = None if answers is None else json.dumps(answers)
        row = server.execute(
            "select atlas.normalise_metadata(%s, %s, %s, %s)", [text, json.dumps(facts or {}), seeded_text, given]
        ).fetchone()
        assert row is not None
        result: dict[str, Any] = row[0]
        return result

    return run
