"""What a film says about itself: its time, its place, its camera, its still.

ISO/IEC 14496-12 for `mvhd` and `udta`, 3GPP TS 26.244 for `loci`, Apple's QuickTime File Format for
the `©` texts and the `keys` with their `ilst`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from .facts import Buffer
from .isobmff import Box, boxes
from .plain_text import decoded

MAX_DEPTH: Final = 5
MAX_BOXES: Final = 100_000
"""Boxes of a film that are looked at, at all depths together."""
MAX_VALUES: Final = 1000
MAX_VALUE: Final = 4096
"""Bytes kept of one value."""

CREATION_DATE: Final = "com.apple.quicktime.creationdate"
CONTENT_IDENTIFIER: Final = "com.apple.quicktime.content.identifier"
MAKE: Final = ("com.apple.quicktime.make", "com.android.manufacturer", "©mak")
MODEL: Final = ("com.apple.quicktime.model", "com.android.model", "©mod")
PLACE_WORDS: Final = (
    "com.apple.quicktime.location.name",
    "com.apple.quicktime.location.body",
    "com.apple.quicktime.location.note",
    "com.apple.quicktime.direction.facing.place",
)
POSITIONS: Final = ("com.apple.quicktime.location.ISO6709", "©xyz")
LOCI: Final = "loci"
"""The key of a 3GPP location box: `longitude latitude name`, in degrees."""

_TEXTS: Final = {
    b"\xa9xyz": "©xyz", b"\xa9mak": "©mak", b"\xa9mod": "©mod", b"\xa9day": "©day",
}  # fmt: skip
_PARENTS: Final = frozenset({b"moov", b"trak", b"udta", b"meta"})
_EPOCH: Final = datetime(1904, 1, 1, tzinfo=UTC)
_UNIX: Final = 2_082_844_800  # seconds from 1904 to 1970


def _strings() -> dict[str, str]:
    return {}


@dataclass(slots=True)
class Film:
    """What a `moov` box says: `created` as ISO 8601 in UTC, `values` by key or by box type."""

    created: str | None = None
    values: dict[str, str] = field(default_factory=_strings)
    boxes: int = 0

    def first(self, *keys: str) -> str | None:
        """The value of the first of `keys` that has one."""
        return next((self.values[key] for key in keys if self.values.get(key)), None)


def read(data: Buffer, start: int = 0, end: int | None = None) -> Film | None:
    """The film whose boxes begin at `start`; None if no `moov` is there.

    `PictureError` past the limits of `isobmff`.
    """
    film = None
    for box in boxes(data, start, end):
        if box.type == b"moov":
            film = film or Film()
            _walk(data, box, film, MAX_DEPTH)
    return film


def _walk(data: Buffer, parent: Box, film: Film, depth: int) -> None:
    start, keys = parent.body, list[str]()
    if parent.type == b"meta" and bytes(data[start + 4 : start + 8]) != b"hdlr":
        start += 4  # ISO's has a version, QuickTime's has none
    for box in boxes(data, start, parent.end):
        film.boxes += 1
        if film.boxes > MAX_BOXES or len(film.values) >= MAX_VALUES:
            return
        if box.type == b"mvhd":
            film.created = film.created or _created(data, box)
        elif box.type == b"keys":
            keys = _keys(data, box)
        elif box.type == b"ilst":
            _items(data, box, keys, film)
        elif box.type in _TEXTS:
            film.values.setdefault(_TEXTS[box.type], _text(data, box))
        elif box.type == b"loci":
            film.values.setdefault(LOCI, _loci(data, box))
        elif box.type in _PARENTS and depth:
            _walk(data, box, film, depth - 1)


def _created(data: Buffer, mvhd: Box) -> str | None:
    content = bytes(data[mvhd.body : min(mvhd.end, mvhd.body + 12)])
    wide = content[:1] == b"\1"
    seconds = int.from_bytes(content[4 : 12 if wide else 8], "big")
    if seconds == 0:
        return None
    if seconds < _UNIX:  # no phone filmed before 1970: the writer counted from there
        seconds += _UNIX
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return None


def _keys(data: Buffer, box: Box) -> list[str]:
    # The entries are laid out as boxes; the first key has the number 1.
    entries = boxes(data, box.body + 8, box.end)
    return [
        decoded(_content(data, entry)) for entry, _ in zip(entries, range(MAX_VALUES), strict=False)
    ]


def _items(data: Buffer, ilst: Box, keys: list[str], film: Film) -> None:
    for item, _ in zip(boxes(data, ilst.body, ilst.end), range(MAX_VALUES), strict=False):
        number = int.from_bytes(item.type, "big")
        if item.type in _TEXTS:
            key = _TEXTS[item.type]
        elif 0 < number <= len(keys):
            key = keys[number - 1]
        else:
            continue
        value = next(boxes(data, item.body, item.end), None)
        if value is not None and value.type == b"data":
            raw = _content(data, value)
            if raw[:4] == b"\0\0\0\1":  # UTF-8; after it come four bytes of locale
                film.values.setdefault(key, decoded(raw[8:]))


def _text(data: Buffer, box: Box) -> str:
    raw = _content(data, box)
    size = int.from_bytes(raw[:2], "big")
    return decoded(raw[4 : 4 + size]).strip("\0 ")


def _loci(data: Buffer, box: Box) -> str:
    # Version and flags, language, a name that ends in NUL, a role, three numbers in 16.16.
    raw = _content(data, box)
    name, nul, rest = raw[6:].partition(b"\0")
    if not nul or len(rest) < 9:
        return ""
    longitude, latitude = struct.unpack_from(">ii", rest, 1)
    return f"{longitude / 65536:.5f} {latitude / 65536:.5f} {decoded(name)}".strip()


def _content(data: Buffer, box: Box) -> bytes:
    return bytes(data[box.body : min(box.end, box.body + MAX_VALUE)])
