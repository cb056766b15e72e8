"""Temporary files in memory: most of what the tests write is gone a second later.

A node waits for the disk at each step that must outlive a power cut, and no test cuts the power.
Tests that measure stay on the disk, as does everything where memory is scarce.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

FOLDER: Final = Path("/dev/shm")  # a file system in memory on every Linux
_ROOM: Final = 4 << 30
"""Several times what all workers have written at any time."""


def has_room() -> bool:
    """Whether the folder is there, programs may be run from it, and it has room, as memory has."""
    try:
        flags = os.statvfs(FOLDER).f_flag
        room = min(shutil.disk_usage(FOLDER).free, _available())
    except (AttributeError, OSError):  # no Linux
        return False
    return not flags & (os.ST_NOEXEC | os.ST_RDONLY) and room >= _ROOM


def _available() -> int:
    """Memory that can be had without anything else being pushed out, in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    known = dict(line.split(":", 1) for line in lines)
    return int(known["MemAvailable"].split()[0]) << 10
