"""Where each format keeps its metadata and its further pictures.

One function a format: it walks the container and hands each block to `Metadata`. A container with a
fault gives what stood before the fault.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Callable
from typing import Final

from . import exif, hidden, isobmff, jpeg, quicktime
from .facts import Buffer, PictureError
from .metadata import MAX_BLOCK, Metadata
from .strip_chunks import png_chunks, webp_chunks

MAX_PICTURES: Final = 16
"""Pictures inside a picture that are read for what they say."""

_RIFF_HEADER: Final = 12
_PNG_TEXT: Final = re.compile(
    rb"XML:com\.adobe\.xmp\0|Creation Time\0|create-date\0|Raw profile type "
)
_GIF_XMP: Final = re.compile(rb"\x21\xff\x0bXMP DataXMP")
_GIF_XMP_END: Final = re.compile(rb"\x01\xff\xfe\xfd")
_GIF_ICC: Final = re.compile(rb"\x21\xff\x0bICCRGBG1012")
_RAW_PROFILE: Final = re.compile(rb"\s*(\w+)\s+\d+\s+([0-9a-fA-F\s]*)")
_FTYP: Final = re.compile(rb"\0\0[\0-\4].ftyp[ -~]{4}", re.DOTALL)
_SAMSUNG_CLIP: Final = re.compile(rb"MotionPhoto_Data")
_C2PA_THUMBNAIL: Final = re.compile(rb"c2pa\.thumbnail\.")
_ISO_GAIN_MAP: Final = b"urn:iso:std:iso:ts:21496:-1\0"
_C2PA_UUID: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP_UUID: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_UUID: Final = b"JpgTiffExif->JP2"


def collect(data: Buffer, kind: str) -> Metadata:
    """What the file says; `kind` is its format as `sniffing.sniff` names it. Never fails."""
    found = Metadata()
    reader = _READERS.get(kind)
    if reader is not None:
        with contextlib.suppress(PictureError):
            reader(found, data)
        _inner_pictures(found)
    _in_xmp(found)
    # A thumbnail of the second picture is a further picture of the file, too.
    found.hidden |= found.within().hidden
    return found


def _inner_pictures(found: Metadata) -> None:
    for picture in found.pictures[:MAX_PICTURES]:
        with contextlib.suppress(PictureError):
            _jpeg_segments(found.within(), picture)


def _in_xmp(found: Metadata) -> None:
    """The pictures that XMP holds or tells of."""
    for xmp in [*found.xmp, *found.within().xmp]:
        if xmp.first("xmpGImg:image"):
            found.hidden.add(hidden.XMP_THUMBNAIL)
        if xmp.first("GImage:Data"):
            found.hidden.add(hidden.XMP_IMAGE)
        if xmp.first("GDepth:Data"):
            found.hidden.add(hidden.DEPTH_MAP)
        if xmp.first("hdrgm:Version"):
            found.hidden.add(hidden.GAIN_MAP)
        for kind in (*xmp.all("apdi:AuxiliaryImageType"), *xmp.all("Item:Semantic")):
            if (name := hidden.of_auxiliary(kind)) is not None:
                found.hidden.add(name)


def _jpeg(found: Metadata, data: Buffer) -> None:
    end = _jpeg_segments(found, data).end
    film = _FTYP.search(data, end)
    stop = film.start() if film is not None else len(data)
    for at in hidden.jpegs(data, end, stop):
        if at < end:  # inside the one before
            continue
        if hidden.MPF not in found.hidden:
            found.hidden.add(hidden.APPENDED)
        try:
            last = _jpeg_segments(found.within(), data, at)
        except PictureError:
            break
        end = last.end
        if last.marker != jpeg.EOI:  # all that follows is its own; no byte is walked twice
            break
    if film is not None:
        found.add_film(data, film.start())
    elif _promises_clip(found, data, end):
        found.hidden.add(hidden.VIDEO)
        found.clip = True


def _promises_clip(found: Metadata, data: Buffer, end: int) -> bool:
    """Whether a clip is announced and something is there that may be it, though no whole film.

    With nothing there the promise is empty: an editor kept the XMP and left out the clip.
    """
    if _SAMSUNG_CLIP.search(data, end):
        return True
    told = any(
        xmp.first("GCamera:MotionPhoto", "GCamera:MicroVideo") == "1"
        or "MotionPhoto" in xmp.all("Item:Semantic")
        for xmp in found.xmp
    )
    return told and end < len(data)


def _jpeg_segments(found: Metadata, data: Buffer, start: int = 0) -> jpeg.Segment:
    """Read the segments of the JPEG at `start`; the last of them."""
    profile: dict[int, bytes] = {}
    extensions: dict[bytes, list[tuple[int, bytes]]] = {}
    photoshop: list[bytes] = []
    segment = jpeg.Segment(jpeg.SOI, start, start, start)
    for segment in jpeg.segments(data, start):
        if segment.marker not in _JPEG_METADATA:
            continue
        body = found.piece(data, segment.body, segment.end)
        if segment.marker == jpeg.APP0:
            _jfif(found, body)
        elif body.startswith(b"Exif"):
            found.add_exif(body[4:])
        elif body.startswith(jpeg.XMP):
            found.add_xmp(body[len(jpeg.XMP) :])
        elif body.startswith(jpeg.XMP_EXTENSION):
            rest = body[len(jpeg.XMP_EXTENSION) :]
            offset = int.from_bytes(rest[36:40], "big")
            extensions.setdefault(rest[:32], []).append((offset, rest[40:]))
        elif body.startswith(jpeg.ICC):
            profile.setdefault(body[12] if len(body) > 12 else 0, body[14:])
        elif body.startswith(jpeg.MPF):
            _mpf(found, body[len(jpeg.MPF) :])
        elif body.startswith(_ISO_GAIN_MAP):
            found.hidden.add(hidden.GAIN_MAP)
        elif body.startswith(jpeg.PHOTOSHOP):
            photoshop.append(body[len(jpeg.PHOTOSHOP) :])
        elif body.startswith(b"JP"):
            _c2pa(found, body)
    for parts in extensions.values():
        found.add_xmp(b"".join(part for _, part in sorted(parts)))
    if profile:
        found.add_icc(b"".join(part for _, part in sorted(profile.items())))
    if photoshop:  # a long block goes on in the next segment
        found.add_photoshop(b"".join(photoshop))
    return segment


_JPEG_METADATA: Final = frozenset({jpeg.APP0, jpeg.APP1, jpeg.APP2, jpeg.APP13, 0xEB})


def _jfif(found: Metadata, body: bytes) -> None:
    size = body[12] * body[13] if body.startswith(b"JFIF\0") and len(body) > 14 else 0
    if size or (body.startswith(b"JFXX\0") and len(body) > 6):
        found.hidden.add(hidden.JFXX_THUMBNAIL)
        found.pictures += (memoryview(body)[at:] for at in hidden.jpegs(body))


def _mpf(found: Metadata, block: bytes) -> None:
    with contextlib.suppress(PictureError):
        index = exif.read(block).ifd0
        # 0xB001 counts the pictures, 0xB002 holds 16 bytes for each.
        match index.get(0xB002):
            case bytes(entries) if len(entries) >= 32:
                found.hidden.add(hidden.MPF)
            case _:
                pass


def _c2pa(found: Metadata, block: Buffer) -> None:
    if _C2PA_THUMBNAIL.search(block):
        found.hidden.add(hidden.C2PA_THUMBNAIL)


def _png(found: Metadata, data: Buffer) -> None:
    for kind, _, start, end, _ in png_chunks(data):
        if kind == b"eXIf":
            found.add_exif(found.piece(data, start, end))
        elif kind == b"caBX":
            _c2pa(found, found.piece(data, start, end))
        elif kind == b"tIME" and end - start >= 7:
            year, rest = int.from_bytes(data[start : start + 2], "big"), data[start + 2 : start + 7]
            month, day, hour, minute, second = rest
            found.png_modified = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        elif kind == b"iCCP":
            _, _, rest = found.piece(data, start, end).partition(b"\0")
            found.add_icc(_inflated(found, rest[1:], whole=True))
        elif kind in (b"tEXt", b"zTXt", b"iTXt") and _PNG_TEXT.match(data, start, end):
            _png_text(found, kind, found.piece(data, start, end))


def _png_text(found: Metadata, kind: bytes, chunk: bytes) -> None:
    keyword, _, text = chunk.partition(b"\0")
    if kind == b"zTXt":
        text = _inflated(found, text[1:])
    elif kind == b"iTXt":
        packed = text[:1] == b"\1"
        text = text[2:].partition(b"\0")[2].partition(b"\0")[2]  # language, translated keyword
        text = _inflated(found, text) if packed else text
    if keyword == b"XML:com.adobe.xmp":
        found.add_xmp(text)
    elif keyword in (b"Creation Time", b"create-date"):
        found.png_created = text[:64].decode("latin-1")
    elif profile := _RAW_PROFILE.match(text):
        # ImageMagick's way: a name, a length, and the block in hexadecimal.
        digits = b"".join(profile[2].split())
        block = bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
        _raw_profile(found, keyword.rpartition(b" ")[2], block)


def _raw_profile(found: Metadata, name: bytes, block: bytes) -> None:
    if name in (b"exif", b"APP1") and block.startswith(jpeg.XMP):
        found.add_xmp(block[len(jpeg.XMP) :])
    elif name in (b"exif", b"APP1"):
        found.add_exif(block)
    elif name == b"xmp":
        found.add_xmp(block)
    elif name in (b"icc", b"icm"):
        found.add_icc(block)
    elif name in (b"iptc", b"8bim") and block.startswith(b"\x1c"):
        found.add_iptc(block)
    elif name in (b"iptc", b"8bim"):
        found.add_photoshop(block.removeprefix(jpeg.PHOTOSHOP))


def _inflated(found: Metadata, packed: bytes, *, whole: bool = False) -> bytes:
    """What zlib gives while there is room: as far as it goes, or b"" if it must be `whole`."""
    stream = zlib.decompressobj()
    try:
        # One byte at least: 0 would mean no limit.
        unpacked = stream.decompress(packed, max(1, min(MAX_BLOCK, found.room)))
    except zlib.error:
        return b""
    found.room -= len(unpacked)
    return unpacked if stream.eof or not whole else b""


def _webp(found: Metadata, data: Buffer) -> None:
    for kind, _, start, end, _ in webp_chunks(data, _RIFF_HEADER, len(data)):
        if kind == b"EXIF":
            found.add_exif(found.piece(data, start, end))
        elif kind == b"XMP ":
            found.add_xmp(found.piece(data, start, end))
        elif kind == b"ICCP":
            found.add_icc(found.piece(data, start, end))
        elif kind == b"C2PA":
            _c2pa(found, found.piece(data, start, end))


def _gif(found: Metadata, data: Buffer) -> None:
    if start := _GIF_XMP.search(data):
        # The packet stands bare, before a ramp of bytes that leads block readers out of it.
        end = _GIF_XMP_END.search(data, start.end())
        found.add_xmp(found.piece(data, start.end(), end.start() if end else len(data)))
    if start := _GIF_ICC.search(data):
        profile, position = bytearray(), start.end()
        while position < len(data) and data[position] and len(profile) < MAX_BLOCK:
            size = data[position]
            profile += data[position + 1 : position + 1 + size]
            position += 1 + size
        found.add_icc(bytes(profile))


def _tiff(found: Metadata, data: Buffer) -> None:
    found.add_tiff(data)


def _raw(found: Metadata, data: Buffer) -> None:
    # What can be shown of a raw file is its preview.
    found.hidden.add(hidden.PREVIEW)
    if bytes(data[4:8]) == b"ftyp":
        _boxes(found, data)
    else:
        found.add_tiff(data)


def _raf(found: Metadata, data: Buffer) -> None:
    # What a RAF tells stands in the EXIF of its preview.
    found.hidden.add(hidden.PREVIEW)
    at, size = (int.from_bytes(data[place : place + 4], "big") for place in (84, 88))
    _jpeg_segments(found, memoryview(data)[at : at + size])


def _psd(found: Metadata, data: Buffer) -> None:
    # A header of 26 bytes, the colour table, then the resources.
    at = 30 + int.from_bytes(data[26:30], "big")
    size = int.from_bytes(data[at : at + 4], "big")
    found.add_photoshop(found.piece(data, at + 4, at + 4 + size))


def _heif(found: Metadata, data: Buffer) -> None:
    with contextlib.suppress(PictureError):
        _items(found, data)
    _boxes(found, data)


def _items(found: Metadata, data: Buffer) -> None:
    meta = isobmff.Meta.find(data)
    if meta is None:
        return
    for item in meta.items.values():
        if item.type == b"Exif":
            # Four bytes say how far it is to the TIFF.
            found.add_exif(_item(found, data, item)[4:])
        elif item.content_type == "application/rdf+xml":
            found.add_xmp(_item(found, data, item))
        elif item.type == b"tmap":
            found.hidden.add(hidden.GAIN_MAP)
        kind = item.property(b"auxC")
        if kind is not None:
            end = min(kind.end, kind.body + _MAX_URN)
            urn = bytes(data[kind.body + 4 : end]).partition(b"\0")[0]
            if (name := hidden.of_auxiliary(urn.decode("latin-1"))) is not None:
                found.hidden.add(name)
    if meta.of_type(b"thmb"):
        found.hidden.add(hidden.HEIF_THUMBNAIL)
    # A grid without a profile of its own has that of its tiles.
    tiles = [each.targets[:1] for each in meta.of_type(b"dimg") if each.source == meta.primary]
    for number in (meta.primary, *(tile for targets in tiles[:1] for tile in targets)):
        shown = meta.items.get(number) if number is not None else None
        for colour in shown.properties if shown is not None else ():
            if colour.type == b"colr" and bytes(data[colour.body : colour.body + 4]) in _PROFILES:
                found.add_icc(found.piece(data, colour.body + 4, colour.end))


_PROFILES: Final = (b"prof", b"rICC")
_MAX_URN: Final = 256


def _item(found: Metadata, data: Buffer, item: isobmff.Item) -> bytes:
    content = isobmff.item_bytes(data, item, min(MAX_BLOCK, found.room))
    found.room -= len(content)
    return content


def _boxes(found: Metadata, data: Buffer) -> None:
    """Metadata and clips at the top level of a file of boxes."""
    typed = False
    for box in isobmff.boxes(data):
        if box.type == b"mpvd":
            found.add_film(data, box.body, box.end)
        elif box.type == b"ftyp" and typed:  # a second file after the first
            found.add_film(data, box.start)
            break
        elif box.type == b"ftyp":
            typed = True
        elif box.type == b"moov":
            found.film = found.film or quicktime.read(data, box.start, box.end)
        elif box.type == b"Exif":  # JPEG XL
            found.add_exif(found.piece(data, box.body + 4, box.end))
        elif box.type == b"xml ":  # JPEG XL, JPEG 2000
            found.add_xmp(found.piece(data, box.body, box.end))
        elif box.type == b"uuid":
            identifier = bytes(data[box.body - 16 : box.body])
            if identifier == _XMP_UUID:
                found.add_xmp(found.piece(data, box.body, box.end))
            elif identifier == _EXIF_UUID:
                found.add_exif(found.piece(data, box.body, box.end))
            elif identifier == _C2PA_UUID:
                _c2pa(found, found.piece(data, box.body, box.end))


_READERS: Final[dict[str, Callable[[Metadata, Buffer], None]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "gif": _gif,
    "tiff": _tiff,
    "dng": _raw,
    "raw": _raw,
    "raf": _raf,
    "psd": _psd,
    "avif": _heif,
    "heif": _heif,
    "mp4": _boxes,
    "mov": _boxes,
    "jxl": _boxes,
    "jp2": _boxes,
}
