"""The process that looks for signs of editing: it alone loads torch, and it has no keys.

    python -I -c "…check_worker import main; main()" THREADS NICENESS

How it is asked is `worker`'s matter; what is said is in `check_wire`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import worker
from .check_wire import MAX_REGIONS, Region, Seen
from .decoder_wire import CHANNELS
from .worker import plain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..ml.integrity import Box, Finding


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
    threads, niceness = int(sys.argv[1]), int(sys.argv[2])

    def work(request: dict[str, Any], data: bytearray) -> worker.Message:
        seen = _look(request, data)
        return seen.to_value(), seen.map or b""

    worker.run(niceness, lambda: _prepare(threads), work)


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
        finding.verdict, plain(finding.reason), score, tuple(regions), finding.weights,
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
