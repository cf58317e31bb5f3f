"""Metadata that is valid, for tests that are about something else."""

from __future__ import annotations

from typing import Any

_ABSENT = object()
ABSENT: Any = _ABSENT


def internal_metadata(**changes: Any) -> dict[str, Any]:
    """Valid metadata of a model trained here; ``field=value`` replaces or adds a field, ``field=ABSENT`` leaves it out."""
    return _changed(
        {
            "is_external": False,
            "model_family": "gradient boosting",
            "framework": "xgboost",
            "parameter_count": 12400,
            "training_data": "cohort A",
            "evaluation_dataset": ["cohort B"],
            "evaluation_metrics": {"auroc": 0.91},
        },
        changes,
    )


def external_metadata(**changes: Any) -> dict[str, Any]:
    """Valid metadata of a model taken over from elsewhere; changes as in ``internal_metadata``."""
    return _changed(
        {
            "is_external": True,
            "model_family": "ResNet",
            "framework": "pytorch",
            "external_source_url": "https://models.example.org/resnet50",
            "external_source_version": "v1.5",
        },
        changes,
    )


def _changed(metadata: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (metadata | changes).items() if value is not _ABSENT}
