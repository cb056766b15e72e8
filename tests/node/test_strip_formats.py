"""What stripping does to each format, on small files made here, and on broken ones."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.node import exif
from kinlight.node.edits import MAX_PUT, Keep, Stripped
from kinlight.node.exif import LONG, SHORT, Exif, NewField
from kinlight.node.facts import PictureError
from kinlight.node.isobmff import Meta, item_bytes
from kinlight.node.stripping import FORMATS, no_location
from PIL import Image

from .bmff import box, full, heif, iloc, infe, track

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
    b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    b' tiff:Orientation="6" exif:GPSLatitude="47,30N"/></rdf:RDF></x:xmpmeta>'
)


def with_place(orientation: int = 6) -> bytes:
    """An EXIF with a place, made by Pillow."""
    image = Image.Exif()
    image[exif.ORIENTATION] = orientation
    image[0x010F] = "Kamera"
    image.get_ifd(exif.GPS_DIRECTORY).update({1: "N", 2: (47.0, 30.0, 0.0)})
    return exif.PREFIX + image.tobytes().removeprefix(exif.PREFIX)


def picture(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    grey = bytes(range(0, 256, 2))
    Image.frombytes("L", (16, 8), grey).convert("RGB").save(out, kind, **options)
    return out.getvalue()


def stripped(data: bytes, kind: str) -> tuple[bytes, Stripped]:
    """The copy, after a look that a second stripping leaves it alone."""
    script = no_location(data, kind)
    copy = script.apply(data)
    assert no_location(copy, kind) == Stripped((Keep(0, len(copy)),), ())
    return copy, script


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_place_goes_and_orientation_and_profile_stay(kind: str) -> None:
    data = picture(kind, exif=with_place(), icc_profile=b"profile" * 30)
    copy, script = stripped(data, kind)
    assert script.left_out == ("place",)
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(copy))
    assert after.getexif()[exif.ORIENTATION] == 6
    assert after.getexif()[0x010F] == "Kamera"
    assert not after.getexif().get_ifd(exif.GPS_DIRECTORY)
    assert after.info["icc_profile"] == b"profile" * 30
    assert after.tobytes() == before.tobytes()


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "tiff"])
def test_a_picture_without_metadata_is_kept_whole(kind: str) -> None:
    data = picture(kind)
    assert stripped(data, kind)[1] == Stripped((Keep(0, len(data)),), ())


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_an_orientation_that_only_xmp_tells_becomes_exif(kind: str) -> None:
    copy, script = stripped(picture(kind, xmp=XMP), kind)
    assert script.left_out == ("place", "XMP")
    after = Image.open(io.BytesIO(copy))
    assert after.getexif()[exif.ORIENTATION] == 6
    assert b"xmpmeta" not in copy


# JPEG


def test_a_jfif_thumbnail_is_emptied() -> None:
    jfif = b"JFIF\0\1\2\1\0\x48\0\x48"
    data = b"\xff\xd8" + segment(0xE0, jfif + b"\1\1RGB") + picture("jpeg")[20:]
    copy, script = stripped(data, "jpeg")
    assert script.left_out == ("thumbnail",)
    assert copy[2:20] == segment(0xE0, jfif + b"\0\0")


def test_an_exif_over_several_segments_is_read_as_one() -> None:
    block = exif.build(Exif(ifd0={0x010E: "x" * 3000}), orientation=3)
    parts = segment(0xE1, exif.PREFIX + block[:2000]) + segment(0xE1, exif.PREFIX + block[2000:])
    data = b"\xff\xd8" + parts + segment(0xFE, b"a comment") + picture("jpeg")[2:]
    copy, script = stripped(data, "jpeg")
    assert script.left_out == ("comments",)
    assert Image.open(io.BytesIO(copy)).getexif()[exif.ORIENTATION] == 3


def test_a_clip_and_a_picture_after_the_end_go() -> None:
    whole = picture("jpeg")
    copy, script = stripped(whole + box(b"ftyp", b"isom") + b"clip" + whole, "jpeg")
    assert copy == whole
    assert script.left_out == ("further pictures", "clip")


def test_fill_bytes_before_a_marker_stay_and_junk_goes() -> None:
    whole = picture("jpeg")
    filled = whole[:20] + b"\xff" * 9 + whole[20:]
    assert stripped(filled, "jpeg")[0] == filled
    copy, script = stripped(whole[:20] + b"junk" + whole[20:], "jpeg")
    assert copy == whole
    assert script.left_out == ("other data",)


def test_metadata_between_scans_goes_too() -> None:
    whole = picture("jpeg", progressive=True)
    at = whole.rindex(b"\xff\xc4")
    copy, script = stripped(whole[:at] + segment(0xFE, b"a comment") + whole[at:], "jpeg")
    assert copy == whole
    assert script.left_out == ("comments",)


# PNG, WebP, GIF


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I4s", len(content), kind)
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


@pytest.mark.parametrize("compressed", [False, True])
def test_an_exif_in_a_text_of_a_png_gives_its_orientation(compressed: bool) -> None:
    block = with_place(8)
    text = b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    content = b"Raw profile type exif\0" + (b"\0" + zlib.compress(text) if compressed else text)
    whole = picture("png")
    data = whole[:33] + chunk(b"zTXt" if compressed else b"tEXt", content) + whole[33:]
    copy, script = stripped(data, "png")
    assert "place" in script.left_out
    assert Image.open(io.BytesIO(copy)).getexif()[exif.ORIENTATION] == 8
    assert b"Raw profile" not in copy


def test_xmp_in_a_png_gives_its_orientation() -> None:
    content = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
    whole = picture("png")
    copy, _ = stripped(whole[:33] + chunk(b"iTXt", content) + whole[33:], "png")
    assert Image.open(io.BytesIO(copy)).getexif()[exif.ORIENTATION] == 6
    assert b"xmpmeta" not in copy


def test_what_follows_the_end_of_a_png_goes() -> None:
    whole = picture("png")
    copy, script = stripped(whole + b"trailer", "png")
    assert (copy, script.left_out) == (whole, ("other data",))


def test_unknown_chunks_in_a_webp_and_its_frames_go() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "webp", save_all=True, append_images=frames[1:])
    whole = out.getvalue()
    at = whole.index(b"ANMF")
    length = int.from_bytes(whole[at + 4 : at + 8], "little")
    secret = b"SECR\4\0\0\0here"
    data = bytearray(whole[: at + 8 + length] + secret + whole[at + 8 + length :] + secret)
    struct.pack_into("<I", data, at + 4, length + len(secret))
    struct.pack_into("<I", data, 4, len(data) - 8)
    copy, script = stripped(bytes(data), "webp")
    assert (copy, script.left_out) == (whole, ("other data",))


def test_a_gif_keeps_its_loop_and_profile_and_loses_comments() -> None:
    whole = picture("gif")
    at = 13 + (6 << (whole[10] & 7))  # after the colours
    loop = b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    profile = b"!\xff\x0bICCRGBG1012\4here\0"
    comment = b"!\xfe\4here\0"
    xmp = b"!\xff\x0bXMP DataXMP\4here\0"
    data = whole[:at] + loop + comment + profile + xmp + whole[at:] + b"trailer"
    copy, script = stripped(data, "gif")
    assert copy == whole[:at] + loop + profile + whole[at:]
    assert script.left_out == ("XMP", "comments", "other data")


# TIFF


def number(tag: int, *values: int, kind: int = LONG) -> NewField:
    return NewField(
        tag,
        kind,
        len(values),
        struct.pack(f"<{len(values)}{'I' if kind == LONG else 'H'}", *values),
    )


def page(
    *more: NewField, strips: tuple[int, ...] = (8,), following: int = 0, at: int = 12
) -> bytes:
    """A TIFF with one grey pixel at 8, and its directory at 12."""
    fields = [number(256, 1), number(257, 1), number(258, 8, kind=SHORT), number(259, 1),
              number(262, 1), number(273, *strips), number(279, *(1 for _ in strips))]  # fmt: skip
    own = {field.tag for field in more}
    fields = [field for field in fields if field.tag not in own]
    directory = exif.pack_directory([*fields, *more], at, following, little=True)
    return b"II*\0" + struct.pack("<I", at) + b"\x7f\0\0\0" + directory


def test_a_position_on_a_map_is_a_place() -> None:
    copy, script = stripped(page(NewField(33922, 12, 6, bytes(48))), "tiff")
    assert script.left_out == ("place",)
    assert Image.open(io.BytesIO(copy)).getpixel((0, 0)) == 0x7F


def test_strips_that_share_bytes_are_written_once() -> None:
    data = page(number(257, 500), number(278, 1), NewField(305, 2, 2, b"x\0"),
                NewField(50000, 2, 90, b"secret" * 15), strips=(8,) * 500)  # fmt: skip
    copy, script = stripped(data, "tiff")
    assert script.left_out == ("other tags",)
    assert len(copy) < len(data)
    assert Image.open(io.BytesIO(copy)).getpixel((0, 499)) == 0x7F


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ([number(330, 8)], "pictures below a page"),
        ([number(259, 6)], "compression 6"),
        ([number(259, 34887)], "compression 34887"),
        ([number(279)], "don't match"),
        ([number(273, 1 << 31)], "beyond the end"),
    ],
)
def test_a_tiff_that_needs_more_understanding_is_refused(more: list[NewField], reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        no_location(page(*more), "tiff")


def test_pages_that_go_round_are_refused() -> None:
    with pytest.raises(PictureError, match="circle"):
        no_location(page(following=12), "tiff")


def test_metadata_within_a_jpeg_in_a_tiff_is_refused() -> None:
    inside = b"\xff\xd8" + segment(0xE1, with_place())
    data = page(number(259, 7), number(279, len(inside)), strips=(400,)).ljust(400, b"\0") + inside
    with pytest.raises(PictureError, match="within the coded picture"):
        no_location(data, "tiff")


# HEIF


def photo(exif_item: bytes, xmp_item: bytes = b"", *, gap: bytes = b"", more: bytes = b"") -> bytes:
    """A HEIC whose coded picture is the word `coded`, in `idat`."""
    idat = b"coded" + gap + exif_item + xmp_item
    first = 5 + len(gap)
    rows = [(1, 1, [(0, 5)]), (2, 1, [(first, len(exif_item))]),
            (3, 1, [(first + len(exif_item), len(xmp_item))])]  # fmt: skip
    infos = infe(1, b"hvc1") + infe(2, b"Exif") + infe(3, b"mime", b"\0application/rdf+xml\0")
    return heif(
        iloc(rows), infos=infos, idat=idat, properties=[box(b"udes", b"secret")],
        associations={1: [1]}, more=more,
    )  # fmt: skip


def exif_item(data: bytes) -> Exif:
    meta = Meta.find(data)
    assert meta is not None
    raw = item_bytes(data, meta.items[2], 1 << 16)
    return exif.read(raw, 4 + int.from_bytes(raw[:4], "big"))


def test_items_of_a_heic_are_renewed_at_the_same_length() -> None:
    data = photo(bytes(4) + with_place(6), XMP.ljust(600), gap=b"secret")
    copy, script = stripped(data, "heif")
    assert script.left_out == ("place", "XMP", "other tags", "other data")
    assert len(copy) == len(data)
    at = data.index(b"coded")
    assert copy[at : at + 5] == b"coded"
    assert b"secret" not in copy
    found = exif_item(copy)
    assert (found.orientation, found.gps) == (6, {})
    assert b"GPS" not in copy


def test_an_exif_item_without_room_keeps_at_least_the_orientation() -> None:
    # A text that is stored twice as long as its Latin-1: the new EXIF does not fit.
    long = NewField(0x010E, 2, 900, b"\xe4" * 899 + b"\0")
    turn = NewField(exif.ORIENTATION, SHORT, 1, b"\6\0")
    gps = NewField(exif.GPS_DIRECTORY, LONG, 1, struct.pack("<I", 8))
    block = b"II*\0\x08\0\0\0" + exif.pack_directory([long, turn, gps], 8, little=True)
    copy, _ = stripped(photo(bytes(4) + block), "heif")
    found = exif_item(copy)
    assert found.ifd0 == {exif.ORIENTATION: (6,)}


def test_an_orientation_that_only_xmp_tells_stays_in_the_xmp_of_a_heic() -> None:
    copy, _ = stripped(photo(b"", XMP.ljust(600)), "heif")
    assert b'tiff:Orientation="6"' in copy
    assert b"GPS" not in copy


def test_a_clip_behind_a_heic_goes() -> None:
    whole = stripped(photo(b""), "heif")[0]
    copy, script = stripped(whole + box(b"mpvd", b"clip"), "heif")
    assert (copy, script.left_out) == (whole, ("clip",))


def test_metadata_that_overlaps_the_picture_is_refused() -> None:
    rows = iloc([(1, 1, [(0, 50)]), (2, 1, [(20, 40)])])
    data = heif(rows, infos=infe(1, b"hvc1") + infe(2, b"Exif"), idat=bytes(100))
    with pytest.raises(PictureError, match="overlap"):
        no_location(data, "heif")


def test_an_item_in_the_tables_themselves_is_refused() -> None:
    data = heif(iloc([(2, 0, [(30, 40)])]), infos=infe(1, b"hvc1") + infe(2, b"Exif"))
    with pytest.raises(PictureError, match="outside of the media data"):
        no_location(data, "heif")


# Films

_FTYP = box(b"ftyp", b"isom\0\0\0\0isom")


def film(*boxes_of_moov: bytes, media: bytes = b"VVVVVgapMMMMAAAA") -> bytes:
    """Media at 32: five bytes of video, a gap, four of metadata, four of sound to the end."""
    return (
        _FTYP
        + box(b"free", b"")
        + box(b"mdat", media)[:8]
        + media
        + box(b"moov", full(b"mvhd", bytes(96)) + b"".join(boxes_of_moov))
    )


START = len(_FTYP) + 16
VIDEO = track(1, b"vide", [START], [5])
METADATA = track(2, b"meta", [START + 8], [4])
SOUND = track(3, b"soun", [START + 12], [])


def test_a_track_of_timed_metadata_goes_with_its_samples_and_gaps() -> None:
    copy, script = stripped(film(VIDEO, METADATA, SOUND), "mp4")
    assert script.left_out == ("timed metadata",)
    assert copy[START : START + 16] == b"VVVVV" + bytes(7) + b"AAAA"
    assert copy.count(b"trak") == 2


def test_a_film_of_pictures_and_sound_is_kept_whole() -> None:
    data = film(VIDEO, SOUND, media=b"VVVVV" + b"\0" * 7 + b"AAAA")
    assert not no_location(data, "mp4").changes(data)


def test_tags_go_and_the_date_stays() -> None:
    day = box(b"\xa9day", b"\0\x18\x15\xc72024-05-06T07:08:09+0200")
    place = box(b"\xa9xyz", b"\0\x12\x15\xc7+47.5000+008.5000/")
    copy, script = stripped(film(VIDEO, box(b"udta", place + day)), "mov")
    assert {"place", "other tags"} <= set(script.left_out)
    assert day in copy
    assert b"+47" not in copy


def test_a_reference_to_a_track_that_goes_is_emptied() -> None:
    refers = VIDEO[:8] + box(b"tref", box(b"cdsc", struct.pack(">I", 2))) + VIDEO[8:]
    refers = struct.pack(">I", len(refers)) + refers[4:]
    copy, _ = stripped(film(refers, METADATA), "mp4")
    assert b"tref" not in copy


def test_unknown_boxes_become_empty_ones_in_front_and_go_at_the_end() -> None:
    inside = _FTYP + box(b"uuid", bytes(16) + b"secret") + film(VIDEO)[len(_FTYP) :]
    copy, script = stripped(inside + box(b"skip", b"secret"), "mp4")
    assert b"secret" not in copy
    assert len(copy) == len(inside)
    assert "other data" in script.left_out


def test_tables_that_contradict_each_other_are_refused() -> None:
    runs = struct.pack(">4I", 1, 1, 1, 1)
    assert VIDEO.count(runs) == 1
    with pytest.raises(PictureError, match="contradict"):
        no_location(film(VIDEO.replace(runs, struct.pack(">4I", 1, 2, 1, 1))), "mp4")


@pytest.mark.parametrize(
    ("media", "chunks", "reason"),
    [(b"VM" * 40_000, 40_000, "too many places"), (b"VM" + b"M" * MAX_PUT, 1, "too much")],
    ids=["places", "bytes"],
)
def test_a_film_that_would_change_all_over_is_refused(
    media: bytes, chunks: int, reason: str
) -> None:
    starts = range(START, START + 2 * chunks, 2)
    with pytest.raises(PictureError, match=reason):
        no_location(film(track(1, b"vide", starts, [1] * chunks), media=media), "mp4")


def test_timed_metadata_in_fragments_is_refused() -> None:
    data = film(VIDEO, METADATA) + box(b"moof", full(b"mfhd", bytes(4)))
    with pytest.raises(PictureError, match="fragments"):
        no_location(data, "mp4")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I4s", len(content), kind) + content + checksum


def test_a_second_exif_goes_even_where_the_first_may_stay() -> None:
    good = exif.build(Exif(ifd0={0x010F: "Kamera"}), orientation=6)
    bad = with_place().removeprefix(exif.PREFIX)
    png = picture("PNG")
    both = png[:33] + png_chunk(b"eXIf", good) + png_chunk(b"eXIf", bad) + png[33:]
    assert stripped(both, "png")[0] == png[:33] + png_chunk(b"eXIf", good) + png[33:]
    webp = picture("WEBP", exif=exif.PREFIX + good)
    more = webp + struct.pack("<4sI", b"EXIF", len(bad)) + bad + bytes(len(bad) % 2)
    more = more[:4] + struct.pack("<I", len(more) - 8) + more[8:]
    assert stripped(more, "webp")[0] == webp


@pytest.mark.parametrize("kind", [b"pHYs", b"gAMA", b"tIME", b"bKGD", b"ABCD", b"IEND"])
def test_a_png_chunk_of_another_size_than_it_has_is_no_hiding_place(kind: bytes) -> None:
    png = picture("PNG")
    chunk = png_chunk(kind, b"at +48.8583+002.2945")
    told = png[:-12] + chunk if kind == b"IEND" else png[:33] + chunk + png[33:]
    assert stripped(told, "png")[0] == png


@pytest.mark.parametrize("head", [b"\xf9", b"\xff\x0bNETSCAPE2.0"])
def test_a_gif_extension_longer_than_it_can_be_is_no_hiding_place(head: bytes) -> None:
    gif = picture("GIF")
    at = gif.rindex(b",\0\0\0\0")
    told = gif[:at] + b"\x21" + head + b"\x14at +48.8583+002.2945\0" + gif[at:]
    assert b"48.8583" not in stripped(told, "gif")[0]


def test_a_strip_of_a_tiff_that_reaches_over_its_metadata_is_refused() -> None:
    place = exif.pack_directory([NewField(2, exif.RATIONAL, 3, bytes(24))], 0, little=True)
    fields = [
        NewField(256, SHORT, 1, b"\4\0"), NewField(257, SHORT, 1, b"\1\0"),
        NewField(273, LONG, 1, bytes(4)), NewField(279, LONG, 1, bytes(4)),
        NewField(exif.GPS_DIRECTORY, LONG, 1, bytes(4)),
    ]  # fmt: skip
    end = 8 + len(exif.pack_directory(fields, 8, little=True))

    def made(start: int, length: int) -> bytes:
        fields[2:] = [
            NewField(273, LONG, 1, struct.pack("<I", start)),
            NewField(279, LONG, 1, struct.pack("<I", length)),
            NewField(exif.GPS_DIRECTORY, LONG, 1, struct.pack("<I", end + 4)),
        ]
        return b"II*\0\x08\0\0\0" + exif.pack_directory(fields, 8, little=True) + b"PPPP" + place

    assert stripped(made(end, 4), "tiff")[0].endswith(b"PPPP")
    for start, length in ((end, 5), (0, end + 4), (8, end)):
        with pytest.raises(PictureError, match="within the coded picture"):
            no_location(made(start, length), "tiff")


_XYZ = box(b"udta", box(b"\xa9xyz", b"\0\x12\x15\xc7+48.8583+002.2945/"))


@pytest.mark.parametrize("parent", [b"minf", b"stbl", b"mvex"])
def test_a_place_anywhere_in_the_index_of_a_film_goes(parent: bytes) -> None:
    whole = VIDEO + box(b"mvex", b"")
    at = whole.index(parent)
    # The box that begins at `at` and all around it grow.
    grown = bytearray(whole[: at + 4] + _XYZ + whole[at + 4 :])
    for kind in (b"trak", b"mdia", b"minf", b"stbl", b"mvex"):
        start = grown.index(kind)
        if start <= at and (kind == parent or parent != b"mvex"):
            size = int.from_bytes(grown[start - 4 : start])
            grown[start - 4 : start] = (size + len(_XYZ)).to_bytes(4)
    copy, script = stripped(film(bytes(grown)), "mp4")
    assert b"+48.8583" not in copy
    assert script.left_out[0] == "place"


def test_a_box_that_should_be_empty_and_the_name_of_a_handler_tell_no_place() -> None:
    empty = film(VIDEO, SOUND, METADATA).replace(box(b"free", b""), box(b"wide", b""))
    assert box(b"wide", b"") in stripped(empty, "mp4")[0]
    long = box(b"hdlr", bytes(8) + b"vide" + bytes(12) + b"at +48.8583+002.2945")
    plain = full(b"hdlr", bytes(4) + b"vide" + bytes(13))
    grown = bytearray(VIDEO.replace(plain, long))
    for kind in (b"trak", b"mdia"):
        at = grown.index(kind)
        size = int.from_bytes(grown[at - 4 : at]) + len(long) - len(plain)
        grown[at - 4 : at] = size.to_bytes(4)
    film_of_name = film(bytes(grown)) + box(b"wide", b"+48.8583+002.2945")
    copy, script = stripped(film_of_name, "mp4")
    assert b"48.8583" not in copy
    assert {"place", "other tags"} <= set(script.left_out)


CAMCORDER = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"


@pytest.mark.parametrize(
    "media",
    [
        b"AAAA\0\0\x80\0freeGPS ",
        CAMCORDER + b"\2\x18\1\2\3\4\xb2\0\x30\0\1",
        CAMCORDER + b"\2\x18\0\0\3\1\1\xb2\0\x30\0\1",
    ],
)
def test_a_place_among_the_samples_that_stay_is_refused(media: bytes) -> None:
    tracks = [track(1, b"vide", [START], [len(media)]), track(3, b"soun", [START], [])]
    for each in tracks:
        with pytest.raises(PictureError, match="tells a place"):
            no_location(film(each, media=media), "mp4")


def test_what_a_camcorder_says_beside_the_place_stays() -> None:
    media = CAMCORDER + b"\1\x18\xb2\xb2\xb2\xb2\xb2\xb2"
    stripped(film(track(1, b"vide", [START], [len(media)]), media=media), "mp4")


def test_the_list_of_items_says_nothing_but_names() -> None:
    places = iloc([(1, 1, [(0, 4)])])
    odd = infe(1, b"hvc1", b"at +48.8583+002.2945\0") + box(b"uuid", b"secret" * 4)
    copy, script = stripped(heif(places, infos=odd, idat=b"PPPP"), "heif")
    assert b"48.8583" not in copy
    assert b"secret" not in copy
    assert "place" in script.left_out
    named = heif(places, infos=infe(1, b"hvc1", b"Color\0"), idat=b"PPPP")
    assert stripped(named, "heif")[0] == named


def test_a_film_without_an_index_is_refused() -> None:
    with pytest.raises(PictureError, match="no index"):
        no_location(_FTYP + box(b"mdat", b"media"), "mp4")


def test_pictures_and_sound_of_a_real_film_are_as_before(shared_dir: Path) -> None:
    source = shared_dir / "data" / "corpus" / "motion-live-02-quicktime_hvc1.mov"
    if not source.is_file():
        pytest.skip(f"{source} is not there")

    def packets(data: bytes) -> list[tuple[str, int | None, bytes]]:
        with av.open(io.BytesIO(data), "r") as container:
            return [
                (packet.stream.type, packet.pts, bytes(packet))
                for packet in container.demux()
                if packet.stream.type in ("video", "audio")
            ]

    data = source.read_bytes()
    copy, script = stripped(data, "mov")
    assert "timed metadata" in script.left_out
    assert packets(copy) == packets(data)


# Broken files

SEEDS = {
    "jpeg": [picture("jpeg", exif=with_place(), xmp=XMP, comment=b"hello", progressive=True)],
    "png": [picture("png", exif=with_place())],
    "webp": [picture("webp", exif=with_place(), xmp=XMP)],
    "gif": [picture("gif", comment=b"hello")],
    "tiff": [picture("tiff", exif=with_place()), page(number(330, 8)), page(following=12)],
    "heif": [photo(bytes(4) + with_place(), XMP.ljust(600), gap=b"secret")],
    "avif": [picture("avif", exif=with_place(), xmp=XMP)],
    "mp4": [film(VIDEO, METADATA, SOUND)],
    "mov": [film(VIDEO, box(b"udta", box(b"\xa9day", b"\0\x0a\0\x002024-05-06")))],
}


def test_every_format_has_a_seed() -> None:
    assert SEEDS.keys() == FORMATS


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, bytes]:
    """A seed with bytes changed, cut out or doubled; sometimes bytes of no sense at all."""
    kind = draw(st.sampled_from(sorted(SEEDS)))
    data = bytearray(draw(st.sampled_from(SEEDS[kind])))
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    for _ in range(chance.randrange(1, 12)):
        at = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                del data[at : at + chance.randrange(9)]
            case 1:
                data[at:at] = data[at : at + chance.randrange(40)]
            case 2:
                del data[max(at, 16) :]
            case _:
                data[at] = chance.choice([0, 1, 0xFF, 0x7F, chance.randrange(256)])
    return kind, bytes(data)


def check(kind: str, data: bytes) -> None:
    try:
        script = no_location(data, kind)
    except PictureError:
        return
    copy = script.apply(data)
    assert len(copy) <= 3 * len(data) + 4096
    try:
        again = no_location(copy, kind)
    except PictureError:
        return
    assert not again.changes(copy)


@given(broken())
def test_a_broken_file_is_stripped_for_good_or_refused(file: tuple[str, bytes]) -> None:
    check(*file)


@given(st.sampled_from(sorted(FORMATS)), st.binary(max_size=200))
def test_bytes_of_no_sense_are_stripped_for_good_or_refused(kind: str, data: bytes) -> None:
    head = SEEDS[kind][0][:12]
    check(kind, head + data)
    check(kind, data)
