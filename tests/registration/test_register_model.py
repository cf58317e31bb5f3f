"""register_model(): what it answers, what it writes, and in whose transaction."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from factories import Registered, external_metadata, internal_metadata, register
from refusals import refused

SHA = "0123456789abcdef0123456789abcdef01234567"


def artifact(conn: psycopg.Connection, artifact_id: str) -> dict:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from artifacts where id = %s", [artifact_id]).fetchone()


def version(conn: psycopg.Connection, artifact_id: str) -> dict:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from model_versions where artifact_id = %s", [artifact_id]).fetchone()


def test_the_first_registration_of_a_name_is_version_1_and_created(conn: psycopg.Connection) -> None:
    assert register(conn, "churn", artifact_id="m1") == Registered("m1", 1, True)


def test_an_artifact_id_is_made_up_when_none_is_given(conn: psycopg.Connection) -> None:
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(f"model-{uuid}", register(conn, "churn").artifact_id)


def test_versions_of_a_name_count_from_1_each_name_for_itself(conn: psycopg.Connection) -> None:
    numbers = [register(conn, name).version_number for name in ("a", "b", "a", "a", "b")]
    assert numbers == [1, 1, 2, 3, 2]


def test_name_and_metadata_may_be_given_by_position(conn: psycopg.Connection) -> None:
    row = conn.execute("select version_number, created from register_model('churn', %s)", [Jsonb(internal_metadata())])
    assert row.fetchall() == [(1, True)]


def test_every_argument_lands_in_its_column(conn: psycopg.Connection) -> None:
    conn.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    register(conn, "base", external_metadata(), artifact_id="b1")
    register(conn, "churn", artifact_id="p1")
    metadata = external_metadata(base_model_id="b1", benchmark_id="bench-7")
    register(
        conn,
        "churn",
        metadata,
        title="Churn, second try",
        parent_version_id="p1",
        version_tag="2.0",
        changelog="more data",
        lifecycle_state="active",
        origin_type="forge",
        origin_url="https://forge.example.org/churn",
        created_by="ada",
        is_external=True,
        external_source_url="https://models.example.org/resnet50",
        external_source_version="v1.5",
        base_model_id="b1",
        code_repo_url="https://git.example.org/team/churn",
        code_commit_sha=SHA,
        code_entrypoint="train.py",
        training_started_at="2024-05-01T10:00:00Z",
        training_completed_at="2024-05-01T12:00:00Z",
        trained_by="agent-3",
        gpu_allocation_id="gpu-9",
        training_params_json=Jsonb({"depth": 6}),
        eval_metrics_json=Jsonb({"auroc": 0.93}),
        eval_dataset_artifact_id="d1",
        benchmark_id="bench-7",
        promotion_notes="looks good",
        artifact_id="m1",
        idempotency_key="k1",
    )
    a, v = artifact(conn, "m1"), version(conn, "m1")
    assert len(a.pop("created_at").isoformat()) and a.pop("updated_at")
    assert a == {
        "id": "m1",
        "artifact_type": "model",
        "name": "churn",
        "title": "Churn, second try",
        "metadata": metadata,
        "metadata_schema_version": 1,
        "version_number": 2,
        "parent_version_id": "p1",
        "version_tag": "2.0",
        "changelog": "more data",
        "is_latest": True,
        "lifecycle_state": "active",
        "superseded_by": None,
        "origin_type": "forge",
        "origin_url": "https://forge.example.org/churn",
        "created_by": "ada",
    }
    assert v.pop("created_at") and len(v.pop("idempotency_digest")) == 32
    assert v == {
        "artifact_id": "m1",
        "model_name": "churn",
        "is_external": True,
        "external_source_url": "https://models.example.org/resnet50",
        "external_source_version": "v1.5",
        "base_model_id": "b1",
        "code_repo_url": "https://git.example.org/team/churn",
        "code_commit_sha": SHA,
        "code_entrypoint": "train.py",
        "training_started_at": datetime(2024, 5, 1, 10, tzinfo=timezone.utc),
        "training_completed_at": datetime(2024, 5, 1, 12, tzinfo=timezone.utc),
        "trained_by": "agent-3",
        "gpu_allocation_id": "gpu-9",
        "training_params_json": {"depth": 6},
        "eval_metrics_json": {"auroc": 0.93},
        "eval_dataset_artifact_id": "d1",
        "benchmark_id": "bench-7",
        "promotion_state": "candidate",
        "promotion_notes": "looks good",
        "first_promoted_at": None,
        "idempotency_key": "k1",
        "registered_by": "postgres",
    }


def test_what_is_left_out_is_null_and_the_version_a_candidate(conn: psycopg.Connection) -> None:
    register(conn, "churn", artifact_id="m1")
    a, v = artifact(conn, "m1"), version(conn, "m1")
    assert {key for key, value in (a | v).items() if value is not None} == {
        *("id", "artifact_type", "name", "metadata", "metadata_schema_version", "version_number", "is_latest"),
        *("created_by", "created_at", "updated_at"),
        *("artifact_id", "model_name", "is_external", "eval_metrics_json", "promotion_state", "registered_by"),
    }
    assert (v["is_external"], v["promotion_state"], a["is_latest"]) == (False, "candidate", True)


def test_created_by_is_who_logged_in_unless_said_otherwise(connect: Callable[..., psycopg.Connection]) -> None:
    registrar = connect("test_registrar")
    made = register(registrar, "churn")
    assert registrar.execute("select created_by from models where artifact_id = %s", [made.artifact_id]).fetchall() == [
        ("test_registrar",)
    ]


def test_declared_facts_are_taken_from_the_metadata(conn: psycopg.Connection) -> None:
    register(conn, "base", external_metadata(), artifact_id="b1")
    register(conn, "tuned", external_metadata(base_model_id="b1", benchmark_id="bench-7"), artifact_id="m1")
    v = version(conn, "m1")
    assert {key: v[key] for key in ("is_external", "external_source_url", "external_source_version")} == {
        "is_external": True,
        "external_source_url": "https://models.example.org/resnet50",
        "external_source_version": "v1.5",
    }
    assert (v["base_model_id"], v["benchmark_id"]) == ("b1", "bench-7")


def test_declared_metrics_and_training_settings_are_starting_values(conn: psycopg.Connection) -> None:
    register(conn, "churn", internal_metadata(training_config={"depth": 6}), artifact_id="m1")
    v = version(conn, "m1")
    assert (v["training_params_json"], v["eval_metrics_json"]) == ({"depth": 6}, {"auroc": 0.91})


def test_given_metrics_and_training_settings_win_over_the_declared(conn: psycopg.Connection) -> None:
    register(
        conn,
        "churn",
        internal_metadata(training_config={"depth": 6}),
        artifact_id="m1",
        training_params_json=Jsonb({"depth": 8}),
        eval_metrics_json=Jsonb({"auroc": 0.5}),
    )
    v = version(conn, "m1")
    assert (v["training_params_json"], v["eval_metrics_json"]) == ({"depth": 8}, {"auroc": 0.5})
    assert artifact(conn, "m1")["metadata"]["evaluation_metrics"] == {"auroc": 0.91}


@pytest.mark.usefixtures("nothing_written")
def test_an_argument_that_contradicts_the_metadata_is_refused(conn: psycopg.Connection) -> None:
    for column, value, detail in [
        ("is_external", True, "/is_external: the metadata declares the other value"),
        (
            "external_source_url",
            "https://x.org",
            "/external_source_url: the metadata declares another value, or none",
        ),
        (
            "external_source_version",
            "1",
            "/external_source_version: the metadata declares another value, or none",
        ),
        ("base_model_id", "b1", "/base_model_id: the metadata declares another value, or none"),
        ("benchmark_id", "b", "/benchmark_id: the metadata declares another value, or none"),
    ]:
        with refused("MR005", column=column, detail=detail):
            register(conn, "churn", artifact_id="m1", **{column: value})


@pytest.mark.usefixtures("nothing_written")
def test_is_external_false_does_not_override_the_metadata(conn: psycopg.Connection) -> None:
    with refused("MR005", column="is_external", detail="/is_external: the metadata declares the other value"):
        register(conn, "churn", external_metadata(), is_external=False)


def test_a_rollback_leaves_neither_rows_nor_a_used_number(connect: Callable[..., psycopg.Connection]) -> None:
    caller = connect(autocommit=False)
    assert register(caller, "churn").version_number == 1
    caller.rollback()
    rows = "select count(*) from artifacts union all select count(*) from model_versions"
    assert caller.execute(f"{rows} union all select count(*) from registered_models").fetchall() == [(0,), (0,), (0,)]
    assert register(caller, "churn").version_number == 1


def test_a_number_given_back_by_a_savepoint_is_allotted_again(connect: Callable[..., psycopg.Connection]) -> None:
    caller = connect(autocommit=False)
    register(caller, "churn", artifact_id="m1")
    with caller.transaction(force_rollback=True):
        assert register(caller, "churn").version_number == 2
    assert register(caller, "churn").version_number == 2
    caller.commit()
    assert artifact(caller, "m1")["is_latest"] is False


def test_an_artifact_id_is_taken_only_once(conn: psycopg.Connection) -> None:
    register(conn, "churn", artifact_id="m1")
    with refused("23505", column="id", constraint="artifacts_pkey", detail="/artifact_id: is taken"):
        register(conn, "other", artifact_id="m1")


def test_only_the_newest_version_is_the_latest(conn: psycopg.Connection) -> None:
    for _ in range(3):
        register(conn, "churn")
    latest = conn.execute("select version_number, is_latest from artifacts order by version_number").fetchall()
    assert latest == [(1, False), (2, False), (3, True)]


def test_the_counter_is_the_number_of_the_last_version(conn: psycopg.Connection) -> None:
    register(conn, "churn")
    register(conn, "churn")
    assert conn.execute("select name, last_version from registered_models").fetchall() == [("churn", 2)]
