"""The two commands that a deploy ends with: a registration that works and one that is refused."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from atlas_models.connections import connect

_VALID = {
    "is_external": False,
    "model_family": "gradient boosting",
    "framework": "xgboost",
    "parameter_count": 12400,
    "training_data": "loans-2025",
    "evaluation_dataset": "loans-2026-q1",
    "evaluation_metrics": {"auroc": 0.91},
}
_INVALID = {
    "is_external": False,
    "model_family": "gradient boosting",
    "framework": "",
    "parameter_count": "12400",
    "training_data": "loans-2025",
    "evaluation_metrics": {"auroc": 0.91},
}


@dataclass(frozen=True)
class FirstSteps:
    """Two shell commands, ready to paste."""

    accepted: str
    refused: str


def commands(url: str, shown_url: str, schema: str, psql: str) -> FirstSteps | None:
    """Writes the commands for a database.

    Args:
        url: The database.
        shown_url: How the commands write it; it may name a variable of the shell.
        schema: The schema that holds the registry.
        psql: The program to call.

    Returns:
        The commands, or None when the database has no register_model.
    """
    with connect(url) as conn:
        found = conn.execute(
            """
            select 1
            from pg_proc as p
            join pg_namespace as n on n.oid = p.pronamespace
            where n.nspname = %s and p.proname = 'register_model'
            """,
            [schema],
        ).fetchone()
        if found is None:
            return None
        # Some client may have the schema on its search_path and another not: qualified, it works for both.
        function = conn.execute("select format('%%I.register_model', %s::text)", [schema]).fetchone()
        assert function is not None
    return FirstSteps(
        _command(psql, shown_url, function[0], _VALID),
        _command(psql, shown_url, function[0], _INVALID),
    )


def _command(psql: str, shown_url: str, function: str, metadata: dict[str, object]) -> str:
    # Dollar quotes need no escaping inside of the shell's single quotes: the command stays readable.
    statement = f"select * from {function}($$first-model$$,\n    $${json.dumps(metadata)}$$)"
    # A refusal says what to do in ERROR, DETAIL and HINT; which of our lines raised it is of no use to its reader.
    return f'  {shlex.quote(psql)} "{shown_url}" -v SHOW_CONTEXT=never -c {shlex.quote(statement)}'
