"""`make bench`: measures the registry against plain statements, on a server of its own that flushes to disk."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from atlas_models import migration_runner, server_engine
from atlas_models.server_programs import find_or_install
from benchmarks import report
from benchmarks.parts import FULL, PARTS, QUICK, REGISTRY, Bench, Result, Sizes
from conftest import Server

# As on a small server in production; checkpoints are far enough apart not to fall into a measurement.
SETTINGS = ("-c shared_buffers=512MB", "-c max_wal_size=8GB", "-c checkpoint_timeout=30min")
# A million versions take 2.5 GB: what is searched day by day is in memory.
SEARCHED = (*SETTINGS, "-c shared_buffers=3GB")
DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> int:
    """Run the parts asked for, print their table, and write it into the docs when all of them ran in full."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=main.__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the work; docs/benchmarks.md stays as it is")
    parser.add_argument("--versions", type=int, help="how many model versions are searched (default: 1,000,000)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    parts = options.parts or list(PARTS)

    sizes = QUICK if options.quick else FULL
    if options.versions:
        sizes = replace(sizes, versions=options.versions)

    programs = find_or_install(print)
    engine = Path(tempfile.mkdtemp(prefix="atlas-bench-engine-"))
    try:
        server_engine.install(engine)
        results = []
        environment = ""
        for settings, chosen in (
            (SETTINGS, [part for part in parts if part != "search"]),
            (SEARCHED, [part for part in parts if part == "search"]),
        ):
            if not chosen:
                continue
            with Server(programs, engine, settings) as server:
                maintenance = server.url(database="postgres")
                for part in chosen:
                    results += _run(maintenance, f"bench_{part}", part, sizes)
                if environment:
                    environment += "\n- part 8 on a server with shared_buffers = 3GB, which holds all of it"
                else:
                    with psycopg.connect(maintenance) as conn:
                        environment = report.environment(conn)
    finally:
        shutil.rmtree(engine, ignore_errors=True)

    generated = f"{environment}\n\n{report.table(results)}"
    print(f"\n{generated}")
    if sizes == FULL and set(parts) == set(PARTS):
        report.write(DOCUMENT, generated)
        print(f"\nwritten: {DOCUMENT}")
    return 0


def _run(maintenance: str, database: str, part: str, sizes: Sizes) -> list[Result]:
    """Measure one part in a database of its own."""
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"create database {database}")
    url = make_conninfo(maintenance, dbname=database)
    migration_runner.migrate(url, schema=REGISTRY)
    results = []
    # Searched is what the generator makes: thousands of other models, newer than all of it, are another case.
    for result in PARTS[part](Bench(url, replace(sizes, stock=0) if part == "search" else sizes)):
        met = {True: "   met", False: "   MISSED", None: ""}[result.is_met]
        print(f"{result.part}  {result.measured}: {result.ours}  {result.compared}  {result.ratio}{met}", flush=True)
        results.append(result)
    return results


if __name__ == "__main__":
    sys.exit(main())
