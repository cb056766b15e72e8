"""A libp2p stream at the trio side: read ahead within bounds, written in order.

Three properties of py-libp2p shape it: a reader that pauses makes the other end give the stream up
after five seconds, so this one always reads on, up to `AHEAD_BYTES`; a write that is cancelled
halfway breaks every stream of the connection, so none is; and a writer that finds no window for
five seconds gives up, so this one waits for the window itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio
from libp2p.abc import INetStream

READ_BYTES: Final = 256 * 1024
WRITE_BYTES: Final = 256 * 1024
AHEAD_BYTES: Final = 4 * 1024 * 1024
"""What is read of a stream before it is wanted."""
WINDOW_SECONDS: Final = 0.01
"""Between two looks at a window that is closed; libp2p tells nobody when it opens."""
FAREWELL_SECONDS: Final = 1.0


class Stream:
    """One stream of one peer. `pump` reads; it ends when the stream does."""

    def __init__(self, stream: INetStream, ended: Callable[[Stream], Awaitable[None]]) -> None:
        self._stream = stream
        self._muxed: Any = stream.muxed_stream  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType] - the interface omits it
        self._ended = ended
        self._ahead = 0
        self._room = trio.Event()
        self._writing = trio.Lock()
        self._over = trio.Event()
        self._closed = False

    @property
    def raw(self) -> INetStream:
        """Libp2p's own."""
        return self._stream

    async def pump(self, deliver: Callable[[bytes], None]) -> None:
        """Read until the end, and deliver; empty bytes at the end, however it came about."""
        try:
            while True:
                data = await self._stream.read(READ_BYTES)
                if not data:
                    break
                self._ahead += len(data)
                deliver(data)
                while self._ahead > AHEAD_BYTES and not self._closed:
                    self._room = trio.Event()
                    await self._room.wait()
        except Exception:  # noqa: S110 - the end, a reset or a broken connection: all are ends
            pass
        finally:
            self._over.set()
            deliver(b"")

    def taken(self, count: int) -> None:
        """So many of the delivered bytes were taken."""
        self._ahead -= count
        self._room.set()

    async def write(self, data: bytes) -> None:
        """Send all of it; raises what libp2p raises when the stream breaks."""
        with memoryview(data) as view:
            async with self._writing:
                sent = 0
                while sent < len(view):
                    room = await self._window()
                    piece = view[sent : sent + min(room, WRITE_BYTES)]
                    with trio.CancelScope(shield=True):
                        await self._stream.write(bytes(piece))
                    sent += len(piece)

    async def _window(self) -> int:
        while (room := int(self._muxed.send_window)) <= 0:
            if self._closed or self._muxed.send_closed or self._muxed.closed:
                raise BrokenPipeError("the stream has ended")
            await trio.sleep(WINDOW_SECONDS)
        return room

    async def close(self) -> None:
        """End it: what was written arrives if the other side reads. Never raises."""
        if self._closed:
            return
        self._closed = True
        self._room.set()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(FAREWELL_SECONDS):
                try:
                    async with self._writing:
                        await self._stream.close()
                    await self._over.wait()
                except Exception:  # noqa: S110 - it has ended already
                    pass
            await self._ended(self)
