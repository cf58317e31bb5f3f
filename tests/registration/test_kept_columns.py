"""UPDATE, DELETE and TRUNCATE on what is registered: what is kept, and what may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories import ABSENT, external_metadata, internal_metadata, register
from refusals import everything_said, refused

CANARY = "canary-d3b07384"


@pytest.fixture
def registered(conn: psycopg.Connection) -> psycopg.Connection:
    """A connection to a registry with a dataset d1, a base b1, and the versions m1, m2 and m3 of 'churn'."""
    conn.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    register(conn, "base", external_metadata(), artifact_id="b1")
    metadata = internal_metadata(base_model_id="b1", description=CANARY)
    register(conn, "churn", metadata, artifact_id="m1")
    register(conn, "churn", metadata, artifact_id="m2", parent_version_id="m1")
    token = Jsonb({"token": CANARY})
    register(conn, "churn", metadata, artifact_id="m3", training_params_json=token, idempotency_key="k")
    return conn


def content(conn: psycopg.Connection) -> Any:
    return conn.execute(
        """select (select array_agg(a order by id)::text from artifacts as a),
        (select array_agg(v order by artifact_id)::text from model_versions as v),
        (select array_agg(r order by name)::text from registered_models as r)"""
    ).fetchone()


KEPT = "a registered version keeps it"
OTHER = "the metadata declares another value, or none"


# fmt: off
KEPT_COLUMNS = [
    ("artifacts", "id", ["'m9'", "null"], f"/id: {KEPT}"),
    ("artifacts", "name", ["'other'", "null"], f"/name: {KEPT}"),
    ("artifacts", "version_number", ["4", "2", "null"], f"/version_number: {KEPT}"),
    ("artifacts", "parent_version_id", ["'m1'", "'m3'", "'nowhere'"], f"/parent_version_id: {KEPT}"),
    ("artifacts", "created_at", ["now()", "null"], f"/created_at: {KEPT}"),
    ("artifacts", "artifact_type", ["'dataset'", "null"],
     "/artifact_type: an artifact never becomes a model, and a model never ceases to be one"),
    ("artifacts", "metadata_schema_version", ["0", "null"],
     "/metadata_schema_version: a row is only ever raised to a later version"),
    ("artifacts", "is_latest", ["null"], "/is_latest: cannot be NULL"),
    ("artifacts", "superseded_by", ["'m3'"], "/superseded_by: cannot be the version itself"),
    ("model_versions", "artifact_id", ["'d1'", "null"], f"/artifact_id: {KEPT}"),
    ("model_versions", "model_name", ["'base'", "null"], f"/model_name: {KEPT}"),
    ("model_versions", "created_at", ["now()", "null"], f"/created_at: {KEPT}"),
    ("model_versions", "registered_by", ["'other'", "null"], f"/registered_by: {KEPT}"),
    ("model_versions", "idempotency_key", ["'other'"], f"/idempotency_key: {KEPT}"),
    ("model_versions", "idempotency_digest", ["'other'"], f"/idempotency_digest: {KEPT}"),
    ("model_versions", "first_promoted_at", ["now()"], f"/first_promoted_at: {KEPT}"),
    ("model_versions", "is_external", ["true", "null"], f"/is_external: {OTHER}"),
    ("model_versions", "external_source_url", ["'https://x.org'"], f"/external_source_url: {OTHER}"),
    ("model_versions", "external_source_version", ["'v2'"], f"/external_source_version: {OTHER}"),
    ("model_versions", "base_model_id", ["'m1'", "'m3'", "null"], f"/base_model_id: {OTHER}"),
    ("model_versions", "benchmark_id", ["'x'"], f"/benchmark_id: {OTHER}"),
]
# fmt: on


@pytest.mark.parametrize("table", ["artifacts", "model_versions"])
def test_a_column_that_is_kept_cannot_be_updated(registered: psycopg.Connection, table: str) -> None:
    before = content(registered)
    key = "id" if table == "artifacts" else "artifact_id"
    for column, values, detail in [row[1:] for row in KEPT_COLUMNS if row[0] == table]:
        for value in values:
            with refused("MR005", column=column, detail=detail) as caught:
                registered.execute(f"update {table} set {column} = {value} where {key} = 'm3'")
            assert CANARY not in everything_said(caught.value)
            assert content(registered) == before


def test_a_dataset_never_becomes_a_model(registered: psycopg.Connection) -> None:
    detail = "/artifact_type: an artifact never becomes a model, and a model never ceases to be one"
    before = content(registered)
    with refused("MR005", column="artifact_type", detail=detail):
        registered.execute(
            "update artifacts set artifact_type = 'model', name = 'x', version_number = 1, metadata = %s, "
            "metadata_schema_version = 1 where id = 'd1'",
            [Jsonb(internal_metadata())],
        )
    assert content(registered) == before


def test_a_dataset_with_metadata_that_no_model_may_have_gets_the_reasons(registered: psycopg.Connection) -> None:
    with refused(
        "23514", column="metadata", constraint="artifacts_metadata_valid", detail=": must be an object, not null"
    ):
        registered.execute("update artifacts set artifact_type = 'model' where id = 'd1'")


def test_is_latest_taken_from_the_highest_version_is_refused_at_commit(registered: psycopg.Connection) -> None:
    with refused(
        "MR005",
        column="is_latest",
        constraint="artifacts_72_verify_latest",
        detail="/is_latest: 3 is the highest version of churn (m3)",
    ):
        registered.execute("update artifacts set is_latest = false where id = 'm3'")


def test_is_latest_moved_to_an_older_version_is_refused_at_commit(
    registered: psycopg.Connection, connect: Callable[..., psycopg.Connection]
) -> None:
    session = connect(autocommit=False)
    session.execute("update artifacts set is_latest = false where id = 'm3'")
    session.execute("update artifacts set is_latest = true where id = 'm1'")
    with refused(
        "MR005",
        column="is_latest",
        constraint="artifacts_72_verify_latest",
        detail="/is_latest: 3 is the highest version of churn (m3)",
    ):
        session.commit()
    latest = registered.execute("select id from artifacts where is_latest and name = 'churn'")
    assert latest.fetchall() == [("m3",)]


def test_a_second_latest_version_is_refused(registered: psycopg.Connection) -> None:
    with refused("23505", constraint="artifacts_one_latest", detail="Key (name)=(churn) already exists."):
        registered.execute("update artifacts set is_latest = true where id = 'm1'")


@pytest.mark.parametrize("tail", ["m1", "m2", "m3"])
def test_a_circle_of_superseded_by_is_refused_wherever_it_is_entered(registered: psycopg.Connection, tail: str) -> None:
    # Every version points into a circle of two; a walk without an end would be stopped here.
    registered.execute("set statement_timeout = '10s'")
    first, second = sorted({"m1", "m2", "m3"} - {tail})
    with pytest.raises(psycopg.Error) as caught:
        registered.execute(
            f"update artifacts set superseded_by = case id when '{first}' then '{second}' else '{first}' end "
            "where name = 'churn'"
        )
    assert (caught.value.sqlstate, caught.value.diag.column_name) == ("MR005", "superseded_by")
    assert registered.execute("select count(superseded_by) from artifacts").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("successor", "problem"),
    [("b1", "is no version of churn"), ("d1", "is no version of churn"), ("m2", "was never promoted")],
)
def test_superseded_by_names_a_version_that_took_the_place(
    registered: psycopg.Connection, successor: str, problem: str
) -> None:
    detail = f"/superseded_by: {successor} {problem}"
    with refused("MR005", column="superseded_by", constraint="artifacts_74_verify_succession", detail=detail):
        registered.execute("update artifacts set superseded_by = %s where id = 'm3'", [successor])


# fmt: off
COUNTER_CHANGES = [
    ("update registered_models set last_version = 9 where name = 'churn'",
     "/last_version: there is no version 9 of churn"),
    ("update registered_models set last_version = 2 where name = 'churn'",
     "/last_version: version 3 of churn was handed out, and no number is used again"),
    ("update registered_models set name = 'other' where name = 'churn'", "/last_version: a name is written once"),
    ("update registered_models set created_at = '2020-01-01'", "/last_version: a name is written once"),
    ("delete from registered_models where name = 'churn'", "/last_version: a name is never forgotten"),
    ("insert into registered_models (name, last_version) values ('new', 1)",
     "/last_version: a new name starts at 0"),
]
# fmt: on


def test_the_counter_of_a_name_is_kept_by_the_database(registered: psycopg.Connection) -> None:
    before = content(registered)
    for statement, detail in COUNTER_CHANGES:
        with refused("MR005", column="last_version", detail=detail):
            registered.execute(statement)
        assert content(registered) == before


# fmt: off
REMOVALS = [
    ("delete from model_versions where artifact_id = 'm2'",
     "DELETE on atlas.model_versions would take away the provenance of a version that stands"),
    ("truncate artifacts cascade", "TRUNCATE on atlas.artifacts would take away the provenance of model versions"),
    ("truncate model_versions cascade",
     "TRUNCATE on atlas.model_versions would take away the provenance of model versions"),
    ("truncate registered_models",
     "TRUNCATE on atlas.registered_models would take away the provenance of model versions"),
]
# fmt: on


def test_what_is_registered_is_neither_taken_apart_nor_truncated(registered: psycopg.Connection) -> None:
    before = content(registered)
    for statement, detail in REMOVALS:
        with refused("MR008", detail=detail):
            registered.execute(statement)
        assert content(registered) == before


def test_a_dataset_that_nothing_points_to_can_be_deleted(registered: psycopg.Connection) -> None:
    registered.execute("delete from artifacts where id = 'd1'")
    assert registered.execute("select count(*) from artifacts where id = 'd1'").fetchall() == [(0,)]


def test_a_dataset_that_a_model_was_measured_on_cannot_be_deleted(registered: psycopg.Connection) -> None:
    register(registered, "churn", eval_dataset_artifact_id="d1")
    detail = 'Key (id)=(d1) is still referenced from table "model_versions".'
    with refused("23503", constraint="model_versions_eval_dataset_fkey", detail=detail):
        registered.execute("delete from artifacts where id = 'd1'")


def test_an_update_of_the_title_sets_updated_at(registered: psycopg.Connection) -> None:
    registered.execute("update artifacts set title = 'Churn' where id = 'm1'")
    row = registered.execute("select title, updated_at > created_at from artifacts where id = 'm1'")
    assert row.fetchall() == [("Churn", True)]


def test_descriptive_columns_stay_open_to_updates(registered: psycopg.Connection) -> None:
    registered.execute(
        "update artifacts set version_tag = '1.0', changelog = 'c', lifecycle_state = 's', origin_type = 't', "
        "origin_url = 'u', created_by = 'ada' where id = 'm1'"
    )
    registered.execute(
        "update model_versions set code_entrypoint = 'train.py', trained_by = 'a', promotion_notes = 'n' "
        "where artifact_id = 'm1'"
    )
    row = registered.execute("select version_tag, created_by, code_entrypoint from models where artifact_id = 'm1'")
    assert row.fetchall() == [("1.0", "ada", "train.py")]


def test_changed_metadata_is_carried_over_to_the_version(registered: psycopg.Connection) -> None:
    metadata = external_metadata(
        base_model_id="b1",
        benchmark_id="bench-9",
        external_source_version="v2",
        evaluation_metrics={"auroc": 0.99},
        training_config={"depth": 3},
    )
    registered.execute("update artifacts set metadata = %s where id = 'm1'", [Jsonb(metadata)])
    row = registered.execute(
        """select is_external, external_source_url, external_source_version, base_model_id, benchmark_id,
        eval_metrics_json, training_params_json from model_versions where artifact_id = 'm1'"""
    )
    url = "https://models.example.org/resnet50"
    assert row.fetchall() == [(True, url, "v2", "b1", "bench-9", {"auroc": 0.99}, {"depth": 3})]


def test_what_was_measured_stays_when_the_declared_value_changes(registered: psycopg.Connection) -> None:
    registered.execute("""update model_versions set eval_metrics_json = '{"auroc": 0.5}' where artifact_id = 'm1'""")
    metadata = internal_metadata(base_model_id="b1", evaluation_metrics={"auroc": 0.99})
    registered.execute("update artifacts set metadata = %s where id = 'm1'", [Jsonb(metadata)])
    row = registered.execute("select eval_metrics_json from model_versions where artifact_id = 'm1'")
    assert row.fetchall() == [({"auroc": 0.5},)]


def test_changed_metadata_must_be_valid(registered: psycopg.Connection) -> None:
    before = content(registered)
    metadata = internal_metadata(base_model_id="b1", framework=ABSENT, parameter_count=CANARY)
    with refused(
        "23514",
        column="metadata",
        constraint="artifacts_metadata_valid",
        detail="/framework: is required\n/parameter_count: must be an integer, not a string",
    ) as caught:
        registered.execute("update artifacts set metadata = %s where id = 'm1'", [Jsonb(metadata)])
    assert CANARY not in everything_said(caught.value)
    assert content(registered) == before


@pytest.mark.parametrize("base", [ABSENT, "m3"])
def test_the_base_declared_in_the_metadata_never_changes(registered: psycopg.Connection, base: Any) -> None:
    detail = "/metadata/base_model_id: the base of a registered version never changes"
    with refused("MR005", column="metadata", detail=detail):
        registered.execute(
            "update artifacts set metadata = %s where id = 'm1'", [Jsonb(internal_metadata(base_model_id=base))]
        )


def test_no_base_can_be_declared_later(registered: psycopg.Connection) -> None:
    register(registered, "other", artifact_id="o1")
    detail = "/metadata/base_model_id: the base of a registered version never changes"
    with refused("MR005", column="metadata", detail=detail):
        registered.execute("update artifacts set metadata = metadata || '{\"base_model_id\": \"m1\"}' where id = 'o1'")
