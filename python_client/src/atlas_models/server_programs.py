"""Finds PostgreSQL's server programs on this machine, and on Debian installs them where it may."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas_models.migration_errors import LocalClusterError

MINIMUM_MAJOR = 15
_SERVER_USER = "postgres"
_CREATECLUSTER = Path("/etc/postgresql-common/createcluster.conf")

# The server's Python takes its standard library from beside the first `python3` on PATH: a pyenv or virtual
# environment there would give it the wrong one.
_SERVER_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class ServerPrograms:
    """One installed PostgreSQL.

    Args:
        folder: Where initdb, postgres and pg_ctl are.
        major: Its major version, such as 15.
        has_plpython: True when PL/Python can be made in its databases.
    """

    folder: Path
    major: int
    has_plpython: bool

    def program(self, name: str) -> str:
        """Gives the path of one of its programs."""
        return str(self.folder / name)


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user that runs the server when we are root."""

    name: str
    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """Finds out which user the server has to run as.

    Returns:
        None when we are not root: the server runs as ourselves. Otherwise the user ``postgres``.

    Raises:
        LocalClusterError: We are root and there is no user ``postgres``.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_SERVER_USER)
    except KeyError:
        raise LocalClusterError(
            f"PostgreSQL does not run as root, and there is no user {_SERVER_USER} to run it as",
            hint=f"useradd --system --create-home {_SERVER_USER}",
        ) from None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def process_arguments(engine: Path | None, user: ServerUser | None) -> dict[str, Any]:
    """Gives subprocess what a server program needs: a clean environment and, when we are root, its user.

    Args:
        engine: The folder to put on the server's PYTHONPATH, if any.
        user: The user to run as; None for ourselves.

    Returns:
        Keyword arguments for subprocess.run and Popen.
    """
    environment = {"PATH": _SERVER_PATH, "LANG": "C.UTF-8", "LC_MESSAGES": "C"}
    if engine is not None:
        environment["PYTHONPATH"] = str(engine)
    arguments: dict[str, Any] = {"env": environment, "cwd": "/", "stdin": subprocess.DEVNULL}
    if user is not None:
        arguments |= {"user": user.uid, "group": user.gid, "extra_groups": [user.gid]}
    return arguments


def utf8_locale() -> str:
    """Names a locale for initdb that sorts by code point everywhere: ``C.UTF-8`` where the system knows it."""
    known = _output("locale", "-a").lower().split() if shutil.which("locale") else []
    return "C.UTF-8" if {"c.utf8", "c.utf-8"} & set(known) else "C"


def find_or_install(progress: Callable[[str], None], *, major: int | None = None) -> ServerPrograms:
    """Finds the newest usable PostgreSQL with PL/Python; installs it on Debian and Ubuntu when we are root.

    Args:
        progress: Called with a line for a person before something is installed.
        major: Accept this major version only, because the data was made by it.

    Returns:
        The programs.

    Raises:
        LocalClusterError: Something is missing; the text says what, and the command that installs it.
    """
    installed = [programs for programs in _installed() if _is_wanted(programs, major)]
    if usable := _usable(installed):
        return usable
    version = f"PostgreSQL {major}" if major else f"PostgreSQL {MINIMUM_MAJOR} or newer"
    missing = f"PL/Python for {version}" if installed else f"{version} with PL/Python"
    if shutil.which("apt-get") is None:
        raise LocalClusterError(f"{missing} is not installed", hint=_other_systems_hint(installed))
    if os.geteuid() != 0:
        names = " ".join(_packages(installed[0].major if installed else major or _default_major(), installed))
        raise LocalClusterError(f"{missing} is not installed", hint=f"sudo apt-get install {names}")
    progress(f"installing {missing} from this system's packages (apt-get)")
    _apt("update")
    _keep_packages_from_starting_a_server()
    package_major = installed[0].major if installed else major or _default_major()
    _apt("install", "--yes", "--no-install-recommends", *_packages(package_major, installed))
    if usable := _usable([programs for programs in _installed() if _is_wanted(programs, major)]):
        return usable
    raise LocalClusterError(
        f"{missing} is not to be found after its packages were installed",
        hint=f"this Debian release may have an older PostgreSQL: see https://apt.postgresql.org for {MINIMUM_MAJOR}+",
    )


def find_psql(programs: ServerPrograms | None = None) -> str | None:
    """Finds psql: ``psql`` when it is on PATH, else the full path of the newest one, else None."""
    if shutil.which("psql"):
        return "psql"
    for found in [programs] if programs else _installed():
        if (found.folder / "psql").exists():
            return found.program("psql")
    return None


def _is_wanted(programs: ServerPrograms, major: int | None) -> bool:
    return programs.major == major if major else programs.major >= MINIMUM_MAJOR


def _usable(installed: list[ServerPrograms]) -> ServerPrograms | None:
    return next((programs for programs in installed if programs.has_plpython), None)


def _installed() -> list[ServerPrograms]:
    found: dict[Path, ServerPrograms] = {}
    for folder in _candidate_folders():
        programs = _inspect(folder)
        if programs is not None:
            found.setdefault(folder.resolve(), programs)
    return sorted(found.values(), key=lambda programs: programs.major, reverse=True)


def _candidate_folders() -> Iterator[Path]:
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    yield from Path("/usr").glob("pgsql-*/bin")
    yield from Path("/opt/homebrew/opt").glob("postgresql@*/bin")
    if pg_config := shutil.which("pg_config"):
        yield Path(_output(pg_config, "--bindir"))
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def _inspect(folder: Path) -> ServerPrograms | None:
    if not all((folder / name).exists() for name in ("postgres", "initdb", "pg_ctl")):
        return None
    version = re.search(r"\) (\d+)", _output(str(folder / "postgres"), "--version"))
    if version is None:
        return None
    major = int(version[1])
    shared = [Path("/usr/share/postgresql") / str(major)]
    if (folder / "pg_config").exists():
        shared.append(Path(_output(str(folder / "pg_config"), "--sharedir")))
    has_plpython = any((path / "extension" / "plpython3u.control").exists() for path in shared)
    return ServerPrograms(folder, major, has_plpython)


def _output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip()


def _other_systems_hint(installed: list[ServerPrograms]) -> str:
    if installed:
        major = installed[0].major
        return f"install PL/Python for PostgreSQL {major} (Red Hat: dnf install postgresql{major}-plpython3)"
    return "install it, or give the URL of a server that has it: DATABASE_URL=postgresql://…"


def _packages(major: int, installed: list[ServerPrograms]) -> list[str]:
    return [f"postgresql-plpython3-{major}"] if installed else [f"postgresql-{major}", f"postgresql-plpython3-{major}"]


def _default_major() -> int:
    described = _output("apt-cache", "depends", "postgresql")
    found = re.search(r"postgresql-(\d+)", described)
    if found is None:
        raise LocalClusterError(
            "this system's package sources have no PostgreSQL", hint="see https://apt.postgresql.org to add them"
        )
    return int(found[1])


def _keep_packages_from_starting_a_server() -> None:
    # The Debian package makes and starts a cluster of its own; nobody asked for that one.
    if _CREATECLUSTER.exists():
        return
    _CREATECLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _CREATECLUSTER.write_text("create_main_cluster = false\n", encoding="utf-8")


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Options::=--force-confold", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode != 0:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("E:")]
        raise LocalClusterError(
            f"apt-get {arguments[0]} failed: {reasons[0] if reasons else result.stderr.strip()[-200:]}",
            hint=f"run it by hand to see more: apt-get {' '.join(arguments)}",
        )
