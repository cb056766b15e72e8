"""Names of the further pictures that a picture file may hold, and the search for JPEGs in a block.

A further picture shows what was in front of the camera as well as the first one does: what hides a
face or crops a picture must remove or remake all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .facts import Buffer

EXIF_THUMBNAIL: Final = "exif-thumbnail"
PHOTOSHOP_THUMBNAIL: Final = "photoshop-thumbnail"
JFXX_THUMBNAIL: Final = "jfxx-thumbnail"
"""In a JFIF or JFXX segment."""
XMP_THUMBNAIL: Final = "xmp-thumbnail"
XMP_IMAGE: Final = "xmp-image"
"""The picture before an effect, as some phones keep it in XMP."""
C2PA_THUMBNAIL: Final = "c2pa-thumbnail"
HEIF_THUMBNAIL: Final = "heif-thumbnail"
PREVIEW: Final = "preview-image"
"""A larger thumbnail, often in a maker note."""
MPF: Final = "mpf-image"
"""Announced by the Multi-Picture Format (CIPA DC-007)."""
APPENDED: Final = "appended-image"
"""A JPEG after the end of the first that nothing announces."""
GAIN_MAP: Final = "gain-map"
DEPTH_MAP: Final = "depth-map"
MATTE: Final = "matte"
"""The outline of a person, of skin, hair, teeth or glasses."""
VIDEO: Final = "video"

NAMES: Final = (
    EXIF_THUMBNAIL, PHOTOSHOP_THUMBNAIL, JFXX_THUMBNAIL, XMP_THUMBNAIL, XMP_IMAGE, C2PA_THUMBNAIL,
    HEIF_THUMBNAIL, PREVIEW, MPF, APPENDED, GAIN_MAP, DEPTH_MAP, MATTE, VIDEO,
)  # fmt: skip
"""All names, in the order in which they are told."""

MAX_JPEGS: Final = 16
_JPEG: Final = re.compile(rb"\xff\xd8\xff[\xc0\xc4\xdb\xe0-\xef\xfe]", re.DOTALL)


def jpegs(block: Buffer, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Offsets of what looks like the start of a JPEG, up to `MAX_JPEGS`."""
    end = len(block) if end is None else end
    for found, _ in zip(_JPEG.finditer(block, start, end), range(MAX_JPEGS), strict=False):
        yield found.start()


def of_auxiliary(kind: str) -> str | None:
    """The name for an auxiliary picture of the type that its URN tells; None for alpha and others.

    Types of Apple, of ISO/IEC 23008-12 and 23091-2 alike.
    """
    kind = kind.lower()
    if "gainmap" in kind:
        return GAIN_MAP
    if "depth" in kind or "disparity" in kind or kind.endswith("auxid:2"):
        return DEPTH_MAP
    return MATTE if "matte" in kind else None
