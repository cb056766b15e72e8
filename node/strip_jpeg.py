"""A JPEG without its metadata: the segments that decoding needs, a new EXIF, and the end.

ITU-T T.81 annex B for the markers, JFIF 1.02 and ISO 19566 for the application segments. The
segments are read as the common decoder reads them: fill bytes before a marker, junk between two
segments, and what a damaged scan looks like after its first unexpected marker.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from .edits import LeftOut, Script, Stripped
from .exif import PREFIX
from .facts import Buffer, PictureError
from .strip_metadata import iptc_words, photoshop_words, renew_exif, xmp_words

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP11, _APP13, _APP14 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE
_JPEG_EXTENSIONS: Final = range(0xF0, 0xFE)
_ALONE: Final = frozenset((0x01, _SOI, *range(0xD0, 0xD8)))
"""Markers without a length."""

_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_ICC: Final = b"ICC_PROFILE\0"
_MPF: Final = b"MPF\0"
_JFIF_SIZE: Final = 14
"""Content of a JFIF segment whose thumbnail is empty."""
_ADOBE_SIZE: Final = 12

_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_FOLLOWERS: Final = frozenset((0xC4, 0xCC, *range(_EOI, 0xDE), *range(_APP0, 0xF0), _COM))
"""What may follow coded data. Other markers in it are restarts, or damage that stays as it is."""
_AFTER_SCAN: Final = re.compile(rb"\xff[" + re.escape(bytes(sorted(_FOLLOWERS))) + rb"]")

MAX_SEGMENTS: Final = 1 << 16


class Segment(NamedTuple):
    """A marker with its content.

    `start` is at the first fill byte, `body` after the length, `end` after the content; for a
    start of scan after the coded data.
    """

    marker: int
    start: int
    body: int
    end: int


def segments(data: Buffer) -> Iterator[Segment]:
    """The segments of the first picture, from the start of image to its end or that of the data.

    Bytes between two segments belong to none. `PictureError` if it does not begin like a JPEG.
    """
    if bytes(data[:2]) != b"\xff\xd8":
        raise PictureError("no start of image")
    yield Segment(_SOI, 0, 2, 2)
    at = 2
    for _ in range(MAX_SEGMENTS):
        match = _MARKER.search(data, at)
        if match is None:
            return
        marker, body = data[match.end() - 1], match.end()
        start = match.start()
        if all(byte == 0xFF for byte in data[at:start]):
            start = at
        if marker == _EOI or marker in _ALONE:
            yield Segment(marker, start, body, body)
            if marker == _EOI:
                return
            at = body
            continue
        length = int.from_bytes(data[body : body + 2], "big") if body + 2 <= len(data) else 0
        if length < 2:
            raise PictureError("a segment without a length")
        end = min(body + length, len(data))
        if marker == _SOS:
            after = _AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        yield Segment(marker, start, body + 2, end)
        at = end
    raise PictureError("too many segments")


def strip_jpeg(data: Buffer) -> Stripped:
    """The JPEG in `data` without place and further metadata; `PictureError` if it is none."""
    script = Script(data)
    found = list(segments(data))
    blocks = [_content(data, each) for each in found if each.marker == _APP1]
    xmp = b"".join(block[len(_XMP) :] for block in blocks if block.startswith(_XMP))
    parts = [block[len(PREFIX) :] for block in blocks if block.startswith(PREFIX)]
    # An EXIF that is too long for one segment goes on in the next ones.
    exif = renew_exif(b"".join(parts) if parts else None, xmp)
    script.leave_out(exif.left_out)
    pending = _exif_segments(exif.new)
    if parts and exif.new == exif.old:
        pending = b""
    at = 0
    after_scan = False
    for segment in found:
        if segment.start > at:
            script.leave_out(("other data",))
        at = segment.end
        if _is_exif(data, segment):
            if exif.new == exif.old:
                script.keep(segment.start, segment.end)
                after_scan = False
            elif pending:
                script.put(pending)
                pending = b""
                after_scan = False
            continue
        if after_scan and segment.marker not in _FOLLOWERS:
            # Without what stood between it would be read as coded data, and so would its content.
            script.leave_out(("other data",))
            continue
        if pending and not parts and segment.marker not in (_SOI, _APP0):
            script.put(pending)
            pending = b""
        words = _words(data, segment)
        if words:
            script.leave_out(words)
            remainder = _remainder(data, segment)
            script.put(remainder)
            after_scan = after_scan and not remainder
        else:
            script.keep(segment.start, segment.end)
            after_scan = segment.marker == _SOS
    if script.length <= len(b"\xff\xd8"):
        raise PictureError("no coded picture")
    if at < len(data):
        script.leave_out(_after_the_end(data, at))
    return script.finish()


def _content(data: Buffer, segment: Segment) -> bytes:
    return bytes(data[segment.body : segment.end])


def _is_exif(data: Buffer, segment: Segment) -> bool:
    return segment.marker == _APP1 and _content(data, segment).startswith(PREFIX)


def _exif_segments(tiff: bytes) -> bytes:
    """`tiff` as application segments; b"" for none."""
    if not tiff:
        return b""
    content = PREFIX + tiff
    if len(content) > 0xFFFD:
        raise PictureError("the EXIF is too long")
    return struct.pack(">BBH", 0xFF, _APP1, len(content) + 2) + content


def _words(data: Buffer, segment: Segment) -> set[LeftOut]:
    """What goes with a segment; nothing if it stays as it is."""
    marker, content = segment.marker, b""
    if marker == _COM:
        return {"comments"}
    if marker in _JPEG_EXTENSIONS or 0x02 <= marker < 0xC0:
        return {"other data"}
    if not _APP0 <= marker <= 0xEF:
        return set()
    content = _content(data, segment)
    if marker == _APP0 and content.startswith(b"JFIF\0"):
        return {"thumbnail"} if len(content) > _JFIF_SIZE else set()
    if marker == _APP0 and content.startswith(b"JFXX\0"):
        return {"thumbnail"}
    if marker == _APP1 and content.startswith((_XMP, _EXTENDED_XMP)):
        return xmp_words(content.partition(b"\0")[2])
    if marker == _APP2 and content.startswith(_ICC):
        return set()
    if marker == _APP2 and content.startswith(_MPF):
        return {"further pictures"}
    if marker == _APP11 and b"c2pa" in content:
        return {"C2PA"}
    if marker == _APP13:
        return photoshop_words(content) if b"8BIM" in content else iptc_words(content)
    if marker == _APP14 and content.startswith(b"Adobe"):
        return {"other data"} if len(content) > _ADOBE_SIZE else set()
    return {"other data"}


def _remainder(data: Buffer, segment: Segment) -> bytes:
    """What stays of a segment from which something goes: the part that says how to decode."""
    content = _content(data, segment)
    if segment.marker == _APP0 and content.startswith(b"JFIF\0"):
        content = content[: _JFIF_SIZE - 2] + b"\0\0"
    elif segment.marker == _APP14 and content.startswith(b"Adobe"):
        content = content[:_ADOBE_SIZE]
    else:
        return b""
    return struct.pack(">BBH", 0xFF, segment.marker, len(content) + 2) + content


_FILM: Final = re.compile(rb"ftyp(?:mp4|isom|iso\d|qt  |MSNV|avc1|hvc1|M4V)")
_SOMETHING: Final = re.compile(rb"[^\0]")
_PICTURE: Final = re.compile(rb"\xff\xd8\xff")


def _after_the_end(data: Buffer, at: int) -> set[LeftOut]:
    """What goes with the bytes after the picture; nothing goes with zeros."""
    if _SOMETHING.search(data, at) is None:
        return set()
    words: set[LeftOut] = set()
    if _FILM.search(data, at):
        words.add("clip")
    if _PICTURE.search(data, at):
        words.add("further pictures")
    return words or {"other data"}
