"""The process that looks for faces and hides them: pixels in, pixels out.

    python -I -c "…face_worker import main; main()" THREADS NICENESS

How it is asked is `worker`'s matter; what is said is in `face_wire`. It gets no keys.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from . import worker
from .decoder_wire import CHANNELS


def main() -> None:
    """Serve until the input ends; arguments: how many threads it may use, and its niceness."""
    threads, niceness = int(sys.argv[1]), int(sys.argv[2])
    os.environ["OPENCV_LOG_LEVEL"] = "ERROR"  # it warns of what is as it should be
    worker.run(niceness, lambda: _prepare(threads), _work)


def _prepare(threads: int) -> None:
    import cv2
    import numpy as np

    from ..ml import faces

    cv2.setNumThreads(threads)
    faces.find(np.zeros((faces.SMALLEST, faces.SMALLEST), np.uint8))


def _work(request: dict[str, Any], data: bytearray) -> worker.Message:
    import numpy as np

    from ..ml.anonymise import UnfitPicture, anonymise, seen

    width, height, channels = request["width"], request["height"], CHANNELS[request["mode"]]
    pixels = np.frombuffer(data, np.uint8).reshape(height, width, channels)
    boxes = [tuple(box) for box in request["boxes"]]
    try:
        if request["method"] is None:
            found = seen(pixels, boxes=boxes)
        else:
            found = anonymise(pixels, boxes=boxes, keep=request["keep"], method=request["method"])
    except (UnfitPicture, ValueError) as error:
        return {"unfit": worker.plain(str(error))}, b""
    told = [[*face.box, face.score, face.method] for face in found.faces]
    made = b"" if request["method"] is None else found.pixels.tobytes()
    return {"faces": told, "risk": found.missed_risk}, made
