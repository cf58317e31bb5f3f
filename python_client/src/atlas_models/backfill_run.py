"""Runs the backfill of legacy models: calls the procedure, passes its progress on, and asks what is left for people."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from atlas_models.connections import notice_lost_clients
from atlas_models.errors import ConnectionFailed, NotAllowed, RegistryMissing, from_database
from atlas_models.migration_errors import DatabaseUnreachableError
from atlas_models.terminal import Progress

DEFAULT_BATCH_SIZE = 1000
MAX_BATCH_SIZE = 100_000
DEFAULT_WORKERS = 2
MAX_WORKERS = 16

# What backfill_model_versions() tells in its notices; tests hold the two together.
_TO_DO = re.compile(r"([0-9]+) rows to do")
_SO_FAR = re.compile(r"([0-9]+) of ([0-9]+) rows done, [0-9]+ a second, about ([0-9]+) s left")
_AT_THE_END = re.compile(
    r"(?:dry run, nothing was written; )?([0-9]+) rows done: ([0-9]+) backfilled \(([0-9]+) of them promoted\),"
    r" ([0-9]+) wait for a person"
)

Connection = psycopg.Connection[TupleRow]


class BackfillStoppedError(Exception):
    """The backfill ended before its time; the message says what became of what was done.

    Args:
        message: What happened, in one line.
        hint: What to do; empty when there is nothing to add.
        interrupted: Whether the user stopped it.
    """

    def __init__(self, message: str, *, hint: str = "", interrupted: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.interrupted = interrupted


@dataclass(frozen=True, slots=True)
class Question:
    """A question that waits for a person, about one legacy model or many.

    Args:
        field: What cannot be told.
        why: Why it is a question.
        rows: About how many legacy models it is asked.
    """

    field: str
    why: str
    rows: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is left for people.

    Args:
        models: How many legacy models wait for an answer.
        questions: What is asked, the most frequent first.
        is_sealed: Whether rows without validated metadata have become impossible.
    """

    models: int
    questions: tuple[Question, ...]
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a run of the backfill did.

    Args:
        outcome: ``written``; ``dry_run``: rolled back, as asked for; ``nothing_to_do``: every row was settled.
        rows: How many legacy models were looked at.
        backfilled: How many of them are registered versions now.
        promoted: How many of those are promoted, because their rows say that they were in service.
        queued: How many wait for a person.
        seconds: How long it took.
        waiting: What is left for people now, from this run and earlier ones.
    """

    outcome: Literal["written", "dry_run", "nothing_to_do"]
    rows: int
    backfilled: int
    promoted: int
    queued: int
    seconds: float
    waiting: Waiting

    @property
    def rows_per_second(self) -> int:
        """How fast it went."""
        return round(self.rows / self.seconds) if self.seconds else 0


def run(
    connection: Connection,
    schema: str,
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    dry_run: bool = False,
    workers: int = 1,
    connect_helper: Callable[[], Connection] | None = None,
    progress: Progress,
) -> Backfill:
    """Backfills every legacy model that is not settled, in batches that are committed as they are done.

    Args:
        connection: In autocommit mode, outside of a transaction.
        schema: The schema that holds the registry.
        batch_size: How many models (chains of versions) one transaction takes, 1 to 100,000.
        dry_run: Whether everything is done in one transaction that is rolled back; by one session, then.
        workers: How many sessions share the work, where it is more than a batch.
        connect_helper: Opens the connections of all sessions but the first; None: there is only the first.
        progress: Is told how far it is, in rows.

    Returns:
        What was done.

    Raises:
        BackfillStoppedError: It ended early, by an error or because the user stopped it.
    """
    last: list[str] = []
    began = time.monotonic()
    helpers = _Helpers(None if dry_run else connect_helper, schema, batch_size)

    def take(notice: psycopg.errors.Diagnostic) -> None:
        message = notice.message_primary or ""
        if found := _TO_DO.fullmatch(message):
            total = int(found[1])
            progress.start("backfilling", total)
            # What is planned is committed by now; before, they would find nothing to do.
            helpers.start(min(workers - 1, (total - 1) // batch_size))
        elif found := _SO_FAR.fullmatch(message):
            own, total, seconds_left = map(int, found.groups())
            done = own + helpers.done()
            left = max(total - done, 0)
            progress.update(done, done, -(-seconds_left * left * own // (max(total - own, 1) * done)))
        last[:] = [message]

    call = sql.SQL("call {}(batch_size => {}, dry_run => {})").format(
        sql.Identifier(schema, "backfill_model_versions"), batch_size, dry_run
    )
    with _stopped_cleanly(dry_run):
        notice_lost_clients(connection)
        # Whatever the database's or the role's own settings are, it must tell and must not end in the middle.
        connection.execute("set client_min_messages = notice; set statement_timeout = 0")
        progress.start("backfilling", None)
        connection.add_notice_handler(take)
        try:
            connection.execute(call)
            helped = helpers.finish()
        except BaseException:
            helpers.stop()
            raise
        finally:
            connection.remove_notice_handler(take)
        counts = _AT_THE_END.fullmatch(last[0] if last else "")
        if counts is None:
            raise BackfillStoppedError(
                "the backfill ended without saying what it did", hint="deploy the code of this version: atlas migrate"
            )
        rows, backfilled, promoted, queued = (
            int(own) + more for own, more in zip(counts.groups(), helped, strict=True)
        )
        outcome: Literal["written", "dry_run", "nothing_to_do"] = "written" if rows else "nothing_to_do"
        return Backfill(
            outcome="dry_run" if dry_run else outcome,
            rows=rows,
            backfilled=backfilled,
            promoted=promoted,
            queued=queued,
            seconds=time.monotonic() - began,
            waiting=waiting(connection, schema),
        )


class _Helpers:
    """Further sessions, each in a thread of its own, that settle batches until nothing is left that nobody is at."""

    def __init__(self, connect: Callable[[], Connection] | None, schema: str, batch_size: int) -> None:
        self._connect = connect
        self._batch = sql.SQL("select done, backfilled, promoted, queued from {}({})").format(
            sql.Identifier(schema, "_backfill_batch"), batch_size
        )
        self._threads: list[threading.Thread] = []
        self._connections: list[Connection] = []
        # A list of the counts of each batch: appending to it needs no lock.
        self._batches: list[tuple[int, int, int, int]] = []
        self._errors: list[Exception] = []
        self._stopped = False

    def start(self, count: int) -> None:
        """Let so many begin."""
        if self._connect is not None:
            for _ in range(count):
                thread = threading.Thread(target=self._work, args=[self._connect])
                thread.start()
                self._threads.append(thread)

    def done(self) -> int:
        """How many rows they have settled so far."""
        return sum(batch[0] for batch in self._batches)

    def finish(self) -> tuple[int, int, int, int]:
        """Wait for their last batches; return rows done, backfilled, promoted, queued. Raises what ended one early."""
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        done, backfilled, promoted, queued = (sum(counts) for counts in zip((0, 0, 0, 0), *self._batches, strict=True))
        return done, backfilled, promoted, queued

    def stop(self) -> None:
        """End them as soon as can be; what they have committed stays."""
        self._stopped = True
        for connection in list(self._connections):
            connection.cancel()
        for thread in self._threads:
            thread.join()

    def _work(self, connect: Callable[[], Connection]) -> None:
        try:
            connection = connect()
        except DatabaseUnreachableError:
            return  # no connection is left, perhaps: the others do the work
        try:
            with connection:
                self._connections.append(connection)
                notice_lost_clients(connection)
                connection.execute("set statement_timeout = 0")
                while not self._stopped:
                    batch = connection.execute(self._batch).fetchone()
                    assert batch is not None
                    if batch[0] == 0:
                        return
                    self._batches.append((batch[0], batch[1], batch[2], batch[3]))
        except Exception as error:
            self._errors.append(error)


def waiting(connection: Connection, schema: str) -> Waiting:
    """Asks what is left for people.

    Args:
        connection: May read the views.
        schema: The schema that holds the registry.
    """
    view = sql.Identifier(schema, "backfill_reviews")
    asked = connection.execute(
        sql.SQL("select field, why, count(*) from {} group by field, why order by count(*) desc, field, why").format(
            view
        )
    ).fetchall()
    models = connection.execute(sql.SQL("select count(distinct artifact_id) from {}").format(view)).fetchone()
    sealed = connection.execute(
        """
        select exists (
            select
            from pg_constraint as k
            join pg_class as c on c.oid = k.conrelid
            join pg_namespace as n on n.oid = c.relnamespace
            where n.nspname = %s and c.relname = 'artifacts' and k.conname = 'artifacts_legacy_sealed'
        )
        """,
        [schema],
    ).fetchone()
    assert models is not None
    assert sealed is not None
    return Waiting(models[0], tuple(Question(*row) for row in asked), sealed[0])


def legacy_models(connection: Connection, schema: str) -> int:
    """Counts the legacy models that are left, whether the backfill has seen them or not.

    Args:
        connection: May run the backfill.
        schema: The schema that holds the registry.
    """
    row = connection.execute(sql.SQL("select {}()").format(sql.Identifier(schema, "_legacy_models"))).fetchone()
    assert row is not None
    return int(row[0])


def unseen_models(connection: Connection, schema: str) -> int:
    """Counts the legacy models that the backfill has not seen yet.

    Args:
        connection: May read the tables.
        schema: The schema that holds the registry.
    """
    query = sql.SQL(
        "select count(*) from {} as a where a.metadata_schema_version = 0"
        " and not exists (select from {} as b where b.artifact_id = a.id)"
    ).format(sql.Identifier(schema, "artifacts"), sql.Identifier(schema, "backfill_log"))
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _stopped_cleanly(dry_run: bool) -> Iterator[None]:
    """Turns whatever ends the backfill early into one line that says what became of what was done."""
    kept = "nothing was written" if dry_run else "what was committed stays"
    again = "" if dry_run else "run it again: it goes on where it stopped"
    try:
        yield
    except KeyboardInterrupt:
        raise BackfillStoppedError(f"interrupted; {kept}", hint=again, interrupted=True) from None
    except psycopg.Error as error:
        translated = from_database(error)
        if isinstance(translated, (RegistryMissing, NotAllowed)):
            raise translated from error
        message = error.diag.message_primary or str(error).partition("\n")[0]
        hint = error.diag.message_hint or again
        if isinstance(translated, ConnectionFailed):
            message, hint = translated.message, again
        raise BackfillStoppedError(f"{message}; {kept}", hint=hint) from error
