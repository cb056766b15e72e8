"""The server that forks kinlight's commands: `python -m tests.forks.server ADDRESS`; see client.py.

It has one thread and no event loop, as a fork takes nothing of them along. It ends, and with it
what it forked, when its stdin does: so it never outlives the tests.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from . import client, namespace

IMPORTED: Final = (
    *("anyio._backends._asyncio", "asyncio", "httpcore"),
    *(f"rich.{name}" for name in ("console", "live", "progress", "table", "text")),
    *(
        f"kinlight.node.{name}"
        for name in ("cli", "client", "daemon", "launch", "printing_library")
    ),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A command: its arguments and environment, where it runs, its stdin, stdout and stderr."""

    argv: list[str]
    network: str | None
    env: dict[str, str]
    cwd: str
    session: bool
    streams: list[int]


@dataclass(frozen=True, slots=True)
class Fork:
    """A process that was forked, and the connection of who asked for it."""

    pid: int
    argv: list[str]
    asking: socket.socket


class Forks:
    """Forks a process for each command and tells how it ended."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._running: dict[int, Fork] = {}  # by a descriptor of the process

    def serve(self) -> Request | None:
        """In a fork: its command. In the server itself: nothing, when it is to end."""
        while True:
            for key, _ in self._selector.select():
                if key.fd in self._running:
                    self._ended(key.fd)
                elif key.fileobj is self._listening:
                    request = self._asked(self._listening.accept()[0])
                    if request is not None:
                        return request
                else:
                    self._kill("")
                    return None

    def _asked(self, asking: socket.socket) -> Request | None:
        told, streams, _, _ = socket.recv_fds(asking, client.LENGTH.size, 3)
        (length,) = client.LENGTH.unpack(told)
        value: dict[str, Any] = json.loads(asking.recv(length, socket.MSG_WAITALL))
        if "end" in value:
            self._kill(value["end"])
            asking.close()
            return None
        pid = os.fork()
        if pid == 0:
            asking.close()
            self._let_go()
            return Request(**value, streams=streams)
        for stream in streams:
            os.close(stream)
        watched = os.pidfd_open(pid)
        self._running[watched] = Fork(pid, value["argv"], asking)
        self._selector.register(watched, selectors.EVENT_READ)
        _tell(asking, pid)
        return None

    def _ended(self, watched: int) -> None:
        fork = self._running.pop(watched)
        self._selector.unregister(watched)
        os.close(watched)
        _, status = os.waitpid(fork.pid, 0)
        _tell(fork.asking, os.waitstatus_to_exitcode(status))
        fork.asking.close()

    def _kill(self, word: str) -> None:
        for fork in self._running.values():
            if any(word in each for each in fork.argv):
                os.kill(fork.pid, signal.SIGKILL)  # ours, and not waited for: it is still that one

    def _let_go(self) -> None:
        """Close what a fork has no use for."""
        self._selector.close()
        self._listening.close()
        for watched, fork in self._running.items():
            os.close(watched)
            fork.asking.close()


def _tell(asking: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # who asked may have ended
        asking.sendall(client.NUMBER.pack(number))


def become(request: Request) -> None:
    """Make this process what Python makes of the command line, up to the module's own start."""
    if request.session:
        os.setsid()
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open(number, name)
    if request.network is not None:
        namespace.enter(request.network)
    os.environ.clear()
    os.environ.update(request.env)
    os.chdir(request.cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module = request.argv.index("-m")
    sys.argv = ["-m", *request.argv[module + 2 :]]
    sys.path[0] = request.cwd
    if "-P" in request.argv[:module]:
        del sys.path[0]


def _open(number: int, name: str) -> None:
    """Open one of the three streams as Python did at its start, for what now lies behind it."""
    old: io.TextIOWrapper = getattr(sys, name)
    new = io.TextIOWrapper(
        # PYTHONUNBUFFERED asks for write_through.
        os.fdopen(number, "wb" if number else "rb", 0 if old.write_through else -1, closefd=False),
        old.encoding,
        old.errors,
        line_buffering=number == 2 or os.isatty(number),
        write_through=old.write_through,
    )
    setattr(sys, name, new)
    setattr(sys, f"__{name}__", new)


def main() -> None:
    """Serve; in a fork, go on with its command."""
    (address,) = sys.argv[1:]
    for name in IMPORTED:
        __import__(name)
    sys.modules["kinlight.node.cli"].commands()
    gc.freeze()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(64)
    forks = Forks(listening)
    print("ready", flush=True)
    request = forks.serve()
    if request is None:
        shutil.rmtree(Path(address).parent)
        return
    client.adopt(client.Server(address, dict(os.environ), request.network))
    become(request)
    # The daemon, which `kinlight up` starts, is forked as well.
    starts = SimpleNamespace(Popen=client.popen, DEVNULL=client.DEVNULL)
    vars(sys.modules["kinlight.node.launch"])["subprocess"] = starts
    runpy.run_module("kinlight.node", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
