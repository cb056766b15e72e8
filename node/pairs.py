"""Which clip belongs to a still: one in the same file, or one in another that bears the same mark.

Apple writes one identifier into the still's maker note and into the clip's keys; the others put the
clip behind the picture or into a box of its own.
"""

from __future__ import annotations

import re
from typing import Final

from . import quicktime
from .exif import Exif, Tiff
from .metadata import Metadata

MOTION: Final = "motion"
LIVE: Final = "live:"

_APPLE: Final = b"Apple iOS\0"
_APPLE_DIRECTORY: Final = 14
_CONTENT_IDENTIFIER: Final = 0x0011
# A UUID as a rule. It is compared and shown, so nothing else gets in.
_IDENTIFIER: Final = re.compile(r"[0-9A-Za-z-]{8,64}", re.ASCII)


def pair(found: Metadata) -> str | None:
    """`motion`, `live:IDENTIFIER` or None."""
    if found.clip:
        return MOTION
    marks = [_of_still(exif) for exif in found.exif]
    if found.film is not None:
        marks.append(found.film.first(quicktime.CONTENT_IDENTIFIER))
    known = (mark for mark in marks if mark is not None and _IDENTIFIER.fullmatch(mark))
    return next((LIVE + mark.upper() for mark in known), None)


def _of_still(exif: Exif) -> str | None:
    note = exif.maker_note
    if not note.startswith(_APPLE):
        return None
    # Offsets in the note count from its start, as if it were a TIFF of its own.
    little = note[12:14] == b"II"
    tiff = Tiff(note, 0, len(note), _APPLE_DIRECTORY, little, big=False)
    for entry in tiff.directory(_APPLE_DIRECTORY).fields:
        if entry.tag == _CONTENT_IDENTIFIER and entry.size <= 256:
            value = tiff.value(entry)
            return value if isinstance(value, str) else None
    return None
