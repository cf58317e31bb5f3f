"""The example that the local server begins with: an old catalogue of eight models, which is then taken over."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from atlas_models.connections import connect

CATALOGUE = Path(__file__).with_name("example_catalogue.sql")
_MARK = "An example, laid down by atlas migrate."


def lay_down(url: str, schema: str) -> bool:
    """Lays the old table down in a database that holds nothing yet, and leaves any other as it is.

    Args:
        url: The local database.
        schema: The schema that is going to hold the registry; made with the table in it.

    Returns:
        Whether the example stands there, from now or from a run that was interrupted, and is still to be taken over.
    """
    with connect(url) as conn, conn.transaction():
        marked = conn.execute(
            "select obj_description(to_regclass(format('%%I.artifacts', %s::text)), 'pg_class') = %s", [schema, _MARK]
        ).fetchone()
        if marked == (True,):
            return True
        used = conn.execute(
            """
            select exists (
                select
                from pg_class as c
                join pg_namespace as n on n.oid = c.relnamespace
                where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            ) or exists (select from pg_namespace where nspname = %s)
            """,
            [schema],
        ).fetchone()
        if used != (False,):
            return False
        name = sql.Identifier(schema)
        conn.execute(sql.SQL("create schema {}; set local search_path = {}, pg_temp").format(name, name))
        conn.execute(CATALOGUE.read_bytes())
        conn.execute(sql.SQL("comment on table artifacts is {}").format(_MARK))
        return True
