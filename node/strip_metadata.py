"""What lies in the blocks of metadata that a copy leaves out or writes anew, whatever the format.

EXIF is written anew from an allow-list (`exif.build`); XMP, IPTC and the like go as a whole. Before
they go, two things are asked of them: whether they tell a place, so that people can be told, and
which way up the picture is, where EXIF does not say it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from . import exif, xmp
from .edits import LeftOut
from .exif import ORIENTATION, REQUIRED_IFD0, Exif
from .facts import Buffer, PictureError

_TURNS: Final = frozenset("12345678")
_PLACE_NAMES: Final = re.compile(
    r"(?i:latitude|longitude|gpspos|gpscoo|geo:)|^(?:photoshop:(?:City|State|Country)"
    r"|Iptc4xmp(?:Core|Ext):(?:Location|Sublocation|City|Province|Country))"
)
# Latitude and longitude, here and at the destination, and the area's name. A time is no place.
_GPS_PLACE: Final = frozenset((0x02, 0x04, 0x14, 0x16, 0x1C))
# Information interchange model, application record: city, sublocation, province, country, place.
_IPTC_PLACE: Final = re.compile(rb"\x1c\x02[\x5a\x5c\x5f\x64\x65\x1a\x1b]")


class NewExif(NamedTuple):
    """The EXIF of a copy.

    `old` is that of the source from its TIFF header on, `new` the same for the copy (b"" for
    none). They are equal if nothing has to go.
    """

    old: bytes
    new: bytes
    left_out: frozenset[LeftOut]


def renew_exif(block: Buffer | None, packet: bytes = b"") -> NewExif:
    """The EXIF that replaces `block` (with or without its prefix; None if there is none).

    `packet` (XMP) is asked for the orientation where the EXIF has none.
    """
    old = b"" if block is None else bytes(block).removeprefix(exif.PREFIX)
    words: set[LeftOut] = set()
    try:
        source = exif.read(old) if old else Exif()
    except PictureError:
        source = Exif()
        words.add("other tags")
    orientation = source.orientation
    if ORIENTATION not in source.ifd0:
        orientation = xmp_orientation(packet)
        if not old and orientation == 1:
            orientation = None
        if not old and orientation is not None:
            source = Exif(ifd0=REQUIRED_IFD0)
    new = exif.build(source, orientation=orientation)
    words |= _lost(source)
    if old and not words and not exif.is_plain(old):
        words.add("other tags")  # reached in another way, or by none
    if not words and orientation == source.orientation:
        new = old
    return NewExif(old, new, frozenset(words))


def _lost(source: Exif) -> set[LeftOut]:
    words: set[LeftOut] = set()
    if source.gps.keys() & _GPS_PLACE or exif.place_in_text(source):
        words.add("place")
    elif source.gps:
        words.add("other tags")
    if source.maker_note:
        words.add("maker notes")
    if source.has_thumbnail:
        words.add("thumbnail")
    if exif.USER_COMMENT in source.exif or source.ifd0.keys() & {exif.DESCRIPTION, exif.XP_COMMENT}:
        words.add("comments")
    if exif.dropped(source):
        words.add("other tags")
    return words


def xmp_orientation(packet: bytes) -> int | None:
    """The orientation (1 to 8) that an XMP packet tells, or None."""
    text = xmp.read(packet).first("tiff:Orientation") if packet else None
    return int(text) if text is not None and text in _TURNS else None


def xmp_words(packet: bytes) -> set[LeftOut]:
    """What goes with an XMP packet."""
    if any(_PLACE_NAMES.search(name) for name in xmp.read(packet).values):
        return {"XMP", "place"}
    return {"XMP"}


def iptc_words(dataset: bytes) -> set[LeftOut]:
    """What goes with an IPTC-IIM record."""
    return {"IPTC", "place"} if _IPTC_PLACE.search(dataset) else {"IPTC"}


def photoshop_words(resources: bytes) -> set[LeftOut]:
    """What goes with a block of Photoshop image resources (`8BIM`)."""
    words: set[LeftOut] = {"Photoshop data"}
    if b"8BIM\x04\x04" in resources:
        words |= iptc_words(resources)
    if b"8BIM\x04\x09" in resources or b"8BIM\x04\x0c" in resources:
        words.add("thumbnail")
    return words
