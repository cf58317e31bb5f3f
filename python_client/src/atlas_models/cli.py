"""The command ``atlas``: one line for each error, no traceback, and an exit code that a script can use."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from atlas_models import __version__, backfill_run, example, first_steps, migration_runner
from atlas_models.adoption import Adoption, Dangling
from atlas_models.backfill_command import backfill, count_lines, report, seal
from atlas_models.backfill_run import BackfillStoppedError
from atlas_models.card_commands import bom, card
from atlas_models.command_line import (
    EXIT_CODES,
    database_url,
    given_url,
    json_option,
    one_line_errors,
    say,
    schema_option,
)
from atlas_models.completion import completion
from atlas_models.connections import connect, describe
from atlas_models.decision_commands import demote, promote, reject, reopen
from atlas_models.gates_command import gates
from atlas_models.history_command import history
from atlas_models.lineage_command import lineage
from atlas_models.links_command import check_links
from atlas_models.local_cluster import LocalCluster
from atlas_models.migration_errors import MigrationError
from atlas_models.migration_runner import DEFAULT_SCHEMA, MigrationReport, Status
from atlas_models.model_commands import list_models, show
from atlas_models.output import show_json
from atlas_models.register_command import register
from atlas_models.review_command import review
from atlas_models.search_command import search
from atlas_models.server_programs import find_psql
from atlas_models.site_command import site
from atlas_models.status_commands import doctor, status
from atlas_models.terminal import show_progress
from atlas_models.validate_command import validate

# What `atlas --help` lists, in the order in which somebody comes to need it.
_SECTIONS = {
    "Register": ("register", "validate"),
    "Look": ("list", "show", "card", "bom", "search", "lineage", "history", "status", "check-links", "site"),
    "Decide": ("promote", "reject", "reopen", "demote", "gates"),
    "Bring an old catalogue in": ("backfill", "review", "report", "seal"),
    "Set up": ("migrate", "doctor", "local", "completion"),
}

_EPILOG = (
    """\b
Examples:
  atlas register models.jsonl
  atlas list
  atlas promote credit-risk@2 --notes "passed the review of 12 May"
  atlas COMMAND --help                # each has examples of its own
\b
The database is what --url names, else DATABASE_URL, else the PG* variables,
else the project's local server; atlas doctor says which.

"""
    + EXIT_CODES
)


_MIGRATE_EPILOG = (
    """\b
Examples:
  atlas migrate                      # the project's local server
  atlas migrate postgresql://postgres@db.example.org/atlas
  atlas migrate --check              # in CI: is anything pending?
  atlas migrate --dry-run

"""
    + EXIT_CODES
)


class _Sections(click.Group):
    """A group whose help lists its commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, self.commands))
        for title, names in _SECTIONS.items():
            with formatter.section(title):
                limit = formatter.width - width - 6
                texts = [(name, self.commands[name].get_short_help_str(limit)) for name in names]
                formatter.write_dl([(f"{name:<{width}}", text) for name, text in texts])


@click.group(cls=_Sections, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="atlas")
def main() -> None:
    """Atlas, a model registry that lives inside PostgreSQL."""
    # What it has to say of a connection that is given up, our own line says.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)


for _command in (
    *(register, validate, list_models, show, card, bom, status, check_links, promote, reject, reopen, demote),
    *(search, lineage, gates, history, site, backfill, review, report, seal, doctor, completion),
):
    main.add_command(_command)


@main.command(epilog=_MIGRATE_EPILOG, short_help="Brings a database up to date.")
@click.argument("url", required=False)
@click.option("--url", "named_url", metavar="URL", help="The same as the argument.")
@schema_option
@click.option("--status", "mode", flag_value="status", help="Show what is applied and what is pending; change nothing.")
@click.option("--check", "mode", flag_value="check", help="Like --status; exit with 1 when anything is pending.")
@click.option("--dry-run", "mode", flag_value="dry-run", help="Run everything in a transaction and roll it back.")
@json_option
@one_line_errors
def migrate(url: str | None, named_url: str | None, schema: str, mode: str | None, as_json: bool) -> None:
    """Brings a database up to date: pending migrations and the current code.

    URL is a superuser's postgresql://… ; without it DATABASE_URL is used, else the PG* variables, and without those the
    project's own local server, which is made and started when needed. A new one begins with an example: an old
    catalogue of eight models, which is then taken over and backfilled as yours would be.
    """
    if url and named_url:
        raise click.UsageError("The URL is given twice.")
    url = url or named_url
    if mode in ("status", "check"):
        found = migration_runner.status(database_url(url), schema=schema)
        if as_json:
            show_json(asdict(found) | {"up_to_date": found.up_to_date})
        else:
            _show_status(found)
        sys.exit(1 if mode == "check" and not found.up_to_date else 0)
    target = given_url(url)
    has_example = False
    if target is None:
        target = LocalCluster(progress=say).start(schema)
        shown = target
        has_example = mode is None and example.lay_down(target, schema)
        if has_example:
            say("an example stands in it: an old catalogue of eight models")
    else:
        shown = describe(target)
    report = migration_runner.migrate(
        target, schema=schema, schema_is_chosen=_is_chosen("schema"), dry_run=mode == "dry-run", progress=say
    )
    if as_json:
        show_json(report)
    else:
        _show_report(report)
    if mode is None and has_example:
        _backfill_example(target, schema, say if as_json else click.echo)
    if mode is None and not as_json:
        _show_first_steps(target, shown, schema, given_by_argument=url is not None)


def _is_chosen(parameter: str) -> bool:
    source = click.get_current_context().get_parameter_source(parameter)
    return source is not click.core.ParameterSource.DEFAULT


def _show_status(status: Status) -> None:
    for migration in status.applied:
        click.echo(f"applied  {migration.name}  {migration.applied_at:%Y-%m-%d %H:%M} by {migration.applied_by}")
    for name in status.pending:
        click.echo(f"pending  {name}")
    if not status.code_is_current:
        click.echo("pending  code: the files of sql/ differ from what is deployed")
    for found in status.unvalidated:
        click.echo(f"pending  validation of {found.constraint} on {found.table}")
    for waiting in status.dangling:
        click.echo(_describe_dangling(waiting))
    click.echo("up to date" if status.up_to_date else "a deploy has work to do: atlas migrate")


def _show_report(report: MigrationReport) -> None:
    if report.nothing_to_do:
        click.echo(f"Nothing to do: schema {report.schema} is up to date.")
        for waiting in report.dangling:
            click.echo(f"  {_describe_dangling(waiting)}")
        return
    if report.dry_run:
        click.echo(f"Dry run, rolled back. A deploy into schema {report.schema} would do this:")
    else:
        click.echo(f"Schema {report.schema} is up to date. Done:")
    for name in report.applied:
        click.echo(f"  applied   {name}")
    if report.code_deployed:
        click.echo("  deployed  the code of sql/")
    for name in report.validated:
        click.echo(f"  validated {name}")
    for waiting in report.dangling:
        click.echo(f"  {_describe_dangling(waiting)}")
    if report.adopted is not None:
        _show_adoption(report.adopted, dry_run=report.dry_run)


def _describe_dangling(found: Dangling) -> str:
    rows = "1 row names an artifact that is" if found.rows == 1 else f"{found.rows:,} rows name artifacts that are"
    return f"waiting   {found.constraint}: {rows} not there"


def _show_adoption(adopted: Adoption, *, dry_run: bool) -> None:
    was = "would be" if dry_run else "was"
    click.echo(
        f"\nThe table artifacts {was} taken over: {adopted.rows:,} rows; artifacts_original keeps them as they were."
    )
    click.echo(f"  {adopted.models:>10,}  models: legacy rows (metadata_schema_version 0) until they are validated")
    click.echo(f"  {adopted.rows - adopted.models:>10,}  other artifacts")
    click.echo(f"It was locked for {adopted.seconds:.1f} s. What its users must change: docs/adopt.md.")


def _backfill_example(url: str, schema: str, show_line: Callable[[str], None]) -> None:
    with connect(url, application_name="atlas migrate") as connection, show_progress("rows") as progress:
        try:
            done = backfill_run.run(connection, schema, progress=progress)
        except BackfillStoppedError as error:
            raise MigrationError(error.message, hint="atlas backfill goes on where it stopped") from error
    show_line("\nIts models were backfilled: what a row says without doubt was taken over, the rest is asked.")
    for line in count_lines(done):
        show_line(f"  {line}")


def _show_first_steps(url: str, shown: str, schema: str, *, given_by_argument: bool) -> None:
    click.echo(f"\nDatabase: {shown}")
    # A URL of the user's own may hold a password: it is not repeated on the screen.
    in_commands = shown
    if shown != url:
        in_commands = shown if given_by_argument else "$DATABASE_URL"
    steps = first_steps.commands(url, in_commands, schema, find_psql() or "psql")
    if steps is None:
        return
    click.echo(f"\nTry a registration that works:\n\n{steps.accepted}")
    click.echo(f"\nand one that is refused, with the reasons:\n\n{steps.refused}")
    options = f' --url "{in_commands}"' if given_by_argument else ""
    if schema not in (DEFAULT_SCHEMA, os.environ.get("ATLAS_SCHEMA")):
        options += f" --schema {shlex.quote(schema)}"
    with connect(url) as connection:
        unseen = backfill_run.unseen_models(connection, schema)
        waiting = backfill_run.waiting(connection, schema).models
    if unseen:
        click.echo(f"\nSee what would become of the legacy models ({unseen:,}):\n")
        click.echo(f"  {_program()} backfill --dry-run{options}")
    if waiting:
        click.echo(f"\nSee what waits for a person ({waiting:,} {'model' if waiting == 1 else 'models'}):\n")
        click.echo(f"  {_program()} review --list{options}")


def _program() -> str:
    """Gives the words that this command was called by."""
    called = Path(sys.argv[0])
    if called.name != "atlas" or shutil.which("atlas") == str(called):
        return "atlas"
    return shlex.quote(str(called))


@main.group(epilog=EXIT_CODES, short_help="The project's own server, for trying things out.")
def local() -> None:
    """The project's own PostgreSQL server, for trying things out."""


@local.command()
@schema_option
@one_line_errors
def start(schema: str) -> None:
    """Makes the local server where it is missing, and starts it."""
    click.echo(LocalCluster(progress=say).start(schema))


@local.command()
@one_line_errors
def stop() -> None:
    """Stops the local server; its data stay."""
    click.echo("stopped" if LocalCluster(progress=say).stop() else "the local server was not running")


@local.command()
@one_line_errors
def url() -> None:
    """Prints the local server's connection URL, and nothing else."""
    click.echo(LocalCluster().url())


@local.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@schema_option
@one_line_errors
def psql(arguments: tuple[str, ...], schema: str) -> None:
    """Opens psql on the local server, which is started when needed; ARGUMENTS go to psql."""
    program = find_psql()
    if program is None:
        raise MigrationError("psql is not installed", hint="on Debian: apt-get install postgresql-client")
    cluster = LocalCluster(progress=say)
    cluster.url()
    target = cluster.start(schema)
    # A refusal says what to do; which of our lines raised it is of no use to its reader (\\errverbose shows it).
    os.execvp(program, [program, target, "--set", "SHOW_CONTEXT=never", "--pset", "expanded=auto", *arguments])


if __name__ == "__main__":
    main()
