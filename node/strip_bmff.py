"""HEIC, AVIF, MP4 and MOV without their metadata, edited in place.

Boxes, items and tracks are kept by allow-list, and of the media data only what a kept item or track
points at: the rest becomes zeros. ISO/IEC 14496-12, 23008-12, and the QuickTime File Format.
"""

from __future__ import annotations

from typing import Final

from .edits import Stripped
from .facts import Buffer, PictureError
from .film_tracks import Track, media_ranges
from .isobmff import Box, boxes, child
from .overlay import Overlay
from .strip_film import is_kept, strip_moov
from .strip_heif import strip_items

_FILE: Final = frozenset(
    (b"ftyp", b"styp", b"meta", b"moov", b"mdat", b"moof", b"sidx", b"ssix", b"mfra", b"pdin",
     b"wide")
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
    indexed = False
    media = [box for box in top if box.type == b"mdat"]
    for box in top:
        if box.type == b"meta" and _handler(data, box) == b"pict":
            indexed = True
            idat = child(data, box, b"idat", skip=4)
            media += [idat] if idat else []
            pictures += strip_items(overlay, box, media)
        elif box.type == b"moov":
            indexed = True
            tracks += strip_moov(overlay, box)
        elif box.type == b"moof":
            overlay.keep_children(box, _MOOF)
            for traf in boxes(data, box.body, box.end):
                if traf.type == b"traf":
                    overlay.keep_children(traf, _TRAF)
        elif box.type not in _FILE or box.type == b"meta":
            overlay.remove(box)
    if not indexed:
        raise PictureError("no index of the picture")
    if any(box.type == b"moof" for box in top):
        if not all(map(is_kept, tracks)):
            raise PictureError("timed metadata in a film of fragments")
    else:
        _strip_media(overlay, media, pictures, tracks)
    _cut(overlay, top)
    return overlay.finish()


def _cut(overlay: Overlay, top: list[Box]) -> None:
    """The copy ends with the last box that is needed."""
    needed = [box for box in top if box.type in _FILE]
    overlay.end = needed[-1].end
    tail = [box for box in top if box.start >= overlay.end]
    if overlay.end < len(overlay.data) and not tail:
        overlay.words.add("other data")


def _handler(data: Buffer, meta: Box) -> bytes:
    hdlr = child(data, meta, b"hdlr", skip=4)
    return bytes(data[hdlr.body + 8 : hdlr.body + 12]) if hdlr else b""


def _strip_media(
    overlay: Overlay, media: list[Box], pictures: list[tuple[int, int]], tracks: list[Track]
) -> None:
    """Zeros over all media data that nothing kept points at."""
    kept = list(filter(is_kept, tracks))
    needed = sorted(pictures + media_ranges(kept, tracks, media))
    for box in media:
        at = box.body
        for start, end in [*needed, (box.end, box.end)]:
            start = min(max(start, at), box.end)
            if at < start and overlay.zero(at, start):
                overlay.words.add("timed metadata" if len(kept) < len(tracks) else "other data")
            at = max(at, min(end, box.end))
