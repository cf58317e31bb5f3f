"""What must not come in, by whichever door: a clear refusal each, and nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories import ABSENT, external_metadata, internal_metadata, register
from refusals import everything_said, refused

pytestmark = pytest.mark.usefixtures("nothing_written")


@pytest.fixture(scope="module")
def conn(template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """One connection for all tests of this file: nothing that they do stays."""
    with psycopg.connect(new_database(template_database), autocommit=True) as connection:
        connection.execute("set search_path = atlas, public")
        yield connection


Door = Callable[[psycopg.Connection, str | None], None]


def by_register_model(conn: psycopg.Connection, metadata: str | None) -> None:
    conn.execute("select register_model('churn', %s::jsonb)", [metadata])


def by_register_models(conn: psycopg.Connection, metadata: str | None) -> None:
    model = "jsonb_build_object('name', 'churn', 'metadata', %s::jsonb)"
    conn.execute(f"select register_models(jsonb_build_array({model}))", [metadata])


def by_insert(conn: psycopg.Connection, metadata: str | None, name: str | None = "churn") -> None:
    columns = "artifacts (id, artifact_type, name, metadata)"
    conn.execute(f"insert into {columns} values ('m1', 'model', %s, %s)", [name, metadata])


def by_update(conn: psycopg.Connection, metadata: str | None) -> None:
    with conn.transaction(force_rollback=True):
        register(conn, "churn", artifact_id="m1")
        conn.execute("update artifacts set metadata = %s where id = 'm1'", [metadata])


def by_copy(conn: psycopg.Connection, metadata: str | None) -> None:
    with conn.cursor().copy("copy artifacts (id, artifact_type, name, metadata) from stdin") as copy:
        copy.write_row(("m1", "model", "churn", metadata))


DOORS: list[Door] = [by_register_model, by_register_models, by_insert, by_update, by_copy]


def document(**changes: Any) -> str:
    return json.dumps(internal_metadata(**changes))


def with_number(digits: str) -> str:
    return document(extra={"n": "@"}).replace('"@"', digits)


EMPTY_SIZE = len(document(description=""))
BAD_METADATA = {
    "a field is missing": (document(framework=ABSENT), "/framework: is required"),
    "a field has the wrong type": (document(parameter_count="7"), "/parameter_count: must be an integer, not a string"),
    "the variant is unknown": (document(is_external="partly"), "/is_external: must be a boolean, not a string"),
    "the variant is missing": (document(is_external=ABSENT), "/is_external: is required"),
    "a field belongs to the other variant": (
        document(external_source_version="v1"),
        "/external_source_version: belongs to external models only, and is_external is false",
    ),
    "a field is misspelt": (
        document(framewrk="x"),
        "/framewrk: is not a field of the schema; did you mean framework?",
    ),
    "three fields are wrong": (
        document(framework=1, parameter_count=-1, evaluation_metrics={}),
        "/evaluation_metrics: must name at least 1\n"
        "/framework: must be a string, not a number\n"
        "/parameter_count: must be at least 0",
    ),
    "it is NULL": (None, ": must be an object, not null"),
    "it is the JSON null": ("null", ": must be an object, not null"),
    "it is a list": ("[]", ": must be an object, not a list"),
    "it is a text": ('"{}"', ": must be an object, not a string"),
    "it is over 1 MiB": (
        document(description="x" * (1_048_577 - EMPTY_SIZE)),
        ": is larger than 1048576 bytes of text",
    ),
    "it is over 1 MiB in bytes, not in characters": (
        document(description="@").replace("@", "é" * 524_288),
        ": is larger than 1048576 bytes of text",
    ),
    "it is over 100 levels deep": (
        document(extra={"x": "@"}).replace('"@"', "[" * 99 + "]" * 99),
        ": is nested deeper than 100 levels",
    ),
    "it is 5,000 levels deep": (
        document(extra={"x": "@"}).replace('"@"', "[" * 5000 + "]" * 5000),
        ": is nested deeper than 100 levels",
    ),
    "a number has 200 digits": (
        with_number("1" * 200),
        ": holds a number that is neither a 64-bit integer nor a finite double",
    ),
}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_metadata_that_is_not_valid_is_refused_with_its_reasons(conn: psycopg.Connection, door: Door) -> None:
    for metadata, detail in BAD_METADATA.values():
        with refused("23514", constraint="artifacts_metadata_valid", column="metadata", detail=place(door, detail)):
            door(conn, metadata)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_number_that_no_double_holds_is_refused_before_it_is_written_out(
    conn: psycopg.Connection, door: Door
) -> None:
    conn.execute("set statement_timeout = '10s'")
    detail = ": holds a number that is neither a 64-bit integer nor a finite double"
    for digits in ("1e400", "-1e400", "1e100000", "1e-401", "1e-16000"):
        with refused("23514", constraint="artifacts_metadata_valid", column="metadata", detail=place(door, detail)):
            door(conn, with_number(digits))
    for digits in (f"[{', '.join(['1e100000'] * 20000)}]", f"[{', '.join(['7'] * 500)}, 1e-16000]"):
        with refused("23514", constraint="artifacts_metadata_bounded", column="metadata", detail=place(door, detail)):
            door(conn, with_number(digits))


def place(door: Door, detail: str) -> str:
    if door is not by_register_models:
        return detail
    return "\n".join(f"/0/metadata{line}" for line in detail.split("\n"))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_metadata_that_only_just_holds_to_the_limits_is_accepted(conn: psycopg.Connection, door: Door) -> None:
    conn.execute("begin")
    for metadata in (
        document(description="x" * (1_048_576 - EMPTY_SIZE)),
        document(extra={"x": "@"}).replace('"@"', "[" * 98 + "]" * 98),
        with_number("1.7e308"),
        with_number("-9223372036854775808"),
    ):
        with conn.transaction(force_rollback=True):
            door(conn, metadata)
    conn.execute("rollback")


def test_a_model_without_a_name_is_refused(conn: psycopg.Connection) -> None:
    with refused("23502", column="name", detail="/name: is required"):
        conn.execute("select register_model(null, %s)", [Jsonb(internal_metadata())])
    with refused("23502", column="name", detail="/name: is required"):
        by_insert(conn, document(), name=None)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["", "x" * 257], id="empty or over 256 characters"),
        pytest.param([" ", " churn", "churn ", "\u3000churn", "churn\u2003"], id="white space around"),
        pytest.param([f"chu{chr(c)}rn" for c in [1, 9, 10, 13, 27, 127, 128, 133, 159]], id="control characters"),
        pytest.param([f"chu{chr(c)}rn" for c in [*range(0x2028, 0x202F), *range(0x2066, 0x206A)]], id="reordered text"),
    ],
)
def test_a_name_that_will_not_do_is_refused(conn: psycopg.Connection, names: list[str]) -> None:
    detail = "/name: must be 1 to 256 characters, without control characters and without white space around"
    for name in names:
        with refused("23514", constraint="artifacts_row_complete", column="name", detail=detail):
            register(conn, name)
        with refused("23514", constraint="artifacts_row_complete", column="name", detail=detail):
            by_insert(conn, document(), name)


def test_a_name_may_hold_any_other_text(conn: psycopg.Connection) -> None:
    for name in ["x", "x" * 256, "ä" * 256, "a b", "org/model:v1", "模型", "'); drop table artifacts; --"]:
        with conn.transaction(force_rollback=True):
            register(conn, name)
            assert conn.execute("select name from models").fetchall() == [(name,)]


@pytest.mark.parametrize(
    ("column", "constraint", "detail", "values"),
    [
        (
            "code_commit_sha",
            "model_versions_row_complete",
            "/code_commit_sha: must be 40 or 64 lower-case hexadecimal digits",
            ["", "abc1234", "A" * 40, "a" * 41, "a" * 39, "g" * 40, "a" * 40 + "\n", " " + "a" * 39],
        ),
        (
            "code_repo_url",
            "model_versions_row_complete",
            "/code_repo_url: must be an http(s), ssh, git or user@host:path URL without credentials",
            [
                "",
                "churn",
                "file:///srv/git/churn",
                "ftp://git.example.org/churn",
                "javascript:alert(1)",
                "https://ada:secret@git.example.org/churn",
                "https://a-token@git.example.org/churn",
                "ssh://git:secret@git.example.org/churn",
                "git:secret@git.example.org:churn",
                "https://git.example.org/a b",
                "https://git.example.org/churn\n",
                "https://git.example.org",
                "https://git.example.org/" + "x" * 2025,
            ],
        ),
        (
            "training_params_json",
            "model_versions_row_complete",
            "/training_params_json: must be an object of at most 1048576 bytes of text, with finite numbers",
            ["[]", "null", '"x"', '{"a": 1e400}', '{"a": 1e100000}', json.dumps({"a": "x" * 1_048_576})],
        ),
        (
            "eval_metrics_json",
            "model_versions_row_complete",
            "/eval_metrics_json: must be an object of at most 1048576 bytes of text, with finite numbers",
            ["[]", "null", '"x"', '{"a": 1e400}', '{"a": 1e100000}', json.dumps({"a": "x" * 1_048_576})],
        ),
    ],
)
def test_provenance_that_will_not_do_is_refused(
    conn: psycopg.Connection, column: str, constraint: str, detail: str, values: list[str]
) -> None:
    for value in values:
        with refused("23514", constraint=constraint, column=column, detail=detail):
            register(conn, "churn", **{column: value})


def test_a_repository_url_may_be_any_that_git_clones(conn: psycopg.Connection) -> None:
    for url in [
        "https://git.example.org/team/churn",
        "http://git.example.org:8080/churn.git",
        "ssh://git@git.example.org:22/team/churn.git",
        "git://git.example.org/churn",
        "git@git.example.org:team/churn.git",
    ]:
        with conn.transaction(force_rollback=True):
            register(conn, "churn", code_repo_url=url)


def test_a_commit_is_a_whole_sha_1_or_sha_256(conn: psycopg.Connection) -> None:
    for sha in ["0123456789abcdef" * 4, "0123456789abcdef0123456789abcdef01234567"]:
        with conn.transaction(force_rollback=True):
            register(conn, "churn", code_commit_sha=sha)


def test_training_that_ends_before_it_starts_is_refused(conn: psycopg.Connection) -> None:
    with refused(
        "23514",
        constraint="model_versions_row_complete",
        column="training_completed_at",
        detail="/training_completed_at: must not be before training_started_at",
    ):
        register(
            conn, "churn", training_started_at="2024-05-01T10:00:00Z", training_completed_at="2024-05-01T10:00:00+01:00"
        )


def test_training_that_ends_as_it_starts_is_accepted(conn: psycopg.Connection) -> None:
    with conn.transaction(force_rollback=True):
        register(
            conn, "churn", training_started_at="2024-05-01T10:00:00Z", training_completed_at="2024-05-01T11:00:00+01:00"
        )


def test_an_artifact_id_that_will_not_do_is_refused(conn: psycopg.Connection) -> None:
    for artifact_id in ["", " ", "a b", "a\nb", "a\x01b", "x" * 257]:
        problem = "must be 1 to 256 characters without white space or control characters"
        with refused("22023", column="id", detail=f"/artifact_id: {problem}"):
            register(conn, "churn", artifact_id=artifact_id)
        with refused("23514", column="id", detail=f"/id: {problem}"):
            conn.execute(
                "insert into artifacts (id, artifact_type, name, metadata) values (%s, 'model', 'churn', %s)",
                [artifact_id, Jsonb(internal_metadata())],
            )


def test_a_model_is_no_evaluation_dataset(conn: psycopg.Connection) -> None:
    answer = {
        "column": "eval_dataset_artifact_id",
        "constraint": "model_versions_eval_dataset_fkey",
        "detail": "/eval_dataset_artifact_id: m1 is a model",
    }
    with conn.transaction(force_rollback=True):
        register(conn, "other", artifact_id="m1")
        with refused("23503", **answer), conn.transaction():
            register(conn, "churn", eval_dataset_artifact_id="m1")
        with refused("23503", **answer), conn.transaction():
            conn.execute("update model_versions set eval_dataset_artifact_id = 'm1'")


def test_a_parent_that_does_not_exist_is_refused(conn: psycopg.Connection) -> None:
    with refused(
        "23503",
        column="parent_version_id",
        constraint="artifacts_parent_fkey",
        detail="/parent_version_id: there is no artifact nowhere",
    ):
        register(conn, "churn", parent_version_id="nowhere")


def test_a_base_that_does_not_exist_is_refused(conn: psycopg.Connection) -> None:
    with refused(
        "23503",
        column="base_model_id",
        constraint="model_versions_base_model_fkey",
        detail="/metadata/base_model_id: no such artifact",
    ):
        register(conn, "churn", internal_metadata(base_model_id="nowhere"))


def test_an_evaluation_dataset_that_does_not_exist_is_refused(conn: psycopg.Connection) -> None:
    with refused(
        "23503",
        column="eval_dataset_artifact_id",
        constraint="model_versions_eval_dataset_fkey",
        detail="/eval_dataset_artifact_id: there is no artifact nowhere",
    ):
        register(conn, "churn", eval_dataset_artifact_id="nowhere")


def test_a_parent_or_base_that_is_no_model_is_refused(conn: psycopg.Connection) -> None:
    conn.execute("begin")
    conn.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    with (
        refused("MR007", column="parent_version_id", detail="/parent_version_id: d1, the parent of m1, is a dataset"),
        conn.transaction(),
    ):
        register(conn, "churn", parent_version_id="d1", artifact_id="m1")
    with (
        refused(
            "23503",
            column="base_model_id",
            constraint="model_versions_base_model_fkey",
            detail="/metadata/base_model_id: that artifact is a dataset",
        ),
        conn.transaction(),
    ):
        register(conn, "churn", internal_metadata(base_model_id="d1"))
    conn.execute("rollback")


def test_a_model_is_neither_its_own_parent_nor_its_own_base(conn: psycopg.Connection) -> None:
    with refused("MR007", column="parent_version_id", detail="/parent_version_id: m1 is this version itself"):
        register(conn, "churn", artifact_id="m1", parent_version_id="m1")
    with refused("MR007", column="base_model_id", detail="/metadata/base_model_id: m1 is this version itself"):
        register(conn, "churn", internal_metadata(base_model_id="m1"), artifact_id="m1")


CANARY = "canary-d3b07384"


REFUSED_WITH_A_CANARY: list[dict[str, Any]] = [
    {"metadata": internal_metadata(description=CANARY, framework=[CANARY], parameter_count=CANARY)},
    {"metadata": internal_metadata(evaluation_metrics={"auroc": CANARY}, training_data=[CANARY, {"a": CANARY}])},
    {"metadata": external_metadata(external_source_url=f"ht tp://{CANARY}", description=CANARY)},
    {"metadata": external_metadata(external_source_version=CANARY * 30)},
    {"metadata": CANARY},
    {"metadata": internal_metadata(description=CANARY), "name": "bad\nname"},
    {"metadata": internal_metadata(description=CANARY), "name": None},
    {"metadata": internal_metadata(description=CANARY), "artifact_id": ""},
    {"code_repo_url": f"https://ada:{CANARY}@git.example.org/churn"},
    {"code_commit_sha": CANARY},
    {"training_params_json": Jsonb([CANARY])},
    {"training_params_json": Jsonb({"token": CANARY}), "eval_metrics_json": Jsonb([CANARY])},
    {"training_params_json": Jsonb({"token": CANARY}), "idempotency_key": ""},
    {"training_params_json": Jsonb({"token": CANARY}), "eval_dataset_artifact_id": "nowhere"},
    {"training_params_json": Jsonb({"token": CANARY}), "is_external": True},
    {"training_params_json": Jsonb({"token": CANARY}), "external_source_url": f"https://{CANARY}"},
    {
        "training_params_json": Jsonb({"token": CANARY}),
        "training_started_at": "2024-05-02Z",
        "training_completed_at": "2024-05-01Z",
    },
]


def test_a_refusal_repeats_no_value_of_what_it_refuses(conn: psycopg.Connection) -> None:
    for arguments in REFUSED_WITH_A_CANARY:
        given = {"name": "churn"} | arguments
        with pytest.raises(psycopg.Error) as caught:
            register(conn, **given)
        assert CANARY not in everything_said(caught.value)
        element = {key: value.obj if isinstance(value, Jsonb) else value for key, value in given.items()}
        element.setdefault("metadata", internal_metadata())
        with pytest.raises(psycopg.Error) as caught:
            conn.execute("select register_models(%s)", [Jsonb([element])])
        assert CANARY not in everything_said(caught.value)
