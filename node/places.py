"""Where a picture was taken: whether the file says so at all, the position, the place in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from . import iptc, quicktime
from .exif import Exif, Rational, Value, place_in_text
from .metadata import Metadata
from .plain_text import one_line
from .quicktime import Film
from .xmp import Xmp

Position = tuple[float, float]
"""Latitude and longitude in degrees, north and east positive."""

_LATITUDE, _LONGITUDE = 2, 4
# Latitude and longitude, of the camera and of what it looks at, and the area in words. Without one
# of these a GPS block (speed, direction, height, time) leads nowhere.
_GPS_PLACES: Final = (_LATITUDE, _LONGITUDE, 0x14, 0x16, 0x1C)
_XMP_POSITION: Final = re.compile(
    # "Longtitude" is how some drones spell it.
    r"[^:]*:gps(dest)?(lat|long)t?itude|[^:]*:gps(position|coordinates|areainformation)"
    r"|geo:(lat|long)",
    re.IGNORECASE,
)
_XMP_PLACES: Final = (
    ("Iptc4xmpCore:Location", "Iptc4xmpExt:Sublocation", "Iptc4xmpExt:LocationName"),
    ("photoshop:City", "Iptc4xmpExt:City"),
    ("photoshop:State", "Iptc4xmpExt:ProvinceState"),
    ("photoshop:Country", "Iptc4xmpExt:CountryName"),
)
"""From the small to the large; of each the picture's own, else the first of its locations."""
_XMP_MORE_PLACES: Final = (
    "Iptc4xmpCore:CountryCode",
    "Iptc4xmpExt:CountryCode",
    "Iptc4xmpExt:LocationId",
    "Iptc4xmpExt:WorldRegion",
)
_IPTC_PLACES: Final = (iptc.SUBLOCATION, iptc.CITY, iptc.STATE, iptc.COUNTRY)
_IPTC_MORE_PLACES: Final = (iptc.COUNTRY_CODE, iptc.CONTENT_LOCATION, iptc.CONTENT_LOCATION_CODE)
# 51,10.7N and 51,10,42N as XMP has it; +47.3541 as drones do
_XMP_DEGREES: Final = re.compile(
    r"([+-]?\d{1,3}(?:\.\d{1,20})?)(?:,(\d{1,2}(?:\.\d{1,20})?)(?:,(\d{1,2}(?:\.\d{1,20})?))?)?"
    r"\s*([NSEW])?",
    re.ASCII,
)
# ISO 6709: degrees, degrees and minutes, or those and seconds; then perhaps the height
_ISO_6709: Final = re.compile(r"([+-]\d{2,6}(?:\.\d{1,20})?)([+-]\d{3,7}(?:\.\d{1,20})?)", re.ASCII)


def located(found: Metadata) -> bool:
    """Whether any block says where the picture was taken, be it in numbers or in words."""
    return (
        any(_says(exif.gps.get(tag)) for exif in found.exif for tag in _GPS_PLACES)
        or any(place_in_text(exif) for exif in found.exif)
        or any(_XMP_POSITION.fullmatch(name) for xmp in found.xmp for name in xmp.values)
        or any(xmp.first(*_XMP_MORE_PLACES) for xmp in found.xmp)
        or any(block.get(key) for block in found.iptc for key in _IPTC_MORE_PLACES)
        or place(found) is not None
        or (
            found.film is not None
            and found.film.first(*quicktime.POSITIONS, *quicktime.PLACE_WORDS, quicktime.LOCI)
            is not None
        )
    )


def position(found: Metadata) -> Position | None:
    """The first position that is whole and on the globe.

    0, 0 is none: it is what broken software writes for "unknown" (field report F1).
    """
    candidates = (
        *map(_of_exif, found.exif),
        *map(_of_xmp, found.xmp),
        _of_film(found.film) if found.film is not None else None,
    )
    return next((place for place in candidates if place is not None), None)


def place(found: Metadata) -> str | None:
    """The place in words, from the small to the large: `Sublocation, City, State, Country`."""
    for xmp in found.xmp:
        if words := _joined(xmp.first(*names) for names in _XMP_PLACES):
            return words
    for block in found.iptc:
        if words := _joined(block.get(key) for key in _IPTC_PLACES):
            return words
    return _joined([found.film.first(*quicktime.PLACE_WORDS)]) if found.film is not None else None


def _joined(words: Iterable[str | None]) -> str | None:
    shown = (one_line(word) for word in words if word is not None)
    return one_line(", ".join(dict.fromkeys(word for word in shown if word is not None)))


def _says(value: Value | None) -> bool:
    """Whether a GPS value holds anything: 0/0 and blanks are how "unknown" is written."""
    if isinstance(value, str):
        return bool(value)
    if isinstance(value, bytes):
        return bool(value[8:].strip(b"\0 "))  # 8 bytes name the character set
    return any(
        part.denominator != 0 if isinstance(part, Rational) else part != 0 for part in value or ()
    )


def _of_exif(exif: Exif) -> Position | None:
    # Without its letter a number may be on either half of the globe.
    return _on_globe(
        _degrees(exif.gps.get(_LATITUDE), exif.gps.get(1), "NS"),
        _degrees(exif.gps.get(_LONGITUDE), exif.gps.get(3), "EW"),
    )


def _degrees(value: Value | None, half: Value | None, letters: str) -> float | None:
    if not isinstance(value, tuple) or not isinstance(half, str) or half[:1] not in tuple(letters):
        return None
    parts = [part.to_float() for part in value if isinstance(part, Rational)]
    if not parts or parts[0] is None:
        return None
    # Writers that give degrees as one fraction leave minutes and seconds at 0/0.
    size = sum((part or 0.0) / 60**power for power, part in enumerate(parts[:3]))
    return -size if half[0] == letters[1] else size


def _of_xmp(xmp: Xmp) -> Position | None:
    values: dict[str, str] = {}
    for name, (value, *_) in xmp.values.items():
        local = name.rpartition(":")[2].lower().replace("longt", "long")
        values.setdefault(local, value)
    return _on_globe(
        _xmp_degrees(values.get("gpslatitude"), "NS"),
        _xmp_degrees(values.get("gpslongitude"), "EW"),
    )


def _xmp_degrees(text: str | None, letters: str) -> float | None:
    match = _XMP_DEGREES.fullmatch(text or "")
    if match is None or (match[4] or letters[0]) not in letters:
        return None
    size = float(match[1]) + float(match[2] or 0) / 60 + float(match[3] or 0) / 3600
    return -size if match[4] == letters[1] else size


def _of_film(film: Film) -> Position | None:
    if match := _ISO_6709.match(film.first(*quicktime.POSITIONS) or ""):
        return _on_globe(_iso_degrees(match[1], 2), _iso_degrees(match[2], 3))
    longitude, _, rest = (film.first(quicktime.LOCI) or "").partition(" ")
    latitude = rest.partition(" ")[0]
    return _on_globe(float(latitude), float(longitude)) if latitude else None


def _iso_degrees(text: str, width: int) -> float | None:
    """Degrees from a number of `width`, `width` + 2 or `width` + 4 digits before its point."""
    sign, whole = text[0], text[1:].partition(".")[0]
    digits = text[1:]
    match len(whole) - width:
        case 0:
            size = float(digits)
        case 2:
            size = float(digits[:width]) + float(digits[width:]) / 60
        case 4:
            minutes, seconds = digits[width : width + 2], digits[width + 2 :]
            size = float(digits[:width]) + float(minutes) / 60 + float(seconds) / 3600
        case _:
            return None
    return -size if sign == "-" else size


def _on_globe(latitude: float | None, longitude: float | None) -> Position | None:
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None
    # False for what is not a number, too.
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None
