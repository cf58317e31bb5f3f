"""What goes in through the client comes out of it unchanged, and every parameter reaches its column."""

from __future__ import annotations

import dataclasses
import inspect
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from atlas_models import InvalidArgument, ModelVersion, NotFound, Problem, RegisteredModel, Registration, Registry
from atlas_models.migration_runner import migrate

STARTED = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
ENDED = datetime(2026, 3, 2, 4, 0, tzinfo=timezone.utc)


def test_versions_of_a_name_are_numbered_from_one(registry, internal):
    first = registry.register_model("churn", internal, artifact_id="churn-first")
    second = registry.register_model("churn", internal, artifact_id="churn-second")
    assert first == RegisteredModel("churn-first", 1, True)
    assert second == RegisteredModel("churn-second", 2, True)


def test_the_database_makes_an_artifact_id(registry, internal):
    assert registry.register_model("churn", internal).artifact_id.startswith("model-")


def test_every_parameter_reaches_its_column(registry, external):
    registry.register_model("parent", external, artifact_id="the-parent")
    registry.register_model("base", external, artifact_id="the-base")
    registry.register_artifact("dataset", "Cohort B", artifact_id="the-dataset")
    registry.register_model(
        "everything",
        external | {"base_model_id": "the-base", "benchmark_id": "glue"},
        title="Everything at once",
        parent_version_id="the-parent",
        version_tag="2.1-rc1",
        changelog="a second head",
        lifecycle_state="draft",
        origin_type="import",
        origin_url="https://example.org/weights",
        created_by="agent-7",
        is_external=True,
        external_source_url="https://huggingface.co/bert-base-uncased",
        external_source_version="86b5e0934494bd15c9632b12f734a8a67f723594",
        base_model_id="the-base",
        code_repo_url="https://git.example.org/team/project",
        code_commit_sha="0123456789abcdef0123456789abcdef01234567",
        code_entrypoint="train.py",
        training_started_at=STARTED,
        training_completed_at=ENDED,
        trained_by="agent-8",
        gpu_allocation_id="gpu-9",
        training_params_json={"lr": 0.001},
        eval_metrics_json={"f1": 0.5},
        eval_dataset_artifact_id="the-dataset",
        benchmark_id="glue",
        promotion_notes="needs a look",
        artifact_id="the-model",
        idempotency_key="once",
    )
    found = registry.get_model(artifact_id="the-model")
    assert dataclasses.asdict(found) == {
        "artifact_id": "the-model",
        "name": "everything",
        "version_number": 1,
        "is_latest": True,
        "promotion_state": "candidate",
        "is_external": True,
        "title": "Everything at once",
        "model_family": "BERT",
        "framework": "PyTorch",
        "parameter_count": None,
        "task": None,
        "license": None,
        "description": None,
        "training_data": None,
        "evaluation_dataset": None,
        "declared_metrics": None,
        "latest_metrics": {"f1": 0.5},
        "declared_training_config": None,
        "latest_training_params": {"lr": 0.001},
        "extra": None,
        "external_source_url": "https://huggingface.co/bert-base-uncased",
        "external_source_version": "86b5e0934494bd15c9632b12f734a8a67f723594",
        "base_model_id": "the-base",
        "parent_version_id": "the-parent",
        "superseded_by": None,
        "code_repo_url": "https://git.example.org/team/project",
        "code_commit_sha": "0123456789abcdef0123456789abcdef01234567",
        "code_entrypoint": "train.py",
        "training_started_at": STARTED,
        "training_completed_at": ENDED,
        "trained_by": "agent-8",
        "gpu_allocation_id": "gpu-9",
        "eval_dataset_artifact_id": "the-dataset",
        "benchmark_id": "glue",
        "promotion_notes": "needs a look",
        "first_promoted_at": None,
        "version_tag": "2.1-rc1",
        "changelog": "a second head",
        "lifecycle_state": "draft",
        "origin_type": "import",
        "origin_url": "https://example.org/weights",
        "created_by": "agent-7",
        "registered_by": "postgres",
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "metadata_schema_version": 1,
        "metadata": external | {"base_model_id": "the-base", "benchmark_id": "glue"},
    }


def test_the_parameters_are_those_of_the_function(conn):
    names = conn.execute(
        "select p.proargnames, p.proargmodes from pg_proc as p where p.oid::regproc::text ~ '(^|[.])register_model$'"
    ).fetchone()
    of_function = [name for name, mode in zip(*names, strict=True) if mode in ("i", "b")]
    of_method = list(inspect.signature(Registry.register_model).parameters)[1:]
    of_dataclass = [field.name for field in dataclasses.fields(Registration)]
    assert of_method == of_dataclass == of_function


def test_a_model_version_has_every_column_of_the_view_in_its_order(conn):
    columns = [column.name for column in conn.execute("select * from atlas.models").description]
    assert [field.name for field in dataclasses.fields(ModelVersion)] == columns


def test_a_name_finds_its_latest_version(registry, internal):
    registry.register_model("churn", internal)
    registry.register_model("churn", internal, title="the newer")
    assert registry.get_model("churn").title == "the newer"


def test_a_name_and_a_number_find_that_version(registry, internal):
    registry.register_model("churn", internal, title="the older")
    registry.register_model("churn", internal)
    assert registry.get_model("churn", 1).title == "the older"


@pytest.mark.parametrize(
    ("arguments", "message", "path"),
    [
        (("none",), "there is no model none", "/name"),
        (("none", 3), "there is no model none 3", "/version_number"),
    ],
)
def test_what_is_not_there_is_not_found(registry, arguments, message, path):
    with pytest.raises(NotFound) as caught:
        registry.get_model(*arguments)
    assert (caught.value.message, caught.value.sqlstate) == (message, "P0002")
    assert caught.value.problems == [Problem(path, "names no model version")]


def test_an_unknown_artifact_id_is_not_found(registry):
    with pytest.raises(NotFound, match="there is no model version nope"):
        registry.get_model(artifact_id="nope")


@pytest.mark.parametrize("arguments", [{}, {"version_number": 1}, {"name": "a", "artifact_id": "b"}])
def test_a_lookup_that_selects_nothing_is_a_mistake_of_the_caller(registry, arguments):
    with pytest.raises(TypeError, match="get_model takes"):
        registry.get_model(**arguments)


def test_a_dataset_is_registered_with_its_metadata(registry, conn):
    made = registry.register_artifact("dataset", "Cohort B", metadata={"rows": 3}, version_tag="v1", created_by="me")
    row = conn.execute(
        "select id, artifact_type, title, metadata, version_tag, created_by from atlas.artifacts"
    ).fetchone()
    assert row == (made, "dataset", "Cohort B", {"rows": 3}, "v1", "me")


def test_a_time_means_the_same_instant_in_every_time_zone(registry, connect, internal):
    registry.register_model("churn", internal, training_started_at=STARTED)
    reader = connect()
    reader.execute("set timezone to 'Pacific/Auckland'")
    found = Registry(reader).get_model("churn").training_started_at
    assert found == datetime(2026, 3, 1, 4, 0, tzinfo=timezone.utc)


def test_a_time_in_a_batch_means_the_same_instant(connect, internal):
    writer = connect()
    writer.execute("set timezone to 'Pacific/Auckland'")
    registry = Registry(writer)
    registry.register_models([Registration(name="churn", metadata=internal, training_started_at=STARTED)])
    assert registry.get_model("churn").training_started_at == datetime(2026, 3, 1, 4, 0, tzinfo=timezone.utc)


def test_a_time_without_a_time_zone_is_refused(registry, internal):
    with pytest.raises(InvalidArgument) as caught:
        registry.register_model("churn", internal, training_started_at=datetime(2026, 3, 1))
    assert caught.value.problems == [
        ("/training_started_at", "needs a time zone: datetime(…, tzinfo=timezone.utc)"),
    ]


def test_text_of_every_script_comes_back_unchanged(registry, internal):
    text = "Modèle «Ω» 模型 🧬 e\u0301 \u202f \\ \" ' %s {} \t\n"
    registry.register_model("模型 🧬", internal | {"description": text}, changelog=text)
    found = registry.get_model("模型 🧬")
    assert (found.description, found.changelog) == (text, text)


def test_numbers_come_back_exactly(registry, internal):
    numbers = {
        "largest": 9223372036854775807,
        "smallest": -9223372036854775808,
        "third": 0.1 + 0.2,
        "tiny": 5e-324,
        "huge": 1.7976931348623157e308,
        "avogadro": 6.02214076e23,
        "whole": 90.0,
    }
    registry.register_model("churn", internal | {"extra": numbers})
    assert registry.get_model("churn").extra == numbers


def test_a_decimal_keeps_all_of_its_digits(registry, conn, internal):
    registry.register_model("churn", internal | {"extra": {"pi": Decimal("3.14159265358979323846264338327950288")}})
    stored = conn.execute("select extra ->> 'pi' from atlas.models").fetchone()
    assert stored == ("3.14159265358979323846264338327950288",)


def test_the_key_of_a_registration_makes_it_repeatable(registry, internal):
    first = registry.register_model("churn", internal, idempotency_key="k", training_started_at=STARTED)
    again = registry.register_model("churn", internal, idempotency_key="k", training_started_at=STARTED)
    assert again == RegisteredModel(first.artifact_id, 1, False)


def test_the_registry_may_live_in_any_schema(empty_database, internal):
    migrate(empty_database, schema='odd "name"')
    with Registry(empty_database, schema='odd "name"') as registry:
        registry.register_model("churn", internal)
        registry.register_models([{"name": "churn", "metadata": internal}])
        assert registry.get_model("churn").version_number == 2


def test_nothing_depends_on_the_search_path(connect, internal):
    connection = connect()
    connection.execute("set search_path to pg_catalog")
    registry = Registry(connection)
    made = registry.register_model("churn", internal)
    registry.validate(internal)
    registry.promote(made.artifact_id)
    assert registry.get_model("churn").promotion_state == "promoted"
