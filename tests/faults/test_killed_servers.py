"""Server processes are killed while clients write: what was acknowledged is there, and nothing is half-written."""

from __future__ import annotations

import random
from collections.abc import Callable

import psycopg
import pytest

from crashing_server import CrashingServer
from registry_load import Load, load


def a_busy_backend(url: str) -> int:
    """Gives the process id of one of the load's sessions, one that is at work when there is one."""
    query = """
        select pid from pg_stat_activity
        where application_name = 'atlas client' order by (state = 'active') desc, random() limit 1
    """
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def kill_again_and_again(server: CrashingServer, running: Load, kill: Callable[[], None], times: int) -> None:
    """Kills under load, and compares after each recovery, while nobody writes."""
    chance = random.Random(times)
    for _ in range(times):
        before = running.interrupted
        running.wait_for(chance.randrange(3, 20))
        kill()
        running.hold()
        server.wait_until_up()
        running.wait_until_held()
        assert running.interrupted > before
        assert running.differences() == []
        running.go_on()


LONG = pytest.mark.long
MOST_TRIES = 10


@pytest.mark.slow
@pytest.mark.parametrize("times", [3, pytest.param(50, marks=LONG)])
def test_nothing_acknowledged_is_lost_when_server_processes_are_killed(durable_server, registry_url, times):
    started = started_at(registry_url)
    with load(registry_url) as running:
        kill_again_and_again(
            durable_server, running, lambda: durable_server.kill_backend(a_busy_backend(registry_url)), times
        )
    assert started_at(registry_url) == started  # the postmaster is the same
    assert running.differences() == []
    assert durable_server.check_files(registry_url) == ""
    print(f"{times} times: {running.summary()}")  # pytest -rP shows it


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, pytest.param(100, marks=LONG)])
def test_nothing_acknowledged_is_lost_when_the_postmaster_is_killed(durable_server, registry_url, times):
    starts = set()

    def kill() -> None:
        starts.add(started_at(registry_url))
        durable_server.kill_postmaster()

    with load(registry_url) as running:
        kill_again_and_again(durable_server, running, kill, times)
    assert len(starts) == times
    assert running.differences() == []
    assert durable_server.check_files(registry_url) == ""
    print(f"{times} times: {running.summary()}")  # pytest -rP shows it


@pytest.mark.slow
def test_a_server_that_acknowledges_before_it_has_written_is_found_out(durable_server, registry_url):
    # What the tests above would show if the database did not wait for its disk.
    with psycopg.connect(registry_url, autocommit=True) as conn:
        conn.execute(f"alter database {conn.info.dbname} set synchronous_commit = off")
    with load(registry_url) as running:
        for _ in range(MOST_TRIES):
            running.wait_for(5)
            durable_server.kill_backend(a_busy_backend(registry_url))
            running.hold()
            durable_server.wait_until_up()
            running.wait_until_held()
            if found := running.differences():
                break
            running.go_on()
    assert any("acknowledged, and " in difference for difference in found), found


def started_at(url: str) -> object:
    with psycopg.connect(url) as conn:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert conn.execute(f"show {setting}").fetchone() == ("on",)
        row = conn.execute("select pg_postmaster_start_time()").fetchone()
    assert row is not None
    return row[0]
