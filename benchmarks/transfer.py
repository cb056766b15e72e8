"""Photos from node to node over loopback: one large file, and many small ones."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kinlight.node.views import ShareItem

from benchmarks.couple import Couple, couple
from benchmarks.figures import MIB, Figure

LARGE = 256 * MIB
STEP = 256 * 1024
PHOTOS = 200
PHOTO_BYTES = 100_000


async def plain_tcp(size: int) -> float:
    """Seconds for `size` bytes through plain asyncio streams on loopback, nothing done to them."""
    arrived = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while data := await reader.read(STEP):
            count += len(data)
        writer.close()
        arrived.set_result(count)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        piece = bytes(STEP)
        begun = time.perf_counter()
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(size // STEP):
            writer.write(piece)
            await writer.drain()
        writer.close()
        await arrived
        return time.perf_counter() - begun


def alone(source: Path, target: Path) -> float:
    """Seconds for one end's work without a node: read, AES-256-GCM, SHA-256, write, fsync."""
    cipher, digest = AESGCM(secrets.token_bytes(32)), hashlib.sha256()
    room = bytearray(STEP + 16)
    begun = time.perf_counter()
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        for number in range(LARGE // STEP):
            data = reading.read(STEP)
            cipher.encrypt_into(number.to_bytes(12, "big"), data, None, room)
            digest.update(room)
            writing.write(room)
        os.fsync(writing.fileno())
    seconds = time.perf_counter() - begun
    target.unlink()
    return seconds


async def large(pair: Couple) -> None:
    """One file: until it is stored, verified and on the disk at the other side."""
    source = pair.folder / "large.jpg"
    with source.open("wb") as file:
        for _ in range(LARGE // STEP):
            file.write(secrets.token_bytes(STEP))
    work = await asyncio.to_thread(alone, source, pair.folder / "alone")
    wire = await plain_tcp(LARGE)
    begun = time.perf_counter()
    moments: list[float] = []
    state = ""
    async for step in pair.anna.share_steps([source], ["Bob"], metadata="original"):
        if isinstance(step, ShareItem):
            state = step.state
        elif step.to is not None:
            moments.append(time.perf_counter())
    seconds = time.perf_counter() - begun
    if state != "delivered":
        raise RuntimeError(f"the large file is {state}")
    size = f"{LARGE // MIB} MiB"
    Figure(f"{size} node to node, from `share` to delivered", seconds, "s").show()
    Figure("of it while pieces travel", LARGE / MIB / (moments[-1] - moments[0]), "MiB/s").show()
    Figure(f"{size} by plain asyncio TCP, memory to memory", wire, "s").show()
    Figure("node to node: time over plain TCP", seconds / wire, "x").show()
    Figure(f"{size}: read, encrypt, hash, write and fsync at one end", work, "s").show()
    floor = 2 * work + wire
    Figure("node to node: time over both ends' work and plain TCP", seconds / floor, "x").show()
    source.unlink()


async def small(pair: Couple) -> None:
    """Many photos: how many a second, and whether the last ones are as fast as the first."""
    folder = pair.folder / "small"
    folder.mkdir()
    for number in range(PHOTOS):
        (folder / f"{number:04}.jpg").write_bytes(secrets.token_bytes(PHOTO_BYTES))
    begun = time.perf_counter()
    delivered = [
        time.perf_counter() - begun
        async for step in pair.anna.share_steps([folder], ["Bob"], metadata="original")
        if isinstance(step, ShareItem) and step.state == "delivered"
    ]
    if len(delivered) != PHOTOS:
        raise RuntimeError(f"only {len(delivered)} photos arrived")
    tenth = PHOTOS // 10
    first, last = delivered[tenth - 1], delivered[-1] - delivered[-tenth - 1]
    Figure(f"{PHOTOS} photos of 100 kB, node to node", PHOTOS / delivered[-1], "per s").show()
    Figure("the same: time of the last tenth over the first", last / first, "x").show()


async def main() -> None:
    """Measure and print."""
    async with couple() as pair:
        await large(pair)
        await small(pair)


if __name__ == "__main__":
    asyncio.run(main())
