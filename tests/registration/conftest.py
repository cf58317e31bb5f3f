"""Fixtures of the registration tests."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

_CONTENT = """
    select
        (select coalesce(array_agg(a order by a.id), '{}')::text from artifacts as a),
        (select coalesce(array_agg(v order by v.artifact_id), '{}')::text from model_versions as v),
        (select coalesce(array_agg(r order by r.name), '{}')::text from registered_models as r)
"""


@pytest.fixture
def nothing_written(conn: psycopg.Connection) -> Iterator[None]:
    """Fails the test when artifacts, model_versions or registered_models hold anything at its end."""
    yield
    assert conn.execute(_CONTENT).fetchone() == ("{}", "{}", "{}")
