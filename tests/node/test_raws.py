from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import exif, raws
from kinlight.node.decoder import Decoder
from kinlight.node.exif import NewField, pack_directory
from kinlight.node.facts import PictureError
from kinlight.node.inspecting import read_facts
from kinlight.node.picture_errors import PictureRefusedError
from kinlight.node.sniffing import sniff
from PIL import Image

from . import blocks


def jpeg(size: tuple[int, int]) -> bytes:
    sink = io.BytesIO()
    Image.linear_gradient("L").crop((0, 0, *size)).save(sink, "JPEG")
    return sink.getvalue()


def long(tag: int, *values: int) -> NewField:
    return NewField(tag, exif.LONG, len(values), struct.pack(f"<{len(values)}I", *values))


def raw(*previews: bytes, orientation: int = 6, dng: bool = True) -> bytes:
    """A raw whose first directory is a thumbnail in strips, with the JPEGs in sub-directories."""
    head, pixels = b"II*\0" + struct.pack("<I", 12), bytes(4)
    version = [NewField(0xC612, exif.BYTE, 4, bytes([1, 4, 0, 0]))] if dng else []

    def first(places: list[int]) -> bytes:
        fields = [
            long(0x00FE, 1), long(0x0100, 2), long(0x0101, 2), long(0x0103, 1), long(0x0111, 8),
            long(0x0112, orientation), long(0x0117, 4), long(0x014A, *places), *version,
        ]  # fmt: skip
        return pack_directory(fields, 12, little=True)

    at = 12 + len(first([0] * len(previews)))
    places: list[int] = []
    tail = b""
    for data in previews:
        place = at + len(tail)
        places.append(place)
        blank = pack_directory([long(0x0103, 7), long(0x0111, 0), long(0x0117, 0)], 0, little=True)
        fields = [long(0x0103, 7), long(0x0111, place + len(blank)), long(0x0117, len(data))]
        tail += pack_directory(fields, place, little=True) + data
    return head + pixels + first(places) + tail


async def test_a_raw_is_shown_by_its_largest_preview_turned_as_the_raw_says() -> None:
    data = raw(jpeg((32, 16)), jpeg((160, 96)))
    assert sniff(data) == "dng"
    async with Decoder() as decoder:
        facts = await decoder.inspect(data)
        assert (facts.format, facts.refused) == ("dng", None)
        assert (facts.stored, facts.upright, facts.orientation) == ((160, 96), (96, 160), 6)
        assert "preview-image" in facts.hidden
        pixels = await decoder.pixels(data, max_px=80)
        assert (pixels.width, pixels.height) == (48, 80)


async def test_a_raw_without_a_preview_is_refused_by_that_name() -> None:
    lossless = b"\xff\xd8\xff\xc3" + bytes(40)
    async with Decoder() as decoder:
        for data in (raw(), raw(lossless)):
            assert "preview" in ((await decoder.inspect(data)).refused or "")
            with pytest.raises(PictureRefusedError):
                await decoder.pixels(data)


def test_a_raw_without_a_dng_version_is_known_by_its_first_directory() -> None:
    assert sniff(raw(jpeg((8, 8)), dng=False)) == "raw"
    raf = b"FUJIFILMCCD-RAW " + bytes(68) + struct.pack(">II", 92, 9999) + jpeg((8, 8))
    assert sniff(raf) == "raf"
    assert bytes(raws.preview(raf)) == jpeg((8, 8))


def test_a_raf_tells_what_its_preview_tells() -> None:
    place = blocks.tiff({0x0112: 6}, gps={1: "N", 2: [(47, 1), (30, 1), (0, 1)]})
    preview = blocks.jpeg(blocks.exif_segment(place))
    raf = b"FUJIFILMCCD-RAW " + bytes(68) + struct.pack(">II", 92, len(preview)) + preview
    found = read_facts(raf, "raf")
    assert found.location
    assert found.orientation_hint == 6
    for cut in range(len(raf)):
        read_facts(raf[:cut], "raf")


def test_directories_that_go_round_end() -> None:
    data = bytearray(raw(jpeg((8, 8))))
    where = bytes(data).index(struct.pack("<HHI", 0x014A, exif.LONG, 1)) + 8
    data[where : where + 4] = struct.pack("<I", 12)
    with pytest.raises(PictureError):
        raws.preview(bytes(data))


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes_give_a_preview_or_a_reason(noise: bytes, place: int) -> None:
    data = bytearray(raw(jpeg((8, 8))))
    data[place : place + len(noise)] = noise
    try:
        found = raws.preview(bytes(data))
    except PictureError:
        return
    assert bytes(found[:3]) == b"\xff\xd8\xff"
