"""Completion in a shell: click's own for commands and options, and names and ids from the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import psycopg
from click.shell_completion import CompletionItem, get_completion_class

from atlas_models.command_line import exit_codes, given_target, one_line_errors
from atlas_models.connections import connect
from atlas_models.errors import AtlasError
from atlas_models.local_cluster import LocalCluster
from atlas_models.migration_errors import MigrationError
from atlas_models.migration_runner import DEFAULT_SCHEMA
from atlas_models.registry import Registry
from atlas_models.results import ModelSummary

SHELLS = ("bash", "zsh", "fish")
_MAX_COMPLETIONS = 50
# Nobody waits longer for the tab key.
_SECONDS_TO_CONNECT = 1
_TIME_LIMIT = "300ms"

_EPILOG = """\b
Examples:
  eval "$(atlas completion bash)"       # in ~/.bashrc
  eval "$(atlas completion zsh)"        # in ~/.zshrc
  atlas completion fish > ~/.config/fish/completions/atlas.fish

""" + exit_codes("printed", "failed")


@click.command(epilog=_EPILOG, short_help="Completion of names and ids in your shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
@one_line_errors
def completion(context: click.Context, shell: str) -> None:
    """Prints what a shell needs to complete commands, options, names and ids."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "atlas", "_ATLAS_COMPLETE").source())


def complete_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a model's name."""
    return _completions(context, lambda registry: _names(registry, incomplete))


def complete_models(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes what a model version is called by: a name, ``name@number``, or an artifact id."""

    def found(registry: Registry) -> list[CompletionItem]:
        name, at, _ = incomplete.rpartition("@")
        if at:
            versions = registry.list_models(name, limit=_MAX_COMPLETIONS)
            return [_item(f"{name}@{version.version_number}", version) for version in versions]
        ids = registry.list_models(id_prefix=incomplete, limit=_MAX_COMPLETIONS) if incomplete else []
        return _names(registry, incomplete) + [_item(version.artifact_id, version) for version in ids]

    return [item for item in _completions(context, found) if item.value.startswith(incomplete)]


def _names(registry: Registry, incomplete: str) -> list[CompletionItem]:
    found = registry.list_models(name_prefix=incomplete, is_latest=True, limit=_MAX_COMPLETIONS)
    return [_item(version.name, version) for version in found if version.name]


def _item(value: str, version: ModelSummary) -> CompletionItem:
    return CompletionItem(value, help=f"{version.name} {version.version_number}, {version.promotion_state}")


def _completions(context: click.Context, find: Callable[[Registry], list[CompletionItem]]) -> list[CompletionItem]:
    """Asks the database; what goes wrong completes nothing: the command itself will say it."""
    given: dict[str, Any] = context.params
    try:
        target = given_target(given.get("url"))
        url = target.url if target else LocalCluster().url()
        with connect(url, application_name="atlas completion", timeout=_SECONDS_TO_CONNECT) as connection:
            connection.execute("select set_config('statement_timeout', %s, false)", [_TIME_LIMIT])
            return find(Registry(connection, schema=given.get("schema") or DEFAULT_SCHEMA))
    except (AtlasError, MigrationError, psycopg.Error, OSError):
        return []
