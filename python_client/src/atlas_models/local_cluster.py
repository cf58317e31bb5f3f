"""A PostgreSQL server for this project alone, below ``.local/``: for trying things out, never for production.

It listens on a socket in a private folder and on the loopback address, on a free port that is remembered. Its
Python finds the validation engine through PYTHONPATH.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.conninfo import make_conninfo

from atlas_models import server_engine
from atlas_models.connections import connect
from atlas_models.deployment_files import packaged_folder
from atlas_models.migration_errors import DatabaseUnreachableError, LocalClusterError
from atlas_models.server_programs import (
    ServerPrograms,
    ServerUser,
    find_or_install,
    process_arguments,
    server_user,
    utf8_locale,
)

DATABASE = "atlas"
_SUPERUSER = "postgres"
_UNREACHABLE_PROJECTS = Path("/var/lib/atlas-models")
_LONGEST_SOCKET_PATH = 103  # the shortest limit of the systems that we meet (macOS)
_START_TIMEOUT_SECONDS = 60
_START_ATTEMPTS = 5
_CONFIGURATION = "atlas.conf"

Progress = Callable[[str], None]


def default_folder() -> Path:
    """Finds the folder that the local cluster is kept in.

    Returns:
        ``$ATLAS_LOCAL_DIR`` where that is set; ``.local`` of the checkout; else a folder in the user's home.
    """
    if given := os.environ.get("ATLAS_LOCAL_DIR"):
        return Path(given).absolute()
    database_files = packaged_folder()
    if database_files.name == "_database":
        data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return Path(data_home) / "atlas-models"
    return database_files / ".local"


@dataclass
class _State:
    """What must be remembered between two runs: where the server keeps its files and how to reach it."""

    base: str
    socket_folder: str
    port: int
    password: str


class LocalCluster:
    """The project's own server.

    Args:
        folder: Where it is kept; see ``default_folder``.
        progress: Called with a line for a person at each step that takes a while.
    """

    def __init__(self, folder: Path | None = None, progress: Progress | None = None) -> None:
        self.folder = folder or default_folder()
        self._progress = progress or (lambda _line: None)
        self._state_file = self.folder / "cluster.json"

    def url(self) -> str:
        """Gives the connection URL of the database, password included.

        Raises:
            LocalClusterError: There is no local cluster yet.
        """
        state = self._required_state()
        return f"postgresql://{_SUPERUSER}:{state.password}@127.0.0.1:{state.port}/{DATABASE}"

    def is_running(self) -> bool:
        """Says whether the server runs."""
        state = self._read_state()
        return state is not None and _live_postmaster(Path(state.base) / "data") is not None

    def start(self, schema: str = "atlas") -> str:
        """Makes the cluster where it is missing and starts it where it does not run.

        Args:
            schema: The schema that every session of the database finds without qualifying.

        Returns:
            The connection URL of the database.

        Raises:
            LocalClusterError: A program is missing, or the server does not start; the text says why.
        """
        with self._exclusively():
            state = self._read_state()
            programs = find_or_install(self._progress, major=_major_of(state))
            user = server_user()
            if state is None:
                state = self._new_state(user)
            base = Path(state.base)
            _make_folder(base, user)
            server_engine.install(base / "engine")
            if not (base / "data").exists():
                self._create_data(base, programs, user)
            if _live_postmaster(base / "data") is None:
                self._start_server(state, programs, user)
            self._write_state(state)
            _prepare_database(state, schema)
        return self.url()

    def stop(self) -> bool:
        """Stops the server.

        Returns:
            True when it ran.

        Raises:
            LocalClusterError: It does not stop.
        """
        state = self._read_state()
        if state is None:
            return False
        with self._exclusively():
            data = Path(state.base) / "data"
            if _live_postmaster(data) is None:
                return False
            programs = find_or_install(self._progress, major=_major_of(state))
            result = _run(server_user(), programs.program("pg_ctl"), "stop", "-D", data, "-m", "fast", "-w")
            if result.returncode != 0:
                raise LocalClusterError(f"the local server does not stop: {_last_line(result.stderr)}")
            return True

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Lets one process at a time start or stop the server."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _folder_error(self.folder, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read_state(self) -> _State | None:
        try:
            return _State(**json.loads(self._state_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _folder_error(self.folder, error) from error
        except (ValueError, TypeError) as error:
            raise LocalClusterError(
                f"{self._state_file} is damaged", hint=f"stop the server and remove {self.folder} to begin anew"
            ) from error

    def _required_state(self) -> _State:
        state = self._read_state()
        if state is None:
            raise LocalClusterError("there is no local cluster yet", hint="make migrate (or: atlas migrate) makes it")
        return state

    def _write_state(self, state: _State) -> None:
        content = json.dumps(asdict(state), indent=4) + "\n"
        if self._state_file.exists() and self._state_file.read_text(encoding="utf-8") == content:
            return
        new = self._state_file.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        new.replace(self._state_file)

    def _new_state(self, user: ServerUser | None) -> _State:
        base = self.folder / "server"
        if user is not None and not _can_reach(user, self.folder):
            digest = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:16]
            base = _UNREACHABLE_PROJECTS / digest
            self._progress(f"{user.name} cannot reach {self.folder}: data and engine are kept in {base}")
        return _State(str(base), "", _free_port(), secrets.token_urlsafe(24))

    def _create_data(self, base: Path, programs: ServerPrograms, user: ServerUser | None) -> None:
        """Runs initdb beside the final place, so that an interrupted one leaves nothing that looks complete."""
        self._progress(f"creating a local PostgreSQL {programs.major} in {base}")
        unfinished = base / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        _make_private_folder(unfinished, user)
        result = _run(
            user,
            programs.program("initdb"),
            f"--pgdata={unfinished}",
            f"--username={_SUPERUSER}",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            f"--locale={utf8_locale()}",
            "--lc-messages=C",
        )
        if result.returncode != 0:
            raise LocalClusterError(f"initdb failed: {_last_line(result.stderr)}")
        with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"\ninclude '{_CONFIGURATION}'\n")
        unfinished.rename(base / "data")

    def _start_server(self, state: _State, programs: ServerPrograms, user: ServerUser | None) -> None:
        base = Path(state.base)
        data, log = base / "data", base / "server.log"
        self._progress("starting the local server")
        for attempt in range(1, _START_ATTEMPTS + 1):
            _settle_address(state, base, user)
            _forget_dead_server(data, Path(state.socket_folder))
            _configure(state, user)
            said_before = log.stat().st_size if log.exists() else 0
            result = _run(
                user,
                *(programs.program("pg_ctl"), "start", "-D", data, "-l", log),
                *("-w", "-t", str(_START_TIMEOUT_SECONDS)),
                engine=base / "engine",
            )
            if result.returncode == 0:
                return
            reason = _why_not_started(log, said_before) or _last_line(result.stderr)
            if attempt < _START_ATTEMPTS and _may_pass(reason):
                time.sleep(1)  # a killed server's last processes are still leaving, or another program took the port
                continue
            raise LocalClusterError(f"the local server does not start: {reason}", hint=f"see {log}")


# --- addresses and folders ------------------------------------------------------------------------------------------


def _settle_address(state: _State, base: Path, user: ServerUser | None) -> None:
    """Keeps the remembered port and socket folder where they can still be had, and chooses new ones otherwise."""
    if not _is_free(state.port):
        state.port = _free_port()
    folder = Path(state.socket_folder) if state.socket_folder else base / "run"
    if len(os.fsencode(folder / ".s.PGSQL.65535")) > _LONGEST_SOCKET_PATH and not folder.is_dir():
        folder = Path(tempfile.mkdtemp(prefix="atlas-"))
    elif not folder.is_dir() and folder.parent != base:
        folder = Path(tempfile.mkdtemp(prefix="atlas-"))  # /tmp was emptied by a reboot
    _make_private_folder(folder, user)
    state.socket_folder = str(folder)


def _configure(state: _State, user: ServerUser | None) -> None:
    file = Path(state.base) / "data" / _CONFIGURATION
    escaped = state.socket_folder.replace("'", "''")
    file.write_text(
        "# Written at each start by atlas_models.local_cluster.\n"
        "listen_addresses = '127.0.0.1'\n"
        f"port = {state.port}\n"
        f"unix_socket_directories = '{escaped}'\n",
        encoding="utf-8",
    )
    _give_to(file, user)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _make_folder(folder: Path, user: ServerUser | None) -> None:
    """Makes the folder that holds data and engine; the server's user must be able to write its log there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _give_to(folder, user)
    except OSError as error:
        raise _folder_error(folder, error) from error


def _make_private_folder(folder: Path, user: ServerUser | None) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    _give_to(folder, user)


def _give_to(path: Path, user: ServerUser | None) -> None:
    if user is not None:
        os.chown(path, user.uid, user.gid)


def _can_reach(user: ServerUser, folder: Path) -> bool:
    return _run(user, "test", "-x", folder).returncode == 0


def _folder_error(folder: Path, error: OSError) -> LocalClusterError:
    return LocalClusterError(
        f"{folder} cannot be used: {error.strerror}",
        hint="was it made by another user (root)? Run as that user, or set ATLAS_LOCAL_DIR to another folder",
    )


# --- the server's processes -----------------------------------------------------------------------------------------


def _run(user: ServerUser | None, *command: str | Path, engine: Path | None = None) -> subprocess.CompletedProcess[str]:
    arguments = process_arguments(engine, user)
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **arguments)


def _major_of(state: _State | None) -> int | None:
    if state is None:
        return None
    try:
        return int((Path(state.base) / "data" / "PG_VERSION").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _folder_error(Path(state.base), error) from error


def _live_postmaster(data: Path) -> int | None:
    """Reads the process id of the server that runs on this data; None when it only seems to run."""
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if _is_server(pid, data) else None


def _is_server(pid: int, data: Path) -> bool:
    if Path("/proc/self/stat").exists():
        try:
            state = (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            )
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, IndexError):
            return False
        return state not in ("Z", "X") and os.fsencode(data) in command
    result = subprocess.run(["ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return not result.stdout.startswith("Z") and str(data) in result.stdout


def _forget_dead_server(data: Path, socket_folder: Path) -> None:
    # Where these files name a zombie, or a stranger that got the same process id, PostgreSQL would take that for a
    # running server. Should processes of the dead one still use the data, its shared memory tells the new one so.
    for leftover in (data / "postmaster.pid", *socket_folder.glob(".s.PGSQL.*")):
        leftover.unlink(missing_ok=True)


def _why_not_started(log: Path, offset: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(offset)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    fatal = [line for line in lines if "FATAL" in line]
    return " ".join(fatal[-1:]).strip()


def _may_pass(reason: str) -> bool:
    return any(part in reason for part in ("still in use", "could not create any TCP/IP sockets", "is being used"))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


# --- the database ---------------------------------------------------------------------------------------------------


def _prepare_database(state: _State, schema: str) -> None:
    """Makes the password and the database what they should be; writes nothing where they are already."""
    common: dict[str, Any] = {"user": _SUPERUSER, "port": state.port}
    local = make_conninfo("", host=state.socket_folder, dbname="postgres", **common)
    remote = make_conninfo("", host="127.0.0.1", dbname="postgres", password=state.password, **common)
    with connect(local) as conn:
        try:
            connect(remote).close()
        except DatabaseUnreachableError:
            # Hashed here, so that the password is not to be read in the server's log.
            hashed = conn.pgconn.encrypt_password(state.password.encode(), _SUPERUSER.encode(), b"scram-sha-256")
            conn.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(_SUPERUSER), hashed.decode()))
        if not conn.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            conn.execute(sql.SQL("create database {} template template0").format(sql.Identifier(DATABASE)))
        wanted = conn.execute("select format('search_path=%%I, public', %s::text)", [schema]).fetchone()
        assert wanted is not None
        found = conn.execute(
            """
            select 1
            from pg_db_role_setting as s
            join pg_database as d on d.oid = s.setdatabase
            where d.datname = %s and s.setrole = 0 and %s = any (s.setconfig)
            """,
            [DATABASE, wanted[0]],
        ).fetchone()
        if found is None:
            conn.execute(
                sql.SQL("alter database {} set search_path = {}, public").format(
                    sql.Identifier(DATABASE), sql.Identifier(schema)
                )
            )
