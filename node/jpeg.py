"""The segments of a JPEG, in the order of the file.

Reads the way decoders do (ITU-T T.81 annex B, libjpeg's `next_marker`): junk and fill bytes before
a marker are passed over, stuffed zeros and restart markers belong to the coded data of a scan. What
lies between the end of one segment and the start of the next is coded data, fill or junk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from .facts import Buffer, PictureError

SOI: Final = 0xD8
EOI: Final = 0xD9
SOS: Final = 0xDA
APP0: Final = 0xE0
APP1: Final = 0xE1
APP2: Final = 0xE2
APP13: Final = 0xED
COM: Final = 0xFE

EXIF: Final = b"Exif\x00"  # one pad byte follows, and it is not always a zero
XMP: Final = b"http://ns.adobe.com/xap/1.0/\x00"
XMP_EXTENSION: Final = b"http://ns.adobe.com/xmp/extension/\x00"
ICC: Final = b"ICC_PROFILE\x00"
MPF: Final = b"MPF\x00"
PHOTOSHOP: Final = b"Photoshop 3.0\x00"

MAX_SEGMENTS: Final = 1 << 16
"""A progressive photo with every optional segment has a few hundred."""

_STANDALONE = frozenset({0x01, *range(0xD0, 0xDA)})
# The patterns hold one FF, not FF+: a run of fill bytes would cost its square.
_MARKER = re.compile(rb"\xff[\x01-\xfe]", re.DOTALL)
_MARKER_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]", re.DOTALL)


class Segment(NamedTuple):
    """One marker with what belongs to it: `data[start:end]`, the payload at `data[body:end]`.

    `start` is the FF next to the marker's code, `body` the byte after the length field. A marker
    without a payload has `body == end`. `whole` is False where the file ends before the segment.
    """

    marker: int
    start: int
    body: int
    end: int
    whole: bool = True


def segments(data: Buffer, start: int = 0) -> Iterator[Segment]:
    """The segments of the picture whose SOI is at `start`, through all its scans.

    The last is its EOI where there is one; a file cut short ends without. Raises `PictureError`
    where no SOI is at `start` or there are more than `MAX_SEGMENTS`.
    """
    if bytes(data[start : start + 2]) != b"\xff\xd8":
        raise PictureError("not a JPEG")
    size = len(data)
    yield Segment(SOI, start, start + 2, start + 2)
    position, pattern = start + 2, _MARKER
    for _ in range(MAX_SEGMENTS):
        found = pattern.search(data, position)
        if found is None:
            return
        at = found.start()
        marker = data[at + 1]
        if marker in _STANDALONE:
            yield Segment(marker, at, at + 2, at + 2)
            if marker == EOI:
                return
            position, pattern = at + 2, _MARKER
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + max(length, 2)  # a length below 2 doesn't even count itself
        whole = end <= size and length >= 2
        end = min(end, size)
        yield Segment(marker, at, min(at + 4, end), end, whole)
        position, pattern = end, _MARKER_AFTER_SCAN if marker == SOS else _MARKER
    raise PictureError("too many segments")
