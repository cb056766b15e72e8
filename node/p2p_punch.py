"""Hole punching (DCUtR): two who speak through a relay connect directly where routers let them.

Each learns from its relays under which address it is seen there, and both tell each other. Then
they dial at the same moment: a router takes the other's first packet for the answer to the one that
went out just before. Where that fails the relay goes on. It is tried with contacts whose link
through the relay stands, and with nobody else: it tells addresses, and has this node dial some.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch
from libp2p.relay.circuit_v2.utils import read_delimited_msg, write_delimited_msg

from .addresses import Address, places_to_dial
from .p2p_relay import relayed
from .p2p_tcp import endpoint_of, raw_address

DCUTR: Final = TProtocol("/libp2p/dcutr")
IDENTIFY: Final = TProtocol("/ipfs/id/1.0.0")

ADDRESSES: Final = 8
"""Of one side: what is told, and what is dialled of what was told."""
REPLY_SECONDS: Final = 5.0
PUNCH_SECONDS: Final = 8.0
PAUSES: Final = (0.5, 2.0, 15.0, 120.0)
"""Before each try; the first one lets the link come up at the other end too."""

_log = logging.getLogger(__name__)


class Puncher(Protocol):
    """What hole punching needs of the host."""

    port: int

    def standing(self, peer: bytes) -> SwarmConn | None:
        """A direct connection to a peer."""
        ...

    def through_relay(self, peer: bytes) -> SwarmConn | None:
        """A connection to a peer through a relay."""
        ...

    def vantage_points(self) -> list[SwarmConn]:
        """Connections to those who can tell under which address this node is seen."""
        ...

    async def open(self, connection: SwarmConn, protocol: TProtocol) -> INetStream:
        """A stream that speaks a protocol; raises what prevented it."""
        ...

    async def punch(self, peer: bytes, targets: Sequence[Address], *, client: bool) -> None:
        """Dial all these for some seconds, or until there is a direct connection to the peer."""
        ...


class Punch:
    """Both sides of it. The one to whom the relay brought the other begins."""

    def __init__(self, host: Puncher, better: Callable[[bytes], Awaitable[None]]) -> None:
        self._host = host
        self._better = better
        self._wanted: Counter[bytes] = Counter()

    async def improve(self, peer: bytes) -> None:
        """A link with a contact stands through a relay: find a better way while it does."""
        self._wanted[peer] += 1
        connection = self._host.through_relay(peer)
        if connection is None or connection.muxed_conn.is_initiator:
            return  # the other side begins
        for pause in PAUSES:
            await trio.sleep(pause)
            if not self._wanted[peer]:
                return
            try:
                if self._host.standing(peer) is None:
                    await self._begin(peer)
                if self._wanted[peer] and self._host.standing(peer) is not None:
                    await self._better(peer)
            except Exception as error:
                _log.debug("no better way yet: %s", error)

    def enough(self, peer: bytes) -> None:
        """That link has ended."""
        self._wanted[peer] -= 1
        self._wanted += Counter()  # drops the zeros

    async def _begin(self, peer: bytes) -> None:
        connection = self._host.through_relay(peer)
        if connection is None:
            return
        seen = await self._seen()
        stream = await self._host.open(connection, DCUTR)
        with trio.fail_after(2 * REPLY_SECONDS):
            asked = trio.current_time()
            await write_delimited_msg(stream, HolePunch(type=HolePunch.CONNECT, ObsAddrs=seen))
            answer = await read_delimited_msg(stream, HolePunch)
            round_trip = trio.current_time() - asked
            await write_delimited_msg(stream, HolePunch(type=HolePunch.SYNC))
            await stream.close()
        await trio.sleep(round_trip / 2)  # it takes so long to tell the other side
        await self._host.punch(peer, _endpoints(answer.ObsAddrs), client=True)

    async def answer(self, stream: INetStream) -> None:
        """A contact begins."""
        muxed: Any = stream.muxed_conn
        peer = muxed.peer_id.to_bytes()
        if not self._wanted[peer] or not relayed(muxed):
            await stream.reset()
            return
        seen = await self._seen()
        with trio.fail_after(2 * REPLY_SECONDS):
            asked = await read_delimited_msg(stream, HolePunch)
            await write_delimited_msg(stream, HolePunch(type=HolePunch.CONNECT, ObsAddrs=seen))
            await read_delimited_msg(stream, HolePunch)
            await stream.close()
        await self._host.punch(peer, _endpoints(asked.ObsAddrs), client=False)

    async def _seen(self) -> list[bytes]:
        """Where this node may be reached: as others see it, and at its own interfaces."""
        found: list[Address] = []
        for connection in self._host.vantage_points():
            try:
                with trio.fail_after(REPLY_SECONDS):
                    stream = await self._host.open(connection, IDENTIFY)
                    told = (await read_delimited_msg(stream, Identify)).observed_addr
                    await stream.close()
            except Exception as error:
                _log.debug("a relay does not say how it sees this node: %s", error)
                continue
            found += _endpoints([told])
        found += places_to_dial(self._host.port)
        return [raw_address(each).to_bytes() for each in list(dict.fromkeys(found))[:ADDRESSES]]


def _endpoints(addresses: Iterable[bytes]) -> list[Address]:
    """The TCP addresses among those that a peer told; anything else is skipped."""
    found: list[Address] = []
    for address in list(addresses)[:ADDRESSES]:
        endpoint = endpoint_of(address)
        if endpoint is not None:
            found.append(endpoint)
    return found
