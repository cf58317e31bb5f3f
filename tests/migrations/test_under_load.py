"""What a deploy costs those who write meanwhile: pgbench registers all the time, and says how long each took.

A database of an earlier migration number is made by taking a filled one down by the ways of docs/migrations.md, and
deploying there what of today's code can stand without the later tables.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from atlas_models.deployment_files import SUPERUSER, packaged_folder, read_source
from atlas_models.migration_runner import migrate, verify
from atlas_models.server_programs import find_or_install
from benchmarks.documents import registration
from factories import register_many
from migrations.test_ways_down import MIGRATIONS, PAGE, STEPS, go_down
from waiting import wait_until

CLIENTS = 2

SCRIPT = r"""
\set number random(1, 2000000000)
\set model random(1, 50)
select atlas.register_model('load ' || :model, '{
    "is_external": false, "model_family": "gradient boosting", "framework": "xgboost", "parameter_count": 12400,
    "training_data": "a", "evaluation_dataset": "b", "evaluation_metrics": {"auroc": 0.9}
}');
select atlas.register_artifact('dataset', 'Loans ' || :number);
select 1 / go from public.load_goes_on;
"""


@dataclass
class Load:
    """pgbench at work, and what it wrote down."""

    url: str
    folder: Path
    process: subprocess.Popen[str]

    def transactions(self) -> list[tuple[float, float]]:
        """When each transaction began and ended, by the clock of this machine."""
        found = []
        for file in self.folder.glob("load.*"):
            for line in file.read_text().splitlines():
                _, _, latency, _, epoch, microseconds = line.split()[:6]
                assert latency.isdigit(), f"a writer lost a {latency}"
                end = int(epoch) + int(microseconds) / 1e6
                found.append((end - int(latency) / 1e6, end))
        return sorted(found)

    def longest(self, begin: float, end: float) -> float:
        """The seconds of the longest transaction that ran at any time between these moments."""
        times = [done - started for started, done in self.transactions() if done >= begin and started <= end]
        assert times, "nobody wrote"
        return max(times)


@contextmanager
def writers(url: str, folder: Path) -> Iterator[Load]:
    """Has clients register until the block ends; any error of theirs is one of the test."""
    programs = find_or_install(print)
    place = conninfo_to_dict(url)
    (folder / "script.sql").write_text(SCRIPT)
    command = [programs.program("pgbench"), "--no-vacuum", f"--client={CLIENTS}", "--time=1000", "--log"]
    command += ["--failures-detailed"]  # else a deadlock is told as a number only
    command += [f"--log-prefix={folder / 'load'}", "--file=script.sql", "-h", place["host"], "-p", str(place["port"])]
    command += ["-U", place["user"], place["dbname"]]
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("drop table if exists public.load_goes_on; create table public.load_goes_on as select 1 as go")
        load = Load(url, folder, subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True))
        before = "select count(*) from atlas.artifacts where artifact_type = 'dataset'"
        try:
            wait_until(lambda: conn.execute(before).fetchone()[0] > 20, "the load to begin")
            yield load
        finally:
            conn.execute("update public.load_goes_on set go = 0")
            _, errors = load.process.communicate(timeout=60)
        told = [line for line in errors.splitlines() if "ERROR" in line and "division by zero" not in line]
        assert told == []
        assert errors.count("division by zero") == CLIENTS, errors


def can_be_deployed(conn: psycopg.Connection, role: str, statements: str) -> bool:
    conn.execute(f"set local search_path = atlas, pg_temp; {role}")
    try:
        with conn.transaction():
            conn.execute(statements.encode())
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedObject):
        return False
    return True


def cut(number: int, url: str, folder: Path) -> Path:
    """A source that ends with a migration: of today's code it has what can be deployed on it."""
    source = read_source(packaged_folder())
    shutil.copytree(packaged_folder() / "sql", folder / "sql")
    (folder / "migrations").mkdir()
    for migration in source.migrations[:number]:
        shutil.copy(packaged_folder() / "migrations" / migration.file.name, folder / "migrations")
    # What later migrations make first, as a stub mostly, is not there before.
    later = "".join(migration.file.text for migration in source.migrations[number:])
    with psycopg.connect(url) as conn:
        for file in source.code:
            if re.search(rf"create (function|view) {Path(file.name).stem}\b|'{Path(file.name).stem}'", later):
                (folder / "sql" / file.name).unlink()
                continue
            role = "reset role" if SUPERUSER in file.directives else "set local role atlas_owner"
            # Of the privileges, those of what is there.
            parts = re.split(r"(?<=;)\n", file.text) if "privileges" in file.name else [file.text]
            deployed = [part for part in parts if can_be_deployed(conn, role, part)]
            (folder / "sql" / file.name).write_text("\n".join(deployed))
            if not deployed:
                (folder / "sql" / file.name).unlink()
        conn.rollback()
    return folder


def only_the_sources(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder) == packaged_folder() and name not in ("migrations", "sql")]


def fill(url: str, models: int) -> None:
    with psycopg.connect(url, autocommit=True, options="-c search_path=atlas") as conn:
        for first in range(0, models, 5000):
            numbers = range(first, min(first + 5000, models))
            register_many(conn, [registration(number, f"model {number % 20_000}") for number in numbers])
        conn.execute("analyze")


@dataclass
class Step:
    """A deploy, or what stands for one, while others write."""

    what: str
    begin: float
    end: float


def deploys(url: str, sources: dict[int, Path], folder: Path) -> Iterator[Step]:
    """One source after the other, then the code alone, then nothing, then a comparison."""

    def step(what: str, act: Callable[[], object]) -> Step:
        begin = time.time()
        act()
        return Step(what, begin, time.time())

    for number in sorted(sources)[1:]:
        yield step(MIGRATIONS[number - 1], lambda number=number: migrate(url, source=sources[number]))
    if len(sources) < 3:
        return
    changed = shutil.copytree(packaged_folder(), folder / "changed", ignore=only_the_sources)
    file = changed / "sql" / "30_api" / "register_model.sql"
    file.write_text(file.read_text() + "\n-- changed\n")
    yield step("a function changed", lambda: migrate(url, source=changed))
    yield step("nothing to do", lambda: migrate(url, source=changed))
    yield step("all of `sql/`", lambda: migrate(url))
    yield step("`atlas doctor --verify`", lambda: verify(url))


# The short form looks for what goes wrong, not for how long it takes: at any load of the machine.
@pytest.mark.parametrize(
    ("models", "stops"), [(200, (4, 6)), pytest.param(100_000, (2, 3, 4, 5, 6), marks=pytest.mark.long)]
)
def test_writers_lose_nothing_to_a_deploy_and_wait_no_longer_than_the_page_says(database_url, tmp_path, models, stops):
    fill(database_url, models)
    sources = {6: packaged_folder()}
    with psycopg.connect(database_url, autocommit=True, options="-c search_path=atlas") as conn:
        go_down(conn, STEPS[: 7 - max(stops[:-1])])
        for number in range(max(stops[:-1]), min(stops) - 1, -1):
            sources[number] = cut(number, database_url, tmp_path / str(number))
            if number > min(stops):
                go_down(conn, [STEPS[7 - number]])
    migrate(database_url, source=sources[min(stops)])
    with writers(database_url, tmp_path) as load:
        steps = list(deploys(database_url, sources, tmp_path))
    waited = {step.what: load.longest(step.begin, step.end) for step in steps}
    print({what: f"{seconds * 1000:.0f} ms" for what, seconds in waited.items()}, f"{len(load.transactions())} written")
    with psycopg.connect(database_url) as conn:
        # Nobody who registered meanwhile fell between a table that was filled and the triggers that keep it.
        counted = conn.execute(
            """
            select
                (select count(*) from atlas.model_versions),
                (select count(*) from atlas.model_search),
                (select count(*) from atlas.model_events where action in ('adopted', 'registered'))
            """
        ).fetchone()
        assert counted == (counted[0],) * 3
        assert counted[0] > models
    assert verify(database_url) == []
    if models == 100_000:
        assert {what: seconds for what, seconds in waited.items() if seconds > LIMITS[what]} == {}


def limits() -> dict[str, float]:
    """What the page says that writers wait at most, in seconds."""
    section = PAGE.read_text().partition("### What writers notice")[2].partition("\n### ")[0]
    return {what: float(seconds) for what, seconds in re.findall(r"^\| (.+?) \| ([0-9.]+) s \|", section, re.MULTILINE)}


LIMITS = limits()


def test_the_page_says_of_every_migration_what_writers_notice():
    told = [what for what in LIMITS if what in MIGRATIONS]
    assert told == list(MIGRATIONS[2:])
    assert {what for what, seconds in LIMITS.items() if seconds > 0.5} == {"0005_governance", "0006_search"}
