"""The rendezvous of contacts over libp2p: a stream with one request and one answer.

It is answered for those who have a link with this node over the very connection that asks, as the
relay is (docs/spec/rendezvous.md).
"""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.connection.swarm_connection import SwarmConn

from ..protocol.rendezvous import ANSWER_BYTES, REQUEST_BYTES, Board, Request
from .p2p_relay import relayed
from .p2p_stream import Stream

RENDEZVOUS: Final = TProtocol("/kinlight/rendezvous/1")

EXCHANGE_SECONDS: Final = 10.0
_LENGTH_BYTES: Final = 4

_log = logging.getLogger(__name__)


class Acquainted(Protocol):
    """What the rendezvous needs of the host."""

    def standing(self, peer: bytes) -> SwarmConn | None:
        """A direct connection to a peer."""
        ...

    def owner(self, peer: bytes) -> bytes | None:
        """The identity of the contact with whom a link stands on a direct connection."""
        ...

    async def open(self, connection: SwarmConn, protocol: TProtocol) -> INetStream:
        """A stream that speaks a protocol; raises what prevented it."""
        ...


class Rendezvous:
    """Asks contacts, and answers them where this node relays."""

    def __init__(self, host: Acquainted) -> None:
        self._host = host
        self._board = Board()
        self._answering: set[bytes] = set()

    @property
    def kept(self) -> int:
        """The records that are kept."""
        return len(self._board)

    async def answer(self, stream: INetStream) -> None:
        """Somebody leaves records, and asks for others. A contact gets one answer at a time."""
        muxed: Any = stream.muxed_conn
        peer: bytes = muxed.peer_id.to_bytes()
        owner = self._host.owner(peer)
        if owner is None or owner in self._answering or relayed(muxed):
            await stream.reset()
            return
        self._answering.add(owner)
        try:
            with trio.fail_after(EXCHANGE_SECONDS):
                request = Request.decode(await _read(stream, REQUEST_BYTES))
                answer = self._board.answer(request, peer, owner, trio.current_time())
                await _write(stream, answer.encode())
                await stream.close()
        except BaseException:
            with trio.CancelScope(shield=True), trio.move_on_after(1):
                await stream.reset()
            raise
        finally:
            self._answering.discard(owner)

    async def ask(self, peer: bytes, request: bytes) -> bytes:
        """What a contact answers; raises what prevented it, also where it keeps nothing."""
        connection = self._host.standing(peer)
        if connection is None:
            raise OSError("there is no connection to who keeps records")
        with trio.fail_after(EXCHANGE_SECONDS):
            stream = await self._host.open(connection, RENDEZVOUS)
            try:
                await _write(stream, request)
                return await _read(stream, ANSWER_BYTES)
            finally:
                with trio.CancelScope(shield=True), trio.move_on_after(1):
                    await stream.close()


async def _read(stream: INetStream, most: int) -> bytes:
    """A length and so many bytes; `OSError` for more than `most`, or fewer."""
    length = int.from_bytes(await _exactly(stream, _LENGTH_BYTES))
    if length > most:
        raise OSError("it is longer than it may be")
    return await _exactly(stream, length)


async def _exactly(stream: INetStream, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        some = await stream.read(length - len(data))
        if not some:
            raise OSError("it ends too early")
        data += some
    return bytes(data)


async def _write(stream: INetStream, data: bytes) -> None:
    await Stream(stream, _nothing).write(len(data).to_bytes(_LENGTH_BYTES) + data)


async def _nothing(_: Stream) -> None:
    """The owner of the stream closes it."""
