"""What is said between the node and the process that looks for faces and hides them.

    node -> process   {"width", "height", "mode", "boxes": [[left, top, width, height], ...],
                      "keep": [number, ...], "method": METHOD, or null to look alone}, the pixels
    process -> node   {"faces": [[left, top, width, height, score or null, method], ...],
                      "risk": RISK}, the pixels, or nothing where it was to look; or {"unfit": WHY}

The process has seen nothing of a file but pixels; what it says is checked all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from .decoder_wire import CHANNELS, BadAnswerError, Pixels, unpack
from .mark_wire import check_fit

METHODS: Final = ("blur", "pixelate", "solid")
"""As `ml.anonymise` has them, which is not loaded here."""
LARGEST: Final = 64_000_000
"""Pixels; as `ml.faces` has it."""
KEPT: Final = "kept"
RISKS: Final = ("low", "some", "high")
MOST: Final = 2000
"""Faces that are told of: found ones and boxes."""

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face, and how it was hidden, or `kept`; without a `score` a person named it."""

    box: Box
    score: float | None
    method: str


@dataclass(frozen=True, slots=True)
class SeenFaces:
    """What was found in a picture, from the left to the right, and the risk of a mistake."""

    faces: tuple[SeenFace, ...]
    risk: str

    @property
    def hidden(self) -> int:
        """How many were hidden."""
        return sum(face.method != KEPT for face in self.faces)


def to_hide(
    picture: Pixels, boxes: Sequence[Box], keep: Sequence[int], method: str | None
) -> dict[str, object]:
    """The header that goes with a picture."""
    return {
        "width": picture.width, "height": picture.height, "mode": picture.mode,
        "boxes": [list(box) for box in boxes], "keep": list(keep), "method": method,
    }  # fmt: skip


def hidden(
    header: bytes, payload: bytearray, picture: Pixels, method: str | None
) -> tuple[Pixels, SeenFaces]:
    """The picture after it and what was found; `UnfitPictureError`, `BadAnswerError`."""
    value = unpack(header)
    check_fit(value)
    items, risk = value.pop("faces", None), value.pop("risk", None)
    if value or not isinstance(items, list) or risk not in RISKS:
        raise BadAnswerError("faces")
    if len(cast("list[object]", items)) > MOST:
        raise BadAnswerError("faces")
    methods = (KEPT,) if method is None else (method, KEPT)
    faces = tuple(_face(each, picture, methods) for each in cast("list[object]", items))
    size = picture.width * picture.height * CHANNELS[picture.mode]
    if len(payload) != (0 if method is None else size):
        raise BadAnswerError("pixels")
    if method is not None:
        picture = Pixels(picture.width, picture.height, picture.mode, payload, picture.icc)
    return picture, SeenFaces(faces, cast("str", risk))


def _face(value: object, picture: Pixels, methods: Sequence[str]) -> SeenFace:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if len(items) != 6:
        raise BadAnswerError("face")
    *numbers, score, method = items
    if any(type(number) is not int for number in numbers):
        raise BadAnswerError("box")
    left, top, width, height = cast("list[int]", numbers)
    if not (
        0 <= left < left + width <= picture.width and 0 <= top < top + height <= picture.height
    ):
        raise BadAnswerError("box")
    if score is not None and not (isinstance(score, float) and math.isfinite(score)):
        raise BadAnswerError("score")
    if method not in methods:
        raise BadAnswerError("method")
    return SeenFace((left, top, width, height), score, cast("str", method))
