"""One workload in one network, carried by kinlight and by everybody else in turn."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from benchmarks.networks import Network
from benchmarks.peers import nodes
from benchmarks.peers.absent import NotHereError
from benchmarks.peers.everybody import Peer
from benchmarks.workloads import Cargo, Workload

OURS: Final = "kinlight"
WIDE: Final = "wide"
"""Kinlight as well, by another way."""


@dataclass(frozen=True, slots=True)
class Goal:
    """How many times a peer's time kinlight may take, at most; or `near` (over loopback) only."""

    workload: str
    peer: str
    times: float
    near: bool = False
    who: str = OURS


GOALS: Final = (
    Goal("large", "tcp", 2),
    Goal("large", "wormhole", 1 / 3, near=True),  # both may fill the slow line
    Goal("large", "libp2p", 2, near=True, who=WIDE),
    Goal("small", "rsync", 2),
)
GROWTH_MIB: Final = 50
LAST_OVER_FIRST: Final = 1 / 0.9
AGAIN_SECONDS: Final = 2


class Comparison:
    """Runs of everybody. Where there are several, the median of each one's seconds counts."""

    def __init__(
        self, workload: Workload, cargo: Cargo, network: Network, peers: list[Peer]
    ) -> None:
        self._workload = workload
        self._cargo = cargo
        self._network = network
        self._peers = [peer for peer in peers if peer.carries(cargo, network)]
        self._title = f"{cargo.what}, {network.name}"
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._loads: defaultdict[str, list[float]] = defaultdict(list)
        self._reasons: dict[str, str] = {}
        self._carried: list[nodes.Carried] = []

    async def measure(self) -> None:
        """As many rounds as the workload has; one on a slow line, which is steady by itself."""
        for _ in range(1 if self._network.rate else self._workload.rounds):
            await self._run(OURS, self._kinlight)
            for peer in self._peers:
                await self._run(peer.word, lambda peer=peer: self._peer(peer))

    async def _run(self, word: str, carry: Callable[[], Awaitable[float]]) -> None:
        await asyncio.to_thread(os.sync)  # nobody pays for what another left to be written
        load = os.getloadavg()[0]
        limit = 60 + self._cargo.size / 5e6 + len(self._cargo.files) / 10
        try:
            async with asyncio.timeout(limit):
                seconds = await carry()
        except NotHereError:
            self._reasons[word] = "not here"
        except TimeoutError:
            self._reasons[word] = f"not done in {limit:.0f} s"
        except Exception as error:  # what fails takes nobody else along
            self._reasons[word] = str(error) or type(error).__name__
        else:
            self._seconds[word].append(seconds)
            self._loads[word] += [load, os.getloadavg()[0]]

    async def _kinlight(self) -> float:
        self._carried.append(await nodes.carry(self._cargo, self._network))
        return self._carried[-1].seconds

    async def _peer(self, peer: Peer) -> float:
        with tempfile.TemporaryDirectory(dir=self._cargo.folder.parent) as folder:
            return await peer.carry(self._cargo, self._network, Path(folder))

    # What came of it.

    def figures(self) -> Iterator[Figure]:
        """All of them."""
        yield from self._row(OURS, OURS)
        if self._carried:
            yield from self._memory()
            if len(self._cargo.files) > 1:
                yield from self._many()
        for peer in self._peers:
            yield from self._row(peer.word, peer.what)
            if peer.word != WIDE:
                yield from self._ratio("kinlight", OURS, peer)
        for peer in self._peers:
            if peer.word == "libp2p":
                yield from self._ratio("kinlight over libp2p", WIDE, peer)

    def _ratio(self, what: str, who: str, peer: Peer) -> Iterator[Figure]:
        if self._seconds[who] and self._seconds[peer.word]:
            times = self._median(who) / self._median(peer.word)
            goal = self._goal(who, peer)
            yield self._figure(f"{what}'s time over {peer.what}", times, "x", goal)

    def _figure(
        self, what: str, value: float | None, unit: str, goal: float | None = None
    ) -> Figure:
        return Figure(f"{self._title}: {what}", value, unit, goal)

    def _row(self, word: str, what: str) -> Iterator[Figure]:
        if self._seconds[word]:
            seconds = self._median(word)
            rate = self._cargo.size / 1e6 / seconds
            loads = sorted({f"{load:.1f}" for load in self._loads[word]}, key=float)
            load = loads[0] if len(loads) == 1 else f"{loads[0]} to {loads[-1]}"
            yield self._figure(f"{what} ({rate:.0f} MB/s, load {load})", seconds, "s")
        if word in self._reasons:
            yield self._figure(f"{what}: {self._reasons[word]}", None, "")

    def _median(self, word: str) -> float:
        return statistics.median(self._seconds[word])

    def _goal(self, who: str, peer: Peer) -> float | None:
        for goal in GOALS:
            if (goal.workload, goal.who, goal.peer) == (self._workload.name, who, peer.word):
                return None if goal.near and self._network.rate else goal.times
        return None

    def _memory(self) -> Iterator[Figure]:
        """Of the run in which it grew most."""
        for who, of in (
            ("sender", [each.sender for each in self._carried]),
            ("receiver", [each.receiver for each in self._carried]),
        ):
            worst = max(of, key=lambda grown: grown.peak - grown.before)
            kept = f"{worst.before:.0f} MiB before, {worst.after:.0f} after"
            what = f"memory that the {who} gains at most ({kept})"
            yield self._figure(what, worst.peak - worst.before, "MiB", GROWTH_MIB)

    def _many(self) -> Iterator[Figure]:
        carried = self._carried[-1]
        goal = LAST_OVER_FIRST if self._workload.name == "small" else None
        what = "time of the last tenth over the first"
        yield self._figure(what, carried.last_over_first, "x", goal)
        if carried.again is not None:
            what = f"{carried.again.files:,} of them again, unchanged"
            yield self._figure(what, carried.again.seconds, "s", AGAIN_SECONDS)
            yield self._figure(f"{what}: pieces sent", carried.again.pieces, "", 0)
