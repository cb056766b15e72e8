"""What this process has done so far, in numbers: no names, no ids, nothing that tells of whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from ..protocol.opening import Transport
from .addresses import Address
from .pipes import Dial, Listen, Listener, PathKind, Pipe


class Counters:
    """Sums since the process began. Each is counted where it happens; `metrics` reads them."""

    def __init__(self) -> None:
        self.bytes_sent = 0
        """On all connections, as they are on the wire above TCP."""
        self.bytes_received = 0
        self.pieces_sent = 0
        self.pieces_received = 0
        """Verified ones."""
        self.held = 0
        """Envelopes that were taken in to be held, with all their blobs."""
        self.released = 0
        """And those that were removed as whose they are had them, or who left them said so."""
        self.refusals: Counter[tuple[str, str]] = Counter()
        """By what was refused (`caller`, `offer`, `fetch` and so on) and why, a code."""

    @property
    def pieces(self) -> int:
        """Both ways."""
        return self.pieces_sent + self.pieces_received

    def refused(self, what: str, code: str) -> None:
        """Somebody was refused something, or we were."""
        self.refusals[what, code] += 1


class CountedPipe:
    """A pipe whose bytes are counted."""

    def __init__(self, pipe: Pipe, counters: Counters) -> None:
        self._pipe: Final = pipe
        self._counters = counters

    @property
    def path(self) -> PathKind:
        """As the pipe's."""
        return self._pipe.path

    @property
    def remote(self) -> Address | None:
        """As the pipe's."""
        return self._pipe.remote

    @property
    def local(self) -> Address | None:
        """As the pipe's."""
        return self._pipe.local

    @property
    def transport(self) -> Transport | None:
        """As the pipe's."""
        return self._pipe.transport

    async def read(self) -> bytes:
        """The next bytes."""
        data = await self._pipe.read()
        self._counters.bytes_received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        """Send."""
        await self._pipe.write(data)
        self._counters.bytes_sent += len(data)

    async def close(self) -> None:
        """Let go of the pipe."""
        await self._pipe.close()


def counted_dial(dial: Dial, counters: Counters) -> Dial:
    """`dial` with what it opens counted."""

    async def counted(address: Address) -> Pipe:
        return CountedPipe(await dial(address), counters)

    return counted


def counted_listener(
    listen: Listen, accept: Callable[[Pipe], Awaitable[None]], counters: Counters
) -> Listener:
    """A listener that hands counted pipes to `accept`."""
    return listen(counted_accept(accept, counters))


def counted_accept(
    accept: Callable[[Pipe], Awaitable[None]], counters: Counters
) -> Callable[[Pipe], Awaitable[None]]:
    """`accept` with what it takes counted."""

    async def counted(pipe: Pipe) -> None:
        await accept(CountedPipe(pipe, counters))

    return counted
