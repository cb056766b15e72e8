"""What a file is, by its first bytes. Names and endings are neither trusted nor an error."""

from __future__ import annotations

from typing import Final

from .facts import Buffer

HEAD_BYTES: Final = 4096
"""What `sniff` looks at."""

PICTURES: Final = ("jpeg", "png", "webp", "gif", "tiff", "avif", "heif")
"""Formats that are opened."""
RAWS: Final = ("dng", "raw", "raf")
"""Formats of cameras: carried as bytes, shown by the preview inside."""
CLIPS: Final = ("mp4", "mov", "matroska")
"""Formats of video: carried as bytes, with a poster frame where one can be decoded."""
READ: Final = (*PICTURES, *RAWS, "mp4", "mov")
"""Formats of which what they tell is known: time, camera, place."""

MEDIA_TYPES: Final = {
    "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif",
    "tiff": "image/tiff", "avif": "image/avif", "heif": "image/heic", "dng": "image/x-adobe-dng",
    "jxl": "image/jxl", "jp2": "image/jp2", "bmp": "image/bmp", "ico": "image/x-icon",
    "psd": "image/vnd.adobe.photoshop", "svg": "image/svg+xml", "pdf": "application/pdf",
    "ps": "application/postscript", "mp4": "video/mp4", "mov": "video/quicktime",
    "matroska": "video/x-matroska",
}  # fmt: skip

SUFFIXES: Final = {
    "jpeg": (".jpg", ".jpeg", ".jpe"), "png": (".png",), "webp": (".webp",), "gif": (".gif",),
    "tiff": (".tif", ".tiff"), "avif": (".avif",), "heif": (".heic", ".heif", ".hif"),
    "dng": (".dng",), "pdf": (".pdf",), "mp4": (".mp4", ".m4v", ".3gp"), "mov": (".mov",),
}  # fmt: skip
"""How names of those formats end whose names say it, the usual ending first."""

_MAGIC: Final = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"\x00\x00\x02\x00", "ico"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jxl"),
    (b"\xff\x0a", "jxl"),
    (b"8BPS", "psd"),
    (b"%PDF-", "pdf"),
    (b"%!PS", "ps"),
    (b"\xc5\xd0\xd3\xc6", "ps"),
    (b"\xd7\xcd\xc6\x9a", "wmf"),
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"FUJIFILMCCD-RAW", "raf"),
)
_TIFF: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_RAW_TIFF: Final = (b"IIRO", b"IIRS", b"IIU\x00")
_AVIF_BRANDS: Final = frozenset((b"avif", b"avis"))
_HEIF_BRANDS: Final = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2", b"miaf")
)
_MOV_BRANDS: Final = frozenset((b"qt  ",))
_BRANDS: Final = 32


def sniff(data: Buffer) -> str:
    """The format, lower case, from the first `HEAD_BYTES` of a file; `unknown` if it is none."""
    head = bytes(data[:HEAD_BYTES])
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] in _RAW_TIFF:
        return "raw"
    if head[:4] in _TIFF:
        return _tiff_kind(head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return "mov"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"<?xpacket", b"<x:xmpmeta")):
        return "xmp"
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--")) and b"<svg" in text):
        return "svg"
    return "unknown"


def _by_brand(head: bytes) -> str:
    """ISO base media by its brands: the major one counts first, then the compatible ones."""
    size = int.from_bytes(head[:4])
    end = min(max(size, 16), len(head), 16 + 4 * _BRANDS)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "avif"
        if brand == b"crx ":
            return "raw"
        if brand in _MOV_BRANDS:
            return "mov"
        if brand in _HEIF_BRANDS:
            # `mif1` says only "picture inside"; what it is coded in may stand further on.
            return "avif" if _AVIF_BRANDS.intersection(brands) else "heif"
    return "mp4"


def _tiff_kind(head: bytes) -> str:
    """A DNG and most raws are TIFFs whose first picture is a small preview."""
    order = "little" if head[:1] == b"I" else "big"
    if head[2 if order == "little" else 3] == 43:
        return "tiff"  # BigTIFF
    if head[8:10] == b"CR":
        return "raw"
    start = int.from_bytes(head[4:8], order)
    count = int.from_bytes(head[start : start + 2], order) if start + 2 <= len(head) else 0
    reduced = others = False
    for index in range(min(count, 128)):
        entry = head[start + 2 + 12 * index : start + 14 + 12 * index]
        if len(entry) < 12:
            break
        tag = int.from_bytes(entry[:2], order)
        if tag == _DNG_VERSION:
            return "dng"
        if tag == _SUBFILE_TYPE:
            reduced = bool(int.from_bytes(entry[8:12], order) & 1)
        others = others or tag == _SUB_DIRECTORIES
    return "raw" if reduced and others else "tiff"


_DNG_VERSION: Final = 0xC612
_SUBFILE_TYPE: Final = 0x00FE
_SUB_DIRECTORIES: Final = 0x014A
