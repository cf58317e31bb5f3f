"""How long it takes to backfill an old catalogue that was taken over, beside the same rows written plainly.

`.venv/bin/python tests/benchmarks/backfill.py [ROWS]`, a million by default, on a server of its own, fsync on; a
smaller catalogue is a part of `make bench`.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

sys.path.insert(0, str(Path(__file__).parents[1]))

from atlas_models import backfill_run
from atlas_models.connections import connect
from atlas_models.migration_runner import migrate
from benchmarks import floor, old_models, processes

REGISTRY, FLOOR = "atlas", "floor"
BATCH = backfill_run.DEFAULT_BATCH_SIZE
TICKS = os.sysconf("SC_CLK_TCK")

# The floor's table begins with the rows as they were; what they become is read from the registry's.
_LEGACY_ROWS = """
    insert into floor.artifacts
    select (jsonb_populate_record(a, jsonb_build_object(
        'name', null, 'metadata', b.was -> 'metadata', 'metadata_schema_version', 0
    ))).*
    from atlas.artifacts as a
    inner join atlas.backfill_log as b on a.id = b.artifact_id
    order by a.created_at
"""

# Each table of a batch by one statement.
_PLAINLY = (
    """
    insert into floor.backfill_log overriding system value
    select b.* from atlas.backfill_log as b where b.artifact_id = any(%(ids)s)
    """,
    """
    insert into floor.registered_models
    select r.*
    from atlas.registered_models as r
    where r.name in (select a.name from atlas.artifacts as a where a.id = any(%(ids)s))
    on conflict (name) do nothing
    """,
    """
    update floor.artifacts as f
    set name = a.name, metadata = a.metadata, metadata_schema_version = a.metadata_schema_version,
        version_number = a.version_number, is_latest = a.is_latest, updated_at = a.updated_at
    from atlas.artifacts as a
    where f.id = a.id and f.id = any(%(ids)s)
    """,
    "insert into floor.model_versions select v.* from atlas.model_versions as v where v.artifact_id = any(%(ids)s)",
    """
    insert into floor.model_events overriding system value
    select e.* from atlas.model_events as e where e.event_id between %(first_event)s and %(last_event)s
    """,
    """
    insert into floor.model_search overriding system value
    select s.* from atlas.model_search as s where s.artifact_id = any(%(ids)s)
    """,
    """
    insert into floor.model_metrics
    select e.key, e.value::double precision, s.place
    from atlas.model_search as s
    cross join lateral jsonb_each(s.metrics) as e
    where s.artifact_id = any(%(ids)s)
    """,
)


@dataclass(frozen=True)
class Memory:
    """What a session holds for itself, in bytes: at most while it plans, after its first batches, with its last."""

    planning: int
    first: int
    last: int


@dataclass(frozen=True)
class Run:
    """One backfill: seconds by the clock, seconds of processor time, and what its first session held."""

    sessions: int
    rows: int
    backfilled: int
    queued: int
    promoted: int
    seconds: float
    processor: float
    memory: Memory


@dataclass(frozen=True)
class Plain:
    """The same rows written plainly, by one session."""

    rows: int
    seconds: float
    processor: float


class _Watch(threading.Thread):
    """Looks at the server processes of some sessions again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._pids: list[int] = []
        self._ticks: dict[int, int] = {}
        self._held: list[tuple[int, bool]] = []
        self._planned = False
        self._ended = threading.Event()

    def add(self, conn: psycopg.Connection) -> psycopg.Connection:
        self._pids.append(conn.info.backend_pid)
        return conn

    def planned(self) -> None:
        self._planned = True

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self._look()

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._look()

    def _look(self) -> None:
        for pid in list(self._pids):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                held = processes.held(pid)
            except OSError:
                continue
            self._ticks[pid] = int(fields[11]) + int(fields[12])
            if held and pid == self._pids[0]:
                self._held.append((held, self._planned))

    @property
    def processor(self) -> float:
        return sum(self._ticks.values()) / TICKS

    @property
    def memory(self) -> Memory:
        planning = [held for held, planned in self._held if not planned]
        working = [held for held, planned in self._held if planned] or planning
        # A batch takes a fraction of a second; by the tenth part of them all its plans are made.
        first = working[: max(1, len(working) // 10)]
        last = working[-max(1, len(working) // 10) :]
        return Memory(max(planning, default=0), max(first, default=0), max(last, default=0))


class _Progress:
    """Notes when the planning ended."""

    def __init__(self, watch: _Watch) -> None:
        self._watch = watch

    def start(self, _step: str, total: int | None) -> None:
        if total is not None:
            self._watch.planned()

    def update(self, *_: int | None) -> None:
        pass


@contextmanager
def new_database(maintenance: str, template: str = "template0") -> Iterator[str]:
    """URL of a new database, which is dropped at the end."""
    name = f"backfill_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"create database {name} template {template}")
        conn.execute("checkpoint")
        try:
            yield make_conninfo(maintenance, dbname=name)
        finally:
            conn.execute(f"drop database {name} with (force)")


@contextmanager
def adopted_catalogue(maintenance: str, rows: int) -> Iterator[str]:
    """Name of a database in which an old table was taken over, as a template."""
    with new_database(maintenance) as url:
        with psycopg.connect(url, autocommit=True) as conn:
            old_models.lay_down(conn, REGISTRY, rows)
            name = conn.info.dbname
        migrate(url)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("vacuum analyze")
        yield name


def backfill(url: str, sessions: int, batch_size: int = BATCH) -> Run:
    """Run the backfill as `atlas backfill` does."""
    watch = _Watch()
    with connect(url) as conn:
        watch.add(conn)
        watch.start()
        began = time.monotonic()
        done = backfill_run.run(
            conn,
            REGISTRY,
            batch_size=batch_size,
            workers=sessions,
            connect_helper=lambda: watch.add(connect(url)),
            progress=_Progress(watch),
        )
        seconds = time.monotonic() - began
        watch.stop()
    return Run(sessions, done.rows, done.backfilled, done.queued, done.promoted, seconds, watch.processor, watch.memory)


def write_plainly(url: str, batch_size: int = BATCH) -> Plain:
    """Write what the registry holds after a backfill into tables of the same shape, which check nothing."""
    with psycopg.connect(url, autocommit=True) as conn:
        floor.create(conn, REGISTRY, FLOOR)
        conn.execute("create table floor.backfill_log (like atlas.backfill_log including all excluding constraints)")
        conn.execute(_LEGACY_ROWS)
        conn.execute("vacuum analyze")
        conn.execute("checkpoint")
        ids = [row[0] for row in conn.execute("select id from floor.artifacts order by id")]
        # A version has one event or several: so many of them belong to a batch, whichever they are.
        (last_event,) = conn.execute("select max(event_id) from atlas.model_events").fetchone() or (0,)
    watch = _Watch()
    with psycopg.connect(url) as conn:
        watch.add(conn)
        watch.start()
        began = time.monotonic()
        for first in range(0, len(ids), batch_size):
            batch = ids[first : first + batch_size]
            events = [last_event * place // len(ids) for place in (first, first + len(batch))]
            for statement in _PLAINLY:
                conn.execute(statement, {"ids": batch, "first_event": events[0] + 1, "last_event": events[1]})
            conn.commit()
        seconds = time.monotonic() - began
        watch.stop()
    return Plain(len(ids), seconds, watch.processor)


def measure(maintenance: str, rows: int, sessions: tuple[int, ...] = (1, 2)) -> Iterator[Run | Plain]:
    """Backfill the same catalogue with so many sessions each, and write it plainly after the first."""
    with adopted_catalogue(maintenance, rows) as template:
        for place, count in enumerate(sessions):
            with new_database(maintenance, template) as url:
                yield backfill(url, count)
                if place == 0:
                    yield write_plainly(url)


def main() -> int:
    """Measure and print."""
    from benchmarks.adoption import durable_server, machine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2], metavar="N")
    options = parser.parse_args()
    with durable_server() as url:
        print(machine(url))
        print(f"load before: {os.getloadavg()[0]:.1f}")
        print(f"{'':26}{'seconds':>9}{'rows/s':>9}{'µs a row':>10}{'of processor':>14}{'ratio':>8}{'of processor':>14}")
        first: Run | None = None
        for one in measure(url, options.rows, tuple(options.sessions)):
            name = "written plainly" if isinstance(one, Plain) else f"backfill, {one.sessions} session(s)"
            line = f"{name:26}{one.seconds:9.1f}{one.rows / one.seconds:9,.0f}{one.seconds / one.rows * 1e6:10.0f}"
            line += f"{one.processor / one.rows * 1e6:14.0f}"
            if isinstance(one, Run):
                first = first or one
                print(line, flush=True)
                held = one.memory
                print(
                    f"{'':4}memory of the first session: {held.planning / 2**20:.0f} MiB at most while it plans, "
                    f"{held.first / 2**20:.0f} MiB after the first batches, {held.last / 2**20:.0f} MiB with the last; "
                    f"{one.backfilled:,} backfilled, {one.promoted:,} promoted, {one.queued:,} wait; "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            elif first is not None:
                print(f"{line}{first.seconds / one.seconds:8.2f}{first.processor / one.processor:14.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
