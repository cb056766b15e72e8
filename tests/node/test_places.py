from __future__ import annotations

import struct

import pytest
from kinlight.node.inspecting import Findings, read_facts

from . import blocks

NORTH_EAST: blocks.Fields = {
    1: "N",
    2: [(51, 1), (10, 1), (4260, 100)],
    3: "E",
    4: [(7, 1), (30, 1), (0, 1)],
}


def of_gps(gps: blocks.Fields) -> Findings:
    return read_facts(blocks.jpeg(blocks.exif_segment(blocks.tiff({}, {}, gps))), "jpeg")


def of_xmp(**properties: str) -> Findings:
    return read_facts(blocks.jpeg(blocks.xmp_segment(**properties)), "jpeg")


def test_a_gps_block_gives_the_position_in_degrees():
    found = of_gps(NORTH_EAST)

    assert found.location
    assert found.position == pytest.approx((51.1785, 7.5))


def test_south_and_west_are_negative():
    found = of_gps({**NORTH_EAST, 1: "S", 3: "W"})

    assert found.position == pytest.approx((-51.1785, -7.5))


@pytest.mark.parametrize(
    "gps",
    [
        pytest.param({5: b"\0", 0x11: [(90, 1)], 0x1D: "2019:06:09"}, id="direction and date"),
        pytest.param({6: [(340, 1)]}, id="height"),
        pytest.param({2: [(0, 0)] * 3, 4: [(0, 0)] * 3}, id="fractions 0/0"),
        pytest.param({1: "N", 2: "", 3: "E", 4: ""}, id="blank"),
        pytest.param({0: b"\2\3\0\0"}, id="only the version"),
    ],
)
def test_a_gps_block_that_leads_nowhere_is_no_location(gps: blocks.Fields):
    found = of_gps(gps)

    assert not found.location
    assert found.position is None


@pytest.mark.parametrize(
    "gps",
    [
        pytest.param({**NORTH_EAST, 2: [(91, 1), (0, 1), (0, 1)]}, id="beyond the pole"),
        pytest.param({**NORTH_EAST, 4: [(0, 0), (0, 0), (0, 0)]}, id="half"),
        pytest.param({**NORTH_EAST, 1: ""}, id="which half of the globe"),
        pytest.param({**NORTH_EAST, 2: [(0, 1)] * 3, 4: [(0, 1)] * 3}, id="0, 0"),
    ],
)
def test_a_position_that_cannot_be_is_none_but_it_is_still_said_to_be_there(gps: blocks.Fields):
    found = of_gps(gps)

    assert found.location
    assert found.position is None


def test_degrees_in_one_fraction_need_no_minutes():
    found = of_gps({**NORTH_EAST, 2: [(511785, 10000), (0, 0), (0, 0)]})

    assert found.position == pytest.approx((51.1785, 7.5))


@pytest.mark.parametrize("tag", [0x14, 0x16])
def test_where_the_camera_looks_is_a_location_too(tag: int):
    assert of_gps({tag: [(51, 1), (0, 1), (0, 1)]}).location


def test_the_area_in_words_is_a_location():
    assert of_gps({0x1C: b"ASCII\0\0\0Budapest"}).location
    assert not of_gps({0x1C: b"ASCII\0\0\0\0\0"}).location


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [("51,10.71N", "7,30W"), ("51,10,42.6N", "7,30,0W"), ("+51.1785", "-7.5")],
)
def test_xmp_positions_are_read_in_all_their_forms(latitude: str, longitude: str):
    found = of_xmp(exif__GPSLatitude=latitude, exif__GPSLongitude=longitude)

    assert found.location
    assert found.position == pytest.approx((51.1785, -7.5))


def test_drones_spell_it_as_they_like():
    found = of_xmp(drone__GpsLatitude="+47.35", drone__GpsLongtitude="+10.19")

    assert found.location
    assert found.position == (47.35, 10.19)


def test_xmp_gps_properties_without_a_position_are_no_location():
    assert not of_xmp(exif__GPSVersionID="2.3.0.0", exif__GPSTimeStamp="2018-07-25").location


def test_the_place_in_words_goes_from_small_to_large():
    found = of_xmp(
        photoshop__Country="Hungary", photoshop__City="Budapest", Iptc4xmpExt__Sublocation="Buda"
    )

    assert found.location
    assert found.place == "Buda, Budapest, Hungary"


def test_iptc_names_the_place_where_xmp_does_not():
    datasets = blocks.iptc(n101="Hungary", n90="Budapest\n", n92="Buda")
    found = read_facts(
        blocks.jpeg(blocks.photoshop_segment(blocks.resource(0x0404, datasets))), "jpeg"
    )

    assert found.location
    assert found.place == "Buda, Budapest, Hungary"


@pytest.mark.parametrize(
    "text", ["+51.1785-007.5000+051.178/", "+5110.71-00730.0/", "+511042.6-0073000/"]
)
def test_a_film_tells_its_position_by_iso_6709(text: str):
    found = read_facts(blocks.movie(blocks.keys(location__ISO6709=text)), "mov")

    assert found.location
    assert found.position == pytest.approx((51.1785, -7.5))


def test_a_film_tells_its_position_in_its_user_data():
    text = b"+51.1785-007.5000/"
    position = blocks.box(b"\xa9xyz", struct.pack(">HH", len(text), 0x15C7), text)
    found = read_facts(blocks.movie(blocks.box(b"udta", position)), "mp4")

    assert found.location
    assert found.position == pytest.approx((51.1785, -7.5))


def test_a_film_tells_its_position_in_a_location_box():
    numbers = struct.pack(">Biii", 0, int(-7.5 * 65536), int(51.1785 * 65536), 0)
    place = blocks.box(b"loci", bytes(4), b"\x15\xc7", b"Home\0", numbers, b"earth\0\0")
    found = read_facts(blocks.movie(blocks.box(b"udta", place)), "mp4")

    assert found.location
    assert found.position == pytest.approx((51.1785, -7.5), abs=1e-4)


@pytest.mark.parametrize("where", ["thumbnail", "second picture", "clip"])
def test_a_position_inside_the_file_counts_wherever_it_is(where: str):
    position = blocks.exif_segment(blocks.tiff({}, {}, NORTH_EAST))
    inner = blocks.jpeg(position)
    match where:
        case "thumbnail":
            data = blocks.jpeg(blocks.exif_segment(blocks.tiff({}, thumbnail=inner)))
        case "second picture":
            data = blocks.jpeg(after=inner)
        case _:
            data = blocks.jpeg(after=blocks.movie(blocks.keys(location__ISO6709="+51.1785+007.5/")))
    found = read_facts(data, "jpeg")

    assert found.location
    assert found.position == pytest.approx((51.1785, 7.5))
