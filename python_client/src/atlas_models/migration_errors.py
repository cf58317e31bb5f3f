"""The one family of errors that migrating, the pre-flight and the local cluster raise."""

from __future__ import annotations


class MigrationError(Exception):
    """A refusal or failure with what was wrong and what to do about it.

    Args:
        message: What was wrong and where, in one line, without secrets.
        hint: What to do, in one line; empty when there is nothing to add.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class DatabaseUnreachableError(MigrationError):
    """The connection URL is wrong, or nothing usable answers there."""


class PreflightError(MigrationError):
    """The server cannot carry the registry as it is; ``findings`` lists everything that is missing.

    Args:
        findings: One (what is wrong, what to do) pair for each finding.
    """

    headline = "the server is not ready"

    def __init__(self, findings: list[tuple[str, str]]) -> None:
        self.findings = tuple(findings)
        message = "; ".join(f"{problem} ({remedy})" for problem, remedy in findings)
        super().__init__(message)


class AdoptionRefusedError(PreflightError):
    """A table that stands in the schema cannot be taken over as it is; ``findings`` lists everything in the way.

    Args:
        headline: Which table it is, in one line.
        findings: One (what is wrong, what to do) pair for each finding.
    """

    def __init__(self, headline: str, findings: list[tuple[str, str]]) -> None:
        super().__init__(findings)
        self.headline = headline


class LocalClusterError(MigrationError):
    """The project's own PostgreSQL cannot be installed, started or stopped."""
