"""What opening pictures in a cage costs, beside plain Pillow and exiftool, and hiding faces.

    python -m benchmarks.pictures preview | inspect | faces

All need the shared photos (see CONTRIBUTING.md) and say so where these are not.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil
from kinlight.node.decoder import Decoder

from benchmarks.figures import MIB, Figure

SHARED: Final = Path(
    os.environ.get("KINLIGHT_SHARED", Path(__file__).resolve().parents[2] / "shared")
)
PHOTOS: Final = SHARED / "data" / "photos-cc"
CORPUS: Final = SHARED / "data" / "corpus"
PORTRAITS: Final = SHARED / "data" / "portraits-congress"
SIZE: Final = (4000, 3000)
"""Twelve megapixels."""
SIDE: Final = 2048
ROUNDS: Final = 5
FORKS: Final = 50
DOT: Final = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
"""One pixel: what is left is the process."""


async def preview(photos: list[Path]) -> None:
    """Previews of photos of twelve megapixels, and of a dot."""
    caged: list[float] = []
    plain: list[float] = []
    memory = 0
    async with Decoder() as decoder:
        await decoder.pixels(DOT)  # starts the zygote
        forks = [await seconds_of(decoder, DOT) for _ in range(FORKS)]
        for _ in range(ROUNDS):
            for photo in photos:
                caged.append(await seconds_of(decoder, photo))
                memory = max(memory, decoder.cost.memory)
                plain.append(seconds_of_pillow(photo))
    what = f"preview (at most {SIDE} px) of a 12-megapixel JPEG, in its cage, median"
    Figure(what, 1000 * statistics.median(caged), "ms", 150).show()
    Figure("the same with plain Pillow", 1000 * statistics.median(plain), "ms").show()
    ratio = statistics.median(caged) / statistics.median(plain)
    Figure("the same: time over plain Pillow", ratio, "x").show()
    Figure("the same: peak memory of the process", memory / 1e6, "MB", 400).show()
    what = "a process and its cage for one pixel, median"
    Figure(what, 1000 * statistics.median(forks), "ms").show()


def twelve_megapixels(photo: Path, folder: Path) -> Path:
    """The middle of a photo, scaled to `SIZE` and coded anew."""
    from PIL import Image, ImageOps

    with Image.open(photo) as opened:
        image = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), SIZE)
    copy = folder / photo.name
    image.save(copy, quality=90)
    return copy


async def seconds_of(decoder: Decoder, source: Path | bytes) -> float:
    """From the question to the pixels."""
    begun = time.perf_counter()
    await decoder.pixels(source, max_px=SIDE)
    return time.perf_counter() - begun


def seconds_of_pillow(photo: Path) -> float:
    """The same pixels, in this process and with no care."""
    from PIL import Image, ImageOps

    begun = time.perf_counter()
    with Image.open(photo) as image:
        image.thumbnail((SIDE, SIDE))
        ImageOps.exif_transpose(image).convert("RGB").tobytes()
    return time.perf_counter() - begun


async def inspect(files: list[Path]) -> None:
    """The whole corpus, most of it odd, broken or hostile; and what is left of it in memory."""
    own = psutil.Process()
    async with Decoder() as decoder:
        await decoder.pixels(DOT)
        before = largest = own.memory_info().rss
        begun = time.perf_counter()
        for file in files:
            await decoder.inspect(file)
            largest = max(largest, own.memory_info().rss)
        seconds = time.perf_counter() - begun
    Figure(f"inspect of the {len(files)} files of the corpus", seconds, "s", 20).show()
    Figure("memory that the node gains meanwhile", (largest - before) / MIB, "MiB", 50).show()


def exiftool(files: list[Path]) -> None:
    """The same files, where exiftool is installed."""
    program = shutil.which("exiftool")
    if program is None:
        return
    begun = time.perf_counter()
    subprocess.run([program, "-json", *files], capture_output=True, check=False)
    Figure("the same files with exiftool -json", time.perf_counter() - begun, "s").show()


async def faces(photo: Path, folder: Path) -> None:
    """Five faces in twelve megapixels, from file to file, with the processes that it takes."""
    from kinlight.node import loose_faces
    from PIL import Image

    group = folder / f"group{photo.suffix}"
    with Image.open(photo) as image:
        for number, portrait in enumerate(sorted(PORTRAITS.rglob("*.jpg"))[:5]):
            with Image.open(portrait) as opened:
                image.paste(opened.convert("RGB").resize((700, 880)), (50 + 780 * number, 1000))
        image.save(group, quality=90)
    seconds: list[float] = []
    count = 0
    for number in range(ROUNDS):
        begun = time.perf_counter()
        made = await loose_faces.anonymised(
            group, folder / f"{number}.jpg", boxes=[], keep=[], method="blur", strict=False,
            into_folder=False, keep_both=False,
        )  # fmt: skip
        seconds.append(time.perf_counter() - begun)
        count = len(made.faces)
    what = f"{count} faces hidden in 12 megapixels, from file to file, median"
    Figure(what, statistics.median(seconds), "s", 3).show()


def main(which: str) -> None:
    """Measure one of the three and print."""
    if which == "faces":
        with tempfile.TemporaryDirectory() as name:
            photo = twelve_megapixels(min(PHOTOS.glob("*.jpg")), Path(name))
            asyncio.run(faces(photo, Path(name)))
        return
    home = PHOTOS if which == "preview" else CORPUS
    files = sorted(path for path in home.glob("*") if path.suffix not in (".md", ".tsv"))
    if not files:
        sys.exit(f"{home} is not there")
    if which == "preview":
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(preview([twelve_megapixels(file, Path(folder)) for file in files]))
    else:
        asyncio.run(inspect(files))
        exiftool(files)


if __name__ == "__main__":
    main(*sys.argv[1:])
