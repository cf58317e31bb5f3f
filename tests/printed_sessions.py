"""What the documentation shows, typed again: sessions of a shell and examples print what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from atlas_models.server_programs import find_or_install, find_psql
from commands import environment_with

ROOT = Path(__file__).resolve().parents[1]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What differs from run to run, and what a page may show of it.
_VARIABLE = (
    (re.compile(r"locked for [0-9.]+ s"), "locked for 0.4 s"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d by"), "2026-05-12 09:30 by"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "2026-05-12 09:30:00 UTC"),
    (re.compile(r"PostgreSQL \d+\.\d+"), "PostgreSQL 15.18"),
    (re.compile(r"current: \d+ migrations"), "current: 6 migrations"),
    (re.compile(r"roles\.sql:\d+:"), "roles.sql:26:"),
)
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


def matches(shown: str, printed: str) -> bool:
    """Compares line by line; a line of the page that says … stands for any number of lines, a time for any other."""
    lines = [line.rstrip() for line in _constant(printed).strip().splitlines()]
    expected = [line.rstrip() for line in _constant(shown).strip().splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def follow(
    page: str,
    url: str | Callable[[], str],
    *,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    shown_as: Mapping[str, str] | None = None,
    typed_as: Mapping[str, str | None] | None = None,
    process: Callable[[str], dict[str, Any]] = lambda _command: {},
    until: str | None = None,
) -> int:
    """Does what a page says, in its order: console, sql and python blocks.

    Fails at the first block that prints something else than the page shows: within itself for a session, in the text
    block that follows it otherwise.

    Args:
        page: The page, below the repository's root.
        url: The database: DATABASE_URL of the commands, and where SQL is run. Asked for where SQL is run, when the page
            itself makes it; its commands then find it themselves.
        folder: Where commands are run.
        environment: Further variables.
        shown_as: What is printed → what the page shows instead, such as the address of a server.
        typed_as: What stands in a command → what is typed instead, or None when the command is left out.
        process: Further arguments of subprocess.run for a command, or other ones.
        until: The heading to stop at.

    Returns:
        How many blocks were run.
    """
    programs = [str(Path(sys.executable).parent), str(find_or_install(print).folder), os.environ["PATH"]]
    variables = environment_with(PATH=os.pathsep.join(programs), **environment or {})
    if isinstance(url, str):
        variables["DATABASE_URL"] = url
    variables["PGOPTIONS"] = "-c client_min_messages=warning"
    names: dict[str, Any] = {"__name__": "docs"}

    def run(command: list[str], **others: Any) -> str:
        arguments = {"cwd": folder, "env": variables, "timeout": 120} | others
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **arguments
        )
        printed = ended.stdout
        for real, example in (shown_as or {}).items():
            printed = printed.replace(real, example)
        return printed

    text = (ROOT / page).read_text(encoding="utf-8")
    found = [Block(*block) for block in _BLOCK.findall(text.partition(f"\n{until}\n")[0] if until else text)]
    count = 0
    for block, following in zip(found, [*found[1:], Block("end", "")], strict=True):
        shown = following.text if following.language == "text" else None
        if block.language == "console":
            for command, expected in steps(block.text):
                typed: str | None = command
                for written, instead in (typed_as or {}).items():
                    if typed and written in typed:
                        typed = None if instead is None else typed.replace(written, instead)
                if typed is None:
                    continue
                printed = run(["bash", "-c", typed], **process(command))
                assert matches(expected, printed), f"$ {command}\n{printed}"
        elif block.language == "sql":
            printed = run(
                ["psql", "-X", "-q", "-v", "SHOW_CONTEXT=never", "-d", url if isinstance(url, str) else url()],
                input=block.text,
            )
            assert matches(shown, printed) if shown is not None else "ERROR" not in printed, f"{block.text}\n{printed}"
        elif block.language == "python":
            with redirect_stdout(StringIO()) as output:
                exec(compile(block.text, page, "exec"), names)
            assert matches(shown or "", output.getvalue()), f"{block.text}\n{output.getvalue()}"
        else:
            continue
        count += 1
    return count


def _constant(text: str) -> str:
    for pattern, example in _VARIABLE:
        text = pattern.sub(example, text)
    return _TIME.sub("time: …", text)


def _comparable(text: str) -> str:
    return "\n".join(line.rstrip() for line in _TIME.sub("time: …", text).strip().splitlines())
