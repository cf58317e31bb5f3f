"""One server a run, one template database made by the real runner, one clone of it a test.

TEST_DATABASE_URL (a superuser of a server whose Python can import jsonschema_rs) replaces the server of our own.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import testing.postgresql
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import legacy_models
from atlas_models import deployment_files, migration_runner, server_engine
from atlas_models.server_programs import ServerPrograms, find_or_install, process_arguments, server_user, utf8_locale

SCHEMA = "atlas"
TEST_ROLES = {
    "test_registrar": "atlas_registrar",
    "test_reviewer": "atlas_reviewer",
    "test_steward": "atlas_steward",
    "test_reader": "atlas_reader",
    "test_stranger": None,
}

Connect = Callable[..., psycopg.Connection]

# Nothing on the tests' server is worth a flush to disk; logical replication is tested on it.
TEST_SETTINGS = (
    "-F",
    "-c max_connections=200",
    "-c max_wal_senders=10",
    "-c wal_level=logical",
    "-c shared_buffers=256MB",
    "-c max_wal_size=512MB",
)

# A clone of the template costs a sixth in memory of what it costs on a disk, and a run makes more than a thousand. What
# stands there at one time: the log up to its bound, some databases, and what the long proofs fill.
_MEMORY = Path("/dev/shm")
_MEMORY_NEEDED = 8 * 2**30


def memory_folder() -> Path | None:
    """Where a server whose data nobody needs keeps them: in memory where there is enough of it; None elsewhere."""
    enough = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _MEMORY_NEEDED
    return _MEMORY if enough and not os.environ.get("TMPDIR") else None


class Server(testing.postgresql.Postgresql):
    """testing.postgresql's server, able to run when we are root and with our engine on its Python's path.

    Args:
        programs: Of PostgreSQL.
        engine: The folder with the validation engine, or None for a server without.
        settings: For the server's command line.
        folder: Where its data are kept; None for the temporary folder, which is on a disk.
    """

    def __init__(
        self,
        programs: ServerPrograms,
        engine: Path | None,
        settings: tuple[str, ...] = TEST_SETTINGS,
        folder: Path | None = None,
    ) -> None:
        self._engine = engine
        # Not below the checkout: the server's user must be able to reach it.
        base = Path(tempfile.mkdtemp(prefix="atlas-test-", dir=folder))
        self._user = server_user()
        if self._user:
            os.chown(base, self._user.uid, self._user.gid)
        try:
            super().__init__(
                base_dir=str(base),
                initdb=programs.program("initdb"),
                postgres=programs.program("postgres"),
                initdb_args=f"-U postgres -A trust --encoding=UTF8 --no-sync --locale={utf8_locale()}",
                postgres_args=" ".join(("-h 127.0.0.1", "-c logging_collector=off", *settings)),
                boot_timeout=60.0,
            )
        except Exception:
            shutil.rmtree(base, ignore_errors=True)
            raise

    def initialize_database(self) -> None:
        if self._user:
            for folder in self.subdirectories:
                os.chown(Path(self.base_dir) / folder, self._user.uid, self._user.gid)
        command = [self.initdb, "-D", self.get_data_directory(), "--lc-messages=C"]
        command += self.settings["initdb_args"].split()
        subprocess.run(command, check=True, capture_output=True, **process_arguments(self._engine, self._user))

    def start(self) -> None:
        self.prestart()
        log = Path(self.base_dir) / f"{self.name}.log"
        with log.open("w") as output:
            self.child_process = subprocess.Popen(
                self.get_server_commandline(),
                stdout=output,
                stderr=output,
                **process_arguments(self._engine, self._user),
            )
        self.wait_booting()

    def is_server_available(self) -> bool:
        try:
            psycopg.connect(self.url(database="postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def terminate(self, *_args: object) -> None:
        # Immediate: nothing on this server is worth a checkpoint.
        testing.common.database.Database.terminate(self, signal.SIGQUIT)

    def cleanup(self) -> None:
        super().cleanup()
        if self.child_process is None:
            shutil.rmtree(self.base_dir, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def each_file_of_sql_is_taken_apart_once() -> None:
    """A deploy reads 145 files, and a run makes hundreds; what a text consists of depends on the text alone."""
    deployment_files.read_sql = functools.lru_cache(maxsize=1000)(deployment_files.read_sql)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """URL of the server's maintenance database, as a superuser."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    programs = find_or_install(print)
    engine = Path(tempfile.mkdtemp(prefix="atlas-test-engine-"))
    try:
        server_engine.install(engine)
        with Server(programs, engine, folder=memory_folder()) as server:
            yield server.url(database="postgres")
    finally:
        shutil.rmtree(engine, ignore_errors=True)


@pytest.fixture
def server_without_engine() -> Iterator[str]:
    """URL of a second server, whose Python cannot import the validation engine."""
    with Server(find_or_install(print), engine=None, folder=memory_folder()) as server:
        yield server.url(database="postgres")


def _with_database(url: str, name: str) -> str:
    return make_conninfo("", **{**conninfo_to_dict(url), "dbname": name})


def _execute(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def new_database(server_url: str) -> Iterator[Callable[..., str]]:
    """Makes databases: ``new_database(template="template0") -> URL``; all are dropped at the end of the run."""
    made = []

    def make(template: str = "template0") -> str:
        name = f"atlas_test_{uuid.uuid4().hex[:12]}"
        _execute(server_url, "create database {} template {}", name, template)
        made.append(name)
        return _with_database(server_url, name)

    yield make
    for name in made:
        _execute(server_url, "drop database if exists {} with (force)", name)


def drop_database(server_url: str, url: str) -> None:
    _execute(server_url, "drop database if exists {} with (force)", str(conninfo_to_dict(url)["dbname"]))


@pytest.fixture
def empty_database(server_url: str, new_database: Callable[..., str]) -> Iterator[str]:
    """URL of a new, empty database."""
    url = new_database()
    yield url
    drop_database(server_url, url)


@pytest.fixture(scope="session")
def template_database(server_url: str, new_database: Callable[..., str]) -> str:
    """Name of the database, made by the real runner, that the others are cloned from."""
    url = new_database()
    migration_runner.migrate(url, schema=SCHEMA)
    with psycopg.connect(url, autocommit=True) as conn:
        # Most tests promote to see something else; tests/governance asks for what a new database asks for.
        conn.execute("select atlas.set_promotion_policy(null, false, false, false)")
    _create_login_roles(server_url)
    return str(conninfo_to_dict(url)["dbname"])


def _create_login_roles(server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as conn:
        for role, group in TEST_ROLES.items():
            if not conn.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
                conn.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
            if group:
                conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(role)))


@pytest.fixture
def database_url(server_url: str, template_database: str, new_database: Callable[..., str]) -> Iterator[str]:
    """URL of a fresh clone of the template, for a superuser; ``atlas`` is on its search_path."""
    url = new_database(template_database)
    name = str(conninfo_to_dict(url)["dbname"])
    _execute(server_url, "alter database {} set search_path = {}, public", name, SCHEMA)
    yield url
    drop_database(server_url, url)


@pytest.fixture
def connect(database_url: str) -> Iterator[Connect]:
    """``connect(user=None, autocommit=True)`` opens one more connection to the test's database."""
    opened: list[psycopg.Connection] = []

    def open_one(user: str | None = None, *, autocommit: bool = True) -> psycopg.Connection:
        parameters = conninfo_to_dict(database_url)
        if user is not None:
            parameters |= {"user": user}
        opened.append(psycopg.connect(make_conninfo("", **parameters), autocommit=autocommit))
        return opened[-1]

    yield open_one
    for conn in opened:
        conn.close()


@pytest.fixture
def conn(connect: Connect) -> psycopg.Connection:
    """A superuser's connection to the test's database, in autocommit mode."""
    return connect()


@pytest.fixture(scope="session")
def legacy_template(template_database: str, new_database: Callable[..., str]) -> str:
    """Name of a database in which the rows of tests/legacy_models.py were taken over, and wait for the backfill."""
    assert template_database  # made first: it makes the roles
    url = new_database()
    legacy_models.adopt(url)
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def legacy_url(server_url: str, legacy_template: str, new_database: Callable[..., str]) -> Iterator[str]:
    """URL of a fresh clone of that database, for a superuser; ``atlas`` is on its search_path."""
    url = new_database(legacy_template)
    name = str(conninfo_to_dict(url)["dbname"])
    _execute(server_url, "alter database {} set search_path = {}, public", name, SCHEMA)
    yield url
    drop_database(server_url, url)


@pytest.fixture
def backfilled_url(legacy_url: str) -> str:
    """The same, backfilled: what is ambiguous waits for a person."""
    with psycopg.connect(legacy_url, autocommit=True) as conn:
        conn.execute("call atlas.backfill_model_versions()")
    return legacy_url
