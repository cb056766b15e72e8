"""Pictures that are photographs in what matters here: structure, grain, a first compression."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from kinlight.ml.photos import Collection, Entry, Pixels, collect
from PIL import Image, ImageFilter


def scene(seed: int, height: int, width: int) -> Pixels:
    """Soft shapes of many colours under grain."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 40 + 2, width // 40 + 2, 3), dtype=np.uint8)
    soft = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    detail = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    grain = np.asarray(detail.filter(ImageFilter.GaussianBlur(1)), np.int16) - 128
    return np.clip(np.asarray(soft, np.int16) + grain // 2, 0, 255).astype(np.uint8)


def jpeg_of(pixels: Pixels, quality: int = 92, subsampling: int = 0) -> bytes:
    """A JPEG file of the pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def photographs(folder: Path, *, count: int = 6, side: int = 400) -> Collection:
    """Originals of as many cameras, each of another quality, and two portraits."""
    data = folder / "data"
    data.mkdir(parents=True)
    entries: list[Entry] = []
    for number in range(count + 2):
        portrait = number >= count
        shape = (120, 100) if portrait else (side, side + 56)
        content = jpeg_of(scene(number, *shape), 80 + 3 * (number % 6))
        (data / f"{number}.jpg").write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        role = "portrait" if portrait else "original"
        entries.append(Entry(f"{number}.jpg", role, f"camera {number}", "none", "here", sha256))
    return collect([data], folder / "cache", entries)
