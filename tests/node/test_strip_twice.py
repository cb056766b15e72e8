"""A copy without a place is read by the next one who passes it on, and then nothing more goes."""

from __future__ import annotations

import io

import pytest
from kinlight.node.edits import Keep, Stripped
from kinlight.node.exif import ASCII, ORIENTATION, NewField, read
from kinlight.node.facts import PictureError
from kinlight.node.isobmff import Meta, boxes, item_bytes
from kinlight.node.sniffing import sniff
from kinlight.node.stripping import no_location
from PIL import Image

from ..fuzz.findings import FINDINGS, PLACE, number, page
from .blocks import jpeg, segment
from .bmff import box, heif, iloc, infe

REFUSED = {"a_handler_too_short_for_its_type"}


def copy_of(data: bytes) -> bytes:
    return no_location(data, sniff(data)).apply(data)


@pytest.mark.parametrize("name", sorted(FINDINGS.keys() - REFUSED))
def test_a_copy_needs_no_second_pass(name: str) -> None:
    copy = copy_of(FINDINGS[name])
    assert no_location(copy, sniff(copy)) == Stripped((Keep(0, len(copy)),), ())
    assert b"secret" not in copy


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_a_second_pass_could_not_read_is_refused_by_the_first(name: str) -> None:
    with pytest.raises(PictureError):
        copy_of(FINDINGS[name])


def test_an_item_of_a_version_to_come_keeps_its_type_and_its_picture() -> None:
    copy = copy_of(FINDINGS["an_item_of_a_version_to_come"])
    meta = Meta.find(copy)
    assert meta is not None
    assert meta.items[1].type == b"hvc1"
    assert item_bytes(copy, meta.items[1], 10) == b"coded"


def test_the_boxes_behind_one_with_a_long_size_stay_where_they_are() -> None:
    data = FINDINGS["a_box_of_an_identifier_and_a_long_size"]
    kinds = [each.type for each in boxes(copy_of(data))]
    assert kinds == [b"ftyp", b"free", b"meta"]


def test_a_webp_without_its_last_padding_gets_it_before_the_new_exif() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "webp", xmp=PLACE, lossless=True)
    whole = out.getvalue()
    start = whole.index(b"VP8L")
    size = int.from_bytes(whole[start + 4 : start + 8], "little")
    assert size % 2, "the test needs a picture of an odd number of bytes"
    end = start + 8 + size
    unpadded = whole[:start] + whole[end + 1 :] + whole[start:end]
    copy = copy_of(unpadded)
    with Image.open(io.BytesIO(copy)) as image:
        assert image.getexif()[ORIENTATION] == 6
        assert image.getpixel((0, 0)) == (255, 0, 0)


def test_the_identifier_of_an_empty_box_goes() -> None:
    photo = heif(iloc([(1, 1, [(0, 5)])]), infos=infe(1, b"hvc1"), idat=b"coded")
    copy = copy_of(photo[:24] + box(b"uuid", b"sixteen letters!") + photo[24:])
    assert b"sixteen" not in copy


def test_an_exif_item_whose_header_lies_nowhere_goes() -> None:
    item = b"\0\1\0\0Exif\0\0" + b"a secret" * 9
    rows = iloc([(1, 1, [(0, 5)]), (2, 1, [(5, len(item))])])
    photo = heif(rows, infos=infe(1, b"hvc1") + infe(2, b"Exif"), idat=b"coded" + item)
    assert b"secret" not in copy_of(photo)


@pytest.mark.parametrize("kind", [b"idat", b"iinf", b"iprp"])
def test_an_index_with_a_part_twice_is_refused(kind: bytes) -> None:
    twice = box(kind, bytes(12)) * 2
    photo = heif(iloc([(1, 1, [(0, 5)])]), infos=infe(1, b"hvc1"), idat=b"coded", more=twice)
    with pytest.raises(PictureError, match="two boxes of one kind"):
        copy_of(photo)


def test_what_lies_in_an_empty_property_goes() -> None:
    properties = [box(b"free", b"secret"), box(b"ispe", bytes(12))]
    photo = heif(
        iloc([(1, 1, [(0, 5)])]), infos=infe(1, b"hvc1"), idat=b"coded", properties=properties
    )
    assert b"secret" not in copy_of(photo)


def test_a_text_where_a_tiff_has_a_number_goes() -> None:
    for tag in (0x0128, ORIENTATION):
        data = page(NewField(tag, ASCII, 7, b"secret\0"))
        assert b"secret" not in copy_of(data)
    assert 0x010F not in read(copy_of(page(number(0x010F, 5)))).ifd0


def test_a_jpeg_without_a_coded_picture_is_refused() -> None:
    with pytest.raises(PictureError, match="no coded picture"):
        copy_of(b"\xff\xd8" + segment(0xFE, b"a comment"))


def test_tables_between_a_comment_and_the_next_scan_stay() -> None:
    tables = segment(0xCC, b"\0\1")
    scan = segment(0xDA, b"\0") + b"coded"
    assert copy_of(jpeg(scan, segment(0xFE, b"a comment"), tables)) == jpeg(scan, tables)
