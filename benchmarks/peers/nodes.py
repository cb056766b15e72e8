"""kinlight: two daemons, from `share` to the last photo whole, verified and durable there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kinlight.node import Node
from kinlight.node.views_sharing import ShareItem

from benchmarks.couple import couple
from benchmarks.growth import Growth, watched
from benchmarks.networks import Network
from benchmarks.workloads import Cargo
from tests.scenario.footprint import numbers

AGAIN: Final = 1_000
"""Photos that are shared a second time."""
PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class Again:
    """A second share of files that have not changed, and are there."""

    files: int
    seconds: float
    pieces: int


@dataclass(frozen=True, slots=True)
class Carried:
    """What was seen; `moments` are seconds from `share` to each photo that was delivered."""

    moments: list[float]
    sender: Growth
    receiver: Growth
    again: Again | None

    @property
    def seconds(self) -> float:
        """Until the last was delivered."""
        return self.moments[-1]

    @property
    def last_over_first(self) -> float:
        """The time of the last tenth over that of the first."""
        part = len(self.moments) // PARTS
        return (self.moments[-1] - self.moments[-part - 1]) / self.moments[part - 1]


async def carry(cargo: Cargo, network: Network, *, wide: bool = False) -> Carried:
    """Share the files with a node that was paired for it; if they are many, some of them again.

    With `wide` over libp2p.
    """
    async with couple(network, wide=wide) as pair:
        pids = [(await node.status()).pid for node in (pair.anna, pair.bob)]
        async with watched(*pids) as (sender, receiver):
            moments = await _share(pair.anna, [cargo.folder], len(cargo.files))
        again = await _again(pair.anna, cargo.files[:AGAIN]) if len(cargo.files) > 1 else None
        return Carried(moments, sender, receiver, again)


async def _share(node: Node, paths: list[Path], count: int) -> list[float]:
    begun = time.perf_counter()
    moments = [
        time.perf_counter() - begun
        async for step in node.share_steps(paths, ["Bob"], metadata="original")
        if isinstance(step, ShareItem) and step.state == "delivered"
    ]
    if len(moments) != count:
        raise RuntimeError(f"{len(moments)} of {count} photos arrived")
    return moments


async def _again(node: Node, files: list[Path]) -> Again:
    before = await _pieces_sent(node)
    seconds = (await _share(node, files, len(files)))[-1]
    return Again(len(files), seconds, await _pieces_sent(node) - before)


async def _pieces_sent(node: Node) -> int:
    return int(numbers(await node.metrics())["pieces_sent_total"])
