"""A small old catalogue, with one of each: what can be backfilled as it stands, and what a person must say."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from atlas_models.migration_runner import migrate
from factories import ABSENT, internal_metadata
from old_catalogues import SQLITE_TABLE

ROWS: tuple[dict[str, Any], ...] = (
    {"id": "risk-1", "title": "Risk", "lifecycle_state": "production", "metadata": internal_metadata()},
    {"id": "cells-1", "title": "Cell types", "metadata": internal_metadata(parameter_count=7)},
    {"id": "ode-1", "title": "Microglia ODE", "metadata": internal_metadata(parameter_count=ABSENT)},
    {"id": "drift-1", "title": "Drift", "metadata": internal_metadata(), "is_latest": 1},
    {
        "id": "drift-2",
        "title": "Drift",
        "metadata": internal_metadata(),
        "is_latest": 1,
        "version_number": 2,
        "parent_version_id": "drift-1",
    },
    {"id": "cohort-1", "artifact_type": "dataset", "title": "Cohort", "metadata": {"rows": 12}},
)


def lay_down(url: str, schema: str = "atlas", rows: tuple[dict[str, Any], ...] = ROWS) -> None:
    """Makes the old table in a database that has none, with these rows."""
    with psycopg.connect(url) as conn:
        conn.execute(f"create schema {schema}")
        conn.execute(f"set local search_path = {schema}")
        conn.execute(SQLITE_TABLE)
        for row in rows:
            values = {"artifact_type": "model"} | row | {"metadata": json.dumps(row["metadata"])}
            names = ", ".join(values)
            marks = ", ".join(["%s"] * len(values))
            conn.execute(f"insert into artifacts ({names}) values ({marks})", list(values.values()))


def adopt(url: str, rows: tuple[dict[str, Any], ...] = ROWS) -> None:
    """Lays the old table down and has it taken over."""
    lay_down(url, rows=rows)
    migrate(url)
