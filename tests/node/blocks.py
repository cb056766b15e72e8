"""Pictures with one block of metadata each, as small as they can be."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from kinlight.node import exif
from kinlight.node.exif import NewField, pack_directory

Fields = Mapping[int, str | bytes | int | list[tuple[int, int]]]
"""Tag to text, undefined bytes, a short number, or fractions."""


def tiff(
    ifd0: Fields | None = None,
    sub: Fields | None = None,
    gps: Fields | None = None,
    thumbnail: bytes = b"",
) -> bytes:
    """A big-endian TIFF with these directories; `sub` is the EXIF one."""
    tail = b""
    root = [_field(tag, value) for tag, value in (ifd0 or {}).items()]
    pointers = [
        (pointer, fields)
        for pointer, fields in ((exif.EXIF_DIRECTORY, sub), (exif.GPS_DIRECTORY, gps))
        if fields is not None
    ]
    blank = [NewField(pointer, exif.LONG, 1, bytes(4)) for pointer, _ in pointers]
    at = 8 + len(pack_directory([*root, *blank], 8, little=False))
    for pointer, fields in pointers:
        root.append(NewField(pointer, exif.LONG, 1, struct.pack(">I", at + len(tail))))
        entries = [_field(tag, value) for tag, value in fields.items()]
        tail += pack_directory(entries, at + len(tail), little=False)
    following = 0
    if thumbnail:
        following = at + len(tail)
        length = NewField(0x0202, exif.LONG, 1, struct.pack(">I", len(thumbnail)))
        size = len(pack_directory([length, length], 0, little=False))
        place = NewField(0x0201, exif.LONG, 1, struct.pack(">I", following + size))
        tail += pack_directory([place, length], following, little=False) + thumbnail
    return b"MM\0*\0\0\0\x08" + pack_directory(root, 8, following, little=False) + tail


def _field(tag: int, value: str | bytes | int | list[tuple[int, int]]) -> NewField:
    if isinstance(value, str):
        raw = value.encode() + b"\0"
        return NewField(tag, exif.ASCII, len(raw), raw)
    if isinstance(value, bytes):
        return NewField(tag, exif.UNDEFINED, len(value), value)
    if isinstance(value, int):
        return NewField(tag, exif.SHORT, 1, struct.pack(">H", value))
    raw = b"".join(struct.pack(">II", *fraction) for fraction in value)
    return NewField(tag, exif.RATIONAL, len(value), raw)


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg(*segments: bytes, after: bytes = b"") -> bytes:
    """A JPEG without a picture: these segments, an empty scan, and what follows its end."""
    return b"\xff\xd8" + b"".join(segments) + segment(0xDA, b"\0") + b"coded\xff\xd9" + after


def exif_segment(block: bytes) -> bytes:
    """An EXIF segment."""
    return segment(0xE1, b"Exif\0\0" + block)


def xmp_packet(**properties: str) -> bytes:
    """An XMP packet; `exif__GPSLatitude="51,10N"` sets `exif:GPSLatitude`."""
    spaces = {
        "exif": "http://ns.adobe.com/exif/1.0/",
        "tiff": "http://ns.adobe.com/tiff/1.0/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
        "GCamera": "http://ns.google.com/photos/1.0/camera/",
        "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
        "GImage": "http://ns.google.com/photos/1.0/image/",
        "drone": "http://www.dji.com/drone-dji/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    }
    names = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in spaces.items())
    values = " ".join(f'{name.replace("__", ":")}="{value}"' for name, value in properties.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description {names} rdf:about="" {values}/></rdf:RDF></x:xmpmeta>'
    ).encode()


def xmp_segment(**properties: str) -> bytes:
    """An XMP segment of a JPEG."""
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp_packet(**properties))


def resource(number: int, content: bytes) -> bytes:
    """A Photoshop resource without a name."""
    padding = b"\0" * (len(content) % 2)
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + padding


def iptc(**values: str) -> bytes:
    """IPTC datasets of the application record, `n55="20190609"` for 2:55."""
    return b"".join(
        struct.pack(">BBBH", 0x1C, 2, int(name[1:]), len(value.encode())) + value.encode()
        for name, value in values.items()
    )


def photoshop_segment(*resources: bytes) -> bytes:
    """A Photoshop segment of a JPEG."""
    return segment(0xED, b"Photoshop 3.0\0" + b"".join(resources))


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of the ISO base media format."""
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def movie(*boxes: bytes) -> bytes:
    """A film: its type and a `moov` with these boxes."""
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", *boxes)


def keys(**values: str) -> bytes:
    """QuickTime metadata, `content__identifier=` for com.apple.quicktime.content.identifier."""
    names = [f"com.apple.quicktime.{name.replace('__', '.')}".encode() for name in values]
    table = struct.pack(">II", 0, len(names)) + b"".join(box(b"mdta", name) for name in names)
    items = [
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0), value.encode()))
        for number, value in enumerate(values.values(), 1)
    ]
    handler = box(b"hdlr", bytes(8), b"mdta", bytes(12))
    return box(b"meta", handler, box(b"keys", table), box(b"ilst", *items))


def movie_header(seconds: int) -> bytes:
    """An `mvhd` with a time of creation."""
    return box(b"mvhd", struct.pack(">II", 0, seconds), bytes(92))
