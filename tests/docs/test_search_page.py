"""The examples of docs/search.md, in the order of the page: what they print is what the page shows."""

from __future__ import annotations

import os
import subprocess
from contextlib import redirect_stdout
from io import StringIO

import pytest

from atlas_models.server_programs import find_psql
from printed_sessions import blocks


def psql(url: str, statements: str) -> str:
    """What psql prints of it, with what it prints of an error."""
    ended = subprocess.run(
        [str(find_psql()), "-X", "-q", "-v", "SHOW_CONTEXT=never", "-d", url],
        input=statements,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    return ended.stdout + ended.stderr


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def test_every_example_prints_what_the_page_shows(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    found = blocks("docs/search.md")
    names: dict[str, object] = {}
    shown = 0
    for place, (language, text) in enumerate(found):
        if language == "sql":
            printed = psql(database_url, text)
        elif language == "python":
            with redirect_stdout(StringIO()) as output:
                exec(compile(text, "docs/search.md", "exec"), names)
            printed = output.getvalue()
        else:
            continue
        if place + 1 < len(found) and found[place + 1].language == "text":
            assert lines(printed) == lines(found[place + 1].text), text
            shown += 1
        else:
            assert "ERROR" not in printed
    names["registry"].close()  # type: ignore[attr-defined]
    assert shown >= 28
