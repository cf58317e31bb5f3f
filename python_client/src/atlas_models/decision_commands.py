"""The commands that decide about a version: ``atlas promote``, ``reject``, ``reopen`` and ``demote``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from atlas_models.command_line import database_url, exit_codes, json_option, one_line_errors, schema_option, url_option
from atlas_models.completion import complete_models
from atlas_models.connections import connect, notice_lost_clients
from atlas_models.output import show_json
from atlas_models.references import find_version
from atlas_models.registry import Registry
from atlas_models.results import ModelSummary
from atlas_models.terminal import printable

_Command = Callable[..., None]

_EXIT_CODES = exit_codes("done", "refused, or failed: nothing was changed")

_OPTIONS = (
    click.argument("model", shell_complete=complete_models),
    url_option,
    schema_option,
    click.option("--notes", metavar="TEXT", help="Why; replaces the version's promotion notes."),
    click.option(
        "--expected-state", metavar="STATE", help="Refuse when the version is in another state: somebody was faster."
    ),
    click.option("--on-behalf-of", metavar="WHO", help="For whom it is done; a claim, beside the database's user."),
    json_option,
)


def _decision(command: _Command) -> _Command:
    guarded: _Command = one_line_errors(command)
    for option in reversed(_OPTIONS):
        guarded = option(guarded)
    return guarded


def _epilog(*examples: str) -> str:
    lines = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{lines}\n\n{_EXIT_CODES}"


class _Decision:
    """Carries one decision out, and says what came of it.

    Args:
        options: What stands on the command line.
        of_a_name: Which version a name alone means.
    """

    def __init__(self, model: str, *, of_a_name: str = "latest", **options: Any) -> None:
        self._model = model
        self._of_a_name = of_a_name
        self._options = options

    def run(self, decide: Callable[[Registry, str, dict[str, Any]], Any], done: Callable[[Any], str]) -> None:
        options = self._options
        name = f"atlas {click.get_current_context().info_name}"
        with connect(database_url(options["url"]), application_name=name) as connection:
            notice_lost_clients(connection)  # interrupted, it must not be decided after all
            registry = Registry(connection, schema=options["schema"], on_behalf_of=options["on_behalf_of"])
            version = find_version(registry, self._model, of_a_name=self._of_a_name)
            given = {name: options[name] for name in ("notes", "expected_state")}
            result = decide(registry, version.artifact_id, given)
        if options["as_json"]:
            show_json({"artifact_id": version.artifact_id} | asdict(result))
        else:
            click.echo(printable(f"{_what(version)} {done(result)}"))


def _what(version: ModelSummary) -> str:
    return f"{version.name} {version.version_number} ({version.artifact_id})"


@click.command(
    short_help="Puts a version into service.",
    epilog=_epilog(
        'atlas promote credit-risk@2 --notes "passed the review of 12 May"',
        "atlas promote model-3f2a --expected-state candidate",
        "atlas promote credit-risk@1         # roll back to what was superseded",
    ),
)
@_decision
@click.option(
    "--override-reason", metavar="TEXT", help="Promote although gates or policies are not met, and why; kept for ever."
)
def promote(model: str, override_reason: str | None, **options: Any) -> None:
    """Puts a candidate or superseded version into service; the one that was, becomes superseded.

    Refused while gates or policies are not met: atlas gates check MODEL shows them.

    MODEL is NAME@N, an artifact id, the beginning of one, or a name: its latest version.
    """
    _Decision(model, **options).run(
        lambda registry, artifact_id, given: registry.promote(artifact_id, override_reason=override_reason, **given),
        lambda result: "is promoted" + (f"; {result.superseded} is superseded" if result.superseded else ""),
    )


@click.command(
    short_help="Rejects a version.",
    epilog=_epilog(
        'atlas reject credit-risk@3 --notes "drifts"', "atlas reject credit-risk@3 --expected-state candidate"
    ),
)
@_decision
def reject(model: str, **options: Any) -> None:
    """Rejects a candidate or superseded version: it cannot be promoted unless it is reopened.

    MODEL is NAME@N, an artifact id, the beginning of one, or a name: its latest version.
    """
    _Decision(model, **options).run(
        lambda registry, artifact_id, given: registry.reject(artifact_id, **given),
        lambda result: f"is rejected; it was {result.from_state}",
    )


@click.command(
    short_help="Makes a rejected version a candidate again.",
    epilog=_epilog('atlas reopen credit-risk@3 --notes "the data were at fault"'),
)
@_decision
def reopen(model: str, **options: Any) -> None:
    """Makes a rejected version a candidate again.

    MODEL is NAME@N, an artifact id, the beginning of one, or a name: its latest version.
    """
    _Decision(model, **options).run(
        lambda registry, artifact_id, given: registry.reopen(artifact_id, **given),
        lambda _: "is a candidate again",
    )


@click.command(
    short_help="Takes the promoted version out of service.",
    epilog=_epilog('atlas demote credit-risk --notes "out of service until the audit"'),
)
@_decision
def demote(model: str, **options: Any) -> None:
    """Takes the promoted version out of service: it becomes a candidate again, and none takes its place.

    MODEL is a name (its promoted version), NAME@N, an artifact id, or the beginning of one.
    """
    _Decision(model, of_a_name="promoted", **options).run(
        lambda registry, artifact_id, given: registry.demote(artifact_id, **given),
        lambda _: "is out of service, and a candidate again; no version of it is promoted now",
    )
