from __future__ import annotations

import struct

import pytest
from kinlight.node.capture import moment
from kinlight.node.inspecting import Findings, read_facts

from . import blocks

ORIGINAL, DIGITIZED, MODIFIED = 0x9003, 0x9004, 0x0132
OFFSET, OFFSET_ORIGINAL, OFFSET_DIGITIZED = 0x9010, 0x9011, 0x9012
FRACTION, FRACTION_ORIGINAL, FRACTION_DIGITIZED = 0x9290, 0x9291, 0x9292
TAKEN = "2019:06:09 12:57:29"


def facts(*segments: bytes) -> Findings:
    return read_facts(blocks.jpeg(*segments), "jpeg")


def of_exif(
    sub: blocks.Fields, ifd0: blocks.Fields | None = None, gps: blocks.Fields | None = None
) -> tuple[str | None, str | None]:
    found = facts(blocks.exif_segment(blocks.tiff(ifd0, sub, gps)))
    return found.captured, found.captured_source


def test_the_original_date_has_its_own_fraction_and_zone():
    sub = {
        ORIGINAL: TAKEN,
        OFFSET: "+01:00",
        OFFSET_ORIGINAL: "+02:00",
        FRACTION: "111",
        FRACTION_ORIGINAL: "835",
    }

    assert of_exif(sub) == ("2019-06-09T12:57:29.835+02:00", "exif:DateTimeOriginal")


def test_the_zone_of_another_date_is_not_taken():
    sub = {ORIGINAL: TAKEN, OFFSET: "+01:00", OFFSET_DIGITIZED: "+02:00", FRACTION: "5"}

    assert of_exif(sub) == ("2019-06-09T12:57:29", "exif:DateTimeOriginal")


def test_the_digitized_date_stands_in_for_the_original():
    sub = {DIGITIZED: TAKEN, OFFSET_DIGITIZED: "-05:30", FRACTION_DIGITIZED: "01 "}

    assert of_exif(sub) == ("2019-06-09T12:57:29.01-05:30", "exif:CreateDate")


def test_the_modification_date_is_better_than_none():
    assert of_exif({OFFSET: "+09:00"}, {MODIFIED: TAKEN}) == (
        "2019-06-09T12:57:29+09:00",
        "exif:ModifyDate",
    )


def test_the_time_of_the_satellites_comes_before_that_of_the_last_change():
    gps: blocks.Fields = {7: [(10, 1), (57, 1), (2999, 100)], 0x1D: "2019:06:09"}

    assert of_exif({}, {MODIFIED: "2024:01:01 00:00:01"}, gps) == (
        "2019-06-09T10:57:29+00:00",
        "gps:DateStamp",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "2019:13:01 00:00:00",
        "2019:02:30 12:00:00",
        "2019:06:09 25:00:00",
        "1904:01:01 00:00:00",
        "1970:01:01 00:00:00",
        "0001-01-01T00:00:00",
        "1904-01-01",
        "yesterday",
        "2019",
        "2019-06",
    ],
)
def test_zero_blank_and_impossible_dates_are_none(text: str):
    assert moment(text) is None
    assert of_exif({ORIGINAL: text, DIGITIZED: TAKEN})[1] == "exif:CreateDate"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019:06:09 12:57:29", "2019-06-09T12:57:29"),
        ("2019:06:09 12:57:29\0", "2019-06-09T12:57:29"),
        ("2019:06:09 12:57", "2019-06-09T12:57:00"),
        ("2019:06:09", "2019-06-09"),
        ("2019-06-09T12:57:29Z", "2019-06-09T12:57:29+00:00"),
        ("2019-06-09T12:57:29.835+0200", "2019-06-09T12:57:29.835+02:00"),
        ("2019/06/09 12:57:29-05:00", "2019-06-09T12:57:29-05:00"),
        ("2019-06-09T12:57:29.1234567891234", "2019-06-09T12:57:29.123456789"),
        ("2019-06-09T12:57:29+99:00", "2019-06-09T12:57:29"),
        ("1970:01:01 00:00:01", "1970-01-01T00:00:01"),
    ],
)
def test_dates_are_read_in_the_forms_that_writers_use(text: str, expected: str):
    assert moment(text) == expected


@pytest.mark.parametrize("zone", ["   :  ", "2", "+15:00", "+02:75", "local"])
def test_a_zone_that_is_none_is_left_out(zone: str):
    assert of_exif({ORIGINAL: TAKEN, OFFSET_ORIGINAL: zone})[0] == "2019-06-09T12:57:29"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("exif__DateTimeOriginal", "xmp:DateTimeOriginal"),
        ("photoshop__DateCreated", "xmp:DateCreated"),
        ("exif__DateTimeDigitized", "xmp:CreateDate"),
        ("xmp__CreateDate", "xmp:CreateDate"),
    ],
)
def test_xmp_dates_are_named_by_their_property(name: str, source: str):
    found = facts(blocks.xmp_segment(**{name: "2019-06-09T12:57:29+02:00"}))

    assert (found.captured, found.captured_source) == ("2019-06-09T12:57:29+02:00", source)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("125729+0200", "2019-06-09T12:57:29+02:00"),
        ("125729", "2019-06-09T12:57:29"),
        ("", "2019-06-09"),
        ("995729", "2019-06-09"),
    ],
)
def test_an_iptc_date_counts_without_its_time_too(time: str, expected: str):
    found = facts(
        blocks.photoshop_segment(blocks.resource(0x0404, blocks.iptc(n55="20190609", n60=time)))
    )

    assert (found.captured, found.captured_source) == (expected, "iptc:DateCreated")


def test_a_film_has_the_local_time_of_its_keys():
    film = blocks.movie(
        blocks.movie_header(3_600_000_000),
        blocks.keys(creationdate="2023-09-22T18:34:05+0200"),
    )
    found = read_facts(film, "mov")

    assert found.captured == "2023-09-22T18:34:05+02:00"
    assert found.captured_source == "quicktime:CreationDate"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (2_082_844_800 + 1_560_077_849, "2019-06-09T10:57:29+00:00"),
        (1_560_077_849, "2019-06-09T10:57:29+00:00"),  # counted from 1970, as some do
        (0, None),
        (2_082_844_800, None),
    ],
)
def test_the_header_of_a_film_counts_in_utc(seconds: int, expected: str | None):
    found = read_facts(blocks.movie(blocks.movie_header(seconds)), "mov")

    assert found.captured == expected
    assert found.captured_source == (expected and "quicktime:CreateDate")


def test_a_png_without_a_better_date_has_that_of_its_last_change():
    chunk = struct.pack(">IHBBBBB", 7, 2019, 6, 9, 12, 57, 29)
    png = b"\x89PNG\r\n\x1a\n" + chunk[:4] + b"tIME" + chunk[4:] + bytes(4)
    found = read_facts(png, "png")

    assert (found.captured, found.captured_source) == ("2019-06-09T12:57:29+00:00", "png:tIME")


def test_a_png_tells_in_words_when_it_was_made():
    text = b"Creation Time\x002019:06:09 12:57:29"
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(text)) + b"tEXt" + text + bytes(4)
    found = read_facts(png, "png")

    assert (found.captured, found.captured_source) == ("2019-06-09T12:57:29", "png:CreationTime")
