"""Eight versions that differ in all that can be asked for, on one database a module; changes are rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from factories import ABSENT, external_metadata, internal_metadata, register

# Registered one after the other, so the last is the newest.
CATALOGUE: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "vit-1",
        "vit",
        external_metadata(model_family="ViT", benchmark_id="imagenet", description="Patches of an image, as words"),
        {"title": "Vision transformer"},
    ),
    (
        "risk-1",
        "credit-risk",
        internal_metadata(evaluation_metrics={"auroc": 0.81, "f1": 0.5}),
        {"title": "Credit risk", "trained_by": "agent-1", "training_completed_at": "2025-01-10T00:00:00Z"},
    ),
    (
        "risk-2",
        "credit-risk",
        internal_metadata(evaluation_metrics={"auroc": 0.93}, training_data=["loans-2024", "loans-2025"]),
        {"title": "Credit risk", "trained_by": "agent-2", "training_completed_at": "2025-02-10T00:00:00Z"},
    ),
    (
        "limit-1",
        "credit-limit",
        internal_metadata(framework="LightGBM", evaluation_metrics={"auroc": 0.93, "loss": -2}),
        {"title": "Limits", "trained_by": "agent-2", "training_completed_at": "2025-03-10T00:00:00Z"},
    ),
    (
        "crop-1",
        "crop-disease",
        internal_metadata(model_family="vit", framework="PyTorch", base_model_id="vit-1", task="classification"),
        {"title": "Crop disease classifier", "eval_dataset_artifact_id": "dataset-fields"},
    ),
    (
        "crop-2",
        "crop-disease",
        internal_metadata(
            model_family="vit", framework="PyTorch", base_model_id="vit-1", evaluation_metrics={"f1": 0.88}
        ),
        {"title": "Crop disease, sharper"},
    ),
    (
        "odd-1",
        'o\'clock \\ "odd" %s',
        internal_metadata(model_family="it's \\'=x':*", evaluation_metrics={"it's \"": 1e-320, "n": 0}),
        {"title": "'; drop table artifacts; --", "trained_by": "a|b&!c"},
    ),
    ("plain-1", "plain", internal_metadata(description=ABSENT), {}),
]


@pytest.fixture(scope="module")
def module_connection(template_database: str, new_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        new_database(template_database), autocommit=True, options="-c search_path=atlas -c timezone=Asia/Tokyo"
    ) as conn:
        conn.execute("select register_artifact('dataset', 'Fields', artifact_id => 'dataset-fields')")
        for artifact_id, name, metadata, arguments in CATALOGUE:
            register(conn, name, metadata, artifact_id=artifact_id, **arguments)
        for promoted in ("risk-1", "risk-2", "crop-1"):
            conn.execute("select promote_model(%s)", [promoted])
        conn.execute("select reject_model('limit-1')")
        conn.execute("analyze")
        yield conn


@pytest.fixture
def registry(module_connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A superuser's connection inside a transaction that will be rolled back."""
    with module_connection.transaction(force_rollback=True):
        yield module_connection


Search = Callable[..., list[str]]


@pytest.fixture
def search(registry: psycopg.Connection) -> Search:
    """``search(asked, order_by=…) -> [artifact id]``, all on one page."""

    def found(asked: Any = None, **arguments: Any) -> list[str]:
        named = {"filter": Jsonb({} if asked is None else asked), "page_size": 1000} | arguments
        call = ", ".join(f"{name} => %({name})s" for name in named)
        return [row[0] for row in registry.execute(f"select artifact_id from search_models({call})", named)]

    return found
