"""A network in memory: pipes that are queues, joined by port, that can be cut or held up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kinlight.node.addresses import Address
from kinlight.node.pipes import PathKind, Pipe
from kinlight.protocol.opening import Transport

Accept = Callable[[Pipe], Awaitable[None]]


class Lane:
    """The bytes of one direction, in the portions in which they were written."""

    def __init__(self) -> None:
        self.portions: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended = False
        self.broken = False
        self.flowing = asyncio.Event()
        self.flowing.set()

    def end(self) -> None:
        """Nothing more comes. As with TCP, who writes on is not told at once."""
        self.ended = True
        self.flowing.set()
        self.portions.put_nowait(b"")

    def cut(self) -> None:
        """Nothing more comes, and who writes is told."""
        self.broken = True
        self.end()


class QueuePipe:
    """One end of a `Pipe` whose lanes are queues."""

    path: PathKind = "lan"

    def __init__(self, network: Network, incoming: Lane, outgoing: Lane, remote: Address) -> None:
        self._network = network
        self.incoming = incoming
        self.outgoing = outgoing
        self.remote: Address | None = remote
        self.local: Address | None = None
        self.transport: Transport | None = None
        self.closed = False

    async def read(self) -> bytes:
        data = await self.incoming.portions.get()
        if not data:
            self.incoming.portions.put_nowait(b"")  # an end stays an end
        return data

    async def write(self, data: bytes) -> None:
        await self.outgoing.flowing.wait()
        self._network.passing()
        if self.outgoing.broken:
            raise BrokenPipeError
        if not self.outgoing.ended:
            self.outgoing.portions.put_nowait(data)

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.outgoing.end()
            self.incoming.end()


class Network:
    """Who listens where. `cut` breaks all connections; `cut_after` does so in the middle."""

    def __init__(self) -> None:
        self.listening: dict[int, Accept] = {}
        self.pipes: list[tuple[QueuePipe, QueuePipe]] = []
        self.dialled: list[Address] = []
        self.passed = 0
        self._left: int | None = None
        self._serving: set[asyncio.Task[None]] = set()

    def pair(self, remote: Address | None = None) -> tuple[QueuePipe, QueuePipe]:
        """Two ends of one connection."""
        up, down = Lane(), Lane()
        ends = (
            QueuePipe(self, down, up, remote or Address("192.0.2.1", 1)),
            QueuePipe(self, up, down, Address("192.0.2.2", 2)),
        )
        self.pipes.append(ends)
        return ends

    async def dial(self, address: Address) -> Pipe:
        self.dialled.append(address)
        accept = self.listening.get(address.port)
        if accept is None:
            raise ConnectionRefusedError
        near, far = self.pair(address)

        async def serve() -> None:
            await accept(far)

        task = asyncio.create_task(serve())
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return near

    def listener(self, accept: Accept) -> MemoryListener:
        return MemoryListener(self, accept)

    def passing(self) -> None:
        self.passed += 1
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self.cut()

    def cut(self) -> None:
        """No goodbye and no warning, at both ends of everything."""
        self._left = None
        for near, far in self.pipes:
            near.incoming.cut()
            far.incoming.cut()
        self.pipes.clear()

    def cut_after(self, portions: int) -> None:
        """Cut when so many more portions were written."""
        self._left = portions

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._serving, return_exceptions=True)


class MemoryListener:
    """In place of a `TcpListener`: a port of a `Network`."""

    def __init__(self, network: Network, accept: Accept) -> None:
        self._network = network
        self._accept = accept
        self.port = 0

    async def start(self, port: int) -> None:
        taken = self._network.listening
        if port in taken:
            raise OSError("the port is taken")
        self.port = port or next(number for number in range(4430, 5000) if number not in taken)
        taken[self.port] = self._accept

    async def close(self) -> None:
        self._network.listening.pop(self.port, None)
