"""Registers the records of a file in one transaction: all or none, or all that can be.

The file is read twice. First everything is checked that needs no database, so that all such mistakes are known before
anything is sent; then the records are sent, chunk by chunk. In memory are a chunk, the names that were registered,
and what is refused.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg

from atlas_models import offline_validation
from atlas_models.calls import chunked, json_array, place_and_rest
from atlas_models.errors import (
    AtlasError,
    ConnectionFailed,
    ConnectionLost,
    NotAllowed,
    Problem,
    RegistryMissing,
    from_database,
)
from atlas_models.record_files import RecordFile, RecordFileError
from atlas_models.registration_records import (
    Record,
    UnreadableRecordError,
    circular_references,
    in_order_of_reference,
    make_record,
    parse_line,
    record_problems,
)
from atlas_models.registry import Registry
from atlas_models.results import RegisteredModel
from atlas_models.terminal import Progress

MAX_LISTED = 100
MAX_CHUNK_SIZE = 5000

_NOTHING = "nothing was written"

# The database names at most 100 problems of a set: small enough that they are mostly those of all its records.
_DIAGNOSED_AT_ONCE = 50
_RECORDS_BETWEEN_UPDATES = 100


class RegistrationStoppedError(Exception):
    """The registration ended before its time; the message says whether anything was written.

    Args:
        message: What happened, in one line.
        hint: What to do; empty when there is nothing to add.
        interrupted: Whether the user stopped it.
        can_be_repeated: Whether the connection was lost, and doing it again registers nothing twice.
    """

    def __init__(
        self, message: str, *, hint: str = "", interrupted: bool = False, can_be_repeated: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.interrupted = interrupted
        self.can_be_repeated = can_be_repeated


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that is not registered.

    Args:
        line: Number of its line, from 1.
        name: The model's name, where it is text.
        problems: What is wrong; paths start at the record.
    """

    line: int
    name: str | None
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Summary:
    """What became of a file.

    Args:
        outcome: ``written``; ``dry_run``: rolled back, as asked for; ``refused``: rolled back, because of a record.
        records: How many records the file has.
        registered: How many became new model versions.
        recognised: How many were there already, by their idempotency key.
        refused: How many are refused, as far as is known: see ``asked_up_to_line``.
        names: How many different names the registered and recognised ones have.
        seconds: How long it took.
        asked_up_to_line: The last line that the database was asked about, when it stopped there for a refusal and may
            refuse more than it has named.
        refusals: The refused records by line: all with ``keep_going``, else at most 100.
    """

    outcome: Literal["written", "dry_run", "refused"] = "refused"
    records: int = 0
    registered: int = 0
    recognised: int = 0
    refused: int = 0
    names: int = 0
    seconds: float = 0.0
    asked_up_to_line: int | None = None
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def records_per_second(self) -> int:
        """How fast it went."""
        return round(self.records / self.seconds) if self.seconds else 0


class BulkRegistration:
    """Registers the records of a file by one connection, in one transaction.

    Args:
        connection: In autocommit mode, outside of a transaction.
        schema: The schema that holds the registry.
        chunk_size: How many records one statement takes, 1 to 5,000.
        keep_going: Whether records that cannot be registered are left out, instead of refusing all.
        dry_run: Whether everything is rolled back in the end.
        progress: Is told how far it is.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        schema: str,
        *,
        chunk_size: int,
        keep_going: bool,
        dry_run: bool,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._registry = Registry(connection, schema=schema)
        self._chunk_size = chunk_size
        self._keep_going = keep_going
        self._progress = progress
        self._dry_run = dry_run
        self._summary = Summary()
        self._names: set[str] = set()
        self._refusals: dict[int, Refusal] = {}
        self._line_of_refused_id: dict[str, int] = {}
        self._all_named = True
        self._all_have_keys = True
        self._written = _NOTHING

    def run(self, file: RecordFile) -> Summary:
        """Registers a file.

        Raises:
            RegistrationStoppedError: It was interrupted, the file could not be read to its end, or the database refused
                for a reason that lies in no record.
        """
        begin = time.monotonic()
        with self._stopped_cleanly():
            # Registers nothing: a missing registry or right is known before a long file is read.
            self._registry.register_json("[]")
            self._check(file)
            if self._may_go_on():
                self._register(file)
        summary = self._summary
        listed = [self._refusals[line] for line in sorted(self._refusals)]
        summary.refusals = listed if self._keep_going else listed[:MAX_LISTED]
        summary.seconds = time.monotonic() - begin
        return summary

    def _may_go_on(self) -> bool:
        return self._keep_going or self._summary.refused == 0

    # --- without the database -----------------------------------------------------------------------------------------

    def _check(self, file: RecordFile) -> None:
        same_schema = self._registry.metadata_schema_version() == offline_validation.metadata_schema_version()
        self._progress.start("checking", file.size)
        for line in file.lines():
            self._summary.records += 1
            if self._summary.records % _RECORDS_BETWEEN_UPDATES == 0:
                self._progress.update(file.bytes_read, self._summary.records)
            try:
                arguments = parse_line(line)
            except UnreadableRecordError as error:
                self._refuse_unsent(Refusal(line.number, None, (Problem("", error.problem),)), None)
                continue
            self._all_have_keys &= arguments.get("idempotency_key") is not None
            if problems := record_problems(line, arguments, validate_metadata=same_schema):
                record = make_record(line, arguments)
                self._refuse_unsent(Refusal(line.number, record.name, tuple(problems)), record.artifact_id)

    def _refuse_unsent(self, refusal: Refusal, artifact_id: str | None) -> None:
        if self._keep_going or len(self._refusals) < MAX_LISTED:
            self._refusals[refusal.line] = refusal
            if artifact_id is not None:
                self._line_of_refused_id.setdefault(artifact_id, refusal.line)
        self._summary.refused += 1

    def _accepted_so_far(self, file: RecordFile) -> Iterator[Record]:
        """Reads the file again, without what is refused already."""
        read = 0
        for line in file.lines():
            read += 1
            if line.number in self._refusals:
                continue
            try:
                yield make_record(line, parse_line(line))
            except UnreadableRecordError:
                raise RecordFileError(f"{file.name} changed while it was read") from None
        if read != self._summary.records:
            raise RecordFileError(f"{file.name} changed while it was read")

    # --- with the database --------------------------------------------------------------------------------------------

    def _register(self, file: RecordFile) -> None:
        summary = self._summary
        sent, to_send = 0, summary.records - summary.refused
        self._progress.start("registering", to_send)
        with self._connection.transaction() as transaction:
            for chunk in chunked(self._accepted_so_far(file), self._chunk_size, lambda record: len(record.text)):
                self._register_chunk(chunk)
                if not self._may_go_on():
                    summary.registered = summary.recognised = 0
                    is_last = sent + len(chunk) == to_send
                    summary.asked_up_to_line = None if is_last and self._all_named else chunk[-1].line
                    raise psycopg.Rollback(transaction)
                sent += len(chunk)
                self._progress.update(sent, sent)
            summary.names = len(self._names)
            # What COMMIT checks is checked here already: a dry run must not leave it out, and it can be interrupted.
            self._connection.execute("set constraints all immediate")
            if self._dry_run:
                summary.outcome = "dry_run"
                raise psycopg.Rollback(transaction)
            self._written = "whether it was written is unknown"
            summary.outcome = "written"
        if summary.outcome == "written":
            self._written = "everything was written"

    def _register_chunk(self, chunk: list[Record]) -> None:
        """Registers what the database accepts of a chunk; the rest becomes refusals."""
        for record, problem in circular_references(chunk):
            self._refuse(record, [problem])
        while self._may_go_on() and (records := self._not_refused(chunk)):
            refused_before = self._summary.refused
            try:
                self._count(records, self._send(records))
            except AtlasError as error:
                self._all_named = self._blame(error, records)
                none_named = self._summary.refused == refused_before
                if none_named or (self._keep_going and not self._all_named):
                    self._diagnose(records)
                    self._all_named = True
                if self._summary.refused == refused_before:
                    raise  # the set is refused, and none of its parts: there is nothing to leave out
            else:
                return

    def _send(self, records: list[Record]) -> list[RegisteredModel]:
        with self._connection.transaction():  # a savepoint: a refusal leaves what was registered before
            return self._registry.register_json(json_array(record.text for record in records))

    def _count(self, records: list[Record], registered: list[RegisteredModel]) -> None:
        created = sum(model.created for model in registered)
        self._summary.registered += created
        self._summary.recognised += len(registered) - created
        self._names.update(record.name for record in records if record.name is not None)

    def _not_refused(self, records: list[Record]) -> list[Record]:
        """Gives the records that are not refused; those that name a refused one as parent or base become so."""
        naming: dict[str, list[tuple[Record, str]]] = defaultdict(list)
        for record in records:
            for path, reference in record.references:
                naming[reference].append((record, path))
        unavailable = [reference for reference in naming if reference in self._line_of_refused_id]
        while unavailable:
            reference = unavailable.pop()
            line = self._line_of_refused_id[reference]
            for record, path in naming.get(reference, []):
                if record.line not in self._refusals:
                    self._refuse(record, [Problem(path, f"names {reference}, which is refused (line {line})")])
                    if record.artifact_id is not None:
                        unavailable.append(record.artifact_id)
        return [record for record in records if record.line not in self._refusals]

    def _refuse(self, record: Record, problems: Iterable[Problem]) -> None:
        earlier = self._refusals.get(record.line)
        self._refusals[record.line] = Refusal(
            record.line, record.name, (*(earlier.problems if earlier else ()), *problems)
        )
        self._summary.refused += earlier is None
        if record.artifact_id is not None:
            self._line_of_refused_id.setdefault(record.artifact_id, record.line)

    # --- who is to blame ----------------------------------------------------------------------------------------------

    def _blame(self, error: AtlasError, records: list[Record]) -> bool:
        """Refuses the records that an error names by their places in the set.

        Returns:
            Whether every problem of it belongs to a record. The database names at most 100 and says how many more.
        """
        if isinstance(error, (ConnectionFailed, NotAllowed, RegistryMissing)):
            raise error
        problems: dict[int, list[Problem]] = defaultdict(list)
        complete = True
        for problem in error.problems:
            place, path = place_and_rest(problem.path)
            if place is None:
                complete = False
            else:
                problems[place].append(Problem(path, problem.message))
        for place, found in problems.items():
            self._refuse(records[place], found)
        return complete

    def _diagnose(self, records: list[Record]) -> None:
        """Finds out which of a chunk's records the database refuses, in small sets; what they register does not stay.

        Registered as they come here, versions might get other numbers than by the order of the file.
        """
        with self._connection.transaction(force_rollback=True):
            ordered = in_order_of_reference(self._not_refused(records))
            for begin in range(0, len(ordered), _DIAGNOSED_AT_ONCE):
                self._diagnose_set(ordered[begin : begin + _DIAGNOSED_AT_ONCE])

    def _diagnose_set(self, records: list[Record]) -> None:
        while records := self._not_refused(records):
            refused_before = self._summary.refused
            try:
                self._send(records)
            except AtlasError as error:
                self._blame(error, records)
                if self._summary.refused > refused_before:
                    continue
                if len(records) == 1:
                    self._refuse(records[0], error.problems or [Problem("", error.message)])
                    return
                half = len(records) // 2
                self._diagnose_set(records[:half])
                self._diagnose_set(records[half:])
            return

    # --- ends before its time -----------------------------------------------------------------------------------------

    @contextmanager
    def _stopped_cleanly(self) -> Iterator[None]:
        """Turns whatever ends the registration early into one line that says whether anything was written."""
        try:
            yield
        except KeyboardInterrupt:
            raise RegistrationStoppedError(f"interrupted; {self._written}", interrupted=True) from None
        except psycopg.Error as error:
            if not self._connection.broken:
                self._written = _NOTHING  # COMMIT itself was answered, with a refusal
            translated = from_database(error)
            if translated is not None:
                raise self._stopped(translated) from error
            message = error.diag.message_primary or str(error).partition("\n")[0]
            raise RegistrationStoppedError(f"{message}; {self._written}", hint=error.diag.message_hint or "") from error
        except AtlasError as error:
            raise self._stopped(error) from error
        except RecordFileError as error:
            raise RegistrationStoppedError(f"{error.message}; {self._written}", hint=error.hint) from error

    def _stopped(self, error: AtlasError) -> RegistrationStoppedError:
        hint = error.hint
        if isinstance(error, ConnectionFailed):
            hint = "run it again: what has an idempotency_key is not registered twice"
        elif isinstance(error, RegistryMissing):
            hint = "run: atlas migrate URL; or name the registry's schema: --schema …"
        has_no_trace = self._written == _NOTHING or self._all_have_keys
        return RegistrationStoppedError(
            f"{error.message}; {self._written}",
            hint=hint,
            can_be_repeated=isinstance(error, ConnectionLost) and has_no_trace,
        )
