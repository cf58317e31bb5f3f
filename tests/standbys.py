"""Streaming standbys: one as a page makes it step by step, or made at once; and servers that die without a word."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from testing.common.database import get_unused_port

from atlas_models.server_programs import find_or_install, process_arguments, server_user
from waiting import wait_until


class StandbyFolder:
    """A folder for a standby on the primary's machine, and what is different for two servers that share one."""

    def __init__(self, primary: str, engine: Path, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "standby"
        self.url = f"postgresql://postgres@127.0.0.1:{get_unused_port()}"
        self.primary = primary
        user = server_user()
        self.as_server: dict[str, Any] = process_arguments(engine, user) | {"cwd": folder}
        if user is not None:
            os.chown(folder, user.uid, user.gid)

    def configure(self, *settings: str) -> None:
        """Gives the copy an address of its own; once is enough."""
        file = self.data / "postgresql.auto.conf"
        if "listen_addresses" not in file.read_text():
            own = [
                "listen_addresses = '127.0.0.1'",
                f"port = {conninfo_to_dict(self.url)['port']}",
                f"unix_socket_directories = '{self.folder}'",
                "max_connections = 200",
                *settings,
            ]
            with file.open("a") as opened:
                opened.write("\n".join(own) + "\n")

    def wait_for_streaming(self) -> None:
        """Waits until the primary streams to it, as synchronously as it was told to."""
        with psycopg.connect(f"{self.primary}/postgres", autocommit=True) as conn:
            streaming = """
                select count(*) from pg_stat_replication
                where state = 'streaming'
                    and (sync_state = 'sync') = (current_setting('synchronous_standby_names') <> '')
            """
            wait_until(lambda: conn.execute(streaming).fetchone() == (1,), "the standby to stream")


class Standby(StandbyFolder):
    """A standby that runs as a child of this process."""

    def make(self) -> None:
        programs = find_or_install(print)
        command = [programs.program("pg_basebackup"), f"--dbname={self.primary}/postgres", "--pgdata=standby"]
        command += ["--write-recovery-conf", "--create-slot", "--slot=standby_1", "--checkpoint=fast"]
        subprocess.run(command, check=True, capture_output=True, **self.as_server)
        self.configure("cluster_name = standby_1")
        with (self.folder / "log").open("wb") as log:
            command = [programs.program("postgres"), "-D", "standby"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **self.as_server)
        wait_until(self._answers, "the standby to answer")
        self.wait_for_streaming()

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            psycopg.connect(f"{self.url}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def catch_up(self) -> None:
        """Waits until it has replayed all that the primary has written."""
        with (
            psycopg.connect(f"{self.primary}/postgres", autocommit=True) as conn,
            psycopg.connect(f"{self.url}/postgres", autocommit=True) as here,
        ):
            ((written,),) = conn.execute("select pg_current_wal_flush_lsn()").fetchall()
            reached = "select pg_last_wal_replay_lsn() >= %s"
            wait_until(lambda: here.execute(reached, [written]).fetchone() == (True,), "the standby to catch up")

    def promote(self) -> None:
        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as conn:
            assert conn.execute("select pg_promote(wait => true)").fetchone() == (True,)

    def stop(self) -> None:
        if getattr(self, "process", None) is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)


@contextmanager
def standby_of(primary: str, engine: Path) -> Iterator[Standby]:
    """Makes a standby of a server, which streams when this returns."""
    folder = Path(tempfile.mkdtemp(prefix="atlas-test-standby-"))
    made = Standby(primary, engine, folder)
    try:
        made.make()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def kill_server(process: subprocess.Popen[bytes]) -> None:
    """Ends a server as a power cut ends it: none of its processes does anything any more.

    A postmaster that is killed alone leaves processes that go on until they notice.
    """
    process.send_signal(signal.SIGSTOP)  # it makes no more of them
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.wait(30)
