"""What the registry refuses, as exceptions: chosen by SQLSTATE and constraint name, never by a message's words."""

# The names say what happened, like psycopg's own (UniqueViolation); AtlasError alone carries the suffix.
# ruff: noqa: N818

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from atlas_models.migration_errors import DatabaseUnreachableError


class Problem(NamedTuple):
    """One thing that is wrong.

    Args:
        path: Where, as an RFC 6901 JSON pointer. Empty for the whole. For metadata it starts at the document, for
            ``register_models`` with the model's place in the input (from 0), otherwise with the argument's name.
        message: What is wrong there; never the value itself.
    """

    path: str
    message: str


class AtlasError(Exception):
    """A refusal or failure. ``str()`` of it is the message, one line a problem, and the hint.

    Args:
        message: What was refused, in one line.
        sqlstate: The database's code, five characters; None when the database was not reached or not asked.
        constraint: The constraint that was violated, where there is one.
        problems: Everything that is wrong, with its place.
        hint: What to do about it; empty when there is nothing to say.
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        constraint: str | None = None,
        problems: Iterable[Problem] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.constraint = constraint
        self.problems = list(problems)
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"  {problem.path or 'the whole'}: {problem.message}" for problem in self.problems]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class InvalidMetadata(AtlasError):
    """The metadata is not valid against the schema, or beyond the limits on size, depth and numbers."""


class InvalidArgument(AtlasError):
    """An argument is missing or not well formed, such as a name, a commit, a URL or a time without a time zone."""


class IllegalTransition(AtlasError):
    """The version cannot go from its promotion state to the one asked for."""


class StateChanged(AtlasError):
    """The version was not in the ``expected_state``: somebody else was faster."""


class IdempotencyConflict(AtlasError):
    """The idempotency key was used before, for a registration with other arguments."""


class IncompleteModel(AtlasError):
    """A model without its version row, or a version row without its model."""


class KeptByDatabase(AtlasError):
    """The value contradicts the metadata, or belongs to what the database keeps by itself."""


class OutOfTurn(AtlasError):
    """A version number that is not the next one of its name."""


class LineageError(AtlasError):
    """A parent or base that is no model, or a chain of them that runs in a circle."""


class RemovalRefused(AtlasError):
    """A version that is or was in service, or a record of what happened, cannot be deleted."""


class LegacyLeft(AtlasError):
    """Legacy models are left that were not validated yet; ``problems`` lists them, at most 100."""


class GatesNotMet(AtlasError):
    """The version does not meet what its promotion asks for; ``problems`` has one line for each gate and policy."""


class NotFound(AtlasError):
    """There is no such model version, no such gate, or no open question about it."""


class Ambiguous(AtlasError):
    """Several artifact ids begin like the given one; ``problems`` lists them, at most ten."""


class UnknownReference(AtlasError):
    """A parent, base or dataset that is not registered; or a version to be deleted that others refer to."""


class AlreadyRegistered(AtlasError):
    """The artifact id is taken."""


class NotAllowed(AtlasError):
    """The connected role may not do this."""


class ConnectionFailed(AtlasError):
    """The server cannot be reached, the URL is wrong, or the connection was lost."""


class ConnectionLost(ConnectionFailed):
    """The connection was lost in the middle: whether the last call was committed is unknown."""


class RegistryMissing(AtlasError):
    """The database has no registry in this schema, or an older one."""


# docs/errors.md holds the same table for people; a test compares the two and what sql/ raises.
ERROR_OF_SQLSTATE: dict[str, type[AtlasError]] = {
    "MR001": IllegalTransition,
    "MR002": StateChanged,
    "MR003": IdempotencyConflict,
    "MR004": IncompleteModel,
    "MR005": KeptByDatabase,
    "MR006": OutOfTurn,
    "MR007": LineageError,
    "MR008": RemovalRefused,
    "MR010": LegacyLeft,
    "MR011": GatesNotMet,
    "P0002": NotFound,
    "P0003": Ambiguous,
    "23502": InvalidArgument,
    "23503": UnknownReference,
    "23505": AlreadyRegistered,
    "23514": InvalidArgument,
    "42501": NotAllowed,
    "42P01": RegistryMissing,
    "42883": RegistryMissing,
    "3F000": RegistryMissing,
    "57P01": ConnectionLost,
    "57P02": ConnectionLost,
    "57P03": ConnectionFailed,
}
_ERROR_OF_CLASS: dict[str, type[AtlasError]] = {"22": InvalidArgument, "54": InvalidArgument, "08": ConnectionLost}

METADATA_CONSTRAINTS = frozenset({"artifacts_metadata_valid", "artifacts_metadata_bounded"})

# What PostgreSQL itself says about these quotes keys, not arguments.
_PROBLEM_OF_CONSTRAINT = {"artifacts_pkey": Problem("/artifact_id", "is taken")}

_LOST_HINT = (
    "whether the last call was committed is unknown; with the same idempotency_key a registration can be repeated"
)
_HINTS: dict[type[AtlasError], str] = {
    NotAllowed: (
        "the role needs atlas_registrar to register, atlas_reviewer to promote, reject, delete or backfill,"
        " atlas_steward to set gates and policies, atlas_reader to read"
    ),
    RegistryMissing: "run: atlas migrate URL; or name the registry's schema: Registry(…, schema=…)",
    AlreadyRegistered: "leave artifact_id out, or give one that no artifact has",
}


@contextmanager
def database_errors() -> Iterator[None]:
    """Turns what the database refuses within the block into an AtlasError; any other psycopg error passes unchanged."""
    try:
        yield
    except psycopg.Error as error:
        translated = from_database(error)
        if translated is None:
            raise
        raise translated from error


@contextmanager
def unreachable_as_failed() -> Iterator[None]:
    """Turns what is said within the block of a server that cannot be reached into an AtlasError."""
    try:
        yield
    except DatabaseUnreachableError as error:
        # Not chained: libpq's own words may quote what stands in the URL.
        raise ConnectionFailed(error.message, hint=error.hint) from None


def from_database(error: psycopg.Error) -> AtlasError | None:
    """Translates an error that psycopg raised.

    Args:
        error: The error.

    Returns:
        What it means for a user of the registry, or None when it says nothing about the registry (a serialization
        failure, a cancelled statement, an aborted transaction …).
    """
    kind = _kind_of(error)
    if kind is None:
        return None
    if issubclass(kind, ConnectionFailed):
        return kind("the connection to the database was lost", sqlstate=error.sqlstate, hint=_LOST_HINT)
    if kind is RegistryMissing:
        message = "this database has no registry in this schema, or one that is older than the client"
        return RegistryMissing(message, sqlstate=error.sqlstate, hint=_HINTS[kind])
    return kind(
        error.diag.message_primary or "the database refused the call",
        sqlstate=error.sqlstate,
        constraint=error.diag.constraint_name or None,
        problems=_problems(error),
        hint=error.diag.message_hint or _HINTS.get(kind, ""),
    )


def _kind_of(error: psycopg.Error) -> type[AtlasError] | None:
    if error.sqlstate is None:
        return ConnectionLost if isinstance(error, psycopg.OperationalError) else None
    if error.sqlstate == "23514" and error.diag.constraint_name in METADATA_CONSTRAINTS:
        return InvalidMetadata
    return ERROR_OF_SQLSTATE.get(error.sqlstate) or _ERROR_OF_CLASS.get(error.sqlstate[:2])


def _problems(error: psycopg.Error) -> list[Problem]:
    detail = error.diag.message_detail or ""
    known = _PROBLEM_OF_CONSTRAINT.get(error.diag.constraint_name or "")
    if known and not detail.startswith("/"):
        return [known]
    # PostgreSQL's own words for a CHECK quote the whole row, metadata included.
    if detail.startswith("Failing row contains"):
        return []
    return [_problem(line) for line in detail.splitlines()]


def _problem(line: str) -> Problem:
    # `JSON pointer: what is wrong`; a line of another form is about the whole.
    path, separator, message = line.partition(": ")
    if separator and (path == "" or path.startswith("/")):
        return Problem(path, message)
    return Problem("", line)
