"""The command ``atlas history``: what happened to a model, and what was in service at some time."""

from __future__ import annotations

import sys
from datetime import datetime, timezone

import click

from atlas_models.command_line import database_url, exit_codes, json_option, one_line_errors, schema_option, url_option
from atlas_models.completion import complete_names
from atlas_models.connections import connect
from atlas_models.output import show_json
from atlas_models.references import find_version
from atlas_models.registry import Registry
from atlas_models.results import HistoryEvent, PromotedVersion
from atlas_models.terminal import is_terminal, printable

_TIME_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z")

_EPILOG = """\b
Examples:
  atlas history credit-risk
  atlas history credit-risk --at 2026-05-12T14:00Z # what was in service then
  atlas history                       # the gates and policies of every model
  atlas history credit-risk --json | jq '.events[] | select(.gates)'

""" + exit_codes("shown", "nothing is known of that name, or the command failed")


@click.command(epilog=_EPILOG, short_help="What happened to a model.")
@click.argument("name", required=False, shell_complete=complete_names)
@url_option
@schema_option
@click.option("--at", metavar="TIME", type=click.DateTime(_TIME_FORMATS), help="Which version was in service then.")
@json_option
@one_line_errors
def history(name: str | None, url: str | None, schema: str, at: datetime | None, as_json: bool) -> None:
    """Shows what happened to a model, its gates and policies, the oldest first.

    Without a NAME: what happened to the gates and policies of every model. A TIME without an offset is UTC.
    """
    if at is not None and name is None:
        raise click.UsageError("--at goes with a NAME.")
    with connect(database_url(url), application_name="atlas history") as connection:
        registry = Registry(connection, schema=schema)
        events = registry.model_history(name)
        if not events and name is not None and not registry.list_models(name, limit=1):
            name = find_version(registry, name).name  # by an id, or it says what there is instead
            events = registry.model_history(name)
        if at is not None:
            assert name is not None
            moment = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
            in_service = registry.promoted_at(name, moment)
    if at is not None:
        _show_promoted(str(name), in_service, as_json)
    elif as_json:
        show_json({"name": name, "events": events})
    else:
        _show_events(events)


def _show_promoted(name: str, found: PromotedVersion, as_json: bool) -> None:
    if as_json:
        show_json({"name": name, "promoted": found})
    elif found.artifact_id is None:
        click.echo(printable(f"{name}: {found.note or 'no version was in service'}"))
    else:
        click.echo(printable(f"{name} {found.version_number} ({found.artifact_id}), since {_moment(found.since)}"))


def _show_events(events: list[HistoryEvent]) -> None:
    on_terminal = is_terminal(sys.stdout)
    for event in events:
        time = _moment(event.happened_at)
        if on_terminal:
            time = click.style(time, dim=True)
        click.echo(f"{time}  {printable(event.summary)}")


def _moment(time: datetime | None) -> str:
    return "" if time is None else time.strftime("%Y-%m-%d %H:%M:%S %Z")
