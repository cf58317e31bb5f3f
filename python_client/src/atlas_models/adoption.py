"""Taking over an ``artifacts`` table that stands in the target schema: what a deploy must know of it.

The work itself is done by the first migration, in the deploy's transaction; this says when it happens, what became of
the rows, and which foreign keys wait because rows of the old table name artifacts that never were.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from atlas_models.migration_errors import AdoptionRefusedError

REFUSED = "MR009"
_LEDGER = "atlas_migrations"
_MAY_DANGLE = {"artifacts_parent_fkey": "parent_version_id", "artifacts_superseded_by_fkey": "superseded_by"}

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True)
class Adoption:
    """What became of a table that was taken over.

    Args:
        rows: How many rows it held.
        models: How many of them are models; they stand at metadata schema version 0 until they are validated.
        seconds: How long nobody else could read or write the table.
    """

    rows: int
    models: int
    seconds: float


@dataclass(frozen=True)
class Dangling:
    """A foreign key that cannot be validated yet; it holds for all that is written from now on.

    Args:
        table: The table.
        constraint: The constraint's name.
        rows: How many old rows name an artifact that is not there.
    """

    table: str
    constraint: str
    rows: int


def stands_in(conn: Connection, schema: str) -> bool:
    """Says whether a table ``artifacts`` that could be taken over stands in a schema.

    Args:
        conn: A connection.
        schema: The schema.

    Returns:
        True for a table with the columns id and artifact_type, whoever made it.
    """
    return schema in _schemas_with_artifacts(conn)


def schemas_with_catalogues(conn: Connection) -> list[str]:
    """Finds the schemas that hold a table ``artifacts`` which could be taken over.

    Args:
        conn: A connection.

    Returns:
        Their names, sorted: those with such a table, with the columns id and artifact_type, that no deploy made.
    """
    return [
        schema
        for schema in _schemas_with_artifacts(conn)
        if conn.execute("select to_regclass(format('%%I.%%I', %s::text, %s::text))", [schema, _LEDGER]).fetchone()
        == (None,)
    ]


def _schemas_with_artifacts(conn: Connection) -> list[str]:
    rows = conn.execute(
        """
        select n.nspname
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.relname = 'artifacts'
            and c.relkind = 'r'
            and n.nspname !~ '^pg_'
            and 2 = (
                select count(*)
                from pg_attribute as a
                where a.attrelid = c.oid and a.attname in ('id', 'artifact_type') and not a.attisdropped
            )
        order by n.nspname
        """
    )
    return [str(row[0]) for row in rows]


def outcome(conn: Connection, schema: str) -> Adoption | None:
    """Counts what was taken over; to be asked in the transaction that did it.

    Args:
        conn: The deploy's connection.
        schema: The target schema.

    Returns:
        The counts, without the time; None when the migrations left the table alone.
    """
    taken_over = conn.execute("select to_regclass(format('%%I.artifacts_original', %s::text)) is not null", [schema])
    if taken_over.fetchone() != (True,):
        return None
    query = sql.SQL("select count(*), count(*) filter (where metadata_schema_version = 0) from {}")
    row = conn.execute(query.format(sql.Identifier(schema, "artifacts"))).fetchone()
    assert row is not None
    return Adoption(rows=row[0], models=row[1], seconds=0.0)


def analyze(conn: Connection, schema: str) -> None:
    """Tells the planner what the rewritten table looks like; nobody waits for it.

    Args:
        conn: The deploy's connection, in autocommit mode.
        schema: The target schema.
    """
    for table in ("artifacts", "artifacts_original"):
        conn.execute(sql.SQL("analyze {}").format(sql.Identifier(schema, table)))


def dangling(conn: Connection, schema: str, table: str, constraint: str) -> Dangling | None:
    """Looks whether a foreign key that is not validated has to wait.

    Args:
        conn: A connection that may read the table.
        schema: The target schema.
        table: The constraint's table.
        constraint: Its name.

    Returns:
        How many rows dangle, or None when it is another constraint, or none does.
    """
    column = _MAY_DANGLE.get(constraint) if table == "artifacts" else None
    if column is None:
        return None
    query = sql.SQL(
        "select count(*) from {table} as a where a.{column} is not null"
        " and not exists (select from {table} as target where target.id = a.{column})"
    ).format(table=sql.Identifier(schema, table), column=sql.Identifier(column))
    row = conn.execute(query).fetchone()
    assert row is not None
    return Dangling(table, constraint, row[0]) if row[0] else None


def refusal(error: psycopg.Error) -> AdoptionRefusedError:
    """Turns the migration's refusal (MR009) into one finding for each of its lines.

    Args:
        error: What the server raised: a line of DETAIL for each problem, the same line of HINT for its remedy.

    Returns:
        The error to raise.
    """
    # Not splitlines(): a name may hold characters that Python takes for the end of a line.
    problems = (error.diag.message_detail or "").split("\n")
    remedies = (error.diag.message_hint or "").split("\n")
    return AdoptionRefusedError(error.diag.message_primary or "", list(zip(problems, remedies, strict=True)))
