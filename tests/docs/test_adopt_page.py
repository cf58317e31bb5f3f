"""docs/adopt.md is one story: its blocks are run in their order, and what they print is what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from atlas_models.server_programs import find_or_install
from printed_sessions import matches

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "adopt.md").read_text()
BLOCK = re.compile(r"^```(sql|text|console|sql after the ways down)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What the table held, by what the page itself inserts.
ORIGINAL = [
    ("cohort-a", "dataset", "Cohort A", '{"rows": 51234}', 1, None, 1, "active", None, None, "2024-04-01", None),
    (
        "risk-1",
        "model",
        "Readmission risk",
        '{"params": "1.2M", "auroc": 0.91, "b": 1.50e2}',
        1,
        None,
        0,
        "active",
        None,
        None,
        "2024-05-01 12:30:00",
        None,
    ),
    (
        "risk-2",
        "model",
        "Readmission risk",
        '{"params": "1.4M", "auroc": null}',
        1,
        "risk-1",
        1,
        "active",
        None,
        None,
        "2024-06-01 09:00:00",
        None,
    ),
    ("tox-1", "model", "Toxicity", None, 1, "lost-and-gone", 1, "active", None, None, "2024-06-02 09:00:00", None),
]


def blocks(text: str) -> list[tuple[str, str, str | None]]:
    """Each block with what the page shows of its output, if anything."""
    found = BLOCK.findall(text)
    following = [*found[1:], ("end", "")]
    return [
        (kind, statements, answer if answered == "text" else None)
        for (kind, statements), (answered, answer) in zip(found, following, strict=True)
        if kind != "text"
    ]


class Story:
    """Runs blocks against one database, as its superuser would from a shell in the checkout."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        parts = conninfo_to_dict(url)
        self.url = f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{parts['dbname']}"
        programs = str(find_or_install(print).folder)
        kept = {key: value for key, value in os.environ.items() if key != "ATLAS_SCHEMA"}
        self.environment = kept | {"DATABASE_URL": self.url, "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(self, kind: str, text: str) -> str:
        if kind == "console":
            # As the Makefile does, with the Python that runs the tests.
            command = re.sub(r"^(make|\.venv/bin/atlas) migrate", f"{sys.executable} -m atlas_models.cli migrate", text)
            return self._run(["sh", "-c", command], None, self.environment)
        quiet = self.environment | {"PGOPTIONS": "-c client_min_messages=warning"}
        return self._run(["psql", "-X", "-q", "-v", "SHOW_CONTEXT=never", self.url], text, quiet)

    def _run(self, command: list[str], text: str | None, environment: dict[str, str]) -> str:
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.run(command, input=text, cwd=self.folder, env=environment, check=False, **both).stdout


@pytest.fixture
def story(empty_database: str, server_url: str, tmp_path: Path) -> Iterator[Story]:
    yield Story(empty_database, tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("drop owned by platform_app")
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("drop role platform_app")


def ways_down() -> str:
    """Everything that docs/migrations.md says to run, to the end."""
    section = (DOCS / "migrations.md").read_text().partition("## Ways down")[2].partition("### What stays")[0]
    return "\n".join(re.findall(r"^```sql\n(.*?)^```", section, re.DOTALL | re.MULTILINE))


def test_the_story_goes_as_the_page_tells_it_there_and_back(story: Story) -> None:
    told = blocks(PAGE)
    assert [kind for kind, _, _ in told].count("console") == 4
    for kind, text, shown in told:
        if kind == "sql after the ways down":
            with psycopg.connect(story.url) as conn:
                conn.execute(ways_down())
        printed = story.run(kind, text)
        if shown is None:
            assert "ERROR" not in printed, printed
        else:
            assert matches(shown, printed), printed
    with psycopg.connect(story.url, autocommit=True) as conn:
        assert conn.execute("select * from atlas.artifacts order by id").fetchall() == ORIGINAL
        owner = "select relowner::regrole::text from pg_class where oid = 'atlas.artifacts'::regclass"
        assert conn.execute(owner).fetchone() == ("platform_app",)
    # And there again.
    again = story.run("console", "make migrate\n")
    assert "The table artifacts was taken over: 4 rows" in again, again


def test_every_page_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE)
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_a_section_is_called_going_back() -> None:
    assert "\n## Going back\n" in PAGE
