"""A version's metrics beside those of the versions before it: numbers for a table, points for small plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atlas_models.site.reading import Gate, Version
from atlas_models.site.texts import change, number

_VERSIONS = 20  # in a plot, this one the last
_PLOTS = 6
_ROWS = 100
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 300, 132, 52, 14, 14, 24


@dataclass(frozen=True, slots=True)
class Row:
    """A metric in the table.

    Args:
        metric: Its name.
        value: What it is.
        before: What it was in the version before, or nothing.
        change: By how much it changed, or nothing.
        gate: What a promotion asks for, or nothing.
    """

    metric: str
    value: str
    before: str
    change: str
    gate: str


@dataclass(frozen=True, slots=True)
class Point:
    """A version in a plot."""

    x: float
    y: float
    version: int | None
    value: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A metric over the versions of a name.

    Args:
        metric: What is plotted.
        points: The versions that have it, the last one this.
        line: Through the points, as a path.
        low: The lowest value, and where it is.
        high: The highest value, and where it is.
        gate: What a promotion asks for, and where that is; None without a gate.
        description: The plot in words.
        width: Of the drawing.
        height: Of the drawing.
        left: Where the plot begins.
        right: Where it ends.
    """

    metric: str
    points: list[Point]
    line: str
    low: tuple[str, float]
    high: tuple[str, float]
    gate: tuple[str, float] | None
    description: str
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _WIDTH - _RIGHT


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a page says of a version's metrics.

    Args:
        rows: The table.
        more: How many metrics are left out of it.
        before: The number of the version that ``before`` is about; None when there is none.
        plots: The plots.
        series: The plotted values as a table: version number, and a value or nothing for each plot.
    """

    rows: list[Row]
    more: int
    before: int | None
    plots: list[Plot]
    series: list[tuple[int | None, list[str]]]


def compare(version: Version, earlier: Sequence[Version], gates: Sequence[Gate]) -> Metrics | None:
    """Compares a version's metrics with those of the versions before it.

    Args:
        version: The version.
        earlier: The versions of the same name with lower numbers, in their order.
        gates: What a promotion asks for.

    Returns:
        The comparison; None when there is nothing to compare with: the card lists the metrics.
    """
    before = next((other for other in reversed(earlier) if other.metrics), None)
    if not version.metrics or not (before or any(gate.metric in version.metrics for gate in gates)):
        return None
    wanted: dict[str, Gate] = {}
    for gate in gates:
        wanted.setdefault(gate.metric, gate)
    # What is asked for first, then what can be compared.
    known = before.metrics if before else {}
    ordered = sorted(version.metrics, key=lambda metric: (metric not in wanted, metric not in known, metric))
    rows = []
    for metric in ordered[:_ROWS]:
        value, old = version.metrics[metric], known.get(metric)
        asked = f"{wanted[metric].comparator} {number(wanted[metric].threshold)}" if metric in wanted else ""
        changed = "" if old is None else change(old, value)
        rows.append(Row(metric, number(value), "" if old is None else number(old), changed, asked))
    shown = [*earlier[-(_VERSIONS - 1) :], version]
    plotted = [m for m in ordered if sum(m in other.metrics for other in shown) > 1][:_PLOTS]
    plots = [_plot(metric, shown, wanted.get(metric)) for metric in plotted]
    series = [
        (other.number, [number(other.metrics[m]) if m in other.metrics else "" for m in plotted])
        for other in shown
        if any(metric in other.metrics for metric in plotted)
    ]
    return Metrics(rows, max(0, len(ordered) - _ROWS), before.number if before else None, plots, series)


def _plot(metric: str, shown: Sequence[Version], gate: Gate | None) -> Plot:
    known = [(place, other, other.metrics[metric]) for place, other in enumerate(shown) if metric in other.metrics]
    values = [value for _, _, value in known]
    drawn = [*values, gate.threshold] if gate else values
    low, high = min(drawn), max(drawn)
    # Halves first: the difference of two doubles may be larger than any.
    spread = high / 2 - low / 2

    def height_of(value: float) -> float:
        part = (value / 2 - low / 2) / spread if spread else 0.5
        return round(_HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM), 1)

    first = known[0][0]
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(shown) - 1 - first, 1)
    points = [
        Point(round(_LEFT + (place - first) * step, 1), height_of(value), other.number, number(value))
        for place, other, value in known
    ]
    line = "M" + "L".join(f"{point.x} {point.y}" for point in points)
    description = (
        f"{metric} of {len(points)} versions: {points[0].value} in version {points[0].version}, "
        f"{points[-1].value} in version {points[-1].version}; "
        f"lowest {number(min(values))}, highest {number(max(values))}"
    )
    threshold = None
    if gate:
        threshold = (f"gate {gate.comparator} {number(gate.threshold)}", height_of(gate.threshold))
    return Plot(
        metric,
        points,
        line,
        (number(low), height_of(low)),
        (number(high), height_of(high)),
        threshold,
        description,
    )
