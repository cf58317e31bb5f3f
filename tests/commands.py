"""The command `atlas` as a user would start it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from forked_command import can_be_forked, run_forked

PROGRAM = (sys.executable, "-m", "atlas_models.cli")


def environment_with(**changes: str) -> dict[str, str]:
    """Our environment without what would choose another database, and with these variables."""
    return {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "ATLAS_SCHEMA")} | changes


def atlas(
    *arguments: str, stdin: bytes | None = None, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    variables = environment_with(**environment)
    if can_be_forked(variables):
        place = None if folder is None else str(folder)
        code, output, errors = run_forked(arguments, variables, stdin=stdin, folder=place, timeout=60)
    else:
        ended = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=folder,
            env=variables,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        code, output, errors = ended.returncode, ended.stdout, ended.stderr
    return subprocess.CompletedProcess([*PROGRAM, *arguments], code, output.decode(), errors.decode())


def as_url(conninfo: str) -> str:
    """Writes a connection string as a URL."""
    parts = conninfo_to_dict(conninfo)
    password = f":{parts['password']}" if "password" in parts else ""
    return f"postgresql://{parts['user']}{password}@{parts['host']}:{parts['port']}/{parts['dbname']}"
