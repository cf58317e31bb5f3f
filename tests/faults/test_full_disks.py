"""A disk runs full: nothing acknowledged is lost, a refusal is one line, and with space again it goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from atlas_models import Registry
from atlas_models.server_programs import server_user
from commands import atlas
from crashing_server import CrashingServer, crashing_server
from factories import internal_metadata
from registry_load import load

NO_SPACE = "No space left on device"
MOST_REGISTRATIONS = 500


class SmallDisk:
    """A file system of few megabytes, for a server's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Takes all the space that is left, to the last byte."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (1024 * 1024, 4096, 1):
                try:
                    while True:
                        ballast.write(b"\1" * size)
                except OSError as error:
                    assert error.strerror == NO_SPACE
        assert shutil.disk_usage(self.folder).free == 0

    def make_space(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Mounts one for a block, owned by the server's user."""
    user = server_user()
    if user is None:
        pytest.skip("a small disk is mounted by root only")
    folder = Path(tempfile.mkdtemp(prefix="atlas-test-disk-"))
    folder.chmod(0o755)
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "atlas-test", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
        try:
            os.chown(folder, user.uid, user.gid)
            yield SmallDisk(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        folder.rmdir()


@pytest.fixture
def wal_disk() -> Iterator[SmallDisk]:
    with small_disk(48) as disk:
        yield disk


@pytest.fixture
def server_with_small_wal_disk(wal_disk: SmallDisk) -> Iterator[CrashingServer]:
    # With small segments new ones are needed all the time.
    initdb = f" --wal-segsize=1 --waldir={wal_disk.folder}/wal"
    with crashing_server(("-c max_wal_size=8MB", "-c min_wal_size=2MB"), initdb_args=initdb) as server:
        yield server


@pytest.fixture
def data_disk() -> Iterator[SmallDisk]:
    with small_disk(64) as disk:
        yield disk


def test_nothing_acknowledged_is_lost_when_the_disk_of_the_log_is_full(server_with_small_wal_disk, wal_disk):
    server = server_with_small_wal_disk
    url = server.new_registry()
    with load(url) as running:
        running.wait_for(20)
        wal_disk.fill()
        running.wait_for_interruptions(50)
        running.hold()
        running.wait_until_held()
        assert NO_SPACE in server.log()
        server.stop_where_it_stands()
        wal_disk.make_space()
        server.wait_until_up()
        assert running.differences() == []
        running.go_on()
        running.wait_for(20)
    assert running.differences() == []
    assert server.check_files(url) == ""


def until_refused(register: Callable[[], object]) -> psycopg.Error:
    """Registers until the database refuses; gives its refusal."""
    for _ in range(MOST_REGISTRATIONS):
        try:
            register()
        except psycopg.Error as error:
            return error
    raise AssertionError(f"{MOST_REGISTRATIONS} registrations found space")


@pytest.mark.slow
def test_a_registration_without_space_is_refused_in_one_line_and_the_next_one_with_space_goes_on(
    durable_server, registry_url, data_disk, tmp_path
):
    with psycopg.connect(registry_url, autocommit=True) as conn:
        conn.execute(f"create tablespace small location '{data_disk.folder}'")
        database = conn.info.dbname
    with psycopg.connect(durable_server.url(database="postgres"), autocommit=True) as conn:
        conn.execute(f"alter database {database} set tablespace small")
    records = tmp_path / "models.jsonl"
    # Too large for what is free in pages that a table has already, and nothing that could be compressed.
    large = internal_metadata(description=os.urandom(150_000).hex())
    records.write_text(json.dumps({"name": "churn", "metadata": large}) + "\n")
    try:
        with Registry(registry_url) as registry, psycopg.connect(registry_url, autocommit=True) as conn:
            registered = [registry.register_model("churn", internal_metadata()).version_number for _ in range(3)]
            server_process = conn.info.backend_pid
            data_disk.fill()
            error = until_refused(lambda: registered.append(registry.register_model("churn", large).version_number))
            assert error.sqlstate == "53100"
            assert NO_SPACE in error.diag.message_primary
            assert error.diag.message_hint == "Check free disk space."
            ended = atlas("register", str(records), "--url", registry_url)
            assert ended.returncode == 1
            assert f"{NO_SPACE}; nothing was written" in ended.stderr
            assert "Traceback" not in ended.stderr
            assert len(ended.stderr.splitlines()) == 2, ended.stderr
            # Who reads is served all the same, on the connections that were there.
            assert registry.get_model("churn").version_number == len(registered)
            data_disk.make_space()
            assert registry.register_model("churn", large).version_number == len(registered) + 1
            assert atlas("register", str(records), "--url", registry_url).returncode == 0
            assert registry.get_model("churn").version_number == len(registered) + 2
            assert conn.execute("select pg_backend_pid()").fetchone() == (server_process,)  # it never went down
        with load(registry_url) as running:
            running.wait_for(20)
        assert running.differences() == []
        assert durable_server.check_files(registry_url) == ""
    finally:
        durable_server.drop_registry(registry_url, tablespace="small")
