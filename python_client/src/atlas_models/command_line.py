"""What the commands of ``atlas`` share: errors as one line, exit codes, and which database they work on."""

from __future__ import annotations

import functools
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar
from urllib.parse import quote

import click
import psycopg
from psycopg.conninfo import make_conninfo

from atlas_models.connections import describe
from atlas_models.errors import AtlasError, RegistryMissing
from atlas_models.local_cluster import LocalCluster
from atlas_models.migration_errors import MigrationError, PreflightError
from atlas_models.migration_runner import DEFAULT_SCHEMA
from atlas_models.record_files import RecordFileError
from atlas_models.terminal import printable

_HELP_WIDTH = 76  # of a text that click indents and does not wrap
INTERRUPTED = 130  # as a shell has it: 128 + SIGINT

P = ParamSpec("P")
R = TypeVar("R")


def exit_codes(done: str, failed: str) -> str:
    """Writes the epilog of a command's help.

    Args:
        done: When it exits with 0.
        failed: When it exits with 1.

    Returns:
        The text, as click wants it.
    """
    texts = (("0", done), ("1", failed), ("2", "the command line itself is wrong"), ("130", "interrupted"))
    lines = (
        textwrap.fill(text, _HELP_WIDTH, initial_indent=f"  {code:<5}", subsequent_indent=" " * 7)
        for code, text in texts
    )
    return "\b\nExit codes:\n" + "\n".join(lines) + "\n"


EXIT_CODES = exit_codes("done, or nothing to do", "refused, failed, or (with --check) something is pending")

schema_option = click.option(
    "--schema",
    envvar="ATLAS_SCHEMA",
    default=DEFAULT_SCHEMA,
    show_default=True,
    show_envvar=True,
    help="The schema that holds the registry.",
)

url_option = click.option(
    "--url",
    metavar="URL",
    help="The database: postgresql://…; by default DATABASE_URL, else the PG* variables, else the local server.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")

# The variables of libpq that say where a database is; who connects (PGUSER, PGPASSWORD …) is libpq's own affair.
_PLACE_OF_VARIABLE = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname"}


@dataclass(frozen=True, slots=True)
class Target:
    """The database that a command works on.

    Args:
        url: Where it is; may hold a password.
        source: What named it, in words.
    """

    url: str
    source: str


def say(line: str) -> None:
    """Tells the user something that is no result."""
    click.echo(line, err=True)


def refuse(message: str, hint: str, details: Iterable[str] = ()) -> None:
    """Tells the user what went wrong, line by line, and, where there is something to say, what to do."""
    click.echo(f"atlas: {message}", err=True)
    for detail in details:
        click.echo(f"  {detail}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)


def problem_lines(error: AtlasError) -> Iterator[str]:
    """Writes each thing that is wrong as a line."""
    for path, message in error.problems:
        yield printable(f"{path}: {message}" if path else message)


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
        except (MigrationError, RecordFileError) as error:
            refuse(error.message, error.hint)
        except AtlasError as error:
            refuse(error.message, _hint(error), problem_lines(error))
        except psycopg.Error as error:
            refuse(error.diag.message_primary or str(error).partition("\n")[0], error.diag.message_hint or "")
        except BrokenPipeError:
            raise  # `atlas … | head`: click ends quietly
        except OSError as error:
            refuse(str(error), "")
        except KeyboardInterrupt:
            refuse("interrupted", "")
            sys.exit(INTERRUPTED)
        sys.exit(1)

    return guarded


def _hint(error: AtlasError) -> str:
    if isinstance(error, RegistryMissing):
        return "run: atlas migrate URL; or name the registry's schema: --schema …"
    return error.hint


def given_target(url: str | None) -> Target | None:
    """Gives the database that the user names: by an argument or option, by DATABASE_URL or by PG*; else None."""
    if url:
        return Target(url, "the command line")
    if by_variable := os.environ.get("DATABASE_URL"):  # empty is as good as not set
        return Target(by_variable, "DATABASE_URL")
    if service := os.environ.get("PGSERVICE"):
        return Target(f"postgresql:///?service={quote(service, safe='')}", "PGSERVICE")
    given = {name: os.environ[name] for name in _PLACE_OF_VARIABLE if os.environ.get(name)}
    if given:
        place = {_PLACE_OF_VARIABLE[name]: value for name, value in given.items()}
        user = {"user": os.environ["PGUSER"]} if os.environ.get("PGUSER") else {}
        return Target(describe(make_conninfo("", **place, **user)), ", ".join(given))
    return None


def given_url(url: str | None) -> str | None:
    """Gives the URL of the database that the user names, or None."""
    target = given_target(url)
    return target.url if target else None


def find_target(url: str | None) -> Target:
    """Gives the database that a command works on: what the user names, else the project's local server.

    Args:
        url: What stands on the command line, if anything.

    Raises:
        MigrationError: None is named, and the local server is not there or does not run.
    """
    return given_target(url) or Target(_local_url(), "the project's local server")


def database_url(url: str | None) -> str:
    """Gives the URL of the database that a command works on; see :func:`find_target`."""
    return find_target(url).url


def _local_url() -> str:
    cluster = LocalCluster(progress=say)
    url = cluster.url()
    if not cluster.is_running():
        raise MigrationError("the local server does not run", hint="atlas local start")
    return url
