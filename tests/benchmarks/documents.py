"""What is registered in the benchmarks: metadata of about 800 bytes, or of 20 kB, no two documents alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

_FAMILIES = ["gradient boosting", "ResNet", "BERT", "U-Net", "random forest", "Temporal Fusion Transformer"]
_FRAMEWORKS = ["xgboost", "pytorch", "transformers", "monai", "scikit-learn", "pytorch-forecasting"]


def document(number: int) -> dict[str, Any]:
    """Metadata of the model with this number, as a platform would write it: 760 to 840 bytes of text."""
    kind = number % len(_FAMILIES)
    return {
        "is_external": False,
        "model_family": _FAMILIES[kind],
        "framework": _FRAMEWORKS[kind],
        "parameter_count": 1_200_000 + number,
        "task": "readmission within 30 days",
        "license": "Apache-2.0",
        "description": f"Run {number}: trained on the weekly extract, early stopping on a validation fold, calibrated.",
        "training_data": [f"warehouse://cohorts/admissions/2024-w{number % 52:02}", "warehouse://cohorts/labs/2024"],
        "evaluation_dataset": f"warehouse://cohorts/holdout/{number % 97}",
        "evaluation_metrics": {
            "auroc": round(0.5 + number % 4999 / 10_000, 4),
            "auprc": round(0.3 + number % 3989 / 10_000, 4),
            "brier": round(0.1 + number % 997 / 10_000, 4),
            "calibration_slope": round(0.9 + number % 1009 / 10_000, 4),
        },
        "training_config": {
            "optimizer": "adamw",
            "learning_rate": 0.0003,
            "batch_size": 256,
            "epochs": 40 + number % 7,
            "seed": number,
            "early_stopping": {"metric": "auroc", "patience": 5},
        },
        "extra": {"run": f"forge-{number:08}", "tags": ["weekly", "calibrated"], "region": "eu-central-1"},
    }


def large_document(number: int) -> dict[str, Any]:
    """Metadata of about 20 kB: the same, with a configuration that lists every layer."""
    model = document(number)
    layers = [
        {"name": f"encoder/block_{layer}/attention", "units": 64 + layer % 8, "dropout": 0.1, "seed": number + layer}
        for layer in range(234)
    ]
    return model | {"training_config": model["training_config"] | {"layers": layers}}


def registration(number: int, name: str) -> dict[str, Any]:
    """The arguments of register_model() for the model with this number."""
    return {
        "name": name,
        "metadata": document(number),
        "title": f"Readmission risk, run {number}",
        "version_tag": f"2024.{number % 52}",
        "origin_type": "forge",
        "created_by": "forge",
        "code_repo_url": "https://git.example.org/risk/readmission",
        "code_commit_sha": hashlib.sha1(str(number).encode()).hexdigest(),
        "code_entrypoint": "train.py",
        "training_started_at": "2024-05-01T10:00:00Z",
        "training_completed_at": "2024-05-01T12:00:00Z",
        "trained_by": f"agent-{number % 13}",
    }


def size(number: int, write: Callable[[int], dict[str, Any]] = document) -> int:
    """How many bytes of text the document is in the database."""
    return len(json.dumps(write(number), separators=(", ", ": ")).encode())
