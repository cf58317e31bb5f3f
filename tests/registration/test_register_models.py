"""register_models(): a whole array, all or nothing, and errors that name the place in it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories import ABSENT, Registered, external_metadata, internal_metadata, register, register_many
from refusals import refused


def model(name: str = "churn", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "metadata": internal_metadata()} | arguments


def test_one_row_comes_out_for_each_model_in_their_order(conn: psycopg.Connection) -> None:
    models = [model("b", artifact_id="m1"), model("a", artifact_id="m2"), model("b", artifact_id="m3")]
    assert register_many(conn, models) == [
        Registered("m1", 1, True),
        Registered("m2", 1, True),
        Registered("m3", 2, True),
    ]


def test_versions_of_a_name_are_numbered_in_the_order_of_the_array(conn: psycopg.Connection) -> None:
    register(conn, "churn")
    register_many(conn, [model(artifact_id=artifact_id) for artifact_id in ("z", "m", "a")])
    rows = conn.execute("select version_number, id from artifacts where id <> 'model' order by 1 offset 1").fetchall()
    assert rows == [(2, "z"), (3, "m"), (4, "a")]


def test_only_the_last_version_of_a_name_is_the_latest(conn: psycopg.Connection) -> None:
    register(conn, "a", artifact_id="a1")
    register_many(conn, [model("a", artifact_id="a2"), model("b", artifact_id="b1"), model("a", artifact_id="a3")])
    assert conn.execute("select id from artifacts where is_latest order by id").fetchall() == [("a3",), ("b1",)]


def test_an_element_takes_the_same_arguments_as_register_model(conn: psycopg.Connection) -> None:
    conn.execute("select register_artifact('dataset', 'Cohort B', artifact_id => 'd1')")
    given = {
        "title": "Churn",
        "version_tag": "2.0",
        "changelog": "more data",
        "lifecycle_state": "active",
        "origin_type": "forge",
        "origin_url": "https://forge.example.org/churn",
        "created_by": "ada",
        "code_repo_url": "https://git.example.org/team/churn",
        "code_commit_sha": "0123456789abcdef0123456789abcdef01234567",
        "code_entrypoint": "train.py",
        "training_started_at": "2024-05-01T10:00:00+00:00",
        "training_completed_at": "2024-05-01T12:00:00+00:00",
        "trained_by": "agent-3",
        "gpu_allocation_id": "gpu-9",
        "training_params_json": {"depth": 6},
        "eval_metrics_json": {"auroc": 0.93},
        "eval_dataset_artifact_id": "d1",
        "promotion_notes": "looks good",
        "idempotency_key": "k1",
    }
    conn.execute("set timezone = 'UTC'")
    register_many(conn, [model(artifact_id="m1", **given)])
    row = conn.execute("select to_jsonb(a) || to_jsonb(v) from artifacts a, model_versions v where a.id = artifact_id")
    stored = row.fetchone()[0]
    assert {key: stored[key] for key in given} == given


@pytest.mark.parametrize("order", [("base", "tuned"), ("tuned", "base")])
def test_a_base_may_stand_anywhere_in_the_same_array(conn: psycopg.Connection, order: tuple[str, str]) -> None:
    models = {
        "base": model("base", artifact_id="base", metadata=external_metadata()),
        "tuned": model("tuned", artifact_id="tuned", metadata=internal_metadata(base_model_id="base")),
    }
    register_many(conn, [models[name] for name in order])
    rows = conn.execute("select artifact_id, base_model_id from model_versions order by 1").fetchall()
    assert rows == [("base", None), ("tuned", "base")]


@pytest.mark.parametrize("order", [("parent", "child"), ("child", "parent")])
def test_a_parent_may_stand_anywhere_in_the_same_array(conn: psycopg.Connection, order: tuple[str, str]) -> None:
    models = {
        "parent": model(artifact_id="parent"),
        "child": model(artifact_id="child", parent_version_id="parent"),
    }
    register_many(conn, [models[name] for name in order])
    rows = conn.execute("select id, parent_version_id from artifacts order by 1").fetchall()
    assert rows == [("child", "parent"), ("parent", None)]


def test_an_empty_array_registers_nothing(conn: psycopg.Connection) -> None:
    assert register_many(conn, []) == []


@pytest.mark.usefixtures("nothing_written")
def test_one_bad_model_keeps_all_from_being_written(conn: psycopg.Connection) -> None:
    with refused(
        "23514",
        column="metadata",
        constraint="artifacts_metadata_valid",
        detail="/1/metadata/framework: is required",
    ):
        register_many(conn, [model(), model("other", metadata=internal_metadata(framework=ABSENT)), model("third")])


@pytest.mark.usefixtures("nothing_written")
def test_bad_models_of_every_kind_are_all_listed_with_their_places(conn: psycopg.Connection) -> None:
    models = [
        model(),
        model(metadata=internal_metadata(framework=ABSENT, parameter_count="many")),
        model(code_commit_sha="abc"),
        model(name=None),
        model(name=" x"),
        model(parent_version_id="nowhere"),
        model(metadata=internal_metadata(base_model_id="nowhere")),
        model(eval_dataset_artifact_id="nowhere"),
        model(benchmark_id="other"),
        model(training_started_at="2024-13-45T00:00Z"),
        model(training_params_json=[]),
        model(idempotency_key="k", title="a"),
        model(idempotency_key="k", title="b"),
        {},
    ]
    with refused(
        "23514",
        column="metadata",
        constraint="artifacts_metadata_valid",
        detail="/1/metadata/framework: is required\n"
        "/1/metadata/parameter_count: must be an integer, not a string\n"
        "/2/code_commit_sha: must be 40 or 64 lower-case hexadecimal digits\n"
        "/3/name: is required\n"
        "/4/name: must be 1 to 256 characters, without control characters and without white space around\n"
        "/5/parent_version_id: there is no artifact nowhere\n"
        "/6/metadata/base_model_id: no such artifact\n"
        "/7/eval_dataset_artifact_id: there is no artifact nowhere\n"
        "/8/benchmark_id: the metadata declares another value, or none\n"
        '/9: date/time field value out of range: "2024-13-45T00:00Z"\n'
        "/10/training_params_json: must be an object of at most 1048576 bytes of text, with finite numbers\n"
        "/12/idempotency_key: 'k' of churn stands for k1, registered with other arguments\n"
        "/13/metadata: must be an object, not null",
    ) as caught:
        models[8]["artifact_id"], models[11]["artifact_id"] = "m", "k1"
        register_many(conn, models)
    assert caught.value.diag.message_primary == "12 of 14 models cannot be registered"


@pytest.mark.usefixtures("nothing_written")
def test_a_model_is_not_blamed_for_a_base_or_parent_that_stands_further_on(conn: psycopg.Connection) -> None:
    models = [
        model(artifact_id="m0", metadata=internal_metadata(base_model_id="m2")),
        model(artifact_id="m1", parent_version_id="m2"),
        model(artifact_id="m2"),
        model(artifact_id="m3", metadata=internal_metadata(framework="")),
    ]
    with refused(
        "23514",
        column="metadata",
        constraint="artifacts_metadata_valid",
        detail="/3/metadata/framework: must not be blank",
    ):
        register_many(conn, models)


@pytest.mark.usefixtures("nothing_written")
def test_a_model_is_not_blamed_for_a_base_that_is_itself_refused(conn: psycopg.Connection) -> None:
    models = [
        model(artifact_id="m0", code_commit_sha="abc"),
        model(artifact_id="m1", metadata=internal_metadata(base_model_id="m0")),
    ]
    with refused(
        "23514",
        column="code_commit_sha",
        constraint="model_versions_row_complete",
        detail="/0/code_commit_sha: must be 40 or 64 lower-case hexadecimal digits",
    ):
        register_many(conn, models)


@pytest.mark.usefixtures("nothing_written")
def test_a_hundred_problems_are_listed_and_the_others_counted(conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        register_many(conn, [model(metadata=internal_metadata(framework=ABSENT)) for _ in range(120)])
    lines = caught.value.diag.message_detail.split("\n")
    assert (len(lines), lines[0], lines[99], lines[100]) == (
        101,
        "/0/metadata/framework: is required",
        "/99/metadata/framework: is required",
        ": and 20 more",
    )


NOT_REGISTRATIONS = [
    (None, ": must be an array, not null"),
    ({"name": "churn"}, ": must be an array, not object"),
    ("churn", ": must be an array, not string"),
    ([1, {"name": "x"}, None], "/0: must be an object, not number\n/2: must be an object, not null"),
    ([{"name": "x", "nmae": 1}], "/0/nmae: is not a parameter of register_model()"),
    ([{"version_number": 7}], "/0/version_number: is not a parameter of register_model()"),
    ([{"a/b~\n": 1}], "/0/a~1b~0\\n: is not a parameter of register_model()"),
    ([{"name": 7}, {"title": {}}], "/0/name: must be a string, not number\n/1/title: must be a string, not object"),
    ([{"is_external": "yes"}], "/0/is_external: must be a boolean, not string"),
    ([{"training_started_at": 5}], "/0/training_started_at: must be a string, not number"),
    *(
        (
            [{"training_started_at": text}],
            "/0/training_started_at: must be a date and time with its offset, such as 2024-05-01T12:00:00Z",
        )
        for text in (
            "soon",
            "now",
            "yesterday",
            "infinity",
            "",
            "2024-05-01",
            "2024-05-01T12:00:00",
            "2024-05-01 12:00",
        )
    ),
]


@pytest.mark.usefixtures("nothing_written")
def test_what_is_no_array_of_registrations_is_refused(conn: psycopg.Connection) -> None:
    for models, detail in NOT_REGISTRATIONS:
        with refused("22023", detail=detail):
            register_many(conn, models)


@pytest.mark.usefixtures("nothing_written")
def test_no_array_at_all_is_refused(conn: psycopg.Connection) -> None:
    with refused("22023", detail=": must be an array, not NULL"):
        conn.execute("select * from register_models(null)")


@pytest.mark.usefixtures("nothing_written")
def test_what_is_wrong_with_the_form_is_not_drowned_by_what_follows_from_it(conn: psycopg.Connection) -> None:
    with refused("22023", detail="/0/nmae: is not a parameter of register_model()"):
        register_many(conn, [{"nmae": "churn", "metadata": internal_metadata()}, model(metadata={})])


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("edges", [("base", "base"), ("parent", "parent"), ("base", "parent")])
def test_a_circle_within_the_array_is_refused(conn: psycopg.Connection, edges: tuple[str, str]) -> None:
    models = []
    for artifact_id, source, kind in (("x", "y", edges[0]), ("y", "x", edges[1])):
        if kind == "base":
            models.append(model(artifact_id=artifact_id, metadata=internal_metadata(base_model_id=source)))
        else:
            models.append(model(artifact_id=artifact_id, parent_version_id=source))
    column = "parent_version_id" if edges == ("parent", "parent") else "base_model_id"
    place = "/parent_version_id" if edges == ("parent", "parent") else "/metadata/base_model_id"
    with refused("MR007", column=column, detail=f"{place}: x, y would be made from each other in a circle"):
        register_many(conn, models)


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, -1], ids=["bases first", "bases last"])
def test_five_thousand_models_in_one_chain_of_bases_go_in_by_one_call(conn: psycopg.Connection, step: int) -> None:
    metadata = [internal_metadata()] + [internal_metadata(base_model_id=f"m{i}") for i in range(4999)]
    models = [model(f"n{i % 3}", artifact_id=f"m{i}", metadata=metadata[i]) for i in range(5000)][::step]
    # A walk from every model to the root would take minutes.
    conn.execute("set statement_timeout = '20s'")
    assert len(register_many(conn, models)) == 5000
    rows = conn.execute("select name, last_version from registered_models order by 1").fetchall()
    assert rows == [("n0", 1667), ("n1", 1667), ("n2", 1666)]
    latest = conn.execute("select name, version_number from artifacts where is_latest order by 1").fetchall()
    assert latest == rows


def test_the_artifact_of_a_version_is_looked_up_by_its_id_however_many_versions_its_name_has(
    conn: psycopg.Connection,
) -> None:
    # Where every name has one version, name alone seems as good; then a name with thousands would be read through.
    register_many(conn, [model(f"n{i}") for i in range(300)])
    conn.execute("analyze artifacts")
    conn.execute("set plan_cache_mode = force_generic_plan")
    conn.execute("set enable_seqscan = off")
    # The statement of the composite foreign key.
    conn.execute(
        """prepare referenced (text, text) as
        select 1 from only artifacts x where id = $1 and name = $2 for key share of x"""
    )
    plan = "\n".join(row[0] for row in conn.execute("explain execute referenced ('model-1', 'n1')"))
    assert "artifacts_id_name_key" in plan


def test_a_registrar_needs_no_right_on_the_tables(connect: Any) -> None:
    registrar = connect("test_registrar")
    query = "select version_number, created from register_models(%s)"
    assert registrar.execute(query, [Jsonb([model(), model()])]).fetchall() == [(1, True), (2, True)]
