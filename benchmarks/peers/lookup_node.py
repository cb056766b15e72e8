"""A node of the wide area that takes part in look-ups, in a process of its own.

python -m benchmarks.peers.lookup_node [BOOTSTRAP]

It prints its address, then answers each line of its input with one line of JSON: `known` with how
many nodes it knows, `find PEER` with the seconds and the addresses that it was told.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time

from kinlight.node import p2p_host, p2p_kad
from kinlight.node.multiaddrs import Multiaddr, multiaddr, peer_id_bytes
from kinlight.node.p2p import WideArea
from kinlight.node.pipes import Pipe

NAME = "benchmarks.peers.lookup_node"
EVERYBODY = 128
"""All of them have one source address here, where elsewhere each has its own."""


async def refuse(pipe: Pipe) -> None:
    """There are no contacts."""
    await pipe.close()


async def serve(bootstraps: list[Multiaddr]) -> None:
    """Until the input ends."""
    for module, limit in (
        (p2p_host, "CONNECTIONS_PER_SOURCE"),
        (p2p_host, "UPGRADES_PER_SOURCE"),
        (p2p_kad, "ANSWERING_PER_SOURCE"),
    ):
        setattr(module, limit, EVERYBODY)
    area = WideArea(secrets.token_bytes(32), refuse, bootstraps=bootstraps)
    await area.start(0)
    try:
        print(multiaddr("127.0.0.1", area.port, area.peer), flush=True)
        while words := (await asyncio.to_thread(sys.stdin.readline)).split():
            answer: object = area.found().known
            if words[0] == "find":
                begun = time.perf_counter()
                found = await area.find(peer_id_bytes(words[1]))
                answer = [time.perf_counter() - begun, *map(str, found)]
            print(json.dumps(answer), flush=True)
    finally:
        await area.close()


if __name__ == "__main__":
    asyncio.run(serve([Multiaddr.parse(text) for text in sys.argv[1:]]))
