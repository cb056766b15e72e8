"""EXIF in and out: what the reader takes of broken input, and what the builder never writes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import exif
from kinlight.node.exif import ASCII, LONG, RATIONAL, SHORT, Exif, NewField, Rational
from kinlight.node.facts import PictureError
from kinlight.node.strip_metadata import renew_exif

MAKE, SERIAL, DATE, ZONE = 0x010F, 0xA431, 0x9003, 0x9011
LATITUDE = (Rational(47, 1), Rational(30, 1), Rational(0, 1))


@pytest.fixture(params=[True, False], ids=["little", "big"])
def little(request: pytest.FixtureRequest) -> bool:
    return request.param


def tiff(fields: list[NewField], *, little: bool = True, following: int = 0) -> bytes:
    head = b"II*\0\x08\0\0\0" if little else b"MM\0*\0\0\0\x08"
    return head + exif.pack_directory(fields, 8, following, little=little)


def text(tag: int, value: bytes) -> NewField:
    return NewField(tag, ASCII, len(value), value)


def test_what_is_built_is_read_back(little: bool) -> None:
    source = Exif(
        ifd0={MAKE: "Kamera", 0x011A: (Rational(300, 1),)},
        exif={DATE: "2024:05:06 07:08:09", ZONE: "+02:00", 0x8827: (100,), 0x9000: b"0232"},
        interop={1: "R03"},
        little=little,
    )
    found = exif.read(exif.build(source, orientation=6))
    assert found.little is little
    assert found.orientation == 6
    assert found.ifd0.items() >= source.ifd0.items()
    assert found.exif.items() >= source.exif.items()
    assert found.interop == source.interop


def test_building_again_gives_the_same_bytes(little: bool) -> None:
    source = Exif(ifd0={MAKE: "Kamera"}, exif={DATE: "2024:05:06 07:08:09"}, little=little)
    once = exif.build(source, orientation=3)
    assert exif.build(exif.read(once), orientation=3) == once


def test_places_serials_notes_comments_and_thumbnails_are_never_built() -> None:
    source = Exif(
        ifd0={MAKE: "Kamera", 0x9C9C: b"secret", 0xC62F: "secret"},
        exif={exif.MAKER_NOTE: b"secret", 0x9286: b"secret", SERIAL: "secret", 0x9999: "secret"},
        gps={2: LATITUDE, 29: "secret"},
        thumbnail={0x0201: (1,), 0x0202: (2,)},
    )
    built = exif.build(source, orientation=None)
    found = exif.read(built)
    assert b"secret" not in built
    assert (found.ifd0, found.exif, found.gps, found.thumbnail) == ({MAKE: "Kamera"}, {}, {}, {})
    assert exif.dropped(source)
    assert not exif.dropped(found)


def test_nothing_to_say_builds_nothing() -> None:
    assert exif.build(Exif(gps={2: LATITUDE}), orientation=None) == b""


@pytest.mark.parametrize(
    "value",
    ["text", b"\1\2", (1, 2), (70000,), (-1,), (1.5,), (Rational(1, 2),), ()],
    ids=repr,
)
def test_a_number_that_makes_no_sense_is_left_out(value: exif.Value) -> None:
    assert exif.build(Exif(exif={0x8827: value}), orientation=None) == b""


def test_a_required_field_without_sense_gets_the_value_for_unknown() -> None:
    built = exif.build(Exif(ifd0={0x011A: "72"}, exif={0x9000: "0220"}), orientation=None)
    assert exif.read(built).ifd0[0x011A] == (Rational(72, 1),)
    assert exif.read(built).exif == {0x9000: b"0220"}


def test_a_long_text_is_cut_between_characters() -> None:
    built = exif.build(Exif(ifd0={0x8298: "ä" * 5000}), orientation=None)
    assert exif.read(built).ifd0[0x8298] == "ä" * (exif.MAX_TEXT // 2)


def test_texts_are_utf_8_or_latin_1_and_end_at_the_first_zero() -> None:
    found = exif.read(
        tiff([text(0x010E, b"Zo\xc3\xab\0rest\0"), text(MAKE, b"Zo\xeb  \0"), text(0x0110, b"")])
    )
    assert found.ifd0 == {0x010E: "Zoë", MAKE: "Zoë", 0x0110: ""}


@pytest.mark.parametrize("number", [0, 9, 255, 36865])
def test_an_orientation_out_of_range_is_none(number: int) -> None:
    raw = struct.pack("<H", number)
    found = exif.read(tiff([NewField(exif.ORIENTATION, SHORT, 1, raw)]))
    assert found.orientation is None
    assert found.ifd0[exif.ORIENTATION] == (number,)


def test_the_prefix_may_stand_before_the_header() -> None:
    block = exif.PREFIX + tiff([text(MAKE, b"Kamera\0")])
    assert exif.read(block).ifd0 == {MAKE: "Kamera"}


def test_an_exif_within_a_file_is_read_between_its_bounds() -> None:
    block = tiff([text(MAKE, b"Kamera\0")])
    data = memoryview(b"before" + block + b"after")
    assert exif.read(data, 6, 6 + len(block)).ifd0 == {MAKE: "Kamera"}
    assert exif.read(data, 6, 6 + len(block) - 2).ifd0 == {}  # the value is out of bounds


def test_values_out_of_bounds_and_unknown_types_are_absent() -> None:
    data = bytearray(tiff([text(MAKE, b"Kamera\0"), NewField(0x0110, 99, 1, b"")]))
    struct.pack_into("<I", data, 18, 0xFFFFFF00)
    assert exif.read(data).ifd0 == {}


def test_what_a_cut_off_directory_points_at_is_not_followed() -> None:
    whole = exif.build(Exif(exif={DATE: "2024:05:06 07:08:09"}), orientation=6)
    cut = bytearray(whole)
    struct.pack_into("<H", cut, 8, 2000)
    found = exif.read(cut)
    assert found.orientation == 6
    assert found.exif == {}


def test_a_directory_that_points_at_itself_ends() -> None:
    pointers = [NewField(tag, LONG, 1, struct.pack("<I", 8)) for tag in
                (exif.EXIF_DIRECTORY, exif.GPS_DIRECTORY)]  # fmt: skip
    found = exif.read(tiff(pointers, following=8))
    assert found.ifd0.keys() == found.gps.keys() == {exif.EXIF_DIRECTORY, exif.GPS_DIRECTORY}


def test_many_fields_over_the_same_bytes_stay_within_the_budget() -> None:
    many = [NewField(tag, 7, 60000, b"") for tag in range(1, 1900)]
    data = tiff(many) + bytes(60000)
    found = exif.read(data)
    assert sum(len(value) for value in found.ifd0.values()) <= exif.MAX_VALUES


def test_rationals_without_a_denominator_have_no_value(little: bool) -> None:
    raw = struct.pack(("<" if little else ">") + "4I", 0, 0, 1, 4)
    found = exif.read(tiff([NewField(0xA432, RATIONAL, 2, raw)], little=little))
    match found.ifd0[0xA432]:
        case (Rational() as unknown, Rational() as quarter):
            assert unknown.to_float() is None
            assert quarter.to_float() == 0.25
        case other:
            pytest.fail(repr(other))


def test_a_big_tiff_is_read() -> None:
    head = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16)
    block = head + exif.pack_directory([text(MAKE, b"A camera\0")], 16, little=True, big=True)
    assert exif.read(block).ifd0 == {MAKE: "A camera"}


@pytest.mark.parametrize("data", [b"", b"II", b"II*\0\0\0", b"JUNK" * 9, b"II+\0\x08\0\0\0"])
def test_what_is_no_tiff_is_refused(data: bytes) -> None:
    with pytest.raises(PictureError, match="no TIFF header"):
        exif.read(data)


@pytest.mark.parametrize(
    ("captured", "expected"),
    [
        ("2024-05-06T07:08:09", {DATE: "2024:05:06 07:08:09"}),
        ("2024-05-06T07:08:09.25+02:00",
         {DATE: "2024:05:06 07:08:09", ZONE: "+02:00", 0x9291: "25"}),
        ("2024-05-06T07:08:09Z", {DATE: "2024:05:06 07:08:09", ZONE: "+00:00"}),
    ],
)  # fmt: skip
def test_a_clean_exif_has_the_time_of_capture_only(
    captured: str, expected: dict[int, exif.Value]
) -> None:
    found = exif.read(exif.clean_exif(captured))
    assert {tag: value for tag, value in found.exif.items() if isinstance(value, str)} == expected
    assert found.orientation is None
    assert found.gps == {}


def test_a_clean_exif_of_no_date_is_nothing() -> None:
    assert exif.clean_exif("yesterday") == b""


def directories() -> st.SearchStrategy[bytes]:
    """TIFFs with a right header and fields of any kind."""
    fields = st.lists(
        st.tuples(
            st.sampled_from([*range(0x0100, 0x0120), 0x8769, 0x8825, 0x927C, 0xA005, 0x9003]),
            st.integers(0, 20),
            st.integers(0, 300) | st.sampled_from([0xFFFFFFFF, 0x80000000]),
            st.integers(0, 400),
        ),
        max_size=30,
    )

    def pack(rows: list[tuple[int, int, int, int]], tail: bytes, claimed: int) -> bytes:
        body = b"".join(struct.pack("<HHII", *row) for row in rows)
        return b"II*\0\x08\0\0\0" + struct.pack("<H", len(rows) + claimed) + body + tail

    return st.builds(pack, fields, st.binary(max_size=300), st.sampled_from([0, 0, 1, 60000]))


@given(st.binary(max_size=400) | directories())
def test_any_bytes_give_an_exif_or_a_picture_error(data: bytes) -> None:
    try:
        found = exif.read(data)
    except PictureError:
        return
    built = exif.build(found, orientation=found.orientation)
    if built:
        again = exif.read(built)
        assert again.orientation == found.orientation
        assert again.gps == {}
        assert exif.build(again, orientation=again.orientation) == built


# Ways on which readers reach what the allow-list does not name.


def raw_field(tag: int, kind: int, count: int, value: int | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.to_bytes(4, "little")
    return struct.pack("<HHI", tag, kind, count) + raw.ljust(4, b"\0")


def block(
    first: list[bytes],
    second: tuple[bytes, ...] = (),
    third: tuple[bytes, ...] = (),
    following: int = 0,
) -> bytes:
    """Directories one after the other, with six fractions behind the first."""

    def directory(fields: Sequence[bytes], following: int = 0) -> bytes:
        return struct.pack("<H", len(fields)) + b"".join(fields) + struct.pack("<I", following)

    made = b"II*\0\x08\0\0\0" + directory(first, following) + struct.pack("<12I", *[5, 1] * 6)
    return made + (directory(second) if second else b"") + (directory(third) if third else b"")


TURN = raw_field(0x0112, exif.SHORT, 1, 1)
CHROMA_AT = 8 + 6 + 2 * 12
CHROMA = raw_field(0x013F, exif.RATIONAL, 6, CHROMA_AT)
"""Explains the fractions."""
AFTER_TWO = CHROMA_AT + 48
AFTER_THREE = AFTER_TWO + 12
NORTH = raw_field(2, exif.RATIONAL, 3, CHROMA_AT + 12)
CHROMA_3 = raw_field(0x013F, exif.RATIONAL, 6, CHROMA_AT + 12)
VERSION = raw_field(0x9000, exif.UNDEFINED, 4, b"0232")

PLAIN = block(
    [TURN, CHROMA_3, raw_field(exif.EXIF_DIRECTORY, exif.LONG, 1, AFTER_THREE)], (VERSION,)
)
HIDDEN = {
    "a position below the EXIF directory": block(
        [TURN, CHROMA_3, raw_field(exif.EXIF_DIRECTORY, exif.LONG, 1, AFTER_THREE)],
        (VERSION, raw_field(exif.GPS_DIRECTORY, exif.LONG, 1, AFTER_THREE + 30)),
        (NORTH,),
    ),
    "a position below an interoperability directory of the first": block(
        [TURN, CHROMA_3, raw_field(exif.INTEROP_DIRECTORY, exif.LONG, 1, AFTER_THREE)],
        (raw_field(exif.GPS_DIRECTORY, exif.LONG, 1, AFTER_THREE + 18),),
        (NORTH,),
    ),
    "a second directory of positions": block(
        [
            CHROMA_3,
            raw_field(exif.GPS_DIRECTORY, exif.LONG, 1, 0),
            raw_field(exif.GPS_DIRECTORY, exif.LONG, 1, AFTER_THREE),
        ],
        (NORTH,),
    ),
    "a position of a thumbnail that is not there": block(
        [TURN, CHROMA], (raw_field(exif.GPS_DIRECTORY, exif.LONG, 1, AFTER_TWO + 18),), (NORTH,),
        AFTER_TWO,
    ),
    "a text after the end of a text": block([raw_field(0x010F, exif.ASCII, 4, b"a\0bc")])[:-48],
    "bytes that nothing explains": block([TURN, VERSION])[:-48] + b"48.8583",
    "a field of a type that is none": block([TURN, raw_field(0x010F, 99, 1, b"abcd")])[:-48],
    "a directory that is cut off": b"II*\0\x08\0\0\0\x09\0" + TURN + VERSION,
}  # fmt: skip


def test_an_exif_of_known_fields_alone_is_plain() -> None:
    assert exif.is_plain(PLAIN)
    assert renew_exif(PLAIN).new == PLAIN


@pytest.mark.parametrize("way", HIDDEN)
def test_an_exif_with_more_in_it_is_written_anew(way: str) -> None:
    renewed = renew_exif(HIDDEN[way])
    assert renewed.left_out
    assert renewed.new != renewed.old
    assert not renewed.new or exif.is_plain(renewed.new)


@pytest.mark.parametrize(
    "told",
    [
        '{"MAPLatitude":48.8583,"MAPLongitude":2.2945}',
        "48.8583, 2.2945",
        "48.8583 N 2.2945 E",
        "48.8583N",
        "48° 51' 29\" N",
        "+48.8583+002.2945/",
        "GPS 47",
        "geo:48.8,2.2",
    ],
)
def test_a_text_with_coordinates_is_left_out(told: str) -> None:
    found = tiff([text(0x8298, told.encode() + b"\0"), text(0x0110, b"X100\0")])
    renewed = renew_exif(found)
    assert "place" in renewed.left_out
    assert exif.read(renewed.new).ifd0 == {0x0110: "X100"}


def test_a_description_is_a_comment_and_goes() -> None:
    renewed = renew_exif(tiff([text(0x010E, b"At grandma's\0"), text(0x0110, b"X100\0")]))
    assert renewed.left_out == {"comments"}
    assert exif.read(renewed.new).ifd0 == {0x0110: "X100"}


@pytest.mark.parametrize(
    "told",
    [
        "© 2019-2021 Anna",
        "EF24-105mm f/4L IS USM",
        "12.0.1.234",
        "2019:06:09 12:57:29",
        "v1.23.456",
    ],
)
def test_a_text_without_coordinates_stays(told: str) -> None:
    assert not exif.tells_place(told)
