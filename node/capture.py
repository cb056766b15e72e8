"""When a picture was taken: the best date that the file has, and the name of its field.

A date is taken as written; nothing is guessed, least of all a zone. Dates that stand for "unknown"
(zeros, blanks, the epochs of MS-DOS's heirs) and impossible ones are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from . import iptc, quicktime
from .exif import Exif, Rational, Value
from .iptc import Datasets
from .metadata import Metadata
from .xmp import Xmp

_EPOCHS: Final = frozenset({"0001-01-01", "1904-01-01", "1970-01-01"})
"""At midnight sharp, the zero of .NET, QuickTime and Unix: a clock that was not set."""

# Exif writes 2019:06:09 12:57:29, XMP and QuickTime ISO 8601; strays mix them.
_DATE: Final = re.compile(
    r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)"
    r"(?:[T ]+(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?\s*(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_ZONE: Final = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)


class Capture(NamedTuple):
    """ISO 8601 with what the file knows (fraction, zone), and the field it comes from."""

    time: str
    source: str


def captured(found: Metadata) -> Capture | None:
    """The date of the first field, from the best to the worst, that has one; None without."""
    return next((Capture(time, source) for source, time in _dates(found) if time), None)


def _dates(found: Metadata) -> Iterator[tuple[str, str | None]]:
    # The moment of the shot, then of the digital picture, then of the file; of each the camera's
    # own field first, since editors copy it to the others.
    for exif in found.exif:
        yield "exif:DateTimeOriginal", _of_exif(exif.exif, 0x9003, 0x9291, exif.exif, 0x9011)
    for xmp in found.xmp:
        yield "xmp:DateTimeOriginal", _of_xmp(xmp, "exif:DateTimeOriginal")
    if found.film is not None:
        yield "quicktime:CreationDate", moment(found.film.first(quicktime.CREATION_DATE, "©day"))
    for exif in found.exif:
        yield "exif:CreateDate", _of_exif(exif.exif, 0x9004, 0x9292, exif.exif, 0x9012)
    for xmp in found.xmp:
        yield "xmp:DateCreated", _of_xmp(xmp, "photoshop:DateCreated")
    for block in found.iptc:
        yield "iptc:DateCreated", _of_iptc(block.get(iptc.DATE_CREATED), block)
    for xmp in found.xmp:
        yield "xmp:CreateDate", _of_xmp(xmp, "exif:DateTimeDigitized", "xmp:CreateDate")
    if found.film is not None:
        yield "quicktime:CreateDate", moment(found.film.created)
    yield "png:CreationTime", moment(found.png_created)
    for exif in found.exif:
        yield "gps:DateStamp", _of_gps(exif)
    for exif in found.exif:
        yield "exif:ModifyDate", _of_exif(exif.ifd0, 0x0132, 0x9290, exif.exif, 0x9010)
    yield "png:tIME", moment(found.png_modified)


def moment(text: str | None, fraction: str = "", zone: str = "") -> str | None:
    """`text` as ISO 8601, or None where it is no date.

    `fraction` (digits of a second) and `zone` (`+02:00`) are added where `text` has none itself. A
    date without a time of day stays one; its zone is left out.
    """
    match = _DATE.match((text or "").strip("\0 "))
    if match is None:
        return None
    year, month, day, hour, minute, second, own_fraction, own_zone = match.groups()
    date, time = f"{year}-{month}-{day}", f"{hour}:{minute}:{second or '00'}"
    try:
        datetime.fromisoformat(date if hour is None else f"{date}T{time}")
    except ValueError:
        return None
    if date in _EPOCHS and time in ("None:None:00", "00:00:00"):
        return None
    if hour is None:
        return date
    if own_fraction or fraction:
        time += "." + (own_fraction or fraction)
    return f"{date}T{time}{_zone(own_zone or zone)}"


def _zone(text: str) -> str:
    text = text.strip("\0 ")
    if text in ("Z", "z"):
        return "+00:00"
    match = _ZONE.fullmatch(text)
    # The widest zones are -12:00 and +14:00.
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        return ""
    return f"{match[1]}{match[2]}:{match[3]}"


def _of_exif(
    values: dict[int, Value], date: int, fraction: int, offsets: dict[int, Value], zone: int
) -> str | None:
    digits = _string(offsets.get(fraction)).strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        digits = ""
    return moment(_string(values.get(date)), digits, _string(offsets.get(zone)))


def _of_xmp(xmp: Xmp, *names: str) -> str | None:
    return next((time for name in names if (time := moment(xmp.first(name)))), None)


def _of_iptc(date: str | None, block: Datasets) -> str | None:
    # 20190609 and 125729+0200
    if date is None or not re.fullmatch(r"\d{8}", date, re.ASCII):
        return None
    day = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    time = re.fullmatch(
        r"(\d\d)(\d\d)(\d\d)([+-]\d{4})?", block.get(iptc.TIME_CREATED, ""), re.ASCII
    )
    whole = moment(f"{day}T{time[1]}:{time[2]}:{time[3]}{time[4] or ''}") if time else None
    return whole or moment(day)


def _of_gps(exif: Exif) -> str | None:
    match exif.gps.get(7):
        case (Rational(), Rational(), Rational()) as parts:
            hour, minute, second = (part.to_float() for part in parts)
        case _:
            return None
    if hour is None or minute is None or second is None:
        return None
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    time = f"{int(hour):02}:{int(minute):02}:{int(second):02}"
    date = _string(exif.gps.get(0x1D))
    return moment(f"{date[:10]} {time}Z")  # satellites keep UTC


def _string(value: Value | None) -> str:
    return value if isinstance(value, str) else ""
