"""A node of the wide area that sends back what comes, in a process of its own.

python -m benchmarks.peers.echo_node

It prints its address, then answers each line of its input, `ADDRESS BYTES`, with one line of JSON:
the milliseconds until a stream to that address stood, and until so many bytes had come back.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from typing import Final

from kinlight.node.multiaddrs import Multiaddr, multiaddr
from kinlight.node.p2p import WideArea
from kinlight.node.pipes import Pipe

NAME = "benchmarks.peers.echo_node"
STEP: Final = 64 * 1024


async def echo(pipe: Pipe) -> None:
    """Send back what comes."""
    try:
        while data := await pipe.read():
            await pipe.write(data)
    finally:
        await pipe.close()


async def timed(area: WideArea, address: Multiaddr, size: int) -> tuple[float, float]:
    """The two times; RuntimeError if other bytes come back."""
    content = secrets.token_bytes(size)
    begun = time.perf_counter()
    pipe = await area.dial(address)
    stood = time.perf_counter()

    async def send() -> None:
        for at in range(0, size, STEP):
            await pipe.write(content[at : at + STEP])

    sending = asyncio.create_task(send())
    came = bytearray()
    try:
        while len(came) < size and (data := await pipe.read()):
            came += data
        done = time.perf_counter()
        await sending
    finally:
        await pipe.close()
    if bytes(came) != content:
        raise RuntimeError("other bytes came back")
    return 1000 * (stood - begun), 1000 * (done - stood)


async def serve() -> None:
    """Until the input ends."""
    area = WideArea(secrets.token_bytes(32), echo)
    await area.start(0)
    try:
        print(multiaddr("127.0.0.1", area.port, area.peer), flush=True)
        while words := (await asyncio.to_thread(sys.stdin.readline)).split():
            answer = await timed(area, Multiaddr.parse(words[0]), int(words[1]))
            print(json.dumps(answer), flush=True)
    finally:
        await area.close()


if __name__ == "__main__":
    asyncio.run(serve())
