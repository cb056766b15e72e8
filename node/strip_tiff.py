"""A TIFF or BigTIFF without its metadata: new directories around the strips and tiles of the old.

TIFF 6.0, BigTIFF (libtiff), TIFF/EP's tags only where they are harmless. Everything in a TIFF is
found by offset, so the whole frame is written anew: header, one directory a page with the tags that
decoding needs, then the coded data as they are. What this module does not understand it refuses,
since a picture could depend on it.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

from . import exif
from .edits import LeftOut, Script, Stripped
from .exif import (
    ALLOWED_EXIF,
    ALLOWED_IFD0,
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    IFD8,
    LONG,
    LONG8,
    MAKER_NOTE,
    ORIENTATION,
    Directory,
    Field,
    NewField,
    Tiff,
    kept_fields,
    pack_directory,
)
from .facts import Buffer, PictureError
from .strip_metadata import iptc_words, photoshop_words, xmp_orientation, xmp_words

MAX_PAGES: Final = 1000
MAX_PIECES: Final = 1 << 20
"""Strips and tiles of all pages."""
MAX_TAG: Final = 1 << 24
"""Bytes of one structural value: a colour profile, the offsets of all tiles."""

_COMPRESSION, _STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES = 259, 273, 279, 324, 325
_SUB_DIRECTORIES: Final = 330
_JPEG_TABLES: Final = 347
_JPEG: Final = 7
_UNDERSTOOD: Final = frozenset(
    # none, three kinds of fax, LZW, JPEG, deflate (twice), packed bits, LZMA, Zstandard, WebP, JXL
    (1, 2, 3, 4, 5, _JPEG, 8, 32773, 32946, 34925, 50000, 50001, 50002)
)
_STRUCTURE: Final = frozenset(
    (254, 255, 256, 257, 258, _COMPRESSION, 262, 263, 264, 265, 266, _STRIPS, 277, 278,
     _STRIP_SIZES, 280, 281, 284, 286, 287, 290, 291, 292, 293, 297, 301, 317, 320, 321, 322, 323,
     _TILES, _TILE_SIZES, 326, 327, 328, 332, 334, 336, 338, 339, 340, 341, 347, 433, 434, 530,
     34675)
)  # fmt: skip
"""Tags that say how the pixels are stored and what colour they are."""
_XMP, _IPTC, _PHOTOSHOP, _PHOTOSHOP_LAYERS = 700, 33723, 34377, 37724
_GEO: Final = frozenset((33550, 33920, 33922, 34264, 34735, 34736, 34737, 42112, 42113))
"""GeoTIFF: where on the map the picture lies."""
_TURNS: Final = tuple((turn,) for turn in range(1, 9))
_NESTED: Final = re.compile(rb"\xff\xe1..(?:Exif\x00|http:)|\xff\xed..Photoshop", re.DOTALL)


@dataclass(slots=True)
class _Page:
    fields: list[NewField]
    exif: list[NewField]
    pieces: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """(tag of the offsets, offset, length) of each strip or tile, in order."""
    metadata: list[int] = field(default_factory=list[int])
    """Where in the source that lies which does not stay."""


def strip_tiff(data: Buffer) -> Stripped:
    """The TIFF in `data` without place and further metadata.

    `PictureError` where it is none, or where a page can't be copied without knowing more.
    """
    tiff = Tiff.open(data)
    script = Script(data)
    pages: list[_Page] = []
    seen: set[int] = set()
    at = tiff.first
    while at:
        if at in seen or len(pages) >= MAX_PAGES:
            raise PictureError("the pages go round in a circle, or are too many")
        seen.add(at)
        directory = tiff.directory(at)
        pages.append(_page(tiff, directory, script))
        if sum(len(page.pieces) for page in pages) > MAX_PIECES:
            raise PictureError("too many strips")
        at = directory.next
    if not pages:
        raise PictureError("no page")
    metadata = sorted(
        {tiff.start, *(tiff.start + at for at in seen), *(a for p in pages for a in p.metadata)}
    )
    for _, start, length in (piece for page in pages for piece in page.pieces):
        found = bisect_left(metadata, start)
        if found < len(metadata) and metadata[found] < start + length:
            raise PictureError("metadata within the coded picture")
    _write(tiff, pages, script)
    if script.length < len(data) - 64 - 256 * len(pages):
        script.leave_out(("other data",))  # bytes that nothing points at
    return script.finish()


def _page(tiff: Tiff, directory: Directory, script: Script) -> _Page:
    by_tag: dict[int, Field] = {}
    for entry in directory.fields:
        if entry.tag in by_tag:
            script.leave_out(("other tags",))  # some readers take the second one
        by_tag.setdefault(entry.tag, entry)
    if directory.skipped:
        script.leave_out(("other tags",))
    if 256 not in by_tag or not by_tag.keys() & {_STRIPS, _TILES}:
        raise PictureError("a page without a picture")
    if _SUB_DIRECTORIES in by_tag:
        raise PictureError("pictures below a page")
    compression = _first(tiff, by_tag, _COMPRESSION) or 1
    if compression not in _UNDERSTOOD:
        raise PictureError(f"compression {compression} can't be copied safely")
    page = _Page(*_metadata(tiff, by_tag, script))
    for tag in by_tag.keys() - _STRUCTURE - ALLOWED_IFD0.keys():
        page.metadata.append(by_tag[tag].offset)
        if tag in (EXIF_DIRECTORY, GPS_DIRECTORY):
            page.metadata.append(tiff.start + (_first(tiff, by_tag, tag) or 0))
    for tag in sorted(_STRUCTURE & by_tag.keys()):
        entry = by_tag[tag]
        if tag in (_STRIPS, _TILES, _STRIP_SIZES, _TILE_SIZES):
            continue
        if entry.size > MAX_TAG:
            raise PictureError(f"tag {tag} is too long")
        raw = bytes(tiff.data[entry.offset : entry.offset + entry.size])
        if tag == _JPEG_TABLES and _NESTED.search(raw):
            raise PictureError("metadata within the coded picture")
        page.fields.append(NewField(tag, entry.type, entry.number, raw))
    for offsets, sizes in ((_STRIPS, _STRIP_SIZES), (_TILES, _TILE_SIZES)):
        if offsets in by_tag:
            page.pieces += _pieces(tiff, by_tag, offsets, sizes)
            page.fields.append(
                _sizes(tiff, sizes, [piece[2] for piece in page.pieces if piece[0] == offsets])
            )
    if compression == _JPEG:
        for _, start, length in page.pieces:
            match = _NESTED.search(tiff.data, start, start + length)
            if match:
                raise PictureError("metadata within the coded picture")
    return page


def _first(tiff: Tiff, by_tag: dict[int, Field], tag: int) -> int | None:
    entry = by_tag.get(tag)
    if entry is None or entry.size > 64:
        return None
    return next(iter(tiff.numbers(entry)), None)


def _pieces(
    tiff: Tiff, by_tag: dict[int, Field], offsets: int, sizes: int
) -> list[tuple[int, int, int]]:
    if sizes not in by_tag:
        raise PictureError("strips without a length")
    if by_tag[offsets].size > MAX_TAG or by_tag[sizes].size > MAX_TAG:
        raise PictureError("too many strips")
    starts, lengths = tiff.numbers(by_tag[offsets]), tiff.numbers(by_tag[sizes])
    if len(starts) != len(lengths) or not starts:
        raise PictureError("strips and their lengths don't match")
    pieces: list[tuple[int, int, int]] = []
    for start, length in zip(starts, lengths, strict=True):
        if start + length > tiff.end - tiff.start:
            raise PictureError("a strip lies beyond the end")
        pieces.append((offsets, tiff.start + start, length))
    return pieces


def _sizes(tiff: Tiff, tag: int, lengths: list[int]) -> NewField:
    kind, code = (LONG8, "Q") if tiff.big and max(lengths) >= 1 << 32 else (LONG, "I")
    raw = struct.pack(f"{tiff.order}{len(lengths)}{code}", *lengths)
    return NewField(tag, kind, len(lengths), raw)


def _metadata(
    tiff: Tiff, by_tag: dict[int, Field], script: Script
) -> tuple[list[NewField], list[NewField]]:
    """The fields of metadata that stay, of the page and of its EXIF directory."""
    words: set[LeftOut] = set()
    values = {
        tag: tiff.value(entry)
        for tag, entry in by_tag.items()
        if tag in ALLOWED_IFD0 and entry.size <= exif.MAX_VALUES
    }
    if exif.place_in_text(exif.Exif(ifd0=values)):
        words.add("place")
    packet = b""
    for tag in by_tag.keys() - _STRUCTURE - ALLOWED_IFD0.keys() - {EXIF_DIRECTORY}:
        entry = by_tag[tag]
        raw = bytes(tiff.data[entry.offset : entry.offset + min(entry.size, MAX_TAG)])
        if tag == _XMP:
            packet = raw
            words |= xmp_words(raw)
        elif tag == _IPTC:
            words |= iptc_words(raw)
        elif tag in (_PHOTOSHOP, _PHOTOSHOP_LAYERS):
            words |= photoshop_words(raw)
        elif tag in _GEO or tag == GPS_DIRECTORY:
            words.add("place")
        else:
            words.add("other tags")
    if ORIENTATION not in values and (turn := xmp_orientation(packet)):
        values[ORIENTATION] = (turn,)
    if values.get(ORIENTATION) not in _TURNS:
        values.pop(ORIENTATION, None)
    exif_values: dict[int, exif.Value] = {}
    at = _first(tiff, by_tag, EXIF_DIRECTORY)
    if at:
        below = tiff.directory(at)
        if (
            below.next
            or below.skipped
            or len({each.tag for each in below.fields}) < len(below.fields)
        ):
            words.add("other tags")
        for entry in below.fields:
            if entry.tag == MAKER_NOTE:
                words.add("maker notes")
            elif entry.tag not in ALLOWED_EXIF:
                words.add("comments" if entry.tag == 0x9286 else "other tags")
            elif entry.size <= exif.MAX_TEXT + 1:  # with its NUL
                exif_values.setdefault(entry.tag, tiff.value(entry))
            else:
                words.add("other tags")
    if exif.place_in_text(exif.Exif(exif=exif_values)):
        words.add("place")
    own = kept_fields(values, ALLOWED_IFD0, little=tiff.little)
    sub = kept_fields(exif_values, ALLOWED_EXIF, little=tiff.little)
    allowed = by_tag.keys() & ALLOWED_IFD0.keys()
    if not allowed <= {each.tag for each in own} or len(sub) < len(exif_values):
        words.add("other tags")  # of another type than the tag has, and so of no sense
    script.leave_out(words)
    return own, sub


def _write(tiff: Tiff, pages: list[_Page], script: Script) -> None:
    """Header, directories and coded data, in this order."""
    runs = _runs(pages)
    head = 16 if tiff.big else 8
    size = head + sum(len(_directories(tiff, page, 0, {}, last=True)) for page in pages)
    # Old offset to new: the runs follow each other in the order of the source.
    moved: dict[int, int] = {}
    at = size
    for start, end, inside in runs:
        for offset in inside:
            moved[offset] = at + offset - start
        at += end - start
    if at >= 1 << 32 and not tiff.big:
        raise PictureError("too long")
    script.put(_header(tiff, head))
    for index, page in enumerate(pages):
        script.put(_directories(tiff, page, script.length, moved, last=index == len(pages) - 1))
    for start, end, _ in runs:
        script.keep(start, end)


def _header(tiff: Tiff, first: int) -> bytes:
    mark = b"II" if tiff.little else b"MM"
    if tiff.big:
        return mark + struct.pack(tiff.order + "HHHQ", 43, 8, 0, first)
    return mark + struct.pack(tiff.order + "HI", 42, first)


def _runs(pages: list[_Page]) -> list[tuple[int, int, set[int]]]:
    """The coded data as (start, end, offsets of pieces within), joined where they overlap.

    Pages may share strips, and a hostile file may name the same bytes a million times.
    """
    runs: list[tuple[int, int, set[int]]] = []
    spans = {(start, length) for page in pages for _, start, length in page.pieces}
    for start, length in sorted(spans):
        if runs and start <= runs[-1][1]:
            first, end, inside = runs[-1]
            inside.add(start)
            runs[-1] = (first, max(end, start + length), inside)
        else:
            runs.append((start, start + length, {start}))
    return runs


def _directories(tiff: Tiff, page: _Page, at: int, moved: dict[int, int], *, last: bool) -> bytes:
    """The directory of a page and its EXIF directory, for offset `at` of the copy."""
    fields = list(page.fields)
    kind, code = (LONG8, "Q") if tiff.big else (LONG, "I")
    for tag in (_STRIPS, _TILES):
        offsets = [moved.get(start, 0) for own, start, _ in page.pieces if own == tag]
        if offsets:
            raw = struct.pack(f"{tiff.order}{len(offsets)}{code}", *offsets)
            fields.append(NewField(tag, kind, len(offsets), raw))

    def pack(exif_at: int, following: int) -> bytes:
        pointer = struct.pack(tiff.order + code, exif_at)
        pointers = (
            [NewField(EXIF_DIRECTORY, IFD8 if tiff.big else LONG, 1, pointer)] if page.exif else []
        )
        return pack_directory([*fields, *pointers], at, following, little=tiff.little, big=tiff.big)

    own = len(pack(0, 0))
    below = (
        pack_directory(page.exif, at + own, little=tiff.little, big=tiff.big) if page.exif else b""
    )
    return pack(at + own, 0 if last else at + own + len(below)) + below
