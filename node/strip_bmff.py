"""HEIC, AVIF, MP4 and MOV without their metadata, edited in place.

Boxes, items and tracks are kept by allow-list, and of the media data only what a kept item or track
points at: the rest becomes zeros. ISO/IEC 14496-12, 23008-12, and the QuickTime File Format.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from .edits import Keep, Stripped
from .facts import Buffer, PictureError
from .film_tracks import Track, media_ranges
from .isobmff import Box, boxes, child
from .overlay import Overlay
from .strip_film import is_kept, strip_moov
from .strip_heif import strip_items

_FILE: Final = frozenset(
    (b"ftyp", b"styp", b"meta", b"moov", b"mdat", b"moof", b"sidx", b"ssix", b"mfra", b"pdin")
)  # fmt: skip
_MOOF: Final = frozenset((b"mfhd", b"traf"))
_TRAF: Final = frozenset(
    (b"tfhd", b"tfdt", b"trun", b"sbgp", b"sgpd", b"saiz", b"saio", b"senc", b"subs")
)


def strip_bmff(data: Buffer) -> Stripped:
    """The picture or film in `data` without place and further metadata.

    `PictureError` where it has no index, or where what goes can't be told from what stays.
    """
    overlay = Overlay(data)
    top = list(boxes(data))
    pictures: list[tuple[int, int]] = []
    tracks: list[Track] = []
    media = [box for box in top if box.type == b"mdat"]
    meta = next((box for box in top if box.type == b"meta" and _is_of_pictures(data, box)), None)
    kept = [box for box in top if box.type in _FILE and (box.type != b"meta" or box == meta)]
    if meta:
        idat = child(data, meta, b"idat", skip=4)
        media += [idat] if idat else []
        media.sort(key=lambda box: box.body)
        pictures = strip_items(overlay, meta, media)
    for box in kept:
        if box.type == b"moov":
            tracks += strip_moov(overlay, box)
        elif box.type == b"moof":
            overlay.keep_children(box, _MOOF)
            for traf in boxes(data, box.body, box.end):
                if traf.type == b"traf":
                    overlay.keep_children(traf, _TRAF)
    staying = set(kept)
    for box in top:
        if box not in staying:
            overlay.remove(box)
    if not meta and not any(box.type == b"moov" for box in kept):
        raise PictureError("no index of the picture")
    if any(box.type == b"moof" for box in kept):
        if not all(map(is_kept, tracks)):
            raise PictureError("timed metadata in a film of fragments")
    else:
        _strip_media(overlay, media, pictures, tracks)
    overlay.end = kept[-1].end
    if top[-1].end < len(data):
        overlay.words.add("other data")
    stripped = overlay.finish()
    _check_media(data, stripped)
    return stripped


_CAMCORDER: Final = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"
"""Begins what AVCHD cameras put among the coded pictures: tags of five bytes, see `_located`."""
_IN_MEDIA: Final = re.compile(rb"freeGPS |" + re.escape(_CAMCORDER), re.DOTALL)
_CAMCORDER_PLACES: Final = range(0xB1, 0xCB)


def _check_media(data: Buffer, stripped: Stripped) -> None:
    """`PictureError` where a place stands among the media that stay: nothing there can be cut."""
    for piece in stripped.pieces:
        if isinstance(piece, Keep):
            for found in _IN_MEDIA.finditer(data, piece.offset, piece.offset + piece.length):
                if found[0] != _CAMCORDER or _located(bytes(data[found.end() : found.end() + 512])):
                    raise PictureError("it tells a place among its coded pictures or sound")


def _located(tags: bytes) -> bool:
    """Whether the tags of a camcorder, after their number, tell a position."""
    tags = tags.replace(b"\0\0\3", b"\0\0")  # as H.264 keeps start codes apart
    numbers = tags[1 : 1 + 5 * tags[0] : 5] if tags else b""
    return any(number in _CAMCORDER_PLACES for number in numbers)


def _is_of_pictures(data: Buffer, meta: Box) -> bool:
    hdlr = child(data, meta, b"hdlr", skip=4)
    return (
        hdlr is not None and bytes(data[hdlr.body + 8 : min(hdlr.body + 12, hdlr.end)]) == b"pict"
    )


def _strip_media(
    overlay: Overlay, media: list[Box], pictures: list[tuple[int, int]], tracks: list[Track]
) -> None:
    """Zeros over all media data that nothing kept points at; `media` in order."""
    kept = list(filter(is_kept, tracks))
    needed = deque(sorted(pictures + media_ranges(kept, tracks, media)))
    needed.append((len(overlay.data), len(overlay.data)))
    reach = 0
    for box in media:
        at = min(max(box.body, reach), box.end)
        while at < box.end:
            start, end = needed[0]
            if at < start:
                stop = min(start, box.end)
                if overlay.zero(at, stop):
                    overlay.words.add("timed metadata" if len(kept) < len(tracks) else "other data")
                at = stop
            elif start < len(overlay.data):
                needed.popleft()
                reach = max(reach, end)
                at = min(max(at, reach), box.end)
