"""How far a long command is: a bar on a terminal, now and then a plain line elsewhere; always on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    import rich.progress

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """Is told how far a command is."""

    def start(self, step: str, total: int | None) -> None:
        """Begins a step, which ends the one before; the same step again says how much it is after all.

        Args:
            step: What is done, such as ``checking``.
            total: How much there is to do, in the step's own unit; None while that is not known.
        """

    def update(self, done: int, records: int, seconds_left: int | None = None) -> None:
        """Says how far the step is.

        Args:
            done: How much of the total is done.
            records: How many records that is.
            seconds_left: How long the rest will take, where that is known.
        """


@contextmanager
def show_progress(records: str = "records") -> Iterator[Progress]:
    """Shows the progress of a command for the length of a block, by what standard error is.

    Args:
        records: What is counted, in words.
    """
    if not is_terminal(sys.stderr):
        yield PlainLines(records)
        return
    # Imported where it is needed: it takes longer than the rest of the command.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[records]:,} " + records + "{task.fields[left]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield Bar(bars)


class Bar:
    """A bar for the current step, redrawn in place and gone in the end.

    Args:
        bars: What draws it.
    """

    def __init__(self, bars: rich.progress.Progress) -> None:
        self._bars = bars
        self._task: rich.progress.TaskID | None = None
        self._step = ""

    def start(self, step: str, total: int | None) -> None:
        """Begins a step; see :class:`Progress`."""
        if self._task is not None and step == self._step:
            self._bars.update(self._task, total=total)
            return
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._step = step
        self._task = self._bars.add_task(step, total=total, records=0, left="")

    def update(self, done: int, records: int, seconds_left: int | None = None) -> None:
        """Says how far the step is; see :class:`Progress`."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, records=records, left=_left(seconds_left))


class PlainLines:
    """A line every ten seconds, so that what is quick prints nothing.

    Args:
        records: What is counted, in words.
        clock: Gives the time in seconds.
        write: Takes a line.
    """

    def __init__(
        self,
        records: str = "records",
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
    ) -> None:
        self._records = records
        self._clock = clock
        self._write = write
        self._next_line_at = clock() + SECONDS_BETWEEN_LINES
        self._step = ""
        self._total = 0

    def start(self, step: str, total: int | None) -> None:
        """Begins a step; see :class:`Progress`."""
        self._step, self._total = step, total or 0

    def update(self, done: int, records: int, seconds_left: int | None = None) -> None:
        """Says how far the step is; see :class:`Progress`."""
        if self._clock() >= self._next_line_at:
            self._next_line_at = self._clock() + SECONDS_BETWEEN_LINES
            percent = 100 * done // max(self._total, 1)
            self._write(f"{self._step}: {percent} %, {records:,} {self._records}{_left(seconds_left)}")


def is_terminal(stream: TextIO) -> bool:
    """Says whether a stream is shown on a terminal that can draw."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _left(seconds: int | None) -> str:
    return "" if seconds is None else f", about {seconds:,} s left"


def printable(text: str) -> str:
    """Escapes what a terminal would act upon instead of showing it."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def shortened(text: str, width: int = 120) -> str:
    """Cuts a text that would not fit, such as an id of 2,000 characters, and marks the cut."""
    return text if len(text) <= width else text[: width - 1] + "…"
