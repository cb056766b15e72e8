"""Photos made for a test: real JPEG files, each its own, and blobs of any size."""

from __future__ import annotations

import os
import random
from pathlib import Path

from PIL import Image

MODIFIED = 1_700_000_000_123_456_789
"""Nanoseconds since 1970, so that a kept time can be told from one that was rounded."""


def picture(path: Path, seed: int, *, side: int = 64) -> Path:
    """A small JPEG of its own colours."""
    colours = random.Random(seed)
    image = Image.frombytes("RGB", (side, side), colours.randbytes(3 * side * side))
    path.parent.mkdir(exist_ok=True)
    image.save(path, "JPEG", quality=90)
    os.utime(path, ns=(MODIFIED, MODIFIED))
    return path


def noise(path: Path, length: int, seed: int) -> Path:
    """A file of that many bytes that no compression makes smaller."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(random.Random(seed).randbytes(length))
    os.utime(path, ns=(MODIFIED, MODIFIED))
    return path
