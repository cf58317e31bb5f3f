"""The command `atlas` as a process of its own that need not import everything first: forked from one that has.

Run as a program, this file is that process: it listens on a socket until its standard input ends. Each command that it
forks has arguments, folder, variables, streams, signals and an exit code of its own, and runs what `python -m
atlas_models.cli` runs; only the quarter of a second of imports is not repeated.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import runpy
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

_MODULE = "atlas_models.cli"
# What an interpreter reads when it starts, and a forked one would overlook.
_READ_AT_START = ("LC_", "LANG", "PYTHON")
_starting = threading.Lock()
_socket: str | None = None


class ForkedProcess:
    """A running command; has of subprocess.Popen what tests use.

    Args:
        arguments: The command's.
        environment: All of its variables.
        streams: Descriptors of its standard input, output and error.
        folder: Its working directory, ours by default.
        on_terminal: Whether it leads a session of its own, on the terminal that is its standard input.
    """

    def __init__(
        self,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        streams: tuple[int, int, int],
        *,
        folder: str | None = None,
        on_terminal: bool = False,
    ) -> None:
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_listening())
        asked = {
            "arguments": arguments,
            "environment": environment,
            "folder": folder or str(Path.cwd()),
            "on_terminal": on_terminal,
        }
        socket.send_fds(self._connection, [b"."], streams)
        self._connection.sendall(json.dumps(asked).encode() + b"\n")
        self.pid = self._read_number()

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("atlas", timeout or 0)
            self.returncode = self._read_number()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _read_number(self) -> int:
        number: int = struct.unpack("i", self._connection.recv(4, socket.MSG_WAITALL))[0]
        return number


def can_be_forked(environment: dict[str, str]) -> bool:
    """Whether nothing in the variables would have changed how the interpreter starts."""
    return all(
        environment.get(name) == os.environ.get(name)
        for name in {*environment, *os.environ}
        if name.startswith(_READ_AT_START)
    )


def run_forked(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    *,
    stdin: bytes | None = None,
    folder: str | None = None,
    timeout: float,
) -> tuple[int, bytes, bytes]:
    """Runs a command to its end; gives exit code, output and errors."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        reading, writing = (os.dup(0), None) if stdin is None else os.pipe()
        try:
            process = ForkedProcess(arguments, environment, (reading, output.fileno(), errors.fileno()), folder=folder)
        finally:
            os.close(reading)
        if writing is not None:
            with suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
                pipe.write(stdin or b"")
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        errors.seek(0)
        return code, output.read(), errors.read()


def _listening() -> str:
    """Starts the process that forks, once for ours; gives its socket."""
    global _socket
    with _starting:
        if _socket is None:
            folder = tempfile.mkdtemp(prefix="atlas-test-fork-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            path = f"{folder}/socket"
            server = subprocess.Popen(
                [sys.executable, __file__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            atexit.register(server.communicate)  # its input ends, and so does it
            assert server.stdout is not None
            assert server.stdout.readline() == b"listening\n"
            _socket = path
        return _socket


# --- the process that forks -----------------------------------------------------------------------------------------


def _serve(path: str) -> dict[str, Any] | None:
    """Forks a process for each that asks; returns in that process what it is to run, and None at the end in ours."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(32)
        print("listening", flush=True)
        while True:
            ready, _, _ = select.select([listener, 0], [], [])
            if 0 in ready:
                return None
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as lines:
        asked: dict[str, Any] = json.loads(lines.readline())
    child = os.fork()
    if child:
        connection.sendall(struct.pack("i", child))
        for stream in streams:
            os.close(stream)
        with suppress(BrokenPipeError):
            connection.sendall(struct.pack("i", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return asked


def _become(asked: dict[str, Any]) -> None:
    os.setsid()
    if asked["on_terminal"]:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        ours = getattr(sys, name)
        mode = "r" if number == 0 else "w"
        stream = os.fdopen(number, mode, encoding=ours.encoding, errors=ours.errors, closefd=False)
        stream.reconfigure(line_buffering=number == 2 or os.isatty(number))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = ["", *asked["arguments"]]
    sys.path[0] = str(Path.cwd())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    __import__(_MODULE)
    if (what := _serve(sys.argv[1])) is not None:
        _become(what)
        del sys.modules[_MODULE]
        runpy.run_module(_MODULE, run_name="__main__", alter_sys=True)
