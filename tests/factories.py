"""Metadata that is valid, for tests that are about something else."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

ABSENT: Any = object()


def internal_metadata(**changes: Any) -> dict[str, Any]:
    """Valid metadata of a model trained here; ``field=value`` sets a field, ``field=ABSENT`` leaves it out."""
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
    return {name: value for name, value in (metadata | changes).items() if value is not ABSENT}


class Registered(NamedTuple):
    """What register_model() and register_models() answer."""

    artifact_id: str
    version_number: int
    created: bool


def register(conn: psycopg.Connection, name: str, metadata: Any = None, **arguments: Any) -> Registered:
    """Call register_model() by named arguments, with valid metadata of an internal model unless other is given."""
    named = {"name": name, "metadata": Jsonb(internal_metadata() if metadata is None else metadata)} | arguments
    call = sql.SQL("select artifact_id, version_number, created from register_model({})").format(
        sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in named)
    )
    return Registered(*conn.execute(call, named).fetchone())


def register_many(conn: psycopg.Connection, models: Any) -> list[Registered]:
    """Call register_models() with an array."""
    query = "select artifact_id, version_number, created from register_models(%s)"
    return [Registered(*row) for row in conn.execute(query, [Jsonb(models)])]


def meet_policies(conn: psycopg.Connection, *artifact_ids: str) -> None:
    """Give versions the code pin and the evaluation that a new database asks of what it promotes."""
    for artifact_id in artifact_ids:
        pin = "select link_code(%s, 'https://git.example.org/team/project', %s)"
        conn.execute(pin, [artifact_id, "0123456789abcdef0123456789abcdef01234567"])
        conn.execute("select record_evaluation(%s, metrics => '{\"auroc\": 0.91}')", [artifact_id])
