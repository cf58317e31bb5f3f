"""What the database answers when it refuses, compared literally."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest


@contextmanager
def refused(
    sqlstate: str, *, detail: str | None, column: str | None = None, constraint: str | None = None
) -> Iterator[pytest.ExceptionInfo[psycopg.Error]]:
    """Expects the block to raise a database error with exactly this SQLSTATE, DETAIL, column and constraint name."""
    with pytest.raises(psycopg.Error) as caught:
        yield caught
    diag = caught.value.diag
    # PL/pgSQL passes a missing name on as an empty one.
    answer = (caught.value.sqlstate, diag.message_detail, diag.column_name or None, diag.constraint_name or None)
    assert answer == (sqlstate, detail, column, constraint), diag.message_primary


def everything_said(error: psycopg.Error) -> str:
    """All the text of an error that a client or a log could show."""
    diag = error.diag
    said = [diag.message_primary, diag.message_detail, diag.message_hint, diag.context, diag.internal_query]
    return "\n".join(text for text in said if text)
