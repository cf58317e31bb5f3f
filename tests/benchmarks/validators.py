"""What the validation of a row costs: with the registry's trigger and CHECK, with python-jsonschema, with neither."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import search

SCHEMA_FILE = Path(__file__).parents[2] / "schemas" / "model_artifact_metadata.json"
# python-jsonschema and what it imports.
DISTRIBUTIONS = ("jsonschema", "jsonschema-specifications", "referencing", "rpds-py", "attrs", "typing_extensions")

TABLES = ("validated", "pythonic", "unchecked")
_TRIGGERS = """
    select pg_get_triggerdef(oid) from pg_trigger where tgrelid = 'artifacts'::regclass
    and tgname in ('artifacts_05_refuse_unbounded_number', 'artifacts_10_explain_metadata')
"""
_PYTHONIC = """
    create function pg_temp.is_valid_by_python(metadata jsonb) returns boolean
    language plpython3u immutable
    as $python$
if "validator" not in SD:
    import json
    import sys
    sys.path.append({folder})
    from jsonschema import Draft7Validator
    SD["loads"] = json.loads
    SD["validator"] = Draft7Validator(json.loads({schema}))
return SD["validator"].is_valid(SD["loads"](metadata))
$python$
"""
_WRITE = """
    insert into {} (id, artifact_type, name, metadata, metadata_schema_version, version_number)
    select 'model-' || n, 'model', 'name ' || n, metadata, 1, 1
    from (select metadata, row_number() over () as n from {}) as d
"""
# More than the validator remembers answers for.
_FORGET = """
    select is_valid_metadata('model', 1, jsonb_build_object('filler', repeat('x', 700000) || n))
    from generate_series(1, 2) as n
"""


@contextmanager
def python_jsonschema() -> Iterator[Path]:
    """A folder with this environment's python-jsonschema that the server's user can read; appended to its path."""
    folder = Path(tempfile.mkdtemp(prefix="atlas-bench-jsonschema-"))
    try:
        for name in DISTRIBUTIONS:
            for file in metadata.distribution(name).files or []:
                if "__pycache__" not in file.parts and ".." not in file.parts:
                    target = folder / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(str(file.locate()), target)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Costs:
    """Microseconds that the server works on a row: validated, validated by python-jsonschema, unchecked."""

    validated: float
    pythonic: float | None
    unchecked: float


def server_python(conn: psycopg.Connection) -> tuple[int, int]:
    """The version of the server's Python."""
    notices: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    conn.execute("do language plpython3u 'import sys; plpy.notice(\"%d %d\" % sys.version_info[:2])'")
    major, minor = notices[-1].split()
    return int(major), int(minor)


def make_tables(conn: psycopg.Connection, registry: str, folder: Path) -> tuple[str, ...]:
    """Make the tables that are written to; python-jsonschema's only where the server's Python can load it."""
    # Its parts are built for one version of Python.
    tables = TABLES if server_python(conn) == sys.version_info[:2] else ("validated", "unchecked")
    for table in tables:
        like = "create temporary table {} (like artifacts including all)"
        conn.execute(sql.SQL(like).format(sql.Identifier(table)))
        if table != "validated":
            for constraint in ("artifacts_metadata_bounded", "artifacts_metadata_valid"):
                conn.execute(
                    sql.SQL("alter table {} drop constraint {}").format(*map(sql.Identifier, (table, constraint)))
                )
    for (definition,) in conn.execute(_TRIGGERS).fetchall():
        conn.execute(definition.replace(f" ON {registry}.artifacts ", " ON validated "))
    if "pythonic" in tables:
        schema = json.dumps(json.loads(SCHEMA_FILE.read_text()))
        conn.execute(_PYTHONIC.format(folder=repr(str(folder)), schema=repr(schema)))
        conn.execute("alter table pythonic add check (pg_temp.is_valid_by_python(metadata) is true)")
    return tables


def measure(
    conn: psycopg.Connection,
    tables: tuple[str, ...],
    write: Callable[[int], dict[str, Any]],
    count: int,
    rounds: int,
) -> Costs:
    """Write so many documents into each table in turn, again and again."""
    source = f"{write.__name__}s"
    conn.execute(sql.SQL("create temporary table {} (metadata jsonb)").format(sql.Identifier(source)))
    with conn.cursor().copy(sql.SQL("copy {} from stdin").format(sql.Identifier(source))) as copy:
        for number in range(count):
            copy.write_row([json.dumps(write(number))])
    times: dict[str, list[float]] = {table: [] for table in tables}
    for turn in range(rounds + 1):
        for step in range(len(tables)):
            table = tables[(turn + step) % len(tables)]
            conn.execute(_FORGET)
            conn.execute(sql.SQL("truncate {}").format(sql.Identifier(table)))
            began, began_work = time.perf_counter(), search.processor_time(conn)
            conn.execute(sql.SQL(_WRITE).format(*map(sql.Identifier, (table, source))), prepare=True)
            worked = (search.processor_time(conn) - began_work) / 1e3
            times[table].append(worked or time.perf_counter() - began)
    # The first turn starts the interpreter.
    each = {table: median(spent[1:]) / count * 1e6 for table, spent in times.items()}
    return Costs(each["validated"], each.get("pythonic"), each["unchecked"])
