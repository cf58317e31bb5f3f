"""How commands show results: a table with colours on a terminal, lines of fields elsewhere, or one JSON object."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click

from atlas_models.terminal import is_terminal, printable

# Readable on a dark terminal and on a light one.
_STYLES = {"promoted": "bold green", "rejected": "red", "superseded": "dim", "external": "magenta"}
_TIME = "%Y-%m-%d %H:%M %Z"


class Column(NamedTuple):
    """A column of a table.

    Args:
        heading: What stands above it on a terminal.
        right: Whether it is aligned to the right, as numbers are.
        whole: Whether its values stay in one line, such as a state.
        from_width: The columns that a terminal must have for it to be shown; what it says is not lost elsewhere.
    """

    heading: str
    right: bool = False
    whole: bool = False
    from_width: int = 0


def origin(is_external: bool) -> str:
    """Gives the badge that says where a model comes from."""
    return "external" if is_external else "internal"


def show_json(value: Any) -> None:
    """Prints a value as one JSON document: results with their fields' names, times by ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def write_file(path: str, text: str) -> None:
    """Writes a text file whole or not at all: beside it, and then in its place.

    Args:
        path: The file. Its permissions stay where it is there already; what is no regular file, such as a pipe, is
            written to as it is.
        text: What it will hold, as UTF-8.

    Raises:
        OSError: It cannot be written; what stood there still stands. The text is a line for people.
    """
    target = Path(path).resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        if mode is not None and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        beside = target.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            with beside.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                beside.chmod(mode)
            beside.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error


def text_of(value: Any) -> str:
    """Writes a value for a person: nothing for None, minutes for a time, JSON for what has parts."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime(_TIME)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def show_rows(columns: Sequence[Column], rows: Iterable[Sequence[Any]], *, only_plain: Sequence[str] = ()) -> None:
    """Shows rows as a table on a terminal; elsewhere each as a line, its fields divided by tabs, for cut and awk.

    Args:
        columns: What the values of a row are.
        rows: The rows.
        only_plain: For each row a last field that a terminal has no room for.
    """
    texts = [[printable(text_of(value)) for value in row] for row in rows]
    if not is_terminal(sys.stdout):
        for row, last in zip_longest(texts, only_plain):
            click.echo("\t".join(row if last is None else [*row, printable(last)]))
        return
    # Imported where it is needed: it takes longer than the rest of the command.
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = _console()
    shown = [place for place, column in enumerate(columns) if console.width >= column.from_width]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in (columns[place] for place in shown):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.heading, justify=justify, no_wrap=column.whole, overflow="fold")
    for row in texts:
        table.add_row(*(Text(row[place], style=_STYLES.get(row[place], "")) for place in shown))
    console.print(table)


def show_fields(title: str, fields: Mapping[str, Any]) -> None:
    """Shows what is known about one thing: name and value; what is not known is left out."""
    known = {name: printable(text_of(value)) for name, value in fields.items() if value is not None}
    if not is_terminal(sys.stdout):
        click.echo(title)
        for name, text in known.items():
            click.echo(f"{name}\t{text}")
        return
    from rich.text import Text

    console = _console()
    width = max(map(len, known), default=0)
    console.print(Text(title, style="bold"), soft_wrap=True)
    for name, text in known.items():
        line = Text.assemble((f"{name:<{width}}  ", "dim"), (text, _STYLES.get(text, "")))
        console.print(line, soft_wrap=True)  # the terminal's own wrapping: what is copied stays whole


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)
