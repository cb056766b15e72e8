"""Files of which a copy was once made that the next pass would have changed again.

A copy without a place is read once more by whoever passes it on. Where the second reading finds
another structure than the first meant to leave, either something hid from the first or the first
broke the picture. Each file here is as small as the fault allows, and the fuzzer tries them first.
"""

from __future__ import annotations

import struct
from typing import Final

from kinlight.node.exif import ASCII, EXIF_DIRECTORY, LONG, NewField, pack_directory

from ..node.blocks import exif_segment, jpeg, segment, xmp_packet
from ..node.bmff import box, full, heif, iloc, infe

PLACE: Final = xmp_packet(tiff__Orientation="6", exif__GPSLatitude="47,30N")


def a_frame_behind_a_comment_behind_a_scan() -> bytes:
    """Without the comment, the frame's content is coded data, and in it stands a marker."""
    frame = segment(0xC0, b"\xff\xe1\0\x08secret")
    return jpeg(segment(0xDA, b"\0") + b"coded", segment(0xFE, b"a comment"), frame)


def an_exif_that_goes_behind_a_scan() -> bytes:
    """The same with an EXIF of which nothing stays."""
    frame = segment(0xC2, b"\xff\xed\0\x08secret")
    return jpeg(segment(0xDA, b"\0") + b"coded", exif_segment(b"nonsense"), frame)


def an_item_of_a_version_to_come() -> bytes:
    """The type of the item was taken for its name, which may have no digit."""
    entry = full(b"infe", struct.pack(">HH4s", 1, 0, b"hvc1") + b"at a place!\0", version=4)
    return heif(iloc([(1, 1, [(0, 5)])]), infos=entry, idat=b"coded")


def an_item_with_an_endless_name() -> bytes:
    """What stands in the middle of the name was taken for the type of its content."""
    texts = b"n" * 257 + b"application/rdf+xml\0"
    rows = iloc([(1, 1, [(0, 5)]), (2, 1, [(5, len(PLACE))])])
    return heif(rows, infos=infe(1, b"hvc1") + infe(2, b"mime", texts), idat=b"coded" + PLACE)


def a_box_of_an_identifier_and_a_long_size() -> bytes:
    """Its size, which follows its type, was overwritten with what it says."""
    long = struct.pack(">I4sQ", 1, b"uuid", 16 + 16 + 6) + bytes(range(16)) + b"secret"
    photo = heif(iloc([(1, 1, [(0, 5)])]), infos=infe(1, b"hvc1"), idat=b"coded")
    return photo[:24] + long + photo[24:]


def a_handler_too_short_for_its_type() -> bytes:
    """Its type was read in the next box, which goes."""
    next_one = box(b"abcd", b"pict: a secret")
    photo = heif(iloc([(1, 1, [(0, 5)])]), infos=infe(1, b"hvc1"), idat=b"coded")
    at = photo.index(b"meta") + 8
    end = at + int.from_bytes(photo[at : at + 4], "big")
    content = photo[at - 4 : at] + box(b"hdlr", b"") + next_one + photo[end:]
    return photo[: at - 12] + box(b"meta", content)


def _webp(*chunks: bytes, missing: int = 0) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content) + missing) + content


def _chunk(kind: bytes, content: bytes, *, padded: bool = True) -> bytes:
    padding = b"\0" * (len(content) % 2 if padded else 0)
    return kind + struct.pack("<I", len(content)) + content + padding


_HEADER: Final = _chunk(b"VP8X", b"\x04\0\0\0\7\0\0\7\0\0")


def a_webp_that_lacks_its_last_padding() -> bytes:
    """The new EXIF began where the padding should have been."""
    return _webp(_HEADER, _chunk(b"XMP ", PLACE), _chunk(b"VP8 ", b"coded", padded=False))


def a_webp_that_is_cut_off() -> bytes:
    """The new EXIF stood where the rest of the picture should have been."""
    return _webp(_HEADER, _chunk(b"XMP ", PLACE), _chunk(b"VP8 ", bytes(30))[:-20], missing=20)


def a_frame_that_lacks_its_padding() -> bytes:
    """What followed the frame moved by a byte."""
    inside = _chunk(b"TEXT", b"here") + _chunk(b"VP8 ", b"coded", padded=False)
    frame = _chunk(b"ANMF", bytes(16) + inside)
    return _webp(_HEADER, frame, _chunk(b"ANMF", bytes(16) + _chunk(b"VP8 ", b"coded!")))


def page(*more: NewField) -> bytes:
    """A TIFF of one grey pixel, with these tags too."""
    ones = [number(tag, 1) for tag in (256, 257, 262, 278, 279)]
    fields = [*ones, number(258, 8), number(273, 8), *more]
    return b"II*\0\x0c\0\0\0\x7f\0\0\0" + pack_directory(fields, 12, little=True)


def number(tag: int, value: int) -> NewField:
    """A field of one number."""
    return NewField(tag, LONG, 1, struct.pack("<I", value))


_SECRET: Final = NewField(0x9999, ASCII, 900, b"secret" * 150)


def a_text_that_grows() -> bytes:
    """In the copy the text, in UTF-8 and with its NUL, was longer than what is read of one."""
    at = len(page(number(EXIF_DIRECTORY, 0), _SECRET))
    lens = NewField(0xA434, ASCII, 4000, b"\xe9" * 4000)
    return page(number(EXIF_DIRECTORY, at), _SECRET) + pack_directory([lens], at, little=True)


def a_text_that_ends_in_spaces() -> bytes:
    """The copy had spaces at its end, because the text was cut behind them."""
    return page(NewField(0x0131, ASCII, 4502, b"x" + b" " * 4500 + b"y"), _SECRET)


FINDINGS: Final = {
    made.__name__: made()
    for made in (
        a_frame_behind_a_comment_behind_a_scan,
        an_exif_that_goes_behind_a_scan,
        an_item_of_a_version_to_come,
        an_item_with_an_endless_name,
        a_box_of_an_identifier_and_a_long_size,
        a_handler_too_short_for_its_type,
        a_webp_that_lacks_its_last_padding,
        a_webp_that_is_cut_off,
        a_frame_that_lacks_its_padding,
        a_text_that_grows,
        a_text_that_ends_in_spaces,
    )
}
