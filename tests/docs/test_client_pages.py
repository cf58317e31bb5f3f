"""The pages about the command and the client: typed again and run, their examples print what they show."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

from commands import as_url
from factories import register
from printed_sessions import ROOT, blocks, steps, type_again


def test_the_blocks_of_the_python_page_print_what_it_shows(database_url, conn, monkeypatch):
    conn.execute("select set_promotion_policy(null, true, true, false)")  # as in a new database
    monkeypatch.setenv("DATABASE_URL", database_url)
    page = blocks("docs/python.md")
    assert [block.language for block in page] == ["python", "text"] * 8
    names = {"__name__": "docs"}
    for code, shown in zip(page[::2], page[1::2], strict=True):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(code.text, "docs/python.md", "exec"), names)
        assert printed.getvalue() == shown.text


def test_the_sessions_of_the_page_about_the_command_print_what_they_show(database_url, conn):
    for number in (1, 2):
        parent = {"parent_version_id": "churn-1"} if number == 2 else {}
        register(conn, "churn", artifact_id=f"churn-{number}", **parent)
    sessions = [block.text for block in blocks("docs/cli.md") if block.language == "console"]
    assert len(sessions) == 2
    for session in sessions:
        assert type_again(session, as_url(database_url)) == steps(session)


def test_the_line_that_switches_completion_on_does(tmp_path):
    (line,) = [block.text for block in blocks("docs/cli.md") if block.language == "sh"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "--norc", "-c", f"{line}\ncomplete -p atlas"]
    ended = subprocess.run(
        command, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=True, timeout=60
    )
    assert (ended.stdout, ended.stderr) == ("complete -o nosort -F _atlas_completion atlas\n", "")


def test_the_examples_of_the_page_about_promotions_run(conn):
    conn.execute("select register_artifact('dataset', 'Loans', artifact_id => 'loans-2026-q1')")
    register(conn, "credit-risk", artifact_id="credit-risk-a")
    examples = [block.text for block in blocks("docs/promotion.md") if block.language == "sql"]
    assert len(examples) == 3
    for example in examples:
        conn.execute(example)
    assert conn.execute("select latest_metrics ->> 'latency_ms' from models").fetchone() == ("12",)
    assert conn.execute("select count(*) from gates").fetchone() == (2,)


def test_every_page_with_examples_has_a_test_that_reads_it():
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md")]
    with_examples = {page.name for page in pages if re.search(r"^```[a-z]", page.read_text(), re.MULTILINE)}
    tests = "\n".join(file.read_text() for file in ROOT.glob("tests/**/test_*.py"))
    assert {page for page in with_examples if f'/{page}"' not in tests and f'"{page}"' not in tests} == set()
