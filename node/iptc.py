"""IPTC-IIM datasets, and the Photoshop image resources that carry them.

IIM 4.2 for the datasets; Adobe Photoshop File Formats Specification for the resources. A fault ends
a reading or is stepped over at the next signature; what was read counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from .facts import Buffer
from .plain_text import decoded

MAX_RESOURCES: Final = 4096
MAX_DATASETS: Final = 4096
MAX_VALUE: Final = 4096
"""Bytes kept of one dataset."""

# Resources of a Photoshop block.
THUMBNAILS: Final = (0x0409, 0x040C)
IPTC: Final = 0x0404
ICC: Final = 0x040F
EXIF: Final = (0x0422, 0x0423)
XMP: Final = 0x0424

# Datasets of the application record.
DATE_CREATED: Final = (2, 55)
TIME_CREATED: Final = (2, 60)
CITY: Final = (2, 90)
SUBLOCATION: Final = (2, 92)
STATE: Final = (2, 95)
COUNTRY_CODE: Final = (2, 100)
COUNTRY: Final = (2, 101)
CONTENT_LOCATION_CODE: Final = (2, 26)
CONTENT_LOCATION: Final = (2, 27)

_SIGNATURE: Final = re.compile(rb"8BIM|MeSa|AgHg|PHUT|DCSR")


class Resource(NamedTuple):
    """One Photoshop image resource: its number and its content."""

    id: int
    data: bytes


Datasets = dict[tuple[int, int], str]
"""Values by (record, dataset)."""


def resources(block: Buffer) -> Iterator[Resource]:
    """The resources of a Photoshop block, without the `Photoshop 3.0` in front.

    Bytes that belong to none are stepped over; a resource cut short is given as far as it goes.
    """
    position = 0
    for _ in range(MAX_RESOURCES):
        found = _SIGNATURE.search(block, position)
        if found is None or found.end() + 3 > len(block):
            return
        at = found.end()
        number = int.from_bytes(block[at : at + 2], "big")
        name_length = block[at + 2]
        at += 2 + (name_length + 2) // 2 * 2  # the name and its length byte, padded to even
        size = int.from_bytes(block[at : at + 4], "big")
        end = at + 4 + size
        if end > len(block) and size > len(block):
            position = found.end()  # no size at all: look for the next signature
            continue
        yield Resource(number, bytes(block[at + 4 : end]))
        position = end
        if position >= len(block):
            return


def datasets(block: Buffer) -> Datasets:
    """The first value of each dataset."""
    values: Datasets = {}
    position = 0
    for _ in range(MAX_DATASETS):
        if position + 5 > len(block) or block[position] != 0x1C:
            break
        record, number = block[position + 1], block[position + 2]
        size = int.from_bytes(block[position + 3 : position + 5], "big")
        position += 5
        if size & 0x8000:  # an extended dataset: the size of the size
            width = size & 0x7FFF
            if width > 4:
                break
            size = int.from_bytes(block[position : position + width], "big")
            position += width
        raw = bytes(block[position : position + min(size, MAX_VALUE)])
        # The coded character set (1:90) is left aside: UTF-8 shows by itself.
        values.setdefault((record, number), decoded(raw).strip("\0 "))
        position += size
    return values
