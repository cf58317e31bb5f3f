"""docs/backfill.md, typed from its beginning to its end: every block prints what the page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import psycopg
import pytest

from commands import as_url
from printed_sessions import ROOT, blocks, steps, type_again
from terminals import Terminal

PAGE = "docs/backfill.md"
MONAI = ROOT.parent / "shared" / "data" / "monai_zoo_metadata.jsonl"
PROMPTS = ("number, value, s skip, n next model, e edit, q quit, ? help: ", "notes, why so (Enter for none): ")

needs_monai = pytest.mark.skipif(not MONAI.is_file(), reason=f"the catalogue is not here: ../shared/data/{MONAI.name}")


def is_about_monai(text: str) -> bool:
    return "monai" in text


def test_the_example_goes_all_the_way_as_the_page_shows(
    empty_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = as_url(empty_database)
    monkeypatch.setenv("DATABASE_URL", url)
    commands = 0
    python_printed = ""
    for language, text in blocks(PAGE):
        if is_about_monai(text):
            continue
        if language == "console":
            assert type_again(text, url) == steps(text)
            commands += len(steps(text))
        elif language == "python":
            exec(compile(text, PAGE, "exec"), {})
            python_printed = capsys.readouterr().out
        elif text.startswith("$ atlas review\n"):
            assert dialogue(url, text) == text.removeprefix("$ atlas review\n")
        else:
            assert text == python_printed
    assert commands == 11


def dialogue(url: str, text: str) -> str:
    """Types what the page's dialogue types, and gives all that the terminal shows."""
    with Terminal("review", DATABASE_URL=url) as terminal:
        for line in text.splitlines():
            for prompt in PROMPTS:
                if line.startswith(prompt):
                    terminal.wait_for(prompt)
                    terminal.type(line.removeprefix(prompt))
        assert terminal.end() == 0
    return terminal.shown()


@needs_monai
def test_the_model_zoo_is_asked_about_as_the_page_shows(empty_database: str, new_database: Callable[..., str]) -> None:
    sessions = [text for language, text in blocks(PAGE) if language == "console" and is_about_monai(text)]
    assert len(sessions) == 3
    url, another = as_url(empty_database), as_url(new_database())
    for session, database in zip(sessions, (url, url, another), strict=True):
        assert type_again(session, database) == steps(session)


@needs_monai
def test_the_counts_of_the_questions_are_those_of_the_source(new_database: Callable[..., str]) -> None:
    url = new_database()
    (session,) = [text for _, text in blocks(PAGE) if "--without-origin" in text]
    type_again(session, as_url(url))
    documents = [json.loads(line)["metadata"] for line in MONAI.read_text(encoding="utf-8").splitlines()]
    with psycopg.connect(url) as conn:
        asked = "select field, why, count(*) from atlas.backfill_reviews group by field, why"
        rows = {(field, why.removeprefix("/")): count for field, why, count in conn.execute(asked)}
        kept = conn.execute("select row_text::json ->> 'metadata' from atlas.artifacts_original").fetchall()
    nothing = "nothing in the row says it"
    assert rows == {
        ("evaluation_dataset", nothing): len(documents),
        ("model_family", nothing): len(documents),
        ("parameter_count", nothing): len(documents),
        ("training_data", "data_source may say it, and nothing says it for certain"): sum(
            document.get("data_source", "") != "" for document in documents
        ),
        ("training_data", nothing): sum(document.get("data_source", "") == "" for document in documents),
        ("evaluation_metrics", nothing): sum("eval_metrics" not in document for document in documents),
        ("evaluation_metrics", "eval_metrics names no metric"): sum(
            document.get("eval_metrics") == {} for document in documents
        ),
        ("evaluation_metrics", "eval_metrics 'mean_dice' is no number"): sum(
            isinstance(document.get("eval_metrics", {}).get("mean_dice"), dict) for document in documents
        ),
    }
    assert sorted(json.dumps(document) for document in documents) == sorted(text for (text,) in kept)


def test_every_page_that_is_linked_is_there() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    local = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in local if not (ROOT / "docs" / link).exists()] == []
