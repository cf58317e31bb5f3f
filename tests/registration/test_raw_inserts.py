"""INSERT and COPY straight into the tables: the same invariants as through the functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories import external_metadata, internal_metadata, register
from refusals import refused

VALID = json.dumps(internal_metadata())


@pytest.fixture
def raw(connect: Callable[..., psycopg.Connection]) -> Iterator[psycopg.Connection]:
    """A superuser's connection whose transactions are ended by the test."""
    conn = connect(autocommit=False)
    yield conn
    conn.rollback()


def insert(conn: psycopg.Connection, artifact_id: str, name: str = "churn", **columns: object) -> None:
    row = {"id": artifact_id, "artifact_type": "model", "name": name, "metadata": VALID} | columns
    names, places = ", ".join(row), ", ".join(f"%({key})s" for key in row)
    conn.execute(f"insert into artifacts ({names}) values ({places})", row)


def add_version(conn: psycopg.Connection, artifact_id: str) -> None:
    conn.execute("insert into model_versions (artifact_id) values (%s)", [artifact_id])


def numbers(conn: psycopg.Connection) -> list[tuple[str, int, bool]]:
    return conn.execute("select id, version_number, is_latest from artifacts order by name, version_number").fetchall()


def test_both_rows_in_one_transaction_are_a_registration(raw: psycopg.Connection) -> None:
    insert(raw, "m1")
    add_version(raw, "m1")
    raw.commit()
    row = raw.execute("select name, version_number, is_latest, promotion_state, metadata_schema_version from models")
    assert row.fetchall() == [("churn", 1, True, "candidate", 1)]


def test_both_rows_in_one_statement_are_a_registration(conn: psycopg.Connection) -> None:
    conn.execute(
        """with a as (
            insert into artifacts (id, artifact_type, name, metadata) values ('m1', 'model', 'churn', %s) returning id
        )
        insert into model_versions (artifact_id) select id from a""",
        [VALID],
    )
    assert conn.execute("select name, version_number from models").fetchall() == [("churn", 1)]


def test_who_registered_is_who_logged_in_whatever_the_row_says(
    raw: psycopg.Connection, connect: Callable[..., psycopg.Connection]
) -> None:
    insert(raw, "m1")
    raw.execute("insert into model_versions (artifact_id, registered_by) values ('m1', 'somebody else')")
    raw.commit()
    register(connect("test_registrar"), "churn", artifact_id="m2", created_by="somebody else")
    row = raw.execute("select artifact_id, registered_by, created_by from models order by artifact_id")
    assert row.fetchall() == [("m1", "postgres", None), ("m2", "test_registrar", "somebody else")]


def test_declared_facts_are_derived_for_a_raw_insert_too(raw: psycopg.Connection) -> None:
    register(raw, "base", artifact_id="b1")
    metadata = external_metadata(base_model_id="b1", benchmark_id="bench-7", evaluation_metrics={"f1": 0.5})
    insert(raw, "m1", metadata=Jsonb(metadata))
    add_version(raw, "m1")
    row = raw.execute(
        """select model_name, is_external, external_source_url, external_source_version, base_model_id, benchmark_id,
        eval_metrics_json from model_versions where artifact_id = 'm1'"""
    )
    url = "https://models.example.org/resnet50"
    assert row.fetchall() == [("churn", True, url, "v1.5", "b1", "bench-7", {"f1": 0.5})]


def test_explicit_nulls_mean_the_same_as_columns_left_out(raw: psycopg.Connection) -> None:
    insert(
        raw, "m1", version_number=None, is_latest=None, metadata_schema_version=None, created_at=None, updated_at=None
    )
    raw.execute("insert into model_versions (artifact_id, is_external, created_at) values ('m1', null, null)")
    raw.commit()
    row = raw.execute("select version_number, is_latest, is_external, created_at = updated_at from models")
    assert row.fetchall() == [(1, True, False, True)]


def test_a_multi_row_insert_of_one_name_is_numbered_in_order_and_the_last_is_the_latest(
    raw: psycopg.Connection,
) -> None:
    register(raw, "churn", artifact_id="m0")
    raw.execute(
        """insert into artifacts (id, artifact_type, name, metadata)
        select 'm' || i, 'model', 'churn', %s from generate_series(1, 4) as i""",
        [VALID],
    )
    raw.execute("insert into model_versions (artifact_id) values ('m4'), ('m1'), ('m3'), ('m2')")
    raw.commit()
    assert numbers(raw) == [
        ("m0", 1, False),
        ("m1", 2, False),
        ("m2", 3, False),
        ("m3", 4, False),
        ("m4", 5, True),
    ]
    assert raw.execute("select last_version from registered_models").fetchall() == [(5,)]


def test_statements_of_one_transaction_number_on(raw: psycopg.Connection) -> None:
    for artifact_id in ("m1", "m2", "m3"):
        insert(raw, artifact_id)
        add_version(raw, artifact_id)
    raw.commit()
    assert numbers(raw) == [("m1", 1, False), ("m2", 2, False), ("m3", 3, True)]


def test_the_next_number_may_be_given(raw: psycopg.Connection) -> None:
    insert(raw, "m1", version_number=1)
    insert(raw, "m2", version_number=2)
    raw.execute("insert into model_versions (artifact_id) values ('m1'), ('m2')")
    raw.commit()
    assert numbers(raw) == [("m1", 1, False), ("m2", 2, True)]


def test_given_numbers_may_follow_on_in_any_order_within_a_statement(raw: psycopg.Connection) -> None:
    raw.execute(
        """insert into artifacts (id, artifact_type, name, metadata, version_number)
        select 'm' || i, 'model', 'churn', %s, i from unnest(array[3, 1, 2]) as i""",
        [VALID],
    )
    raw.execute("insert into model_versions (artifact_id) values ('m1'), ('m2'), ('m3')")
    raw.commit()
    assert numbers(raw) == [("m1", 1, False), ("m2", 2, False), ("m3", 3, True)]


@pytest.mark.parametrize("number", [None, 1])
def test_is_latest_false_of_the_only_version_is_put_right(raw: psycopg.Connection, number: int | None) -> None:
    insert(raw, "m1", is_latest=False, version_number=number)
    add_version(raw, "m1")
    raw.commit()
    assert numbers(raw) == [("m1", 1, True)]


@pytest.mark.usefixtures("nothing_written")
def test_a_number_out_of_turn_is_refused(raw: psycopg.Connection) -> None:
    for number in (2, 7, 0, -1):
        with refused(
            "MR006", column="version_number", detail=f"/version_number: the next one of churn is not {number}"
        ):
            insert(raw, "m1", version_number=number)
        raw.rollback()


def test_claiming_that_rows_are_complete_gains_no_place(raw: psycopg.Connection) -> None:
    register(raw, "churn", artifact_id="m1")
    register(raw, "new", artifact_id="n1")
    raw.commit()
    raw.execute("set atlas_models.rows_are_complete = 'yes'")
    raw.commit()
    one_latest = {"constraint": "artifacts_one_latest", "detail": "Key (name)=(churn) already exists."}
    out_of_turn = {"column": "version_number", "detail": "/version_number: the next one of churn is not 7"}
    for sqlstate, answer, columns in (
        ("23505", one_latest, {"version_number": 2, "is_latest": True}),
        ("MR006", out_of_turn, {"version_number": 7, "is_latest": False}),
    ):
        with refused(sqlstate, **answer):
            insert(raw, "m2", **columns)
        raw.rollback()
    detail = "/version_number: the next one of unheard of is not 1"
    with refused("MR006", column="version_number", detail=detail):
        insert(raw, "u1", name="unheard of", version_number=1, is_latest=True)
    raw.rollback()
    insert(raw, "m2", version_number=2, is_latest=False)
    add_version(raw, "m2")
    insert(raw, "n2", name="new")
    add_version(raw, "n2")
    raw.commit()
    assert numbers(raw) == [("m1", 1, False), ("m2", 2, True), ("n1", 1, False), ("n2", 2, True)]


@pytest.fixture
def claiming(raw: psycopg.Connection) -> psycopg.Connection:
    """A session that says of every row that it is complete; there are m1, a version of 'other', and the dataset d1."""
    register(raw, "other", artifact_id="m1")
    raw.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    raw.execute("insert into registered_models (name) values ('churn')")
    raw.commit()
    raw.execute("set atlas_models.rows_are_complete = 'yes'")
    raw.commit()
    return raw


COMPLETE_ID = "model-0b6a6d6e-3c1f-4a52-9a55-6b8a4c2f1d10"
NOT_COMPLETE = [
    ("23514", "artifacts_metadata_valid", None, {"metadata": "{}"}),
    ("23514", "artifacts_metadata_valid", None, {"metadata": None}),
    ("23514", "artifacts_metadata_valid", None, {"metadata": '{"a": 1e400}'}),
    ("23514", "artifacts_metadata_bounded", "metadata", {"metadata": f'{{"a": 1e400, "b": "{"b" * 2048}"}}'}),
    ("23502", None, "name", {"name": None}),
    ("23514", "artifacts_row_complete", None, {"name": " churn"}),
    ("23514", "artifacts_metadata_valid", None, {"metadata_schema_version": 7}),
    ("23514", "artifacts_legacy_sealed", None, {"metadata_schema_version": 0}),
    ("23514", "artifacts_row_complete", None, {"version_number": 0}),
    ("MR006", None, "version_number", {"version_number": 2}),
    ("MR006", None, "version_number", {"name": "unheard of"}),
    ("MR005", None, "superseded_by", {"superseded_by": "m1"}),
    ("MR005", None, "id", {"id": "has a blank"}),
    ("MR005", None, "id", {"id": "x" * 257}),
    ("MR007", None, "parent_version_id", {"parent_version_id": COMPLETE_ID}),
    ("23503", "artifacts_parent_fkey", None, {"parent_version_id": "nowhere"}),
    ("23514", "artifacts_row_complete", None, {"created_at": None}),
]


@pytest.mark.parametrize(("sqlstate", "constraint", "column", "changes"), NOT_COMPLETE)
def test_an_artifact_that_is_said_to_be_complete_and_is_not_is_refused(
    claiming: psycopg.Connection, sqlstate: str, constraint: str | None, column: str | None, changes: dict[str, object]
) -> None:
    row = {"id": COMPLETE_ID, "version_number": 1, "is_latest": True, "metadata_schema_version": 1} | changes
    with pytest.raises(psycopg.Error) as caught:
        insert(claiming, str(row.pop("id")), **row)
    diag = caught.value.diag
    answer = (caught.value.sqlstate, diag.constraint_name or None, diag.column_name or None)
    assert answer == (sqlstate, constraint, column)


def test_an_artifact_that_is_said_to_be_complete_and_is_may_come_without_the_row_trigger(
    claiming: psycopg.Connection,
) -> None:
    insert(claiming, "m2", name="other", version_number=2, is_latest=False, metadata_schema_version=1)
    claiming.execute(
        """insert into model_versions (artifact_id, model_name, is_external, eval_metrics_json)
        values ('m2', 'other', false, '{"auroc": 0.91}')"""
    )
    claiming.commit()
    assert numbers(claiming)[:2] == [("m1", 1, False), ("m2", 2, True)]


FALSE_VERSIONS = [
    ("MR005", "is_external", {"is_external": True}),
    ("MR005", "external_source_url", {"external_source_url": "https://example.org"}),
    ("MR005", "external_source_version", {"external_source_version": "v1"}),
    ("MR005", "base_model_id", {"base_model_id": "m1"}),
    ("MR005", "benchmark_id", {"benchmark_id": "b1"}),
    ("MR005", "eval_metrics_json", {"eval_metrics_json": None}),
    ("MR005", "eval_metrics_json", {"eval_metrics_json": '{"auroc": 1e400}'}),
    ("MR005", "training_params_json", {"training_params_json": '{"rate": 1e-401}'}),
    ("23514", None, {"training_params_json": "[]"}),
    ("23514", None, {"code_commit_sha": "0123456"}),
    ("23514", None, {"code_repo_url": "git"}),
    ("23514", None, {"idempotency_key": "k"}),
    ("23503", None, {"model_name": "other"}),
    ("MR005", "registered_by", {"registered_by": "somebody else"}),
    ("MR001", "promotion_state", {"promotion_state": "promoted"}),
    ("MR001", "promotion_state", {"first_promoted_at": "2024-05-01 12:00Z"}),
    ("23503", "eval_dataset_artifact_id", {"eval_dataset_artifact_id": "m1"}),
    ("MR004", "artifact_id", {"artifact_id": "d1", "model_name": None}),
    ("23503", None, {"artifact_id": "nowhere"}),
]


@pytest.mark.parametrize("door", ["values", "copy", "with"])
@pytest.mark.parametrize(("sqlstate", "column", "changes"), FALSE_VERSIONS)
def test_a_version_that_is_said_to_be_complete_and_is_not_is_refused(
    claiming: psycopg.Connection, door: str, sqlstate: str, column: str | None, changes: dict[str, object]
) -> None:
    artifact = f"""insert into artifacts (id, artifact_type, name, metadata, metadata_schema_version, version_number)
        values ('{COMPLETE_ID}', 'model', 'churn', '{VALID}', 1, 1)"""
    row = {
        "artifact_id": COMPLETE_ID,
        "model_name": "churn",
        "is_external": False,
        "eval_metrics_json": '{"auroc": 0.91}',
    }
    row |= changes
    names, places = ", ".join(row), ", ".join(f"%({key})s" for key in row)
    with pytest.raises(psycopg.Error) as caught:
        if door == "with":
            claiming.execute(f"with a as ({artifact}) insert into model_versions ({names}) values ({places})", row)
        else:
            claiming.execute(artifact)
            if door == "values":
                claiming.execute(f"insert into model_versions ({names}) values ({places})", row)
            else:
                with claiming.cursor().copy(f"copy model_versions ({names}) from stdin") as copy:
                    copy.write_row(tuple(row.values()))
    if door == "with" and changes.keys() & {"base_model_id", "eval_dataset_artifact_id"}:
        # Such a row is looked at one by one, when its artifact is not there yet.
        sqlstate, column = "23503", "artifact_id"
    answer = (caught.value.sqlstate, caught.value.diag.column_name or None)
    assert answer == (sqlstate, column)


def test_a_claim_that_is_made_and_taken_back_within_a_statement_gains_nothing(raw: psycopg.Connection) -> None:
    insert(raw, "m1")
    insert(raw, "m2")
    with refused("MR005", column="benchmark_id", detail="/benchmark_id: the metadata declares another value, or none"):
        raw.execute(
            """insert into model_versions (artifact_id, model_name, benchmark_id, eval_metrics_json)
            select
                'm' || i,
                case set_config('atlas_models.rows_are_complete', case i when 1 then 'yes' else '' end, true)
                    when 'yes' then 'churn' else 'churn'
                end,
                case i when 1 then 'b1' end,
                '{"auroc": 0.91}'
            from generate_series(1, 2) as i"""
        )


def test_a_claim_lets_no_update_pass(claiming: psycopg.Connection) -> None:
    for column, value in (("training_params_json", '{"rate": 1e400}'), ("code_commit_sha", "0123456")):
        with pytest.raises(psycopg.errors.CheckViolation) as caught, claiming.transaction():
            claiming.execute(f"update model_versions set {column} = %s", [value])
        assert caught.value.diag.message_detail.startswith(f"/{column}: must be")
    with (
        refused("MR005", column="benchmark_id", detail="/benchmark_id: the metadata declares another value, or none"),
        claiming.transaction(),
    ):
        claiming.execute("update model_versions set benchmark_id = 'b1'")
    # The metadata are validated all the same, with less of an explanation.
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        claiming.execute("update artifacts set metadata = '{}' where id = 'm1'")
    assert caught.value.diag.constraint_name == "artifacts_metadata_valid"


def test_a_registration_leaves_no_claim_behind(raw: psycopg.Connection) -> None:
    register(raw, "churn", artifact_id="m1")
    insert(raw, "m2", version_number=2)
    add_version(raw, "m2")
    raw.commit()
    assert numbers(raw) == [("m1", 1, False), ("m2", 2, True)]


def test_a_number_that_is_taken_is_refused(raw: psycopg.Connection) -> None:
    register(raw, "churn")
    detail = "Key (name, version_number)=(churn, 1) already exists."
    with refused("23505", constraint="artifacts_name_version_key", detail=detail):
        insert(raw, "m1", version_number=1)


@pytest.mark.usefixtures("nothing_written")
def test_a_gap_within_a_statement_is_refused(raw: psycopg.Connection) -> None:
    with refused("MR006", column="version_number", detail="/version_number: the next one of churn is not 1"):
        raw.execute(
            """insert into artifacts (id, artifact_type, name, metadata, version_number)
            values ('m1', 'model', 'churn', %s, 1), ('m3', 'model', 'churn', %s, 3)""",
            [VALID, VALID],
        )


@pytest.mark.usefixtures("nothing_written")
def test_a_model_without_its_version_row_is_refused_at_commit(raw: psycopg.Connection) -> None:
    insert(raw, "m1")
    with refused(
        "MR004",
        constraint="artifacts_70_require_version",
        detail="/id: m1 stands in artifacts and not in model_versions",
    ):
        raw.commit()


@pytest.mark.usefixtures("nothing_written")
def test_a_version_row_without_an_artifact_is_refused(raw: psycopg.Connection) -> None:
    with refused(
        "23503",
        column="artifact_id",
        constraint="model_versions_artifact_fkey",
        detail="/artifact_id: there is no artifact m1",
    ):
        add_version(raw, "m1")


@pytest.mark.usefixtures("nothing_written")
def test_a_version_row_of_a_dataset_is_refused(raw: psycopg.Connection) -> None:
    raw.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    with refused("MR004", column="artifact_id", detail="/artifact_id: d1 is a dataset"):
        add_version(raw, "d1")


def test_a_second_version_row_of_an_artifact_is_refused(raw: psycopg.Connection) -> None:
    register(raw, "churn", artifact_id="m1")
    with refused("23505", constraint="model_versions_pkey", detail="Key (artifact_id)=(m1) already exists."):
        add_version(raw, "m1")


def test_a_version_row_under_another_name_is_refused(raw: psycopg.Connection) -> None:
    insert(raw, "m1")
    detail = 'Key (artifact_id, model_name)=(m1, other) is not present in table "artifacts".'
    with refused("23503", constraint="model_versions_artifact_name_fkey", detail=detail):
        raw.execute("insert into model_versions (artifact_id, model_name) values ('m1', 'other')")


@pytest.mark.usefixtures("nothing_written")
def test_what_only_the_database_sets_is_refused(raw: psycopg.Connection) -> None:
    for column, value, problem in [
        ("metadata_schema_version", 0, "0 marks rows that stood in the table before it was adopted"),
        ("superseded_by", "m2", "a new version is superseded by none"),
    ]:
        with refused("MR005", column=column, detail=f"/{column}: {problem}"):
            insert(raw, "m1", **{column: value})
        raw.rollback()


@pytest.mark.usefixtures("nothing_written")
def test_a_schema_version_that_does_not_exist_is_refused(raw: psycopg.Connection) -> None:
    with refused(
        "23514",
        column="metadata_schema_version",
        constraint="artifacts_metadata_valid",
        detail="/metadata_schema_version: the current version is 1",
    ):
        insert(raw, "m1", metadata_schema_version=99)


@pytest.mark.usefixtures("nothing_written")
def test_a_version_row_that_contradicts_the_metadata_is_refused(raw: psycopg.Connection) -> None:
    insert(raw, "m1")
    for column, value in (
        ("is_external", True),
        ("base_model_id", "m1"),
        ("benchmark_id", "b"),
        ("external_source_url", "u"),
    ):
        detail = f"/{column}: the metadata declares another value, or none"
        with refused("MR005", column=column, detail=detail), raw.transaction():
            raw.execute(f"insert into model_versions (artifact_id, {column}) values ('m1', %s)", [value])


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize(
    ("column", "value"),
    [("idempotency_key", "k"), ("idempotency_digest", b"d")],
)
def test_an_idempotency_key_and_its_digest_come_together_or_not_at_all(
    raw: psycopg.Connection, column: str, value: object
) -> None:
    insert(raw, "m1")
    with refused(
        "23514",
        column="idempotency_key",
        constraint="model_versions_row_complete",
        detail="/idempotency_key: comes with idempotency_digest, or neither does",
    ):
        raw.execute(f"insert into model_versions (artifact_id, {column}) values ('m1', %s)", [value])


COPY = "copy artifacts (id, artifact_type, name, metadata) from stdin"


def test_copy_of_good_rows_is_a_registration(raw: psycopg.Connection) -> None:
    with raw.cursor().copy(COPY) as copy:
        for artifact_id, name in (("m1", "a"), ("m2", "b"), ("m3", "a")):
            copy.write_row((artifact_id, "model", name, VALID))
        copy.write_row(("d1", "dataset", None, "{}"))
    with raw.cursor().copy("copy model_versions (artifact_id) from stdin") as copy:
        for artifact_id in ("m1", "m2", "m3"):
            copy.write_row((artifact_id,))
    raw.commit()
    models = raw.execute("select artifact_id, name, version_number, is_latest from models order by 1")
    assert models.fetchall() == [("m1", "a", 1, False), ("m2", "b", 1, True), ("m3", "a", 2, True)]


@pytest.mark.usefixtures("nothing_written")
def test_one_bad_row_refuses_the_whole_copy(raw: psycopg.Connection) -> None:
    with (
        refused(
            "23514",
            column="metadata",
            constraint="artifacts_metadata_valid",
            detail="/is_external: is required",
        ),
        raw.cursor().copy(COPY) as copy,
    ):
        copy.write_row(("m1", "model", "churn", VALID))
        copy.write_row(("m2", "model", "churn", "{}"))
        copy.write_row(("m3", "model", "churn", VALID))


def test_on_conflict_do_nothing_works_for_a_dataset(conn: psycopg.Connection) -> None:
    statement = "insert into artifacts (id, artifact_type, title) values ('d1', 'dataset', %s) on conflict do nothing"
    for title in ("first", "second"):
        conn.execute(statement, [title])
    assert conn.execute("select title from artifacts").fetchall() == [("first",)]


@pytest.mark.parametrize(
    ("artifact_id", "number"),
    [("m1", None), ("m1", 1), ("m3", 1)],
    ids=["same id", "same id and number", "same number"],
)
def test_on_conflict_do_nothing_leaves_a_registered_model_as_it_is(
    conn: psycopg.Connection, artifact_id: str, number: int | None
) -> None:
    register(conn, "churn", artifact_id="m1", title="first")
    register(conn, "churn", artifact_id="m2")
    conn.execute(
        """insert into artifacts (id, artifact_type, name, metadata, version_number, title)
        values (%s, 'model', 'churn', %s, %s, 'second') on conflict do nothing""",
        [artifact_id, VALID, number],
    )
    assert numbers(conn) == [("m1", 1, False), ("m2", 2, True)]
    assert conn.execute("select last_version from registered_models").fetchall() == [(2,)]


def test_on_conflict_do_update_changes_a_registered_model_in_place(conn: psycopg.Connection) -> None:
    register(conn, "churn", artifact_id="m1")
    register(conn, "churn", artifact_id="m2")
    conn.execute(
        """insert into artifacts (id, artifact_type, name, metadata, title)
        values ('m1', 'model', 'churn', %s, 'new') on conflict (id) do update
        set title = excluded.title, version_number = excluded.version_number, is_latest = excluded.is_latest""",
        [VALID],
    )
    assert numbers(conn) == [("m1", 1, False), ("m2", 2, True)]
    assert conn.execute("select title from artifacts where id = 'm1'").fetchall() == [("new",)]


def test_a_parent_may_stand_further_on_in_the_same_insert(conn: psycopg.Connection) -> None:
    conn.execute(
        """with a as (
            insert into artifacts (id, artifact_type, name, metadata, parent_version_id)
            values ('child', 'model', 'churn', %s, 'parent'), ('parent', 'model', 'churn', %s, null)
            returning id
        )
        insert into model_versions (artifact_id) select id from a""",
        [VALID, VALID],
    )
    assert numbers(conn) == [("child", 1, False), ("parent", 2, True)]


CIRCLE = "would be made from each other in a circle"


@pytest.mark.usefixtures("nothing_written")
def test_a_circle_of_parents_within_one_insert_is_refused(raw: psycopg.Connection) -> None:
    with refused("MR007", column="parent_version_id", detail=f"/parent_version_id: x, y {CIRCLE}"):
        raw.execute(
            """insert into artifacts (id, artifact_type, name, metadata, parent_version_id)
            values ('x', 'model', 'churn', %s, 'y'), ('y', 'model', 'churn', %s, 'x')""",
            [VALID, VALID],
        )


@pytest.mark.usefixtures("nothing_written")
def test_a_circle_of_bases_is_refused(raw: psycopg.Connection) -> None:
    insert(raw, "x", metadata=Jsonb(internal_metadata(base_model_id="y")))
    insert(raw, "y", metadata=Jsonb(internal_metadata(base_model_id="x")))
    add_version(raw, "x")
    with refused("MR007", column="base_model_id", detail=f"/metadata/base_model_id: x, y {CIRCLE}"):
        add_version(raw, "y")


@pytest.mark.usefixtures("nothing_written")
def test_a_circle_of_a_parent_and_a_base_is_refused(raw: psycopg.Connection) -> None:
    insert(raw, "x", metadata=Jsonb(internal_metadata(base_model_id="y")))
    insert(raw, "y", parent_version_id="x")
    add_version(raw, "y")
    with refused("MR007", column="base_model_id", detail=f"/metadata/base_model_id: x, y {CIRCLE}"):
        add_version(raw, "x")


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_a_circle_that_leaves_the_statement_and_comes_back_is_refused(
    raw: psycopg.Connection, order: tuple[str, str]
) -> None:
    insert(raw, "x", metadata=Jsonb(internal_metadata(base_model_id="z")))
    insert(raw, "y", parent_version_id="x")
    insert(raw, "z", metadata=Jsonb(internal_metadata(base_model_id="y")))
    add_version(raw, "z")
    with refused("MR007", column="base_model_id", detail=f"/metadata/base_model_id: x, z, y {CIRCLE}"):
        raw.execute("insert into model_versions (artifact_id) values (%s), (%s)", order)


def test_two_ways_to_one_ancestor_are_no_circle(raw: psycopg.Connection) -> None:
    register(raw, "churn", artifact_id="root")
    register(raw, "churn", artifact_id="left", parent_version_id="root")
    register(raw, "churn", internal_metadata(base_model_id="root"), artifact_id="right", parent_version_id="root")
    tip = internal_metadata(base_model_id="left")
    insert(raw, "below", parent_version_id="right", metadata=Jsonb(tip))
    insert(raw, "tip", parent_version_id="below", metadata=Jsonb(tip))
    raw.execute("insert into model_versions (artifact_id) values ('tip'), ('below')")
    raw.commit()
    assert raw.execute("select count(*) from models").fetchall() == [(5,)]
