"""Draws how the cost of each operation grew, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.growth import OPERATIONS, Verdict


def draw(verdicts: Sequence[Verdict], path: Path) -> None:
    """Write one picture (SVG) with a plot of each operation: its cost at each size, beside growth by log n."""
    import matplotlib

    matplotlib.use("svg")
    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "atlas", "font.size": 9})
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    figure, axes = pyplot.subplots(1, len(verdicts), figsize=(3.1 * len(verdicts), 2.9), layout="constrained")
    for axis, verdict in zip(axes, verdicts, strict=True):
        sizes = [cost.size for cost in verdict.costs]
        has_worked = verdict.costs[0].worked > 0
        costs = [(cost.worked if has_worked else cost.took) / 1e3 for cost in verdict.costs]
        by_log = [costs[0], costs[0] * verdict.log_grew]
        axis.plot([sizes[0], sizes[-1]], by_log, "--", color="0.6", label="growth by log n")
        axis.plot(sizes, costs, "o-", color="#1f5fa8", label="measured")
        axis.set(xscale="log", ylim=(0, 1.15 * max(*costs, *by_log)))
        axis.set_title(OPERATIONS[verdict.operation].replace(", ", ",\n", 1), fontsize=9)
        axis.set_xlabel("model versions")
        axis.minorticks_off()
        axis.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
        axis.tick_params(axis="x", labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("processor time, ms" if verdicts[0].costs[0].worked else "time, ms")
    axes[0].legend(frameon=False, fontsize=7, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
