"""The command ``atlas review``: what the backfill could not tell is answered by a person, or by a script."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

import click
import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from atlas_models import backfill_run
from atlas_models.answers import add_answer, parse_answer
from atlas_models.command_line import database_url, exit_codes, one_line_errors, refuse, schema_option, url_option
from atlas_models.connections import connect
from atlas_models.errors import database_errors
from atlas_models.registry import Registry
from atlas_models.results import BackfillReview
from atlas_models.review_session import ReviewSession, Tally, outcome_lines, reading_text, seen_lines
from atlas_models.terminal import is_terminal, printable, shortened

_EPILOG = """\b
Examples:
  atlas review                               # asks, one model at a time
  atlas review --list
  atlas review --json | jq '.[].why'
  atlas review model-7 --answer parameter_count=12000 \\
      --answer 'training_data=["a", "b"]' --notes "from the paper"
\b
An answer is JSON where it is JSON (12000, true, ["a", "b"], "12" for a text
of digits), otherwise the text itself; null leaves a field out.

""" + exit_codes("done; what was skipped, or is still open, stays in the queue", "refused, or failed")


@click.command(epilog=_EPILOG, short_help="Answers what the backfill left open.")
@click.argument("artifact_id", required=False)
@url_option
@schema_option
@click.option("--list", "as_list", is_flag=True, help="Print what is open, and ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what is open, or what became of --answer, as JSON.")
@click.option(
    "--answer", "answers", metavar="FIELD=VALUE", multiple=True, help="Answer about ARTIFACT_ID; may be repeated."
)
@click.option("--notes", metavar="TEXT", help="Why these answers; kept beside them.")
@one_line_errors
def review(
    artifact_id: str | None,
    url: str | None,
    schema: str,
    as_list: bool,
    as_json: bool,
    answers: tuple[str, ...],
    notes: str | None,
) -> None:
    """Answers the questions that a backfill left open, one model at a time.

    Shows what the old row says, the values that it could mean and why it is a question; takes one of them by its
    number, or a value that is typed. The answers about one model are checked and written together.

    With ARTIFACT_ID only that model is asked about.
    """
    patch = _parse_answers(answers)
    if patch and (artifact_id is None or as_list):
        raise click.UsageError("--answer goes with an ARTIFACT_ID, and without --list.")
    if notes is not None and not patch:
        raise click.UsageError("--notes goes with --answer.")
    asks = not (patch or as_list or as_json)
    if asks and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("To ask it needs a terminal; without one: --list, --json, or ARTIFACT_ID --answer …")
    with connect(database_url(url), application_name="atlas review") as connection:
        registry = Registry(connection, schema=schema)
        if patch:
            assert artifact_id is not None
            _answer(registry, artifact_id, patch, notes, as_json=as_json)
        elif as_json:
            click.echo(json.dumps([_as_json(found) for found in registry.backfill_reviews(artifact_id)], indent=2))
        elif as_list:
            _show_list(registry.backfill_reviews(artifact_id))
        else:
            _walk(connection, registry, schema, artifact_id)


def _parse_answers(answers: tuple[str, ...]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for answer in answers:
        field, separator, text = answer.partition("=")
        if not separator or not field:
            raise click.UsageError(f"--answer {answer!r} is not FIELD=VALUE.")
        if field in patch:
            raise click.UsageError(f"--answer gives {field!r} twice.")
        try:
            add_answer(patch, field, parse_answer(text))
        except ValueError as error:
            raise click.UsageError(f"--answer {field}: {error}.") from None
    return patch


def _answer(registry: Registry, artifact_id: str, patch: dict[str, Any], notes: str | None, *, as_json: bool) -> None:
    outcome = registry.resolve_backfill_review(artifact_id, patch, notes=notes)
    if as_json:
        click.echo(json.dumps({"artifact_id": artifact_id} | asdict(outcome)))
        return
    for line in outcome_lines(registry, artifact_id, outcome):
        click.echo(line)


def _as_json(found: BackfillReview) -> dict[str, Any]:
    return asdict(found) | {"asked_at": found.asked_at.isoformat()}


# --- a list -----------------------------------------------------------------------------------------------------------


def _show_list(reviews: list[BackfillReview]) -> None:
    if not reviews:
        click.echo("Nothing waits for a person.")
    elif is_terminal(sys.stdout):
        _show_table(reviews)
    else:
        for line in _plain_lines(reviews):
            click.echo(line)


def _plain_lines(reviews: list[BackfillReview]) -> Iterator[str]:
    for artifact_id, questions in groupby(reviews, key=lambda found: found.artifact_id):
        of_model = list(questions)
        yield printable(f"{artifact_id}  {of_model[0].title or '(no title)'}")
        for found in of_model:
            yield printable(f"  {found.field}: {found.why}")
            for line in seen_lines(found):
                yield f"    seen: {line}"
            if found.readings:
                yield "    could be: " + " or ".join(map(reading_text, found.readings))


def _show_table(reviews: list[BackfillReview]) -> None:
    # Imported where it is needed: it takes longer than the rest of the command.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("model", "question", "seen", "could be", show_lines=True)
    shown = ""
    for found in reviews:
        model = Text()
        if found.artifact_id != shown:
            shown = found.artifact_id
            model = Text(printable(found.title or "(no title)")).append(f"\n{shortened(printable(shown))}", style="dim")
        question = Text(printable(found.field), style="bold").append(printable(f": {found.why}"), style="not bold")
        table.add_row(
            model,
            question,
            Text("\n".join(seen_lines(found))),
            Text("\n".join(map(reading_text, found.readings))),
        )
    console = Console()
    console.print(table)
    models = len({found.artifact_id for found in reviews})
    console.print(Text(f"{len(reviews):,} questions about {models:,} models. atlas review asks them one by one."))


# --- a dialogue -------------------------------------------------------------------------------------------------------


class _ClickTerminal:
    """The terminal that the command was started on."""

    def ask(self, prompt: str) -> str:
        return input(prompt)

    def show(self, line: str = "", *, bold: bool = False) -> None:
        click.secho(line, bold=bold or None)

    def edit(self, text: str) -> str | None:
        try:
            return click.edit(text, extension=".json")
        except click.ClickException as error:
            self.show(f"  {error.format_message()}")
            return None


def _walk(connection: psycopg.Connection[TupleRow], registry: Registry, schema: str, artifact_id: str | None) -> None:
    _prepare_input()
    artifact_ids = [artifact_id] if artifact_id is not None else _waiting_ids(connection, schema)
    if artifact_id is not None and not registry.backfill_reviews(artifact_id):
        refuse(f"no question is open about {printable(artifact_id)}", "atlas review --list shows what is open")
        sys.exit(1)
    if artifact_ids:
        plural = "model waits" if len(artifact_ids) == 1 else "models wait"
        click.echo(f"{len(artifact_ids):,} {plural} for an answer.")
        tally = ReviewSession(registry, _ClickTerminal()).walk(artifact_ids)
        click.echo()
    else:
        tally = Tally()
    for line in _closing_lines(tally, backfill_run.waiting(connection, schema)):
        click.echo(line)


def _prepare_input() -> None:
    """Lets lines be edited while they are typed, where Python can."""
    try:
        import readline  # noqa: F401 - importing it is what does it
    except ImportError:
        return


def _waiting_ids(connection: psycopg.Connection[TupleRow], schema: str) -> list[str]:
    query = sql.SQL("select artifact_id from {}").format(sql.Identifier(schema, "backfill_reviews"))
    with database_errors():
        return list(dict.fromkeys(row[0] for row in connection.execute(query)))


def _closing_lines(tally: Tally, waiting: backfill_run.Waiting) -> Iterator[str]:
    if tally.backfilled:
        yield f"Backfilled by your answers: {tally.backfilled:,}."
    if waiting.models:
        yield f"{waiting.models:,} {'model still waits' if waiting.models == 1 else 'models still wait'}: atlas review"
    elif waiting.is_sealed:
        yield "Nothing waits for a person."
    elif tally.backfilled:
        yield "Nothing waits for a person. Next: atlas seal makes rows without validated metadata impossible."
    else:
        yield "Nothing waits for a person. Next: atlas backfill finds out what does, and what comes after it."
