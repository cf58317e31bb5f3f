"""The commands ``atlas list`` and ``atlas show``: which models there are, and what is known about one."""

from __future__ import annotations

from dataclasses import asdict

import click

from atlas_models.command_line import (
    database_url,
    exit_codes,
    json_option,
    one_line_errors,
    say,
    schema_option,
    url_option,
)
from atlas_models.completion import complete_models, complete_names
from atlas_models.connections import connect
from atlas_models.output import Column, origin, show_fields, show_json, show_rows
from atlas_models.references import find_version
from atlas_models.registry import Registry
from atlas_models.results import ModelSummary, ModelVersion

STATES = ("candidate", "promoted", "rejected", "superseded")

_LIST_EPILOG = """\b
Examples:
  atlas list                          # the latest version of every model
  atlas list credit-risk              # all versions of one
  atlas list --state promoted         # what is in service
  atlas list --external --limit 20
  atlas list --json | jq -r '.models[].artifact_id'
  atlas list | cut -f1,8              # in a pipe: tabs between the fields

""" + exit_codes("listed, even when there is none", "the model named is not there, or the command failed")

_SHOW_EPILOG = """\b
Examples:
  atlas show credit-risk              # its latest version
  atlas show credit-risk@2
  atlas show model-3f2a               # the beginning of an artifact id
  atlas show --json credit-risk | jq .metadata

""" + exit_codes("shown", "there is no such version, several are meant, or the command failed")


@click.command(name="list", epilog=_LIST_EPILOG, short_help="The models by name, with state and origin.")
@click.argument("name", required=False, shell_complete=complete_names)
@url_option
@schema_option
@click.option("--state", type=click.Choice(STATES), help="Only versions in this state, the latest or not.")
@click.option("--external/--internal", "is_external", default=None, help="Only external or only internal models.")
@click.option("--all", "all_versions", is_flag=True, help="All versions, not only the latest of each name.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--after", metavar="NAME@N", help="Go on behind this version: the next page.")
@json_option
@one_line_errors
def list_models(
    name: str | None,
    url: str | None,
    schema: str,
    state: str | None,
    is_external: bool | None,
    all_versions: bool,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """Lists models by name: the latest version of each, or all versions of the one that is NAMEd.

    With each stand its state, whether it was taken over from elsewhere (external) or made here (internal), and which
    version of its name is in service.
    """
    only_latest = not (name or state or all_versions)
    with connect(database_url(url), application_name="atlas list") as connection:
        registry = Registry(connection, schema=schema)
        found = registry.list_models(
            name,
            promotion_state=state,
            is_external=is_external,
            is_latest=True if only_latest else None,
            after=_place(after),
            limit=limit + 1,
        )
        if name is not None and not found and not registry.list_models(name, limit=1):
            find_version(registry, name)  # says what there is instead
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    following = f"{last.name}@{last.version_number}" if last else None
    if as_json:
        show_json({"models": shown, "next": following})
        return
    columns = (
        Column("model"),
        Column("version", right=True, whole=True),
        Column("state", whole=True),
        Column("origin", whole=True),
        Column("in service", right=True, whole=True),
        Column("family", from_width=100),
        Column("framework", from_width=120),
    )
    if not shown:
        say("no model")
        return
    show_rows(columns, map(_row, shown), only_plain=[version.artifact_id for version in shown])
    if following:
        say(f"and more: --after '{following}', or --limit")


def _place(after: str | None) -> tuple[str, int] | None:
    if after is None:
        return None
    name, _, number = after.rpartition("@")
    if not name or not number.isascii() or not number.isdecimal():
        raise click.UsageError(f"--after {after!r} is not NAME@N, such as credit-risk@2.")
    return name, int(number)


def _row(version: ModelSummary) -> tuple[object, ...]:
    return (
        version.name or "(no name yet)",
        version.version_number,
        version.promotion_state,
        origin(version.is_external),
        version.promoted_version,
        version.model_family,
        version.framework,
    )


@click.command(epilog=_SHOW_EPILOG, short_help="All that is known about a version.")
@click.argument("model", shell_complete=complete_models)
@url_option
@schema_option
@json_option
@one_line_errors
def show(model: str, url: str | None, schema: str, as_json: bool) -> None:
    """Shows what the registry knows about a model version.

    MODEL is a name (its latest version), NAME@N, an artifact id, or the beginning of one.
    """
    with connect(database_url(url), application_name="atlas show") as connection:
        registry = Registry(connection, schema=schema)
        meant = find_version(registry, model)
        version = registry.get_model(artifact_id=meant.artifact_id)
    if as_json:
        show_json(version)
        return
    badge = f"{version.promotion_state}, {origin(version.is_external)}"
    show_fields(f"{version.name} {version.version_number}: {badge}", _fields(version, meant))


_MEASURED = {"declared metrics": "latest metrics", "declared training config": "latest training params"}
_SHOWN_ELSEWHERE = ("name", "version_number", "promotion_state", "is_external", "metadata", "extra")


def _fields(version: ModelVersion, meant: ModelSummary) -> dict[str, object]:
    known = {name.replace("_", " "): value for name, value in asdict(version).items() if name not in _SHOWN_ELSEWHERE}
    # Measured values that are the declared ones say nothing new.
    for declared, latest in (
        ("declared metrics", "latest metrics"),
        ("declared training config", "latest training params"),
    ):
        if known[declared] == known[latest]:
            known[latest] = None
    if known["updated at"] == known["created at"]:
        known["updated at"] = None
    in_service = meant.promoted_version
    return {
        "artifact id": version.artifact_id,
        "in service": "none of its versions" if in_service is None else f"version {in_service}",
    } | known
