"""How long it takes to take an old table over, and how long nobody else can use it meanwhile.

`.venv/bin/python tests/benchmarks/adoption.py [ROWS]`, a million by default, on a server of its own, fsync on.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

sys.path.insert(0, str(Path(__file__).parents[1]))

from atlas_models import server_engine
from atlas_models.migration_runner import migrate
from atlas_models.server_programs import find_or_install
from conftest import Server
from old_catalogues import SQLITE_TABLE

# Nine of ten are models, in chains of up to ten versions; the documents have some 800 bytes.
FILL = """
    insert into artifacts (
        id, artifact_type, title, metadata, version_number, parent_version_id, is_latest, created_by, created_at,
        updated_at
    )
    select
        'artifact-' || n,
        case when n % 10 = 0 then 'dataset' else 'model' end,
        'Readmission risk ' || n / 10,
        format(
            '{"params": "%s", "family": "gradient boosting", "framework": "xgboost", '
            '"trained on": ["cohort-%s", "cohort-%s"], "metrics": {"auroc": %s, "auprc": %s, "brier": %s}, '
            '"config": {"seed": %s, "epochs": 40, "learning_rate": 1e-3}, "commit": "%s", "notes": "%s"}',
            n, n % 97, n % 89, 0.5 + (n % 4999) / 10000.0, (n % 3989) / 10000.0, (n % 997) / 10000.0, n,
            md5(n::text), (select string_agg(md5((n * w)::text), ' ') from generate_series(1, 14) as w)
        ),
        n % 10,
        case when n % 10 > 1 then 'artifact-' || (n - 1) end,
        case when n % 10 in (0, 9) then 1 else 0 end,
        'agent-' || n % 13,
        to_char(timestamp '2020-01-01' + n * interval '1 minute', 'YYYY-MM-DD HH24:MI:SS'),
        to_char(timestamp '2024-01-01' + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    from generate_series(1, %s) as n
"""

PLAINLY = """
    create table plainly (id text, row_text text);
    insert into plainly select id, a::text from artifacts as a;
    alter table artifacts alter column metadata type jsonb using metadata::jsonb;
"""


@dataclass(frozen=True)
class Result:
    """What was measured: seconds, and how many bytes a document has."""

    rows: int
    models: int
    document: int
    total: float
    locked: float
    waited: float
    plain: float


class DurableServer(Server):
    """The tests' server, but one that flushes to disk, with checkpoints that are far apart."""

    def get_server_commandline(self) -> list[str]:
        command = [part for part in super().get_server_commandline() if part != "-F"]
        return [*command, "-c", "max_wal_size=8GB", "-c", "checkpoint_timeout=30min"]


@contextmanager
def durable_server() -> Iterator[str]:
    """URL of such a server's maintenance database."""
    engine = Path(tempfile.mkdtemp(prefix="atlas-bench-engine-"))
    try:
        server_engine.install(engine)
        with DurableServer(find_or_install(print), engine) as server:
            yield server.url(database="postgres")
    finally:
        shutil.rmtree(engine, ignore_errors=True)


def fill(maintenance: str, database: str, rows: int) -> str:
    """Make a database with an old table in it, in the schema atlas."""
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"create database {database}")
    url = make_conninfo(maintenance, dbname=database)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"create schema atlas; set search_path = atlas; {SQLITE_TABLE}")
        conn.execute("set search_path = atlas")
        conn.execute(FILL.replace("from generate_series(1, %s)", f"from generate_series(1, {rows})"))
        conn.execute("vacuum analyze artifacts")
        conn.execute("checkpoint")
    return url


class Reader(threading.Thread):
    """An application that reads a row again and again; remembers its longest wait."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self._conn = psycopg.connect(url, autocommit=True)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self._conn.execute("select title from atlas.artifacts where id = 'artifact-1'")
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.01)

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._conn.close()


def measure(maintenance: str, rows: int, *, verbose: bool = False) -> Result:
    """Take a table over, and do the same rewrite plainly to another one like it."""
    url = fill(maintenance, "plain", rows)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set search_path = atlas")
        found = conn.execute("select avg(length(metadata))::integer from artifacts").fetchone()
        began = time.monotonic()
        conn.execute(PLAINLY)
        plain = time.monotonic() - began
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute("drop database plain with (force)")
    url = fill(maintenance, "adopted", rows)
    reader = Reader(url)
    reader.start()
    began = time.monotonic()

    def progress(line: str) -> None:
        print(f"  {time.monotonic() - began:6.1f} s  {line}", flush=True)

    report = migrate(url, progress=progress if verbose else None)
    total = time.monotonic() - began
    reader.stop()
    assert report.adopted is not None
    assert found is not None
    adopted = report.adopted
    return Result(adopted.rows, adopted.models, found[0], total, adopted.seconds, reader.longest, plain)


def machine(url: str) -> str:
    """One line: processors, memory, versions."""
    with psycopg.connect(url) as conn:
        row = conn.execute("select split_part(version(), ' ', 2), current_setting('shared_buffers')").fetchone()
    assert row is not None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} processors, {memory:.0f} GiB, {platform.system()} {platform.machine()}; "
        f"PostgreSQL {row[0]}, shared_buffers {row[1]}, fsync on; Python {platform.python_version()}"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--verbose", action="store_true", help="show when each step began")
    options = parser.parse_args()
    with durable_server() as url:
        print(machine(url))
        result = measure(url, options.rows, verbose=options.verbose)
    print(
        f"{result.rows:,} rows, {result.models:,} of them models, {result.document} bytes of metadata each\n"
        f"the whole deploy             {result.total:7.1f} s   {result.rows / result.total:9,.0f} rows/s\n"
        f"the table locked             {result.locked:7.1f} s   {result.rows / result.locked:9,.0f} rows/s\n"
        f"longest wait of a reader     {result.waited:7.1f} s\n"
        f"copied and rewritten plainly {result.plain:7.1f} s   "
        f"ratio: {result.locked / result.plain:.2f} locked, {result.total / result.plain:.2f} in all"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
