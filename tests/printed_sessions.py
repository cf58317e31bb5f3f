"""Sessions of a shell as the documentation prints them: typed again, they print what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from atlas_models.server_programs import find_psql
from commands import environment_with

ROOT = Path(__file__).resolve().parents[1]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_TIME = re.compile(r"time: [0-9.]+ s, [0-9,]+ rows a second")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


class Step(NamedTuple):
    """A command, and what it prints."""

    command: str
    shown: str


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page below the repository's root, in order."""
    return [Block(*found) for found in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))]


def steps(session: str) -> list[Step]:
    """Takes a session apart: a command begins with ``$``, and goes on in lines that begin with ``>``."""
    found: list[Step] = []
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = 1
        while count < len(lines) and lines[count].startswith("> "):
            count += 1
        command = "\n".join([lines[0], *(line[2:] for line in lines[1:count])])
        found.append(Step(command, _comparable("\n".join(lines[count:]))))
    return found


def type_again(session: str, url: str) -> list[Step]:
    """Runs the commands of a session at the repository's root; gives each with what it really prints."""
    programs = [str(Path(sys.executable).parent), str(Path(str(find_psql())).parent), os.environ["PATH"]]
    environment = environment_with(DATABASE_URL=url, PATH=os.pathsep.join(programs))
    printed = []
    for command, _ in steps(session):
        ended = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        printed.append(Step(command, _comparable(ended.stdout + ended.stderr)))
    return printed


def _comparable(text: str) -> str:
    return "\n".join(line.rstrip() for line in _TIME.sub("time: …", text).strip().splitlines())
