"""What is said between the node and the process that looks for signs of editing.

    process -> node   {"ready": true} when it has loaded all that it needs, or {"missing": NAME}
    node -> process   {"width", "height", "mode", "tables", "turn", "map"} and the pixels
    process -> node   what it saw, and the map if one was asked for; or {"failed": WHY}

Each message is framed as those of the decoder: 12 bytes of lengths, msgpack, a payload. The process
has seen nothing of a file but pixels; what it says is checked all the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from .decoder_wire import BadAnswerError, Stored, unpack

Word = Literal["no-sign", "signs", "cannot-tell"]
WORDS: Final[tuple[Word, ...]] = ("no-sign", "signs", "cannot-tell")
MAX_REGIONS: Final = 256
MAX_REASON: Final = 500
FEATURE_BYTES: Final = 64 * 1024
_MODEL: Final = re.compile("([0-9a-f]{64})?")


class BrokenWorkerError(Exception):
    """The process could not do it; the text says why in a few words."""


class MissingPartError(Exception):
    """Something is not installed that the process needs; the text names it."""


@dataclass(frozen=True, slots=True)
class Region:
    """An area that looks edited, in pixels of the upright picture; `score` is 0 to 1."""

    left: int
    top: int
    width: int
    height: int
    score: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at one picture's pixels came to.

    `score` is 0 to 1, None if the network was not asked. `model` is the SHA-256 of its weights in
    hex, empty if it was not asked. `features` is what its last layers judged by, as the room `ml`
    encodes it, for corrections later. `map` is one byte for each pixel of the upright picture.
    """

    verdict: Word
    reason: str = ""
    score: float | None = None
    regions: tuple[Region, ...] = ()
    model: str = ""
    features: bytes = b""
    map: bytes | bytearray | None = None

    def to_value(self) -> dict[str, object]:
        """Plain values for msgpack; without the map, of which only the size is told."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "score": self.score,
            "regions": [
                [each.left, each.top, each.width, each.height, each.score] for each in self.regions
            ],
            "model": self.model,
            "features": self.features,
        }

    @classmethod
    def read(
        cls,
        value: Mapping[str, object],
        size: tuple[int, int] | None = None,
        picture: bytes | bytearray | None = None,
    ) -> Seen:
        """The reverse of `to_value`; `BadAnswerError` where a field is not what it must be.

        `size` is the upright (width, height) within which regions must lie, `picture` the map.
        """
        fields = dict(value)
        try:
            verdict, reason = fields.pop("verdict"), fields.pop("reason")
            score, regions = fields.pop("score"), fields.pop("regions")
            model, features = fields.pop("model"), fields.pop("features")
        except KeyError as error:
            raise BadAnswerError(str(error)) from None
        if verdict not in WORDS or fields:
            raise BadAnswerError("verdict")
        if not isinstance(reason, str) or len(reason) > MAX_REASON or not reason.isprintable():
            raise BadAnswerError("reason")
        if not isinstance(model, str) or not _MODEL.fullmatch(model):
            raise BadAnswerError("model")
        if not isinstance(features, bytes) or len(features) > FEATURE_BYTES:
            raise BadAnswerError("features")
        if not isinstance(regions, list) or len(cast("list[object]", regions)) > MAX_REGIONS:
            raise BadAnswerError("regions")
        found = tuple(_region(each, size) for each in cast("list[object]", regions))
        if size is not None and picture is not None and len(picture) != size[0] * size[1]:
            raise BadAnswerError("map")
        return cls(
            verdict, reason, None if score is None else _share(score), found, model,
            features, picture,
        )  # fmt: skip


def _region(value: object, size: tuple[int, int] | None) -> Region:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if len(items) != 5 or any(type(item) is not int for item in items[:4]):
        raise BadAnswerError("region")
    left, top, width, height = cast("list[int]", items[:4])
    if min(left, top) < 0 or min(width, height) < 1:
        raise BadAnswerError("region")
    if size is not None and (left + width > size[0] or top + height > size[1]):
        raise BadAnswerError("region")
    return Region(left, top, width, height, _share(items[4]))


def _share(value: object) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or not 0 <= value <= 1:
        raise BadAnswerError("score")
    return float(value)


def request(picture: Stored, *, with_map: bool) -> dict[str, object]:
    """The header that goes with a picture's pixels."""
    tables = [[number, *table] for number, table in sorted(picture.tables.items())]
    return {
        "width": picture.width, "height": picture.height, "mode": picture.mode,
        "tables": tables, "turn": picture.turn, "map": with_map,
    }  # fmt: skip


def upright(picture: Stored) -> tuple[int, int]:
    """Width and height once it is turned."""
    size = (picture.width, picture.height)
    return (size[1], size[0]) if picture.turn >= 5 else size


def ready(header: bytes) -> None:
    """The first message: nothing is wrong with it, or `MissingPartError` or `BadAnswerError`."""
    value = unpack(header)
    missing = value.get("missing")
    if isinstance(missing, str) and missing.isprintable() and len(missing) <= MAX_REASON:
        raise MissingPartError(missing)
    if value != {"ready": True}:
        raise BadAnswerError("ready")


def answer(header: bytes, payload: bytearray, size: tuple[int, int]) -> Seen:
    """What was seen of a picture of that upright size; `BrokenWorkerError`, `BadAnswerError`."""
    value = unpack(header)
    failed = value.get("failed")
    if isinstance(failed, str) and failed.isprintable() and len(failed) <= MAX_REASON:
        raise BrokenWorkerError(failed)
    return Seen.read(value, size, payload or None)
