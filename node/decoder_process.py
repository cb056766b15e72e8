"""The zygote of the decode service, seen from the node: started, ordered from, listened to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from typing import BinaryIO, Final, cast

from ..crypto.errors import LocalError
from . import own_python
from .decoder_wire import (
    ANSWER,
    HELLO,
    OLD_LIBRARY_STATUS,
    ORDER,
    REPORT,
    TIMED_OUT,
    Level,
    answer_sizes,
)
from .picture_errors import (
    DecoderDiedError,
    DecoderTimeoutError,
    DecoderUnavailableError,
    OldPictureLibraryError,
)

if sys.platform == "linux":
    import fcntl

START_SECONDS: Final = 30.0
_REPORT_SECONDS: Final = 5.0
"""For the zygote's word on how a child ended that gave no answer."""
_CAN_FORK: Final = sys.platform != "win32"


class Zygote:
    """A running zygote. Where nothing can fork (Windows) it is a fresh process for each picture."""

    def __init__(
        self,
        process: subprocess.Popen[bytes] | None,
        control: socket.socket | None,
        level: Level,
        libraries: dict[str, str],
    ) -> None:
        self.level: Final[Level] = level
        self.libraries: Final = libraries
        self.memory = 0
        """Peak memory in bytes of the child that ended last."""
        self._process = process
        self._control = control
        self._number = 0
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._unread = b""
        if control is not None:
            asyncio.get_running_loop().add_reader(control, self._read_reports)

    @classmethod
    async def start(cls) -> Zygote:
        """Start one; `OldPictureLibraryError` or `DecoderUnavailableError` if it can't be."""
        if not _CAN_FORK:
            return cls(None, None, "process", {})
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220 - it outlives this call, and starts fast
                own_python.command("decoder_child", "main", str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd=own_python.FOLDER,
                env=own_python.ENVIRONMENT,
            )
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(START_SECONDS):
                (size,) = HELLO.unpack(await _exactly(loop, ours, HELLO.size))
                hello = json.loads(await _exactly(loop, ours, size))
        except (TimeoutError, OSError, EOFError):
            ours.close()
            process.kill()
            if await asyncio.to_thread(process.wait) == OLD_LIBRARY_STATUS:
                raise OldPictureLibraryError from None
            raise DecoderUnavailableError("it did not start") from None
        except BaseException:
            ours.close()
            process.kill()
            process.wait()
            raise
        return cls(process, ours, hello["level"], hello["libraries"])

    @property
    def ended(self) -> bool:
        """Whether a new one is needed."""
        if self._process is None:
            return False
        return self._control is None or self._process.poll() is not None

    async def close(self) -> None:
        """End it and all its children."""
        self._hang_up()
        if self._process is not None:
            process = self._process
            try:
                await asyncio.to_thread(process.wait, _REPORT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)

    def let_go(self) -> None:
        """End it without waiting: it has nothing to do. Its process is reaped in a thread."""
        self._hang_up()
        if self._process is not None:
            asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    def _hang_up(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control)
            control.close()
        for end in self._ends.values():
            if not end.done():
                end.set_exception(DecoderUnavailableError("it ended"))
                end.exception()  # read here, in case nobody waits for it
        self._ends.clear()

    # One picture.

    async def run(
        self, file: BinaryIO, request: bytes, largest: int, seconds: float
    ) -> tuple[bytes, bytearray]:
        """Header and payload of the answer of a fresh child that gets `file` and `request`."""
        if self._process is None:
            return await _run_process(file, request, largest, seconds)
        if self._control is None:
            raise DecoderUnavailableError("it ended")
        self._number += 1
        number, loop = self._number, asyncio.get_running_loop()
        end = self._ends[number] = loop.create_future()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise DecoderUnavailableError(error.strerror or "") from None
        try:
            with ours:
                ours.setblocking(False)
                with theirs, _read_only(file) as descriptor:
                    self._order(number, int(seconds * 1000), theirs.fileno(), descriptor)
                async with asyncio.timeout(seconds + _REPORT_SECONDS):
                    await loop.sock_sendall(ours, request)
                    return await _answer(loop, ours, largest)
        except TimeoutError:
            self._hang_up()  # it does not even end what is late
            raise DecoderUnavailableError("it does not answer") from None
        except (OSError, EOFError):
            raise await self._why(end) from None
        finally:
            if (
                not end.done()
            ):  # answered, too much, or nobody waits any more: nothing is left to do
                self._order(number, 0)
                with contextlib.suppress(TimeoutError, DecoderUnavailableError):
                    await self._settled(end)

    def _order(self, number: int, milliseconds: int, *descriptors: int) -> None:
        control = self._control
        if control is None:
            return
        try:
            socket.send_fds(control, [ORDER.pack(number, milliseconds)], list(descriptors))
        except OSError:
            self._hang_up()

    def _read_reports(self) -> None:
        control = self._control
        if control is None:
            return
        try:
            data = control.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        self._unread += data
        while len(self._unread) >= REPORT.size:
            report, self._unread = self._unread[: REPORT.size], self._unread[REPORT.size :]
            number, status, self.memory = REPORT.unpack(report)
            end = self._ends.pop(number, None)
            if end is not None and not end.done():
                end.set_result(status)

    async def _settled(self, end: asyncio.Future[int]) -> int:
        async with asyncio.timeout(_REPORT_SECONDS):
            return await end

    async def _why(self, end: asyncio.Future[int]) -> LocalError:
        """The error for a child that gave no answer."""
        try:
            status = await self._settled(end)
        except TimeoutError:
            return DecoderDiedError("nobody knows why")
        except DecoderUnavailableError as error:
            return error
        if status == TIMED_OUT:
            return DecoderTimeoutError()
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return DecoderTimeoutError()
            return DecoderDiedError(_SIGNALS.get(number, f"it was ended by signal {number}"))
        return DecoderDiedError("it broke off")


_SIGNALS: Final = {
    getattr(signal, "SIGKILL", 9): "it was killed",
    getattr(signal, "SIGSEGV", 11): "the decoder crashed",
    getattr(signal, "SIGBUS", 7): "the file shrank while it was read",
    getattr(signal, "SIGABRT", 6): "the decoder gave up",
    getattr(signal, "SIGSYS", 31): "it tried what no decoder may do",
}


@contextlib.contextmanager
def _read_only(file: BinaryIO) -> Generator[int]:
    """A descriptor of `file` that nobody can change it through.

    A child can't write, but what is open for writing it could map into its memory, and change.
    """
    if sys.platform != "linux" or fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        yield file.fileno()
        return
    descriptor = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _exactly(loop: asyncio.AbstractEventLoop, source: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = await loop.sock_recv_into(source, view)
        if not count:
            raise EOFError
        view = view[count:]
    return data


async def _answer(
    loop: asyncio.AbstractEventLoop, job: socket.socket, largest: int
) -> tuple[bytes, bytearray]:
    """Header and payload. The payload is not copied again: it may be a gigabyte."""
    header, payload = answer_sizes(bytes(await _exactly(loop, job, ANSWER.size)), largest)
    return bytes(await _exactly(loop, job, header)), await _exactly(loop, job, payload)


async def _run_process(
    file: BinaryIO, request: bytes, largest: int, seconds: float
) -> tuple[bytes, bytearray]:
    """Without fork: the picture through pipes to a process that ends after it."""
    process = await asyncio.create_subprocess_exec(
        *own_python.command("decoder_child", "once"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=own_python.FOLDER, env=own_python.ENVIRONMENT,
    )  # fmt: skip
    file.seek(0)
    sink = cast("asyncio.StreamWriter", process.stdin)
    answer = cast("asyncio.StreamReader", process.stdout)
    try:
        async with asyncio.timeout(seconds + START_SECONDS):
            sink.write(request + file.read())
            await sink.drain()
            sink.close()
            # No more is taken in than what was announced and may be.
            header, payload = answer_sizes(await answer.readexactly(ANSWER.size), largest)
            return await answer.readexactly(header), bytearray(await answer.readexactly(payload))
    except TimeoutError:
        raise DecoderTimeoutError from None
    except (OSError, EOFError):
        raise DecoderDiedError("it broke off") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
