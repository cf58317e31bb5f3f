"""`make bench`: measures the registry against plain statements and against MLflow, on servers that flush to disk."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from atlas_models import server_engine
from atlas_models.server_programs import find_or_install
from benchmarks import growth, peers, plots, report
from benchmarks.parts import FULL, PARTS, QUICK, Bench, Result, Sizes, fresh, growing
from conftest import Server

# As on a small server in production; checkpoints are far enough apart not to fall into a measurement.
SETTINGS = ("-c shared_buffers=512MB", "-c max_wal_size=8GB", "-c checkpoint_timeout=30min")
# A million versions take 2.5 GB: what is searched day by day is in memory.
SEARCHED = (*SETTINGS, "-c shared_buffers=3GB")
DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT, PLOT = DOCS / "benchmarks.md", DOCS / "benchmarks_growth.svg"

# These grow one database, on a server that holds all of it in memory; growth fills it up for the search.
GROWN = ("growth", "search")
# Minutes that each part takes in full on two cores; what is smaller takes less.
MINUTES = {"one": 0.5, "many": 11, "validation": 1, "first": 0.3, "backfill": 2.5, "history": 1, "promotion": 0.3}
MINUTES |= {"anatomy": 1, "peers": 3, "growth": 5, "search": 3}
MINUTES_TO_FILL = 4


class Run:
    """What the parts came to, and which of them failed."""

    def __init__(self, parts: list[str], sizes: Sizes) -> None:
        self.sizes = sizes
        self.results: list[Result] = []
        self.failed: list[str] = []
        self.environment = ""
        self.verdicts: list[growth.Verdict] = []
        self._began = time.monotonic()
        self._left = {part: MINUTES[part] for part in parts}
        if "search" in parts and "growth" not in parts:
            self._left["search"] += MINUTES_TO_FILL

    def minutes_left(self) -> float:
        """About how long the parts that are left take in full."""
        return sum(self._left.values())

    def part(self, part: str, measure: Callable[[], Bench]) -> None:
        """Measure one part; what it came to until it failed stays."""
        share = "" if self.sizes == FULL else " in full"
        passed = time.monotonic() - self._began
        print(f"[{passed / 60:4.1f} min] {part}; about {self.minutes_left():.0f} min to go{share}", flush=True)
        try:
            bench = measure()
            for result in PARTS[part](bench):
                self._add(result)
            if bench.costs:
                self.verdicts = growth.verdicts(bench.costs)
        except Exception as error:
            traceback.print_exc()
            reason = str(error).partition("\n")[0]
            self._add(Result("", part, f"failed: {type(error).__name__}: {reason}", "", "", "to be measured", False))
            self.failed.append(part)
        self._left[part] = 0

    def _add(self, result: Result) -> None:
        met = {True: "   met", False: "   MISSED", None: ""}[result.is_met]
        print(f"{result.part}  {result.measured}: {result.ours}  {result.compared}  {result.ratio}{met}", flush=True)
        self.results.append(result)


def main() -> int:
    """Run the parts asked for, print their table, and write it into the docs when all of them ran in full."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=main.__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the work; docs/benchmarks.md stays as it is")
    parser.add_argument("--versions", type=int, help="how many model versions are searched (default: 1,000,000)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    parts = [part for part in PARTS if part in (options.parts or PARTS)]

    sizes = QUICK if options.quick else FULL
    if options.versions:
        sizes = replace(sizes, versions=options.versions)

    run = Run(parts, sizes)
    if {"peers", "search"} & set(parts):
        try:
            peers.install()
        except Exception as error:
            print(f"MLflow cannot be installed: {error}", file=sys.stderr)
            run.failed.append("MLflow")
    programs = find_or_install(print)
    engine = Path(tempfile.mkdtemp(prefix="atlas-bench-engine-"))
    try:
        server_engine.install(engine)
        _measure(run, parts, lambda settings: Server(programs, engine, settings))
    except Exception:  # what was measured is shown all the same
        traceback.print_exc()
        run.failed.append("the server")
    finally:
        shutil.rmtree(engine, ignore_errors=True)

    generated = f"{run.environment}\n\n{report.table(run.results)}"
    print(f"\n{generated}")
    is_whole = sizes == FULL and parts == list(PARTS)
    if run.verdicts and importlib.util.find_spec("matplotlib"):
        plot = PLOT if is_whole else Path(tempfile.gettempdir()) / PLOT.name
        plots.draw(run.verdicts, plot)
        print(f"\ndrawn: {plot}")
    if is_whole:
        report.write(DOCUMENT, generated)
        print(f"\nwritten: {DOCUMENT}")
    if run.failed:
        print(f"\nfailed: {', '.join(run.failed)}", file=sys.stderr)
    return 1 if run.failed else 0


def _measure(run: Run, parts: list[str], start: Callable[[tuple[str, ...]], Server]) -> None:
    """Measure the parts, those that grow a database on a server of their own."""
    if plain := [part for part in parts if part not in GROWN]:
        with start(SETTINGS) as server:
            maintenance = server.url(database="postgres")
            run.environment = report.environment(maintenance, peers.versions() if peers.is_installed() else "")
            for part in plain:
                run.part(part, lambda part=part: fresh(_create(maintenance, f"bench_{part}"), run.sizes))
                # Or the server would look after what nobody asks for any more, while the next part is measured.
                _drop(maintenance, f"bench_{part}")
    if grown := [part for part in parts if part in GROWN]:
        with start(SEARCHED) as server:
            maintenance = server.url(database="postgres")
            if plain:
                run.environment += "\n- parts 8 and 10 on a server with shared_buffers = 3GB, which holds all of it"
            else:
                run.environment = report.environment(maintenance, peers.versions() if peers.is_installed() else "")
            for part in grown:
                url = make_conninfo(maintenance, dbname="bench_growth")
                if part == "growth":
                    run.part(part, lambda: growing(_create(maintenance, "bench_growth"), run.sizes))
                elif "growth" in grown and "growth" not in run.failed:
                    run.part(part, lambda url=url: Bench(url, run.sizes, is_filled=True))
                else:
                    alone = replace(run.sizes, stock=0)
                    run.part(part, lambda alone=alone: fresh(_create(maintenance, "bench_search"), alone))


def _create(maintenance: str, database: str) -> str:
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"create database {database}")
    return make_conninfo(maintenance, dbname=database)


def _drop(maintenance: str, database: str) -> None:
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"drop database if exists {database} with (force)")
        conn.execute("checkpoint")


if __name__ == "__main__":
    sys.exit(main())
