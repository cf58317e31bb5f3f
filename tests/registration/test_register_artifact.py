"""register_artifact(): what is no model, but what models point to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories import register
from refusals import refused

Connect = Callable[..., psycopg.Connection]


def test_the_id_is_made_of_the_type_and_a_uuid(conn: psycopg.Connection) -> None:
    (made,) = conn.execute("select register_artifact('dataset', 'Cohort B')").fetchone()
    assert re.fullmatch("dataset-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made)


def test_every_argument_lands_in_its_column(conn: psycopg.Connection) -> None:
    conn.execute(
        """select register_artifact('benchmark', 'GLUE', %s, artifact_id => 'b1', version_tag => '2',
        origin_type => 'web', origin_url => 'https://glue.example.org', created_by => 'ada')""",
        [Jsonb({"tasks": 9})],
    )
    row = conn.execute(
        """select id, artifact_type, title, metadata, version_tag, origin_type, origin_url, created_by,
        name, version_number, metadata_schema_version from artifacts"""
    )
    expected = ("b1", "benchmark", "GLUE", {"tasks": 9}, "2", "web", "https://glue.example.org", "ada")
    assert row.fetchall() == [(*expected, None, None, None)]


def test_created_by_is_who_logged_in_unless_said_otherwise(
    conn: psycopg.Connection, connect: Callable[..., psycopg.Connection]
) -> None:
    connect("test_registrar").execute("select register_artifact('dataset', 'Cohort B')")
    assert conn.execute("select created_by from artifacts").fetchall() == [("test_registrar",)]


def test_its_metadata_is_free_in_form(conn: psycopg.Connection) -> None:
    conn.execute("select register_artifact('dataset', 'Cohort B', '[1, {\"a\": null}]')")
    assert conn.execute("select metadata from artifacts").fetchall() == [([1, {"a": None}],)]


def test_a_reader_finds_it_among_what_is_no_model(conn: psycopg.Connection, connect: Connect) -> None:
    conn.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    register(conn, "churn", artifact_id="m1")
    found = connect("test_reader").execute("select artifact_id, artifact_type, title from atlas.other_artifacts")
    assert found.fetchall() == [("d1", "dataset", "Cohort B")]


def test_a_model_can_name_it_as_its_evaluation_dataset(conn: psycopg.Connection) -> None:
    conn.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    register(conn, "churn", eval_dataset_artifact_id="d1")
    assert conn.execute("select eval_dataset_artifact_id from models").fetchall() == [("d1",)]


BAD_ARGUMENTS: list[tuple[list[Any], str]] = [
    (["model", "Churn", None], "/artifact_type: must not be model"),
    (
        ["Model", "Churn", None],
        "/artifact_type: must be 1 to 63 lower-case letters, digits, _ or -, a letter first",
    ),
    (["", "Churn", None], "/artifact_type: must be 1 to 63 lower-case letters, digits, _ or -, a letter first"),
    ([None, "Churn", None], "/artifact_type: must be 1 to 63 lower-case letters, digits, _ or -, a letter first"),
    (["d" * 64, "x", None], "/artifact_type: must be 1 to 63 lower-case letters, digits, _ or -, a letter first"),
    (["dataset", " \n", None], "/title: must not be blank"),
    (["dataset", None, None], "/title: must not be blank"),
    (
        ["dataset", "x", "a b"],
        "/artifact_id: must be 1 to 256 characters without white space or control characters",
    ),
    (["dataset", "x", ""], "/artifact_id: must be 1 to 256 characters without white space or control characters"),
]


@pytest.mark.usefixtures("nothing_written")
def test_an_argument_that_will_not_do_is_refused(conn: psycopg.Connection) -> None:
    for arguments, detail in BAD_ARGUMENTS:
        with refused("22023", detail=detail):
            conn.execute("select register_artifact(%s, %s, artifact_id => %s)", arguments)


def test_an_id_that_is_taken_is_refused(conn: psycopg.Connection) -> None:
    conn.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    with refused("23505", constraint="artifacts_pkey", detail="Key (id)=(d1) already exists."):
        conn.execute("select register_artifact('dataset', 'Cohort C', artifact_id => 'd1')")
