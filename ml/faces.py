"""Where are the faces in a picture?

`find(pixels)` looks with a small network, YuNet, at several sizes, mirrored and turned, and gives
each face once, the surest first. Needs numpy and OpenCV, no torch. It finds faces, not who they
are. That none is found does not say that there is none (docs/model-cards/faces.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from .weights import read_pinned

Picture = npt.NDArray[np.uint8]

LEAST: Final = 0.5
"""Score from which on something is taken for a face: rather one too many hidden than one left."""
SURE: Final = 0.75
"""From there on there is no doubt of it."""
MOST: Final = 1000
"""Faces of one picture."""
SMALLEST: Final = 16
"""Pixels of the shorter side of a picture in which there is something to look for."""
LARGEST: Final = 64_000_000
"""Pixels."""

_LOOKS: Final = (
    # Longer side in pixels, whether mirrored, quarter turns anticlockwise.
    (2048, False, 0), (1024, True, 0), (512, False, 0),
    (1024, False, 1), (1024, False, 2), (1024, False, 3),
)  # fmt: skip
_ENLARGED: Final = 2.0
"""A small picture is made larger by so much at most: there is no more to see in it."""
_MULTIPLE: Final = 32
"""Sides of what the network sees."""
_OVERLAP: Final = 0.3
"""Share of what two boxes cover together that both have, from which on they are of one face."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face, in pixels of the picture."""

    left: float
    top: float
    width: float
    height: float
    score: float
    """0 to 1, for comparing; no probability."""
    landmarks: tuple[tuple[float, float], ...] = ()
    """Eyes, nose and corners of the mouth: (x, y), as the network sees them."""
    looks: int = 1
    """In how many of the looks it was seen."""

    @property
    def sure(self) -> bool:
        """Whether it was seen clearly, and more than once."""
        return self.score >= SURE and self.looks > 1


class UnfitPicture(Exception):
    """No faces can be looked for in it; the text says why."""


def check(pixels: npt.NDArray[Any]) -> Picture:
    """The picture with an axis for its channels. Raises UnfitPicture."""
    if pixels.dtype != np.uint8:
        raise UnfitPicture("it has other than 8 bits for each colour")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise UnfitPicture("it is no picture in grey or RGB")
    if min(pixels.shape[:2]) < SMALLEST:
        raise UnfitPicture(f"it is smaller than {SMALLEST} pixels")
    if pixels.shape[0] * pixels.shape[1] > LARGEST:
        raise UnfitPicture(f"it has more than {LARGEST // 1_000_000} megapixels")
    return pixels  # type: ignore[return-value] - its type was looked at


def find(pixels: npt.NDArray[Any]) -> list[Face]:
    """The faces of a picture, the surest first, `MOST` at most.

    `pixels`: shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), 8 bits, RGB, upright. Raises
    UnfitPicture, and WeightsMissing when the network is not there.
    """
    colours = _bgr(check(pixels))
    found: list[Face] = []
    for side, mirrored, turns in _LOOKS:
        found += _look(colours, side, turns, mirrored=mirrored)
    return _each_once(found)[:MOST]


def _bgr(picture: Picture) -> Picture:
    """What the network was trained on, whatever the channels."""
    how = {1: cv2.COLOR_GRAY2BGR, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGR}
    made = cv2.cvtColor(np.ascontiguousarray(picture), how[picture.shape[2]])
    return np.asarray(made, np.uint8)


def _look(colours: Picture, side: int, turns: int, *, mirrored: bool) -> Iterator[Face]:
    height, width = colours.shape[:2]
    scale = min(side / max(height, width), _ENLARGED)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.resize(colours, size, interpolation=how)
    seen = np.rot90(seen[:, ::-1] if mirrored else seen, turns)
    rows, columns = seen.shape[:2]
    padded = np.zeros((_filled(rows), _filled(columns), 3), np.uint8)
    padded[:rows, :columns] = seen
    detector = _detector()
    detector.setInputSize((padded.shape[1], padded.shape[0]))
    found: Any = detector.detect(padded)[1]  # None if there are none, unlike its stub says
    rows_found = cast("list[list[float]]", [] if found is None else found.tolist())
    for numbers in rows_found:
        corners = [(numbers[0], numbers[1]), (numbers[0] + numbers[2], numbers[1] + numbers[3])]
        points = [(numbers[at], numbers[at + 1]) for at in range(4, 14, 2)]
        ends = [_back(x, y, size, turns, scale, mirrored=mirrored) for x, y in corners]
        (left, right), (top, bottom) = (sorted(axis) for axis in zip(*ends, strict=True))
        # Parts of a face may lie outside of the picture.
        left, top = max(0.0, left), max(0.0, top)
        right, bottom = min(float(width), right), min(float(height), bottom)
        if right - left >= 1 and bottom - top >= 1:
            landmarks = tuple(_back(x, y, size, turns, scale, mirrored=mirrored) for x, y in points)
            yield Face(left, top, right - left, bottom - top, numbers[14], landmarks)


def _filled(length: int) -> int:
    return -(-length // _MULTIPLE) * _MULTIPLE


def _back(
    x: float, y: float, size: tuple[int, int], turns: int, scale: float, *, mirrored: bool
) -> tuple[float, float]:
    """A place in what was looked at, in the picture."""
    width, height = size
    match turns:
        case 1:
            x, y = width - y, x
        case 2:
            x, y = width - x, height - y
        case 3:
            x, y = y, height - x
        case _:
            pass
    return ((width - x) if mirrored else x) / scale, y / scale


@lru_cache(1)
def _detector() -> cv2.FaceDetectorYN:
    """For one thread at a time. Raises WeightsMissing."""
    content, _, _ = read_pinned("faces", "onnx")
    buffer = np.frombuffer(content, np.uint8)
    none = np.zeros(0, np.uint8)
    return cv2.FaceDetectorYN.create("onnx", buffer, none, (320, 320), LEAST, _OVERLAP, 5 * MOST)


def _each_once(found: Sequence[Face]) -> list[Face]:
    """Of boxes that lie over each other the surest, with the number of looks that saw it."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda each: each.score, reverse=True):
        for number, other in enumerate(kept):
            if _same(face, other):
                kept[number] = Face(
                    other.left, other.top, other.width, other.height, other.score,
                    other.landmarks, other.looks + 1,
                )  # fmt: skip
                break
        else:
            kept.append(face)
    return kept


def _same(one: Face, other: Face) -> bool:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if across <= 0 or down <= 0:
        return False
    both = across * down
    return both > _OVERLAP * (one.width * one.height + other.width * other.height - both)
