"""The properties of an XMP packet, as text.

XMP (ISO 16684-1) is XML written by strangers. Expat reads it with every document type declaration
refused, so that there are no entities to expand and nothing to fetch; depth, number and length are
bounded. A packet with a fault gives what stood before the fault.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from .plain_text import UTF_16_BE

MAX_PACKET: Final = 8 << 20
"""Bytes of a packet that are read; embedded pictures make some of them large."""
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 20_000
MAX_VALUE: Final = 4096
"""Characters kept of one value."""

_PREFIXES: Final = {
    "adobe:ns:meta/": "x",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://www.w3.org/2003/01/geo/wgs84_pos#": "geo",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/g/img/": "xmpGImg",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/hdr-gain-map/1.0/": "hdrgm",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.apple.com/pixeldatainfo/1.0/": "apdi",
    "http://ns.apple.com/HDRGainMap/1.0/": "HDRGainMap",
    "http://ns.google.com/photos/1.0/camera/": "GCamera",
    "http://ns.google.com/photos/1.0/container/": "Container",
    "http://ns.google.com/photos/1.0/container/item/": "Item",
    "http://ns.google.com/photos/dd/1.0/item/": "Item",
    "http://ns.google.com/photos/1.0/depthmap/": "GDepth",
    "http://ns.google.com/photos/1.0/image/": "GImage",
}
"""Namespace to the prefix used here; other namespaces keep the prefix that the packet uses."""
_STRUCTURE: Final = frozenset({"rdf", "x", "xml", "xmlns"})
# XML 1.0 has no place for these, and padding of zeros is common.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Enough(Exception):
    """The packet is over a limit or not XMP: what was read so far counts."""


@dataclass(frozen=True, slots=True)
class Xmp:
    """Values by property name (`exif:GPSLatitude`), in the order of the packet.

    Items of lists and fields of structures are found under the nearest name above the value:
    the city of a location is `Iptc4xmpExt:City`.
    """

    values: Mapping[str, tuple[str, ...]]

    def first(self, *names: str) -> str | None:
        """The first value of the first of `names` that has one."""
        return next((self.values[name][0] for name in names if name in self.values), None)

    def all(self, name: str) -> tuple[str, ...]:
        """All values of a property."""
        return self.values.get(name, ())


def read(packet: bytes) -> Xmp:
    """The properties of a packet in UTF-8 or UTF-16; none where it is not XML at all."""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    text = _NO_XML.sub(" ", _decoded(packet))
    with contextlib.suppress(_Enough, expat.ExpatError):
        parser.Parse(text[text.find("<") :].encode(), True)
    return Xmp({name: tuple(values) for name, values in reader.values.items()})


def _decoded(packet: bytes) -> str:
    packet = packet[:MAX_PACKET]
    if packet.startswith(b"\xfe\xff") or packet[:1] == b"\0":
        text = packet.decode(UTF_16_BE, "replace")
    elif packet.startswith(b"\xff\xfe") or packet[1:2] == b"\0":
        text = packet.decode("utf-16-le", "replace")
    else:
        text = packet.decode("utf-8", "replace")
    return text


def _values() -> dict[str, list[str]]:
    return {}


@dataclass(slots=True)
class _Reader:
    values: dict[str, list[str]] = field(default_factory=_values)
    names: list[str] = field(default_factory=list[str])
    """The property that each open element belongs to."""
    prefixes: dict[str, str] = field(default_factory=dict[str, str])
    text: list[str] = field(default_factory=list[str])
    count: int = 0

    def doctype(self, *_: object) -> None:
        raise _Enough

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.names) >= MAX_DEPTH:
            raise _Enough
        for name, value in attributes.items():
            prefix, _, local = name.partition(":")
            if prefix == "xmlns":
                self.prefixes[local] = _PREFIXES.get(value, local)
        name = self.resolved(tag)
        if name.partition(":")[0] in _STRUCTURE:
            name = self.names[-1] if self.names else ""
        for key, value in attributes.items():
            full = self.resolved(key)
            if full == "rdf:resource":
                self.put(name, value)
            elif ":" in full and full.partition(":")[0] not in _STRUCTURE:
                self.put(full, value)
        self.names.append(name)
        self.text.clear()

    def end(self, _tag: str) -> None:
        self.put(self.names.pop(), "".join(self.text))
        self.text.clear()

    def characters(self, text: str) -> None:
        self.text.append(text)

    def resolved(self, name: str) -> str:
        # Scopes are not kept: prefixes are rarely bound twice. Unbound ones stand for themselves.
        prefix, colon, local = name.rpartition(":")
        known = self.prefixes.get(prefix, prefix)
        return f"{known}:{local}" if colon or known else local

    def put(self, name: str, value: str) -> None:
        value = value[: 4 * MAX_VALUE].strip()[:MAX_VALUE]
        if not (name and value):
            return
        self.count += 1
        if self.count > MAX_VALUES:
            raise _Enough
        self.values.setdefault(name, []).append(value)
