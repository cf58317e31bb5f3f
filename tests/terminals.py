"""The command `atlas` on a terminal of its own, with somebody who types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import suppress

from commands import PROGRAM, environment_with
from forked_command import ForkedProcess, can_be_forked

_DEADLINE_SECONDS = 30.0
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\r")


class Terminal:
    """A terminal of 100 columns on which the command runs.

    Args:
        arguments: The command's.
        environment: Variables on top of ours.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        variables = environment_with(TERM="xterm", **environment)
        self.process: ForkedProcess | subprocess.Popen[bytes]
        if can_be_forked(variables):
            self.process = ForkedProcess(arguments, variables, (its, its, its), on_terminal=True)
        else:
            self.process = subprocess.Popen(
                [*PROGRAM, *arguments],
                env=variables,
                stdin=its,
                stdout=its,
                stderr=its,
                start_new_session=True,
                preexec_fn=_take_terminal,
            )
        os.close(its)
        self._shown = b""
        self._seen_up_to = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def shown(self) -> str:
        """All that was shown, without colours and movements of the cursor."""
        return _SEQUENCE.sub("", self._shown.decode(errors="replace"))

    def wait_for(self, text: str) -> str:
        """Waits until something is shown after what was waited for before; gives what is new up to its end."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while (found := self.shown().find(text, self._seen_up_to)) < 0:
            assert time.monotonic() < deadline, f"gave up waiting for {text!r} after:\n{self.shown()}"
            assert self._read(), f"it ended without {text!r}, after:\n{self.shown()}"
        begin, self._seen_up_to = self._seen_up_to, found + len(text)
        return self.shown()[begin : self._seen_up_to]

    def type(self, line: str) -> None:
        """Types a line and Enter."""
        os.write(self._ours, line.encode() + b"\n")

    def press(self, key: bytes) -> None:
        """Presses a key, such as b"\\x04" for Ctrl-D."""
        os.write(self._ours, key)

    def interrupt(self) -> int:
        """Presses Ctrl-C, waits for the end, and gives the exit code.

        Pressed again while nothing happens, as people do: the line editor does not notice a signal that comes after its
        prompt and before it begins to wait for keys.
        """
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            assert time.monotonic() < deadline, f"Ctrl-C does not end it, after:\n{self.shown()}"
            self.press(b"\x03")
            while select.select([self._ours], [], [], 1.0)[0]:
                if not self._read():
                    return self.process.wait(timeout=_DEADLINE_SECONDS)

    def end(self) -> int:
        """Waits for the end, and gives the exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=_DEADLINE_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], _DEADLINE_SECONDS)
        assert ready, f"nothing more is shown after:\n{self.shown()}"
        data = b""
        with suppress(OSError):  # the way a terminal ends
            data = os.read(self._ours, 65536)
        self._shown += data
        return bool(data)


def _take_terminal() -> None:
    # Ctrl-C reaches the command as a signal only when the terminal is its own.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
