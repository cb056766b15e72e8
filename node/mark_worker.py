"""The process that sets and reads invisible marks: pixels in, pixels or marks out.

    python -I -c "…mark_worker import main; main()" THREADS NICENESS

How it is asked is `worker`'s matter; what is said is in `mark_wire`. It gets the keys of marks,
which open nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import worker
from .decoder_wire import CHANNELS
from .mark_wire import MARK_BYTES, MAX_MARKS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def main() -> None:
    """Serve until the input ends; arguments: how many threads it may use, and its niceness."""
    threads, niceness = int(sys.argv[1]), int(sys.argv[2])
    worker.run(niceness, lambda: _prepare(threads), _work)


def _prepare(threads: int) -> None:
    import cv2

    from ..ml import watermark_search

    cv2.setNumThreads(threads)
    watermark_search.prepare()


def _work(request: dict[str, Any], data: bytearray) -> worker.Message:
    import numpy as np

    from ..ml.watermark import UnfitPicture

    width, height, channels = request["width"], request["height"], CHANNELS[request["mode"]]
    size = width * height * channels
    pixels = np.frombuffer(data, np.uint8, size).reshape(height, width, channels)
    try:
        if request["op"] == "mark":
            return _mark(pixels, request["key"], request["payload"])
        return _read(pixels, request["sought"], bytes(memoryview(data)[size:]))
    except UnfitPicture as error:
        return {"unfit": worker.plain(str(error))}, b""


def _mark(pixels: npt.NDArray[np.uint8], key: bytes, payload: bytes) -> worker.Message:
    from ..ml import watermark
    from ..ml.watermark_carrier import Carrier

    return {"marked": True}, watermark.mark(pixels, Carrier(key), payload).tobytes()


def _read(
    pixels: npt.NDArray[np.uint8], keys: list[tuple[bytes, int]], issued: bytes
) -> worker.Message:
    from ..ml import watermark_search
    from ..ml.watermark_carrier import Carrier
    from ..ml.watermark_search import Sought

    sought: list[Sought] = []
    start = 0
    for key, count in keys:
        end = start + count * MARK_BYTES
        ids = tuple(issued[at : at + MARK_BYTES] for at in range(start, end, MARK_BYTES))
        sought.append(Sought(Carrier(key), ids))
        start = end
    found = [
        [each.sought, each.payload, each.strength, each.share, each.bound, each.turn, each.scale]
        for each in watermark_search.find(pixels, sought)
    ]
    return {"found": found[:MAX_MARKS]}, b""
