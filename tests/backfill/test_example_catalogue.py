"""The eight example models: an old catalogue as it grew, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import atlas_models

CATALOGUE = Path(atlas_models.__file__).parent / "example_catalogue.sql"
RISK = "model-29ce54ef-0000-4000-8000-invented0001"
AMYLOID = "model-56e6e50d-0000-4000-8000-invented0002"
CELLS = "model-14307274-0000-4000-8000-invented0003"
AD_RISK = "model-8479a365-0000-4000-8000-invented0004"
MICROGLIA = "model-45e16a37-0000-4000-8000-invented0005"
CYTOKINES = "model-9ccc79de-0000-4000-8000-invented0006"
TARGETS = "model_ot_ad_zscore_rules_v1"
MICROGLIA_ODE = "model-biophys-microglia-001"
MODELS = [CELLS, RISK, MICROGLIA, AMYLOID, AD_RISK, CYTOKINES, MICROGLIA_ODE, TARGETS]
IN_SERVICE = "column lifecycle_state says in service"


@pytest.fixture(scope="module")
def old(backfill_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(backfill_database) as conn:
        conn.execute("create schema old")
        conn.execute("set local search_path = old, pg_temp")
        conn.execute(CATALOGUE.read_text())
        yield conn
        conn.rollback()


@pytest.fixture(scope="module")
def results(old: psycopg.Connection) -> dict[str, dict[str, Any]]:
    query = """
        select
            id,
            atlas.normalise_metadata(
                metadata,
                jsonb_build_object(
                    'title', title, 'notes', notes, 'origin_type', origin_type, 'origin_url', origin_url,
                    'lifecycle_state', nullif(lifecycle_state, 'active'), 'changelog', changelog
                ),
                (select jsonb_agg(to_jsonb(r) order by position, name)::text from atlas.backfill_rules as r)
            )
        from artifacts
        where artifact_type = 'model'
    """
    return dict(old.execute(query).fetchall())


def test_the_eight_models_of_the_catalogue(old):
    rows = old.execute("select id, title from artifacts where artifact_type = 'model' order by id").fetchall()
    assert rows == [
        (CELLS, "Cell Type Classifier"),
        (RISK, "Neurodegeneration Risk Predictor"),
        (MICROGLIA, "Microglial Activation Model"),
        (AMYLOID, "Amyloid Production-Clearance Model"),
        (AD_RISK, "AD Risk Prediction Model"),
        (CYTOKINES, "Microglial-Amyloid-Cytokine Activation Model v1"),
        (MICROGLIA_ODE, "Microglial Activation ODE (TREM2/APOE/IL-6)"),
        (TARGETS, "OT-AD Target Ranking baseline"),
    ]


def test_whatever_is_made_up_says_so(old):
    query = (
        "select count(*) from artifacts where artifact_type = 'model' and metadata like '%illustrative, not measured%'"
    )
    assert old.execute(query.replace("%", "%%"), []).fetchone() == (8,)
    query = "select id from artifacts where artifact_type <> 'model' order by id"
    assert all("invented" in row[0] for row in old.execute(query).fetchall())


def test_it_is_a_table_as_sqlite_has_them(old):
    query = """
        select column_name, data_type from information_schema.columns
        where table_schema = 'old' and column_name in ('metadata', 'is_latest', 'created_at', 'updated_at')
        order by column_name
    """
    assert old.execute(query).fetchall() == [
        ("created_at", "text"),
        ("is_latest", "integer"),
        ("metadata", "text"),
        ("updated_at", "text"),
    ]


def test_six_become_valid_and_were_in_service(results):
    settled = {name: one["promoted_by"] for name, one in results.items() if one["valid"] and not one["questions"]}
    assert settled == {
        RISK: IN_SERVICE,
        CELLS: IN_SERVICE,
        AD_RISK: IN_SERVICE,
        MICROGLIA: "status says in service",
        CYTOKINES: IN_SERVICE,
        TARGETS: IN_SERVICE,
    }


def test_the_two_biophysical_models_wait_for_a_person(results):
    assert results[AMYLOID]["questions"] == [
        {
            "field": "parameter_count",
            "seen": {"/n_parameters": "14-16"},
            "readings": [14, 16],
            "why": "/n_parameters names a range, not a number",
        }
    ]
    assert results[MICROGLIA_ODE]["questions"] == [
        {
            "field": "parameter_count",
            "seen": {"/n_params": 31, "/parameters": "27"},
            "readings": [31, 27],
            "why": "/n_params and /parameters disagree",
        }
    ]


def test_what_becomes_of_the_cell_type_classifier(results):
    assert results[CELLS]["metadata"] == {
        "is_external": False,
        "model_family": "transformer",
        "framework": "pytorch",
        "parameter_count": 1200000,
        "training_data": "SEA-AD",
        "evaluation_dataset": "SEA-AD, held-out donors",
        "evaluation_metrics": {"accuracy": 0.912, "macro_f1": 0.884},
        "extra": {"pytorch_version": "2.1.0", "numbers": "illustrative, not measured"},
    }


def test_the_code_of_each(results):
    assert {name: one["columns"] for name, one in results.items()} == {
        RISK: {},
        AMYLOID: {},
        CELLS: {
            "code_repo_url": "https://github.com/example/cell-types",
            "code_commit_sha": "0" * 39 + "3",
            "code_entrypoint": "train.py",
            "training_started_at": "2025-02-10T06:00:00+00:00",
            "training_completed_at": "2025-02-10T19:30:00+00:00",
            "gpu_allocation_id": "invented-allocation-3",
        },
        AD_RISK: {"code_repo_url": "https://github.com/example/risk", "code_commit_sha": "0" * 39 + "4"},
        MICROGLIA: {"code_repo_url": "https://git.example.org/microglia/activation"},
        CYTOKINES: {},
        TARGETS: {},
        MICROGLIA_ODE: {"code_repo_url": "git@git.example.org:microglia/ode.git"},
    }


def test_a_tag_is_kept_as_what_it_is(results):
    assert results[AMYLOID]["metadata"]["extra"]["code_ref"] == "v0.3"


@pytest.mark.parametrize("model", MODELS)
def test_every_key_of_the_old_document_is_accounted_for(old, results, model):
    document = old.execute("select metadata::jsonb from artifacts where id = %s", [model]).fetchone()[0]
    places = {change["from"] for change in results[model]["changes"]}
    for key, value in document.items():
        assert f"/{key}" in places or results[model]["metadata"].get(key) == value or key == "code"
