"""Importing a folder of photos into a running daemon, and importing it again."""

from __future__ import annotations

import asyncio
import io
import tempfile
import time
from pathlib import Path

import psutil
from kinlight.node import Node
from PIL import Image

from benchmarks.couple import daemon
from benchmarks.figures import MIB, Figure

PHOTOS = 300
SIZE = (1600, 1200)


def photos(folder: Path) -> int:
    """So many JPEGs, each its own by a comment; returns the bytes of one."""
    file = io.BytesIO()
    Image.effect_noise(SIZE, 60).convert("RGB").save(file, "JPEG", quality=85)
    picture = file.getvalue()
    for number in range(PHOTOS):
        comment = b"\xff\xfe\x00\x0a%08d" % number
        (folder / f"IMG_{number:05}.jpg").write_bytes(picture[:2] + comment + picture[2:])
    return len(picture)


async def seconds(node: Node, folder: Path) -> float:
    """For one import of the folder."""
    begun = time.perf_counter()
    items = await node.import_photos([folder])
    if {item.code for item in items} != {None} or len(items) != PHOTOS:
        raise ValueError("not all of it was imported")
    return time.perf_counter() - begun


async def measure(place: Path) -> None:
    """Measure and print."""
    folder = place / "photos"
    folder.mkdir()
    size = photos(folder)
    async with daemon(place / "home", "Anna") as node:
        process = psutil.Process((await node.status()).pid)
        before = process.memory_info().rss
        first = await seconds(node, folder)
        grown = process.memory_info().rss - before
        again = await seconds(node, folder)
        begun = time.perf_counter()
        found = await node.search("img", limit=PHOTOS)
        search = time.perf_counter() - begun
    if len(found) != PHOTOS:
        raise ValueError("not all of it was found")
    what = f"import: a photo of {size / 1e6:.1f} MB, of {PHOTOS}"
    Figure(what, 1000 * first / PHOTOS, "ms").show()
    Figure("the same: memory of the daemon grows by", grown / MIB, "MiB", 50).show()
    Figure("import again: an unchanged photo", 1000 * again / PHOTOS, "ms").show()
    Figure(f"search: {PHOTOS} photos found and listed", 1000 * search, "ms").show()


def main() -> None:
    """In a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="kinlight-benchmark-") as name:
        asyncio.run(measure(Path(name)))


if __name__ == "__main__":
    main()
