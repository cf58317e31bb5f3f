"""The commands that settle an old catalogue: ``atlas backfill``, ``atlas seal`` and ``atlas report``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from atlas_models import backfill_run
from atlas_models.backfill_run import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_WORKERS,
    MAX_BATCH_SIZE,
    MAX_WORKERS,
    Backfill,
    BackfillStoppedError,
    Waiting,
)
from atlas_models.command_line import (
    INTERRUPTED,
    database_url,
    exit_codes,
    json_option,
    one_line_errors,
    refuse,
    say,
    schema_option,
    url_option,
)
from atlas_models.connections import connect
from atlas_models.errors import database_errors
from atlas_models.output import write_file
from atlas_models.registry import Registry
from atlas_models.terminal import printable, show_progress

_MAX_SHOWN_QUESTIONS = 10
_NEXT_REVIEW = "Next: atlas review asks what is open, model by model; atlas review --list shows it."
_NEXT_SEAL = "Next: atlas seal makes rows without validated metadata impossible."
_STANDARD_OUTPUT = "-"

_BACKFILL_EPILOG = """\b
Examples:
  atlas backfill --dry-run     # how many would be backfilled, how many wait
  atlas backfill
  atlas backfill --check       # in a script: is any legacy model left?
  atlas backfill --json | jq .questions

""" + exit_codes(
    "done, or nothing to do, even when models wait for a person",
    "failed, or (with --check) a legacy model is left",
)


@click.command(epilog=_BACKFILL_EPILOG, short_help="Turns legacy models into versions.")
@url_option
@schema_option
@click.option("--dry-run", is_flag=True, help="Do everything in one transaction and roll it back.")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 while any legacy model is left.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, MAX_BATCH_SIZE),
    default=DEFAULT_BATCH_SIZE,
    show_default=True,
    help="How many models, with all their versions, one transaction takes.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=DEFAULT_WORKERS,
    show_default=True,
    help="How many sessions share the work, where it is more than a batch; no more than the server has cores.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@one_line_errors
def backfill(
    url: str | None, schema: str, dry_run: bool, check: bool, batch_size: int, workers: int, as_json: bool
) -> None:
    """Turns the legacy models of an adopted table into registered versions.

    What a row says without doubt is taken over, each change by a rule that can be read afterwards; whatever could mean
    two things waits for a person, who is asked by atlas review. Batches are committed as they are done: it can be
    interrupted at any time, and goes on where it stopped when it is run again.
    """
    if check and dry_run:
        raise click.UsageError("--check and --dry-run exclude each other.")
    database = database_url(url)
    with connect(database, application_name="atlas backfill") as connection:
        if check:
            with database_errors():
                left = backfill_run.legacy_models(connection, schema)
                waiting = backfill_run.waiting(connection, schema)
            _show(_check_as_json(left, waiting) if as_json else _check_lines(left, waiting))
            sys.exit(1 if left else 0)
        try:
            with show_progress("rows") as progress:
                done = backfill_run.run(
                    connection,
                    schema,
                    batch_size=batch_size,
                    dry_run=dry_run,
                    workers=workers,
                    connect_helper=lambda: connect(database, application_name="atlas backfill, helping"),
                    progress=progress,
                )
        except BackfillStoppedError as error:
            refuse(error.message, error.hint)
            sys.exit(INTERRUPTED if error.interrupted else 1)
    _show(_as_json(done) if as_json else backfill_lines(done))


@click.command(
    short_help="Makes legacy rows impossible from now on.",
    epilog="\b\nExamples:\n  atlas backfill --check && atlas seal\n  atlas seal --json | jq .sealed_now\n\n"
    + exit_codes("sealed, now or before", "a legacy model is left; each is listed with what it waits for"),
)
@url_option
@schema_option
@json_option
@one_line_errors
def seal(url: str | None, schema: str, as_json: bool) -> None:
    """Ends the time of legacy rows: from then on no model can be without validated metadata.

    Refused while any legacy model is left.
    """
    with connect(database_url(url), application_name="atlas seal") as connection:
        sealed = Registry(connection, schema=schema).seal_legacy()
    if as_json:
        _show({"sealed": True, "sealed_now": sealed})
    elif sealed:
        click.echo("Sealed: every model has validated metadata, and no row without it can come in again.")
    else:
        click.echo("Nothing to do: it is sealed already.")


@click.command(
    short_help="What became of every legacy row, as Markdown.",
    epilog="\b\nExamples:\n  atlas report report.md\n  atlas report --all | less\n\n" + exit_codes("written", "failed"),
)
@click.argument("file", required=False, default=_STANDARD_OUTPUT)
@url_option
@schema_option
@click.option(
    "--max-artifacts",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="How many legacy models have a section of their own.",
)
@click.option(
    "--all", "all_artifacts", is_flag=True, help="Give each legacy model its section, however many there are."
)
@json_option
@one_line_errors
def report(file: str, url: str | None, schema: str, max_artifacts: int, all_artifacts: bool, as_json: bool) -> None:
    """Writes what became of every legacy row as Markdown: into FILE, or to standard output.

    Old and new state side by side, each change with its rule, each open question. It holds no times of the run: the
    same rows give the same report.
    """
    with connect(database_url(url), application_name="atlas report") as connection:
        registry = Registry(connection, schema=schema)
        text = registry.migration_report(max_artifacts=None if all_artifacts else max_artifacts)
    if as_json:
        text = json.dumps({"markdown": text}, ensure_ascii=False) + "\n"
    if file == _STANDARD_OUTPUT:
        click.echo(text, nl=False)
        return
    write_file(file, text)
    say(f"{file}: {len(text.encode()):,} bytes")


def backfill_lines(done: Backfill) -> Iterator[str]:
    """Writes what a run did, and what to do next, as lines for a person."""
    yield _headline(done)
    yield from count_lines(done)
    yield from _next_lines(done)


def count_lines(done: Backfill) -> Iterator[str]:
    """Writes what became of the rows, as lines for a person."""
    if done.outcome != "nothing_to_do":
        yield f"rows looked at: {done.rows:,}"
        yield f"backfilled: {done.backfilled:,}"
        yield f"promoted, because their rows say that they are in service: {done.promoted:,}"
    if done.outcome == "dry_run":
        yield f"would wait for a person: {done.queued:,}"
    elif done.waiting.models or done.rows:
        yield f"wait for a person: {done.waiting.models:,}"
        yield from _question_lines(done.waiting)
    if done.outcome != "nothing_to_do":
        yield f"time: {done.seconds:.1f} s, {done.rows_per_second:,} rows a second"


def _headline(done: Backfill) -> str:
    if done.outcome == "dry_run":
        return "Dry run, rolled back: nothing was written."
    if done.rows:
        return "Done."
    if done.waiting.models:
        return "Nothing to do but to answer what waits."
    return "Nothing to do: no legacy model is left" + (", and none can come in." if done.waiting.is_sealed else ".")


def _question_lines(waiting: Waiting) -> Iterator[str]:
    shown = waiting.questions[:_MAX_SHOWN_QUESTIONS]
    width = max((len(f"{question.rows:,}") for question in shown), default=0)
    for question in shown:
        yield printable(f"  {question.rows:>{width},}  {question.field}: {question.why}")
    if len(waiting.questions) > len(shown):
        yield f"  and {len(waiting.questions) - len(shown):,} other questions: atlas review --list"


def _next_lines(done: Backfill) -> Iterator[str]:
    if done.outcome == "dry_run":
        if done.rows:
            yield "\nNext: atlas backfill does it; what waits is then listed with its questions."
    elif done.waiting.models:
        yield f"\n{_NEXT_REVIEW}"
    elif not done.waiting.is_sealed:
        yield f"\n{_NEXT_SEAL}"


def _check_lines(left: int, waiting: Waiting) -> Iterator[str]:
    yield f"legacy models left: {left:,}"
    yield f"wait for a person: {waiting.models:,}"
    yield from _question_lines(waiting)
    if left > waiting.models:
        yield "\nNext: atlas backfill settles what nobody has to be asked about."
    elif left:
        yield f"\n{_NEXT_REVIEW}"
    elif not waiting.is_sealed:
        yield f"\n{_NEXT_SEAL}"


def _show(lines: Iterator[str] | dict[str, object]) -> None:
    if isinstance(lines, dict):
        click.echo(json.dumps(lines))
    else:
        for line in lines:
            click.echo(line)


def _as_json(done: Backfill) -> dict[str, object]:
    return {
        "outcome": done.outcome,
        "rows": done.rows,
        "backfilled": done.backfilled,
        "promoted": done.promoted,
        "queued": done.queued,
        "seconds": round(done.seconds, 3),
        "rows_per_second": done.rows_per_second,
    } | _waiting_as_json(done.waiting)


def _check_as_json(left: int, waiting: Waiting) -> dict[str, object]:
    return {"left": left} | _waiting_as_json(waiting)


def _waiting_as_json(waiting: Waiting) -> dict[str, object]:
    return {
        "waiting": waiting.models,
        "questions": [asdict(question) for question in waiting.questions],
        "sealed": waiting.is_sealed,
    }
