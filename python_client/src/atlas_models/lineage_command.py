"""The command ``atlas lineage``: what a model was made from and what came of it, as a tree or as Mermaid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import click

from atlas_models.command_line import (
    database_url,
    exit_codes,
    json_option,
    one_line_errors,
    schema_option,
    url_option,
)
from atlas_models.completion import complete_models
from atlas_models.connections import connect
from atlas_models.output import show_json
from atlas_models.references import find_artifact
from atlas_models.registry import Registry
from atlas_models.results import LineageStep
from atlas_models.terminal import printable, shortened

_DEPTH_OF_A_TREE = 20
_CHILDREN_OF_A_BRANCH = 25
_DIRECTIONS = ("ancestors", "descendants", "both")
RELATIONS = {
    ("ancestor", "parent"): "version before",
    ("ancestor", "base_model"): "base model",
    ("ancestor", "evaluation_dataset"): "evaluated on",
    ("ancestor", "superseded_by"): "took the place of",
    ("descendant", "parent"): "next version",
    ("descendant", "base_model"): "made from it",
    ("descendant", "evaluation_dataset"): "evaluated on it",
    ("descendant", "superseded_by"): "superseded by",
}

_EPILOG = """\b
Examples:
  atlas lineage credit-risk@3
  atlas lineage vit-base --direction descendants
  atlas lineage credit-risk --mermaid > lineage.mmd
  atlas lineage loans-2026-q1            # a dataset: what was evaluated on it
  atlas lineage --json credit-risk | jq -r '.steps[].id'

""" + exit_codes("shown", "there is no such artifact, several are meant, or the command failed")


@click.command(epilog=_EPILOG, short_help="What a model was made from, and what came of it.")
@click.argument("model", shell_complete=complete_models)
@url_option
@schema_option
@click.option("--direction", type=click.Choice(_DIRECTIONS), default="both", show_default=True, help="Which way to go.")
@click.option("--max-depth", type=click.IntRange(0), help="At most so many steps; for a tree 20 unless given.")
@click.option("--mermaid", is_flag=True, help="Write a Mermaid flowchart instead of a tree.")
@json_option
@one_line_errors
def lineage(
    model: str, url: str | None, schema: str, direction: str, max_depth: int | None, mermaid: bool, as_json: bool
) -> None:
    """Shows what a model was made from and what came of it: parents, base models, evaluation datasets, successors.

    MODEL is NAME@N, a name (its latest version), an artifact id, or the beginning of one; a dataset's too.
    """
    if mermaid and as_json:
        raise click.UsageError("--mermaid and --json exclude each other.")
    is_tree = not (mermaid or as_json)
    # One step more than is drawn, to know whether there is more.
    depth = (_DEPTH_OF_A_TREE + 1 if max_depth is None else max_depth) if is_tree else max_depth
    with connect(database_url(url), application_name="atlas lineage") as connection:
        registry = Registry(connection, schema=schema)
        steps = registry.lineage(find_artifact(registry, model), direction, max_depth=depth)
    if as_json:
        show_json({"artifact_id": steps[0].id, "steps": steps})
        return
    for line in mermaid_lines(steps) if mermaid else tree_lines(steps, max_depth or _DEPTH_OF_A_TREE):
        click.echo(line)


def tree_lines(steps: Sequence[LineageStep], depth: int) -> Iterator[str]:
    """Draws steps as trees, each artifact below the one that it was reached by.

    Args:
        steps: As ``Registry.lineage`` gives them.
        depth: How many steps are drawn; what is further away is only counted.
    """
    yield _label(steps[0])
    for side, heading in (("ancestor", "made from"), ("descendant", "came of it")):
        below: dict[str, list[LineageStep]] = defaultdict(list)
        for step in steps:
            if step.side == side and step.via is not None:
                below[step.via].append(step)
        if below:
            yield ""
            yield f"{heading}:"
            yield from _branches(below, steps[0].id, depth)


def _branches(below: dict[str, list[LineageStep]], root: str, depth: int) -> Iterator[str]:
    # By a stack of its own: lineages are deeper than Python calls itself.
    waiting: list[tuple[str, LineageStep | str, bool]] = []

    def put(prefix: str, children: list[LineageStep]) -> None:
        shown: list[LineageStep | str] = list(children[:_CHILDREN_OF_A_BRANCH])
        if len(children) > len(shown):
            shown.append(f"… and {len(children) - len(shown):,} more")
        for place, child in reversed(list(enumerate(shown))):
            waiting.append((prefix, child, place == len(shown) - 1))

    put("", below[root])
    while waiting:
        prefix, item, is_last = waiting.pop()
        branch = "└── " if is_last else "├── "
        if isinstance(item, str):
            yield prefix + branch + item
            continue
        yield f"{prefix}{branch}{RELATIONS.get((item.side, item.relation or ''), item.relation)}: {_label(item)}"
        children = below.get(item.id, [])
        if children and item.depth >= depth:
            children, rest = [], "…"
            waiting.append((prefix + ("    " if is_last else "│   "), rest, True))
        put(prefix + ("    " if is_last else "│   "), children)


def _label(step: LineageStep) -> str:
    if step.artifact_type != "model":
        title = f" {shortened(step.title, 60)}" if step.title else ""
        return printable(f"{step.id} ({step.artifact_type}){title}")
    # What can be typed again: a name with its number, or the id.
    reference = step.id if step.name is None else f"{step.name}@{step.version_number}"
    return printable(f"{reference} ({step.promotion_state})")


def mermaid_lines(steps: Sequence[LineageStep]) -> Iterator[str]:
    """Writes steps as a Mermaid flowchart, from what something was made from to what came of it."""
    numbers = {step.id: f"n{number}" for number, step in enumerate({step.id: step for step in steps}.values())}
    yield "flowchart LR"
    written = set()
    for step in steps:
        if step.id not in written:
            written.add(step.id)
            yield f'    {numbers[step.id]}["{_quoted(_label(step))}"]'
    for step in steps:
        if step.via is not None:
            source, target = (step.id, step.via) if step.side == "ancestor" else (step.via, step.id)
            relation = (step.relation or "").replace("_", " ")
            yield f"    {numbers[source]} -->|{relation}| {numbers[target]}"


def _quoted(text: str) -> str:
    return "".join(f"#{ord(character)};" if character in '"#<>&`\\' else character for character in text)
