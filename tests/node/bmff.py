"""Makes boxes of the ISO base media file format, and HEIF files and films of them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full(kind: bytes, content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + content)


def iloc(items: Sequence[tuple[int, int, Sequence[tuple[int, int]]]]) -> bytes:
    """Rows of (item, construction method, extents as (offset, length))."""
    rows = b"".join(
        struct.pack(">HHHH", item, method, 0, len(extents))
        + b"".join(struct.pack(">II", *extent) for extent in extents)
        for item, method, extents in items
    )
    return full(b"iloc", b"\x44\0" + struct.pack(">H", len(items)) + rows, version=1)


def infe(item: int, kind: bytes, texts: bytes = b"\0") -> bytes:
    return full(b"infe", struct.pack(">HH4s", item, 0, kind) + texts, version=2)


def heif(
    locations: bytes,
    *,
    infos: bytes,
    idat: bytes = b"",
    properties: Sequence[bytes] = (),
    associations: Mapping[int, Sequence[int]] | None = None,
    references: bytes = b"",
    more: bytes = b"",
) -> bytes:
    """`ftyp` and `meta` of a picture whose primary item is 1."""
    rows = b"".join(
        struct.pack(">HB", item, len(indexes)) + bytes(indexes)
        for item, indexes in (associations or {}).items()
    )
    ipma = full(b"ipma", struct.pack(">I", len(associations or {})) + rows)
    content = full(b"hdlr", bytes(4) + b"pict" + bytes(13))
    content += full(b"pitm", struct.pack(">H", 1)) + locations
    content += full(b"iinf", struct.pack(">H", infos.count(b"infe")) + infos)
    content += box(b"iprp", box(b"ipco", b"".join(properties)) + ipma)
    content += full(b"iref", references) if references else b""
    content += box(b"idat", idat) if idat else b""
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + full(b"meta", content + more)


def track(number: int, handler: bytes, chunks: Sequence[int], sizes: Sequence[int]) -> bytes:
    """A `trak` with one sample a chunk; without `sizes`, with samples of one byte."""
    tkhd = full(b"tkhd", bytes(8) + struct.pack(">I", number) + bytes(68))
    table = struct.pack(">II", 0 if sizes else 1, len(sizes)) + struct.pack(
        f">{len(sizes)}I", *sizes
    )
    stbl = full(b"stsz", table)
    stbl += full(b"stsc", struct.pack(">4I", 1, 1, 1, 1))
    stbl += full(b"stco", struct.pack(f">I{len(chunks)}I", len(chunks), *chunks))
    hdlr = full(b"hdlr", bytes(4) + handler + bytes(13))
    return box(b"trak", tkhd + box(b"mdia", hdlr + box(b"minf", box(b"stbl", stbl))))
