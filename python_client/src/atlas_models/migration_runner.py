"""Brings a database up to date: pending migrations and the current code, in one transaction, under one lock.

A ledger in the target schema records what ran, with a checksum of each file. An index that must be built without
blocking writers, and the validation of constraints that were added NOT VALID, follow after that transaction, each
step by itself; a run that is interrupted anywhere is completed by the next one.
"""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import errors, sql
from psycopg.rows import TupleRow

from atlas_models import adoption
from atlas_models.adoption import Adoption, Dangling
from atlas_models.catalog import ADOPTED_TABLE, Catalog, Difference, differences, read_catalog
from atlas_models.connections import connect, notice_lost_clients
from atlas_models.deployment_files import (
    SUPERUSER,
    Migration,
    Source,
    SourceFile,
    packaged_folder,
    read_source,
)
from atlas_models.migration_errors import MigrationError
from atlas_models.preflight import check_schema_name, check_server, check_server_alone

DEFAULT_SCHEMA = "atlas"
_OWNER = "atlas_owner"
_LOCK_KEY = 0x61746C61735F6D67  # "atlas_mg": one deploy at a time in a database
_LOCK_POLL_SECONDS = 0.2
_INDEX_LOCK_TIMEOUT = "10min"
_MILLISECONDS = 1000

Connection = psycopg.Connection[TupleRow]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class AppliedMigration:
    """A migration that stands in the ledger."""

    number: int
    name: str
    sha256: str
    applied_at: datetime
    applied_by: str


@dataclass(frozen=True)
class Unvalidated:
    """A constraint that PostgreSQL keeps for new rows but has not yet checked for the old ones."""

    table: str
    constraint: str


@dataclass(frozen=True)
class Status:
    """How a database compares with a source.

    Args:
        schema: The target schema.
        applied: What stands in the ledger, by number.
        pending: The names of the migrations that a deploy would run, by number.
        code_is_current: True when the deployed code is that of the source.
        unvalidated: Constraints that a deploy would validate.
        dangling: Foreign keys that wait for old rows to be put right; no deploy can do anything about them.
    """

    schema: str
    applied: tuple[AppliedMigration, ...]
    pending: tuple[str, ...]
    code_is_current: bool
    unvalidated: tuple[Unvalidated, ...]
    dangling: tuple[Dangling, ...]

    @property
    def up_to_date(self) -> bool:
        """True when a deploy would find nothing to do."""
        return self.code_is_current and not self.pending and not self.unvalidated


@dataclass(frozen=True)
class MigrationReport:
    """What a deploy did (or, for a dry run, has shown that it can do).

    Args:
        schema: The target schema.
        applied: The names of the migrations that were applied, in order.
        code_deployed: True when the files of sql/ were deployed.
        validated: The names of the constraints that were validated.
        dry_run: True when everything was rolled back.
        adopted: What became of a table that stood there before, when there was one.
        dangling: Foreign keys that wait for old rows to be put right.
    """

    schema: str
    applied: tuple[str, ...] = ()
    code_deployed: bool = False
    validated: tuple[str, ...] = ()
    dry_run: bool = False
    adopted: Adoption | None = None
    dangling: tuple[Dangling, ...] = ()

    @property
    def nothing_to_do(self) -> bool:
        """True when the database was up to date already and nothing was written."""
        return not (self.applied or self.code_deployed or self.validated)


@dataclass(frozen=True)
class Patience:
    """How long a deploy waits for others before it gives up.

    Args:
        deploy_lock_seconds: For another deploy of the same database to end.
        lock_timeout_seconds: For one lock on a table, per attempt: behind a deploy that waits, everyone waits.
        attempts: How often the whole transaction is tried when a lock is not had in time.
        pause_seconds: Between two attempts, for the others to move on; doubled each time.
    """

    deploy_lock_seconds: float = 300.0
    lock_timeout_seconds: float = 4.0
    attempts: int = 6
    pause_seconds: float = 0.5


@dataclass(frozen=True)
class _Plan:
    transactional: tuple[Migration, ...]
    indexes: tuple[Migration, ...]
    deploy_code: bool

    @property
    def pending(self) -> tuple[Migration, ...]:
        return tuple(sorted((*self.transactional, *self.indexes), key=lambda migration: migration.number))

    @property
    def is_empty(self) -> bool:
        return not (self.transactional or self.indexes or self.deploy_code)


@dataclass
class _Deploy:
    """One connection's deploy of one source into one schema."""

    conn: Connection
    schema: str
    source: Source
    patience: Patience
    progress: Progress
    settings: sql.Composed = field(init=False)

    def __post_init__(self) -> None:
        self.settings = _file_settings(self.conn, self.schema, self.patience)


def migrate(
    conninfo: str,
    *,
    schema: str = DEFAULT_SCHEMA,
    source: Source | Path | None = None,
    schema_is_chosen: bool = True,
    dry_run: bool = False,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> MigrationReport:
    """Applies what is pending and deploys the code where it changed; does nothing where nothing did.

    Args:
        conninfo: Connection URL of a superuser.
        schema: The target schema; made when missing.
        source: A folder with migrations/ and sql/ in it (or one that was read already); the package's own by default.
        schema_is_chosen: False when nobody named the schema: an older catalogue in another one is then asked about.
        dry_run: Run the transaction and roll it back. Indexes built outside of it and validations are not tried.
        patience: How long to wait for locks.
        progress: Called with a line for a person at each step.

    Returns:
        What was done.

    Raises:
        MigrationError: A refusal or failure. Unless its text says otherwise, nothing has been changed.
    """
    check_schema_name(schema)
    files = _read(source)
    patience = patience or Patience()
    report_line = progress or (lambda _line: None)
    with _connection(conninfo) as conn, _deploy_lock(conn, patience, report_line):
        deploy = _Deploy(conn, schema, files, patience, report_line)
        plan = _checked_plan(conn, schema, files, schema_is_chosen=schema_is_chosen)
        outcome = _apply(deploy, plan, dry_run=dry_run)
        names = tuple(migration.name for migration in plan.pending)
        if dry_run:
            return MigrationReport(
                schema, names, plan.deploy_code, dry_run=True, adopted=outcome.adopted, dangling=outcome.dangling
            )
        if outcome.adopted is not None:
            adoption.analyze(conn, schema)
        for migration in plan.indexes:
            _build_index(deploy, migration)
        validated = _validate_constraints(deploy)
        dangling = _unvalidated(conn, schema)[1]
    return MigrationReport(schema, names, plan.deploy_code, validated, adopted=outcome.adopted, dangling=dangling)


def status(conninfo: str, *, schema: str = DEFAULT_SCHEMA, source: Source | Path | None = None) -> Status:
    """Compares a database with a source; changes nothing and takes no lock.

    Args:
        conninfo: Connection URL; the user must be able to read the ledger.
        schema: The target schema.
        source: A folder with migrations/ and sql/ in it; the package's own by default.

    Returns:
        What is applied and what is pending.

    Raises:
        MigrationError: The files or the ledger are not in order, or the database cannot be reached.
    """
    check_schema_name(schema)
    files = _read(source)
    with _connection(conninfo) as conn:
        plan = _plan(conn, schema, files)
        unvalidated, dangling = _unvalidated(conn, schema)
        return Status(
            schema,
            _applied(conn, schema),
            tuple(migration.name for migration in plan.pending),
            not plan.deploy_code,
            unvalidated,
            dangling,
        )


def verify(
    conninfo: str,
    *,
    schema: str = DEFAULT_SCHEMA,
    source: Source | Path | None = None,
    patience: Patience | None = None,
) -> list[Difference]:
    """Compares what stands in a database with what this source makes there, object by object; changes nothing.

    The same migrations and the same code are deployed into an empty schema beside it, in a transaction that is rolled
    back. So what is expected comes from the files, and nobody who may write the database can have prepared it.

    Args:
        conninfo: Connection URL of a superuser, on a server that can be written.
        schema: The schema.
        source: A folder with migrations/ and sql/ in it; the package's own by default.
        patience: How long to wait for a deploy that is running.

    Returns:
        What differs; empty when all is as it was made. Rows are not looked at.

    Raises:
        MigrationError: It cannot be compared: the database is behind the source, or cannot be deployed to.
    """
    check_schema_name(schema)
    files = _read(source)
    patience = patience or Patience()
    with _connection(conninfo) as conn, _deploy_lock(conn, patience, lambda _line: None):
        check_server_alone(conn)
        if not _applied(conn, schema) or not _plan(conn, schema, files).is_empty:
            raise MigrationError(
                f"what stands in the schema {schema} was not deployed by this version of Atlas",
                hint="atlas migrate brings it up to date; or compare it with the version that deployed it",
            )
        with conn.transaction(force_rollback=True):
            # What is there first: a deploy sets the default privileges of atlas_owner, wherever it goes.
            found = read_catalog(conn, schema)
            taken_over = _taken_over(conn, schema)
            dangling = frozenset(
                f"constraint {waiting.constraint} on {waiting.table}" for waiting in _unvalidated(conn, schema)[1]
            )
            legacy = sql.SQL("select exists (select from {} where metadata_schema_version = 0)")
            has_legacy_rows = "column metadata_schema_version of artifacts" in found and bool(
                _fetch_value(conn, legacy.format(sql.Identifier(schema, ADOPTED_TABLE)))
            )
            names = conn.execute("select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace")
            builtin = frozenset(str(name) for (name,) in names)
            expected = _catalog_of_a_fresh_deploy(conn, schema, files, patience)
    return differences(
        expected, found, taken_over=taken_over, has_legacy_rows=has_legacy_rows, dangling=dangling, builtin=builtin
    )


def _catalog_of_a_fresh_deploy(conn: Connection, schema: str, source: Source, patience: Patience) -> Catalog:
    """Deploys a source into an empty schema and reads its catalog, in a transaction that the caller rolls back."""
    beside = f"atlas_verify_{uuid.uuid4().hex[:12]}"
    deploy = _Deploy(conn, beside, source, patience, lambda _line: None)
    numbered = [migration for migration in source.migrations if migration.index_name is None]
    # Default privileges of the database would be granted there, too, and be taken for expected.
    conn.execute("delete from pg_catalog.pg_default_acl where defaclnamespace = 0")
    try:
        _apply_once(deploy, _Plan(tuple(numbered), (), deploy_code=True))
        conn.execute(deploy.settings)
        for migration in source.migrations:
            if migration.index_name is not None:  # on empty tables, and in a transaction
                conn.execute(re.sub(r"(?i)\bconcurrently\b", "", migration.file.text, count=1).encode())
        for waiting in _unvalidated(conn, beside)[0]:
            conn.execute(
                sql.SQL("alter table {} validate constraint {}").format(
                    sql.Identifier(beside, waiting.table), sql.Identifier(waiting.constraint)
                )
            )
    except _TransientError as error:
        raise error.final_error(1) from error
    return read_catalog(conn, beside, stands_for=schema)


def _taken_over(conn: Connection, schema: str) -> dict[tuple[str, str], str]:
    """Reads what a table brought along when it was taken over."""
    if not _ledger_exists(conn, schema, "atlas_adoption"):
        return {}
    query = sql.SQL("select object, property, value from {}").format(sql.Identifier(schema, "atlas_adoption"))
    return {(label, key): value for label, key, value in conn.execute(query)}


def _read(source: Source | Path | None) -> Source:
    if isinstance(source, Source):
        return source
    return read_source(packaged_folder() if source is None else source)


@contextmanager
def _connection(conninfo: str) -> Iterator[Connection]:
    """Opens a connection; what the server refuses on it outside of a file becomes a MigrationError too."""
    conn = connect(conninfo, application_name="atlas migrate")
    try:
        with conn:
            notice_lost_clients(conn)
            yield conn
    except psycopg.OperationalError as error:
        raise MigrationError(
            f"the server ended the deploy: {_primary(error)}",
            hint="what was not committed is undone; run it again",
        ) from error
    except psycopg.Error as error:
        raise MigrationError(f"the server refused: {_primary(error)}", hint=error.diag.message_hint or "") from error


@contextmanager
def _deploy_lock(conn: Connection, patience: Patience, progress: Progress) -> Iterator[None]:
    """Holds the database's deploy lock.

    It is polled: a session that waits in pg_advisory_lock() holds a snapshot, and the other deploy's CREATE INDEX
    CONCURRENTLY would wait for that snapshot while the session waits for the lock.
    """
    give_up_at = time.monotonic() + patience.deploy_lock_seconds
    told = False
    while not _fetch_value(conn, "select pg_try_advisory_lock(%s)", [_LOCK_KEY]):
        holder = _lock_holder(conn)
        if time.monotonic() >= give_up_at:
            raise MigrationError(
                f"another deploy of this database{holder} has not ended within {patience.deploy_lock_seconds:g} s",
                hint="run it again when that one is done",
            )
        if not told:
            progress(f"waiting: another deploy of this database{holder} is running")
            told = True
        time.sleep(_LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        if not conn.closed and not conn.broken:
            conn.rollback()
            conn.execute("select pg_advisory_unlock(%s)", [_LOCK_KEY])


def _lock_holder(conn: Connection) -> str:
    row = conn.execute(
        """
        select l.pid
        from pg_locks as l
        where l.locktype = 'advisory'
            and l.granted
            and l.database = (select d.oid from pg_database as d where d.datname = current_database())
            and l.classid = %s
            and l.objid = %s
            and l.objsubid = 1
        """,
        [_LOCK_KEY >> 32, _LOCK_KEY & 0xFFFFFFFF],
    ).fetchone()
    return f" (server process {row[0]})" if row else ""


# --- what is there, what is pending ---------------------------------------------------------------------------------


def _plan(conn: Connection, schema: str, source: Source) -> _Plan:
    applied = _applied(conn, schema)
    _compare_with_ledger(applied, source)
    numbers = {row.number for row in applied}
    pending = [migration for migration in source.migrations if migration.number not in numbers]
    transactional = tuple(migration for migration in pending if migration.index_name is None)
    latest = max(numbers, default=0)
    for migration in transactional:
        if migration.number < latest:
            raise MigrationError(
                f"migrations/{migration.file.name} is out of order: {latest:04d} is applied already",
                hint=f"give it the next free number after {source.migrations[-1].number:04d}",
            )
    indexes = tuple(migration for migration in pending if migration.index_name is not None)
    deploy_code = bool(transactional) or _deployed_digest(conn, schema) != source.code_digest
    return _Plan(transactional, indexes, deploy_code)


def _checked_plan(conn: Connection, schema: str, source: Source, *, schema_is_chosen: bool) -> _Plan:
    """Plans a deploy and, when there is anything to do, makes sure that the server can carry it."""
    try:
        plan = _plan(conn, schema, source)
    except errors.InsufficientPrivilege:
        check_server(conn, schema)  # says that it takes a superuser
        raise
    if not plan.is_empty:
        check_server(conn, schema, schema_is_chosen=schema_is_chosen)
    return plan


def _compare_with_ledger(applied: tuple[AppliedMigration, ...], source: Source) -> None:
    by_number = {migration.number: migration for migration in source.migrations}
    for row in applied:
        migration = by_number.get(row.number)
        if migration is None:
            raise MigrationError(
                f"migration {row.name} is applied in this database, but its file is missing",
                hint="the database was deployed from a newer or another version; deploy from that one",
            )
        if migration.name != row.name or migration.file.sha256 != row.sha256:
            raise MigrationError(
                f"migrations/{migration.file.name} was edited after it was applied as {row.name}"
                f" on {row.applied_at:%Y-%m-%d}",
                hint="restore the file as it was, and make the change in a new migration",
            )


def _ledger_exists(conn: Connection, schema: str, table: str) -> bool:
    return bool(
        _fetch_value(
            conn,
            """
            select exists (
                select
                from pg_class as c
                join pg_namespace as n on n.oid = c.relnamespace
                where n.nspname = %s and c.relname = %s
            )
            """,
            [schema, table],
        )
    )


def _applied(conn: Connection, schema: str) -> tuple[AppliedMigration, ...]:
    if not _ledger_exists(conn, schema, "atlas_migrations"):
        return ()
    query = sql.SQL("select number, name, sha256, applied_at, applied_by from {} order by number")
    rows = conn.execute(query.format(sql.Identifier(schema, "atlas_migrations"))).fetchall()
    return tuple(AppliedMigration(*row) for row in rows)


def _deployed_digest(conn: Connection, schema: str) -> str | None:
    if not _ledger_exists(conn, schema, "atlas_deployments"):
        return None
    query = sql.SQL("select digest from {} order by id desc limit 1")
    value = _fetch_value(conn, query.format(sql.Identifier(schema, "atlas_deployments")))
    return None if value is None else str(value)


def _unvalidated(conn: Connection, schema: str) -> tuple[tuple[Unvalidated, ...], tuple[Dangling, ...]]:
    """Finds what a deploy would validate, and what it cannot because old rows dangle."""
    # Only tables of atlas_owner: the schema may hold other people's tables, and theirs are not ours to check.
    rows = conn.execute(
        """
        select c.relname, k.conname
        from pg_constraint as k
        join pg_class as c on c.oid = k.conrelid
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_roles as r on r.oid = c.relowner
        where n.nspname = %s
            and r.rolname = %s
            and k.contype in ('c', 'f')
            and not k.convalidated
            and k.conparentid = 0
        order by c.relname, k.conname
        """,
        [schema, _OWNER],
    ).fetchall()
    waiting = {row: adoption.dangling(conn, schema, *row) for row in rows}
    return (
        tuple(Unvalidated(*row) for row, found in waiting.items() if found is None),
        tuple(found for found in waiting.values() if found is not None),
    )


# --- the one transaction --------------------------------------------------------------------------------------------


class _DryRunEndError(Exception):
    """Ends a dry run."""


@dataclass
class _Outcome:
    """What a transaction did to a table that stood there, and, of a dry run, what would wait after it."""

    adopted: Adoption | None = None
    dangling: tuple[Dangling, ...] = ()


def _apply(deploy: _Deploy, plan: _Plan, *, dry_run: bool) -> _Outcome:
    """Runs the pending migrations and the code in one transaction, again when a lock was not had in time."""
    if not (plan.transactional or plan.deploy_code):
        return _Outcome()
    is_adoption = any(migration.number == 1 for migration in plan.transactional) and adoption.stands_in(
        deploy.conn, deploy.schema
    )
    outcome = _Outcome()
    pause = deploy.patience.pause_seconds
    for attempt in range(1, deploy.patience.attempts + 1):
        locked_at = 0.0
        try:
            with deploy.conn.transaction():
                if is_adoption:
                    _lock_catalogue(deploy)
                    locked_at = time.monotonic()
                _apply_once(deploy, plan)
                if is_adoption:
                    _record_adoption(deploy)
                    outcome.adopted = adoption.outcome(deploy.conn, deploy.schema)
                if dry_run:
                    outcome.dangling = _unvalidated(deploy.conn, deploy.schema)[1]
                    raise _DryRunEndError
        except _DryRunEndError:
            pass
        except _TransientError as transient:
            if attempt == deploy.patience.attempts:
                raise transient.final_error(attempt) from transient
            deploy.progress(f"{transient.reason}; trying again ({attempt} of {deploy.patience.attempts})")
            time.sleep(pause * random.uniform(0.5, 1.0))  # spreads deploys that collide
            pause *= 2
            continue
        if outcome.adopted is not None:
            outcome.adopted = replace(outcome.adopted, seconds=time.monotonic() - locked_at)
        break
    return outcome


def _lock_catalogue(deploy: _Deploy) -> None:
    """Locks the table that is to be taken over before anything is made: it may take some attempts."""
    with _explained("the lock on artifacts"):
        deploy.conn.execute(deploy.settings)
        deploy.progress("artifacts stands there already: taking it over")
        table = sql.Identifier(deploy.schema, "artifacts")
        deploy.conn.execute(sql.SQL("lock table {} in access exclusive mode").format(table))


def _apply_once(deploy: _Deploy, plan: _Plan) -> None:
    with _explained("the ledger"):
        _create_ledger(deploy)
    for migration in plan.transactional:
        deploy.progress(f"migration {migration.name}")
        _run_file(deploy, migration.file, f"migrations/{migration.file.name}", role=None)
        _record(deploy, migration)
    if plan.deploy_code:
        deploy.progress(f"code: {len(deploy.source.code)} files of sql/")
        first = next((file.name for file in deploy.source.code if SUPERUSER not in file.directives), None)
        if first is not None:
            _require_role(deploy.conn, _OWNER, f"sql/{first}")
        for file in deploy.source.code:
            role = None if SUPERUSER in file.directives else _OWNER
            _run_file(deploy, file, f"sql/{file.name}", role=role)
        _record_deployment(deploy)


def _create_ledger(deploy: _Deploy) -> None:
    """Creates the schema and the tables of the ledger where they are missing."""
    conn, schema = deploy.conn, sql.Identifier(deploy.schema)
    conn.execute(deploy.settings)
    if not _fetch_value(conn, "select exists (select from pg_namespace where nspname = %s)", [deploy.schema]):
        conn.execute(sql.SQL("create schema {}").format(schema))
    conn.execute(deploy.settings)
    for table, statements in _LEDGER.items():
        if not _ledger_exists(conn, deploy.schema, table):
            conn.execute(statements)


_LEDGER = {
    "atlas_migrations": """
        create table atlas_migrations (
            number      integer     not null,
            name        text        not null,
            sha256      text        not null,
            applied_at  timestamptz not null default now(),
            applied_by  text        not null default session_user,
            constraint atlas_migrations_pkey primary key (number),
            constraint atlas_migrations_number_is_positive check (number > 0),
            constraint atlas_migrations_sha256_is_hexadecimal check (sha256 ~ '^[0-9a-f]{64}$')
        );
        comment on table atlas_migrations is
        'Which migrations this schema has had. Written by the migration runner only.';
        comment on column atlas_migrations.sha256 is
        'Checksum of the file as it was applied: an edited file is refused.';
    """,
    "atlas_deployments": """
        create table atlas_deployments (
            id           bigint      generated always as identity,
            digest       text        not null,
            deployed_at  timestamptz not null default now(),
            deployed_by  text        not null default session_user,
            constraint atlas_deployments_pkey primary key (id),
            constraint atlas_deployments_digest_is_hexadecimal check (digest ~ '^[0-9a-f]{64}$')
        );
        comment on table atlas_deployments is
        'Each deploy of the code in sql/; the newest row is what runs. Written by the migration runner only.';
        comment on column atlas_deployments.digest is
        'Checksum over the names and contents of all files of sql/.';
    """,
    "atlas_adoption": """
        create table atlas_adoption (
            object    text not null,
            property  text not null,
            value     text not null,
            constraint atlas_adoption_pkey primary key (object, property)
        );
        comment on table atlas_adoption is
        'What the catalog said about a table when it had been taken over: its own columns, defaults, grants and the like
are no fault. Empty where no table was. Written by the migration runner only, read by atlas doctor --verify.';
    """,
}


def _record(deploy: _Deploy, migration: Migration) -> None:
    # Composed as a whole: beside parameters, a % in the schema's name would be taken for one.
    query = sql.SQL("insert into {} (number, name, sha256) values ({}, {}, {})").format(
        sql.Identifier(deploy.schema, "atlas_migrations"), migration.number, migration.name, migration.file.sha256
    )
    deploy.conn.execute(query)


def _record_adoption(deploy: _Deploy) -> None:
    table = sql.Identifier(deploy.schema, "atlas_adoption")
    deploy.conn.execute(sql.SQL("delete from {}").format(table))
    for label, entry in read_catalog(deploy.conn, deploy.schema).items():
        if entry.table == ADOPTED_TABLE or label == "the schema":
            for key, value in entry.properties.items():
                query = sql.SQL("insert into {} (object, property, value) values ({}, {}, {})")
                deploy.conn.execute(query.format(table, label, key, value))


def _record_deployment(deploy: _Deploy) -> None:
    query = sql.SQL("insert into {} (digest) values ({})").format(
        sql.Identifier(deploy.schema, "atlas_deployments"), deploy.source.code_digest
    )
    deploy.conn.execute(query)


def _file_settings(conn: Connection, schema: str, patience: Patience) -> sql.Composed:
    """Builds the statements that give every file the same clean session, whatever the one before it left behind."""
    settings = {
        "standard_conforming_strings": "on",
        "check_function_bodies": "on",
        "client_min_messages": "warning",
        "default_tablespace": "",
        "default_table_access_method": "heap",
        "row_security": "on",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": str(int(patience.lock_timeout_seconds * _MILLISECONDS)),
    }
    check_interval = _fetch_value(conn, "show client_connection_check_interval")
    settings["client_connection_check_interval"] = str(check_interval)
    lines: list[sql.Composable] = [sql.SQL("reset session authorization; reset role; reset all;")]
    lines += [sql.SQL("set local {} = {};").format(sql.Identifier(key), value) for key, value in settings.items()]
    lines.append(sql.SQL("set local search_path = {}, pg_temp").format(sql.Identifier(schema)))
    return sql.SQL(" ").join(lines)


def _run_file(deploy: _Deploy, file: SourceFile, label: str, *, role: str | None) -> None:
    conn = deploy.conn
    with _explained(label, file.text):
        # Few journeys to the server for each file: writers wait for all of them, once a migration holds a lock.
        become = sql.SQL("") if role is None else sql.SQL("; set local role {}").format(sql.Identifier(role))
        conn.execute(deploy.settings + become)
        conn.execute(file.text.encode())
        # A deferred check that waits for COMMIT would blame no file, and block an ALTER TABLE of the next one.
        conn.execute("set constraints all immediate; reset session authorization; reset role")


def _require_role(conn: Connection, role: str, label: str) -> None:
    if not _fetch_value(conn, "select exists (select from pg_roles where rolname = %s)", [role]):
        raise MigrationError(
            f"{label} runs as the role {role}, which does not exist",
            hint=f"a migration creates it; a file that must run as the superuser says '-- atlas: {SUPERUSER}'",
        )


# --- after the transaction ------------------------------------------------------------------------------------------


def _build_index(deploy: _Deploy, migration: Migration) -> None:
    """Builds the index of a no-transaction file, starting over where an earlier attempt left an invalid one."""
    assert migration.index_name is not None
    conn, label = deploy.conn, f"migrations/{migration.file.name}"
    index = sql.Identifier(deploy.schema, migration.index_name)
    deploy.progress(f"index {migration.index_name}, built without blocking writers")
    with _explained(label, migration.file.text, after_commit=True):
        conn.execute(
            sql.SQL(
                "set search_path = {}, pg_temp; set statement_timeout = 0; set lock_timeout = {}; "
                "set default_tablespace = ''; set standard_conforming_strings = on"
            ).format(sql.Identifier(deploy.schema), _INDEX_LOCK_TIMEOUT)
        )
        valid = _index_is_valid(deploy, migration.index_name)
        if valid is False:
            conn.execute(sql.SQL("drop index concurrently {}").format(index))
        if not valid:
            conn.execute(migration.file.text.encode())
        if not _index_is_valid(deploy, migration.index_name):
            raise MigrationError(
                f"{label}: the index {migration.index_name} is not valid after it was built",
                hint="run the deploy again: it drops the index and builds it anew",
            )
        _record(deploy, migration)


def _index_is_valid(deploy: _Deploy, index_name: str) -> bool | None:
    row = deploy.conn.execute(
        """
        select i.indisvalid
        from pg_index as i
        join pg_class as c on c.oid = i.indexrelid
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = %s and c.relname = %s
        """,
        [deploy.schema, index_name],
    ).fetchone()
    return None if row is None else bool(row[0])


def _validate_constraints(deploy: _Deploy) -> tuple[str, ...]:
    """Validates each constraint that was added NOT VALID, in a transaction of its own: no long lock on the table."""
    validated = []
    for found in _unvalidated(deploy.conn, deploy.schema)[0]:
        deploy.progress(f"validating {found.constraint} on {found.table}")
        query = sql.SQL("alter table {} validate constraint {}").format(
            sql.Identifier(deploy.schema, found.table), sql.Identifier(found.constraint)
        )
        try:
            with deploy.conn.transaction():
                deploy.conn.execute(deploy.settings)
                deploy.conn.execute(query)
        except errors.IntegrityError as error:
            raise MigrationError(
                f"rows of {deploy.schema}.{found.table} violate the constraint {found.constraint}: {_primary(error)}",
                hint="the deploy itself is done and new rows are checked; correct the old rows and run it again",
            ) from error
        except errors.LockNotAvailable as error:
            raise MigrationError(
                f"{found.constraint} on {deploy.schema}.{found.table} could not be validated: the table is locked",
                hint="the deploy itself is done; run it again to validate",
            ) from error
        validated.append(found.constraint)
    return tuple(validated)


# --- errors ---------------------------------------------------------------------------------------------------------


class _TransientError(Exception):
    """The transaction may succeed when it is run again."""

    def __init__(self, label: str, text: str, error: psycopg.Error) -> None:
        super().__init__(label)
        self.reason = f"{label}: {_primary(error)}"
        self._label = label
        self._text = text
        self._error = error

    def final_error(self, attempts: int) -> MigrationError:
        if _is_collision(self._error):  # with what stands there for good, it turns out
            return _file_error(self._label, self._text, self._error, after_commit=False)
        return MigrationError(
            f"{self.reason} (tried {attempts} times; nothing was changed)",
            hint="something holds locks on these tables: look into pg_stat_activity for long transactions, "
            "or deploy at a quieter time",
        )


def _is_transient(error: psycopg.Error) -> bool:
    if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected | errors.SerializationFailure):
        return True
    return _is_collision(error)


def _is_collision(error: psycopg.Error) -> bool:
    """Says whether two deploys may have met in the catalog: a role is the cluster's, the deploy lock a database's."""
    if isinstance(error, errors.UniqueViolation):
        return (error.diag.schema_name or "") == "pg_catalog"
    if isinstance(error, errors.DuplicateObject):
        # A role that was committed between the file's own look and its CREATE ROLE.
        return error.diag.source_function == "CreateRole"
    return isinstance(error, errors.InternalError_) and "concurrently" in (error.diag.message_primary or "")


@contextmanager
def _explained(label: str, text: str = "", *, after_commit: bool = False) -> Iterator[None]:
    """Turns a server's error into one that names the file and the line."""
    try:
        yield
    except psycopg.OperationalError as error:
        if not after_commit and _is_transient(error):
            raise _TransientError(label, text, error) from error
        if error.sqlstate is None or error.sqlstate.startswith(("57", "08")):
            raise  # the connection is gone: no fault of the file
        raise _file_error(label, text, error, after_commit) from error
    except psycopg.Error as error:
        if not after_commit and _is_transient(error):
            raise _TransientError(label, text, error) from error
        raise _file_error(label, text, error, after_commit) from error


def _file_error(label: str, text: str, error: psycopg.Error, after_commit: bool) -> MigrationError:
    if error.sqlstate == adoption.REFUSED:
        return adoption.refusal(error)
    line = ""
    if error.diag.statement_position and text:
        position = int(error.diag.statement_position) - 1
        line = f", line {text.count(chr(10), 0, position) + 1}"
    elif error.diag.context:
        line = f", {error.diag.context.splitlines()[-1]}"
    outcome = "the transaction before it is committed" if after_commit else "nothing was changed"
    details = [error.diag.message_detail, error.diag.message_hint]
    hint = " ".join(" ".join(part.split()) for part in details if part)
    return MigrationError(f"{label}{line}: {_primary(error)} ({error.sqlstate}); {outcome}", hint=hint)


def _primary(error: psycopg.Error) -> str:
    return " ".join((error.diag.message_primary or str(error)).split())


def _fetch_value(conn: Connection, query: str | sql.Composed, parameters: list[object] | None = None) -> object:
    row = conn.execute(query, parameters).fetchone()
    return None if row is None else row[0]
