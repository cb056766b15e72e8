"""A terminal with a program in it: what it shows is read, what a person types is written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _take_terminal() -> None:
    """Ctrl-C goes to this process, and ends it as it does for people, whoever runs the tests."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """Runs `argv` on a pseudo-terminal of its own, 100 columns wide."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, seconds: float = 60) -> None:
        self._deadline = time.monotonic() + seconds
        self.shown = ""
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 100, 0, 0))
        self.process = subprocess.Popen(
            argv,
            env={**env, "TERM": "xterm-256color", "COLUMNS": "100"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def until(self, pattern: str) -> str:
        """Read on until this is shown; returns all that was shown since the last call."""
        while (found := re.search(pattern, self.shown)) is None:
            if not self._read():
                raise AssertionError(f"{pattern!r} was not shown, but:\n{self.shown}")
        before, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return before

    def type(self, text: str) -> None:
        """Type, as it is; a line ends with a newline, Ctrl-C is \\x03."""
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Read to the end; returns the exit code."""
        while self._read():
            pass
        return self.process.wait(60)

    def _read(self) -> bool:
        left = self._deadline - time.monotonic()
        readable, _, _ = select.select([self._master], [], [], max(left, 0))
        if not readable:
            raise AssertionError(f"nothing more came in time after:\n{self.shown}")
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the program has ended
            return False
        self.shown += _ESCAPES.sub("", data.decode(errors="replace")).replace("\r\n", "\n")
        return bool(data)

    def close(self) -> None:
        """End the program if it still runs."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._master)
