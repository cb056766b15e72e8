"""What is said between the node and the process that sets and reads invisible marks.

    node -> process   {"op": "mark", "width", "height", "mode", "key", "payload"}, the pixels
    process -> node   {"marked": true}, the pixels; or {"unfit": WHY}
    node -> process   {"op": "read", "width", "height", "mode", "sought": [[key, count], ...]},
                      the pixels and behind them the payloads that were issued under each key
    process -> node   {"found": [[key's place, payload, strength, agreement, bound, turn, scale],
                      ...]}; or {"unfit": WHY}

The process has seen nothing of a file but pixels; what it says is checked all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from .decoder_wire import CHANNELS, BadAnswerError, Pixels, unpack

MARK_BYTES: Final = 6
KEY_BYTES: Final = 32
LARGEST: Final = 64_000_000
"""Pixels of a picture that is marked; as `ml.watermark` has it, which is not loaded here."""
MAX_MARKS: Final = 64
"""In one picture."""
MAX_REASON: Final = 200


class UnfitPictureError(Exception):
    """The picture can't bear a mark; the text says why."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A key of marks, and what was issued under it."""

    key: bytes = field(repr=False)
    issued: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenMark:
    """A mark that was read: `sought` is the place of its key among those asked for.

    `agreement` is -1 to 1, `strength` the same in standard deviations of chance, and `bound` the
    chance at most that a picture without such a mark is read so. `turn` counts quarter turns
    anticlockwise, 4 more if it was mirrored before; `scale` is under 1 after a crop.
    """

    sought: int
    payload: bytes
    strength: float
    agreement: float
    bound: float
    turn: int
    scale: float


def to_mark(picture: Pixels, key: bytes, payload: bytes) -> dict[str, object]:
    """The header that goes with a picture that is to be marked."""
    return {
        "op": "mark", "width": picture.width, "height": picture.height, "mode": picture.mode,
        "key": key, "payload": payload,
    }  # fmt: skip


def to_read(picture: Pixels, sought: Sequence[Sought]) -> tuple[dict[str, object], bytes]:
    """The header that goes with a picture that is to be read, and what comes behind its pixels."""
    header: dict[str, object] = {
        "op": "read", "width": picture.width, "height": picture.height, "mode": picture.mode,
        "sought": [[each.key, len(each.issued)] for each in sought],
    }  # fmt: skip
    return header, b"".join(payload for each in sought for payload in each.issued)


def marked(header: bytes, payload: bytearray, picture: Pixels) -> Pixels:
    """The marked picture; `UnfitPictureError`, `BadAnswerError`."""
    value = unpack(header)
    check_fit(value)
    if value.pop("marked", None) is not True or value:
        raise BadAnswerError("marked")
    if len(payload) != picture.width * picture.height * CHANNELS[picture.mode]:
        raise BadAnswerError("pixels")
    return Pixels(picture.width, picture.height, picture.mode, payload, picture.icc)


def found(header: bytes, sought: Sequence[Sought]) -> list[SeenMark]:
    """The marks that were read; `UnfitPictureError`, `BadAnswerError`."""
    value = unpack(header)
    check_fit(value)
    items = value.pop("found", None)
    if value or not isinstance(items, list) or len(cast("list[object]", items)) > MAX_MARKS:
        raise BadAnswerError("found")
    return [_mark(each, len(sought)) for each in cast("list[object]", items)]


def check_fit(value: dict[str, object]) -> None:
    """Raise `UnfitPictureError` if that is the answer."""
    unfit = value.get("unfit")
    if isinstance(unfit, str) and unfit.isprintable() and len(unfit) <= MAX_REASON:
        raise UnfitPictureError(unfit)


def _mark(value: object, keys: int) -> SeenMark:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if len(items) != 7:
        raise BadAnswerError("mark")
    place, payload, strength, agreement, bound, turn, scale = items
    if type(place) is not int or not 0 <= place < keys:
        raise BadAnswerError("key")
    if not isinstance(payload, bytes) or len(payload) != MARK_BYTES:
        raise BadAnswerError("payload")
    if type(turn) is not int or not 0 <= turn < 8:
        raise BadAnswerError("turn")
    return SeenMark(
        place, payload, _real(strength, 0, 1e6), _real(agreement, -1, 1), _real(bound, 0, 1),
        turn, _real(scale, 0, 100),
    )  # fmt: skip


def _real(value: object, least: float, most: float) -> float:
    if not isinstance(value, float) or not math.isfinite(value) or not least <= value <= most:
        raise BadAnswerError("number")
    return value
