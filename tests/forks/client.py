"""`python -m kinlight.node` as a process of its own, without a second of imports for each.

    done = client.run([sys.executable, "-m", "kinlight.node", "status"], env=household.env)

A server (server.py) has imported the command line and the daemon. For each command it forks a
process, which gets the arguments, environment, folder and descriptors that it was asked for and
then does what Python does for `-m`, behind `ip netns exec NAME` in that namespace. What is no such
command line starts as it always does: another program, another environment than names that are read
late, another system than Linux.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import locale
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from . import namespace

ROOT: Final = Path(__file__).parents[2]
LENGTH: Final = struct.Struct("!Q")
NUMBER: Final = struct.Struct("!i")
DEVNULL: Final = subprocess.DEVNULL
PIPE: Final = subprocess.PIPE
Stream: TypeAlias = "int | IO[Any] | None"

_STARTS: Final = tuple((sys.executable, *flags, "-m", "kinlight.node") for flags in ((), ("-P",)))
_READ_LATE: Final = ("HOME", "KINLIGHT_", "PYTEST_", "XDG_")
"""How names in the environment begin which nothing reads while it is imported."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server listens, and the environment in which it imported everything.

    `network` is the namespace of who asks: what it starts is to run there too.
    """

    address: str
    env: Mapping[str, str]
    network: str | None = None

    def fits(self, env: Mapping[str, str]) -> bool:
        """Whether a command with this environment would have imported the same."""
        return _read_at_import(env) == _read_at_import(self.env)

    def ask(self, request: Mapping[str, object], descriptors: Sequence[int] = ()) -> socket.socket:
        """Send a request; the connection brings the answers."""
        body = json.dumps(request).encode()
        asking = socket.socket(socket.AF_UNIX)
        try:
            asking.connect(self.address)
            socket.send_fds(asking, [LENGTH.pack(len(body))], descriptors)
            asking.sendall(body)
        except BaseException:
            asking.close()
            raise
        return asking


class Forked(subprocess.Popen[str]):
    """A command in a fork of the server, as a `subprocess.Popen` whose streams are text."""

    def __init__(
        self,
        server: Server,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | os.PathLike[str] | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        start_new_session: bool = False,
    ) -> None:
        assert stdin != PIPE
        self.args = list(argv)
        self.returncode: Any = None
        self.stdin = None
        self._reading: list[Future[str | None]] = []
        with contextlib.ExitStack() as given:
            pairs = [_descriptors(given, *each) for each in enumerate((stdin, stdout, stderr))]
            network, command = namespace.split(argv)
            asking = {
                "argv": list(command),
                "network": network or server.network,
                "env": dict(env),
                "cwd": str(cwd or Path.cwd()),
                "session": start_new_session,
            }
            self._told = server.ask(asking, [theirs for theirs, _ in pairs])
            _, self.stdout, self.stderr = (ours for _, ours in pairs)
            (self.pid,) = NUMBER.unpack(self._told.recv(NUMBER.size, socket.MSG_WAITALL))

    def poll(self) -> int | None:
        """The exit code if it has ended; a signal's is negative."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended."""
        if self.returncode is None:
            self._told.settimeout(None if timeout is None else max(timeout, 0))
            try:
                told = self._told.recv(NUMBER.size)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._told.close()
            (self.returncode,) = NUMBER.unpack(told)
        return self.returncode

    def communicate(
        self,
        input: str | None = None,  # noqa: A002 - Popen's name for it
        timeout: float | None = None,
    ) -> tuple[Any, Any]:
        """All that it prints, once it has ended."""
        assert input is None
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._reading:
            self._reading = [_all_of(stream) for stream in (self.stdout, self.stderr)]
        try:
            printed = [each.result(_left(deadline)) for each in self._reading]
        except TimeoutError:
            raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
        self.wait(_left(deadline))
        return printed[0], printed[1]


def popen(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    forked: bool = True,
    **options: Any,
) -> subprocess.Popen[str]:
    """`subprocess.Popen` with `text`, forked where that can be."""
    env = os.environ if env is None else env
    if forked and sys.platform == "linux" and _starts_kinlight(argv):
        server = the_server()
        if server.fits(env):
            return Forked(server, argv, env=env, **options)
    return subprocess.Popen(argv, env=env, text=True, **options)


def run(
    argv: Sequence[str], *, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` with `capture_output` and `text`, forked where that can be."""
    with popen(argv, stdout=PIPE, stderr=PIPE, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def end_all(word: str) -> None:
    """kill -9 for every fork that still runs and whose command line has this in it."""
    for server in _servers:
        with server.ask({"end": word}) as told:
            told.recv(NUMBER.size, socket.MSG_WAITALL)


def adopt(server: Server) -> None:
    """Ask this server from now on."""
    _servers.append(server)


def the_server() -> Server:
    """The one of this process, started when it is first needed; it ends with this process."""
    with _starting:
        if not _servers:
            adopt(_start())
    return _servers[0]


_servers: list[Server] = []
_starting = threading.Lock()


def _start() -> Server:
    folder = tempfile.mkdtemp(prefix="kinlight-forks-")  # only this user can connect
    env = _read_at_import(os.environ) | {"NO_COLOR": "1"}  # as in a household
    server = Server(f"{folder}/forks", env)
    argv = [sys.executable, "-m", "tests.forks.server", server.address]
    process = subprocess.Popen(
        argv, cwd=ROOT, env=server.env, stdin=PIPE, stdout=PIPE,
        start_new_session=True,  # Ctrl-C is for the tests
    )  # fmt: skip
    atexit.register(process.communicate)  # closes its stdin, and so it ends
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return server


def _starts_kinlight(argv: Sequence[str]) -> bool:
    _, command = namespace.split(argv)
    return any(tuple(command[: len(start)]) == start for start in _STARTS)


def _read_at_import(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not name.startswith(_READ_LATE)}


def _descriptors(
    given: contextlib.ExitStack, number: int, stream: Stream
) -> tuple[int, IO[str] | None]:
    """The fork's descriptor of that number, closed with `given`; our end of it if it is a pipe."""
    if stream == PIPE:
        read, write = os.pipe()
        given.callback(os.close, write)
        return write, os.fdopen(read, encoding=locale.getencoding())
    if stream == DEVNULL:
        null = os.open(os.devnull, os.O_RDWR)
        given.callback(os.close, null)
        return null, None
    if stream is None:
        return number, None
    return stream if isinstance(stream, int) else stream.fileno(), None


def _all_of(stream: IO[str] | None) -> Future[str | None]:
    """What can be read up to the end, by a thread of its own: two pipes fill at the same time."""
    thread = ThreadPoolExecutor(1)
    try:
        return thread.submit(_read, stream)
    finally:
        thread.shutdown(wait=False)


def _read(stream: IO[str] | None) -> str | None:
    if stream is None or stream.closed:
        return None
    with stream:
        return stream.read()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - time.monotonic()
