from __future__ import annotations

import struct

import pytest
from kinlight.node import exif
from kinlight.node.exif import NewField, pack_directory
from kinlight.node.inspecting import read_facts

from . import blocks

IDENTIFIER = "570F1469-09C7-4E50-9875-05F21D5BD166"
FILM = blocks.movie(blocks.movie_header(3_600_000_000))


def apple_still(identifier: str) -> bytes:
    raw = identifier.encode() + b"\0"
    fields = [NewField(0x0011, exif.ASCII, len(raw), raw)]
    note = b"Apple iOS\0\0\1MM" + pack_directory(fields, 14, little=False)
    return blocks.jpeg(blocks.exif_segment(blocks.tiff({}, {exif.MAKER_NOTE: note})))


def test_the_still_and_the_clip_of_a_live_photo_bear_one_mark():
    still = read_facts(apple_still(IDENTIFIER), "jpeg")
    clip = read_facts(blocks.movie(blocks.keys(content__identifier=IDENTIFIER.lower())), "mov")

    assert still.pair == clip.pair == f"live:{IDENTIFIER}"


@pytest.mark.parametrize("identifier", ["", "x", "../../etc/passwd", "A" * 65, "ABCDEFGH\x1b[2J"])
def test_a_mark_that_is_no_identifier_is_none(identifier: str):
    assert read_facts(apple_still(identifier), "jpeg").pair is None


def test_a_film_right_after_the_picture_needs_no_marker():
    found = read_facts(blocks.jpeg(after=FILM), "jpeg")

    assert found.pair == "motion"
    assert found.hidden == ("video",)


def test_a_film_after_a_trailer_is_found():
    found = read_facts(blocks.jpeg(after=b"\0\0\x30\x0aMotionPhoto_Data" + FILM), "jpeg")

    assert found.pair == "motion"


@pytest.mark.parametrize("name", ["GCamera__MotionPhoto", "GCamera__MicroVideo"])
def test_an_announced_clip_counts_though_it_is_broken(name: str):
    found = read_facts(blocks.jpeg(blocks.xmp_segment(**{name: "1"}), after=b"no film"), "jpeg")

    assert found.pair == "motion"
    assert found.hidden == ("video",)


def test_an_announced_clip_that_is_not_there_is_none():
    found = read_facts(blocks.jpeg(blocks.xmp_segment(GCamera__MotionPhoto="1")), "jpeg")

    assert found.pair is None
    assert found.hidden == ()


@pytest.mark.parametrize("clip", [blocks.box(b"mpvd", FILM), FILM])
def test_a_heif_carries_its_clip_in_a_box_or_after_its_end(clip: bytes):
    still = blocks.box(b"ftyp", b"heic\0\0\0\0heic") + blocks.box(b"meta", bytes(4))

    assert read_facts(still + clip, "heif").pair == "motion"
    assert read_facts(still, "heif").pair is None


def test_a_jpeg_with_bytes_behind_it_is_no_motion_photo_by_that():
    assert read_facts(blocks.jpeg(after=struct.pack(">I", 24) + b"what"), "jpeg").pair is None
