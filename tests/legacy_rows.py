"""Legacy rows for tests: a complete one to start from, and the odd ones that must not stop anything."""

from __future__ import annotations

from typing import Any

SHA = "0123456789abcdef0123456789abcdef01234567"

COMPLETE: dict[str, Any] = {
    "is_external": False,
    "model_family": "gradient boosting",
    "framework": "xgboost",
    "parameter_count": 12400,
    "training_data": "cohort A",
    "evaluation_dataset": "cohort B",
    "evaluation_metrics": {"auroc": 0.91},
}


def complete(*without: str, **changes: Any) -> dict[str, Any]:
    """A document that is valid as it stands, less some fields, with others set."""
    return {key: value for key, value in COMPLETE.items() if key not in without} | changes


def text_of(document: str, *members: str) -> str:
    """JSON text of an object with members given as text, so that a key may stand twice."""
    return document.rstrip()[:-1] + "".join(f", {member}" for member in members) + "}"


GROWN_BY_HAND: dict[str, Any] = {
    "architecture": "ResNet-50",
    "pytorch_version": "2.1.0",
    "Parameters": "25.6 M params",
    "train-data": "ImageNet-1k",
    "Test Set": "ImageNet-1k, validation part",
    "eval_metrics": {"top1": "76.1%", "top5": "92.9%"},
    "hyperparameters": {"lr": 0.1, "epochs": 90},
    "licence": "Apache-2.0",
    "code_url": f"https://github.com/example/vision/blob/{SHA}/train.py",
    "training_start": "2024-05-01 10:00:00",
    "owner": "jane",
    "retrain": None,
}

ODD: dict[str, str | None] = {
    "NULL": None,
    "null": "null",
    "a list": "[1, 2]",
    "a text": '"model"',
    "a number": "3",
    "no JSON": "{'a': 1}",
    "blank": "",
    "NaN as a number": '{"a": NaN}',
    "a number beyond a double": '{"a": 1e400}',
    "an integer beyond 64 bits": '{"a": 123456789012345678901234567890}',
    "101 levels": '{"a":' * 101 + "1" + "}" * 101,
    "100 levels": '{"a":' * 100 + "1" + "}" * 100,
    "100,000 levels": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "900 kB": '{"blob": "' + "x" * 900_000 + '"}',
    "900 kB of numbers that grow": '{"blob": [' + "1e300, " * 130_000 + "1]}",
    "beyond 1 MiB": '{"blob": "' + "x" * 1_100_000 + '"}',
    "50,000 keys": "{" + ", ".join(f'"key {number}": {number}' for number in range(50_000)) + "}",
    "a zero character": '{"model_family": "a\\u0000b", "note\\u0000": 1}',
    "half a surrogate pair": '{"framework": "\\ud800", "x": {"\\udc00": ["\\ud800"]}}',
    "a key twice": '{"framework": "a", "framework": "b", "other": 1, "other": 2, "deep": {"x": 1, "x": 2}}',
    "keys that differ in case": '{"framework": "a", "Framework": "b", "other": 1, "OTHER": 2}',
    "more digits than a double keeps": '{"metrics": {"a": 0.12345678901234567890123}}',
    "an empty key": '{"": 1, " ": 2, ".": 3, "..": {"": 4}}',
    "extra is no object": '{"extra": [1, 2]}',
    "extra and others of its keys": '{"extra": {"a": 1, "b": 2}, "a": 1, "b": 3}',
    "odd types everywhere": """{
        "is_external": [], "model_family": {}, "framework": 7, "parameter_count": true, "training_data": {"x": [1]},
        "evaluation_dataset": [[]], "evaluation_metrics": "good", "external_source_url": 1, "training_config": "none",
        "git_commit": 5, "repo": [], "training_start": {}, "status": {}, "license": [], "dataset": {}
    }""",
}
