"""The blocks of metadata of one picture, read and piled up by kind.

`containers` finds the blocks; here they are opened, together with what they hold of each other: XMP
and IPTC in a TIFF's tags, EXIF and thumbnails in Photoshop's resources, pictures in EXIF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from . import exif, hidden, iptc, quicktime, xmp
from .exif import Directory, Exif, Tiff, Value
from .facts import Buffer, PictureError
from .iptc import Datasets
from .quicktime import Film
from .xmp import Xmp

MAX_BLOCKS: Final = 32
"""Blocks of one kind that are read; edited files have three or four."""
MAX_BLOCK: Final = 8 << 20
"""Bytes of one block, unpacked; the largest are profiles of printers and depth maps in XMP."""
MAX_BYTES: Final = 16 << 20
"""Bytes of all blocks: tables may point at the same bytes again and again, and bombs unpack."""
MAX_DIRECTORIES: Final = 512
MAX_FIELDS: Final = 20_000
"""Fields in all directories of one TIFF."""

_XMP, _IPTC, _PHOTOSHOP, _ICC = 0x02BC, 0x83BB, 0x8649, 0x8773
_SUBDIRECTORIES, _SUBFILE_TYPE = 0x014A, 0x00FE
_JPEG_AT, _JPEG_LENGTH = 0x0201, 0x0202
_TIFF_HEADER: Final = re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+")
MAX_HEADER_AT: Final = 64
"""Where in an EXIF block the TIFF may begin; writers put various things in front of it."""


@dataclass(slots=True)
class Metadata:
    """What the blocks say. `inner` is of pictures and clips inside this one, for its place only."""

    exif: list[Exif] = field(default_factory=list[Exif])
    xmp: list[Xmp] = field(default_factory=list[Xmp])
    iptc: list[Datasets] = field(default_factory=list[Datasets])
    icc: bytes | None = None
    film: Film | None = None
    png_created: str | None = None
    png_modified: str | None = None
    hidden: set[str] = field(default_factory=set[str])
    clip: bool = False
    """A film lies in the file, beside the picture."""
    pictures: list[Buffer] = field(default_factory=list[Buffer])
    """JPEGs found inside blocks, each from its SOI on; what they say is still to be read."""
    inner: Metadata | None = None
    room: int = MAX_BYTES

    def piece(self, data: Buffer, start: int, end: int) -> bytes:
        """`data[start:end]`, as far as there is room for it."""
        size = max(0, min(end - start, MAX_BLOCK, self.room))
        self.room -= size
        return bytes(data[start : start + size])

    def within(self) -> Metadata:
        """The pile for pictures inside this one; its own, if it is one itself."""
        if self.inner is None:
            self.inner = Metadata()
            self.inner.inner = self.inner
        return self.inner

    def add_exif(self, block: Buffer) -> None:
        """An EXIF block: a TIFF after perhaps a few other bytes. A broken one adds nothing."""
        header = _TIFF_HEADER.search(block, 0, MAX_HEADER_AT)
        if header is None:
            return
        block = block[header.start() :]
        try:
            thumbnail = self._add_tiff(block, inside=True)
        except PictureError:
            return
        for at in hidden.jpegs(block):
            if thumbnail is None or not thumbnail[0] <= at < sum(thumbnail):
                self.hidden.add(hidden.PREVIEW)
            self.pictures.append(memoryview(block)[at:])

    def add_tiff(self, data: Buffer) -> None:
        """A whole TIFF file; `PictureError` if it is none."""
        self._add_tiff(data, inside=False)

    def _add_tiff(self, data: Buffer, *, inside: bool) -> tuple[int, int] | None:
        """Add a TIFF with what its tags hold; the offset and length of its JPEG thumbnail."""
        if len(self.exif) >= MAX_BLOCKS:
            return None
        self.exif.append(exif.read(data))
        tiff = Tiff.open(data)
        thumbnail, seen = None, set[int]()
        for index, directory in enumerate(_directories(tiff)):
            fields = {entry.tag: entry for entry in reversed(directory.fields)}
            for tag, add in (
                (_XMP, self.add_xmp),
                (_IPTC, self.add_iptc),
                (_PHOTOSHOP, self.add_photoshop),
                (_ICC, self.add_icc),
            ):
                if tag in fields and fields[tag].offset not in seen:
                    entry = fields[tag]
                    seen.add(entry.offset)
                    add(self.piece(data, entry.offset, entry.offset + entry.size))
            if index == 0:
                continue
            if exif.GPS_DIRECTORY in fields:
                self._add_gps(tiff, fields[exif.GPS_DIRECTORY])
            if _JPEG_AT in fields and _JPEG_LENGTH in fields:
                at = _first(tiff, fields[_JPEG_AT])
                length = _first(tiff, fields[_JPEG_LENGTH])
                if length and at + length <= len(data):
                    self.hidden.add(hidden.EXIF_THUMBNAIL)
                    thumbnail = thumbnail or (at, length)
            elif inside and 0x0111 in fields:
                self.hidden.add(hidden.EXIF_THUMBNAIL)
            elif _SUBFILE_TYPE in fields and _first(tiff, fields[_SUBFILE_TYPE]) & 1:
                self.hidden.add(hidden.PREVIEW)
        return thumbnail

    def _add_gps(self, tiff: Tiff, pointer: exif.Field) -> None:
        """The position of a further directory: for `within`, since the picture's own is known."""
        if len(self.within().exif) >= MAX_BLOCKS:
            return
        directory = tiff.directory(_first(tiff, pointer))
        gps: dict[int, Value] = {
            entry.tag: tiff.value(entry) for entry in directory.fields if entry.size < 256
        }
        self.within().exif.append(Exif(gps=gps))

    def add_xmp(self, packet: bytes) -> None:
        """An XMP packet."""
        if len(self.xmp) < MAX_BLOCKS:
            self.xmp.append(xmp.read(packet))

    def add_iptc(self, block: bytes) -> None:
        """A run of IPTC datasets."""
        if len(self.iptc) < MAX_BLOCKS:
            self.iptc.append(iptc.datasets(block))

    def add_icc(self, profile: bytes) -> None:
        """A colour profile: the first counts."""
        self.icc = self.icc or profile

    def add_photoshop(self, block: bytes) -> None:
        """Photoshop's resources, with the blocks that are in them."""
        for number, content in iptc.resources(block):
            if number == iptc.IPTC:
                self.add_iptc(content)
            elif number == iptc.XMP:
                self.add_xmp(content)
            elif number == iptc.ICC:
                self.add_icc(content)
            elif number in iptc.EXIF:
                self.add_exif(content)
            elif number in iptc.THUMBNAILS and content:
                self.hidden.add(hidden.PHOTOSHOP_THUMBNAIL)
                self.pictures += (memoryview(content)[at:] for at in hidden.jpegs(content))

    def add_film(self, data: Buffer, start: int, end: int | None = None) -> None:
        """A clip inside the picture, whose boxes begin at `start`."""
        self.clip = True
        self.hidden.add(hidden.VIDEO)
        try:
            film = quicktime.read(data, start, end)
        except PictureError:
            return
        self.within().film = self.within().film or film


def _first(tiff: Tiff, entry: exif.Field) -> int:
    return next(iter(tiff.numbers(entry)), 0) if entry.size <= 64 else 0


def _directories(tiff: Tiff) -> Iterator[Directory]:
    """The chain of directories and those below it, each once, within the limits."""
    waiting, seen, fields = [tiff.first], set[int](), 0
    while waiting and len(seen) < MAX_DIRECTORIES and fields < MAX_FIELDS:
        offset = waiting.pop(0)
        if offset in seen or not offset:
            continue
        seen.add(offset)
        directory = tiff.directory(offset)
        fields += len(directory.fields)
        yield directory
        for entry in directory.fields:
            if entry.tag == _SUBDIRECTORIES and entry.size <= 8 * MAX_DIRECTORIES:
                waiting += tiff.numbers(entry)
        waiting.append(directory.next)
