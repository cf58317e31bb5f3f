"""The command ``atlas register``: the models of a JSON Lines file become versions in the registry."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from atlas_models.bulk_registration import (
    MAX_CHUNK_SIZE,
    MAX_LISTED,
    BulkRegistration,
    Refusal,
    RegistrationStoppedError,
    Summary,
)
from atlas_models.command_line import (
    INTERRUPTED,
    database_url,
    exit_codes,
    one_line_errors,
    refuse,
    say,
    schema_option,
    url_option,
)
from atlas_models.connections import connect
from atlas_models.record_files import STANDARD_INPUT, open_record_file
from atlas_models.terminal import printable, show_progress

_MAX_SHOWN_NAME = 256

_EPILOG = """\b
Examples:
  atlas register models.jsonl
  atlas register --dry-run --keep-going models.jsonl   # lists what is refused
  gunzip -c models.jsonl.gz | atlas register --url postgresql://u@host/db
  atlas register --json models.jsonl | jq .registered
\b
A line of the file (here in two):
  {"name": "churn", "metadata": {"is_external": false, …},
   "artifact_id": "churn-7", "idempotency_key": "import-1"}

""" + exit_codes(
    "every record is registered, or was by an earlier run (with --dry-run: could be)",
    "a record is refused, even if --keep-going registered the others; or nothing could be done",
)


@click.command(epilog=_EPILOG, short_help="Registers the models of a JSON Lines file.")
@click.argument("file", required=False)
@url_option
@schema_option
@click.option("--keep-going", is_flag=True, help="Leave out the records that are refused, and register all others.")
@click.option("--dry-run", is_flag=True, help="Do everything in a transaction and roll it back.")
@click.option(
    "--chunk-size",
    type=click.IntRange(1, MAX_CHUNK_SIZE),
    default=MAX_CHUNK_SIZE,
    show_default=True,
    help="How many records one statement takes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary, refusals included, as one JSON object.")
@one_line_errors
def register(
    file: str | None, url: str | None, schema: str, keep_going: bool, dry_run: bool, chunk_size: int, as_json: bool
) -> None:
    """Registers the models of a JSON Lines file, in one transaction: all of them, or none.

    Each line of FILE is one JSON object with the parameters of register_model(); blank lines are skipped. FILE may be
    - for standard input, and is not needed in a pipe. A parent or base stands in the file before what is made from it.

    Refused records are listed on standard error, FILE:LINE first: at most 100 of them, all with --keep-going. What can
    be checked without the database is checked for the whole file before anything is sent.
    """
    with open_record_file(file or _piped_input()) as records:

        def attempt() -> Summary:
            with (
                connect(target, application_name="atlas register") as connection,
                show_progress() as progress,
            ):
                return BulkRegistration(
                    connection,
                    schema,
                    chunk_size=chunk_size,
                    keep_going=keep_going,
                    dry_run=dry_run,
                    progress=progress,
                ).run(records)

        target = database_url(url)
        try:
            try:
                summary = attempt()
            except RegistrationStoppedError as error:
                if not error.can_be_repeated:
                    raise
                say(f"{error.message}; trying once more")
                summary = attempt()
        except RegistrationStoppedError as error:
            refuse(error.message, error.hint)
            sys.exit(INTERRUPTED if error.interrupted else 1)
    if as_json:
        click.echo(json.dumps(_as_json(summary)))
    else:
        for refusal in summary.refusals:
            for line in _refusal_lines(records.name, refusal):
                say(line)
        if summary.refused > len(summary.refusals):
            say(f"and {summary.refused - len(summary.refusals):,} more records; {MAX_LISTED} are listed")
        for line in _summary_lines(summary):
            click.echo(line)
    sys.exit(1 if summary.refused else 0)


def _piped_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("Missing argument 'FILE': a JSON Lines file, or - for standard input.")
    return STANDARD_INPUT


def _refusal_lines(file: str, refusal: Refusal) -> Iterator[str]:
    place = f"{file}:{refusal.line}: "
    if refusal.name is not None:
        place += refusal.name[:_MAX_SHOWN_NAME] + ": "
    for path, message in refusal.problems:
        yield printable(place + (f"{path}: {message}" if path else message))


def _summary_lines(summary: Summary) -> Iterator[str]:
    yield _headline(summary)
    yield f"records read: {summary.records:,}"
    yield f"registered: {summary.registered:,}"
    yield f"recognised by their idempotency key: {summary.recognised:,}"
    if summary.asked_up_to_line is None:
        yield f"refused: {summary.refused:,}"
    else:
        yield (
            f"refused: {summary.refused:,} or more; the database was asked up to line {summary.asked_up_to_line}"
            " (--keep-going --dry-run lists all)"
        )
    yield f"names: {summary.names:,}"
    yield f"time: {summary.seconds:.1f} s, {summary.records_per_second:,} records a second"


def _headline(summary: Summary) -> str:
    if summary.outcome == "refused":
        return "Refused: nothing was written."
    if summary.outcome == "dry_run":
        return "Dry run, rolled back: nothing was written."
    if summary.refused:
        return "Done, without the records that are refused."
    return "Done."


def _as_json(summary: Summary) -> dict[str, object]:
    refusals = [
        {
            "line": refusal.line,
            "name": refusal.name,
            "problems": [problem._asdict() for problem in refusal.problems],
        }
        for refusal in summary.refusals
    ]
    seconds = round(summary.seconds, 3)
    return asdict(summary) | {
        "seconds": seconds,
        "records_per_second": summary.records_per_second,
        "refusals": refusals,
    }
