"""Waiting for another session without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

_DEADLINE_SECONDS = 30.0
_POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Polls until the condition holds; fails the test when it does not within half a minute."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for: {what}"
        time.sleep(_POLL_SECONDS)


def wait_until_blocked(conn: psycopg.Connection, pid: int) -> None:
    """Waits until the session with this server process id waits for a lock."""

    def is_blocked() -> bool:
        row = conn.execute("select wait_event_type from pg_stat_activity where pid = %s", [pid]).fetchone()
        return row is not None and row[0] == "Lock"

    wait_until(is_blocked, f"server process {pid} to wait for a lock")


def wait_for_deploy(conn: psycopg.Connection) -> int:
    """Waits until a deploy is connected to the database of this connection; gives its server process id."""
    query = "select pid from pg_stat_activity where application_name = 'atlas migrate' and datname = current_database()"
    wait_until(lambda: conn.execute(query).fetchone(), "a deploy to connect")
    row = conn.execute(query).fetchone()
    assert row is not None
    return int(row[0])
