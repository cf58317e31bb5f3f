"""Reads JSON Lines files line by line, as often as needed, whatever they are read from."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

STANDARD_INPUT = "-"
# Metadata, training parameters and metrics have at most 1 MiB each, which escapes can make six times as long.
MAX_LINE_MIB = 24

_MAX_LINE_BYTES = MAX_LINE_MIB * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What such files are often mistaken for or kept as: how they begin, what they are, and what makes JSON Lines of them.
_OTHER_FORMATS = (
    (b"\xff\xfe", "UTF-16", "iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16", "iconv -f UTF-16 -t UTF-8"),
    (b"\x1f\x8b", "compressed by gzip", "gunzip -c"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "zstd -dc"),
    (b"[", "one JSON array", "jq -c '.[]'"),
)


class RecordFileError(Exception):
    """A file of records cannot be read.

    Args:
        message: Why, in one line.
        hint: What to do; empty when there is nothing to add.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank.

    Args:
        number: Its number in the file, from 1.
        text: What it holds, without white space at its end; empty when it cannot be read.
        problem: Why it cannot be read, or None.
    """

    number: int
    text: str
    problem: str | None = None


class RecordFile:
    """A JSON Lines file, open for reading; made by :func:`open_record_file`.

    Args:
        name: What messages call it.
        stream: Its bytes, from the current position on; must be seekable.
        reader: The command that reads it from a pipe, for advice.
    """

    def __init__(self, name: str, stream: IO[bytes], reader: str = "atlas register") -> None:
        self.name = name
        self._stream = stream
        self._start = stream.tell()
        self.size = stream.seek(0, os.SEEK_END) - self._start
        """How many bytes it has."""
        self._refuse_other_formats(reader)

    @property
    def bytes_read(self) -> int:
        """How far the lines have been read."""
        return self._stream.tell() - self._start

    def lines(self) -> Iterator[Line]:
        """Reads the lines from the start, one at a time; blank ones are left out, but counted.

        A byte order mark at the start is skipped. Bytes are UTF-8; a line has at most 24 MiB.

        Raises:
            RecordFileError: Reading fails.
        """
        self._stream.seek(self._start)
        for number in itertools.count(1):
            content = self._read_line(_MAX_LINE_BYTES + 1)
            if not content:
                return
            if len(content) > _MAX_LINE_BYTES:
                self._skip_rest_of_line()
                yield Line(number, "", f"is longer than {MAX_LINE_MIB} MiB")
                continue
            if number == 1:
                content = content.removeprefix(_BYTE_ORDER_MARK)
            content = content.rstrip(b" \t\r\n")
            if content:
                yield _decoded(number, content)

    def _skip_rest_of_line(self) -> None:
        while content := self._read_line(_MAX_LINE_BYTES):
            if content.endswith(b"\n"):
                return

    def _read_line(self, most: int) -> bytes:
        try:
            return self._stream.readline(most)
        except OSError as error:
            raise _cannot_read(self.name, error) from error

    def _refuse_other_formats(self, reader: str) -> None:
        self._stream.seek(self._start)
        first_bytes = self._stream.read(4)
        for signature, what, command in _OTHER_FORMATS:
            if first_bytes.startswith(signature):
                raise RecordFileError(
                    f"{self.name} is {what}, not JSON Lines in UTF-8", hint=f"{command} FILE | {reader}"
                )


@contextmanager
def open_record_file(path: str, *, reader: str = "atlas register") -> Iterator[RecordFile]:
    """Opens a JSON Lines file for the length of a block.

    Args:
        path: The file, or ``-`` for standard input. What can be read only once (a pipe) is copied to a temporary file.
        reader: The command that reads it from a pipe, for advice.

    Raises:
        RecordFileError: It cannot be read, or is obviously something else.
    """
    with ExitStack() as stack:
        name = "standard input" if path == STANDARD_INPUT else path
        try:
            stream = sys.stdin.buffer if path == STANDARD_INPUT else stack.enter_context(Path(path).open("rb"))
            if not stream.seekable():
                copy = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(stream, copy)
                copy.seek(0)
                stream = copy
            file = RecordFile(name, stream, reader)
        except OSError as error:
            raise _cannot_read(name, error) from error
        yield file


def _cannot_read(name: str, error: OSError) -> RecordFileError:
    return RecordFileError(f"cannot read {name}: {error.strerror or error}")


def _decoded(number: int, content: bytes) -> Line:
    try:
        return Line(number, content.decode())
    except UnicodeDecodeError as error:
        return Line(number, "", f"is not UTF-8 (byte {error.start + 1} of the line)")
