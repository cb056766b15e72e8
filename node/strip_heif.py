"""The items of a HEIC or AVIF: coded pictures stay, metadata is written anew or emptied."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from . import exif
from .exif import Exif
from .facts import Buffer, PictureError
from .isobmff import Box, Item, Meta, boxes, child, item_bytes
from .overlay import PLACE, Overlay
from .strip_metadata import iptc_words, renew_exif, xmp_orientation, xmp_words

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

_IPRP: Final = frozenset((b"ipco", b"ipma"))
_NAME: Final = re.compile(rb"[A-Za-z_ -]{0,24}|-+")

_LOOK: Final = 1 << 20
"""Bytes of an item of metadata that are looked at."""


def strip_items(overlay: Overlay, box: Box, media: list[Box]) -> list[tuple[int, int]]:
    """Empty the items of metadata; the byte ranges that are needed. `media` is in order."""
    data = overlay.data
    meta = Meta.read(data, box)
    _check_single(data, box)
    overlay.keep_children(box, _META, skip=4)
    iprp = child(data, box, b"iprp", skip=4)
    if iprp is not None:
        overlay.keep_children(iprp, _IPRP)
        for ipco in boxes(data, iprp.body, iprp.end):
            if ipco.type == b"ipco":
                # A property keeps its place in the row: items count them.
                overlay.keep_children(ipco, _PROPERTIES)
    _strip_infos(overlay, box)
    packets = [item_bytes(data, item, _LOOK) for item in meta.items.values() if _is_xmp(item)]
    packet = packets[0] if packets else b""
    has_exif = any(item.type == b"Exif" and item.extents for item in meta.items.values())
    picture: list[tuple[int, int]] = []
    metadata: list[tuple[int, int]] = []
    for item in meta.items.values():
        ranges = [(offset, offset + length) for offset, length in item.extents]
        if not all(_is_within(media, *each) for each in ranges):
            raise PictureError("an item outside of the media data")
        if item.elsewhere:
            raise PictureError("an item that lies elsewhere")
        if item.type in _ITEMS:
            picture += ranges
        elif item.type == b"Exif" and ranges:
            metadata += ranges
            _renew_exif_item(overlay, item, packet)
        elif _is_xmp(item) and ranges:
            metadata += ranges
            # With an EXIF, that has the orientation.
            _empty_xmp_item(overlay, item, turn=not has_exif)
        elif ranges:
            overlay.words |= (
                iptc_words(item_bytes(data, item, _LOOK))
                if item.type == b"iptc"
                else {"other data"}
            )
    if _overlap(metadata, picture):
        raise PictureError("metadata and picture overlap")
    return picture + metadata


def _check_single(data: Buffer, meta: Box) -> None:
    """`PictureError` if a part is there twice: readers differ in which of the two counts."""
    kinds = [part.type for part in boxes(data, meta.body + 4, meta.end) if part.type in _META]
    if len(set(kinds)) < len(kinds):
        raise PictureError("two boxes of one kind in the index of the picture")


def _strip_infos(overlay: Overlay, meta: Box) -> None:
    """The list of the items, without texts in it that are more than a name."""
    data = overlay.data
    iinf = child(data, meta, b"iinf", skip=4)
    if iinf is None or iinf.end - iinf.body < 6:
        return
    skip = 8 if data[iinf.body] else 6
    overlay.keep_children(iinf, frozenset((b"infe",)), skip)
    for infe in boxes(data, iinf.body + skip, iinf.end):
        # Version and flags, number, protection, type; before version 2 no type.
        version = data[infe.body] if infe.body < infe.end else 0
        at = infe.body + (14 if version == 3 else 12 if version >= 2 else 8)
        name = bytes(data[at : infe.end]).partition(b"\0")[0]
        if infe.type == b"infe" and at < infe.end and not _NAME.fullmatch(name):
            overlay.write(at, b"-" * len(name))
            overlay.words |= {"other tags", *({"place"} if PLACE.search(name) else ())}


def _is_within(media: list[Box], start: int, end: int) -> bool:
    index = bisect_right(media, start, key=lambda box: box.body) - 1
    return index >= 0 and end <= media[index].end


def _is_xmp(item: Item) -> bool:
    return item.type == b"mime" and item.content_type == "application/rdf+xml"


def _overlap(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    """Whether a range of `some` shares a byte with another one of `some`, or with `others`."""
    reach, reach_of_some = 0, 0
    for start, end, of_some in sorted(
        [(*each, True) for each in some] + [(*each, False) for each in others]
    ):
        if start < (reach if of_some else reach_of_some):
            return True
        reach = max(reach, end)
        if of_some:
            reach_of_some = max(reach_of_some, end)
    return False


def _renew_exif_item(overlay: Overlay, item: Item, packet: bytes) -> None:
    size = sum(length for _, length in item.extents)
    raw = item_bytes(overlay.data, item, size)
    # Four bytes say how far after them the TIFF header is.
    start = 4 + int.from_bytes(raw[:4], "big")
    new = renew_exif(raw[start:] if len(raw) > 4 else None, packet)
    overlay.words |= new.left_out
    if new.new and new.new == new.old and raw[4:start] in (b"", exif.PREFIX):
        return
    if new.new == new.old and any(raw[4:]):
        overlay.words.add("other data")  # before the header, or there is none
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


def _empty_xmp_item(overlay: Overlay, item: Item, *, turn: bool) -> None:
    """An XMP packet that says nothing but, if `turn`, the orientation that it told."""
    size = sum(length for _, length in item.extents)
    raw = item_bytes(overlay.data, item, size)
    orientation = xmp_orientation(raw) if turn else None
    packet = _NO_XMP % (_XMP_TURN % orientation if orientation else b"")
    if len(packet) > size:
        if orientation:
            raise PictureError("no room for the orientation")
        packet = b""
    if raw.rstrip(b" ") != packet:
        overlay.words |= xmp_words(raw)
        _overwrite(overlay, item, packet.ljust(size))


def _overwrite(overlay: Overlay, item: Item, content: bytes) -> None:
    """`content`, then zeros, over the bytes of an item."""
    for offset, length in item.extents:
        part = content[:length]
        content = content[length:]
        overlay.write(offset, part.ljust(length, b"\0"))
