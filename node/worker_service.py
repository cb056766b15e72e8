"""A process that works on pixels, as the node sees it: one of its own, started when needed.

There is one process and it works on one picture at a time. It ends when nothing was asked for a
while, is killed when a picture takes too long, and is started again for the next one. What runs
there is `worker`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any, Final, Self, TypeVar, cast

from ..crypto.errors import LocalError
from . import check_wire, decoder_wire, own_python
from .check_wire import BrokenWorkerError, MissingPartError
from .decoder_wire import ANSWER, BadAnswerError

START_SECONDS: Final = 120.0
"""To load torch, from a slow disk."""
SECONDS: Final = 900.0
"""For one picture by the clock, however busy the machine is; `worker` bounds its work."""
IDLE_SECONDS: Final = 60.0
"""Without a picture until the process is ended: with torch it holds some 350 MB."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Failures:
    """What is raised: nothing can do it here; its process ended early; it took too long."""

    unavailable: type[LocalError]
    died: type[LocalError]
    timeout: type[LocalError]


def missing(needed: Sequence[str]) -> str | None:
    """The name of what is not installed and is needed; looked up, not loaded."""
    for name in needed:
        try:
            found = importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            found = False
        if not found:
            return name
    return None


class WorkerService:
    """Asks the process. Belongs to one event loop; `close` it, or use it as a context."""

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        needed: Callable[[], str | None],
        failures: Failures,
        *,
        seconds: float = SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`command` is what is run; `needed` names what is not installed and would have to be."""
        self._command = command
        self._needed = needed
        self._failures = failures
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        # A thread of its own, which mostly waits: those of the loop hash and seal.
        self._thread = ThreadPoolExecutor(1, name)
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False
        self._starts = 0

    async def __aenter__(self) -> Self:
        """The service; nothing is started before the first picture."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    @property
    def pid(self) -> int | None:
        """The process, if there is one now."""
        return None if self._process is None else self._process.pid

    @property
    def starts(self) -> int:
        """How often the process was started: it ends where it stays idle, or dies."""
        return self._starts

    async def close(self) -> None:
        """End the process; what is under way ends with what it means that it died."""
        self._closed = True
        process = self._process
        self._let_go()
        if process is not None:
            await asyncio.to_thread(process.wait)
        self._thread.shutdown(wait=False)

    async def start(self) -> None:
        """Have the process ready; raises where it can't."""
        async with self._turn:
            await self._started()
            self._rest_later()

    async def ask(self, exchange: Callable[[subprocess.Popen[bytes]], _Result]) -> _Result:
        """What `exchange` gets from the process; it runs in a thread."""
        async with self._turn:
            process = await self._started()
            try:
                return await self._run(process, exchange, self._seconds)
            except BrokenWorkerError as error:
                raise self._failures.died(str(error)) from None
            finally:
                self._rest_later()

    async def _started(self) -> subprocess.Popen[bytes]:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._closed:
            raise self._failures.unavailable("it is closed")
        if self._process is not None and self._process.poll() is None:
            return self._process
        name = self._needed()
        if name is not None:
            raise self._failures.unavailable(f"{name} is not installed")
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - it outlives this call, and starts fast
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, cwd=own_python.FOLDER, env=own_python.ENVIRONMENT,
            )  # fmt: skip
        except OSError as error:
            raise self._failures.unavailable(error.strerror or "") from None
        self._process = process
        self._starts += 1

        def ready(process: subprocess.Popen[bytes]) -> None:
            check_wire.ready(message(process, 0)[0])

        try:
            await self._run(process, ready, START_SECONDS)
        except MissingPartError as error:
            self._let_go()
            raise self._failures.unavailable(f"{error} is not installed") from None
        return process

    async def _run(
        self,
        process: subprocess.Popen[bytes],
        exchange: Callable[[subprocess.Popen[bytes]], _Result],
        seconds: float,
    ) -> _Result:
        """Talk to the process in the thread; whatever ends the talk early ends the process."""
        loop = asyncio.get_running_loop()
        talk = loop.run_in_executor(self._thread, exchange, process)
        talk.add_done_callback(_heard)
        try:
            # Shielded: a thread can't be cancelled, and ends when the process does.
            return await asyncio.wait_for(asyncio.shield(talk), seconds)
        except (BadAnswerError, OSError, EOFError) as error:
            self._let_go()
            await asyncio.wait({talk})
            if isinstance(error, TimeoutError):
                raise self._failures.timeout from None
            status = await asyncio.to_thread(process.wait)
            if sys.platform != "win32" and status == -signal.SIGXCPU:
                raise self._failures.timeout from None
            raise self._failures.died(_why(status, error)) from None
        except asyncio.CancelledError:  # the answer would be taken for that of the next picture
            self._let_go()
            raise

    def _rest_later(self) -> None:
        """End the process when nothing comes for a while."""
        if self._process is not None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._idle_seconds, self._let_go)

    def _let_go(self) -> None:
        """Kill the process: it holds nothing that could be lost. It is reaped in a thread."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            asyncio.get_running_loop().run_in_executor(None, _reap, process)


def _reap(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not written yet can't be any more
            cast("IO[bytes]", stream).close()


def _heard(talk: asyncio.Future[_Result]) -> None:
    """Read how a talk ended: if its process was killed nobody else does."""
    if not talk.cancelled():
        talk.exception()


def send(process: subprocess.Popen[bytes], *parts: bytes | bytearray) -> None:
    """A request and its payload. In the thread."""
    sink = cast("IO[bytes]", process.stdin)
    for part in parts:
        sink.write(part)
    sink.flush()


def message(process: subprocess.Popen[bytes], most: int) -> tuple[bytes, bytearray]:
    """Header and payload; no more is taken in than may be. In the thread."""
    source = cast("IO[bytes]", process.stdout)
    header, payload = decoder_wire.answer_sizes(bytes(_exactly(source, ANSWER.size)), most)
    return bytes(_exactly(source, header)), _exactly(source, payload)


def _exactly(source: IO[bytes], size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = cast("Any", source).readinto(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data


def _why(status: int, error: BaseException) -> str:
    """How a process ended, in a few words."""
    if isinstance(error, BadAnswerError):
        return "it answered out of turn"
    return f"it was ended by signal {-status}" if status < 0 else "it broke off"
