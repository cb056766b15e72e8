"""The index of a film: pictures and sound stay, with the date; other tracks and all tags go."""

from __future__ import annotations

import re
import struct
from typing import Final

from .facts import Buffer, PictureError
from .film_tracks import Track, read_track
from .isobmff import Box, boxes, child
from .overlay import PLACE, Overlay, box_words
from .quicktime import CREATION_DATE, MAX_VALUE

_MOOV: Final = frozenset((b"mvhd", b"trak", b"mvex", b"iods"))
_TRAK: Final = frozenset(
    (b"tkhd", b"edts", b"mdia", b"tref", b"tapt", b"load", b"matt", b"clip", b"trgr")
)
_MDIA: Final = frozenset((b"mdhd", b"hdlr", b"minf", b"elng"))
_MINF: Final = frozenset(
    (b"vmhd", b"smhd", b"hmhd", b"nmhd", b"sthd", b"gmhd", b"hdlr", b"dinf", b"stbl")
)
_STBL: Final = frozenset(
    (b"stsd", b"stts", b"ctts", b"cslg", b"stss", b"stsh", b"stps", b"stsc", b"stsz", b"stz2",
     b"stco", b"co64", b"sdtp", b"stdp", b"padb", b"sbgp", b"sgpd", b"csgm", b"subs", b"saiz",
     b"saio", b"senc")
)  # fmt: skip
_MVEX: Final = frozenset((b"mehd", b"trex", b"leva"))
_NOT_IN_ENTRIES: Final = frozenset((b"uuid", b"udta", b"meta"))
_PICTURE_ENTRY: Final = 78
"""Bytes of a sample entry of pictures before the boxes in it."""
_HANDLER_NAME: Final = 24
_LONGEST_NAME: Final = 64
_DATE_KEY: Final = CREATION_DATE.encode()
_DATE: Final = re.compile(
    rb"\d{4}[-:]\d\d[-:]\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
)
_KEPT_HANDLERS: Final = frozenset((b"vide", b"soun", b"pict", b"auxv"))


def is_kept(track: Track) -> bool:
    """Whether a track is one of pictures or of sound."""
    return track.handler in _KEPT_HANDLERS


def strip_moov(overlay: Overlay, moov: Box) -> list[Track]:
    """Empty what goes of a `moov` box; all its tracks as they were, those that go included.

    `PictureError` where the index can't be read.
    """
    data = overlay.data
    if child(data, moov, b"cmov"):
        raise PictureError("a compressed index")
    for box in boxes(data, moov.body, moov.end):
        if box.type == b"meta":
            _keep_the_date(overlay, box, _dated_meta(data, box))
        elif box.type == b"udta":
            _keep_the_date(overlay, box, _dated_udta(data, box))
        elif box.type not in _MOOV:
            overlay.remove(box)
        elif box.type == b"mvex":
            overlay.keep_children(box, _MVEX)
    tracks = [
        read_track(data, box) for box in boxes(data, moov.body, moov.end) if box.type == b"trak"
    ]
    removed = {track.id for track in tracks if not is_kept(track)}
    for track in tracks:
        if is_kept(track):
            _strip_track(overlay, track.box, removed)
        else:
            overlay.words |= {"timed metadata", *(box_words(data, track.box) & {"place"})}
            overlay.free(track.box)
    return tracks


def _strip_track(overlay: Overlay, trak: Box, removed: set[int]) -> None:
    overlay.keep_children(trak, _TRAK)
    if mdia := child(overlay.data, trak, b"mdia"):
        overlay.keep_children(mdia, _MDIA)
        _strip_media(overlay, mdia)
    tref = child(overlay.data, trak, b"tref")
    if tref and _refers(overlay.data, tref, removed):
        overlay.free(tref)


def _strip_media(overlay: Overlay, mdia: Box) -> None:
    data = overlay.data
    hdlr = child(data, mdia, b"hdlr")
    if hdlr and _tells(name := bytes(data[hdlr.body + _HANDLER_NAME : hdlr.end])):
        overlay.zero(hdlr.body + _HANDLER_NAME, hdlr.end)
        overlay.words |= {"other tags", *({"place"} if PLACE.search(name) else ())}
    minf = child(data, mdia, b"minf")
    if minf is None:
        return
    overlay.keep_children(minf, _MINF)
    stbl = child(data, minf, b"stbl")
    if stbl is None:
        return
    overlay.keep_children(stbl, _STBL)
    stsd = child(data, stbl, b"stsd")
    for entry in boxes(data, stsd.body + 8, stsd.end) if stsd else ():
        for box in boxes(data, entry.body + _PICTURE_ENTRY, entry.end):
            if box.type in _NOT_IN_ENTRIES:
                overlay.remove(box)


def _tells(name: bytes) -> bool:
    """Whether the name of a handler is more than one."""
    return len(name) > _LONGEST_NAME or PLACE.search(name) is not None


def _refers(data: Buffer, tref: Box, removed: set[int]) -> bool:
    return any(
        int.from_bytes(data[at : at + 4], "big") in removed
        for box in boxes(data, tref.body, tref.end)
        for at in range(box.body, box.end - 3, 4)
    )


# The date of a film with its zone stands among the tags.


def _keep_the_date(overlay: Overlay, box: Box, content: bytes) -> None:
    """`content` is all that stays in a box of tags; b"" for nothing."""
    room = box.end - box.body - len(content)
    if not content or 0 < room < 8:
        overlay.remove(box)
        return
    if room:
        content += struct.pack(">I4s", room, b"free") + bytes(room - 8)
    if bytes(overlay.data[box.body : box.end]) != content:
        overlay.words |= box_words(overlay.data, box)
        overlay.write(box.body, content)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _dated_meta(data: Buffer, meta: Box) -> bytes:
    """The content of a `meta` box with only the date of creation."""
    version = 0 if bytes(data[meta.body + 4 : meta.body + 8]) == b"hdlr" else 4
    parts = {box.type: box for box in boxes(data, meta.body + version, meta.end)}
    if not parts.keys() >= {b"hdlr", b"keys", b"ilst"}:
        return b""
    names = (
        _content(data, box) for box in boxes(data, parts[b"keys"].body + 8, parts[b"keys"].end)
    )
    number = next((at for at, name in enumerate(names, 1) if name == _DATE_KEY), 0)
    item = child(data, parts[b"ilst"], number.to_bytes(4, "big")) if number else None
    value = child(data, item, b"data") if item else None
    # Type and locale before the text are eight bytes.
    if value is None or not _DATE.fullmatch(_content(data, value)[8:]):
        return b""
    keys = _box(b"keys", bytes(4) + b"\0\0\0\1" + _box(b"mdta", _DATE_KEY))
    ilst = _box(b"ilst", _box(b"\0\0\0\1", _box(b"data", _content(data, value))))
    hdlr = _box(b"hdlr", _content(data, parts[b"hdlr"]))
    return bytes(data[meta.body : meta.body + version]) + hdlr + keys + ilst


def _dated_udta(data: Buffer, udta: Box) -> bytes:
    """The content of a `udta` box with only the date of creation."""
    day = child(data, udta, b"\xa9day")
    # Length and language before the text are four bytes.
    if day is None or not _DATE.fullmatch(_content(data, day)[4:]):
        return b""
    return _box(b"\xa9day", _content(data, day))


def _content(data: Buffer, box: Box) -> bytes:
    return bytes(data[box.body : min(box.end, box.body + MAX_VALUE)])
