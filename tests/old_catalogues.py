"""Old tables as they are found in the field, laid down before the registry comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from atlas_models.migration_errors import AdoptionRefusedError, PreflightError
from atlas_models.migration_runner import MigrationReport, migrate

# As SQLite's DDL comes over: flags are integers, times and documents are text.
SQLITE_TABLE = """
create table artifacts (
    id text primary key,
    artifact_type text not null,
    title text,
    metadata text,
    version_number integer default 1,
    parent_version_id text,
    version_tag text,
    changelog text,
    is_latest integer default 1,
    lifecycle_state text default 'active',
    superseded_by text,
    origin_type text,
    origin_url text,
    created_by text,
    created_at text default to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    updated_at text
)
"""

# As a catalogue that began in PostgreSQL: native types, and columns of its own.
POSTGRES_TABLE = """
create table artifacts (
    id varchar(64) constraint pk_artifacts primary key,
    project text,
    artifact_type varchar(20) not null,
    title varchar(200) not null,
    metadata jsonb not null default '{}',
    is_latest boolean not null default true,
    parent_version_id varchar(64) references artifacts (id),
    size_bytes bigint,
    created_at timestamptz not null default clock_timestamp(),
    tags text[]
)
"""

# As little as a table can be.
SMALL_TABLE = "create table artifacts (id text primary key, artifact_type text)"


class Catalogue:
    """A database with an old table in the schema ``atlas``, and what is done to it.

    Args:
        url: The database.
        is_empty: Whether the schema is still to be made.
    """

    def __init__(self, url: str, *, is_empty: bool = True) -> None:
        self.url = url
        self._opened: list[psycopg.Connection] = []
        self._kept: psycopg.Connection | None = None
        self._in_use = Lock()
        if is_empty:
            self.run("create schema atlas")

    def connect(self, user: str | None = None) -> psycopg.Connection:
        """Open a connection in autocommit mode that finds the schema without qualifying."""
        parameters = conninfo_to_dict(self.url)
        if user is not None:
            parameters |= {"user": user}
        conn = psycopg.connect(make_conninfo("", **parameters), autocommit=True)
        conn.execute("set search_path = atlas, public")
        self._opened.append(conn)
        return conn

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection]:
        """A connection as new, though it is kept: the server imports its Python engine once for each that uses it."""
        if not self._in_use.acquire(blocking=False):  # by another thread
            with self.connect() as conn:
                yield conn
            return
        try:
            kept = self._kept = self._cleared() or self.connect()
            kept.prepare_threshold = None
            yield kept
            if kept.info.transaction_status != TransactionStatus.IDLE:
                kept.close()
        finally:
            self._in_use.release()

    def _cleared(self) -> psycopg.Connection | None:
        if self._kept is None or self._kept.closed:
            return None
        try:
            self._kept.execute("discard all")
            self._kept.execute("set search_path = atlas, public")
        except psycopg.OperationalError:
            return None
        return self._kept

    def run(self, statements: str) -> None:
        with self.session() as conn:
            conn.execute(statements)

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        with self.session() as conn:
            return conn.execute(query, parameters or None).fetchall()

    def value(self, query: str, *parameters: object) -> object:
        ((found,),) = self.rows(query, *parameters)
        return found

    def insert(self, row: dict[str, object]) -> None:
        """Insert a row; a model, unless it says something else."""
        named = {"artifact_type": "model"} | row
        with self.session() as conn:
            columns = sql.SQL(", ").join(map(sql.Identifier, named))
            values = sql.SQL(", ").join(map(sql.Placeholder, named))
            conn.execute(sql.SQL("insert into artifacts ({}) values ({})").format(columns, values), named)

    def adopt(self) -> MigrationReport:
        return migrate(self.url)

    def preflight_findings(self) -> list[tuple[str, str]]:
        """What the pre-flight refuses, before anything is made."""
        with pytest.raises(PreflightError) as caught:
            self.adopt()
        assert caught.value.headline == "the server is not ready"
        return list(caught.value.findings)

    def fingerprint(self) -> list[tuple]:
        """Everything that a refusal must leave as it was: the rows, the columns, the owner, the grants, the objects."""
        return self.rows(
            """
            select 'row ' || a::text from artifacts as a
            union all
            select 'column ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
            from pg_attribute as a where a.attrelid = 'artifacts'::regclass and a.attnum > 0
            union all
            select format('table %s %s %s %s', c.oid, c.relfilenode, c.relowner::regrole, c.relacl)
            from pg_class as c where c.oid = 'artifacts'::regclass
            union all
            select 'relation ' || c.relname from pg_class as c where c.relnamespace = 'atlas'::regnamespace
            union all
            select 'function ' || p.proname from pg_proc as p where p.pronamespace = 'atlas'::regnamespace
            order by 1
            """
        )

    def close(self) -> None:
        for conn in self._opened:
            conn.close()


@contextmanager
def refused_unchanged(catalogue: Catalogue) -> Iterator[list[tuple[str, str]]]:
    """Expects the block to refuse the adoption; fills the list with the findings, and nothing was changed."""
    before = catalogue.fingerprint()
    findings: list[tuple[str, str]] = []
    with pytest.raises(AdoptionRefusedError) as caught:
        yield findings
    assert caught.value.headline == "atlas.artifacts cannot be taken over as it is"
    findings += caught.value.findings
    assert catalogue.fingerprint() == before
