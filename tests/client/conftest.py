"""A registry on the test's own database, and metadata that is valid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from atlas_models import Registry

INTERNAL = {
    "is_external": False,
    "model_family": "gradient boosting",
    "framework": "xgboost",
    "parameter_count": 12400,
    "training_data": "cohort A",
    "evaluation_dataset": ["cohort B", "cohort C"],
    "evaluation_metrics": {"auroc": 0.91},
}
EXTERNAL = {
    "is_external": True,
    "model_family": "BERT",
    "framework": "PyTorch",
    "external_source_url": "https://huggingface.co/bert-base-uncased",
    "external_source_version": "86b5e0934494bd15c9632b12f734a8a67f723594",
}


@pytest.fixture
def internal() -> dict[str, Any]:
    """Valid metadata of a model trained here; a copy, free to be changed."""
    return INTERNAL | {}


@pytest.fixture
def external() -> dict[str, Any]:
    """Valid metadata of a model taken over from elsewhere; a copy, free to be changed."""
    return EXTERNAL | {}


@pytest.fixture
def registry(database_url: str) -> Iterator[Registry]:
    """A registry with a connection of its own."""
    with Registry(database_url) as opened:
        yield opened
