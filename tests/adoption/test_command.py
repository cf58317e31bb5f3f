"""What `atlas migrate` prints of an adoption and of a refused one, and what it exits with."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from psycopg.conninfo import conninfo_to_dict

from old_catalogues import SQLITE_TABLE


def atlas(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    parts = conninfo_to_dict(url)
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "ATLAS_SCHEMA")}
    kept["DATABASE_URL"] = f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    command = [sys.executable, "-m", "atlas_models.cli", "migrate", *arguments]
    return subprocess.run(command, env=kept, capture_output=True, text=True, check=False, timeout=120)


def last_lines(text: str) -> list[str]:
    return re.sub(r"locked for \d+\.\d s", "locked for 0.0 s", text).strip().splitlines()[-5:]


def test_a_dry_run_says_what_would_be_done(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.insert({"id": "m", "parent_version_id": "gone"})
    catalogue.insert({"id": "d", "artifact_type": "dataset"})
    done = atlas(catalogue.url, "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith("Dry run, rolled back. A deploy into schema atlas would do this:\n")
    assert "  waiting   artifacts_parent_fkey: 1 row names an artifact that is not there\n" in done.stdout
    assert last_lines(done.stdout) == [
        "",
        "The table artifacts would be taken over: 2 rows; artifacts_original keeps them as they were.",
        "           1  models: legacy rows (metadata_schema_version 0) until they are validated",
        "           1  other artifacts",
        "It was locked for 0.0 s. What its users must change: docs/adopt.md.",
    ]


def test_a_refusal_exits_with_one_and_lists_everything(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.run("create view names as select title from artifacts")
    catalogue.run("insert into artifacts (id, artifact_type, metadata) values ('m', 'model', '{')")
    done = atlas(catalogue.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[2:] == [
        "atlas: atlas.artifacts cannot be taken over as it is; nothing was changed",
        "  - the view atlas.names reads it",
        "    do: drop view atlas.names -- keep its text: select pg_get_viewdef('atlas.names')",
        '  - 1 row whose metadata is no JSON that PostgreSQL can hold: "m"',
        "    do: make it valid JSON (NaN and Infinity are none), or NULL",
    ]


def test_the_status_of_an_adopted_database_names_what_waits(catalogue):
    catalogue.run(SQLITE_TABLE)
    catalogue.insert({"id": "m", "superseded_by": "gone"})
    catalogue.insert({"id": "n", "superseded_by": "lost"})
    catalogue.adopt()
    done = atlas(catalogue.url, "--check")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == [
        "waiting   artifacts_superseded_by_fkey: 2 rows name artifacts that are not there",
        "up to date",
    ]


def test_a_table_in_another_schema_is_not_passed_over_in_silence(catalogue):
    catalogue.run('drop schema atlas; create schema "old one"')
    catalogue.run('create table "old one".artifacts (id text, artifact_type text)')
    done = atlas(catalogue.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "atlas: the server is not ready; nothing was changed",
        '  - "old one"."artifacts" looks like a table of an older catalogue',
        "    do: to take it over: ATLAS_SCHEMA='old one'; to leave it alone and begin an empty registry: "
        "ATLAS_SCHEMA=atlas",
    ]
