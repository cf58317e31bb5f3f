"""A server that flushes to disk, and that can be killed, or lose its disk's space, and be started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from atlas_models import migration_runner, server_engine
from atlas_models.server_programs import ServerPrograms, find_or_install
from conftest import SCHEMA, Server, memory_folder
from waiting import wait_until

# Small and soon restarted; with WAL as scarce as this, checkpoints happen in the middle of what is killed.
CRASH_SETTINGS = (
    "-c fsync=on",
    "-c shared_buffers=16MB",
    "-c max_wal_size=32MB",
    "-c min_wal_size=32MB",
    "-c checkpoint_timeout=30s",
    "-c max_connections=50",
    # One call for the file system, where one for each file waits each time for whoever else writes to the disk.
    "-c recovery_init_sync_method=syncfs",
)


class CrashingServer(Server):
    """The tests' server with fsync, to be killed and started again."""

    def __init__(
        self,
        programs: ServerPrograms,
        engine: Path,
        settings: tuple[str, ...] = (),
        initdb_args: str = "",
        folder: Path | None = None,
    ) -> None:
        self.programs = programs
        self._more_initdb_args = initdb_args
        super().__init__(programs, engine, (*CRASH_SETTINGS, *settings), folder)

    def initialize_database(self) -> None:
        self.settings["initdb_args"] += self._more_initdb_args
        super().initialize_database()

    @property
    def data(self) -> Path:
        return Path(self.get_data_directory())

    def processes(self) -> set[int]:
        """All processes of the server: each has the data directory as its working directory, orphans as well."""
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink() == self.data:
                    found.add(int(process.name))
            except OSError:
                continue  # it ended meanwhile, or is somebody else's
        return found

    def kill_postmaster(self) -> None:
        """Kills the postmaster with SIGKILL; its children are left to notice it."""
        assert self.child_process is not None
        self.child_process.kill()
        self.child_process.wait()
        self.child_process = None

    def kill_backend(self, pid: int) -> None:
        """Kills a server process with SIGKILL, and waits until the postmaster has ended all others for it."""
        assert pid in self.processes()
        with psycopg.connect(self.url(database="postgres"), autocommit=True) as witness:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: _is_lost(witness), "the postmaster to end all sessions")

    def wait_until_up(self) -> None:
        """Waits until the server answers: starts it when it has no postmaster, else it recovers by itself."""
        if self.child_process is None:
            # The next postmaster refuses to start as long as somebody has the old one's shared memory.
            wait_until(lambda: not self.processes(), "the killed postmaster's children to end")
            self.start()
        wait_until(self.is_server_available, "the server to recover")

    def restart(self, how: signal.Signals) -> None:
        """Stops the server with a signal and starts it again: SIGINT is pg_ctl's fast, SIGQUIT its immediate."""
        assert self.child_process is not None
        self.child_process.send_signal(how)
        self.child_process.wait(timeout=60)
        self.child_process = None
        self.wait_until_up()

    def stop_where_it_stands(self) -> None:
        """Ends the server without a checkpoint, if it has not ended by itself."""
        if self.child_process is not None:
            self.child_process.send_signal(signal.SIGQUIT)
            self.child_process.wait(timeout=60)
            self.child_process = None

    def log(self) -> str:
        """What the server has said since its last start."""
        return str(self.read_bootlog())

    def new_registry(self) -> str:
        """Makes a database with a registry whose policies ask for nothing; gives its URL."""
        url = f"{self.url(database='')}registry_{uuid.uuid4().hex[:12]}"
        name = sql.Identifier(url.rpartition("/")[2])
        with psycopg.connect(self.url(database="postgres"), autocommit=True) as conn:
            conn.execute(sql.SQL("create database {}").format(name))
            conn.execute(sql.SQL("alter database {} set search_path = {}, public").format(name, sql.Identifier(SCHEMA)))
        migration_runner.migrate(url, schema=SCHEMA)
        with psycopg.connect(url, autocommit=True) as conn:
            # What is promoted here is promoted to see it half-written, should it ever be.
            conn.execute("select set_promotion_policy(null, false, false, false)")
        return url

    def drop_registry(self, url: str, tablespace: str) -> None:
        """Drops a database and the tablespace that it was in."""
        with psycopg.connect(self.url(database="postgres"), autocommit=True) as conn:
            conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(url.rpartition("/")[2])))
            conn.execute(sql.SQL("drop tablespace {}").format(sql.Identifier(tablespace)))

    def check_files(self, url: str) -> str:
        """Runs pg_amcheck over a database: every table, and every B-tree index against its table. Empty when clean."""
        command = [self.programs.program("pg_amcheck"), "--install-missing", "--heapallindexed", url]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return ended.stdout + ended.stderr + ("" if ended.returncode == 0 else f"exit code {ended.returncode}")


def _is_lost(conn: psycopg.Connection) -> bool:
    try:
        conn.execute("select 1")
    except psycopg.OperationalError:
        return True
    return False


@contextmanager
def crashing_server(
    settings: tuple[str, ...] = (), *, initdb_args: str = "", in_memory: bool = False
) -> Iterator[CrashingServer]:
    """Starts one; ``new_registry()`` makes databases in it.

    Args:
        settings: For the server, beyond CRASH_SETTINGS.
        initdb_args: For initdb, beginning with a space.
        in_memory: Keep its files in memory, where there is a file system for that.
    """
    if sys.platform != "linux":
        pytest.skip("the processes of a killed server are told by /proc")
    folder = memory_folder() if in_memory else None
    engine = Path(tempfile.mkdtemp(prefix="atlas-test-engine-"))
    try:
        server_engine.install(engine)
        with CrashingServer(find_or_install(print), engine, settings, initdb_args, folder) as server:
            yield server
    finally:
        shutil.rmtree(engine, ignore_errors=True)
