"""Resident memory of an idle daemon: alone, and with a libp2p host in the same process.

libp2p serves later versions; the second figure is what they start from.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import threading
from pathlib import Path

import psutil
from kinlight.crypto.secret import Secret
from kinlight.node import Node
from kinlight.node.daemon import Daemon
from kinlight.node.home import Home

from benchmarks.couple import PASSPHRASE, daemon
from benchmarks.figures import Figure

PATIENCE_SECONDS = 10
LOOK_SECONDS = 0.5


async def settled_megabytes(pid: int) -> float:
    """Resident memory in MB when two looks differ by under 1 %, at the latest after 10 s."""
    process = psutil.Process(pid)
    earlier = 0
    for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
        now = process.memory_info().rss
        if abs(now - earlier) < now / 100:
            break
        earlier = now
        await asyncio.sleep(LOOK_SECONDS)
    return process.memory_info().rss / 1e6


async def alone(folder: Path) -> float:
    """A daemon as `kinlight up` starts it, unlocked."""
    async with daemon(folder / "alone", "Anna") as node:
        return await settled_megabytes((await node.status()).pid)


async def with_libp2p(folder: Path) -> float:
    """A daemon in this process, with a libp2p host that listens in a thread of its own."""
    home = folder / "with"
    await asyncio.to_thread(Node.create, home, passphrase=PASSPHRASE, name="Anna")
    async with Daemon.running(Home(home), Secret(PASSPHRASE.encode())):
        listening, end = threading.Event(), threading.Event()
        thread = threading.Thread(target=run_host, args=(listening, end))
        thread.start()
        try:
            if not await asyncio.to_thread(listening.wait, 30):
                raise TimeoutError("the libp2p host does not listen")
            return await settled_megabytes(os.getpid())
        finally:
            end.set()
            await asyncio.to_thread(thread.join)


def run_host(listening: threading.Event, end: threading.Event) -> None:
    """A host with Noise and yamux alone on a port of the loopback interface, until `end`."""
    import trio
    from libp2p import new_host
    from libp2p.crypto.ed25519 import create_new_key_pair
    from libp2p.crypto.x25519 import X25519PrivateKey
    from libp2p.custom_types import TProtocol
    from libp2p.security.noise.transport import PROTOCOL_ID, Transport
    from libp2p.stream_muxer.yamux.yamux import Yamux
    from multiaddr import Multiaddr  # pyright: ignore[reportMissingTypeStubs]

    key = create_new_key_pair(secrets.token_bytes(32))
    host = new_host(
        key_pair=key,
        sec_opt={PROTOCOL_ID: Transport(key, noise_privkey=X25519PrivateKey.new())},
        muxer_opt={TProtocol("/yamux/1.0.0"): Yamux},
    )

    async def run() -> None:
        async with host.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
            listening.set()
            while not end.is_set():  # noqa: ASYNC110 - `end` comes from another thread
                await trio.sleep(LOOK_SECONDS)
            await host.close()

    trio.run(run)  # pyright: ignore[reportUnknownMemberType] - trio leaves *args open


async def main(which: str) -> None:
    """Measure one of the two and print; each in a process that did nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        if which == "alone":
            megabytes = await alone(Path(folder))
            Figure("an idle daemon, unlocked", megabytes, "MB", 120).show()
        else:
            megabytes = await with_libp2p(Path(folder))
            what = "the same with a libp2p host (a projection)"
            Figure(what, megabytes, "MB", 200).show()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
