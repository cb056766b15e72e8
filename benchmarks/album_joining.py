"""Joining an album of many photos: how soon its previews can be seen, and its photos come.

    python -m benchmarks.album_joining [--photos 10000]

Both nodes are in this process, over loopback, so that the time is that of both together. What is
in the album are previews of some 25 kB and photos of as many bytes; they are put into it without
a decoder, which would take some 50 ms for each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import random
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from kinlight.crypto.secret import Secret
from kinlight.node import keys
from kinlight.node.engine import Engine
from kinlight.node.environment import Environment
from kinlight.node.home import Home
from kinlight.node.originals import untold
from kinlight.node.unlocked import Unlocked
from kinlight.node.views_contacts import PairingCode
from kinlight.protocol.album_feed import FeedEntry
from kinlight.protocol.photo import KINDS, Metadata, PhotoRecord
from PIL import Image

from benchmarks.figures import Figure

ALBUM: Final = "Summer"
PHOTOS: Final = 10_000
SCREEN: Final = 100
MOTIVES: Final = 40
"""Different pictures; each preview has bytes of its own behind them."""
AT_ONCE: Final = 64
PATIENCE_SECONDS: Final = 300
_PASSPHRASE: Final = Secret(b"a pass phrase that guards nothing")


@dataclass(slots=True)
class Stopwatch:
    """Seconds by the clock, and of the processor by both nodes together."""

    begun: float
    used: float

    @classmethod
    def start(cls) -> Stopwatch:
        """From now on."""
        return cls(time.perf_counter(), time.process_time())

    def show(self, what: str, goal: float | None = None) -> None:
        """So much until now."""
        used = time.process_time() - self.used
        taken = time.perf_counter() - self.begun
        Figure(f"{what} ({used:.1f} s of the processor)", taken, "s", goal).show()


def motives() -> list[bytes]:
    """Pictures with something to see in them, at the size of previews."""
    found: list[bytes] = []
    for number in range(MOTIVES):
        noise = random.Random(number).randbytes(3 * 72 * 48)  # noqa: S311 - the same each time
        picture = Image.frombytes("RGB", (72, 48), noise).resize((512, 341))
        written = BytesIO()
        picture.save(written, "JPEG", quality=70)
        found.append(written.getvalue())
    return found


@contextlib.asynccontextmanager
async def engine(path: Path, name: str) -> AsyncGenerator[Engine]:
    """A node in this process, unlocked."""
    home = Home(path)
    keys.create(
        home, _PASSPHRASE, name, entropy=random.SystemRandom().randbytes, now=int(time.time()),
        show=lambda _: None,
    )  # fmt: skip
    home.config.write_text("[network]\ndiscovery = false\n[check]\nreceived = false\n")
    made = Engine(home, Environment())
    await made.unlock(_PASSPHRASE)
    try:
        yield made
    finally:
        await made.lock()


def parts_of(node: Engine) -> Unlocked:
    """What an unlocked node is made of."""
    return node._unlocked()  # pyright: ignore[reportPrivateUsage] - to put photos in


async def pair(anna: Engine, bob: Engine) -> None:
    """They meet by a code."""
    async with contextlib.aclosing(anna.open_pairing(None)) as steps:
        code = await anext(steps)
        if not isinstance(code, PairingCode):
            raise TypeError("a pairing begins with a code")
        await bob.join_pairing(code.code, f"127.0.0.1:{parts_of(anna).listener.port}", None)
        await anext(steps)


async def fill(anna: Engine, count: int) -> None:
    """Photos into the album, as `album add` does once pictures are drawn."""
    pictures, parts = motives(), parts_of(anna)
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(count, start + AT_ONCE))
        sealed = await asyncio.gather(*(one(parts, number, pictures) for number in numbers))
        for record, picture in sealed:
            publish(anna, record, picture)
        await asyncio.sleep(0)


async def one(parts: Unlocked, number: int, pictures: list[bytes]) -> tuple[PhotoRecord, bytes]:
    """A photo of Anna's in her library, and what its preview is to show."""
    picture = pictures[number % MOTIVES] + number.to_bytes(8)
    metadata = Metadata(
        f"{number:05}.jpg", "image/jpeg", 10**18 + number, len(picture),
        hashlib.sha256(picture).digest(), "original",
    )  # fmt: skip
    photo, _ = await parts.originals.seal(BytesIO(picture), metadata, untold)
    return photo.record, picture


def publish(anna: Engine, record: PhotoRecord, picture: bytes) -> None:
    """An entry of Anna's feed, with its preview."""
    parts = parts_of(anna)
    albums, shared = parts.album_parts, parts.albums.find(ALBUM)
    author = albums.shelf.author(shared)
    stored = {kind: parts.library.blob(record.blob_id(kind)) for kind in KINDS}
    file_keys = {kind: blob.key for kind, blob in stored.items() if blob is not None}
    sealed = author.seal_preview(record.photo_id, picture)

    def make() -> FeedEntry:
        return author.publish(int(time.time()), record, file_keys, preview=sealed)

    def keep(entry: FeedEntry) -> None:
        albums.previews.keep_ours(shared, entry.digest, sealed)

    albums.shelf.write(shared, make, keep)


async def joining(bob: Engine, count: int) -> None:
    """What Bob sees from the moment at which he joins."""
    what, shown, all_seen = f"joining an album of {count:,} photos", False, False
    photo_came = False
    with bob.events.listen() as news:
        watch = Stopwatch.start()
        bob.albums.join(ALBUM)
        seen = 0
        while not (all_seen and photo_came):
            event = await news.get()
            if event.name == "album-previews":
                came = event.data["came"]
                seen += came if isinstance(came, int) else 0
            if not shown and seen >= SCREEN:
                shown = True
                watch.show(f"{what}: previews of the first {SCREEN}", 10)
            if not all_seen and seen == count:
                all_seen = True
                watch.show(f"{what}: previews of all", 10)
            if not photo_came and event.name == "album-photo":
                photo_came = True
                watch.show(f"{what}: the first photo")
    watch = Stopwatch.start()
    for photo in bob.albums.show(ALBUM, limit=SCREEN).photos:
        await bob.albums.preview(ALBUM, photo.id)
    watch.show(f"{what}: {SCREEN} previews drawn to be looked at, while photos come")


async def measure(count: int) -> None:
    """Anna founds the album and fills it, then Bob joins."""
    with tempfile.TemporaryDirectory(prefix="kinlight-benchmark-") as name:
        folder = Path(name)
        async with engine(folder / "anna", "Anna") as anna, engine(folder / "bob", "Bob") as bob:
            await pair(anna, bob)
            anna.albums.create(ALBUM, metadata="original")
            watch = Stopwatch.start()
            await fill(anna, count)
            watch.show(f"{count:,} photos and previews sealed, signed and put into an album")
            with bob.events.listen() as news:
                watch = Stopwatch.start()
                anna.albums.invite(ALBUM, "Bob")
                while not any(
                    (each.name, each.photos) == (ALBUM, count) for each in bob.albums.all()
                ):
                    await news.get()
                watch.show(f"an invitation to {count:,} photos: entries there and verified")
            async with asyncio.timeout(PATIENCE_SECONDS):
                await joining(bob, count)


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=PHOTOS)
    asyncio.run(measure(parser.parse_args().photos))


if __name__ == "__main__":
    main()
