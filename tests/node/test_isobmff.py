"""Boxes and items of HEIF files made here, whole and broken."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node.facts import PictureError
from kinlight.node.isobmff import MAX_BOXES, Box, Extent, Meta, Reference, boxes, child, item_bytes

from .bmff import box, full, heif, iloc, infe


def test_boxes_follow_each_other_with_short_long_and_open_sizes() -> None:
    data = box(b"ftyp", b"heic") + struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234"
    data += struct.pack(">I4s", 0, b"free") + b"to the end"
    assert list(boxes(data)) == [
        Box(b"ftyp", 0, 8, 12),
        Box(b"mdat", 12, 28, 32),
        Box(b"free", 32, 40, 50),
    ]


def test_a_box_that_claims_too_much_is_cut_to_its_parent() -> None:
    data = struct.pack(">I4s", 100, b"mdat") + b"1234"
    assert list(boxes(data)) == [Box(b"mdat", 0, 8, 12, cut=True)]
    outer = box(b"moov", struct.pack(">I4s", 100, b"trak")) + b"after"
    inner = child(outer, next(boxes(outer)), b"trak")
    assert inner == Box(b"trak", 8, 16, 16, cut=True)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_walk_stops_at_what_is_no_box(size: int) -> None:
    data = box(b"ftyp", b"") + struct.pack(">I4s", size, b"mdat")
    assert [each.type for each in boxes(data)] == [b"ftyp"]


def test_the_identifier_of_a_uuid_box_is_no_content() -> None:
    assert list(boxes(box(b"uuid", bytes(16) + b"rest"))) == [Box(b"uuid", 0, 24, 28)]
    assert list(boxes(box(b"uuid", b"short"))) == []


def test_endless_boxes_are_refused() -> None:
    with pytest.raises(PictureError, match="too many boxes"):
        list(boxes(box(b"free", b"") * (MAX_BOXES + 1)))


def test_items_have_types_places_properties_and_references() -> None:
    data = heif(
        iloc([(1, 0, [(3, 4)]), (2, 1, [(0, 5)])]),
        idat=b"abcdef",
        infos=infe(1, b"hvc1") + infe(2, b"mime", b"name\0application/rdf+xml\0"),
        properties=[box(b"ispe", bytes(12)), box(b"irot", b"\1")],
        associations={1: [1, 2], 2: []},
        references=box(b"cdsc", struct.pack(">HHH", 2, 1, 1)),
    )
    meta = Meta.find(data)
    assert meta is not None
    assert meta.primary == 1
    picture, packet = meta.items[1], meta.items[2]
    assert meta.primary_item is picture
    assert (picture.type, picture.extents) == (b"hvc1", (Extent(3, 4),))
    assert [each.type for each in picture.properties] == [b"ispe", b"irot"]
    turn = picture.property(b"irot")
    assert turn is not None
    assert data[turn.body] == 1
    assert picture.property(b"imir") is None
    assert (packet.name, packet.content_type) == ("name", "application/rdf+xml")
    assert item_bytes(data, packet, 100) == b"abcde"
    assert item_bytes(data, packet, 2) == b"ab"
    assert meta.of_type(b"cdsc") == (Reference(b"cdsc", 2, (1,)),)
    assert meta.of_type(b"thmb") == ()


def test_an_extent_is_cut_to_the_file_or_gone() -> None:
    data = heif(iloc([(1, 0, [(4, 1 << 30), (1 << 31, 4)])]), infos=infe(1, b"hvc1"))
    meta = Meta.find(data)
    assert meta is not None
    assert meta.items[1].extents == (Extent(4, len(data) - 4),)


def test_an_item_within_another_item_lies_elsewhere() -> None:
    meta = Meta.find(heif(iloc([(1, 2, [(0, 4)])]), infos=infe(1, b"hvc1")))
    assert meta is not None
    assert meta.items[1].elsewhere
    assert meta.items[1].extents == ()


def test_a_property_that_is_not_there_is_skipped() -> None:
    meta = Meta.find(
        heif(iloc([]), infos=infe(1, b"hvc1"), properties=[], associations={1: [0, 1, 9]})
    )
    assert meta is not None
    assert meta.items[1].properties == ()


def test_tables_that_are_cut_off_are_refused() -> None:
    with pytest.raises(PictureError, match="cut off"):
        Meta.find(box(b"meta", bytes(4) + full(b"pitm", b"")))


def test_extents_of_no_bytes_are_not_counted_for_ever() -> None:
    # All sizes 0: an extent takes no room in the table, so any number fits.
    endless = b"\0\0" + struct.pack(">H", 9) + struct.pack(">HHH", 1, 0, 0xFFFF) * 9
    with pytest.raises(PictureError, match="too many pieces"):
        Meta.find(box(b"meta", bytes(4) + full(b"iloc", endless)))


def test_a_file_without_a_meta_has_no_items() -> None:
    assert Meta.find(box(b"ftyp", b"heic")) is None


@given(
    st.binary(max_size=300),
    st.sampled_from([b"iloc", b"iinf", b"iref", b"ipma", b"pitm"]),
    st.integers(0, 3),
)
def test_any_table_gives_items_or_a_picture_error(raw: bytes, kind: bytes, version: int) -> None:
    table = full(kind, raw, version)
    if kind == b"ipma":
        table = box(b"iprp", box(b"ipco", box(b"irot", b"\1")) + table)
    try:
        meta = Meta.find(box(b"meta", bytes(4) + table))
    except PictureError:
        return
    assert meta is not None
    for item in meta.items.values():
        for offset, length in item.extents:
            assert 0 < length <= 400
            assert 0 <= offset < 400
