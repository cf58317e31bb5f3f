"""The command ``atlas check-links``: which versions nobody could reproduce, because their code is not pinned."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from atlas_models.command_line import database_url, exit_codes, one_line_errors, schema_option, url_option
from atlas_models.connections import connect
from atlas_models.registry import Registry
from atlas_models.results import UnlinkedModel
from atlas_models.terminal import is_terminal, printable

_EPILOG = """\b
In CI:
  atlas check-links --url "$DATABASE_URL"
\b
A pin is filled in by link_code(artifact_id, code_repo_url, code_commit_sha),
in SQL or Python.

""" + exit_codes(
    "every promoted internal model has its repository and commit",
    "a promoted internal model has none, or the command failed",
)


@click.command(name="check-links", epilog=_EPILOG, short_help="The versions whose code is not pinned.")
@url_option
@schema_option
@click.option("--json", "as_json", is_flag=True, help="Print the list as one JSON object.")
@one_line_errors
def check_links(url: str | None, schema: str, as_json: bool) -> None:
    """Lists the versions whose code is not pinned to a repository and a commit.

    Exits with 1 when one of them is promoted and no external model: what is in service must be reproducible.
    """
    with connect(database_url(url), application_name="atlas check-links") as connection:
        unlinked = Registry(connection, schema=schema).unlinked_models()
    in_service = [found for found in unlinked if _is_promoted_internal(found)]
    if as_json:
        versions = [asdict(found) for found in unlinked]
        click.echo(json.dumps({"promoted_internal": len(in_service), "versions": versions}, indent=2))
    elif unlinked and is_terminal(sys.stdout):
        _show_table(unlinked)
    else:
        for line in _plain_lines(unlinked):
            click.echo(line)
    if not as_json:
        click.echo(
            f"versions without a pin: {len(unlinked):,}\nof them promoted, and no external model: {len(in_service):,}"
        )
    sys.exit(1 if in_service else 0)


def _is_promoted_internal(found: UnlinkedModel) -> bool:
    return found.promotion_state == "promoted" and not found.is_external


def _missing(found: UnlinkedModel) -> str:
    if found.code_repo_url is None and found.code_commit_sha is None:
        return "repository and commit"
    return "repository" if found.code_repo_url is None else "commit"


def _cells(found: UnlinkedModel) -> tuple[str, str, str, str, str]:
    return (
        printable(found.name or "(no name yet)"),
        "" if found.version_number is None else str(found.version_number),
        found.promotion_state + (", external" if found.is_external else ""),
        _missing(found),
        printable(found.artifact_id),
    )


def _plain_lines(unlinked: list[UnlinkedModel]) -> Iterator[str]:
    for found in unlinked:
        name, version, state, missing, artifact_id = _cells(found)
        yield f"{name} {version}".rstrip() + f" ({artifact_id}): {state}; unknown: {missing}"


def _show_table(unlinked: list[UnlinkedModel]) -> None:
    # Imported where it is needed: it takes longer than the rest of the command.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("model", "version", "state", "unknown", "artifact id")
    for found in unlinked:
        style = "bold" if _is_promoted_internal(found) else ""
        table.add_row(*(Text(cell, style=style) for cell in _cells(found)))
    Console().print(table)
