"""Boxes of the ISO base media file format, and the items of a HEIF or AVIF picture.

ISO/IEC 14496-12 (boxes, `iloc`, `iinf`, `iref`) and 23008-12 (`iprp`). A walk stops at the first
thing that is no box; what a box claims beyond its parent is cut off. Tables have limits, since a
table may claim entries of no bytes at all.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from .facts import Buffer, PictureError

MAX_BOXES: Final = 1 << 17
"""Boxes side by side; a fragmented film of an hour has some 10,000."""
MAX_ITEMS: Final = 1 << 16
"""Items, extents, properties and references of one picture; a large grid has about 1,000."""
MAX_TEXT: Final = 256
"""Bytes of a name or type of an item that are read."""
_NUL: Final = re.compile(rb"\0")


class Box(NamedTuple):
    """A box: its type, and the offsets of its header, its content and its end."""

    type: bytes
    start: int
    body: int
    end: int
    cut: bool = False
    """It claims more bytes than are there."""


def boxes(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes from `start` to `end`, as far as there are boxes; `PictureError` past `MAX_BOXES`.

    The content of a `uuid` box begins after its 16-byte identifier.
    """
    end = len(data) if end is None else min(end, len(data))
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            if start + 16 > end:
                return
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        elif size == 0:
            size = end - start
        if kind == b"uuid":
            body += 16
        if size < body - start:
            return
        stop = min(start + size, end)
        yield Box(kind, start, min(body, stop), stop, start + size > end)
        start = stop
    raise PictureError("too many boxes")


def child(data: Buffer, parent: Box, kind: bytes, skip: int = 0) -> Box | None:
    """The first box of type `kind` in `parent`, whose boxes begin `skip` bytes into its content."""
    inside = boxes(data, parent.body + skip, parent.end)
    return next((box for box in inside if box.type == kind), None)


class Extent(NamedTuple):
    """A run of bytes of the file."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a picture: a coded image, a grid of them, or a block of metadata.

    `type` is `hvc1`, `av01`, `grid`, `Exif`, `mime`, ...; `content_type` is that of a `mime` item
    (`application/rdf+xml` for XMP). `extents` lie in the file; () where they can't be found
    (`elsewhere`: in another file or another item). `properties` are in the order of `ipma`.
    """

    id: int
    type: bytes = b""
    name: str = ""
    content_type: str = ""
    extents: tuple[Extent, ...] = ()
    elsewhere: bool = False
    properties: tuple[Box, ...] = ()

    def property(self, kind: bytes) -> Box | None:
        """The first property of that type: `irot`, `imir`, `clap`, `ispe`, `auxC`, `colr`, ..."""
        return next((box for box in self.properties if box.type == kind), None)


class Reference(NamedTuple):
    """`type` as in `thmb`, `auxl`, `cdsc`, `dimg`, `prem`: item `source` points at `targets`."""

    type: bytes
    source: int
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Meta:
    """What the `meta` box of a HEIF or AVIF says; file offsets throughout."""

    box: Box
    primary: int | None
    items: dict[int, Item]
    references: tuple[Reference, ...]

    @property
    def primary_item(self) -> Item | None:
        """The picture that is shown."""
        return None if self.primary is None else self.items.get(self.primary)

    def of_type(self, kind: bytes) -> tuple[Reference, ...]:
        """The references of one type."""
        return tuple(reference for reference in self.references if reference.type == kind)

    @classmethod
    def find(cls, data: Buffer) -> Meta | None:
        """The file's own `meta`, or None if it has none; `PictureError` if it can't be read."""
        for box in boxes(data):
            if box.type == b"meta":
                return cls.read(data, box)
        return None

    @classmethod
    def read(cls, data: Buffer, box: Box) -> Meta:
        """Read a `meta` box; `PictureError` if a table in it is out of bounds."""
        parts = {part.type: part for part in boxes(data, box.body + 4, box.end)}
        try:
            return _meta(data, box, parts)
        except struct.error:
            raise PictureError("the tables of the picture are cut off") from None


def item_bytes(data: Buffer, item: Item, limit: int) -> bytes:
    """The content of an item, up to `limit` bytes."""
    pieces: list[bytes] = []
    for offset, length in item.extents:
        pieces.append(bytes(data[offset : offset + min(length, limit)]))
        limit -= len(pieces[-1])
        if limit <= 0:
            break
    return b"".join(pieces)


class _Reader:
    """Big-endian numbers, one after the other, up to the end of a box."""

    def __init__(self, data: Buffer, box: Box) -> None:
        self.data, self.at, self.end = data, box.body, box.end
        self.version, self.flags = 0, 0

    def number(self, size: int) -> int:
        if size == 0:
            return 0
        if self.at + size > self.end:
            raise struct.error
        value = int.from_bytes(self.data[self.at : self.at + size], "big")
        self.at += size
        return value

    def full_box(self) -> _Reader:
        self.version = self.number(1)
        self.flags = self.number(3)
        return self

    def text(self) -> str:
        """A text up to its NUL; of a long one only the beginning."""
        found = _NUL.search(self.data, self.at, self.end)
        stop = found.start() if found else self.end
        raw = bytes(self.data[self.at : min(stop, self.at + MAX_TEXT)])
        self.at = stop + 1
        return raw.decode("utf-8", "replace")


def _meta(data: Buffer, box: Box, parts: dict[bytes, Box]) -> Meta:
    primary = None
    if b"pitm" in parts:
        reader = _Reader(data, parts[b"pitm"]).full_box()
        primary = reader.number(4 if reader.version else 2)
    extents = _locations(data, parts[b"iloc"], parts.get(b"idat")) if b"iloc" in parts else {}
    infos = _infos(data, parts[b"iinf"]) if b"iinf" in parts else {}
    properties = _properties(data, parts[b"iprp"]) if b"iprp" in parts else {}
    items: dict[int, Item] = {}
    for number in [*infos, *(number for number in extents if number not in infos)]:
        kind, name, content_type = infos.get(number, (b"", "", ""))
        found = extents.get(number, ())
        items[number] = Item(
            id=number,
            type=kind,
            name=name,
            content_type=content_type,
            extents=found or (),
            elsewhere=found is None,
            properties=properties.get(number, ()),
        )
    references = _references(data, parts[b"iref"]) if b"iref" in parts else ()
    return Meta(box, primary, items, references)


def _locations(data: Buffer, iloc: Box, idat: Box | None) -> dict[int, tuple[Extent, ...] | None]:
    """Item to extents in the file; None for construction methods that lie elsewhere."""
    reader = _Reader(data, iloc).full_box()
    sizes = reader.number(1)
    offset_size, length_size = sizes >> 4, sizes & 15
    sizes = reader.number(1)
    base_size, index_size = sizes >> 4, (sizes & 15 if reader.version in (1, 2) else 0)
    wide = 4 if reader.version == 2 else 2
    found: dict[int, tuple[Extent, ...] | None] = {}
    total = 0
    for _ in range(reader.number(wide)):
        number = reader.number(wide)
        method = reader.number(2) & 15 if reader.version in (1, 2) else 0
        other_file = reader.number(2)
        base = reader.number(base_size)
        count = reader.number(2)
        total += count + 1
        if total > MAX_ITEMS:
            raise PictureError("too many pieces of items")
        start, end = (0, len(data)) if method == 0 else (idat.body, idat.end) if idat else (0, 0)
        runs: list[Extent] = []
        for _ in range(count):
            reader.number(index_size)
            offset = start + base + reader.number(offset_size)
            # A table without lengths means: all that is there.
            length = reader.number(length_size) if length_size else end - offset
            if offset < end and length > 0:
                runs.append(Extent(offset, min(length, end - offset)))
        found[number] = None if other_file or method not in (0, 1) else tuple(runs)
    return found


def _infos(data: Buffer, iinf: Box) -> dict[int, tuple[bytes, str, str]]:
    reader = _Reader(data, iinf).full_box()
    reader.number(4 if reader.version else 2)
    found: dict[int, tuple[bytes, str, str]] = {}
    for box in boxes(data, reader.at, iinf.end):
        if box.type != b"infe":
            continue
        entry = _Reader(data, box).full_box()
        number = entry.number(4 if entry.version == 3 else 2)
        entry.number(2)  # protection
        kind = entry.number(4).to_bytes(4, "big") if entry.version >= 2 else b"mime"
        name = entry.text()
        found[number] = (kind, name, entry.text() if kind == b"mime" else "")
        if len(found) > MAX_ITEMS:
            raise PictureError("too many items")
    return found


def _properties(data: Buffer, iprp: Box) -> dict[int, tuple[Box, ...]]:
    ipco = child(data, iprp, b"ipco")
    stored = list(boxes(data, ipco.body, ipco.end)) if ipco else []
    found: dict[int, list[Box]] = {}
    total = 0
    for ipma in boxes(data, iprp.body, iprp.end):
        if ipma.type != b"ipma":
            continue
        reader = _Reader(data, ipma).full_box()
        for _ in range(reader.number(4)):
            number = reader.number(4 if reader.version else 2)
            count = reader.number(1)
            total += count + 1
            if total > MAX_ITEMS:
                raise PictureError("too many properties")
            # The top bit says that the property is essential.
            indexes = [
                reader.number(2) & 0x7FFF if reader.flags & 1 else reader.number(1) & 0x7F
                for _ in range(count)
            ]
            found.setdefault(number, []).extend(
                stored[index - 1] for index in indexes if 0 < index <= len(stored)
            )
    return {number: tuple(of_item) for number, of_item in found.items()}


def _references(data: Buffer, iref: Box) -> tuple[Reference, ...]:
    outer = _Reader(data, iref).full_box()
    wide = 4 if outer.version else 2
    found: list[Reference] = []
    total = 0
    for box in boxes(data, outer.at, iref.end):
        reader = _Reader(data, box)
        source = reader.number(wide)
        count = reader.number(2)
        total += count + 1
        if total > MAX_ITEMS:
            raise PictureError("too many references")
        targets = tuple(reader.number(wide) for _ in range(count))
        found.append(Reference(box.type, source, targets))
    return tuple(found)
