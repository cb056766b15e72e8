"""The process that looks for signs of editing: it alone loads torch, and it has no keys.

    python -I -c "…check_worker import main; main()" THREADS NICENESS

Requests come on standard input and answers go to standard output, one at a time; see `check_wire`.
It has bounded memory and a bound on processor time for each picture, and ends when its input does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from . import allocator, decoder_wire
from .check_wire import MAX_REGIONS, Region, Seen
from .decoder_wire import ANSWER, CHANNELS, HEADER_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..ml.integrity import Box, Finding

if sys.platform != "win32":
    import resource

MEMORY_BYTES: Final = 2 * 1024 * 1024 * 1024
"""What it may write to, mapped or not. 24 megapixels need 1.1 GB."""
CPU_SECONDS: Final = 180
"""For one picture. Twelve megapixels take 5 to 10, and on a busy machine many more by the clock."""
_PR_SET_PDEATHSIG: Final = 1


def _enter(niceness: int) -> None:
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


def _begin_picture() -> None:
    """From here on the bound on processor time counts anew; at it the process is ended."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    bound = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    with contextlib.suppress(ValueError, OSError):  # a stricter bound of somebody else's stays
        resource.setrlimit(resource.RLIMIT_CPU, (bound, hard))


def _prepare(threads: int) -> None:
    """Load everything and look at something, so that the first picture takes no longer."""
    import cv2
    import numpy as np
    import torch

    from ..ml import integrity

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    side = integrity.SMALLEST
    integrity.check(np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8))


def main() -> None:
    """Serve until the input ends; arguments: how many threads it may use, and its niceness."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Whatever a library prints must not get between the answers.
    sys.stdout = sys.stderr
    _enter(int(sys.argv[2]))
    try:
        _prepare(int(sys.argv[1]))
    except ImportError as error:
        _say(sink, {"missing": _plain(error.name or str(error))})
        return
    except Exception as error:
        if type(error).__name__ != "WeightsMissing":
            raise
        _say(sink, {"missing": _plain(str(error))})
        return
    _say(sink, {"ready": True})
    while (prefix := source.read(ANSWER.size)) and len(prefix) == ANSWER.size:
        _serve(source, sink, *ANSWER.unpack(prefix))


def _serve(source: BinaryIO, sink: BinaryIO, header_bytes: int, size: int) -> None:
    request = decoder_wire.unpack(source.read(min(header_bytes, HEADER_BYTES)))
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = cast("Any", source).readinto(view)
        if not count:
            return
        view = view[count:]
    _begin_picture()
    try:
        seen = _look(request, data)
    except MemoryError:
        _say(sink, {"failed": "it needs too much memory"})
    except RuntimeError as error:  # torch's own for memory that is not to be had, and all else
        reason = "it needs too much memory" if "alloc" in str(error) else type(error).__name__
        _say(sink, {"failed": reason})
    else:
        _say(sink, seen.to_value(), seen.map or b"")


def _look(request: dict[str, Any], data: bytearray) -> Seen:
    import numpy as np

    from ..ml import integrity

    width, height, mode = request["width"], request["height"], request["mode"]
    pixels = np.frombuffer(data, np.uint8).reshape(height, width, CHANNELS[mode])
    tables = {table[0]: table[1:] for table in request["tables"]}
    finding = integrity.check(pixels, tables or None)
    return _seen(finding, (width, height), request["turn"], with_map=request["map"])


def _seen(finding: Finding, size: tuple[int, int], turn: int, *, with_map: bool) -> Seen:
    """A finding as it is told: upright, and in plain values."""
    import numpy as np

    boxes = [*finding.boxes, *(box for pair in finding.copies for box in pair)]
    regions = [turned(box, size, turn) for box in boxes[:MAX_REGIONS]]
    features = b""
    if finding.features is not None:
        features = np.asarray(finding.features, "<f2").tobytes()
    shown = None
    if with_map and finding.map is not None:
        shown = upright_map(finding.map, size, turn).tobytes()
    score = None if finding.score is None else min(1.0, max(0.0, finding.score))
    return Seen(
        finding.verdict, _plain(finding.reason), score, tuple(regions), finding.weights,
        features, shown,
    )  # fmt: skip


def turned(box: Box, size: tuple[int, int], turn: int) -> Region:
    """A box of the stored picture of that (width, height) in pixels of the upright one.

    `turn` is the EXIF number: from 5 on rows become columns.
    """
    width, height = size
    left, top = min(max(box.left, 0), width - 1), min(max(box.top, 0), height - 1)
    right = min(max(box.left + box.width, left + 1), width)
    bottom = min(max(box.top + box.height, top + 1), height)
    if turn in (2, 3, 7, 8):  # what was left comes last
        left, right = width - right, width - left
    if turn in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    if turn >= 5:
        left, top, right, bottom = top, left, bottom, right
    return Region(left, top, right - left, bottom - top, min(1.0, max(0.0, box.chance)))


def upright_map(
    cells: npt.NDArray[np.uint8], size: tuple[int, int], turn: int
) -> npt.NDArray[np.uint8]:
    """The map with one value for each pixel of the upright picture, shape (h, w)."""
    from ..ml.integrity import CELL

    width, height = size
    shown = cells.repeat(CELL, axis=0)[:height].repeat(CELL, axis=1)[:, :width]
    if turn in (2, 3, 7, 8):
        shown = shown[:, ::-1]
    if turn in (3, 4, 6, 7):
        shown = shown[::-1]
    return shown.T if turn >= 5 else shown


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:200]


def _say(sink: BinaryIO, value: dict[str, object], payload: bytes | bytearray = b"") -> None:
    sink.write(decoder_wire.answer(value, len(payload)))
    sink.write(payload)
    sink.flush()
