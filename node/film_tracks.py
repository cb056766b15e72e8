"""Where the media of a film's tracks lie, from the sample tables of ISO/IEC 14496-12.

The tables are read with `array`, so a film of hours costs some megabytes and no time.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, Literal

from .facts import Buffer, PictureError
from .isobmff import Box, boxes, child

MAX_SAMPLES: Final = 1 << 23
"""Samples of one track; twelve hours of sound have about two million."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track: its `trak` box, number, handler (`vide`, `soun`, `meta`, ...), and its chunks.

    `chunks` are file offsets, `sizes` their lengths in bytes, or () where the tables don't tell
    them: sound of constant sample size counts frames, not bytes.
    """

    box: Box
    id: int
    handler: bytes
    chunks: tuple[int, ...]
    sizes: tuple[int, ...]


def read_track(data: Buffer, trak: Box) -> Track:
    """Read a `trak` box; `PictureError` where a table is cut off or too long."""
    tkhd = child(data, trak, b"tkhd")
    mdia = child(data, trak, b"mdia")
    hdlr = child(data, mdia, b"hdlr") if mdia else None
    minf = child(data, mdia, b"minf") if mdia else None
    stbl = child(data, minf, b"stbl") if minf else None
    number, handler = 0, b""
    if tkhd:
        wide = bytes(data[tkhd.body : tkhd.body + 1]) == b"\1"
        number = _number(data, tkhd.body + (20 if wide else 12), tkhd.end)
    if hdlr:
        handler = bytes(data[hdlr.body + 8 : min(hdlr.body + 12, hdlr.end)])
    tables = {box.type: box for box in boxes(data, stbl.body, stbl.end)} if stbl else {}
    chunks = _chunks(data, tables)
    return Track(trak, number, handler, chunks, _sizes(data, tables, len(chunks)))


def media_ranges(kept: list[Track], every: list[Track], media: list[Box]) -> list[tuple[int, int]]:
    """The bytes (start, end) of `media` that the tracks `kept` need.

    A chunk of unknown size goes on to the next chunk of any track, or to the end of its box.
    """
    ends = sorted({start for track in every for start in track.chunks} | {box.end for box in media})
    ranges: list[tuple[int, int]] = []
    for track in kept:
        for index, start in enumerate(track.chunks):
            if track.sizes:
                ranges.append((start, start + track.sizes[index]))
            else:
                after = bisect_right(ends, start)
                ranges.append((start, ends[after] if after < len(ends) else start))
    return ranges


def _number(data: Buffer, at: int, end: int) -> int:
    if at + 4 > end:
        raise PictureError("a table of the film is cut off")
    return int.from_bytes(data[at : at + 4], "big")


def _numbers(
    data: Buffer, at: int, end: int, count: int, code: Literal["B", "H", "I", "Q"]
) -> array[int]:
    """`count` big-endian numbers at `at`."""
    numbers: array[int] = array(code)
    size = count * numbers.itemsize
    if count > MAX_SAMPLES or at + size > end:
        raise PictureError("a table of the film is cut off")
    numbers.frombytes(bytes(data[at : at + size]))
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _chunks(data: Buffer, tables: dict[bytes, Box]) -> tuple[int, ...]:
    box = tables.get(b"co64", tables.get(b"stco"))
    if box is None:
        return ()
    count = _number(data, box.body + 4, box.end)
    code = "Q" if box.type == b"co64" else "I"
    return tuple(_numbers(data, box.body + 8, box.end, count, code))


def _sizes(data: Buffer, tables: dict[bytes, Box], chunks: int) -> tuple[int, ...]:
    samples = _sample_sizes(data, tables)
    stsc = tables.get(b"stsc")
    if samples is None or stsc is None:
        return ()
    count = _number(data, stsc.body + 4, stsc.end)
    rows = _numbers(data, stsc.body + 8, stsc.end, 3 * count, "I")
    sizes: list[int] = []
    sample = 0
    for row in range(count):
        # First chunk of the run, and samples in each of its chunks; the run ends at the next one.
        first, each = rows[3 * row], rows[3 * row + 1]
        last = rows[3 * row + 3] - 1 if row + 1 < count else chunks
        if first != len(sizes) + 1 or last > chunks:
            raise PictureError("the tables of the film contradict each other")
        for _ in range(first, last + 1):
            sizes.append(sum(samples[sample : sample + each]))
            sample += each
    if len(sizes) != chunks:
        raise PictureError("the tables of the film contradict each other")
    return tuple(sizes)


def _sample_sizes(data: Buffer, tables: dict[bytes, Box]) -> array[int] | None:
    """The size of each sample; None where all have one, or where there is no table."""
    if box := tables.get(b"stsz"):
        if _number(data, box.body + 4, box.end):
            return None
        count = _number(data, box.body + 8, box.end)
        return _numbers(data, box.body + 12, box.end, count, "I")
    if box := tables.get(b"stz2"):
        bits = _number(data, box.body + 4, box.end) & 0xFF
        count = _number(data, box.body + 8, box.end)
        if bits in (8, 16):
            return _numbers(data, box.body + 12, box.end, count, "B" if bits == 8 else "H")
        raise PictureError("samples of half a byte")
    return None
