"""The schema files, their examples, and the SQL bodies that are made of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas_models import schema_codegen
from atlas_models.schema_codegen import SchemaError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    return tmp_path


def edit_schema(checkout: Path, change: Callable[[dict], object]) -> None:
    path = checkout / "schemas" / "model_artifact_metadata.json"
    schema = json.loads(path.read_text())
    change(schema)
    path.write_text(json.dumps(schema))


def test_the_generated_sql_is_what_the_schemas_and_templates_say() -> None:
    for path, text in schema_codegen.generate(ROOT).items():
        assert path.read_text() == text, f"{path.name} differs: run make schemas"


def test_every_example_is_answered_as_it_says() -> None:
    (version,) = schema_codegen.load_versions(ROOT / "schemas")
    assert schema_codegen.self_test(ROOT / "schemas", version) == 50


def test_internal_and_external_models_must_state_what_the_contract_lists() -> None:
    schema = json.loads((ROOT / "schemas" / "model_artifact_metadata.json").read_text())
    internal, external = schema["oneOf"]
    assert internal["required"] == [
        "is_external",
        "model_family",
        "framework",
        "parameter_count",
        "training_data",
        "evaluation_dataset",
        "evaluation_metrics",
    ]
    assert external["required"] == [
        "is_external",
        "model_family",
        "framework",
        "external_source_url",
        "external_source_version",
    ]


def test_a_broken_schema_file_is_refused_with_the_place(checkout: Path) -> None:
    (checkout / "schemas" / "model_artifact_metadata.json").write_text('{"type": "object",\n  oops}')
    with pytest.raises(SchemaError, match=r"model_artifact_metadata.json: is not valid JSON: .*line 2 column 3"):
        schema_codegen.generate(checkout)


def test_a_schema_with_a_keyword_misused_is_refused_with_the_place(checkout: Path) -> None:
    edit_schema(checkout, lambda schema: schema["definitions"]["label"].update(type="txt"))
    with pytest.raises(SchemaError, match=r"model_artifact_metadata.json: /definitions/label/type: .*txt"):
        schema_codegen.generate(checkout)


def test_a_schema_of_another_draft_is_refused(checkout: Path) -> None:
    edit_schema(checkout, lambda schema: schema.update({"$schema": "https://json-schema.org/draft/2020-12/schema"}))
    with pytest.raises(SchemaError, match="must name Draft-07"):
        schema_codegen.generate(checkout)


def test_a_schema_without_its_version_is_refused(checkout: Path) -> None:
    edit_schema(checkout, lambda schema: schema.update({"$id": "urn:something:else"}))
    with pytest.raises(SchemaError, match=r"\$id must be urn:atlas:model-artifact-metadata:<version>"):
        schema_codegen.generate(checkout)


def test_an_example_that_is_answered_otherwise_stops_the_generation(checkout: Path) -> None:
    edit_schema(checkout, lambda schema: schema["oneOf"][0]["required"].remove("framework"))
    with pytest.raises(SchemaError, match=r"internal without framework: expected \['/framework: is required'\], found"):
        schema_codegen.generate(checkout)


def test_a_released_version_is_frozen(checkout: Path) -> None:
    schema_codegen.freeze(checkout)
    edit_schema(checkout, lambda schema: schema.update(title="another"))
    with pytest.raises(SchemaError, match=r"version 1 is released and frozen; give the changed schema the number 2"):
        schema_codegen.generate(checkout)


def test_an_edit_of_a_released_file_is_noticed(checkout: Path) -> None:
    released = schema_codegen.freeze(checkout)
    released.write_text(released.read_text() + "\n")
    with pytest.raises(SchemaError, match=r"released/model_artifact_metadata.v1.json: differs from its checksum"):
        schema_codegen.generate(checkout)


def test_a_version_is_released_once(checkout: Path) -> None:
    schema_codegen.freeze(checkout)
    with pytest.raises(SchemaError, match="version 1 is released already"):
        schema_codegen.freeze(checkout)


def test_a_version_number_may_not_be_left_out(checkout: Path) -> None:
    schema_codegen.freeze(checkout)
    edit_schema(checkout, lambda schema: schema.update({"$id": "urn:atlas:model-artifact-metadata:3"}))
    with pytest.raises(SchemaError, match="says version 3, expected 2"):
        schema_codegen.generate(checkout)


def test_a_new_version_is_baked_in_beside_the_released_one(checkout: Path) -> None:
    schema_codegen.freeze(checkout)
    edit_schema(checkout, lambda schema: schema.update({"$id": "urn:atlas:model-artifact-metadata:2"}))
    shutil.copy(checkout / "schemas/examples/1.json", checkout / "schemas/examples/2.json")
    generated = {path.name: text for path, text in schema_codegen.generate(checkout).items()}
    body = generated["is_valid_metadata.sql"]
    assert "urn:atlas:model-artifact-metadata:1" in body
    assert "urn:atlas:model-artifact-metadata:2" in body
    assert "return 2;" in generated["current_metadata_schema_version.sql"]


def test_check_names_a_stale_file_and_writes_nothing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "sql" / "10_validation").mkdir(parents=True)
    (checkout / "sql" / "20_triggers").mkdir()
    monkeypatch.chdir(checkout)
    assert schema_codegen.main(["--check"]) == 1
    assert "differs: sql/10_validation/is_valid_metadata.sql" in capsys.readouterr().out
    assert list((checkout / "sql").rglob("*.sql")) == []
    assert schema_codegen.main([]) == 0
    assert schema_codegen.main(["--check"]) == 0


def test_a_broken_schema_is_one_clear_line_on_the_command_line(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "schemas" / "model_artifact_metadata.json").write_text("{")
    monkeypatch.chdir(checkout)
    assert schema_codegen.main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("schemas: model_artifact_metadata.json: is not valid JSON")
    assert error.count("\n") == 1
