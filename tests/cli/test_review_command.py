"""What `atlas review` asks, takes, prints and exits with; the dialogue runs on a terminal of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import legacy_models
from commands import as_url, atlas
from factories import ABSENT, internal_metadata
from terminals import Terminal

ASKS = "number, value, s skip, n next model, e edit, q quit, ? help: "
ASKS_NOTES = "notes, why so (Enter for none): "


@pytest.fixture
def url(backfilled_url: str) -> str:
    return as_url(backfilled_url)


@pytest.fixture
def backfilled(backfilled_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to the backfilled catalogue, in autocommit mode."""
    with psycopg.connect(backfilled_url, autocommit=True) as conn:
        yield conn


def open_questions(conn: psycopg.Connection) -> list[tuple[str, str]]:
    return conn.execute("select artifact_id, field from backfill_reviews").fetchall()


def answers(conn: psycopg.Connection, artifact_id: str) -> tuple:
    return conn.execute("select answers, notes from backfill_log where artifact_id = %s", [artifact_id]).fetchone()


ALL_OPEN = [("drift-1", "is_latest"), ("drift-2", "is_latest"), ("ode-1", "parameter_count")]


# Both texts are left as they are by the rules: nothing but a person can say what the model is made with, and how large.
ODE = {"id": "ode-1", "title": "Microglia ODE", "metadata": internal_metadata(framework=ABSENT, parameter_count=ABSENT)}


@pytest.fixture(scope="module")
def ode_template(template_database: str, new_database: Callable[..., str]) -> str:
    """Name of a database with one legacy model, backfilled: it waits with two questions."""
    assert template_database  # made first: it makes the roles
    url = new_database()
    legacy_models.adopt(url, (ODE,))
    assert atlas("backfill", DATABASE_URL=as_url(url)).returncode == 0
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def ode_url(ode_template: str, new_database: Callable[..., str]) -> str:
    """URL of a fresh clone of it."""
    return as_url(new_database(ode_template))


@pytest.fixture
def ode(ode_url: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to it, in autocommit mode."""
    with psycopg.connect(ode_url, autocommit=True) as conn:
        conn.execute("set search_path = atlas")
        yield conn


# --- the dialogue ---------------------------------------------------------------------------------------------------


def test_every_model_is_shown_with_what_was_seen_and_what_it_could_be(url, backfilled):
    with Terminal("review", DATABASE_URL=url) as terminal:
        shown = terminal.wait_for(ASKS)
        assert shown.splitlines() == [
            "3 models wait for an answer.",
            "",
            "Model 1 of 3: Drift",
            "  id: drift-1",
            "",
            "is_latest",
            "  why: several versions are said to be the latest",
            '  seen: is_latest  ["drift-1", "drift-2"]',
            '  1) "drift-1"',
            '  2) "drift-2"',
            ASKS,
        ]
        terminal.type("2")
        assert "  → is_latest = false\n" in terminal.wait_for(ASKS_NOTES)
        terminal.type("the second is newer")
        shown = terminal.wait_for(ASKS)
        assert "Backfilled: Drift, version 1, candidate.\n" in shown
        assert "Model 2 of 3 is settled by what was answered before.\n" in shown
        assert "Model 3 of 3: Microglia ODE\n  id: ode-1\n" in shown
        terminal.type("12")
        assert "  → parameter_count = 12\n" in terminal.wait_for(ASKS_NOTES)
        terminal.type("")
        assert terminal.end() == 0
    assert terminal.shown().endswith(
        "Backfilled: Microglia ODE, version 1, candidate.\n\nBackfilled by your answers: 3.\n"
        "Nothing waits for a person. Next: atlas seal makes rows without validated metadata impossible.\n"
    )
    assert open_questions(backfilled) == []
    assert answers(backfilled, "drift-1") == ({"is_latest": False}, "the second is newer")
    assert answers(backfilled, "ode-1") == ({"parameter_count": 12}, None)


def test_a_refused_answer_shows_why_and_is_asked_again_and_the_others_are_kept(ode_url, ode):
    with Terminal("review", DATABASE_URL=ode_url) as terminal:
        terminal.wait_for("framework (1 of 2)")
        terminal.wait_for(ASKS)
        terminal.type("ODE solver")
        terminal.wait_for("parameter_count (2 of 2)")
        terminal.wait_for(ASKS)
        terminal.type('"about twelve"')
        shown = terminal.wait_for(ASKS_NOTES)
        assert '  framework = "ODE solver"\n  parameter_count = "about twelve"\n' in shown
        terminal.type("read in the paper")
        shown = terminal.wait_for(ASKS)
        assert "Refused, nothing was written: an answer leaves its question open\n  /parameter_count: " in shown
        assert "framework" not in shown
        assert open_questions(ode) == [("ode-1", "framework"), ("ode-1", "parameter_count")]
        terminal.type("12")
        terminal.wait_for('  framework = "ODE solver"\n  parameter_count = 12\n' + ASKS_NOTES)
        terminal.type("read in the paper")
        assert terminal.end() == 0
    assert answers(ode, "ode-1") == ({"framework": "ODE solver", "parameter_count": 12}, "read in the paper")


def test_what_is_skipped_stays_open(ode_url, ode):
    with Terminal("review", DATABASE_URL=ode_url) as terminal:
        terminal.wait_for(ASKS)
        terminal.type("s")
        terminal.wait_for(ASKS)
        terminal.type("12")
        terminal.wait_for(ASKS_NOTES)
        terminal.type("")
        assert terminal.end() == 0
    assert "Taken. 1 question is still open:\n  framework: " in terminal.shown()
    assert terminal.shown().endswith("\n1 model still waits: atlas review\n")
    assert open_questions(ode) == [("ode-1", "framework")]


def test_the_rest_of_a_model_can_be_left_open_at_once(url, backfilled):
    with Terminal("review", DATABASE_URL=url) as terminal:
        for _ in range(3):
            terminal.wait_for(ASKS)
            terminal.type("n")
        assert terminal.end() == 0
    assert terminal.shown().endswith("\n3 models still wait: atlas review\n")
    assert open_questions(backfilled) == ALL_OPEN


def test_quitting_writes_nothing_of_what_was_not_sent_and_says_so(ode_url, ode):
    with Terminal("review", DATABASE_URL=ode_url) as terminal:
        terminal.wait_for(ASKS)
        terminal.type("ODE solver")
        terminal.wait_for(ASKS)
        terminal.type("q")
        assert terminal.end() == 0
    assert "Not sent, not written: framework.\n" in terminal.shown()
    assert open_questions(ode) == [("ode-1", "framework"), ("ode-1", "parameter_count")]


def test_the_end_of_input_is_quitting(url, backfilled):
    with Terminal("review", DATABASE_URL=url) as terminal:
        terminal.wait_for(ASKS)
        terminal.press(b"\x04")
        assert terminal.end() == 0
    assert terminal.shown().endswith("\n3 models still wait: atlas review\n")
    assert open_questions(backfilled) == ALL_OPEN


def test_an_interrupt_keeps_what_was_sent_and_exits_with_130(url, backfilled):
    with Terminal("review", DATABASE_URL=url) as terminal:
        terminal.wait_for(ASKS)
        terminal.type("2")
        terminal.wait_for(ASKS_NOTES)
        terminal.type("")
        terminal.wait_for(ASKS)
        assert terminal.interrupt() == 130
    assert terminal.shown().endswith("\natlas: interrupted\n")
    assert "Traceback" not in terminal.shown()
    assert open_questions(backfilled) == [("ode-1", "parameter_count")]


def test_help_and_an_empty_line_ask_again(url):
    with Terminal("review", "ode-1", DATABASE_URL=url) as terminal:
        terminal.wait_for(ASKS)
        terminal.type("?")
        assert "null        leave the field out\n" in terminal.wait_for(ASKS)
        terminal.type("")
        terminal.wait_for(ASKS)
        terminal.type("q")
        assert terminal.end() == 0


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("=s", '"s"'),
        ("=2", "2"),
        ('"12"', '"12"'),
        ("1.2M", '"1.2M"'),
        ("0.10000000000000000001", "0.10000000000000000001"),
        ('["a", "b"]', '["a", "b"]'),
        ("NaN", '"NaN"'),
        ("null", "null"),
        ("Größe", '"Größe"'),
    ],
)
def test_a_value_is_json_where_it_is_json_and_otherwise_the_text(url, typed, taken):
    with Terminal("review", "drift-1", DATABASE_URL=url) as terminal:
        terminal.wait_for(ASKS)
        terminal.type(typed)
        assert f"  → is_latest = {taken}\n" in terminal.wait_for(ASKS_NOTES)
        terminal.press(b"\x04")
        assert terminal.end() == 0


def test_one_model_can_be_asked_about_alone(url):
    with Terminal("review", "ode-1", DATABASE_URL=url) as terminal:
        assert "Model 1 of 1: Microglia ODE" in terminal.wait_for(ASKS)
        terminal.type("12")
        terminal.wait_for(ASKS_NOTES)
        terminal.type("")
        assert terminal.end() == 0
    assert terminal.shown().endswith("Backfilled by your answers: 1.\n2 models still wait: atlas review\n")


def test_a_model_without_a_question_is_one_line(url):
    with Terminal("review", "risk-1", DATABASE_URL=url) as terminal:
        assert terminal.end() == 1
    assert terminal.shown() == (
        "atlas: no question is open about risk-1\n  hint: atlas review --list shows what is open\n"
    )


def test_when_nothing_waits_it_says_so(database_url):
    with Terminal("review", DATABASE_URL=as_url(database_url)) as terminal:
        assert terminal.end() == 0
    assert terminal.shown() == "Nothing waits for a person.\n"


def test_before_the_backfill_it_says_what_comes_first(legacy_url):
    with Terminal("review", DATABASE_URL=as_url(legacy_url)) as terminal:
        assert terminal.end() == 0
    assert terminal.shown() == (
        "Nothing waits for a person. Next: atlas backfill finds out what does, and what comes after it.\n"
    )


def test_what_somebody_else_settled_meanwhile_is_no_mistake(url, backfilled):
    with Terminal("review", "ode-1", DATABASE_URL=url) as terminal:
        terminal.wait_for(ASKS)
        terminal.type("12")
        terminal.wait_for(ASKS_NOTES)
        backfilled.execute("select resolve_backfill_review('ode-1', '{\"parameter_count\": 13}')")
        terminal.type("")
        assert terminal.end() == 0
    assert "Somebody else has settled it meanwhile.\n" in terminal.shown()


def test_what_a_terminal_would_act_upon_is_escaped(url, backfilled):
    backfilled.execute("update artifacts set title = E'evil\\x1b[2J' where id = 'ode-1'")
    with Terminal("review", "ode-1", DATABASE_URL=url) as terminal:
        assert "Model 1 of 1: evil\\x1b[2J\n" in terminal.wait_for(ASKS)
        terminal.type("q")
        assert terminal.end() == 0


# --- an editor ------------------------------------------------------------------------------------------------------


def editor(folder: Path, *texts: str) -> str:
    """A program that writes these texts into the file that it is given, one each time, and keeps what stood there."""
    for number, text in enumerate(texts, start=1):
        (folder / f"text{number}").write_text(text, encoding="utf-8")
    program = folder / "editor"
    program.write_text(
        f'#!/bin/sh\ncd {folder}\nnumber=$(($(ls | grep -c found) + 1))\ncp "$1" found$number\n'
        'test -e text$number && cat text$number > "$1"\nexit 0\n'
    )
    program.chmod(0o755)
    return str(program)


def test_all_answers_about_a_model_can_be_written_in_an_editor(ode_url, ode, tmp_path):
    program = editor(tmp_path, '# done\n{"framework": "ODE solver",\n "parameter_count": 12}\n')
    with Terminal("review", DATABASE_URL=ode_url, EDITOR=program, VISUAL="") as terminal:
        terminal.wait_for(ASKS)
        terminal.type("e")
        terminal.wait_for('  framework = "ODE solver"\n  parameter_count = 12\n' + ASKS_NOTES)
        terminal.type("")
        assert terminal.end() == 0
    offered = (tmp_path / "found1").read_text(encoding="utf-8").splitlines()
    assert offered[0] == "# Microglia ODE, ode-1"
    assert offered[3:5] == ["#", offered[4]]
    assert offered[4].startswith("# framework: ")
    assert offered[-3:] == ["{", "", "}"]
    assert open_questions(ode) == []


def test_what_the_editor_leaves_that_is_no_json_is_said_and_edited_again(ode_url, ode, tmp_path):
    program = editor(tmp_path, '{"framework": }', '["framework"]', '{"framework": "ODE solver"}')
    with Terminal("review", DATABASE_URL=ode_url, EDITOR=program, VISUAL="") as terminal:
        terminal.wait_for(ASKS)
        terminal.type("e")
        terminal.wait_for("  line 1, column 15: is not valid JSON: Expecting value\nedit it again? [Y/n] ")
        terminal.type("")
        terminal.wait_for('  must be one JSON object, {"field": value}\nedit it again? [Y/n] ')
        terminal.type("")
        terminal.wait_for(ASKS_NOTES)
        terminal.type("")
        assert terminal.end() == 0
    assert (tmp_path / "found2").read_text(encoding="utf-8") == '{"framework": }\n'
    assert open_questions(ode) == [("ode-1", "parameter_count")]


def test_an_editor_that_fails_or_saves_nothing_asks_again(url):
    for program, said in (("false", "  false: Editing failed\n"), ("true", "  nothing was saved\n")):
        with Terminal("review", "ode-1", DATABASE_URL=url, EDITOR=program, VISUAL="") as terminal:
            terminal.wait_for(ASKS)
            terminal.type("e")
            assert said in terminal.wait_for(ASKS)
            terminal.type("q")
            assert terminal.end() == 0


# --- a list ---------------------------------------------------------------------------------------------------------


def test_without_a_terminal_the_list_is_plain_lines(url):
    ended = atlas("review", "--list", DATABASE_URL=url)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[:4] == [
        "drift-1  Drift",
        "  is_latest: several versions are said to be the latest",
        '    seen: is_latest  ["drift-1", "drift-2"]',
        '    could be: "drift-1" or "drift-2"',
    ]
    assert lines[8] == "ode-1  Microglia ODE"
    assert atlas("review", "--list", "ode-1", DATABASE_URL=url).stdout.splitlines()[0] == lines[8]


def test_a_terminal_shows_the_list_as_a_table(url):
    with Terminal("review", "--list", DATABASE_URL=url) as terminal:
        assert terminal.end() == 0
    shown = terminal.shown()
    assert "┃ model " in shown
    assert "│ Drift " in shown
    assert '│ "drift-1" │' in shown
    assert shown.endswith("3 questions about 3 models. atlas review asks them one by one.\n")


def test_the_list_as_json_holds_all_of_every_question(url):
    found = json.loads(atlas("review", "--json", DATABASE_URL=url).stdout)
    assert [(question["artifact_id"], question["field"]) for question in found] == ALL_OPEN
    assert found[0].pop("asked_at").startswith("20")
    assert found[0] == {
        "artifact_id": "drift-1",
        "title": "Drift",
        "name": None,
        "field": "is_latest",
        "seen": {"is_latest": ["drift-1", "drift-2"]},
        "readings": ["drift-1", "drift-2"],
        "why": "several versions are said to be the latest",
        "chain_root": "drift-1",
        "notes": None,
    }


def test_an_empty_list_says_so(database_url):
    assert atlas("review", "--list", DATABASE_URL=as_url(database_url)).stdout == "Nothing waits for a person.\n"
    assert atlas("review", "--json", DATABASE_URL=as_url(database_url)).stdout == "[]\n"


# --- by a script ----------------------------------------------------------------------------------------------------


def test_a_script_answers_with_options(ode_url, ode):
    partly = atlas("review", "ode-1", "--answer", "framework=ODE = solver", DATABASE_URL=ode_url)
    assert partly.returncode == 0
    assert partly.stdout.startswith("Taken. 1 question is still open:\n  parameter_count: ")
    ended = atlas(
        "review", "ode-1", "--answer", "parameter_count=12", "--notes", "counted", "--json", DATABASE_URL=ode_url
    )
    assert (ended.returncode, json.loads(ended.stdout)) == (
        0,
        {"artifact_id": "ode-1", "outcome": "backfilled", "open_questions": 0},
    )
    assert answers(ode, "ode-1") == ({"framework": "ODE = solver", "parameter_count": 12}, "counted")


def test_a_refused_answer_of_a_script_is_listed_and_exits_with_one(url, backfilled):
    ended = atlas("review", "drift-1", "--answer", "is_latest=1", DATABASE_URL=url)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "atlas: an answer is not well formed",
        "  /patch/is_latest: must be true or false, or the id of the latest version",
        "  hint: Correct it; nothing was written.",
    ]
    assert open_questions(backfilled) == ALL_OPEN


def test_an_answer_about_what_does_not_wait_exits_with_one(url):
    ended = atlas("review", "risk-1", "--answer", "task=risk", DATABASE_URL=url)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[0] == "atlas: no review is open for artifact risk-1"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--answer", "a=1"],
        ["x", "--answer", "a"],
        ["x", "--answer", "=1"],
        ["x", "--answer", "a=1", "--answer", "a=2"],
        ["x", "--answer", "metadata=1"],
        ["x", "--answer", "a=1", "--list"],
        ["x", "--notes", "why"],
        [],
        ["x"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments):
    assert atlas("review", *arguments, stdin=b"").returncode == 2
