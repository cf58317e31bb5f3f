"""The command ``atlas``: one line for each error, no traceback, and an exit code that a script can use."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click
import psycopg

from atlas_models import __version__, first_steps, migration_runner
from atlas_models.adoption import Adoption, Dangling
from atlas_models.connections import describe
from atlas_models.local_cluster import LocalCluster
from atlas_models.migration_errors import MigrationError, PreflightError
from atlas_models.migration_runner import MigrationReport, Status
from atlas_models.server_programs import find_psql

_EXIT_CODES = """\b
Exit codes:
  0  done, or nothing to do
  1  refused, failed, or (with --check) something is pending
  2  the command line itself is wrong
"""

P = ParamSpec("P")
R = TypeVar("R")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _refuse(message: str, hint: str) -> None:
    click.echo(f"atlas: {message}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Makes a command print what went wrong and exit with 1, instead of showing a traceback.

    Args:
        command: The function of a click command.

    Returns:
        The same function, guarded.
    """

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except PreflightError as error:
            click.echo(f"atlas: {error.headline}; nothing was changed", err=True)
            for problem, remedy in error.findings:
                click.echo(f"  - {problem}\n    do: {remedy}", err=True)
        except MigrationError as error:
            _refuse(error.message, error.hint)
        except psycopg.Error as error:
            _refuse(error.diag.message_primary or str(error).partition("\n")[0], error.diag.message_hint or "")
        except BrokenPipeError:
            raise  # `atlas … | head`: click ends quietly
        except OSError as error:
            _refuse(str(error), "")
        sys.exit(1)

    return guarded


@click.group(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="atlas")
def main() -> None:
    """Atlas, a model registry that lives inside PostgreSQL."""


_schema_option = click.option(
    "--schema",
    envvar="ATLAS_SCHEMA",
    default=migration_runner.DEFAULT_SCHEMA,
    show_default=True,
    show_envvar=True,
    help="The schema that holds the registry.",
)


@main.command(epilog=_EXIT_CODES)
@click.argument("url", required=False)
@_schema_option
@click.option("--status", "mode", flag_value="status", help="Show what is applied and what is pending; change nothing.")
@click.option("--check", "mode", flag_value="check", help="Like --status; exit with 1 when anything is pending.")
@click.option("--dry-run", "mode", flag_value="dry-run", help="Run everything in a transaction and roll it back.")
@one_line_errors
def migrate(url: str | None, schema: str, mode: str | None) -> None:
    """Brings a database up to date: pending migrations and the current code.

    URL is a superuser's postgresql://… ; without it DATABASE_URL is used, and without that the project's own local
    server, which is made and started when needed.
    """
    target = url or os.environ.get("DATABASE_URL") or None  # empty is as good as not set
    if mode in ("status", "check"):
        found = migration_runner.status(target or _local_url_for_reading(), schema=schema)
        _show_status(found)
        sys.exit(1 if mode == "check" and not found.up_to_date else 0)
    if target is None:
        target = LocalCluster(progress=_say).start(schema)
        shown = target
    else:
        shown = describe(target)
    report = migration_runner.migrate(
        target, schema=schema, schema_is_chosen=_is_chosen("schema"), dry_run=mode == "dry-run", progress=_say
    )
    _show_report(report)
    if mode is None:
        _show_first_steps(target, shown, schema, given_by_argument=url is not None)


def _is_chosen(parameter: str) -> bool:
    source = click.get_current_context().get_parameter_source(parameter)
    return source is not click.core.ParameterSource.DEFAULT


def _local_url_for_reading() -> str:
    cluster = LocalCluster(progress=_say)
    url = cluster.url()
    if not cluster.is_running():
        raise MigrationError("the local server does not run", hint="atlas local start")
    return url


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
        _show_adoption(report.adopted)


def _describe_dangling(found: Dangling) -> str:
    rows = "1 row names an artifact that is" if found.rows == 1 else f"{found.rows:,} rows name artifacts that are"
    return f"waiting   {found.constraint}: {rows} not there"


def _show_adoption(adopted: Adoption) -> None:
    click.echo(f"\nThe table artifacts was taken over: {adopted.rows:,} rows, as they were in artifacts_original.")
    click.echo(f"  {adopted.models:>10,}  models, kept as legacy rows (metadata_schema_version 0) until validated")
    click.echo(f"  {adopted.rows - adopted.models:>10,}  other artifacts, untouched")
    click.echo(f"It was locked for {adopted.seconds:.1f} s. What its users must change: docs/adopt.md.")


def _show_first_steps(url: str, shown: str, schema: str, *, given_by_argument: bool) -> None:
    click.echo(f"\nDatabase: {shown}")
    # A URL of the user's own may hold a password: it is not repeated on the screen.
    in_commands = shown
    if shown != url:
        in_commands = shown if given_by_argument else "$DATABASE_URL"
    steps = first_steps.commands(url, in_commands, schema, find_psql() or "psql")
    if steps is not None:
        click.echo(f"\nTry a registration that works:\n\n{steps.accepted}")
        click.echo(f"\nand one that is refused, with the reasons:\n\n{steps.refused}")


@main.group(epilog=_EXIT_CODES)
def local() -> None:
    """The project's own PostgreSQL server, for trying things out."""


@local.command()
@_schema_option
@one_line_errors
def start(schema: str) -> None:
    """Makes the local server where it is missing, and starts it."""
    click.echo(LocalCluster(progress=_say).start(schema))


@local.command()
@one_line_errors
def stop() -> None:
    """Stops the local server; its data stay."""
    click.echo("stopped" if LocalCluster(progress=_say).stop() else "the local server was not running")


@local.command()
@one_line_errors
def url() -> None:
    """Prints the local server's connection URL, and nothing else."""
    click.echo(LocalCluster().url())


@local.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@_schema_option
@one_line_errors
def psql(arguments: tuple[str, ...], schema: str) -> None:
    """Opens psql on the local server, which is started when needed; ARGUMENTS go to psql."""
    program = find_psql()
    if program is None:
        raise MigrationError("psql is not installed", hint="on Debian: apt-get install postgresql-client")
    cluster = LocalCluster(progress=_say)
    cluster.url()
    target = cluster.start(schema)
    # A refusal says what to do; which of our lines raised it is of no use to its reader (\\errverbose shows it).
    os.execvp(program, [program, target, "--set", "SHOW_CONTEXT=never", "--pset", "expanded=auto", *arguments])


if __name__ == "__main__":
    main()
