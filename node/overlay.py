"""Edits in place: bytes of a picture or film overwritten at the same length, and an earlier end.

In the ISO base media file format everything is found by its offset from the start of the file, so
what stays must stay where it is.
"""

from __future__ import annotations

import re
from typing import Final

from .edits import LeftOut, Script, Stripped
from .facts import Buffer, PictureError
from .isobmff import Box, boxes

FREE: Final = frozenset((b"free", b"skip"))
"""Boxes that say nothing."""

PLACE: Final = re.compile(
    rb"\xa9xyz|loci|location\.|(?i:gps)|\.direction\.facing|[+-]\d\d\.\d+[+-]\d{3}\.\d+"
)
"""Traces of a place in a box: names of fields, and coordinates as of ISO 6709."""
_LOOK: Final = 1 << 20
"""Bytes of a box that are looked at for what goes with it."""
_ZEROS: Final = bytes(1 << 16)


class Overlay:
    """The bytes that are overwritten, and where the copy ends."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.end = len(data)
        self.words: set[LeftOut] = set()
        self._writes: dict[int, bytes | int] = {}
        """Offset to new bytes, or to a number of zeros."""

    def write(self, start: int, new: bytes) -> None:
        """`new` over what is at `start`."""
        self._writes[start] = new

    def zero(self, start: int, end: int) -> bool:
        """Zeros from `start` to `end`; False if they are there already."""
        end = min(end, len(self.data))
        for at in range(start, end, len(_ZEROS)):
            stop = min(at + len(_ZEROS), end)
            if bytes(self.data[at:stop]) != _ZEROS[: stop - at]:
                self._writes[start] = end - start
                return True
        return False

    def free(self, box: Box) -> None:
        """The box says nothing any more."""
        if box.type not in FREE:
            self.write(box.start + 4, b"free")
        self.zero(self._content(box), box.end)

    def _content(self, box: Box) -> int:
        """Where that begins which goes: the identifier of a `uuid` box belongs to it."""
        if box.type != b"uuid":
            return box.body
        is_long = bytes(self.data[box.start : box.start + 4]) == b"\0\0\0\1"
        return min(box.start + (16 if is_long else 8), box.end)

    def keep_children(self, parent: Box, kept: frozenset[bytes], skip: int = 0) -> None:
        """Of the boxes in `parent`, which begin `skip` bytes into it, only `kept` stay."""
        for box in boxes(self.data, parent.body + skip, parent.end):
            if box.type not in kept:
                self.remove(box)

    def remove(self, box: Box) -> None:
        """The box becomes an empty one, and what it was is remembered."""
        if self._content(box) < box.end:
            self.words |= box_words(self.data, box)
            self.free(box)

    def finish(self) -> Stripped:
        """The edit script."""
        script = Script(self.data)
        script.leave_out(self.words)
        at = 0
        for start, new in sorted(self._writes.items()):
            if start >= self.end:
                break
            if start < at:
                raise PictureError("metadata and picture overlap")
            script.keep(at, start)
            if isinstance(new, bytes):
                script.put(new)
                at = start + len(new)
            else:
                at = min(start + new, self.end)
                for stop in range(start, at, len(_ZEROS)):
                    script.put(_ZEROS[: at - stop])
        script.keep(at, self.end)
        return script.finish()


def box_words(data: Buffer, box: Box) -> set[LeftOut]:
    """What goes with a box."""
    raw = bytes(data[box.start : min(box.end, box.start + _LOOK)])
    if box.type in FREE:
        if raw[8:].count(0) == len(raw) - 8 and len(raw) < _LOOK:
            return set()
        return {"other data"}
    if box.type in (b"mpvd", b"sefd"):
        return {"clip"}
    words: set[LeftOut] = {"place"} if PLACE.search(raw) else set()
    if b"<x:xmpmeta" in raw or b"http://ns.adobe.com" in raw:
        words |= {"XMP"}
    if box.type == b"uuid" and b"c2pa" in raw:
        words |= {"C2PA"}
    if box.type in (b"udta", b"meta", b"udes"):
        words |= {"other tags"}
    return words or {"other data"}
