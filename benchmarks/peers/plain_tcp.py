"""Plain asyncio TCP between two processes: nothing is encrypted, checked or made durable.

One file goes from memory to memory. Many are read, go one after the other, each behind its name and
length, and are written, without fsync.
"""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

from benchmarks.networks import Network
from benchmarks.running import MODULE, line_of, running
from benchmarks.workloads import Cargo

STEP = 256 * 1024


async def carry(cargo: Cargo, network: Network, folder: Path) -> float:
    """Seconds until the other process says that it has everything."""
    words = [*MODULE, "benchmarks.peers.plain_tcp"]
    if len(cargo.files) > 1:
        words.append(str(folder))
    async with running(*words, out=PIPE) as receiver:
        port = int(await line_of(receiver.stdout))
        async with network.way_to(port) as way:
            reader, writer = await asyncio.open_connection("127.0.0.1", way)
            begun = time.perf_counter()
            for piece in from_memory(cargo.size) if len(cargo.files) == 1 else from_disk(cargo):
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
            if await reader.read() != b"!":
                raise RuntimeError("the receiver failed")
            seconds = time.perf_counter() - begun
            writer.close()
            if len(cargo.files) > 1:
                cargo.must_be_in(folder)
            return seconds


def from_memory(size: int) -> Iterator[bytes]:
    """So many bytes."""
    piece = bytes(STEP)
    for _ in range(size // STEP):
        yield piece
    yield piece[: size % STEP]


def from_disk(cargo: Cargo) -> Iterator[bytes]:
    """All files, each behind its name and length."""
    for path in cargo.files:
        yield path.name.encode().ljust(32) + path.stat().st_size.to_bytes(8, "big")
        with path.open("rb", buffering=0) as file:
            while data := file.read(STEP):
                yield data


async def take_files(reader: asyncio.StreamReader, folder: Path) -> None:
    """Write what `from_disk` gives."""
    while head := await reader.read(1):
        head += await reader.readexactly(39)
        left = int.from_bytes(head[32:], "big")
        with (folder / head[:32].decode().strip()).open("wb", buffering=0) as file:
            while left:
                data = await reader.read(min(left, STEP))
                left -= len(data) or left
                file.write(data)


async def main(folder: Path | None) -> None:
    """Take what one connection brings."""
    done = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if folder is not None:
            await take_files(reader, folder)
        while await reader.read(STEP):
            pass
        writer.write(b"!")
        await writer.drain()
        writer.close()
        done.set()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await done.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
