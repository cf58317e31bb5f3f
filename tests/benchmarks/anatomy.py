"""What the server's work for a registration is made of: the same one where one thing at a time is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import psycopg
from psycopg import sql

from atlas_models import migration_runner
from benchmarks import search

_SEARCH = ("artifacts_85_keep_search", "model_versions_80_keep_search_insert")
_HISTORY = ("artifacts_90_record_registrations", "artifacts_90_record_artifact_changes")
# Moves the counter: without it no version could be numbered.
_COUNTER = ("artifacts_50_settle_versions",)
_TRIGGERS = """
    select t.tgrelid::regclass::text, t.tgname from pg_trigger as t
    inner join pg_class as c on t.tgrelid = c.oid
    where c.relnamespace = current_schema()::regnamespace and not t.tgisinternal
"""
_CONSTRAINTS = """
    select k.conrelid::regclass::text, k.conname from pg_constraint as k
    where k.connamespace = current_schema()::regnamespace and k.contype = %s
    and k.conrelid = any('{artifacts,model_versions,registered_models,model_events,model_search}'::regclass[])
"""
_ANYTHING_IS_VALID = """
    create or replace function is_valid_metadata(artifact_type text, schema_version integer, metadata jsonb)
    returns boolean
    language plpgsql immutable called on null input parallel safe security invoker
    as 'begin return true; end'
"""


def _drop_constraints(conn: psycopg.Connection, kind: str, kept: Sequence[str] = ()) -> None:
    for table, name in conn.execute(_CONSTRAINTS, [kind]).fetchall():
        if name not in kept:
            drop = sql.SQL("alter table {} drop constraint {}").format(sql.SQL(table), sql.Identifier(name))
            conn.execute(drop)


def _disable(conn: psycopg.Connection, wanted: Callable[[str], bool]) -> None:
    for table, name in conn.execute(_TRIGGERS).fetchall():
        if wanted(name):
            conn.execute(sql.SQL("alter table {} disable trigger {}").format(sql.SQL(table), sql.Identifier(name)))


def _nothing(_: psycopg.Connection) -> None:
    pass


# What is left out, and how.
WITHOUT: dict[str, Callable[[psycopg.Connection], object]] = {
    "": _nothing,
    "the validation of the metadata": lambda conn: conn.execute(_ANYTHING_IS_VALID),
    "the row and metrics that searches read": lambda conn: _disable(conn, lambda name: name in _SEARCH),
    "the history": lambda conn: _disable(conn, lambda name: name in _HISTORY),
    "the other triggers: latest, lineage, has a version, nothing rewritten": lambda conn: _disable(
        conn, lambda name: name not in _SEARCH + _HISTORY + _COUNTER
    ),
    "foreign keys": lambda conn: _drop_constraints(conn, "f"),
    "the other CHECKs": lambda conn: _drop_constraints(conn, "c", ("artifacts_metadata_valid",)),
}
REST = "the rest: rows and indexes, the function itself, the transaction"


def measure(
    connect: Callable[[str], psycopg.Connection],
    url: str,
    take: Callable[[int, Callable[[int], str]], list[dict[str, Any]]],
    register: Callable[[psycopg.Connection, dict[str, Any]], str],
    calls: int,
    rounds: int,
) -> tuple[float, dict[str, float]]:
    """Register in a registry for each thing that is left out, in turns.

    Returns:
        Microseconds that the server works for a whole registration, and what each thing takes off.
    """
    connections = {}
    for place, (without, leave_out) in enumerate(WITHOUT.items()):
        schema = f"anatomy_{place}"
        migration_runner.migrate(url, schema=schema)
        connections[without] = connect(schema)
        leave_out(connections[without])
    worked: dict[str, list[float]] = {without: [] for without in WITHOUT}
    for turn in range(rounds + 2):
        for step in range(len(WITHOUT)):
            without = list(WITHOUT)[(turn + step) % len(WITHOUT)]
            conn = connections[without]
            models = take(calls, lambda number: f"new {number}" if number % 2 else f"known {number % 200}")
            began = search.processor_time(conn)
            for model in models:
                register(conn, model)
            if turn >= 2:
                worked[without].append((search.processor_time(conn) - began) * 1e3 / calls)
    for conn in connections.values():
        conn.close()
    whole = median(worked.pop(""))
    return whole, {without: whole - median(times) for without, times in worked.items()}
