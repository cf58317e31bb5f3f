"""The commands ``atlas gates …``: what a promotion asks for, and whether a version meets it."""

from __future__ import annotations

import sys

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
from atlas_models.output import Column, show_json, show_rows
from atlas_models.references import find_version
from atlas_models.registry import Registry
from atlas_models.results import Policy

_EXIT_CODES = exit_codes("done", "refused, or failed")
_COMPARATORS = (">=", ">", "<=", "<", "=", "<>")
_RULES = ("code_pin", "evaluation", "second_person")
_YES_NO = {"yes": True, "no": False, "as-for-all": None}

_EPILOG = (
    """\b
Examples:
  atlas gates check credit-risk@3
  atlas gates list
  atlas gates set auroc '>=' 0.9 --model credit-risk --reason "the board"
  atlas gates policy --model credit-risk --second-person yes

"""
    + _EXIT_CODES
)

_model_option = click.option(
    "--model", "model_name", metavar="NAME", shell_complete=complete_names, help="For this model; else for every model."
)
_reason_option = click.option("--reason", metavar="TEXT", help="Why; stands in the history.")


@click.group(epilog=_EPILOG, short_help="What a promotion asks for.")
def gates() -> None:
    """What a promotion asks for: gates compare the latest metrics, policies ask for more than numbers."""


@gates.command(
    epilog="\b\nExamples:\n  atlas gates check credit-risk@3 && atlas promote credit-risk@3\n\n"
    + exit_codes("a promotion would pass", "it would not, or the command failed")
)
@click.argument("model", shell_complete=complete_models)
@url_option
@schema_option
@json_option
@one_line_errors
def check(model: str, url: str | None, schema: str, as_json: bool) -> None:
    """Shows what a promotion of MODEL would ask for and find, without acting."""
    with connect(database_url(url), application_name="atlas gates") as connection:
        registry = Registry(connection, schema=schema)
        version = find_version(registry, model)
        found = registry.check_gates(version.artifact_id)
    passed = all(rule.passed for rule in found)
    if as_json:
        show_json({"artifact_id": version.artifact_id, "passed": passed, "gates": found})
    else:
        columns = (
            Column("rule", whole=True),
            Column("metric"),
            Column("wanted"),
            Column("found"),
            Column("", whole=True),
        )
        verdict = {True: "passed", False: "NOT MET"}
        if found:
            show_rows(
                columns, [(rule.rule, rule.metric, rule.wanted, rule.found, verdict[rule.passed]) for rule in found]
            )
        what = f"{version.name} {version.version_number}"
        say(f"{what}: {'a promotion would pass' if passed else 'a promotion would be refused'}")
    sys.exit(0 if passed else 1)


@gates.command(name="list", epilog=f"\b\nExamples:\n  atlas gates list --json | jq '.gates[].metric'\n\n{_EXIT_CODES}")
@url_option
@schema_option
@json_option
@one_line_errors
def list_gates(url: str | None, schema: str, as_json: bool) -> None:
    """Lists the gates with their ids, and the policies."""
    with connect(database_url(url), application_name="atlas gates") as connection:
        registry = Registry(connection, schema=schema)
        found, policies = registry.gates(), registry.policies()
    if as_json:
        show_json({"gates": found, "policies": policies})
        return
    if not found and not policies:
        say("no gates and no policies: every promotion passes")
    if found:
        show_rows(
            (
                Column("gate", right=True, whole=True),
                Column("model"),
                Column("metric"),
                Column("wanted"),
                Column("set by"),
            ),
            [
                (
                    gate.gate_id,
                    gate.model_name or "every model",
                    gate.metric,
                    f"{gate.comparator} {gate.threshold:g}" + (f" on {gate.benchmark_id}" if gate.benchmark_id else ""),
                    gate.set_by,
                )
                for gate in found
            ],
        )
    if policies:
        show_rows(
            (Column("policy for"), Column("code pin"), Column("evaluation"), Column("second person"), Column("set by")),
            [(policy.model_name or "every model", *_asked(policy), policy.set_by) for policy in policies],
        )


def _asked(policy: Policy) -> tuple[str, ...]:
    values = (policy.require_code_pin, policy.require_evaluation, policy.require_second_person)
    return tuple("as for every model" if value is None else "required" if value else "not required" for value in values)


@gates.command(
    name="set",
    context_settings={"ignore_unknown_options": True},  # a threshold may be negative
    epilog="\b\nExamples:\n  atlas gates set auroc '>=' 0.9 --reason \"the board's rule\"\n"
    f"  atlas gates set latency_ms '<' 20 --model ranking --benchmark prod-week\n\n{_EXIT_CODES}",
)
@click.argument("metric")
@click.argument("comparator", type=click.Choice(_COMPARATORS))
@click.argument("threshold", type=float)
@_model_option
@click.option("--benchmark", metavar="ID", help="Only evaluations on this benchmark count.")
@_reason_option
@url_option
@schema_option
@json_option
@one_line_errors
def set_gate(
    metric: str,
    comparator: str,
    threshold: float,
    model_name: str | None,
    benchmark: str | None,
    reason: str | None,
    url: str | None,
    schema: str,
    as_json: bool,
) -> None:
    """Sets a gate: METRIC of the latest evaluation must be COMPARATOR (>=, >, <=, <, =, <>) THRESHOLD.

    The same model, metric, comparator and benchmark again replace the threshold.
    """
    with connect(database_url(url), application_name="atlas gates") as connection:
        gate_id = Registry(connection, schema=schema).set_promotion_gate(
            metric, comparator, threshold, model_name=model_name, benchmark_id=benchmark, reason=reason
        )
    if as_json:
        show_json({"gate_id": gate_id})
    else:
        click.echo(f"gate {gate_id}: {metric} {comparator} {threshold:g} for {model_name or 'every model'}")


@gates.command(epilog=f'\b\nExamples:\n  atlas gates remove 3 --reason "measured otherwise now"\n\n{_EXIT_CODES}')
@click.argument("gate_id", type=int)
@_reason_option
@url_option
@schema_option
@json_option
@one_line_errors
def remove(gate_id: int, reason: str | None, url: str | None, schema: str, as_json: bool) -> None:
    """Removes the gate with this id, as atlas gates list shows it."""
    with connect(database_url(url), application_name="atlas gates") as connection:
        Registry(connection, schema=schema).remove_promotion_gate(gate_id, reason=reason)
    if as_json:
        show_json({"removed": gate_id})
    else:
        click.echo(f"gate {gate_id} is removed")


@gates.command(
    epilog="\b\nExamples:\n  atlas gates policy --code-pin yes\n"
    f"  atlas gates policy --model credit-risk --second-person yes\n\n{_EXIT_CODES}"
)
@_model_option
@click.option("--code-pin", type=click.Choice(list(_YES_NO)), help="Whether repository and commit must be known.")
@click.option("--evaluation", type=click.Choice(list(_YES_NO)), help="Whether an evaluation must be recorded.")
@click.option("--second-person", type=click.Choice(list(_YES_NO)), help="Whether who registered must not promote.")
@_reason_option
@url_option
@schema_option
@json_option
@one_line_errors
def policy(
    model_name: str | None,
    code_pin: str | None,
    evaluation: str | None,
    second_person: str | None,
    reason: str | None,
    url: str | None,
    schema: str,
    as_json: bool,
) -> None:
    """Sets what promotions ask for besides numbers; what is not given stays as it was."""
    asked = dict(zip(_RULES, (code_pin, evaluation, second_person), strict=True))
    if not any(asked.values()):
        raise click.UsageError("Give at least one of --code-pin, --evaluation, --second-person.")
    with connect(database_url(url), application_name="atlas gates") as connection, connection.transaction():
        registry = Registry(connection, schema=schema)
        now = next((policy for policy in registry.policies() if policy.model_name == model_name), None)
        wanted = {
            f"require_{rule}": _YES_NO[answer] if answer else getattr(now, f"require_{rule}", None)
            for rule, answer in asked.items()
        }
        registry.set_promotion_policy(model_name, reason=reason, **wanted)
        after = next((policy for policy in registry.policies() if policy.model_name == model_name), None)
    if as_json:
        show_json({"policy": after})
    else:
        click.echo(f"the policy for {model_name or 'every model'} is set: atlas gates list")
