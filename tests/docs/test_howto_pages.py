"""The how-to pages, done as they say: every block prints what the page shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from atlas_models import migration_runner, server_engine
from atlas_models.migration_errors import MigrationError
from atlas_models.server_programs import find_or_install
from commands import as_url, atlas
from conftest import Server, memory_folder
from factories import register
from printed_sessions import ROOT, follow, matches, steps
from standbys import StandbyFolder

FIELDS = "docs/howto/schema_fields.md"
SOMETHING_MISSING = "## When something is missing"


def server_of(url: str) -> str:
    """The URL of a server, without a database."""
    return as_url(url).rpartition("/")[0]


@pytest.fixture(scope="module")
def engine() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="atlas-test-engine-"))
    server_engine.install(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def new_server(engine: Path) -> Iterator[str]:
    """Another server, with the engine."""
    with Server(find_or_install(print), engine, folder=memory_folder()) as server:
        yield server_of(server.url(database="postgres"))


@pytest.fixture
def registry(server_url: str, template_database: str) -> Iterator[str]:
    """URL of a database called registry, in which two versions of a model stand."""
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(f"create database registry template {template_database}")
        conn.execute("alter database registry set search_path = atlas, public")
    url = f"{server_of(server_url)}/registry"
    try:
        with psycopg.connect(url, autocommit=True) as conn:
            for number in (1, 2):
                register(conn, "credit-risk", artifact_id=f"credit-risk-{number}")
            conn.execute("select promote_model('credit-risk-1')")
        yield url
    finally:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute("drop database registry with (force)")


# tests/dump_restore is its short form.
@pytest.mark.long
def test_a_dump_is_restored_on_a_new_server_and_stops_where_something_is_missing(
    registry, new_server, server_without_engine, tmp_path
):
    servers = {"OLD": server_of(registry), "NEW": new_server, "BARE": server_of(server_without_engine)}
    shown_as = {new_server: "postgresql://postgres@new.example.org"}
    assert follow("docs/howto/backup.md", registry, folder=tmp_path, environment=servers, shown_as=shown_as) == 7
    with psycopg.connect(f"{servers['BARE']}/registry") as conn:
        assert conn.execute("select count(*) from atlas.artifacts").fetchone() == (0,)


class TypedStandby(StandbyFolder):
    """The standby of the page, which the page's own commands make."""

    def process(self, command: str) -> dict[str, Any]:
        """Before a command of the page: waits for what a person would wait for; gives what is different for it."""
        if command.startswith("pg_ctl start"):
            self.configure("fsync = off")
        if "pg_stat_replication" in command:
            self.wait_for_streaming()
        if not command.startswith(("pg_basebackup", "pg_ctl")):
            return {}
        environment = {"PATH": f"{find_or_install(print).folder}:/usr/bin:/bin", "PRIMARY": self.primary}
        return self.as_server | {"env": self.as_server["env"] | environment}

    def stop(self) -> None:
        command = "pg_ctl stop --pgdata=standby --mode=immediate --silent"
        subprocess.run(["sh", "-c", command], check=False, capture_output=True, **self.process(command))


@pytest.fixture
def standby(new_server: str, engine: Path) -> Iterator[TypedStandby]:
    folder = Path(tempfile.mkdtemp(prefix="atlas-test-standby-"))
    made = TypedStandby(new_server, engine, folder)
    yield made
    made.stop()
    shutil.rmtree(folder)


# The short form is the test below it.
@pytest.mark.long
def test_a_standby_is_made_read_and_promoted_as_the_page_says(new_server, standby, monkeypatch):
    with psycopg.connect(f"{new_server}/postgres", autocommit=True) as conn:
        conn.execute("create database registry")
        conn.execute("alter database registry set search_path = atlas, public")
        data = conn.execute("show data_directory").fetchone()
    url = f"{new_server}/registry"
    migration_runner.migrate(url)
    with psycopg.connect(url, autocommit=True) as conn:
        for number in (1, 2):
            register(conn, "credit-risk", artifact_id=f"credit-risk-{number}")
        conn.execute("select promote_model('credit-risk-1', override_reason => 'a trial')")
    (standby.folder / "primary").symlink_to(data[0])
    both = f"{new_server},{standby.url.removeprefix('postgresql://postgres@')}/registry"
    monkeypatch.setenv("BOTH", both)
    follow(
        "docs/howto/replica.md",
        url,
        folder=standby.folder,
        environment={"PRIMARY": new_server, "STANDBY": standby.url, "BOTH": both},
        shown_as={new_server: "postgresql://postgres@primary.example.org"},
        process=standby.process,
    )


def test_everything_that_the_page_says_can_be_read_on_a_standby_reads_only(conn):
    register(conn, "credit-risk", artifact_id="credit-risk-1")
    conn.execute("begin read only")
    for question in (
        "models",
        'search_models(\'{"text": "risk"}\')',
        "model_lineage('credit-risk-1')",
        "model_history('credit-risk')",
        "promoted_at('credit-risk')",
        "check_gates('credit-risk-1')",
        "resolve_artifact('credit-risk')",
        "metadata_errors('{}')",
    ):
        assert conn.execute(f"select count(*) > 0 from {question}").fetchone() == (question[:5] != "check",), question
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        conn.execute("select promote_model('credit-risk-1')")


# tests/cli/test_migrate_command.py is its short form.
@pytest.mark.long
def test_a_server_of_ones_own_is_set_up_as_the_page_says(server_url):
    server = server_of(server_url)
    with psycopg.connect(server_url, autocommit=True) as conn:
        # What the page makes is dropped below: nothing of these names may be somebody else's.
        taken = """
            select datname from pg_database where datname = 'registry'
            union all select rolname from pg_roles where rolname in ('nightly_training', 'ada', 'dashboard')
        """
        assert conn.execute(taken).fetchall() == []
    shown_as = {server: "postgresql://postgres@db.example.org"}
    try:
        follow(
            "docs/howto/own_server.md",
            f"{server}/registry",
            environment={"SERVER": server},
            shown_as=shown_as,
            until=SOMETHING_MISSING,
        )
    finally:
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute("drop database if exists registry with (force)")
            conn.execute("drop role if exists nightly_training, ada, dashboard")


@pytest.mark.long
def test_what_a_server_lacks_is_named_as_the_page_shows(server_without_engine):
    page = (ROOT / "docs/howto/own_server.md").read_text().partition(SOMETHING_MISSING)[2]
    (session,) = re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    ((_, expected),) = steps(session)
    ended = atlas("migrate", "--dry-run", f"{server_of(server_without_engine)}/postgres")
    assert matches(
        expected, re.sub(r"/\S+(?=/dist-packages|/site-packages)", "/usr/local/lib/python3.11", ended.stderr)
    )


def test_policies_are_relaxed_and_tightened_as_the_page_shows(conn, database_url):
    conn.execute("select set_promotion_policy(null, true, true, false)")  # as in a new database
    assert follow("docs/howto/policies.md", as_url(database_url)) == 5


def test_fields_of_ones_own_are_kept_and_checked_as_the_page_shows(database_url):
    assert follow(FIELDS, as_url(database_url), until="## For everybody: a new version of the schema") == 2


# tests/validation/test_schema_files.py is its short form.
@pytest.mark.long
def test_a_field_is_added_to_the_schema_as_the_page_shows(database_url, tmp_path):
    for folder in ("migrations", "python_client", "schemas", "sql"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    typed_as = {"make schemas": "python -m atlas_models.schema_codegen", ".venv/bin/": ""}
    copied = {"PYTHONPATH": str(tmp_path / "python_client" / "src")}
    assert follow(FIELDS, as_url(database_url), folder=tmp_path, environment=copied, typed_as=typed_as) == 4


# tests/migrations is its short form.
@pytest.mark.long
def test_an_upgrade_goes_as_the_page_shows(database_url):
    way_down = (ROOT / "docs/migrations.md").read_text().partition("### The opening")[2].partition("### 0005_")[0]
    with psycopg.connect(database_url) as conn:
        conn.execute("\n".join(re.findall(r"^```sql\n(.*?)^```", way_down, re.DOTALL | re.MULTILINE)))
    assert follow("docs/howto/upgrade.md", as_url(database_url)) == 3


@pytest.mark.long
def test_an_older_version_takes_its_code_back_and_refuses_what_it_does_not_know(database_url, tmp_path):
    for folder in ("migrations", "sql"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    only_newer = tmp_path / "sql" / "30_api" / "suggest_anew.sql"
    only_newer.write_text(
        only_newer.with_name("suggest_names.sql").read_text().replace("suggest_names", "suggest_anew")
    )
    migration_runner.migrate(database_url, source=tmp_path)
    assert migration_runner.migrate(database_url).code_deployed
    with psycopg.connect(database_url, autocommit=True) as conn:
        left = "select proname from pg_proc where proname in ('suggest_anew', 'suggest_names') order by 1"
        assert conn.execute(left).fetchall() == [("suggest_anew",), ("suggest_names",)]
    newest = max((tmp_path / "migrations").iterdir())
    newest.unlink()
    with pytest.raises(MigrationError, match=f"^migration {newest.stem} is applied in this database, but its file is"):
        migration_runner.migrate(database_url, source=tmp_path)
