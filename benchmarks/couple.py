"""Two real daemons on this machine, paired over loopback, for measurements."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from kinlight.node import Node, launch
from kinlight.node.errors import NotRunningError
from kinlight.node.home import Home
from kinlight.node.views import PairingCode

from benchmarks.networks import LOOPBACK, Network

PASSPHRASE = "a pass phrase that guards nothing"  # noqa: S105 - as it says


@dataclass(frozen=True, slots=True)
class Couple:
    """Bob takes what Anna sends without being asked."""

    anna: Node
    bob: Node
    folder: Path


@contextlib.asynccontextmanager
async def daemon(path: Path, name: str) -> AsyncGenerator[Node]:
    """A new node and its daemon, a process of its own, unlocked, without discovery."""
    Node.create(path, passphrase=PASSPHRASE, name=name)
    (path / "config.toml").write_text("[network]\ndiscovery = false\n[check]\nreceived = false\n")
    starting = asyncio.create_task(launch.ensure_daemon(Home(path)))
    try:
        await asyncio.shield(starting)
        async with Node.connect(path) as node:
            await node.unlock(PASSPHRASE)
            yield node
    finally:
        await asyncio.wait({starting})  # whoever is stopped meanwhile leaves none behind
        with contextlib.suppress(NotRunningError):
            await launch.stop_daemon(Home(path))


@contextlib.asynccontextmanager
async def couple(network: Network = LOOPBACK) -> AsyncGenerator[Couple]:
    """Anna and Bob, and a folder that goes with them.

    Bob knows no address of Anna's but the one that `network` leads to, and Anna none of Bob's.
    """
    with tempfile.TemporaryDirectory(prefix="kinlight-benchmark-") as name:
        folder = Path(name)
        async with daemon(folder / "anna", "Anna") as anna, daemon(folder / "bob", "Bob") as bob:
            steps = anna.open_pairing()
            code = await anext(steps)
            if not isinstance(code, PairingCode):
                raise TypeError("a pairing begins with a code")
            port = (await anna.status()).port
            if port is None:
                raise TypeError("a node that is unlocked has a port")
            async with network.way_to(port) as way:
                await bob.pair(code.code, at=f"127.0.0.1:{way}")
                async for _ in steps:
                    pass
                await bob.update_contact("Anna", accept="always")
                yield Couple(anna, bob, folder)
