"""PNG, WebP and GIF without their metadata: formats that are a row of chunks.

PNG 3rd edition (with APNG), the WebP container of RFC 9649, GIF89a.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from .edits import LeftOut, Script, Stripped
from .facts import Buffer, PictureError
from .strip_metadata import NewExif, iptc_words, renew_exif, xmp_words

MAX_CHUNKS: Final = 1 << 18
MAX_TEXT: Final = 1 << 22
"""Bytes of the texts of one picture that are looked at."""


class Chunk(NamedTuple):
    """A chunk: its type, and the offsets of its header, its content, the content's end, its end.

    `end` is after the checksum or padding.
    """

    type: bytes
    start: int
    body: int
    stop: int
    end: int


# PNG

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# Beside the critical ones (capital letter): colour, transparency, animation, size of a pixel, date.
_PNG_KEPT: Final = frozenset(
    (b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"mDCv", b"cLLI",
     b"cLLi", b"bKGD", b"hIST", b"pHYs", b"sPLT", b"sTER", b"acTL", b"fcTL", b"fdAT", b"tIME")
)  # fmt: skip
_PNG_SIZES: Final = {
    b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"mDCv": 24, b"cLLI": 8,
    b"cLLi": 8, b"pHYs": 9, b"sTER": 1, b"acTL": 8, b"fcTL": 26, b"tIME": 7,
}  # fmt: skip
"""Of those that have one size only. Another one is no such chunk, whatever it is called."""
_PNG_MOST: Final = {b"sBIT": 4, b"bKGD": 6, b"tRNS": 256, b"hIST": 512}
_PNG_CRITICAL: Final = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
_PNG_XMP: Final = b"XML:com.adobe.xmp"
_RAW_PROFILE: Final = b"Raw profile type "
_RAW_EXIF: Final = (_RAW_PROFILE + b"exif", _RAW_PROFILE + b"APP1")
_RAW_TEXT: Final = re.compile(rb"\s*\w+\s+\d+\s+")
_PLACE_WORD: Final = re.compile(rb"(?i:gps|latitude|longitude|location)")


def png_chunks(data: Buffer) -> Iterator[Chunk]:
    """The chunks up to `IEND`, or as far as there are any."""
    if bytes(data[:8]) != _SIGNATURE:
        raise PictureError("no PNG signature")
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        stop = min(at + 8 + length, len(data))
        end = min(stop + 4, len(data))
        yield Chunk(kind, at, at + 8, stop, end)
        if kind == b"IEND":
            return
        at = end
    raise PictureError("too many chunks")


def strip_png(data: Buffer) -> Stripped:
    """The PNG in `data` without place and further metadata; `PictureError` if it is none."""
    script = Script(data)
    chunks = list(png_chunks(data))
    texts = _png_texts(data, chunks)
    exif = _png_exif(data, chunks, list(texts.values()))
    script.leave_out(exif.left_out)
    in_place = exif.new == exif.old and any(chunk.type == b"eXIf" for chunk in chunks)
    pending = b"" if in_place or not exif.new else _png_chunk(b"eXIf", exif.new)
    script.keep(0, 8)
    at = 8
    for chunk in chunks:
        at = chunk.end
        if chunk.type == b"IDAT" and pending:
            script.put(pending)
            pending = b""
        if chunk.type == b"eXIf":
            if in_place:
                script.keep(chunk.start, chunk.end)
                in_place = False
            elif exif.new == exif.old:  # a second one
                script.leave_out(("other tags",))
        elif chunk.start in texts:
            script.leave_out(_text_words(*texts[chunk.start]))
        elif chunk.type == b"IEND" and chunk.stop > chunk.body:
            script.leave_out(("other data",))
            script.put(_png_chunk(b"IEND", b""))
        elif chunk.type in _PNG_CRITICAL or (chunk.type in _PNG_KEPT and _is_sized(chunk)):
            script.keep(chunk.start, chunk.end)
        else:
            script.leave_out(("C2PA" if chunk.type == b"caBX" else "other data",))
    if at < len(data):
        script.leave_out(("other data",))
    return script.finish()


def _is_sized(chunk: Chunk) -> bool:
    size = chunk.stop - chunk.body
    return size == _PNG_SIZES.get(chunk.type, size) and size <= _PNG_MOST.get(chunk.type, size)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", checksum)


_PNG_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt")


def _png_texts(data: Buffer, chunks: list[Chunk]) -> dict[int, tuple[bytes, bytes]]:
    """Keyword and text of the text chunks, by the chunk's start.

    A text that is not asked for anything, or that can't be read, is b"".
    """
    texts: dict[int, tuple[bytes, bytes]] = {}
    left = MAX_TEXT
    for chunk in chunks:
        if chunk.type not in _PNG_TEXTS:
            continue
        head = bytes(data[chunk.body : min(chunk.stop, chunk.body + 80)])
        keyword, _, _ = head.partition(b"\0")
        text = b""
        if keyword.startswith((_PNG_XMP, _RAW_PROFILE)) and left:
            text = _png_text(
                chunk.type, bytes(data[chunk.body + len(keyword) + 1 : chunk.stop]), left
            )
            left -= len(text)
        texts[chunk.start] = keyword, text
    return texts


def _png_text(kind: bytes, content: bytes, limit: int) -> bytes:
    """The text in what follows the keyword, up to `limit` bytes."""
    compressed = kind == b"zTXt" or (kind == b"iTXt" and content[:1] == b"\1")
    if kind == b"zTXt":
        content = content[1:]
    elif kind == b"iTXt":  # after flags, language and translation
        content = content[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not compressed:
        return content[:limit]
    try:
        return zlib.decompressobj().decompress(content, limit)
    except zlib.error:
        return b""


def _raw_profile(text: bytes) -> bytes:
    """The bytes of ImageMagick's way to put a profile into a text: name, length, hexadecimals."""
    match = _RAW_TEXT.match(text)
    if match is None:
        return b""
    try:
        return bytes.fromhex(text[match.end() :].decode("ascii"))
    except ValueError:
        return b""


def _png_exif(data: Buffer, chunks: list[Chunk], texts: list[tuple[bytes, bytes]]) -> NewExif:
    blocks = [bytes(data[chunk.body : chunk.stop]) for chunk in chunks if chunk.type == b"eXIf"]
    blocks += [_raw_profile(text) for keyword, text in texts if keyword in _RAW_EXIF]
    packets = [text for keyword, text in texts if keyword == _PNG_XMP]
    return renew_exif(blocks[0] if blocks else None, packets[0] if packets else b"")


def _text_words(keyword: bytes, text: bytes) -> set[LeftOut]:
    if keyword == _PNG_XMP or keyword == _RAW_PROFILE + b"xmp":
        return xmp_words(text)
    if keyword in _RAW_EXIF:
        return {"other tags", *renew_exif(_raw_profile(text)).left_out}
    if keyword in (_RAW_PROFILE + b"iptc", _RAW_PROFILE + b"8bim"):
        return iptc_words(_raw_profile(text))
    return {"comments", "place"} if _PLACE_WORD.search(keyword) else {"comments"}


# WebP

_WEBP_KEPT: Final = frozenset((b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ICCP"))
_WEBP_FRAME: Final = frozenset((b"VP8 ", b"VP8L", b"ALPH"))
_FRAME_HEADER: Final = 16
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04


def webp_chunks(data: Buffer, start: int, end: int) -> Iterator[Chunk]:
    """The chunks between two offsets, as far as there are any; the last may be cut off."""
    at = start
    for _ in range(MAX_CHUNKS):
        if at + 8 > end:
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        stop = min(at + 8 + length, end)
        yield Chunk(kind, at, at + 8, stop, min(stop + length % 2, end))
        at = min(stop + length % 2, end)
    raise PictureError("too many chunks")


def strip_webp(data: Buffer) -> Stripped:
    """The WebP in `data` without place and further metadata; `PictureError` if it is none."""
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"WEBP":
        raise PictureError("no WebP header")
    claimed = 8 + int.from_bytes(data[4:8], "little")
    end = min(claimed + claimed % 2, len(data))
    chunks = list(webp_chunks(data, 12, end))
    exif = renew_exif(
        _webp_content(data, chunks, b"EXIF"), _webp_content(data, chunks, b"XMP ") or b""
    )
    body = Script(data)
    body.leave_out(exif.left_out)
    new = b"" if exif.new == exif.old else _webp_chunk(b"EXIF", exif.new)
    has_exif = False
    at = 12
    for chunk in chunks:
        at = chunk.end
        if _webp_is_cut(data, chunk):  # it would claim what stands behind it
            body.put(new)
            new = b""
        if chunk.type in _WEBP_KEPT:
            body.keep(chunk.start, chunk.end)
        elif chunk.type == b"ANMF":
            _webp_frame(body, chunk)
        elif chunk.type == b"VP8X":
            _webp_header(body, chunk, exif=bool(exif.new))
        elif chunk.type == b"XMP ":
            body.leave_out(xmp_words(bytes(data[chunk.body : chunk.stop])))
        elif chunk.type == b"EXIF":
            if exif.new == exif.old and not has_exif:
                body.keep(chunk.start, chunk.end)
            elif has_exif:
                body.leave_out(("other tags",))
            has_exif = True
        else:
            body.leave_out(("C2PA" if chunk.type == b"C2PA" else "other data",))
    padding = body.length % 2 if new else 0  # the last chunk may lack it
    body.put(b"\0" * padding + new)
    if at < len(data):
        body.leave_out(("other data",))
    script = Script(data)
    missing = max(0, claimed - len(data) - padding)  # a file that is cut off stays one
    script.put(struct.pack("<4sI4s", b"RIFF", 4 + body.length + missing, b"WEBP"))
    script.extend(body)
    return script.finish()


def _webp_content(data: Buffer, chunks: list[Chunk], kind: bytes) -> bytes | None:
    found = next((chunk for chunk in chunks if chunk.type == kind), None)
    return None if found is None else bytes(data[found.body : found.stop])


def _webp_is_cut(data: Buffer, chunk: Chunk) -> bool:
    length = int.from_bytes(data[chunk.start + 4 : chunk.body], "little")
    return chunk.body + length > chunk.stop


def _webp_chunk(kind: bytes, content: bytes) -> bytes:
    if not content:
        return b""
    return struct.pack("<4sI", kind, len(content)) + content + b"\0" * (len(content) % 2)


def _webp_header(script: Script, chunk: Chunk, *, exif: bool) -> None:
    """`VP8X` with flags that fit what is left."""
    content = bytearray(script.data[chunk.body : chunk.stop])
    if content:
        content[0] = content[0] & ~(_EXIF_FLAG | _XMP_FLAG) | (_EXIF_FLAG if exif else 0)
    script.keep(chunk.start, chunk.body)
    script.put(bytes(content))
    script.keep(chunk.stop, chunk.end)


def _webp_frame(script: Script, chunk: Chunk) -> None:
    """A frame of an animation without the unknown chunks that it may hold."""
    inside = list(webp_chunks(script.data, chunk.body + _FRAME_HEADER, chunk.stop))
    kept = [each for each in inside if each.type in _WEBP_FRAME]
    if len(kept) == len(inside):
        script.keep(chunk.start, chunk.end)
        return
    script.leave_out(("other data",))
    length = _FRAME_HEADER + sum(each.end - each.start for each in kept)
    script.put(struct.pack("<4sI", b"ANMF", length))
    script.keep(chunk.body, chunk.body + _FRAME_HEADER)
    for each in kept:
        script.keep(each.start, each.end)
    script.put(b"\0" * (length % 2))


# GIF

_GIF_IMAGE, _GIF_EXTENSION, _GIF_TRAILER = 0x2C, 0x21, 0x3B
_GIF_CONTROL, _GIF_APPLICATION = 0xF9, 0xFF
_GIF_MOST: Final[dict[int | bytes, int]] = {
    _GIF_CONTROL: 8, b"\x0bNETSCAPE2.0": 25, b"\x0bANIMEXTS1.0": 25, b"\x0bICCRGBG1012": 1 << 24
}  # fmt: skip
"""Bytes of the extensions that stay: loops and buffers have a size."""
_SOMETHING: Final = re.compile(rb"[^\0]")
_GIF_NEXT: Final = re.compile(rb"[,!;]")
_GIF_XMP: Final = b"\x0bXMP DataXMP"


def strip_gif(data: Buffer) -> Stripped:
    """The GIF in `data` without comments and further metadata; `PictureError` if it is none."""
    if bytes(data[:6]) not in (b"GIF87a", b"GIF89a") or len(data) < 13:
        raise PictureError("no GIF header")
    script = Script(data)
    at = 13 + _colours(data[10])
    script.keep(0, at)
    for _ in range(MAX_CHUNKS):
        if at >= len(data):
            return script.finish()
        kind = data[at]
        if kind == _GIF_IMAGE and at + 10 <= len(data):
            # After the descriptor and its colours: one byte of code size, then blocks.
            end = _blocks_end(data, at + 11 + _colours(data[at + 9]))
            script.keep(at, end)
        elif kind == _GIF_EXTENSION and at + 2 <= len(data):
            end = _blocks_end(data, at + 2)
            _gif_extension(script, at, end)
        elif kind == _GIF_TRAILER:
            script.keep(at, at + 1)
            if _SOMETHING.search(data, at + 1):
                script.leave_out(("other data",))
            return script.finish()
        else:
            found = _GIF_NEXT.search(data, at)
            end = max(at + 1, found.start() if found else len(data))
            if any(data[at:end]):
                script.leave_out(("other data",))
            else:
                script.keep(at, end)
        at = end
    raise PictureError("too many blocks")


def _colours(flags: int) -> int:
    """Bytes of the colour table that the flags of a descriptor announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks_end(data: Buffer, at: int) -> int:
    """The end of a row of blocks: each has its length before it, the last is empty."""
    while at < len(data):
        length = data[at]
        at += 1 + length
        if length == 0:
            break
    return min(at, len(data))


def _gif_extension(script: Script, at: int, end: int) -> None:
    label, name = script.data[at + 1], bytes(script.data[at + 2 : at + 14])
    most = _GIF_MOST.get(label if label == _GIF_CONTROL else name)
    if most is not None and end - at <= most:
        script.keep(at, end)
    elif label == _GIF_CONTROL:
        script.leave_out(("other data",))
    elif label != _GIF_APPLICATION:
        script.leave_out(("comments",))
    elif name == _GIF_XMP:
        script.leave_out(xmp_words(bytes(script.data[at + 14 : end])))
    else:
        script.leave_out(("C2PA" if name[1:].startswith(b"C2PA") else "other data",))
