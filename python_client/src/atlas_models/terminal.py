"""How far a long command is: a bar on a terminal, now and then a plain line elsewhere; always on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import rich.progress

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """Is told how far a command is."""

    def start(self, step: str, total: int) -> None:
        """Begins a step, which ends the one before.

        Args:
            step: What is done, such as ``checking``.
            total: How much there is to do, in the step's own unit.
        """

    def update(self, done: int, records: int) -> None:
        """Says how far the step is.

        Args:
            done: How much of the total is done.
            records: How many records that is.
        """


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Shows the progress of a command for the length of a block, by what standard error is."""
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        yield PlainLines()
        return
    # Imported where it is needed: it takes longer than the rest of the command.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[records]:,} records"),
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

    def start(self, step: str, total: int) -> None:
        """Begins a step; see :class:`Progress`."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(step, total=total, records=0)

    def update(self, done: int, records: int) -> None:
        """Says how far the step is; see :class:`Progress`."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, records=records)


class PlainLines:
    """A line every ten seconds, so that what is quick prints nothing.

    Args:
        clock: Gives the time in seconds.
        write: Takes a line.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
    ) -> None:
        self._clock = clock
        self._write = write
        self._next_line_at = clock() + SECONDS_BETWEEN_LINES
        self._step = ""
        self._total = 0

    def start(self, step: str, total: int) -> None:
        """Begins a step; see :class:`Progress`."""
        self._step, self._total = step, total

    def update(self, done: int, records: int) -> None:
        """Says how far the step is; see :class:`Progress`."""
        if self._clock() >= self._next_line_at:
            self._next_line_at = self._clock() + SECONDS_BETWEEN_LINES
            self._write(f"{self._step}: {100 * done // max(self._total, 1)} %, {records:,} records")


def printable(text: str) -> str:
    """Escapes what a terminal would act upon instead of showing it."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
