"""A process that works on pixels for the node, from the inside: its bounds, and how it is asked.

Requests come on standard input and answers go to standard output, one at a time, framed as those of
the decoder (`decoder_wire`). It has bounded memory and a bound on processor time for each picture,
and ends when its input does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final, TypeAlias, cast

from . import allocator, decoder_wire
from .decoder_wire import ANSWER, HEADER_BYTES

if sys.platform != "win32":
    import resource

Message: TypeAlias = tuple[dict[str, object], bytes | bytearray]
"""A header and what comes behind it."""

MEMORY_BYTES: Final = 2 * 1024 * 1024 * 1024
"""What it may write to, mapped or not. To check 24 megapixels takes 1.1 GB."""
CPU_SECONDS: Final = 180
"""For one picture. To check twelve megapixels takes 5 to 10, and on a busy machine many more by the
clock."""
_PR_SET_PDEATHSIG: Final = 1


def enter(niceness: int) -> None:
    """Give way, be bounded, and end with whoever started it."""
    # Threads that wait for each other sleep: on a busy machine they would take turns at spinning.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    allocator.share_arenas()
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):  # a service's confinement may forbid it
        os.nice(niceness)
    bounds = {resource.RLIMIT_CORE: 0, resource.RLIMIT_DATA: MEMORY_BYTES}
    for kind, bound in bounds.items():
        # macOS takes no bound on memory: the time limit holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, bound))
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            os._exit(1)


def begin_picture() -> None:
    """From here on the bound on processor time counts anew; at it the process is ended."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    bound = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    with contextlib.suppress(ValueError, OSError):  # a stricter bound of somebody else's stays
        resource.setrlimit(resource.RLIMIT_CPU, (bound, hard))


def run(
    niceness: int,
    prepare: Callable[[], object],
    work: Callable[[dict[str, Any], bytearray], Message],
) -> None:
    """Serve until the input ends: `work` gets a request and its payload.

    `prepare` loads all that is needed, so that the first picture takes no longer than others. What
    it lacks is told by name: an ImportError's, or what an error of the name WeightsMissing says.
    """
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Whatever a library prints must not get between the answers.
    sys.stdout = sys.stderr
    enter(niceness)
    try:
        prepare()
    except ImportError as error:
        say(sink, {"missing": plain(error.name or str(error))})
        return
    except Exception as error:
        if type(error).__name__ != "WeightsMissing":
            raise
        say(sink, {"missing": plain(str(error))})
        return
    say(sink, {"ready": True})
    while (prefix := source.read(ANSWER.size)) and len(prefix) == ANSWER.size:
        _serve(source, sink, work, *ANSWER.unpack(prefix))


def _serve(
    source: BinaryIO,
    sink: BinaryIO,
    work: Callable[[dict[str, Any], bytearray], Message],
    header_bytes: int,
    size: int,
) -> None:
    request = decoder_wire.unpack(source.read(min(header_bytes, HEADER_BYTES)))
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = cast("Any", source).readinto(view)
        if not count:
            return
        view = view[count:]
    begin_picture()
    try:
        header, payload = work(request, data)
    except MemoryError:
        say(sink, {"failed": "it needs too much memory"})
    except RuntimeError as error:  # torch's own for memory that is not to be had, and all else
        reason = "it needs too much memory" if "alloc" in str(error) else type(error).__name__
        say(sink, {"failed": reason})
    else:
        say(sink, header, payload)


def plain(text: str) -> str:
    """A text as it may stand in an answer."""
    return "".join(char if char.isprintable() else "?" for char in text)[:200]


def say(sink: BinaryIO, value: dict[str, object], payload: bytes | bytearray = b"") -> None:
    """Send an answer."""
    sink.write(decoder_wire.answer(value, len(payload)))
    sink.write(payload)
    sink.flush()
