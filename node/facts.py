"""What is known about a picture without looking at it: the decoder's findings, as plain values.

Shared by both sides of the decode service, so it imports nothing of either. The decoder's answers
come from a process that has touched hostile bytes: `Facts.read` checks every field and every size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, cast

Buffer = bytes | bytearray | memoryview
"""The bytes of a picture as the parsers take them: sliceable without a copy."""

C2PA_STATES: Final = ("none", "valid", "valid-untrusted", "invalid")
A_CLIP: Final = "it is a video: kept as it is, with a frame of it to show"
"""Why a clip does not open as a picture, which is nothing to worry about."""
MAX_TEXT: Final = 200
"""Characters of a text that comes out of a picture."""
MAX_HIDDEN: Final = 16
MAX_SIDE: Final = 1 << 20
"""Pixels of a side that a header may claim before its size is not even reported."""


class PictureError(Exception):
    """A picture that can't be opened or changed; the text says why in a few words.

    Raised on the decoder's side only. Its text may quote the picture: show it with care.
    """


@dataclass(frozen=True, slots=True)
class Facts:
    """One picture, as `kinlight inspect` prints it.

    `format` is by content. `stored` and `upright` are (width, height) in pixels, `orientation` the
    EXIF number (1 to 8) of the turn from the one to the other, `frames` the pictures of an
    animation or the pages of a document. `captured` is ISO 8601, with a zone where the file has
    one, from the field that `captured_source` names. `hidden` names further pictures inside the
    file, `pair` a clip that belongs to it (`motion` inside it, `live:ID` in another file). `c2pa`
    is one of `C2PA_STATES`, with the failure's `c2pa_code`. `refused` says why it does not open;
    `damaged` that it opens but is not whole. `position` (latitude, longitude in degrees) and
    `place` (words) are for the owner's own search and are not printed.
    """

    format: str
    stored: tuple[int, int] | None = None
    upright: tuple[int, int] | None = None
    orientation: int | None = None
    frames: int | None = None
    captured: str | None = None
    captured_source: str | None = None
    camera: str | None = None
    location: bool = False
    icc: str | None = None
    hidden: tuple[str, ...] = ()
    pair: str | None = None
    c2pa: str = "none"
    c2pa_code: str | None = None
    refused: str | None = None
    damaged: bool = False
    position: tuple[float, float] | None = None
    place: str | None = None

    def to_value(self) -> dict[str, object]:
        """Plain values for msgpack or JSON."""
        return asdict(self)

    @classmethod
    def read(cls, value: object) -> Facts:
        """The reverse of `to_value`; `ValueError` where a field is not what it must be."""
        if not isinstance(value, Mapping):
            raise ValueError("facts")
        fields = dict(cast("Mapping[str, object]", value))
        try:
            facts = cls(
                format=_text(fields.pop("format")),
                stored=_size(fields.pop("stored")),
                upright=_size(fields.pop("upright")),
                orientation=_integer(fields.pop("orientation"), 1, 8),
                frames=_integer(fields.pop("frames"), 0, 1 << 31),
                captured=_optional_text(fields.pop("captured")),
                captured_source=_optional_text(fields.pop("captured_source")),
                camera=_optional_text(fields.pop("camera")),
                location=_flag(fields.pop("location")),
                icc=_optional_text(fields.pop("icc")),
                hidden=_texts(fields.pop("hidden")),
                pair=_optional_text(fields.pop("pair")),
                c2pa=_text(fields.pop("c2pa")),
                c2pa_code=_optional_text(fields.pop("c2pa_code")),
                refused=_optional_text(fields.pop("refused")),
                damaged=_flag(fields.pop("damaged")),
                position=_position(fields.pop("position")),
                place=_optional_text(fields.pop("place")),
            )
        except KeyError as error:
            raise ValueError(f"facts: {error.args[0]} is missing") from None
        if fields or facts.c2pa not in C2PA_STATES:
            raise ValueError("facts: unknown field or state")
        return facts


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise ValueError("facts: text")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("facts: list")
    items = cast("list[object]", value)
    if len(items) > MAX_HIDDEN:
        raise ValueError("facts: list")
    return tuple(_text(item) for item in items)


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError("facts: flag")
    return value


def _integer(value: object, smallest: int, largest: int) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not smallest <= value <= largest:
        raise ValueError("facts: number")
    return value


def _size(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    width, height = _two(value)
    for side in (width, height):
        if type(side) is not int or not 0 < side <= MAX_SIDE:
            raise ValueError("facts: size")
    return cast("tuple[int, int]", (width, height))


def _position(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    latitude, longitude = _two(value)
    if type(latitude) is not float or type(longitude) is not float:
        raise ValueError("facts: position")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError("facts: position")
    return latitude, longitude


def _two(value: object) -> tuple[object, object]:
    items = cast("list[object]", value) if isinstance(value, (list, tuple)) else []
    if len(items) != 2:
        raise ValueError("facts: pair of numbers")
    return items[0], items[1]
