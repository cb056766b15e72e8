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
from kinlight.node.multiaddrs import Multiaddr, multiaddr
from kinlight.node.views_contacts import PairingCode

from benchmarks.networks import LOOPBACK, Network

PASSPHRASE = "a pass phrase that guards nothing"  # noqa: S105 - as it says


@dataclass(frozen=True, slots=True)
class Couple:
    """Bob takes what Anna sends without being asked."""

    anna: Node
    bob: Node
    folder: Path


@contextlib.asynccontextmanager
async def daemon(path: Path, name: str, *, wide: bool = False) -> AsyncGenerator[Node]:
    """A new node and its daemon, a process of its own, unlocked, without discovery."""
    Node.create(path, passphrase=PASSPHRASE, name=name)
    settings = "[network]\ndiscovery = false\n[check]\nreceived = false\n"
    (path / "config.toml").write_text(settings + ("[wide]\non = true\n" if wide else ""))
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
async def couple(network: Network = LOOPBACK, *, wide: bool = False) -> AsyncGenerator[Couple]:
    """Anna and Bob, and a folder that goes with them.

    Bob knows no address of Anna's but the one that `network` leads to, and Anna none of Bob's. With
    `wide` that is her address in the wide area.
    """
    with tempfile.TemporaryDirectory(prefix="kinlight-benchmark-") as name:
        folder = Path(name)
        async with (
            daemon(folder / "anna", "Anna", wide=wide) as anna,
            daemon(folder / "bob", "Bob", wide=wide) as bob,
        ):
            steps = anna.open_pairing()
            code = await anext(steps)
            if not isinstance(code, PairingCode):
                raise TypeError("a pairing begins with a code")
            peer = await _peer(anna) if wide else None
            port = (await anna.status()).port if peer is None else peer.endpoint.port
            if port is None:
                raise TypeError("a node that is unlocked has a port")
            async with network.way_to(port) as way:
                at = f"127.0.0.1:{way}" if peer is None else multiaddr("127.0.0.1", way, peer.peer)
                await bob.pair(code.code, at=str(at))
                async for _ in steps:
                    pass
                await bob.update_contact("Anna", accept="always")
                yield Couple(anna, bob, folder)


async def _peer(node: Node) -> Multiaddr:
    """An address of the node in the wide area, as soon as it is there."""
    async with contextlib.aclosing(node.events()) as events:
        async for event in events:
            for address in (await node.status()).wide_addresses:
                return Multiaddr.parse(address)
            if event.data.get("state") == "failed":
                break
    raise RuntimeError("the wide area does not start")
