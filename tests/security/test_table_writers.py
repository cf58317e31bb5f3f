"""An application that writes the artifacts table itself, as before Atlas: it keeps its datasets, and nothing else."""

from __future__ import annotations

import json

import psycopg
import pytest

from factories import internal_metadata

METADATA = json.dumps(internal_metadata())
INSERT_MODEL = "insert into artifacts (id, artifact_type, name, metadata) values ('w', 'model', 'm', %(metadata)s)"


def fill(conn: psycopg.Connection) -> None:
    """Two versions of one model, the first of them promoted, a dataset, and a writer of the artifacts table."""
    for artifact_id in ("v", "v2"):
        conn.execute("select register_model('m', %s, artifact_id => %s)", [METADATA, artifact_id])
    conn.execute("select promote_model('v')")
    conn.execute("select register_artifact('dataset', 'cohort', artifact_id => 'd')")
    conn.execute("grant select, insert, update, delete on artifacts to test_stranger")


@pytest.fixture
def application(superuser, actor):
    """A user who may read and write artifacts and nothing else."""
    fill(superuser)
    return actor("test_stranger")


def test_it_inserts_a_dataset(application):
    application.execute("insert into artifacts (id, artifact_type, title) values ('e', 'dataset', 'cohort B')")
    row = application.execute("select title, metadata_schema_version from artifacts where id = 'e'").fetchone()
    assert row == ("cohort B", None)


def test_it_copies_datasets_in(application):
    application.conn.execute("set local session authorization test_stranger")
    with application.conn.cursor().copy("copy artifacts (id, artifact_type, metadata) from stdin") as rows:
        rows.write_row(("e", "dataset", '{"free": ["form", 1]}'))
        rows.write_row(("f", "benchmark", None))
    assert application.execute("select count(*) from artifacts").fetchone() == (5,)


def test_it_updates_and_deletes_a_dataset(application):
    application.execute("update artifacts set title = 'cohort A, cleaned', metadata = '[]' where id = 'd'")
    application.execute("delete from artifacts where id = 'd'")
    assert application.execute("select count(*) from artifacts where id = 'd'").fetchone() == (0,)


def test_it_updates_the_title_of_a_model(application):
    application.execute("update artifacts set title = 'Risk at admission' where id = 'v'")
    assert application.execute("select title from artifacts where id = 'v'").fetchone() == ("Risk at admission",)


def test_it_cannot_insert_a_model_because_the_version_would_be_missing_at_commit(application):
    error = application.refusal(INSERT_MODEL, {"metadata": METADATA})
    assert (error.sqlstate, error.diag.constraint_name) == ("MR004", "artifacts_70_require_version")


def test_it_cannot_insert_a_model_with_bad_metadata(application):
    error = application.refusal(INSERT_MODEL, {"metadata": "{}"})
    assert (error.sqlstate, error.diag.constraint_name) == ("23514", "artifacts_metadata_valid")


@pytest.mark.parametrize(
    ("change", "where", "sqlstate"),
    [
        ("artifact_type = 'model', name = 'm2', metadata_schema_version = 1, metadata = %(metadata)s", "d", "MR005"),
        ("artifact_type = 'dataset', name = null, metadata_schema_version = null", "v", "MR005"),
        ("metadata_schema_version = 1", "d", "23514"),
        ("name = 'm'", "d", "23514"),
        ("metadata = '{}'", "v", "23514"),
        ("metadata = null", "v", "23514"),
        ("metadata = metadata || '{\"parameter_count\": 1e400}'", "v", "23514"),
        ("metadata_schema_version = 0", "v", "MR005"),
        ("metadata_schema_version = null", "v", "MR005"),
        ("metadata_schema_version = 99", "v", "23514"),
        ("id = 'other'", "v", "MR005"),
        ("name = 'another'", "v", "MR005"),
        ("version_number = 3", "v2", "MR005"),
        ("parent_version_id = 'v2'", "v", "MR005"),
        ("created_at = '2001-01-01'", "v", "MR005"),
        ("is_latest = true", "v", "23505"),
        ("is_latest = false", "v2", "MR005"),
        ("is_latest = null", "v2", "MR005"),
        ("superseded_by = 'd'", "v", "MR005"),
        ("superseded_by = 'v'", "v", "MR005"),
        ('metadata = metadata || \'{"base_model_id": "v2"}\'', "v", "MR005"),
    ],
)
def test_it_cannot_write_what_a_model_rests_on(application, superuser, change, where, sqlstate):
    query = "select to_jsonb(a) from artifacts as a order by a.id"
    before = superuser.execute(query).fetchall()
    error = application.refusal(f"update artifacts set {change} where id = '{where}'", {"metadata": METADATA})
    assert error.sqlstate == sqlstate, error
    assert superuser.execute(query).fetchall() == before


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("delete from artifacts where id = 'v2'", "MR008"),
        ("delete from artifacts", "MR008"),
        ("truncate artifacts", "42501"),
        ("insert into model_versions (artifact_id) values ('d')", "42501"),
        ("update model_versions set promotion_state = 'rejected'", "42501"),
        ("insert into registered_models (name) values ('mine')", "42501"),
        ("alter table artifacts disable trigger user", "42501"),
        ("set session_replication_role = replica", "42501"),
        ("create trigger t before insert on artifacts execute function explain_version()", "42501"),
        ("select _lock_model_name('m')", "42501"),
    ],
)
def test_it_cannot_reach_past_its_table(application, statement, sqlstate):
    assert application.refusal(statement).sqlstate == sqlstate


def test_deferring_every_constraint_defers_the_refusal_to_commit_and_no_further(conn, connect):
    fill(conn)
    application = connect("test_stranger", autocommit=False)
    application.execute("set constraints all deferred")
    application.execute("update artifacts set is_latest = false where id = 'v2'")
    with pytest.raises(psycopg.Error) as caught:
        application.commit()
    assert caught.value.sqlstate == "MR005"


def test_a_change_of_metadata_reaches_the_version_that_it_may_not_write(application, superuser):
    application.execute("update artifacts set metadata = metadata || '{\"benchmark_id\": \"b-1\"}' where id = 'v'")
    assert superuser.execute("select benchmark_id from model_versions where artifact_id = 'v'").fetchone() == ("b-1",)
