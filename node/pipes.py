"""A pipe: bytes to one other node, perhaps slow, perhaps cut, never trusted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from ..protocol.opening import Transport
from .addresses import Address

PathKind = Literal["lan", "direct", "relay", "webrtc"]


class Pipe(Protocol):
    """What the secure channel runs over."""

    @property
    def path(self) -> PathKind:
        """What kind of way the bytes take, for the user to see."""
        ...

    @property
    def remote(self) -> Address | None:
        """Where the other end is, if it has an address."""
        ...

    @property
    def local(self) -> Address | None:
        """This end's address, if it has one: by it the interface is known that carries the pipe."""
        ...

    @property
    def transport(self) -> Transport | None:
        """By which keys the pipe itself knows its two ends, if it knows any."""
        ...

    async def read(self) -> bytes:
        """The next bytes; empty at the end. `OSError` if the pipe broke."""
        ...

    async def write(self, data: bytes) -> None:
        """Send; returns when there is room for more. `OSError` if the pipe broke."""
        ...

    async def close(self) -> None:
        """Let go of the pipe. Never raises."""
        ...


class Listener(Protocol):
    """Where pipes come in."""

    @property
    def port(self) -> int:
        """The port that others dial; 0 before `start`."""
        ...

    async def start(self, port: int) -> None:
        """Listen on `port`, or on any free one for 0. `OSError` if that can't be."""
        ...

    async def close(self) -> None:
        """Stop accepting. Pipes that are open are their owners' matter."""
        ...


Dial = Callable[[Address], Awaitable[Pipe]]
"""Opens a pipe to an address, or raises `OSError` or `TimeoutError`."""

Listen = Callable[[Callable[[Pipe], Awaitable[None]]], Listener]
"""Makes a listener that hands each pipe to the function that it was given."""
