"""HEIC, AVIF, MP4 and MOV without their metadata, edited in place.

The offsets in such a file count from its start, so everything that stays must stay where it is:
what goes is overwritten with zeros at the same length, and boxes that go become `free`. Boxes,
items and tracks are kept by allow-list, and of the media data only what a kept item or track points
at. ISO/IEC 14496-12, 23008-12, and the QuickTime File Format.
"""

from __future__ import annotations

import re
from typing import Final

from . import exif
from .edits import LeftOut, Script, Stripped
from .exif import Exif
from .facts import Buffer, PictureError
from .film_tracks import Track, media_ranges, read_track
from .isobmff import Box, Item, Meta, boxes, child, item_bytes
from .strip_metadata import iptc_words, renew_exif, xmp_orientation, xmp_words

_FREE: Final = frozenset((b"free", b"skip"))

_FILE: Final = frozenset(
    (b"ftyp", b"styp", b"meta", b"moov", b"mdat", b"moof", b"sidx", b"ssix", b"mfra", b"pdin",
     b"wide")
)  # fmt: skip
_META: Final = frozenset(
    (b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"grpl", b"dinf")
)
_ITEMS: Final = frozenset(
    (b"hvc1", b"hev1", b"lhv1", b"av01", b"avc1", b"vvc1", b"evc1", b"jpeg", b"j2k1", b"unci",
     b"mski", b"grid", b"iovl", b"iden", b"tmap")
)  # fmt: skip
"""Coded pictures, and how a picture is made of others."""
_PROPERTIES: Final = frozenset(
    (b"ispe", b"pixi", b"colr", b"irot", b"imir", b"clap", b"pasp", b"auxC", b"hvcC", b"lhvC",
     b"av1C", b"avcC", b"vvcC", b"evcC", b"jpgC", b"j2kH", b"uncC", b"cmpd", b"cmpC", b"icef",
     b"cpat", b"cloc", b"splz", b"sbpm", b"snuc", b"a1op", b"a1lx", b"lsel", b"clli", b"mdcv",
     b"amve", b"cclv", b"ndwt", b"reve", b"oinf", b"tols", b"rrtp", b"iscl", b"mskC", b"crtt",
     b"mdft", b"subs", b"prdi", b"elng", b"rref")
)  # fmt: skip

_MOOV: Final = frozenset((b"mvhd", b"trak", b"mvex", b"iods"))
_TRAK: Final = frozenset(
    (b"tkhd", b"edts", b"mdia", b"tref", b"tapt", b"load", b"matt", b"clip", b"trgr")
)
_MDIA: Final = frozenset((b"mdhd", b"hdlr", b"minf", b"elng"))
_MOOF: Final = frozenset((b"mfhd", b"traf"))
_TRAF: Final = frozenset(
    (b"tfhd", b"tfdt", b"trun", b"sbgp", b"sgpd", b"saiz", b"saio", b"senc", b"subs")
)
_KEPT_HANDLERS: Final = frozenset((b"vide", b"soun", b"pict", b"auxv"))

_PLACE: Final = re.compile(
    rb"\xa9xyz|loci|location\.|(?i:gps)|\.direction\.facing|[+-]\d\d\.\d+[+-]\d{3}\.\d+"
)
_LOOK: Final = 1 << 20
"""Bytes of a box that are looked at for what goes with it."""
_ZEROS: Final = bytes(1 << 16)


class _Overlay:
    """The bytes that are overwritten, and where the copy ends."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.end = len(data)
        self.words: set[LeftOut] = set()
        self._writes: dict[int, bytes | int] = {}
        """Offset to new bytes, or to a number of zeros."""

    def write(self, start: int, new: bytes) -> None:
        self._writes[start] = new

    def zero(self, start: int, end: int) -> bool:
        """Zeros from `start` to `end`; False if they are there already."""
        end = min(end, len(self.data))
        for at in range(start, end, len(_ZEROS)):
            stop = min(at + len(_ZEROS), end)
            if bytes(self.data[at:stop]) != _ZEROS[: stop - at]:
                self._writes[start] = end - start
                return True
        return False

    def free(self, box: Box) -> None:
        """The box says nothing any more."""
        if box.type not in _FREE:
            self.write(box.start + 4, b"free")
        # The identifier of a `uuid` box belongs to what goes.
        self.zero(min(box.body, box.start + 8) if box.type == b"uuid" else box.body, box.end)

    def finish(self) -> Stripped:
        script = Script(self.data)
        script.leave_out(self.words)
        at = 0
        for start, new in sorted(self._writes.items()):
            if start >= self.end:
                break
            if start < at:
                raise PictureError("metadata and picture overlap")
            script.keep(at, start)
            if isinstance(new, bytes):
                script.put(new)
                at = start + len(new)
            else:
                at = min(start + new, self.end)
                for stop in range(start, at, len(_ZEROS)):
                    script.put(_ZEROS[: at - stop])
        script.keep(at, self.end)
        return script.finish()


def strip_bmff(data: Buffer) -> Stripped:
    """The picture or film in `data` without place and further metadata.

    `PictureError` where it has no index, or where what goes can't be told from what stays.
    """
    overlay = _Overlay(data)
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
            pictures += _strip_items(overlay, box, media)
        elif box.type == b"moov":
            indexed = True
            tracks += _strip_moov(overlay, box)
        elif box.type == b"moof":
            _strip_children(overlay, box, _MOOF)
            for traf in boxes(data, box.body, box.end):
                if traf.type == b"traf":
                    _strip_children(overlay, traf, _TRAF)
        elif box.type not in _FILE or box.type == b"meta":
            overlay.words |= _words(data, box)
            overlay.free(box)
    if not indexed:
        raise PictureError("no index of the picture")
    if any(box.type == b"moof" for box in top):
        if any(track.handler not in _KEPT_HANDLERS for track in tracks):
            raise PictureError("timed metadata in a film of fragments")
    else:
        _strip_media(overlay, media, pictures, tracks)
    _cut(overlay, top)
    return overlay.finish()


def _cut(overlay: _Overlay, top: list[Box]) -> None:
    """The copy ends with the last box that is needed."""
    needed = [box for box in top if box.type in _FILE]
    overlay.end = needed[-1].end
    tail = [box for box in top if box.start >= overlay.end]
    if overlay.end < len(overlay.data) and not tail:
        overlay.words.add("other data")


def _strip_children(overlay: _Overlay, parent: Box, kept: frozenset[bytes], skip: int = 0) -> None:
    """Of the boxes in `parent` only `kept` stay."""
    for box in boxes(overlay.data, parent.body + skip, parent.end):
        if box.type not in kept:
            overlay.words |= _words(overlay.data, box)
            overlay.free(box)


def _words(data: Buffer, box: Box) -> set[LeftOut]:
    """What goes with a box."""
    raw = bytes(data[box.start : min(box.end, box.start + _LOOK)])
    if box.type in _FREE:
        if raw[8:].count(0) == len(raw) - 8 and len(raw) < _LOOK:
            return set()
        return {"other data"}
    if box.type in (b"mpvd", b"sefd"):
        return {"clip"}
    words: set[LeftOut] = {"place"} if _PLACE.search(raw) else set()
    if b"<x:xmpmeta" in raw or b"http://ns.adobe.com" in raw:
        words |= {"XMP"}
    if box.type == b"uuid" and b"c2pa" in raw:
        words |= {"C2PA"}
    if box.type in (b"udta", b"meta", b"udes"):
        words |= {"other tags"}
    return words or {"other data"}


# Pictures


def _handler(data: Buffer, meta: Box) -> bytes:
    hdlr = child(data, meta, b"hdlr", skip=4)
    return bytes(data[hdlr.body + 8 : hdlr.body + 12]) if hdlr else b""


def _strip_items(overlay: _Overlay, box: Box, media: list[Box]) -> list[tuple[int, int]]:
    """Empty the items of metadata; the byte ranges that the others need."""
    data = overlay.data
    meta = Meta.read(data, box)
    _strip_children(overlay, box, _META, skip=4)
    iprp = child(data, box, b"iprp", skip=4)
    ipco = child(data, iprp, b"ipco") if iprp else None
    if ipco is not None:
        # A property keeps its place in the row: items count them.
        _strip_children(overlay, ipco, _PROPERTIES | _FREE)
    packets = [item_bytes(data, item, _LOOK) for item in meta.items.values() if _is_xmp(item)]
    packet = packets[0] if packets else b""
    picture: list[tuple[int, int]] = []
    metadata: list[tuple[int, int]] = []
    for item in meta.items.values():
        ranges = [(offset, offset + length) for offset, length in item.extents]
        for start, end in ranges:
            if not any(each.body <= start and end <= each.end for each in media):
                raise PictureError("an item outside of the media data")
        if item.elsewhere:
            raise PictureError("an item that lies elsewhere")
        if item.type in _ITEMS:
            picture += ranges
        elif item.type == b"Exif":
            metadata += ranges
            _renew_exif_item(overlay, item, packet)
        elif _is_xmp(item):
            metadata += ranges
            _empty_xmp_item(overlay, item)
        elif ranges:
            overlay.words |= (
                iptc_words(item_bytes(data, item, _LOOK))
                if item.type == b"iptc"
                else {"other data"}
            )
    if _overlap(picture, metadata):
        raise PictureError("metadata and picture overlap")
    return picture + metadata


def _is_xmp(item: Item) -> bool:
    return item.type == b"mime" and item.content_type == "application/rdf+xml"


def _overlap(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    """Whether a range of `some` shares a byte with one of `others`."""
    rows = sorted([(*each, 0) for each in some] + [(*each, 1) for each in others])
    ends = [0, 0]
    for start, end, side in rows:
        if start < ends[1 - side]:
            return True
        ends[side] = max(ends[side], end)
    return False


def _renew_exif_item(overlay: _Overlay, item: Item, packet: bytes) -> None:
    size = sum(length for _, length in item.extents)
    raw = item_bytes(overlay.data, item, size)
    # Four bytes say how far after them the TIFF header is.
    new = renew_exif(raw[4 + int.from_bytes(raw[:4], "big") :] if len(raw) > 4 else None, packet)
    overlay.words |= new.left_out
    if new.new == new.old:
        return
    old = _orientation(new.new)
    for tiff in (new.new, exif.build(Exif(), orientation=old) if old else _EMPTY_TIFF):
        for head in (b"\0\0\0\6" + exif.PREFIX, b"\0\0\0\0"):
            if tiff and len(head + tiff) <= size:
                _overwrite(overlay, item, head + tiff)
                return
    if old:
        raise PictureError("no room for the orientation")
    _overwrite(overlay, item, b"")


_EMPTY_TIFF: Final = b"II*\0\x08\0\0\0\0\0\0\0\0\0"


def _orientation(tiff: bytes) -> int | None:
    return exif.read(tiff).orientation if tiff else None


_NO_XMP: Final = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="r"?>'
)
_XMP_TURN: Final = (
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    b' tiff:Orientation="%d"/>'
)


def _empty_xmp_item(overlay: _Overlay, item: Item) -> None:
    """An XMP packet that says nothing but the orientation, which may be said nowhere else."""
    size = sum(length for _, length in item.extents)
    raw = item_bytes(overlay.data, item, size)
    turn = xmp_orientation(raw)
    packet = _NO_XMP % (_XMP_TURN % turn if turn else b"")
    if len(packet) > size:
        packet = b""
    if raw.rstrip(b" ") != packet:
        overlay.words |= xmp_words(raw)
        _overwrite(overlay, item, packet.ljust(size))


def _overwrite(overlay: _Overlay, item: Item, content: bytes) -> None:
    """`content`, then zeros, over the bytes of an item."""
    for offset, length in item.extents:
        part = content[:length]
        content = content[length:]
        overlay.write(offset, part.ljust(length, b"\0"))


# Films


def _strip_moov(overlay: _Overlay, moov: Box) -> list[Track]:
    data = overlay.data
    if child(data, moov, b"cmov"):
        raise PictureError("a compressed index")
    _strip_children(overlay, moov, _MOOV)
    tracks = [
        read_track(data, box) for box in boxes(data, moov.body, moov.end) if box.type == b"trak"
    ]
    removed = {track.id for track in tracks if track.handler not in _KEPT_HANDLERS}
    for track in tracks:
        if track.handler not in _KEPT_HANDLERS:
            overlay.words.add("timed metadata")
            if _PLACE.search(
                bytes(data[track.box.start : min(track.box.end, track.box.start + _LOOK)])
            ):
                overlay.words.add("place")
            overlay.free(track.box)
            continue
        _strip_children(overlay, track.box, _TRAK)
        mdia = child(data, track.box, b"mdia")
        if mdia:
            _strip_children(overlay, mdia, _MDIA)
        tref = child(data, track.box, b"tref")
        if tref and _refers(data, tref, removed):
            overlay.free(tref)
    return tracks


def _refers(data: Buffer, tref: Box, removed: set[int]) -> bool:
    return any(
        int.from_bytes(data[at : at + 4], "big") in removed
        for box in boxes(data, tref.body, tref.end)
        for at in range(box.body, box.end - 3, 4)
    )


def _strip_media(
    overlay: _Overlay, media: list[Box], pictures: list[tuple[int, int]], tracks: list[Track]
) -> None:
    """Zeros over all media data that nothing kept points at."""
    kept = [track for track in tracks if track.handler in _KEPT_HANDLERS]
    needed = sorted(pictures + media_ranges(kept, tracks, media))
    for box in media:
        at = box.body
        for start, end in [*needed, (box.end, box.end)]:
            start = min(max(start, at), box.end)
            if at < start and overlay.zero(at, start):
                overlay.words.add("timed metadata" if len(kept) < len(tracks) else "other data")
            at = max(at, min(end, box.end))
