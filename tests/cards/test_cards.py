"""What model_card() says of a version, and what it says that nobody knows."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from huggingface_hub import EvalResult, ModelCard

from factories import external_metadata, internal_metadata, register
from refusals import refused

BARE = """---
tags:
- ResNet
- pytorch
- external
---

# bare

- **Model:** bare, version 1 (the latest)
- **Artifact id:** bare-1
- **Origin:** external (taken over from elsewhere)
- **State:** candidate
- **Model family:** ResNet
- **Framework:** pytorch
- **Registered:** …, said to be by tester

## Provenance

- **Source:** <https://models.example.org/resnet50>
- **Version at the source:** v1.5

## Not known

The registry does not say:

- its number of parameters
- what it is for (task)
- its licence
- what it is (description)
- the repository of its code
- the commit of its code
- what it was trained on
- who trained it
- when it was trained
- with which parameters it was trained
- what it was evaluated on
- any metric
"""

TOLD = """---
license: apache-2.0
base_model: google/vit-base-patch16-224
datasets:
- fields-2024
- fields-2025
metrics:
- auroc
- f1
tags:
- vision transformer
- pytorch
- image-classification
- internal
pipeline_tag: image-classification
model-index:
- name: crop
  results:
  - task:
      type: image-classification
      name: Image Classification
    dataset:
      type: fields
      name: Fields of 2026
    metrics:
    - type: auroc
      value: 0.9050
    - type: f1
      value: 0.87
  - task:
      type: image-classification
      name: Image Classification
    dataset:
      type: fields-2026
      name: fields-2026
    metrics:
    - type: f1
      value: 0.88
---

# Crop diseases, from the air

- **Model:** crop, version 2 (the latest)
- **Artifact id:** crop-2
- **Version tag:** 2.0-rc1
- **Origin:** internal (trained here)
- **State:** promoted (passed the review)
- **Model family:** vision transformer
- **Framework:** pytorch
- **Parameters:** 86,567,656
- **Task:** Image Classification
- **Licence:** Apache-2.0
- **Registered:** …, said to be by tester

## Description

Tells leaves apart.\\
Not for trees.

## Provenance

- **Code:** <https://git.example.org/crop/model>
- **Commit:** 5c1d2a9e0f5b7c3d8e6f4a1b2c3d4e5f6a7b8c9d
- **Entry point:** train.py
- **Base model:** vit-base, version 1 (artifact vit-1)
- **Made from:** crop, version 1 (artifact crop-1)
- **Changes:** more fields
- **Training data:** fields-2024; fields-2025
- **Trained by:** agent-7
- **Training began:** 2026-05-11T22:30:00Z
- **Training ended:** 2026-05-12T04:00:00.5Z
- **GPU allocation:** gpu-17

## Metrics

- **Evaluation dataset, declared:** fields-2026
- **Benchmark, declared:** crops
- **Evaluation dataset, measured:** Fields of 2026 (artifact fields)
- **Benchmark, measured:** leaves
- **Measured:** 2026-05-12T09:00:00Z, said to be by agent-9

| metric | declared | measured last |
|---|---:|---:|
| auroc | — | 0.9050 |
| f1 | 0.88 | 0.87 |

## Training parameters

```json
{
    "seed": 7,
    "epochs": 40
}
```

## Further facts

```json
{
    "tiles": [
        512,
        256
    ]
}
```
"""


@pytest.fixture(scope="module")
def told(shared: psycopg.Connection) -> str:
    """A version of which everything is known; its artifact id."""
    shared.execute("select register_artifact('dataset', 'Fields of 2026', artifact_id => 'fields')")
    source = "https://huggingface.co/google/vit-base-patch16-224/tree/main"
    register(shared, "vit-base", external_metadata(external_source_url=source), artifact_id="vit-1")
    register(shared, "crop", internal_metadata(), artifact_id="crop-1")
    metadata = internal_metadata(
        model_family="vision transformer",
        framework="pytorch",
        parameter_count=86567656,
        base_model_id="vit-1",
        training_data=["fields-2024", "fields-2025"],
        evaluation_dataset="fields-2026",
        evaluation_metrics={"f1": 0.88},
        benchmark_id="crops",
        training_config={"epochs": 40, "seed": 7},
        task="Image Classification",
        license="Apache-2.0",
        description="Tells leaves apart.\nNot for trees.",
        extra={"tiles": [512, 256]},
    )
    register(
        shared,
        "crop",
        metadata,
        artifact_id="crop-2",
        title="Crop diseases, from the air",
        parent_version_id="crop-1",
        version_tag="2.0-rc1",
        changelog="more fields",
        created_by="tester",
        code_repo_url="https://git.example.org/crop/model",
        code_commit_sha="5c1d2a9e0f5b7c3d8e6f4a1b2c3d4e5f6a7b8c9d",
        code_entrypoint="train.py",
        training_started_at="2026-05-12 00:30+02",
        training_completed_at="2026-05-12 06:00:00.5+02",
        trained_by="agent-7",
        gpu_allocation_id="gpu-17",
    )
    shared.execute(
        """
        select record_evaluation(
            'crop-2', 'leaves', 'fields', '{"f1": 0.87, "auroc": 0.9050}', '2026-05-12 09:00+00', 'agent-9'
        )
        """
    )
    shared.execute("select promote_model('crop-2', notes => 'passed the review')")
    return "crop-2"


def without_time(conn: psycopg.Connection, artifact_id: str) -> str:
    """The card, with the time of the registration, which is now, taken out."""
    query = "select replace(model_card(a.id), _utc(a.created_at), '…') from artifacts as a where a.id = %s"
    (text,) = conn.execute(query, [artifact_id]).fetchone()
    return text


def test_a_card_says_all_that_is_known(shared, told):
    assert without_time(shared, told) == TOLD


def test_a_card_says_what_is_not_known(shared):
    register(shared, "bare", external_metadata(), artifact_id="bare-1", created_by="tester")
    assert without_time(shared, "bare-1") == BARE


def test_hugging_faces_own_library_reads_the_results(shared, told):
    (text,) = shared.execute("select model_card(%s)", [told]).fetchone()
    data = ModelCard(text).data
    assert (data.license, data.base_model, data.pipeline_tag) == (
        "apache-2.0",
        "google/vit-base-patch16-224",
        "image-classification",
    )
    assert (data.datasets, data.metrics) == (["fields-2024", "fields-2025"], ["auroc", "f1"])
    assert data.model_name == "crop"
    task = {"task_type": "image-classification", "task_name": "Image Classification"}
    measured = {"dataset_type": "fields", "dataset_name": "Fields of 2026"}
    assert data.eval_results == [
        EvalResult(**task, **measured, metric_type="auroc", metric_value=0.905),
        EvalResult(**task, **measured, metric_type="f1", metric_value=0.87),
        EvalResult(**task, dataset_type="fields-2026", dataset_name="fields-2026", metric_type="f1", metric_value=0.88),
    ]


@pytest.mark.parametrize(
    ("declared", "front_matter"),
    [
        ("MIT", {"license": "mit"}),
        ("GPL-3.0-or-later", {"license": "other", "license_name": "GPL-3.0-or-later"}),
        ("ours: ask first", {"license": "other", "license_name": "ours: ask first"}),
    ],
)
def test_a_licence_is_one_that_the_hub_knows_or_has_a_name(shared, card, declared, front_matter):
    registered = register(shared, "licensed", internal_metadata(license=declared))
    found = card(registered.artifact_id).front_matter
    assert {name: value for name, value in found.items() if name.startswith("license")} == front_matter


@pytest.mark.parametrize(
    ("task", "pipeline_tag"),
    [("image-classification", "image-classification"), ("Target_Ranking", "target-ranking"), ("R&D", None)],
)
def test_a_pipeline_tag_is_the_task_where_it_can_be_spelt_as_one(shared, card, task, pipeline_tag):
    registered = register(shared, "with a task", internal_metadata(task=task, evaluation_dataset="cohort B"))
    front_matter = card(registered.artifact_id).front_matter
    assert front_matter.get("pipeline_tag") == pipeline_tag
    (result,) = front_matter["model-index"][0]["results"]
    assert result["task"].get("name", result["task"]["type"]) == task


def test_no_result_is_claimed_without_a_task_or_for_one_of_several_datasets(shared, card):
    without_task = register(shared, "no task", internal_metadata(evaluation_dataset="cohort B"))
    assert "model-index" not in card(without_task.artifact_id).front_matter
    of_several = internal_metadata(task="risk", evaluation_dataset=["cohort B", "cohort C"])
    several = card(register(shared, "two datasets", of_several).artifact_id)
    assert "model-index" not in several.front_matter
    assert "- which of its evaluation datasets a declared metric is of\n" in several.text


def test_a_base_model_that_is_not_of_the_hub_goes_by_its_name(shared, card):
    register(shared, "our base", internal_metadata(), artifact_id="our-base-1")
    registered = register(shared, "based", internal_metadata(base_model_id="our-base-1"))
    assert card(registered.artifact_id).front_matter["base_model"] == "our base"


def test_a_superseded_version_names_its_successor(shared, card):
    for number in (1, 2):
        register(shared, "outdone", artifact_id=f"outdone-{number}")
        shared.execute("select promote_model(%s)", [f"outdone-{number}"])
    assert "- **State:** superseded\n" in card("outdone-1").text
    assert "- **Superseded by:** outdone, version 2 (artifact outdone-2)\n" in card("outdone-1").text
    assert "- **Model:** outdone, version 1\n" in card("outdone-1").text


SETTINGS = (
    "set timezone = 'America/St_Johns'",
    "set datestyle = 'SQL, DMY'",
    "set intervalstyle = 'iso_8601'",
    "set extra_float_digits = -15",
    "set standard_conforming_strings = off",
    "set bytea_output = 'escape'",
    "set search_path = pg_catalog",
    "set client_encoding = 'LATIN1'",
    "set transform_null_equals = on",
)


def test_a_card_is_the_same_whatever_a_session_has_set(shared, told):
    """Also its lc_* settings, as far as the server has other locales."""
    (expected,) = shared.execute("select md5(atlas.model_card(%s))", [told]).fetchone()
    with psycopg.connect(shared.info.dsn, autocommit=True) as other:
        for setting in SETTINGS:
            other.execute(setting)
        locales = other.execute("select distinct collcollate from pg_collation where collcollate <> ''").fetchall()
        for name, (locale,) in ((n, row) for n in ("monetary", "numeric", "time") for row in locales):
            other.execute(psycopg.sql.SQL("set {} = {}").format(psycopg.sql.Identifier(f"lc_{name}"), locale))
        assert other.execute("select md5(atlas.model_card(%s))", [told]).fetchone() == (expected,)


def test_who_may_read_may_have_a_card(connect: Callable[..., psycopg.Connection]):
    conn = connect()
    register(conn, "risk", artifact_id="risk-1")
    (text,) = connect("test_reader").execute("select model_card('risk-1')").fetchone()
    assert text.startswith("---\ndatasets:\n")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect("test_stranger").execute("select model_card('risk-1')")


@pytest.mark.parametrize("unknown", ["nope", "fields", None])
def test_what_is_no_model_has_no_card(shared, told, unknown):
    assert told
    with refused(
        "P0002", detail=f"/artifact_id: {repr(unknown) if unknown else 'NULL'} names no model version"
    ) as caught:
        shared.execute("select model_card(%s)", [unknown])
    assert caught.value.diag.message_hint == "select artifact_id, name, version_number from models lists the versions."
