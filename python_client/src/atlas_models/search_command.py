"""The command ``atlas search``: which model versions are what somebody looks for."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

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
from atlas_models.connections import connect
from atlas_models.model_commands import STATES
from atlas_models.output import Column, origin, show_json, show_rows
from atlas_models.registry import Registry
from atlas_models.results import FoundModel

_METRIC = re.compile(r"(?P<metric>.+?)\s*(?P<op>>=|<=|>|<|=)\s*(?P<value>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)")
_MAX_LIMIT = 1000
_DAY_OR_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M%z"])

_EPILOG = """\b
Examples:
  atlas search 'resnet*'                # words of name, title, description
  atlas search --framework pytorch --state promoted
  atlas search --metric 'auroc>=0.9' --order-by metric:auroc
  atlas search --metric 'f1>0.8' --metric 'f1<0.9' --latest
  atlas search --trained-by agent-7 --since 2026-05-01
  atlas search --filter '{"any": [{"family": "vit"}, {"task": "ocr"}]}'
  atlas search --json --dataset loans-2026 | jq -r '.models[].name'

""" + exit_codes("found, or not", "a condition is not understood, or the command failed")


@click.command(epilog=_EPILOG, short_help="Finds versions by what they are.")
@click.argument("words", nargs=-1)
@url_option
@schema_option
@click.option("--family", metavar="TEXT", help="The kind of model.")
@click.option("--framework", metavar="TEXT", help="What runs it.")
@click.option("--task", metavar="TEXT", help="What it is for.")
@click.option("--state", type=click.Choice(STATES), help="The promotion state.")
@click.option("--external/--internal", "is_external", default=None, help="Only external or only internal models.")
@click.option("--latest", "is_latest", is_flag=True, default=None, help="Only the latest version of each name.")
@click.option("--trained-by", metavar="ID", help="The agent who trained it.")
@click.option("--dataset", metavar="TEXT", help="What it was trained or evaluated on.")
@click.option("--base-model", metavar="ID", help="The model that it was made from.")
@click.option("--benchmark", metavar="ID", help="The benchmark of its metrics.")
@click.option("--since", "registered_since", metavar="TIME", type=_DAY_OR_TIME, help="Registered then or later (UTC).")
@click.option("--before", "registered_before", metavar="TIME", type=_DAY_OR_TIME, help="Registered before (UTC).")
@click.option("--metric", "metrics", metavar="'NAME>=N'", multiple=True, help="A latest metric; may be repeated.")
@click.option("--filter", "filter_text", metavar="JSON", help="What options cannot say; see search_models().")
@click.option("--order-by", metavar="ORDER", default="registered", help="registered, trained or metric:NAME.")
@click.option("--ascending", is_flag=True, help="The oldest, or the lowest value, first.")
@click.option("--limit", type=click.IntRange(1, _MAX_LIMIT), default=20, show_default=True, help="At most so many.")
@click.option("--after", metavar="CURSOR", help="The next page: what the one before ended with.")
@json_option
@one_line_errors
def search(
    words: tuple[str, ...],
    url: str | None,
    schema: str,
    metrics: tuple[str, ...],
    filter_text: str | None,
    order_by: str,
    ascending: bool,
    limit: int,
    after: str | None,
    as_json: bool,
    **conditions: Any,
) -> None:
    """Finds model versions by WORDS of their name, title and description, and by what the options say.

    All of it must hold. The newest come first. A word that ends in * stands for all words that begin so.
    """
    comparisons = [_comparison(text) for text in metrics]
    parts = comparisons + ([] if filter_text is None else [_parse_filter(filter_text)])
    conditions |= {
        name: _aware(conditions[name]) for name in ("registered_since", "registered_before") if conditions[name]
    }
    with connect(database_url(url), application_name="atlas search") as connection:
        page = Registry(connection, schema=schema).search(
            {"all": parts} if parts else None,
            text=" ".join(words) or None,
            order_by=order_by,
            descending=not ascending,
            page_size=limit,
            after=after,
            **conditions,
        )
    if as_json:
        show_json({"models": page.models, "next": page.after})
        return
    if not page.models:
        say("nothing found")
        return
    shown = list(dict.fromkeys([comparison["metric"] for comparison in comparisons] + _ordering_metric(order_by)))
    columns = (
        Column("model"),
        Column("version", right=True, whole=True),
        Column("state", whole=True),
        Column("origin", whole=True),
        *(Column(metric, right=True) for metric in shown),
        Column("family", from_width=100),
        Column("framework", from_width=120),
    )
    rows = [_row(model, shown) for model in page.models]
    show_rows(columns, rows, only_plain=[model.artifact_id for model in page.models])
    if page.after:
        say(f"and perhaps more: --after '{page.after}', or --limit")


def _comparison(text: str) -> dict[str, Any]:
    match = _METRIC.fullmatch(text.strip())
    try:
        value = float(match["value"]) if match else None
    except ValueError:
        value = None
    if match is None or value is None:
        raise click.UsageError(f"--metric {text!r} is not NAME, one of >= > <= < =, and a number: 'auroc>=0.9'.")
    return {"metric": match["metric"], "op": match["op"], "value": value}


def _parse_filter(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise click.UsageError(
            f"--filter is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _ordering_metric(order_by: str) -> list[str]:
    kind, _, metric = order_by.partition(":")
    return [metric] if kind == "metric" and metric else []


def _row(model: FoundModel, shown: list[str]) -> tuple[object, ...]:
    known = model.latest_metrics or {}
    return (
        model.name or "(no name yet)",
        model.version_number,
        model.promotion_state,
        origin(model.is_external),
        *(known.get(metric) for metric in shown),
        model.model_family,
        model.framework,
    )
