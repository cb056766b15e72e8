"""Thirty nodes look each other up, a process each, before and after a fifth of them are killed.

    python -m benchmarks.lookups [--nodes 30] [--asks 10]

All know each other by way of the first one, which is among those that are killed. Each that is left
then looks up so many others that are left. A look-up has succeeded if it names the port at which
that one listens. The kind of end is that of a machine that is switched off in the middle of things:
nobody says goodbye, but here the system answers for the port.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import statistics
from asyncio.subprocess import PIPE, Process
from typing import Any, Final, cast

from kinlight.node.multiaddrs import Multiaddr, peer_id_text

from benchmarks.figures import Figure
from benchmarks.peers.lookup_node import NAME
from benchmarks.running import MODULE, ROOT, line_of

NODES: Final = 30
ASKS: Final = 10
KILLED: Final = 5
"""One of so many."""
SUCCESS: Final = 99.0
AT_ONCE: Final = 4
JOIN_SECONDS: Final = 120.0
FEW: Final = 6
"""Nodes that each must know before it counts as come."""
LOOK_SECONDS: Final = 0.2


class Node:
    """One process, one question at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self.address: Multiaddr

    async def begin(self) -> None:
        """Until it listens."""
        self.address = Multiaddr.parse(await self._line())

    async def ask(self, question: str) -> Any:
        """What it answers."""
        drain = cast("asyncio.StreamWriter", self._process.stdin)
        async with self._turn:
            drain.write(f"{question}\n".encode())
            await drain.drain()
            return json.loads(await self._line())

    async def kill(self) -> None:
        """End it in the middle of what it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _line(self) -> str:
        async with asyncio.timeout(JOIN_SECONDS):
            return await line_of(self._process.stdout)


async def started(*bootstraps: Multiaddr) -> Node:
    """A node that listens."""
    words = [*MODULE, NAME, *map(str, bootstraps)]
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    node = Node(process)
    try:
        await node.begin()
    except BaseException:
        await node.kill()
        raise
    return node


async def joined(node: Node, count: int) -> None:
    """Until it knows so many."""
    async with asyncio.timeout(JOIN_SECONDS):
        while await node.ask("known") < count:  # noqa: ASYNC110 - it tells only who asks
            await asyncio.sleep(LOOK_SECONDS)


async def look_ups(nodes: list[Node], asks: int, order: random.Random) -> tuple[int, list[float]]:
    """How many succeeded of `asks` of each node, and the seconds of each."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def look_up(one: Node, other: Node) -> tuple[bool, float]:
        async with gate:
            seconds, *found = await one.ask(f"find {peer_id_text(other.address.peer)}")
        ports = {Multiaddr.parse(text).endpoint.port for text in found}
        return other.address.endpoint.port in ports, seconds

    pairs = [
        (one, other)
        for one in nodes
        for other in order.sample([each for each in nodes if each is not one], asks)
    ]
    order.shuffle(pairs)
    results = await asyncio.gather(*(look_up(*pair) for pair in pairs))
    return sum(found for found, _ in results), [seconds for _, seconds in results]


async def measure(count: int, asks: int) -> list[Figure]:
    """All of it."""
    order = random.Random(count)  # noqa: S311 - the same ones each time
    nodes: list[Node] = []
    figures: list[Figure] = []

    async def told(what: str) -> None:
        found, seconds = await look_ups(nodes, asks, order)
        share = 100 * found / len(seconds)
        figures.append(Figure(f"{what}: look-ups that fail", 100 - share, "%", 100 - SUCCESS))
        figures.append(Figure("the same: median", 1000 * statistics.median(seconds), "ms"))
        figures.append(Figure("the same: slowest", 1000 * max(seconds), "ms"))

    try:
        nodes.append(await started())
        for _ in range(1, count):
            nodes.append(await started(nodes[0].address))
        for node in nodes:
            await joined(node, min(FEW, count - 1))
        await told(f"{count} nodes")
        killed = [nodes[0], *order.sample(nodes[1:], count // KILLED - 1)]
        await asyncio.gather(*(node.kill() for node in killed))
        nodes = [node for node in nodes if node not in killed]
        await told(f"{count} nodes, {len(killed)} of them killed just before")
    finally:
        await asyncio.gather(*(node.kill() for node in nodes))
    return figures


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--asks", type=int, default=ASKS, help="look-ups of each node")
    options = parser.parse_args()
    for figure in asyncio.run(measure(options.nodes, options.asks)):
        figure.show()


if __name__ == "__main__":
    main()
