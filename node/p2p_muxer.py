"""Yamux with the limits and the sign of life that py-libp2p leaves out.

A peer that ignores its window could fill the memory, one that opens streams all others' slots, and
one that is asleep or gone would be noticed after minutes. Here each of them loses its connection.
"""

from __future__ import annotations

import logging
import struct
from typing import Any, Final

import trio
from libp2p.abc import ISecureConn
from libp2p.stream_muxer.yamux.yamux import (
    DEFAULT_WINDOW_SIZE,
    FLAG_SYN,
    TYPE_PING,
    YAMUX_HEADER_FORMAT,
    Yamux,
    YamuxStream,
)

STREAMS_PER_CONNECTION: Final = 16
EXCESS_BYTES: Final = 64 * 1024
"""What may come beyond a window: one frame, as a window update may be under way."""
PING_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 15.0
"""Silence, asked for a sign of life, after which a connection is taken for dead."""

_log = logging.getLogger(__name__)


class BoundedYamux(Yamux):
    """One connection's streams. Everything else is as in `Yamux`."""

    def __init__(
        self,
        secured_conn: ISecureConn,
        peer_id: Any,
        is_initiator: bool | None = None,
        on_close: Any = None,
    ) -> None:
        super().__init__(secured_conn, peer_id, is_initiator, on_close)
        self.stream_buffers = _Buffers(self)
        self._heard = trio.current_time()
        read = secured_conn.read

        async def heard(count: int | None = None) -> bytes:
            data = await read(count)
            self._heard = trio.current_time()
            return data

        secured_conn.read = heard  # type: ignore[method-assign] - the one place where all bytes pass

    async def _read_data_body(self, length: int) -> bytes:
        """A frame is taken in before its stream is looked at: more than any window has room for is
        not awaited.
        """
        windows = (each.target_recv_window for each in self.streams.values())
        if length > max(windows, default=DEFAULT_WINDOW_SIZE) + EXCESS_BYTES:
            _log.info("a peer of the wide area announces more than its window allows")
            raise trio.TooSlowError
        return await super()._read_data_body(length)

    def _finalize_stream_locked(self, stream: YamuxStream, *, fully_closed: bool) -> None:
        """A stream that was reset is read no more, so what came of it takes no place either.

        Else sixteen of them end a connection: that of somebody who is relayed, say, with streams
        that others asked for.
        """
        if fully_closed and stream.reset_received:
            self.stream_buffers.pop(stream.stream_id, None)
        super()._finalize_stream_locked(stream, fully_closed=fully_closed)

    async def _measure_rtt_loop(self) -> None:
        """In place of pings that nobody waits for: who is silent is asked, and then given up."""
        while not self.event_shutting_down.is_set():
            with trio.move_on_after(PING_SECONDS):
                await self.event_shutting_down.wait()
                return
            silence = trio.current_time() - self._heard
            if silence > SILENCE_SECONDS:
                _log.info("a connection of the wide area is dead")
                await self._cleanup_on_error()
                return
            if silence > PING_SECONDS / 2 and self._nursery is not None:
                # Not awaited: where the peer takes nothing this would hang, and time goes on.
                self._nursery.start_soon(self._ping)

    async def _ping(self) -> None:
        if self._write_lock.locked():
            return  # something is under way already, and its way is what matters
        self._ping_id += 1
        try:
            await self._write_frame(
                struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_PING, FLAG_SYN, 0, self._ping_id)
            )
        except Exception as error:  # the reader finds out as well
            _log.debug("no ping: %s", error)


class _Buffers(dict[int, bytearray]):
    """What came and was not read yet, by stream: where both limits can be held."""

    def __init__(self, connection: BoundedYamux) -> None:
        super().__init__()
        self._connection = connection

    def __setitem__(self, stream: int, _: bytearray) -> None:
        if len(self) >= STREAMS_PER_CONNECTION:
            # The one exception after which Yamux closes the connection.
            raise trio.TooSlowError
        super().__setitem__(stream, _Buffer(self._connection, stream))


class _Buffer(bytearray):
    """What came of one stream."""

    def __init__(self, connection: BoundedYamux, stream: int) -> None:
        super().__init__()
        self._connection = connection
        self._stream = stream

    def extend(self, data: Any) -> None:
        window = self._connection.streams[self._stream].target_recv_window
        if len(self) + len(data) > window + EXCESS_BYTES:
            _log.info("a peer of the wide area sends more than its window allows")
            raise trio.TooSlowError
        super().extend(data)
