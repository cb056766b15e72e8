"""Everybody whom kinlight is measured beside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.networks import Network
from benchmarks.peers import nodes, noise_stream, one_end, plain_tcp, rsync, syncthing, wormhole
from benchmarks.workloads import Cargo

Carry = Callable[[Cargo, Network, Path], Awaitable[float]]
"""Carries files, into an empty folder if need be; gives the seconds, or raises `NotHereError`."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else who carries; `one` file only, or `near` (over loopback) only."""

    word: str
    what: str
    carry: Carry
    one: bool = False
    near: bool = False

    def carries(self, cargo: Cargo, network: Network) -> bool:
        """Whether it is to be measured."""
        return not (self.one and len(cargo.files) > 1) and not (self.near and network.rate)


async def _wide(cargo: Cargo, network: Network, _: Path) -> float:
    return (await nodes.carry(cargo, network, wide=True)).seconds


PEERS: Final = (
    Peer("tcp", "plain asyncio TCP", plain_tcp.carry),
    Peer("rsync", "rsync --fsync", rsync.carry),
    Peer("wormhole", "magic-wormhole", wormhole.carry),
    Peer("libp2p", "libp2p Noise stream", noise_stream.carry, one=True),
    Peer("wide", "kinlight over libp2p", _wide, one=True),
    Peer("syncthing", "syncthing", syncthing.carry),
    Peer("alone", "one end's work alone", one_end.carry, one=True, near=True),
)
