from __future__ import annotations

import struct
import zlib

import pytest
from kinlight.node import exif, hidden
from kinlight.node.inspecting import read_facts

from . import blocks

PICTURE = blocks.jpeg(blocks.segment(0xDB, bytes(65)))
CAMERA: blocks.Fields = {0x010F: "Apple", 0x0110: "iPhone 7", exif.ORIENTATION: 6}
PROFILE = (
    bytes(36)
    + b"acsp"
    + bytes(88)
    + struct.pack(">I4sII", 1, b"desc", 144, 23)
    + b"desc\0\0\0\0\0\0\0\x0bDisplay P3\0"
)


def hidden_in(*segments: bytes, after: bytes = b"") -> tuple[str, ...]:
    return read_facts(blocks.jpeg(*segments, after=after), "jpeg").hidden


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + bytes(4)


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def mpf(pictures: int) -> bytes:
    entries = exif.NewField(0xB002, exif.UNDEFINED, 16 * pictures, bytes(16 * pictures))
    index = b"MM\0*\0\0\0\x08" + exif.pack_directory([entries], 8, little=False)
    return blocks.segment(0xE2, b"MPF\0" + index)


# Further pictures


def test_a_thumbnail_in_exif_is_told():
    assert hidden_in(blocks.exif_segment(blocks.tiff(thumbnail=PICTURE))) == ("exif-thumbnail",)


def test_a_picture_elsewhere_in_exif_is_a_preview():
    note = {exif.MAKER_NOTE: b"Some Camera" + PICTURE}

    assert hidden_in(blocks.exif_segment(blocks.tiff({}, note))) == ("preview-image",)


def test_a_thumbnail_of_no_bytes_is_none():
    empty = blocks.tiff(thumbnail=PICTURE).replace(struct.pack(">I", len(PICTURE)), bytes(4))

    assert "exif-thumbnail" not in hidden_in(blocks.exif_segment(empty))


@pytest.mark.parametrize("number", [0x0409, 0x040C])
def test_a_thumbnail_of_photoshop_is_told(number: int):
    thumbnail = blocks.resource(number, bytes(28) + PICTURE)

    assert hidden_in(blocks.photoshop_segment(thumbnail)) == ("photoshop-thumbnail",)


def test_photoshop_resources_go_on_in_the_next_segment():
    block = blocks.resource(0x040C, bytes(28) + PICTURE) + blocks.resource(
        0x0404, blocks.iptc(n90="Budapest")
    )
    found = read_facts(
        blocks.jpeg(blocks.photoshop_segment(block[:50]), blocks.photoshop_segment(block[50:])),
        "jpeg",
    )

    assert found.hidden == ("photoshop-thumbnail",)
    assert found.place == "Budapest"


def test_thumbnails_of_jfif_and_jfxx_are_told():
    jfif = b"JFIF\0\1\2\0\0\1\0\1"

    assert hidden_in(blocks.segment(0xE0, jfif + b"\1\1abc")) == ("jfxx-thumbnail",)
    assert hidden_in(blocks.segment(0xE0, b"JFXX\0\x10" + PICTURE)) == ("jfxx-thumbnail",)
    assert hidden_in(blocks.segment(0xE0, jfif + b"\0\0")) == ()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("xmpGImg__image", "/9j/4AAQ", "xmp-thumbnail"),
        ("GImage__Data", "/9j/4AAQ", "xmp-image"),
        ("GDepth__Data", "iVBORw0", "depth-map"),
        ("hdrgm__Version", "1.0", "gain-map"),
    ],
)
def test_pictures_in_xmp_are_told(name: str, value: str, expected: str):
    assert hidden_in(blocks.xmp_segment(**{name: value})) == (expected,)


def test_extended_xmp_is_put_together_in_the_order_of_its_offsets():
    packet = blocks.xmp_packet(GDepth__Data="iVBORw0", photoshop__City="Budapest")
    parts = [
        blocks.segment(
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0"
            + b"A" * 32
            + struct.pack(">II", len(packet), offset)
            + packet[offset : offset + 100],
        )
        for offset in range(0, len(packet), 100)
    ]
    found = read_facts(blocks.jpeg(*reversed(parts)), "jpeg")

    assert found.hidden == ("depth-map",)
    assert found.place == "Budapest"


def test_further_pictures_are_announced_by_mpf_or_just_there():
    assert hidden_in(mpf(2)) == ("mpf-image",)
    assert hidden_in(mpf(2), after=PICTURE) == ("mpf-image",)
    assert hidden_in(mpf(1), after=b"junk" + PICTURE) == ("appended-image",)
    assert hidden_in(after=b"junk\xff\xd8\xff") == ()


def test_what_the_second_picture_holds_counts():
    second = blocks.jpeg(
        blocks.exif_segment(blocks.tiff(thumbnail=PICTURE)), blocks.xmp_segment(hdrgm__Version="1")
    )

    assert hidden_in(after=second) == ("exif-thumbnail", "appended-image", "gain-map")


def test_a_gain_map_by_iso_is_told():
    assert hidden_in(blocks.segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))) == (
        "gain-map",
    )


def test_thumbnails_in_content_credentials_are_told():
    manifest = b"JP\0\1\0\0\0\1" + b"jumb....c2pa.thumbnail.claim.jpeg\0"

    assert hidden_in(blocks.segment(0xEB, manifest)) == ("c2pa-thumbnail",)


@pytest.mark.parametrize(
    ("urn", "expected"),
    [
        ("urn:com:apple:photo:2020:aux:hdrgainmap", "gain-map"),
        ("urn:mpeg:hevc:2015:auxid:2", "depth-map"),
        ("urn:mpeg:mpegB:cicp:systems:auxiliary:depth", "depth-map"),
        ("urn:com:apple:photo:2018:aux:portraiteffectsmatte", "matte"),
        ("urn:mpeg:hevc:2015:auxid:1", None),
        ("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", None),
    ],
)
def test_auxiliary_pictures_are_told_by_their_urn(urn: str, expected: str | None):
    assert hidden.of_auxiliary(urn) == expected


# Where formats keep their blocks

EXIF = blocks.tiff(CAMERA, {})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param("jpeg", blocks.jpeg(blocks.exif_segment(EXIF)), id="jpeg"),
        pytest.param("jpeg", blocks.jpeg(blocks.segment(0xE1, b"Exif" + EXIF)), id="no zeros"),
        pytest.param("tiff", EXIF, id="tiff"),
        pytest.param("png", png(chunk(b"eXIf", EXIF)), id="png"),
        pytest.param(
            "png",
            png(
                chunk(
                    b"zTXt",
                    b"Raw profile type exif\0\0"
                    + zlib.compress(b"\nexif\n  99\n" + EXIF.hex("\n", 36).encode()),
                )
            ),
            id="png by ImageMagick",
        ),
        pytest.param("webp", webp((b"VP8X", bytes(10)), (b"EXIF", EXIF)), id="webp"),
        pytest.param("webp", webp((b"EXIF", b"Exif\0\0" + EXIF)), id="webp with a prefix"),
        pytest.param(
            "psd",
            b"8BPS"
            + bytes(22 + 4)
            + struct.pack(">I", len(blocks.resource(0x0422, EXIF)))
            + blocks.resource(0x0422, EXIF),
            id="psd",
        ),
        pytest.param(
            "jxl",
            blocks.box(b"JXL ", b"\r\n\x87\n")
            + blocks.box(b"ftyp", b"jxl \0\0\0\0jxl ")
            + blocks.box(b"Exif", bytes(4), EXIF),
            id="jxl",
        ),
    ],
)
def test_each_format_has_its_place_for_exif(kind: str, data: bytes):
    found = read_facts(data, kind)

    assert found.camera == "Apple iPhone 7"
    assert found.orientation_hint == 6
    assert found.pair is None


PACKET = blocks.xmp_packet(tiff__Make="Apple", tiff__Model="iPhone 7", tiff__Orientation="6")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param(
            "png",
            png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)),
            id="png",
        ),
        pytest.param(
            "png",
            png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET))),
            id="png, packed",
        ),
        pytest.param("webp", webp((b"XMP ", PACKET)), id="webp"),
        pytest.param(
            "gif",
            b"GIF89a" + bytes(7) + b"\x21\xff\x0bXMP DataXMP" + PACKET + b"\1\xff\xfe\xfd",
            id="gif",
        ),
        pytest.param("tiff", blocks.tiff({0x02BC: PACKET}), id="tiff"),
        pytest.param(
            "jp2",
            blocks.box(b"jP  ", b"\r\n\x87\n")
            + blocks.box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), PACKET),
            id="jp2",
        ),
    ],
)
def test_each_format_has_its_place_for_xmp(kind: str, data: bytes):
    found = read_facts(data, kind)

    assert found.camera == "Apple iPhone 7"
    assert found.orientation_hint == 6


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param(
            "jpeg",
            blocks.jpeg(
                blocks.segment(0xE2, b"ICC_PROFILE\0\2\2" + PROFILE[50:]),
                blocks.segment(0xE2, b"ICC_PROFILE\0\1\2" + PROFILE[:50]),
            ),
            id="jpeg, in parts",
        ),
        pytest.param("png", png(chunk(b"iCCP", b"name\0\0" + zlib.compress(PROFILE))), id="png"),
        pytest.param("webp", webp((b"ICCP", PROFILE)), id="webp"),
        pytest.param("tiff", blocks.tiff({0x8773: PROFILE}), id="tiff"),
        pytest.param(
            "gif",
            b"GIF89a"
            + bytes(7)
            + b"\x21\xff\x0bICCRGBG1012"
            + bytes([len(PROFILE)])
            + PROFILE
            + b"\0",
            id="gif",
        ),
    ],
)
def test_each_format_has_its_place_for_a_profile(kind: str, data: bytes):
    assert read_facts(data, kind).icc == "Display P3"


def test_a_profile_in_a_png_that_decoders_could_not_unpack_is_none():
    packed = zlib.compress(PROFILE)

    assert read_facts(png(chunk(b"iCCP", b"name\0\0" + packed[:-6])), "png").icc is None


# Who made it


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Apple", "iPhone 7", "Apple iPhone 7"),
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("samsung", "SAMSUNG SM-C200", "SAMSUNG SM-C200"),
        (" Make\n", "\x1b[2JModel\u202e", "Make [2JModel"),
        ("", "Model", "Model"),
        ("Make", "", "Make"),
        ("", " ", None),
        ("x" * 300, "y" * 300, "x" * 200),
    ],
)
def test_the_make_is_not_repeated(make: str, model: str, expected: str | None):
    block = blocks.tiff({0x010F: make, 0x0110: model})

    assert read_facts(blocks.jpeg(blocks.exif_segment(block)), "jpeg").camera == expected


def test_a_film_names_its_camera():
    film = blocks.movie(blocks.keys(make="Apple", model="iPad mini"))

    assert read_facts(film, "mov").camera == "Apple iPad mini"


@pytest.mark.parametrize("number", [0, 9, 36865])
def test_an_orientation_that_is_none_is_not_told(number: int):
    block = blocks.tiff({exif.ORIENTATION: number})

    assert read_facts(blocks.jpeg(blocks.exif_segment(block)), "jpeg").orientation_hint is None


def test_the_second_picture_says_nothing_about_the_first():
    second = blocks.jpeg(blocks.exif_segment(EXIF))
    found = read_facts(blocks.jpeg(after=second), "jpeg")

    assert found.camera is None
    assert found.orientation_hint is None
