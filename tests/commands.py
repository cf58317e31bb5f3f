"""The command `atlas` as a user would start it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from psycopg.conninfo import conninfo_to_dict

PROGRAM = (sys.executable, "-m", "atlas_models.cli")


def environment_with(**changes: str) -> dict[str, str]:
    """Our environment without what would choose another database, and with these variables."""
    return {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "ATLAS_SCHEMA")} | changes


def atlas(*arguments: str, stdin: bytes | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    ended = subprocess.run(
        [*PROGRAM, *arguments],
        env=environment_with(**environment),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def as_url(conninfo: str) -> str:
    """Writes a connection string as a URL."""
    parts = conninfo_to_dict(conninfo)
    password = f":{parts['password']}" if "password" in parts else ""
    return f"postgresql://{parts['user']}{password}@{parts['host']}:{parts['port']}/{parts['dbname']}"
