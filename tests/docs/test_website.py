"""The pages as a whole: the map names each, links lead somewhere, references are up to date, and the website builds."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from printed_sessions import ROOT
from reference_pages import METADATA_PAGE, SQL_PAGE, metadata_page, sql_page

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def links(page: Path) -> list[str]:
    """The relative links of a page, without those that its examples print."""
    found = LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return [link for link in found if "://" not in link]


def anchors(page: Path) -> set[str]:
    """The anchors that a forge gives to a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_relative_link_leads_to_a_file_and_an_anchor_that_are_there() -> None:
    count, broken = 0, []
    for page in PAGES:
        for link in links(page):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            count += 1
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert count > 100
    assert broken == []


def test_the_map_names_every_page_once_below_a_heading() -> None:
    index = ROOT / "docs" / "index.md"
    listed = re.findall(r"^- .*$", index.read_text(encoding="utf-8"), re.MULTILINE)
    named = [(index.parent / link).resolve() for line in listed for link in LINK.findall(line)]
    assert sorted(named) == [page.resolve() for page in PAGES if page != index]


def test_the_reference_of_sql_is_what_a_fresh_deploy_says(conn: psycopg.Connection) -> None:
    assert SQL_PAGE.read_text(encoding="utf-8") == sql_page(conn), "make reference"


def test_the_reference_of_the_metadata_is_what_the_schema_says() -> None:
    assert METADATA_PAGE.read_text(encoding="utf-8") == metadata_page(), "make reference"


class Loaded(HTMLParser):
    """What a browser loads for a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "link") and given.get("rel") not in ("index", "search", "next", "prev"):
            self.urls += [url for url in (given.get("src"), given.get("href")) if url]


# `make lint` builds it, too, and fails on a warning.
@pytest.mark.long
@pytest.mark.skipif(find_spec("sphinx") is None, reason="what builds the website is not installed: make .venv/.docs")
def test_the_website_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-c",
        "docs",
        "-b",
        "html",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
    ]
    ended = subprocess.run(
        [*command, ".", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= len(PAGES)
    loaded = Loaded()
    for page in pages:
        loaded.feed(page.read_text(encoding="utf-8"))
    assert loaded.urls
    assert [url for url in loaded.urls if re.match(r"(https?:)?//", url)] == []
    styles = "".join(style.read_text(encoding="utf-8") for style in tmp_path.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)|@import[^;]*//[^;]*;", styles) == []
    api = (tmp_path / "docs" / "reference" / "python.html").read_text(encoding="utf-8")
    assert 'id="atlas_models.Registry.promote"' in api
