"""What is carried: files that are what their names say, each its own, and padded with noise."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from benchmarks.figures import MIB
from tests.node.filmed import film

COMMENT_BYTES: Final = 65_000
"""A comment in a JPEG has room for 65,533."""
FEWEST: Final = 20
"""Files, however small the scale: a tenth of them must be some."""


@dataclass(frozen=True, slots=True)
class Cargo:
    """Files that were made; `size` is that of all together, in bytes."""

    what: str
    folder: Path
    files: list[Path]
    size: int

    def must_be_in(self, folder: Path) -> None:
        """RuntimeError unless all files are there, under their names and of their sizes."""
        for path in self.files:
            there = folder / path.name
            if not there.exists() or there.stat().st_size != path.stat().st_size:
                raise RuntimeError(f"{path.name} did not arrive")


@dataclass(frozen=True, slots=True)
class Workload:
    """So many files of so many bytes each, at full scale; what takes moments has some rounds."""

    name: str
    count: int
    size: int
    rounds: int = 1

    def make(self, folder: Path, scale: float) -> Cargo:
        """Make the files in a new folder: fewer at a smaller scale, or a shorter one."""
        folder.mkdir()
        if self.count == 1:
            size = int(scale * self.size)
            files = [_film(folder / "film.mp4", size)]
            return Cargo(f"{size / MIB:,.0f} MiB", folder, files, size)
        count = max(FEWEST, int(scale * self.count))
        picture = _picture()
        files = [_photo(folder / f"{number:05}.jpg", picture, self.size) for number in range(count)]
        each = f"{self.size / 1e6:.0f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.0f} kB"
        return Cargo(f"{count:,} x {each}", folder, files, count * self.size)


WORKLOADS: Final = (
    Workload("large", 1, 1024 * MIB, rounds=3),
    Workload("small", 10_000, 100_000),
    Workload("medium", 1_000, 4_000_000),
)


def _picture() -> bytes:
    """The JPEG that is in each photo; what tells them apart is their noise."""
    file = io.BytesIO()
    Image.effect_noise((256, 192), 60).convert("RGB").save(file, "JPEG", quality=80)
    return file.getvalue()


def _photo(path: Path, picture: bytes, size: int) -> Path:
    """That JPEG with comments of noise behind its first marker, of `size` bytes in all."""
    parts = [picture[:2]]
    left = size - len(picture)
    while left > 4:
        length = min(left - 4, COMMENT_BYTES)
        parts.append(b"\xff\xfe" + (length + 2).to_bytes(2, "big") + os.urandom(length))
        left -= 4 + length
    path.write_bytes(b"".join(parts) + picture[2:] + bytes(left))
    return path


def _film(path: Path, size: int) -> Path:
    """A clip with a box of noise that players skip, of `size` bytes in all."""
    clip = film()
    left = size - len(clip)
    with path.open("wb") as file:
        file.write(clip + left.to_bytes(4, "big") + b"free")
        left -= 8
        while left:
            left -= file.write(os.urandom(min(left, MIB)))
    return path
