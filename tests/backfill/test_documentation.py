"""docs/backfill_rules.md says what is so: its outputs are real, its tables are those of the code and of the seed.

ATLAS_WRITE_EXPECTED=1 writes outputs and the table of rules anew.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from atlas_models.backfill import legacy_documents, normalisation, quoting
from atlas_models.backfill.rules import TRANSFORMS
from atlas_models.deployment_files import packaged_folder

PAGE = packaged_folder() / "docs" / "backfill_rules.md"
BLOCK = re.compile(r"^```(sql|json|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
RULES = re.compile(r"(?<=test_documentation.py -->\n).*?(?=<!-- end -->)", re.DOTALL)


@pytest.fixture
def reader(conn: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A connection whose search_path finds the functions, as in a database that we created."""
    conn.execute("set search_path = atlas, pg_temp")
    return conn


def output(conn: psycopg.Connection, statement: str, kind: str) -> str:
    cursor = conn.execute(statement)
    rows = cursor.fetchall()
    if kind == "json":
        return f"{rows[0][0]}\n"
    names = [column.name for column in cursor.description or ()]
    table = [names, *([json.dumps(v) if isinstance(v, list | dict) else str(v) for v in row] for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(names))]
    return "".join(
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in table
    )


def rules_table(rows: list[dict[str, Any]]) -> str:
    """The rules, one line for what differs in nothing but the key."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        argument = dict(row["argument"] or {})
        if row["transform"] == "metric":
            argument.pop("name")
        source = "column" if row["source"] == "column" else ""
        shown = f"`{json.dumps(argument)}`" if argument else ""
        group = (source, row["field"], row["transform"], shown, row["note"] or "")
        groups.setdefault(group, []).append(f"`{row['legacy_key']}`")
    lines = ["| | key | field | transform | argument | note |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {source} | {' '.join(keys)} | `{field}` | `{transform}` | {argument} | {note} |"
        for (source, field, transform, argument, note), keys in groups.items()
    ]
    return "\n" + "\n".join(lines) + "\n\n"


def test_every_output_is_real_and_every_rule_is_listed(reader, seeded_text):
    page = PAGE.read_text()
    blocks = list(BLOCK.finditer(page))
    written = page
    for before, shown in itertools.pairwise(blocks):
        if before[1] == "sql" and shown[1] != "sql":
            real = f"```{shown[1]}\n{output(reader, before[2], shown[1])}```"
            written = written.replace(f"{before[0]}\n\n{shown[0]}", f"{before[0]}\n\n{real}")
    written = RULES.sub(lambda _: rules_table(json.loads(seeded_text)), written)
    if os.environ.get("ATLAS_WRITE_EXPECTED"):
        PAGE.write_text(written)
    assert PAGE.read_text() == written


def test_the_statements_that_add_rules_work(reader):
    for kind, statement in BLOCK.findall(PAGE.read_text()):
        if kind == "sql" and "insert" in statement:
            reader.execute(statement)
    row = reader.execute(
        """
        select normalise_metadata(
            '{"modelltyp": "SVM"}', '{"origin_url": "https://models.example.org/x"}',
            (select jsonb_agg(to_jsonb(r) order by position, name)::text from backfill_rules as r)
        ) -> 'metadata'
        """
    ).fetchone()
    assert row == ({"is_external": False, "model_family": "SVM"},)


def test_the_page_lists_the_transforms_of_the_code():
    section = PAGE.read_text().partition("### Transforms")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(TRANSFORMS)


def test_the_page_lists_the_names_of_changes_that_no_rule_makes():
    section = PAGE.read_text().partition("made by no rule of the table")[2].partition("\n## ")[0]
    names = [
        getattr(normalisation, name) for name in ("ABSENT", "ANSWER", "UNREAD", "DUPLICATE", "ROUNDED", "UNLISTED")
    ]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == ["rule", *names]


def test_the_lengths_and_counts_on_the_page():
    page = PAGE.read_text()
    assert (quoting.MAX_QUOTE, quoting.MAX_READING, quoting.MAX_READINGS, normalisation.MAX_CHANGES) == (
        200,
        2000,
        8,
        1000,
    )
    assert legacy_documents.MAX_VARIANTS == 8
    for said in ("cut to 200 characters", "into 2,000 characters", "at most 8", "At most 1,000"):
        assert said in page
