"""Bills of materials: what they hold, that the official schema takes them, and that they do not change by chance."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from cyclonedx.exception import MissingOptionalDependencyException
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from psycopg.types.json import Jsonb

from atlas_models import AsyncRegistry, AtlasError, NotFound, Registry, bills
from factories import external_metadata, internal_metadata, register

STRICT = JsonStrictValidator(SchemaVersion.V1_6)

MODEL = {
    "bom-ref": "model:crop-2",
    "description": "Tells leaves apart.",
    "externalReferences": [
        {
            "comment": "commit 5c1d2a9e0f5b7c3d8e6f4a1b2c3d4e5f6a7b8c9d",
            "type": "vcs",
            "url": "https://git.example.org/crop/model",
        }
    ],
    "licenses": [{"license": {"id": "Apache-2.0"}}],
    "modelCard": {
        "modelParameters": {
            "architectureFamily": "vision transformer",
            "datasets": [{"ref": "artifact:fields"}, {"ref": "dataset:fields-2024"}, {"ref": "dataset:fields-2025"}],
            "task": "image-classification",
        },
        "quantitativeAnalysis": {"performanceMetrics": [{"type": "f1", "value": "0.87"}]},
    },
    "name": "crop",
    "pedigree": {
        "ancestors": [
            {"bom-ref": "ancestor:crop-1", "name": "crop", "type": "machine-learning-model", "version": "1"},
            {"bom-ref": "ancestor:vit-2", "name": "vit", "type": "machine-learning-model", "version": "2"},
        ]
    },
    "properties": [
        {"name": "atlas:artifact_id", "value": "crop-2"},
        {"name": "atlas:code_commit_sha", "value": "5c1d2a9e0f5b7c3d8e6f4a1b2c3d4e5f6a7b8c9d"},
        {"name": "atlas:declared_metrics", "value": '{"f1": 0.88}'},
        {"name": "atlas:framework", "value": "pytorch"},
        {"name": "atlas:is_external", "value": "false"},
        {"name": "atlas:metadata_schema_version", "value": "1"},
        {"name": "atlas:parameter_count", "value": "86567656"},
        {"name": "atlas:promotion_state", "value": "candidate"},
        {"name": "atlas:trained_by", "value": "agent-7"},
        {"name": "atlas:training_params", "value": '{"epochs": 40, "seed": 7}'},
        {"name": "atlas:training_started_at", "value": "2026-05-11T22:30:00Z"},
    ],
    "type": "machine-learning-model",
    "version": "2",
}


@pytest.fixture(scope="module")
def family(template_database: str, new_database: Callable[..., str]) -> str:
    """URL of a registry with a base of a base, a version made from it and from a parent, and a dataset."""
    url = new_database(template_database)
    with psycopg.connect(url, autocommit=True, options="-c search_path=atlas") as conn:
        conn.execute("select register_artifact('dataset', 'Fields of 2026', artifact_id => 'fields')")
        register(conn, "vit", external_metadata(license="ours: ask first"), artifact_id="vit-1")
        register(conn, "vit", external_metadata(base_model_id="vit-1"), artifact_id="vit-2")
        register(conn, "crop", internal_metadata(), artifact_id="crop-1")
        metadata = internal_metadata(
            model_family="vision transformer",
            framework="pytorch",
            parameter_count=86567656,
            base_model_id="vit-2",
            training_data=["fields-2024", "fields-2025"],
            evaluation_dataset="fields",
            evaluation_metrics={"f1": 0.88},
            training_config={"epochs": 40, "seed": 7},
            task="image-classification",
            license="apache-2.0",
            description="Tells leaves apart.",
        )
        register(
            conn,
            "crop",
            metadata,
            artifact_id="crop-2",
            parent_version_id="crop-1",
            code_repo_url="https://git.example.org/crop/model",
            code_commit_sha="5c1d2a9e0f5b7c3d8e6f4a1b2c3d4e5f6a7b8c9d",
            training_started_at="2026-05-12 00:30+02",
            trained_by="agent-7",
        )
        conn.execute("select record_evaluation('crop-2', null, 'fields', '{\"f1\": 0.87}')")
    return url


@pytest.fixture
def registry(family: str) -> Iterator[Registry]:
    with Registry(family) as opened:
        yield opened


def bill(registry: Registry, artifact_id: str) -> dict[str, Any]:
    text = registry.bill_of_materials(artifact_id)
    assert STRICT.validate_str(text) is None
    return json.loads(text)


def test_a_bill_says_what_a_version_is_and_what_it_was_made_of(registry):
    found = bill(registry, "crop-2")
    assert found["metadata"]["component"] == MODEL
    assert [(component["bom-ref"], component["type"], component["name"]) for component in found["components"]] == [
        ("artifact:fields", "data", "Fields of 2026"),
        ("dataset:fields-2024", "data", "fields-2024"),
        ("dataset:fields-2025", "data", "fields-2025"),
        ("model:crop-1", "machine-learning-model", "crop"),
        ("model:vit-1", "machine-learning-model", "vit"),
        ("model:vit-2", "machine-learning-model", "vit"),
    ]
    assert {each["ref"]: each["dependsOn"] for each in found["dependencies"] if "dependsOn" in each} == {
        "model:crop-2": [
            *("artifact:fields", "dataset:fields-2024", "dataset:fields-2025"),
            *("model:crop-1", "model:vit-2"),
        ],
        "model:vit-2": ["model:vit-1"],
    }


def test_a_dataset_says_what_for_it_was_used(registry):
    dataset = bill(registry, "crop-2")["components"][0]
    assert dataset == {
        "bom-ref": "artifact:fields",
        "data": [{"name": "Fields of 2026", "type": "dataset"}],
        "name": "Fields of 2026",
        "properties": [
            {"name": "atlas:artifact_id", "value": "fields"},
            {"name": "atlas:use", "value": "declared for evaluation"},
            {"name": "atlas:use", "value": "measured on"},
        ],
        "type": "data",
    }


def test_a_licence_that_spdx_does_not_know_has_a_name(registry):
    base = bill(registry, "vit-1")["metadata"]["component"]
    assert base["licenses"] == [{"license": {"name": "ours: ask first"}}]
    assert base["externalReferences"] == [
        {"comment": "version v1.5", "type": "distribution", "url": "https://models.example.org/resnet50"}
    ]


def test_a_bill_holds_nothing_that_the_registry_does_not_know(registry):
    found = bill(registry, "vit-1")
    assert set(found) == {
        *("$schema", "bomFormat", "dependencies", "metadata", "serialNumber", "specVersion", "version"),
    }
    assert set(found["metadata"]["component"]) == {
        *("bom-ref", "externalReferences", "licenses", "modelCard", "name", "properties", "type", "version"),
    }
    assert found["metadata"]["component"]["modelCard"] == {"modelParameters": {"architectureFamily": "ResNet"}}


def test_a_bill_is_the_same_whatever_a_session_has_set(registry, family):
    options = "-c timezone=Asia/Kathmandu -c extra_float_digits=-15 -c search_path=pg_catalog"
    with psycopg.connect(family, options=options, autocommit=True) as other:
        assert Registry(other).bill_of_materials("crop-2") == registry.bill_of_materials("crop-2")


def test_the_asynchronous_client_writes_the_same_bill_and_card(registry, family):
    async def both() -> tuple[str, str]:
        async with AsyncRegistry(family) as opened:
            return await opened.bill_of_materials("crop-2"), await opened.model_card("crop-2")

    assert asyncio.run(both()) == (registry.bill_of_materials("crop-2"), registry.model_card("crop-2"))


def test_serial_number_and_time_change_with_the_version_and_only_then(registry, family):
    before = bill(registry, "crop-1")
    assert uuid.UUID(before["serialNumber"].removeprefix("urn:uuid:")).version == 5
    with psycopg.connect(family, autocommit=True, options="-c search_path=atlas") as conn:
        register(conn, "crop", internal_metadata(), artifact_id="crop-3")
        assert bill(registry, "crop-1") == before
        conn.execute("select reject_model('crop-1', 'drifts')")
        query = "select max(happened_at) at time zone 'UTC' from model_history('crop') where artifact_id = 'crop-1'"
        (changed_at,) = conn.execute(query).fetchone()
    after = bill(registry, "crop-1")
    assert after["serialNumber"] != before["serialNumber"]
    assert after["metadata"]["timestamp"] == f"{changed_at.isoformat()}+00:00"


ADDRESSES = {
    "https://git.example.org/a/b?c=%20#d": True,
    "ssh://git@git.example.org:22/a/b.git": True,
    "s3://bucket/key": True,
    "javascript:alert(1)": False,
    "javascript://example.org/%0aalert(1)": False,
    "https://example.org/<script>": False,
    "https://example.org/%zz": False,
    "https://example.org/a b": False,
    "https://example.org/é": False,
    "git@git.example.org:a/b.git": False,
    "not an address": False,
    "": False,
}


def test_an_address_that_a_viewer_could_act_on_is_a_property(family, registry):
    with psycopg.connect(family, autocommit=True, options="-c search_path=atlas") as conn:
        for url, is_reference in ADDRESSES.items():
            artifact_id = register(conn, "addressed", external_metadata(), origin_url=url).artifact_id
            component = bill(registry, artifact_id)["metadata"]["component"]
            references = [each["url"] for each in component["externalReferences"] if each["type"] == "other"]
            properties = [each["value"] for each in component["properties"] if each["name"] == "atlas:origin_url"]
            assert (references, properties) == (([url], []) if is_reference else ([], [url]))


def test_texts_of_any_kind_make_a_valid_bill_in_ascii(family, registry):
    text = '<b>\x1b[31m\u202e|`\n\u05d0\u0301 \U0001f469\u200d\U0001f52c\ufeff {"a": 1}'
    said = dict.fromkeys(("model_family", "framework", "task", "license", "description", "benchmark_id"), text)
    metadata = internal_metadata(
        **said, training_data=text, evaluation_dataset=[text, "x"], evaluation_metrics={text: 1e300}
    )
    with psycopg.connect(family, autocommit=True, options="-c search_path=atlas") as conn:
        registered = register(conn, "of any kind", metadata, title=text, trained_by=text, version_tag=text)
    written = registry.bill_of_materials(registered.artifact_id)
    assert written.isascii()
    assert STRICT.validate_str(written) is None
    found = json.loads(written)["metadata"]["component"]
    assert (found["description"], found["licenses"]) == (text, [{"license": {"name": text}}])


def test_metrics_that_are_none_are_left_out(family, registry):
    """Whoever owns the tables can still write what no registration would."""
    with psycopg.connect(family, autocommit=True, options="-c search_path=atlas") as conn:
        artifact_id = register(conn, "measured oddly", internal_metadata()).artifact_id
        odd = {"confusion": [[1, 2], [3, 4]], "auroc": "0.9", "f1": 0.5, "passed": True}
        conn.execute(
            "update model_versions set eval_metrics_json = %s where artifact_id = %s", [Jsonb(odd), artifact_id]
        )
    found = bill(registry, artifact_id)["metadata"]["component"]["modelCard"]
    assert found["quantitativeAnalysis"] == {"performanceMetrics": [{"type": "f1", "value": "0.5"}]}


def test_there_is_no_bill_of_what_is_no_model(registry):
    for unknown in ("nope", "fields"):
        with pytest.raises(NotFound):
            registry.bill_of_materials(unknown)


def test_without_the_library_one_line_says_what_to_install(registry, monkeypatch):
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(AtlasError) as caught:
        registry.bill_of_materials("crop-2")
    assert (caught.value.message, caught.value.hint) == (
        "a bill of materials needs the CycloneDX library",
        "pip install 'cyclonedx-python-lib[json-validation]<12', which atlas-models[bom] brings along",
    )


def test_without_the_validator_one_line_says_what_to_install(registry, monkeypatch):
    def validate(*_args: object, **_options: object) -> None:
        raise MissingOptionalDependencyException("no jsonschema")

    monkeypatch.setattr(JsonStrictValidator, "validate_str", validate)
    bills._validator.cache_clear()
    with pytest.raises(AtlasError, match="a bill of materials needs the CycloneDX library"):
        registry.bill_of_materials("crop-2")
