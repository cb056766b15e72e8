"""Circuit relay v2, both sides: a node in reach passes bytes between two contacts of its owner.

It relays for those who have a link with it over the very connection that asks: in such a link they
proved whose transport key that is. The ends of a circuit speak Noise and then the channel with each
other; in between there is nothing to read or to alter, only who speaks with whom, and how much.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.relay.circuit_v2.pb.circuit_pb2 import (
    HopMessage,
    Limit,
    PeerId,
    Reservation,
    Status,
    StopMessage,
)
from libp2p.relay.circuit_v2.utils import read_delimited_msg, write_delimited_msg

from .addresses import Address
from .multiaddrs import Multiaddr
from .p2p_stream import Stream

HOP: Final = TProtocol("/libp2p/circuit/relay/0.2.0/hop")
STOP: Final = TProtocol("/libp2p/circuit/relay/0.2.0/stop")

CIRCUITS: Final = 32
CIRCUITS_PER_CONTACT: Final = 4
CIRCUIT_BYTES: Final = 4 * 1024**3
"""Both ways together. A circuit that is cut is made again, and transfers go on where they were."""
CIRCUIT_SECONDS: Final = 6 * 3600.0
REPLY_SECONDS: Final = 5.0
RESERVATION_SECONDS: Final = 3600
"""As it is told; here a reservation lasts as long as the link."""
TRIES: Final = 5
TRY_SECONDS: Final = 1.0
"""The relay may learn a moment later than we do that we are its contact."""

_PORTION: Final = 64 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a node relays: the peers that can be reached through it, and how much goes on."""

    reachable: tuple[bytes, ...] = ()
    circuits: int = 0
    passed: int = 0
    """Bytes, both ways together, since the wide area was turned on."""
    notices: int = 0
    """Sealed notices of contacts that are kept for others (`p2p_rendezvous`)."""


class RefusedError(OSError):
    """The relay does not do it."""


class Connections(Protocol):
    """What a relay needs of the host."""

    def standing(self, peer: bytes) -> SwarmConn | None:
        """A direct connection to a peer."""
        ...

    async def open(self, connection: SwarmConn, protocol: TProtocol) -> INetStream:
        """A stream that speaks a protocol; raises what prevented it."""
        ...

    async def admit(self, raw: RawConnection, remote: Address) -> None:
        """A connection came in by a circuit; returns when it has ended."""
        ...


class Relay:
    """Asks others for circuits, and passes bytes on itself where `serving`."""

    def __init__(self, host: Connections, *, serving: bool) -> None:
        self.serving: Final = serving
        self.reachable: dict[bytes, Multiaddr] = {}
        """The relays through which this node can be reached now, and where they are."""
        self._host = host
        self._contacts: Counter[bytes] = Counter()
        self._owners: dict[bytes, bytes] = {}
        self._reserved: set[bytes] = set()
        self._asked: Counter[bytes] = Counter()
        """Circuits by the contact that asked for them. Of those asked for nothing is counted: else
        whoever fills a contact's circuits keeps all others from it."""
        self._scopes: defaultdict[bytes, set[trio.CancelScope]] = defaultdict(set)
        """Circuits by the peer at either end."""
        self._passed = 0

    # Who is a contact.

    def met(self, peer: bytes, owner: bytes) -> None:
        """A link with a contact stands on a direct connection; `owner` is its identity."""
        self._contacts[peer] += 1
        self._owners[peer] = owner

    def owner(self, peer: bytes) -> bytes | None:
        """The identity of the contact with whom such a link stands, None where there is none."""
        return self._owners.get(peer)

    def contacts(self) -> list[bytes]:
        """Those with whom such a link stands."""
        return list(self._contacts)

    def parted(self, peer: bytes) -> None:
        """It has ended."""
        self._contacts[peer] -= 1
        if self._contacts[peer] <= 0:
            del self._contacts[peer]
            self._owners.pop(peer, None)
            self._reserved.discard(peer)
            self.reachable.pop(peer, None)
            for scope in self._scopes.get(peer, ()):  # it may be blocked now
                scope.cancel()

    # The relay.

    def relayed(self) -> Relayed:
        """What is relayed now."""
        return Relayed(tuple(self._reserved), self._asked.total(), self._passed)

    async def hop(self, stream: INetStream) -> None:
        """Somebody wants to be reached through this node, or to reach somebody."""
        with trio.fail_after(REPLY_SECONDS):
            message = await read_delimited_msg(stream, HopMessage)
        peer = _peer(stream)
        if not self._contacts[peer] or relayed(stream.muxed_conn):
            await self._answer(stream, Status.PERMISSION_DENIED)
        elif message.type == HopMessage.RESERVE:
            self._reserved.add(peer)
            expires = Reservation(expire=int(time.time()) + RESERVATION_SECONDS)
            reply = HopMessage(
                type=HopMessage.STATUS, status=Status.OK, reservation=expires, limit=_limit()
            )
            await write_delimited_msg(stream, reply)
            await stream.close()
        elif message.type == HopMessage.CONNECT:
            await self._connect(stream, peer, message.peer.id)
        else:
            await self._answer(stream, Status.UNEXPECTED_MESSAGE)

    async def _connect(self, stream: INetStream, source: bytes, target: bytes) -> None:
        connection = self._host.standing(target)
        if target not in self._reserved or connection is None:
            await self._answer(stream, Status.NO_RESERVATION)
            return
        owner = self._owners[source]
        if self._asked.total() >= CIRCUITS or self._asked[owner] >= CIRCUITS_PER_CONTACT:
            await self._answer(stream, Status.RESOURCE_LIMIT_EXCEEDED)
            return
        self._asked[owner] += 1
        try:
            onward = await self._onward(connection, source)
            if onward is None:
                await self._answer(stream, Status.CONNECTION_FAILED)
                return
            reply = HopMessage(type=HopMessage.STATUS, status=Status.OK, limit=_limit())
            await write_delimited_msg(stream, reply)
            await self._join(stream, onward)
        finally:
            self._asked[owner] -= 1
            self._asked += Counter()  # drops the zeros

    async def _join(self, one: INetStream, other: INetStream) -> None:
        """Pass bytes on until either side ends, or it was enough."""
        left = CIRCUIT_BYTES

        async def carry(source: INetStream, drain: Stream, scope: trio.CancelScope) -> None:
            nonlocal left
            try:
                while left > 0:
                    data = await source.read(_PORTION)
                    if not data:
                        break
                    left -= len(data)
                    self._passed += len(data)
                    await drain.write(data)
            except Exception as error:
                _log.debug("a circuit ends: %s", error)
            finally:
                scope.cancel()  # waits for no window, and lets no write be cut in the middle

        ends = {_peer(one), _peer(other)}
        try:
            with trio.move_on_after(CIRCUIT_SECONDS) as scope, self._while_both_stand(ends, scope):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(carry, one, Stream(other, _nothing), nursery.cancel_scope)
                    nursery.start_soon(carry, other, Stream(one, _nothing), nursery.cancel_scope)
        finally:
            with trio.move_on_after(REPLY_SECONDS, shield=True):
                await one.reset()
                await other.reset()

    @contextlib.contextmanager
    def _while_both_stand(self, ends: set[bytes], scope: trio.CancelScope) -> Generator[None]:
        """While it lasts, a link that ends with either peer cancels the circuit too."""
        for end in ends:
            self._scopes[end].add(scope)
            if not self._contacts[end]:  # while the circuit was made
                scope.cancel()
        try:
            yield
        finally:
            for end in ends:
                self._scopes[end].discard(scope)
                if not self._scopes[end]:
                    del self._scopes[end]

    async def _onward(self, connection: SwarmConn, source: bytes) -> INetStream | None:
        try:
            with trio.fail_after(REPLY_SECONDS):
                onward = await self._host.open(connection, STOP)
                message = StopMessage(
                    type=StopMessage.CONNECT, peer=PeerId(id=source), limit=_limit()
                )
                await write_delimited_msg(onward, message)
                answer = await read_delimited_msg(onward, StopMessage)
        except Exception as error:
            _log.debug("a circuit was not made: %s", error)
            return None
        return onward if answer.status == Status.OK else None

    async def _answer(self, stream: INetStream, status: Status.ValueType) -> None:
        await write_delimited_msg(stream, HopMessage(type=HopMessage.STATUS, status=status))
        await stream.close()

    # Who is relayed.

    async def reserve(self, peer: bytes, address: Multiaddr) -> None:
        """Ask a contact, whom we dialled there, to be reached through it, if it relays."""
        for _ in range(TRIES):
            connection = self._host.standing(peer)
            if connection is None or not self._contacts[peer]:
                return
            with trio.fail_after(2 * REPLY_SECONDS):
                stream = await self._host.open(connection, HOP)  # raises where it doesn't relay
                await write_delimited_msg(stream, HopMessage(type=HopMessage.RESERVE))
                answer = await read_delimited_msg(stream, HopMessage)
                await stream.close()
            if answer.status == Status.OK and self._contacts[peer]:
                self.reachable[peer] = address
                return
            await trio.sleep(TRY_SECONDS)

    async def stop(self, stream: INetStream) -> None:
        """A relay brings somebody."""
        with trio.fail_after(REPLY_SECONDS):
            message = await read_delimited_msg(stream, StopMessage)
        taken = _peer(stream) in self.reachable and message.type == StopMessage.CONNECT
        status = Status.OK if taken else Status.PERMISSION_DENIED
        await write_delimited_msg(stream, StopMessage(type=StopMessage.STATUS, status=status))
        if not taken:
            await stream.close()
            return
        remote = _address(stream)
        await self._host.admit(RawConnection(Circuit(stream, remote), False), remote)

    async def circuit(self, relay: bytes, target: bytes) -> RawConnection:
        """A connection to `target` through a relay, to be secured like any other."""
        connection = self._host.standing(relay)
        if connection is None:
            raise RefusedError("there is no connection to the relay")
        stream = await self._host.open(connection, HOP)
        message = HopMessage(type=HopMessage.CONNECT, peer=PeerId(id=target))
        await write_delimited_msg(stream, message)
        answer = await read_delimited_msg(stream, HopMessage)
        if answer.status != Status.OK:
            await stream.reset()
            raise RefusedError(f"the relay says {Status.Name(answer.status)}")
        return RawConnection(Circuit(stream, _address(stream)), True)


class Circuit(ReadWriteCloser):
    """A stream through a relay in the place of a TCP connection."""

    def __init__(self, stream: INetStream, relay: Address) -> None:
        self._raw = stream
        self._stream = Stream(stream, _nothing)
        self._relay = relay

    async def read(self, n: int | None = None) -> bytes:
        """Some bytes; none at the end."""
        try:
            return await self._raw.read(n or _PORTION)
        except Exception:  # a reset, an end or a broken connection: all are ends
            return b""

    async def write(self, data: bytes) -> None:
        """All of it."""
        try:
            await self._stream.write(data)
        except Exception as error:
            raise ConnectionResetError("the circuit was cut") from error

    async def close(self) -> None:
        """Both ways."""
        await self._raw.reset()

    def get_remote_address(self) -> tuple[str, int]:
        """The relay's host, and port 0, which no TCP connection has."""
        return self._relay.host, 0


def relayed(muxed: Any) -> bool:
    """Whether a connection goes through a relay."""
    remote = muxed.get_remote_address()
    return remote is not None and remote[1] == 0


async def _nothing(_: Stream) -> None:
    """The owner of the stream closes it."""


def _limit() -> Limit:
    return Limit(duration=int(CIRCUIT_SECONDS), data=min(CIRCUIT_BYTES, 2**63 - 1))


def _peer(stream: INetStream) -> bytes:
    muxed: Any = stream.muxed_conn
    return muxed.peer_id.to_bytes()


def _address(stream: INetStream) -> Address:
    muxed: Any = stream.muxed_conn
    host, port = muxed.get_remote_address()
    return Address(host, port)
