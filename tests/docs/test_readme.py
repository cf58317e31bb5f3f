"""The examples of README.md, typed as printed: what they print is what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from atlas_models import example, first_steps
from atlas_models.migration_runner import migrate
from atlas_models.server_programs import find_psql
from commands import as_url, atlas
from printed_sessions import steps, type_again

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCK = re.compile(r"```(sql|text|python|console)\n(.*?)```", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(README)


def sql_with_output() -> list[tuple[str, str | None]]:
    """Each SQL block with the text block that follows it, or None."""
    found = blocks()
    following = [*found[1:], ("end", "")]
    return [
        (text, answer if kind == "text" else None)
        for (language, text), (kind, answer) in zip(found, following, strict=True)
        if language == "sql"
    ]


def psql(url: str, statements: str) -> str:
    program = find_psql()
    assert program is not None
    result = subprocess.run(
        [program, "-X", "-q", "-v", "SHOW_CONTEXT=never", "-d", url],
        input=statements,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PGOPTIONS": "-c client_min_messages=warning"},
        check=True,
    )
    return result.stdout + result.stderr


def test_the_examples_in_sql_and_of_the_command_print_what_the_page_shows(database_url: str) -> None:
    psql(database_url, "select atlas.set_promotion_policy(null, true, true, false)")  # as in a new database
    # Whoever comes to the examples has typed what make migrate prints.
    printed_first = first_steps.commands(database_url, database_url, "atlas", str(find_psql()))
    assert printed_first is not None
    subprocess.run(["sh", "-c", printed_first.accepted], check=True, capture_output=True)
    examples = sql_with_output()
    assert len(examples) == 8
    for statements, shown in examples:
        printed = psql(database_url, statements)
        if shown is None:
            assert "ERROR" not in printed
        else:
            assert [line.rstrip() for line in printed.strip().splitlines()] == [
                line.rstrip() for line in shown.strip().splitlines()
            ]
    (session,) = [text for kind, text in blocks() if kind == "console" and "atlas list" in text]
    session = session.replace(".venv/bin/atlas", "atlas")
    assert type_again(session, as_url(database_url)) == steps(session)


def test_the_python_example_prints_what_the_page_shows(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = blocks()
    place = next(place for place, (language, _) in enumerate(found) if language == "python")
    monkeypatch.setenv("DATABASE_URL", database_url)
    exec(compile(found[place][1], "README.md", "exec"), {})
    assert capsys.readouterr().out == found[place + 1][1]


def test_what_waits_in_the_example_is_what_the_page_shows(empty_database: str) -> None:
    assert example.lay_down(empty_database, "atlas")
    migrate(empty_database)
    url = as_url(empty_database)
    assert atlas("backfill", DATABASE_URL=url).returncode == 0
    (shown,) = [text for kind, text in blocks() if kind == "console" and "$ .venv/bin/atlas review --list\n" in text]
    assert "$ .venv/bin/atlas review --list\n" + atlas("review", "--list", DATABASE_URL=url).stdout == shown


def test_the_report_of_the_example_is_what_a_run_gives(empty_database: str) -> None:
    assert example.lay_down(empty_database, "atlas")
    migrate(empty_database)
    url = as_url(empty_database)
    assert atlas("backfill", DATABASE_URL=url).returncode == 0
    committed = Path(__file__).parents[2] / "docs" / "model_artifacts" / "migration_report_ws1.md"
    assert atlas("report", DATABASE_URL=url).stdout == committed.read_text(encoding="utf-8")
    assert committed.stat().st_size > 2048


def test_every_page_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (Path(__file__).parents[2] / link).exists()] == []
