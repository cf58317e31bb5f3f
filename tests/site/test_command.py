"""How `atlas site` writes: all of it or nothing, at one moment, and with one clear line when it cannot."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict

from atlas_models.cli import main
from atlas_models.connections import connect as connect_to
from atlas_models.errors import ConnectionLost
from atlas_models.site.folder import SiteError, written_whole
from atlas_models.site_command import write_site
from atlas_models.terminal import PlainLines
from commands import PROGRAM, as_url, environment_with
from factories import external_metadata, register
from printed_sessions import blocks
from site_catalogue import write
from waiting import wait_until


def refused(folder: Path, url: str = "postgresql://nobody@127.0.0.1:1/none") -> str:
    """Gives what the command says on standard error when it fails; what is wrong with the folder comes first."""
    result = CliRunner().invoke(main, ["site", str(folder), "--url", url], prog_name="atlas")
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small_url(conn, database_url) -> str:
    register(conn, "vit-base", external_metadata(), artifact_id="vit-base-1")
    return as_url(database_url)


def test_the_summary_says_what_was_written(small_url, tmp_path):
    text = write(small_url, tmp_path / "site")
    files = tree(tmp_path / "site")
    size = sum(map(len, files.values()))
    assert text == f"wrote {tmp_path}/site: 1 version of 1 model, 8 files, {size / 1e6:.1f} MB\n"
    assert sorted(files) == [
        ".atlas-site",
        *("assets/catalogue.js", "assets/icon.svg", "assets/index.js", "assets/site.css"),
        *("index.html", "list.html", "models/vit-base-1.html"),
    ]
    assert json.loads(write(small_url, tmp_path / "site", "--json")) == {
        "folder": f"{tmp_path}/site",
        "versions": 1,
        "models": 1,
        "other_artifacts": 0,
        "files": 8,
        "bytes": size,
        "replaced": True,
    }


def test_the_example_of_the_page_about_the_site_runs(small_url, tmp_path, monkeypatch):
    (example,) = blocks("docs/site.md")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", small_url)
    program, *arguments = shlex.split(example.text)
    result = CliRunner().invoke(main, arguments, prog_name=program)
    assert (program, result.exit_code) == ("atlas", 0)
    assert "<title>Models of the risk team</title>" in (tmp_path / "public" / "index.html").read_text()


def test_a_site_that_was_written_before_is_replaced_as_a_whole(conn, small_url, tmp_path):
    write(small_url, tmp_path / "site")
    conn.execute("select delete_model('vit-base-1', 'a mistake')")
    register(conn, "other", external_metadata(), artifact_id="other-1")
    assert write(small_url, tmp_path / "site").startswith(f"replaced {tmp_path}/site: 1 version")
    assert [path.name for path in (tmp_path / "site" / "models").iterdir()] == ["other-1.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_site_is_as_readable_as_what_else_is_written(small_url, tmp_path):
    before = os.umask(0o027)
    try:
        write(small_url, tmp_path / "site")
    finally:
        os.umask(before)
    assert oct((tmp_path / "site").stat().st_mode & 0o777) == "0o750"
    assert oct((tmp_path / "site" / "index.html").stat().st_mode & 0o777) == "0o640"


def test_a_link_to_a_folder_stays_one(small_url, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(small_url, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "index.html").is_file()


def test_what_is_no_site_of_ours_is_not_touched(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    assert refused(tmp_path / "full") == (
        f"atlas: {tmp_path}/full is not empty, and no site of ours\n  hint: name a new or an empty folder\n"
    )
    assert refused(tmp_path / "file").startswith(f"atlas: {tmp_path}/file is no folder\n")
    assert refused(tmp_path / "no" / "site").startswith(f"atlas: the folder {tmp_path}/no is not there\n")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert refused(Path()).startswith("atlas: . is the folder that you are in")
    assert (tmp_path / "full" / "thesis.tex").read_text() == "x"


def test_a_site_with_something_else_in_it_is_not_replaced(small_url, tmp_path):
    write(small_url, tmp_path / "site")
    (tmp_path / "site" / "CNAME").write_text("models.example.org")
    assert refused(tmp_path / "site").startswith(
        f"atlas: {tmp_path}/site holds 'CNAME', which does not belong to the site and would be lost\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path):
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(folder.stat().st_mode | 0o055)
        if folder.name.startswith("pytest-of-"):
            break
    os.seteuid(65534)
    try:
        with pytest.raises(SiteError, match=f"^cannot write to the folder {tmp_path}"), written_whole(tmp_path / "x"):
            pass
    finally:
        os.seteuid(0)


def test_a_full_disk_is_said_in_one_line_and_the_old_site_stands(small_url, conn, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        write(small_url, disk / "site")
        before = tree(disk / "site")
        for number in range(60):
            register(conn, f"more-{number}", external_metadata(), artifact_id=f"more-{number}")
        assert refused(disk / "site", small_url).endswith(
            ": No space left on device; the site that was there stands as it was\n"
        )
        assert tree(disk / "site") == before
        assert [path.name for path in disk.iterdir()] == ["site"]
        assert "mount point" in refused(disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_interrupted_command_leaves_the_old_site_and_nothing_else(conn, connect, small_url, tmp_path):
    write(small_url, tmp_path / "site")
    before = tree(tmp_path / "site")
    with connect(autocommit=False) as blocker:
        blocker.execute("lock table artifacts in access exclusive mode")
        command = subprocess.Popen(
            [*PROGRAM, "site", str(tmp_path / "site"), "--url", small_url],
            env=environment_with(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        waiting = (
            "select 1 from pg_stat_activity where application_name = 'atlas site' and wait_event_type = 'Lock'"
            " and datname = current_database()"
        )
        wait_until(lambda: conn.execute(waiting).fetchone(), "the command to wait for the lock")
        command.send_signal(signal.SIGINT)
        out, error = command.communicate(timeout=30)
    assert (command.returncode, out, error) == (130, b"", b"atlas: interrupted\n")
    assert tree(tmp_path / "site") == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


class Stopping(PlainLines):
    """Progress that does something at the first page."""

    def __init__(self, act):
        super().__init__()
        self._act = act

    def start(self, step, total):
        super().start(step, total)
        if step == "writing":
            self._act()


def test_an_interruption_between_pages_leaves_nothing(small_url, tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with connect_to(small_url) as connection, pytest.raises(KeyboardInterrupt):
        write_site(connection, "atlas", tmp_path / "site", "t", Stopping(interrupt))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_goes_away_between_pages_leaves_nothing(conn, small_url, tmp_path):
    with connect_to(small_url, application_name="atlas site") as connection:
        process = connection.info.backend_pid

        def end_session():
            conn.execute("select pg_terminate_backend(%s)", [process])
            wait_until(
                lambda: not conn.execute("select 1 from pg_stat_activity where pid = %s", [process]).fetchone(),
                "the session to end",
            )

        with pytest.raises(ConnectionLost):
            write_site(connection, "atlas", tmp_path / "site", "t", Stopping(end_session))
    assert list(tmp_path.iterdir()) == []


def test_what_is_registered_meanwhile_is_in_none_of_the_pages(conn, small_url, tmp_path):
    def meanwhile():
        register(conn, "vit-base", external_metadata(), artifact_id="vit-base-2")
        conn.execute("select promote_model('vit-base-1')")

    with connect_to(small_url) as connection:
        written = write_site(connection, "atlas", tmp_path / "site", "t", Stopping(meanwhile))
    assert written.versions == 1
    assert b"promoted" not in tree(tmp_path / "site")["models/vit-base-1.html"]


def test_a_reader_may_write_the_site_and_a_stranger_is_told_that_he_may_not(small_url, tmp_path):
    user = conninfo_to_dict(small_url)["user"]
    write(small_url.replace(f"//{user}", "//test_reader"), tmp_path / "site")
    message = refused(tmp_path / "other", small_url.replace(f"//{user}", "//test_stranger"))
    assert message.startswith("atlas: permission denied for ")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_database_without_a_registry_is_said_in_one_line(empty_database, tmp_path):
    assert refused(tmp_path / "site", as_url(empty_database)).startswith("atlas: ")
    assert list(tmp_path.iterdir()) == []


def test_the_number_of_statements_does_not_grow_with_that_of_versions(conn, small_url, tmp_path, monkeypatch):
    counted = []
    execute = psycopg.Connection.execute
    monkeypatch.setattr(
        psycopg.Connection, "execute", lambda *args, **named: counted.append(1) or execute(*args, **named)
    )
    write(small_url, tmp_path / "one")
    for_one = len(counted)
    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    for number in range(30):
        register(conn, f"more-{number}", external_metadata())
    monkeypatch.setattr(
        psycopg.Connection, "execute", lambda *args, **named: counted.append(1) or execute(*args, **named)
    )
    write(small_url, tmp_path / "many")
    assert for_one > 0
    assert len(counted) == 2 * for_one
