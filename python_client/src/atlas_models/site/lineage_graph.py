"""What a version was made from and what came of it, near by: as columns of a drawing, each node with its edges."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from atlas_models.lineage_command import RELATIONS
from atlas_models.site.reading import Catalogue, Other, Version
from atlas_models.site.texts import shortened

_STEPS = 2
_SHOWN_NEXT = 8  # one step away
_SHOWN_BEYOND = 6
_NODE_WIDTH, _NODE_HEIGHT, _COLUMN_GAP, _ROW_GAP = 184, 46, 44, 12
_CHARACTERS = 23  # of a label that fit into a node
_SMALL_CHARACTERS = 27  # of what stands below it

Edge = tuple[str, str]  # a relation in words, and an artifact id


@dataclass(frozen=True, slots=True)
class Node:
    """An artifact in the drawing.

    Args:
        artifact_id: Its identity.
        label: What it is called.
        short: The same as far as it fits.
        kind: Its state, its type, or that it is not registered.
        relation: What it is to the one that it was reached by; empty for the middle.
        x: Its left edge.
        y: Its upper edge.
    """

    artifact_id: str
    label: str
    short: str
    kind: str
    relation: str
    x: int
    y: int


@dataclass
class Side:
    """One direction, as a list to read.

    Args:
        heading: What it is.
        steps: Of each distance the relation and id of what is shown, and how many are not.
    """

    heading: str
    steps: list[tuple[list[Edge], int]] = field(default_factory=list)


@dataclass
class Drawing:
    """A neighbourhood.

    Args:
        nodes: What is drawn.
        curves: The edges, as paths.
        more: Where it says how many are left out: x, y and the number.
        width: Of the whole.
        height: Of the whole.
        sides: The same, to read.
        node_width: Of each node.
        node_height: Of each node.
    """

    nodes: list[Node]
    curves: list[str]
    more: list[tuple[int, int, int]]
    width: int
    height: int
    sides: list[Side]
    node_width: int = _NODE_WIDTH
    node_height: int = _NODE_HEIGHT


class Lineage:
    """The edges between all artifacts of a catalogue.

    Args:
        catalogue: What is registered.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._known: dict[str, Version | Other] = {item.artifact_id: item for item in catalogue.others}
        self._known |= {version.artifact_id: version for version in catalogue.versions}
        before: dict[str, dict[str, list[str]]] = defaultdict(dict)
        after: dict[str, dict[str, list[str]]] = defaultdict(dict)
        for version in catalogue.versions:
            edges = (
                ("parent", version.parent, version.artifact_id),
                ("base_model", version.base, version.artifact_id),
                ("evaluation_dataset", version.dataset, version.artifact_id),
                ("superseded_by", version.artifact_id, version.superseded_by),
            )
            for relation, source, target in edges:
                if source is not None and target is not None:
                    before[target].setdefault(source, []).append(RELATIONS["ancestor", relation])
                    after[source].setdefault(target, []).append(RELATIONS["descendant", relation])
        self._edges = {-1: before, 1: after}

    def label(self, artifact_id: str) -> str:
        """Gives what an artifact is called: name and number, title or id."""
        item = self._known.get(artifact_id)
        if isinstance(item, Version):
            return artifact_id if item.name is None else f"{item.name}@{item.number}"
        return (item.title if item else None) or artifact_id

    def kind(self, artifact_id: str) -> str:
        """Gives an artifact's state or type."""
        item = self._known.get(artifact_id)
        if item is None:
            return "not registered"
        return item.state if isinstance(item, Version) else item.artifact_type

    def is_known(self, artifact_id: str) -> bool:
        """Says whether there is a page of the artifact."""
        return artifact_id in self._known

    def is_model(self, artifact_id: str) -> bool:
        """Says whether the artifact is a model version."""
        return isinstance(self._known.get(artifact_id), Version)

    def around(self, artifact_id: str) -> Drawing | None:
        """Draws what is near an artifact; None when nothing is."""
        columns: dict[int, list[Edge]] = {0: [("", artifact_id)]}
        hidden: dict[int, int] = {}
        place = {artifact_id: 0}
        sides = []
        for direction, heading in ((-1, "Made from"), (1, "Came of it")):
            side = Side(heading)
            reached = [artifact_id]
            for step in range(1, _STEPS + 1):
                next_ones = list(self._next(direction, reached, place))
                shown = next_ones[: _SHOWN_NEXT if step == 1 else _SHOWN_BEYOND]
                if not shown:
                    break
                side.steps.append((shown, len(next_ones) - len(shown)))
                columns[step * direction] = shown
                hidden[step * direction] = len(next_ones) - len(shown)
                reached = [target for _, target in shown]
                place |= dict.fromkeys(reached, step * direction)
            if side.steps:
                sides.append(side)
        return self._draw(columns, hidden, place, sides) if sides else None

    def _next(self, direction: int, reached: list[str], place: dict[str, int]) -> Iterator[Edge]:
        met = set()
        for source in reached:
            for target, relations in self._edges[direction].get(source, {}).items():
                if target not in place and target not in met:
                    met.add(target)
                    yield ", ".join(relations), target

    def _short(self, artifact_id: str, label: str) -> str:
        item = self._known.get(artifact_id)
        end = f"@{item.number}" if isinstance(item, Version) and item.name is not None else ""
        return _fitting(label.removesuffix(end), _CHARACTERS - len(end)) + end

    def _draw(
        self, columns: dict[int, list[Edge]], hidden: dict[int, int], place: dict[str, int], sides: list[Side]
    ) -> Drawing:
        step = _NODE_HEIGHT + _ROW_GAP
        rows = {column: len(edges) + (hidden.get(column, 0) > 0) for column, edges in columns.items()}
        height = max(rows.values()) * step - _ROW_GAP
        nodes: dict[str, Node] = {}
        more = []
        for number, column in enumerate(sorted(columns)):
            x = 1 + number * (_NODE_WIDTH + _COLUMN_GAP)
            y = 1 + (height - (rows[column] * step - _ROW_GAP)) // 2
            for relation, target in columns[column]:
                label = self.label(target)
                nodes[target] = Node(
                    target,
                    label,
                    self._short(target, label),
                    self.kind(target),
                    shortened(relation, _SMALL_CHARACTERS),
                    x,
                    y,
                )
                y += step
            if hidden.get(column):
                more.append((x, y, hidden[column]))
        curves = []
        for target, node in nodes.items():
            for source in self._edges[-1].get(target, {}):
                if source in nodes and place[source] == place[target] - 1:
                    curves.append(_curve(nodes[source], node))
        width = len(columns) * (_NODE_WIDTH + _COLUMN_GAP) - _COLUMN_GAP
        return Drawing(list(nodes.values()), curves, more, width + 2, height + 2, sides)


def _curve(source: Node, target: Node) -> str:
    left, right = source.x + _NODE_WIDTH, target.x
    start, end = source.y + _NODE_HEIGHT // 2, target.y + _NODE_HEIGHT // 2
    middle = (left + right) // 2
    return f"M{left} {start}C{middle} {start} {middle} {end} {right} {end}"


def _fitting(text: str, characters: int) -> str:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text[:characters])
    return shortened(text, characters - wide // 2)
