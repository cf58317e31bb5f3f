"""Reading JSON Lines: what is a line, what can be read twice, and what fails while it is read."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from atlas_models.record_files import MAX_LINE_MIB, Line, RecordFile, RecordFileError, open_record_file
from atlas_models.terminal import PlainLines


def test_lines_are_numbered_as_an_editor_does_and_can_be_read_twice():
    file = RecordFile("x", io.BytesIO(b"\xef\xbb\xbf{}\r\n\n \t\n  [1] \n\xe2\x80\xa8\nlast"))
    lines = [Line(1, "{}"), Line(4, "  [1]"), Line(5, "\u2028"), Line(6, "last")]
    assert list(file.lines()) == lines
    assert file.bytes_read == file.size == 26
    assert list(file.lines()) == lines


def test_a_line_that_is_too_long_is_not_kept_and_the_next_one_is_read():
    content = b"{}\n" + b"x" * (3 * MAX_LINE_MIB * 1024 * 1024) + b"\n[]"
    assert list(RecordFile("x", io.BytesIO(content)).lines()) == [
        Line(1, "{}"),
        Line(2, "", "is longer than 24 MiB"),
        Line(3, "[]"),
    ]


def test_a_named_pipe_can_be_read_twice(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[b"{}\n[]\n"])
    writer.start()
    with open_record_file(str(path)) as file:
        writer.join()
        assert [list(file.lines()), list(file.lines())] == [[Line(1, "{}"), Line(2, "[]")]] * 2


def test_a_file_that_may_not_be_read_is_named(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RecordFileError, match=r"^cannot read closed.jsonl: Permission denied$"):
        open_record_file("closed.jsonl").__enter__()


def test_a_disk_that_fails_is_named():
    class Failing(io.BytesIO):
        def readline(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(RecordFileError, match=r"^cannot read x: Input/output error$"):
        list(RecordFile("x", Failing(b"{}")).lines())


def test_where_there_is_no_terminal_a_line_comes_every_ten_seconds():
    now, lines = [0.0], []
    progress = PlainLines(clock=lambda: now[0], write=lines.append)
    progress.start("checking", 1000)
    for now[0], done in ((1, 100), (9.9, 500), (10, 600), (19.9, 900)):
        progress.update(done, done * 2)
    progress.start("registering", 0)
    now[0] = 25
    progress.update(0, 1200)
    assert lines == ["checking: 60 %, 1,200 records", "registering: 0 %, 1,200 records"]
