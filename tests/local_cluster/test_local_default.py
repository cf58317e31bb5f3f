"""What a newcomer gets without naming a database: a server, an old catalogue in it, adopted and backfilled."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from atlas_models import example
from atlas_models.migration_runner import migrate
from commands import as_url, atlas

pytestmark = pytest.mark.slow


class Project:
    """A folder of its own for the local server, and the command that works on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def atlas(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return atlas(*arguments, ATLAS_LOCAL_DIR=str(self._folder))

    def url(self) -> str:
        return self.atlas("local", "url").stdout.strip()

    def remove(self) -> None:
        self.atlas("local", "stop")
        base = Path(json.loads((self._folder / "cluster.json").read_text())["base"])
        shutil.rmtree(base)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("newcomer") / ".local")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def first(project: Project) -> subprocess.CompletedProcess[str]:
    """What the first run does and prints."""
    return project.atlas("migrate")


STATE = """
    select to_jsonb(m) from atlas.models as m order by artifact_id
"""


def rows(url: str, query: str) -> list[tuple]:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchall()


def test_the_first_run_says_what_happened_and_what_waits(first):
    assert first.returncode == 0, first.stderr
    assert "an example stands in it: an old catalogue of eight models\n" in first.stderr
    assert re.search(
        r"The table artifacts was taken over: 12 rows; artifacts_original keeps them as they were\.\n"
        r"           8  models: legacy rows \(metadata_schema_version 0\) until they are validated\n"
        r"           4  other artifacts\n",
        first.stdout,
    )
    happened = first.stdout[first.stdout.index("Its models were backfilled") :]
    lines = happened.splitlines()
    assert lines[:7] == [
        "Its models were backfilled: what a row says without doubt was taken over, the rest is asked.",
        "  rows looked at: 8",
        "  backfilled: 6",
        "  promoted, because their rows say that they are in service: 6",
        "  wait for a person: 2",
        "    1  parameter_count: /n_parameters names a range, not a number",
        "    1  parameter_count: /n_params and /parameters disagree",
    ]


def test_it_ends_with_what_to_try(first, project):
    assert f"\nDatabase: {project.url()}\n\nTry a registration that works:\n\n  " in first.stdout
    assert "\n\nand one that is refused, with the reasons:\n\n" in first.stdout
    assert first.stdout.endswith("\nSee what waits for a person (2 models):\n\n  atlas review --list\n")


def test_all_eight_models_are_versions_and_six_are_in_service_as_adopted(first, project):
    assert first.returncode == 0
    found = rows(project.url(), "select artifact_id, promotion_state, promotion_notes ~ '^adopted: ' from atlas.models")
    assert sorted(found) == [
        ("model-14307274-0000-4000-8000-invented0003", "promoted", True),
        ("model-29ce54ef-0000-4000-8000-invented0001", "promoted", True),
        ("model-45e16a37-0000-4000-8000-invented0005", "promoted", True),
        ("model-56e6e50d-0000-4000-8000-invented0002", "candidate", False),
        ("model-8479a365-0000-4000-8000-invented0004", "promoted", True),
        ("model-9ccc79de-0000-4000-8000-invented0006", "promoted", True),
        ("model-biophys-microglia-001", "candidate", False),
        ("model_ot_ad_zscore_rules_v1", "promoted", True),
    ]


def test_run_again_it_changes_nothing_and_says_so(first, project):
    assert first.returncode == 0
    before = rows(project.url(), STATE)
    again = project.atlas("migrate")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("Nothing to do: schema atlas is up to date.\n")
    assert again.stdout.endswith("\nSee what waits for a person (2 models):\n\n  atlas review --list\n")
    assert rows(project.url(), STATE) == before


def test_a_command_without_a_url_works_on_it(first, project):
    assert first.returncode == 0
    assert project.atlas("backfill").stdout.startswith("Nothing to do but to answer what waits.\n")
    listed = project.atlas("review", "--list").stdout
    assert "model-biophys-microglia-001  Microglial Activation ODE (TREM2/APOE/IL-6)\n" in listed


# --- where the example is laid down, and where not -------------------------------------------------------------------


def test_the_example_is_laid_down_in_an_empty_database_only(empty_database, database_url):
    assert example.lay_down(database_url, "atlas") is False
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("create table public.mine (id integer)")
        assert example.lay_down(empty_database, "atlas") is False
        conn.execute("drop table public.mine; create schema atlas")
        assert example.lay_down(empty_database, "atlas") is False
        conn.execute("drop schema atlas")
        assert example.lay_down(empty_database, "atlas") is True
        assert conn.execute("select count(*) from atlas.artifacts").fetchone() == (12,)


def test_a_run_that_was_interrupted_after_laying_it_down_is_completed(empty_database):
    assert example.lay_down(empty_database, "atlas") is True
    assert example.lay_down(empty_database, "atlas") is True
    report = migrate(empty_database)
    assert report.adopted is not None
    assert (report.adopted.rows, report.adopted.models) == (12, 8)
    assert example.lay_down(empty_database, "atlas") is False


def test_a_database_of_the_users_own_gets_no_example(empty_database):
    ended = atlas("migrate", DATABASE_URL=as_url(empty_database))
    assert ended.returncode == 0, ended.stderr
    assert rows(empty_database, "select count(*) from atlas.artifacts") == [(0,)]
    assert "example" not in ended.stdout + ended.stderr
