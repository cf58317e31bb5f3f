"""Conventions that hold for every file of sql/ and migrations/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas_models.deployment_files import packaged_folder

ROOT = packaged_folder()
CODE = sorted((ROOT / "sql").rglob("*.sql"))
OBJECTS = [path for path in CODE if path.name != "90_privileges.sql"]
MIGRATIONS = sorted((ROOT / "migrations").glob("*.sql"))
CREATES = re.compile(r"^create\s+(?:or\s+replace\s+)?(function|procedure|view)\s+(\w+)", re.MULTILINE)
RAISE = re.compile(r"\braise\s+exception\b(.*?);\n", re.DOTALL)


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_is_code_to_look_at():
    assert len(OBJECTS) > 40
    assert len(MIGRATIONS) >= 2


@pytest.mark.parametrize("path", [*CODE, *MIGRATIONS], ids=label)
def test_a_file_opens_with_what_it_is_for(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("-- atlas:")]
    assert re.match(r"-- \w[^\n]{15,}", lines[0])


@pytest.mark.parametrize("path", MIGRATIONS, ids=label)
def test_a_migration_says_why_which_locks_it_takes_and_where_its_way_down_stands(path):
    opening = path.read_text().split("\n\n")[0]
    assert "\n-- Why: " in opening
    assert "\n-- Locks: " in opening
    assert "docs/migrations.md" in opening


@pytest.mark.parametrize("path", OBJECTS, ids=label)
def test_a_file_makes_the_one_object_that_it_is_named_after(path):
    made = CREATES.findall(path.read_text())
    assert [name for _, name in made] == [path.stem]


@pytest.mark.parametrize("path", OBJECTS, ids=label)
def test_a_file_can_be_deployed_again_and_comments_on_what_it_makes(path):
    text = path.read_text()
    assert re.search(rf"^create or replace (function|procedure|view) {path.stem}\b", text, re.MULTILINE)
    assert re.search(rf"^comment on (function|procedure|view) {path.stem}\b", text, re.MULTILINE)


@pytest.mark.parametrize("path", [path for path in OBJECTS if "50_procedures" in path.parts], ids=label)
def test_a_procedure_states_whose_rights_it_has_and_calls_everything_qualified(path):
    text = path.read_text()
    assert "\nlanguage plpgsql security invoker\nas $procedure$\n" in text
    body = text.partition("$procedure$")[2].partition("$procedure$")[0]
    syntax = {"coalesce", "greatest", "extract", "when"}
    called = set(re.findall(r"(?<![.\w])([a-z_]+)\(", body)) - syntax
    assert called == set()


@pytest.mark.parametrize(
    "path", [path for path in OBJECTS if not {"40_views", "50_procedures"} & {*path.parts}], ids=label
)
def test_a_function_states_everything_about_itself(path):
    header = path.read_text().partition("create or replace")[2]
    stated = re.compile(
        r"\nlanguage (sql|plpgsql|plpython3u) (immutable|stable|volatile) (strict|called on null input)"
        r" parallel (safe|unsafe) security (invoker|definer)\n"
    )
    assert stated.search(header)


@pytest.mark.parametrize("path", [path for path in CODE if RAISE.search(path.read_text())], ids=label)
def test_an_error_says_what_is_wrong_where_and_what_to_do(path):
    for statement in RAISE.findall(path.read_text()):
        options = statement.partition(" using")[2]
        for option in ("errcode", "detail", "hint"):
            assert re.search(rf"\b{option} = ", options), f"no {option} in: {' '.join(statement.split())[:120]}"


@pytest.mark.parametrize("path", CODE, ids=label)
def test_an_error_of_our_own_class_has_a_code_and_never_the_class_alone(path):
    assert re.findall(r"'MR(?!00[1-9]|0[1-9][0-9]')\w*'", path.read_text()) == []


@pytest.mark.parametrize("path", [*CODE, *MIGRATIONS], ids=label)
def test_nothing_is_dropped_with_all_that_hangs_on_it(path):
    text = re.sub(r"--[^\n]*|on delete cascade", "", path.read_text())
    assert not re.search(r"\bcascade\b", text)


@pytest.mark.parametrize("path", [*CODE, *MIGRATIONS], ids=label)
def test_no_schema_is_written_into_a_name(path):
    text = re.sub(r"--[^\n]*|\$\$.*?\$\$", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"\batlas\.", text)


@pytest.mark.parametrize("path", CODE, ids=label)
def test_no_ordinary_literal_holds_a_backslash(path):
    # A session that turns standard_conforming_strings off reads it otherwise: write e'…' or $re$…$re$.
    text = re.sub(r"--[^\n]*|\$python\$.*?\$python\$|\$re\$.*?\$re\$|\be'[^']*'", "", path.read_text(), flags=re.DOTALL)
    assert [literal for literal in re.findall(r"'[^']*'", text) if "\\" in literal] == []
