"""Who asks whether metadata are valid gets one answer: the database, `atlas validate`, and the schema file itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema_rs
import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings

from atlas_models import cli
from factories import internal_metadata
from hostile import HOSTILE, SMALL, Raw, allowed_by, spoiled, written

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "model_artifact_metadata.json").read_text())
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)
VALID = allowed_by(SCHEMA, SCHEMA)
BOUNDED = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(scope="module")
def conn(template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """One connection for the file: whatever is registered is rolled back."""
    with psycopg.connect(new_database(template_database), autocommit=True) as connection:
        connection.execute("set search_path = atlas, public")
        connection.execute("begin")
        yield connection


def database_answers(conn: psycopg.Connection, text: str) -> str | None:
    """Registers a document for a moment: None, or why it was refused (the SQLSTATE)."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("select register_model('m', %s::jsonb)", [text])
            conn.execute("set constraints all immediate")
    except psycopg.Error as error:
        return error.sqlstate or repr(error)
    return None


def lines_refused_offline(folder: Path, texts: list[str]) -> set[int]:
    """Which of the documents `atlas validate` refuses, by their place."""
    file = folder / "documents.jsonl"
    # What the file is, is told by how it begins.
    file.write_text("".join(f"{text}\n" for text in [written(internal_metadata()), *texts]))
    run = CliRunner().invoke(cli.main, ["validate", "--json", str(file)])
    assert run.stdout, run.output
    said = json.loads(run.stdout)
    assert said["records"] == len(texts) + 1
    return {refusal["line"] - 2 for refusal in said["refusals"]}


def assert_that_all_agree(conn: psycopg.Connection, folder: Path, texts: list[str]) -> list[str | None]:
    in_database = [database_answers(conn, text) for text in texts]
    offline = lines_refused_offline(folder, texts)
    # The same as a part of a registration, where it is cut out of a larger text.
    registrations = {
        place: f'{{"name": "m", "metadata": {text}}}'
        for place, text in enumerate(texts)
        if in_database[place] != "22P02"
    }
    refused = lines_refused_offline(folder, list(registrations.values()))
    assert {place for nth, place in enumerate(registrations) if nth in refused} == offline & registrations.keys()
    differing = {
        text[:300]: (sqlstate, place in offline)
        for place, (text, sqlstate) in enumerate(zip(texts, in_database, strict=True))
        if (sqlstate is not None) != (place in offline)
    }
    assert not differing, "\n".join(f"{why}: {text}" for text, why in differing.items())
    assert set(in_database) <= {None, "23514", "22P02", "22P05", "22003", "23503", "54001"}
    return in_database


def test_documents_made_from_the_schema_are_accepted_by_all(conn: psycopg.Connection, tmp_path: Path) -> None:
    check_documents_made_from_the_schema(conn, tmp_path, 120)


@pytest.mark.long
def test_thousands_of_documents_made_from_the_schema_are_accepted_by_all(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    check_documents_made_from_the_schema(conn, tmp_path, 3000)


def check_documents_made_from_the_schema(conn: psycopg.Connection, folder: Path, examples: int) -> None:
    texts: list[str] = []

    @settings(max_examples=examples, **BOUNDED)
    @given(VALID)
    def collect(document: dict) -> None:
        assert VALIDATOR.is_valid(document)
        # A base must be registered: that is no question of the metadata.
        texts.append(written({key: value for key, value in document.items() if key != "base_model_id"}))

    collect()
    assert len(texts) >= examples
    assert {json.loads(text)["is_external"] for text in texts} == {True, False}
    assert set(assert_that_all_agree(conn, folder, texts)) == {None}


def test_spoiled_documents_are_answered_alike_by_all(conn: psycopg.Connection, tmp_path: Path) -> None:
    check_spoiled_documents(conn, tmp_path, 250)


@pytest.mark.long
def test_thousands_of_spoiled_documents_are_answered_alike_by_all(conn: psycopg.Connection, tmp_path: Path) -> None:
    check_spoiled_documents(conn, tmp_path, 5000)


def check_spoiled_documents(conn: psycopg.Connection, folder: Path, examples: int) -> None:
    texts: list[str] = []

    @settings(max_examples=examples, **BOUNDED)
    @given(spoiled(VALID.map(lambda document: {k: v for k, v in document.items() if k != "base_model_id"})))
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    texts = [text for text in texts if text.strip()]  # a blank line is none
    answers = assert_that_all_agree(conn, folder, texts)
    # Neither all bad nor all good, or little was asked.
    assert min(answers.count(None), answers.count("23514")) >= len(texts) // 20
    for text, answer in zip(texts, answers, strict=True):
        if answer is None:
            assert VALIDATOR.is_valid(json.loads(text)), text


def check_hostile_values(conn: psycopg.Connection, folder: Path, values: list[Raw]) -> None:
    places = ("extra", "framework", "training_data", "base_model_id")
    documents = [internal_metadata(**{place: value}) for place in places for value in values]
    documents += [internal_metadata(extra={"n": value}) for value in values]
    documents += [internal_metadata(evaluation_metrics={"f1": value}) for value in values]
    texts = [written(document).replace("\n", " ") for document in documents]
    # A base that is not registered is nothing that the metadata are wrong about.
    assert_that_all_agree(conn, folder, [text for text in texts if not re.search('"base_model_id": "[^"]', text)])


def test_hostile_values_anywhere_are_answered_alike_by_all(conn: psycopg.Connection, tmp_path: Path) -> None:
    check_hostile_values(conn, tmp_path, SMALL)


@pytest.mark.long
def test_deep_and_large_values_are_answered_alike_by_all(conn: psycopg.Connection, tmp_path: Path) -> None:
    check_hostile_values(conn, tmp_path, [value for value in HOSTILE if value not in SMALL])
