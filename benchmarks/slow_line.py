"""A line with delay and a capped rate, between a port that it prints and one that it is given.

    python -m benchmarks.slow_line PORT DELAY RATE

DELAY is in seconds, each way; RATE in bytes a second, for all connections of one way together. What
comes waits for its turn and then for the delay. No more is taken in than can be on the way, so
whoever sends is held back as by a real line. The connection itself is made without delay.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

STEP = 32 * 1024
BACKLOG_SECONDS = 0.01
"""How much may wait at the near end for its turn."""
SOCKET_BYTES = 128 * 1024
"""So that the system's own buffers are no second line, with room for megabytes."""
PIECES = 1024
"""On the way at most, where the far end doesn't read."""


class Way:
    """One of the two ways."""

    def __init__(self, delay: float, rate: float) -> None:
        self._delay, self._rate = delay, rate
        self._free = 0.0
        """When all that waits has had its turn."""

    async def turn(self) -> None:
        """Wait until something may be added."""
        now = asyncio.get_running_loop().time()
        if self._free - now > BACKLOG_SECONDS:
            await asyncio.sleep(self._free - now - BACKLOG_SECONDS)

    def arrival(self, size: int) -> float:
        """When so many bytes, added now, arrive at the far end."""
        self._free = max(self._free, asyncio.get_running_loop().time()) + size / self._rate
        return self._free + self._delay


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
    """One way of one connection, to its end."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES)

    async def deliver() -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due, data = await queue.get()
            if (early := due - clock()) > 0:
                await asyncio.sleep(early)
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    async with asyncio.TaskGroup() as both:
        delivering = both.create_task(deliver())
        data = b"-"
        while data and not delivering.done():
            await way.turn()
            data = await reader.read(STEP)
            await queue.put((way.arrival(len(data)), data))


async def main(port: str, delay: str, rate: str) -> None:
    """Carry whatever comes until this process is ended."""
    there, back = Way(float(delay), float(rate)), Way(float(delay), float(rate))

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(port))
        far_writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES
        )
        with contextlib.suppress(ExceptionGroup):  # an end that is gone ends both ways
            async with asyncio.TaskGroup() as both:
                both.create_task(carry(reader, far_writer, there))
                both.create_task(carry(far_reader, writer, back))
        far_writer.close()
        writer.close()

    with socket.socket() as near:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            near.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
        near.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(accept, sock=near)
        print(near.getsockname()[1], flush=True)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
