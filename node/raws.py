"""Camera raws: carried as bytes, shown by the preview that the camera put into them.

Nothing here develops a raw. A TIFF-like raw (DNG, CR2, NEF, ARW, PEF, ORF, RW2 and kin) lists its
previews in directories; a RAF names its one in the header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from .exif import Tiff
from .facts import Buffer, PictureError

MAX_DIRECTORIES: Final = 64
_SUB_DIRECTORIES: Final = 0x014A
_COMPRESSION: Final = 0x0103
_STRIPS: Final = 0x0111
_STRIP_SIZES: Final = 0x0117
_JPEG: Final = 0x0201
_JPEG_SIZE: Final = 0x0202
_PANASONIC_JPEG: Final = 0x002E
_JPEG_CODED: Final = (6, 7)
_LOSSLESS_FRAME: Final = b"\xff\xc3"
"""The raw data themselves are a JPEG too, of a kind that no viewer shows."""
_RAF: Final = b"FUJIFILMCCD-RAW"
_RAF_PLACE: Final = 84


def preview(data: Buffer) -> Buffer:
    """The largest JPEG that is there to be shown; `PictureError` if there is none."""
    found = [(length, offset) for offset, length in _previews(data) if _is_shown(data, offset)]
    if not found:
        raise PictureError("the raw holds no preview that can be shown")
    length, offset = max(found)
    return memoryview(data)[offset : offset + length]


def _is_shown(data: Buffer, offset: int) -> bool:
    head = bytes(data[offset : offset + 4096])
    return head.startswith(b"\xff\xd8\xff") and _LOSSLESS_FRAME not in head


def _previews(data: Buffer) -> Iterator[tuple[int, int]]:
    """(offset, length) of what claims to be one, within the file."""
    claims = _raf(data) if bytes(data[: len(_RAF)]) == _RAF else _tiff(data)
    for offset, length in claims:
        if 0 < offset < len(data) and length > 0:
            yield offset, min(length, len(data) - offset)


def _raf(data: Buffer) -> Iterator[tuple[int, int]]:
    if len(data) >= _RAF_PLACE + 8:
        yield struct.unpack_from(">II", data, _RAF_PLACE)


def _tiff(data: Buffer) -> Iterator[tuple[int, int]]:
    tiff = Tiff.open(data)
    waiting, seen = [tiff.first], set[int]()
    while waiting and len(seen) < MAX_DIRECTORIES:
        offset = waiting.pop()
        if offset in seen:
            continue
        seen.add(offset)
        directory = tiff.directory(offset)
        waiting.append(directory.next)
        fields = {field.tag: field for field in directory.fields}
        numbers = {
            tag: tiff.numbers(fields[tag])[:MAX_DIRECTORIES]
            for tag in (_SUB_DIRECTORIES, _COMPRESSION, _STRIPS, _STRIP_SIZES, _JPEG, _JPEG_SIZE)
            if tag in fields
        }
        waiting.extend(numbers.get(_SUB_DIRECTORIES, ()))
        for place, size in ((_JPEG, _JPEG_SIZE), (_STRIPS, _STRIP_SIZES)):
            match numbers.get(place, ()), numbers.get(size, ()):
                case (int(start),), (int(length),):
                    if place == _JPEG or numbers.get(_COMPRESSION, (0,))[0] in _JPEG_CODED:
                        yield start, length
                case _:
                    pass
        if _PANASONIC_JPEG in fields:
            yield fields[_PANASONIC_JPEG].offset, fields[_PANASONIC_JPEG].size
