"""The libp2p host, in the trio thread: who may connect, whom it calls.

It accepts and dials here and not in libp2p, whose own listener counts connections that have ended
and shares its port with whoever asks. `p2p_build` is how it is built.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.swarm import Swarm
from libp2p.peer.id import (  # pyright: ignore[reportMissingTypeStubs] - its folder is no package
    ID,
)
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

from .addresses import Address, places_to_dial, source_of
from .multiaddrs import Multiaddr
from .p2p_build import CONNECTIONS, CONNECTIONS_PER_SOURCE, DIAL_SECONDS, build
from .p2p_kad import KAD, Found, Kademlia
from .p2p_profile import PROFILE, Introduction
from .p2p_punch import DCUTR, PUNCH_SECONDS, Punch
from .p2p_relay import HOP, STOP, Relay, Relayed, relayed
from .p2p_rendezvous import RENDEZVOUS, Rendezvous
from .p2p_stream import Stream
from .p2p_tcp import Socket, connect, raw_address, remote_of
from .tcp import STAGGER_SECONDS

PROTOCOL: Final = TProtocol("/kinlight/channel/1")

UPGRADES: Final = 32
"""Connections that may be in their handshake at a time."""
UPGRADES_PER_SOURCE: Final = 8
IDLE_SECONDS: Final = 30.0
"""How long who connects may take until it speaks kinlight."""
CLOSE_SECONDS: Final = 5.0
PLACES_SECONDS: Final = 5.0
"""For which the addresses of the interfaces are told as they were."""
VANTAGE_POINTS: Final = 3
WATCH_SECONDS: Final = 0.1
EXHAUSTED_SECONDS: Final = 0.5

Accepted = Callable[[Stream, bytes, Address | None], Callable[[bytes], None]]
"""Told of a stream that was opened, by whom and from where; returns who takes its bytes."""

_log = logging.getLogger(__name__)


class Host:
    """One libp2p host with the transport key of `seed` (32 bytes). `serve` is its life."""

    def __init__(
        self,
        seed: bytes,
        accepted: Accepted,
        improved: Accepted,
        *,
        relaying: bool = False,
        bootstraps: Sequence[Multiaddr] | None = None,
        outside: Callable[[], Address | None] = lambda: None,
    ) -> None:
        self._accepted = accepted
        self._improved = improved
        self._outside = outside
        self._places: list[Address] = []
        self._listens_until = float("-inf")
        self.port = 0
        self._relay = Relay(self, serving=relaying)
        self._rendezvous = Rendezvous(self)
        self._punch = Punch(self, self._better)
        self._punching: dict[bytes, frozenset[str]] = {}
        self._dialled: dict[bytes, Multiaddr] = {}
        self._outgoing: set[trio.SocketStream] = set()
        self._host = build(seed)
        self._swarm = cast("Swarm", self._host.get_network())
        self._nursery: trio.Nursery | None = None
        self._stop = trio.Event()
        self._sources: Counter[str] = Counter()
        self._upgrading: Counter[str] = Counter()
        self._lingering: dict[SwarmConn, float] = {}
        self._streams: defaultdict[SwarmConn, set[Stream]] = defaultdict(set)
        self._host.set_stream_handler(PROTOCOL, self._take)
        self._host.set_stream_handler(STOP, self._relay.stop)
        self._host.set_stream_handler(DCUTR, self._punch.answer)
        if relaying:
            self._host.set_stream_handler(HOP, self._relay.hop)
            self._host.set_stream_handler(RENDEZVOUS, self._rendezvous.answer)
        introduction = Introduction(seed, relaying=relaying, looking_up=bootstraps is not None)
        self._host.set_stream_handler(PROFILE, introduction.answer)
        self._kad = None if bootstraps is None else Kademlia(self, bootstraps)
        if self._kad is not None:
            self._host.set_stream_handler(KAD, self._kad.answer)
            # Others learn it when they are asked something; without look-ups nobody is told any.
            self._host.get_addrs = self._listens  # type: ignore[method-assign]
        handle = self._swarm.common_stream_handler

        async def guarded(stream: INetStream) -> None:
            try:
                await handle(stream)
            except Exception as error:  # what gets out of a handler would end the whole host
                _log.debug("a stream of the wide area failed: %s", error)
                await stream.reset()

        self._swarm.set_stream_handler(guarded)

    @property
    def peer(self) -> bytes:
        """Its peer id."""
        return self._host.get_id().to_bytes()

    async def serve(
        self,
        listening: socket.socket,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept connections at the socket, which is closed at the end, until `close`."""
        listening.setblocking(False)
        self.port = listening.getsockname()[1]
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        async with listener, self._host.run([]), trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._accept_all, listener)
            if self._kad is not None and self._kad.bootstraps:
                nursery.start_soon(self._kad.run)
            task_status.started()
            try:
                await self._stop.wait()
            finally:
                self._nursery = None  # nobody is called or taken any more
                # Before `run` is left: a stream that is open then would keep its socket for ever.
                with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_SECONDS):
                    await self._host.close()
                for stream in self._outgoing:  # those of which libp2p lost sight
                    stream.socket.close()
            nursery.cancel_scope.cancel()

    def close(self) -> None:
        """Have `serve` end."""
        self._stop.set()

    # Being called.

    async def _accept_all(self, listener: trio.SocketListener) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError:  # no descriptor is left, or so; those who wait are taken later
                await trio.sleep(EXHAUSTED_SECONDS)
                continue
            remote = remote_of(stream)
            if (
                self._nursery is None  # it ends
                or remote is None
                or not self._has_room(remote.host)
            ):
                await trio.aclose_forcefully(stream)
            elif (peer := self._punched_by(remote)) is not None:
                self._spawn(self._secure, stream, remote, ID(peer))
            else:
                self._spawn(self._accept, stream, remote)

    def _has_room(self, host: str) -> bool:
        source = source_of(host)
        return (
            self._sources.total() < CONNECTIONS
            and self._sources[source] < CONNECTIONS_PER_SOURCE
            and self._upgrading.total() < UPGRADES
            and self._upgrading[source] < UPGRADES_PER_SOURCE
        )

    async def _accept(self, stream: trio.SocketStream, remote: Address) -> None:
        source = source_of(remote.host)
        self._sources[source] += 1
        try:
            self._upgrading[source] += 1
            try:
                raw = RawConnection(Socket(stream, remote), False)
                muxed: Any = await self._swarm.upgrade_inbound_raw_conn(raw, raw_address(remote))
            finally:
                self._upgrading[source] -= 1
                self._upgrading += Counter()  # drops the zeros
            await self._stay(muxed)
        except Exception as error:
            _log.debug("a connection was not taken: %s", error)
        finally:
            self._sources[source] -= 1
            self._sources += Counter()
            await trio.aclose_forcefully(stream)

    async def _stay(self, muxed: Any) -> None:
        """Until the connection has ended; who connects and wants nothing is sent away.

        A relay has a link on its connection, so it is none of those.
        """
        while True:
            with trio.move_on_after(IDLE_SECONDS):
                await muxed.event_closed.wait()
                return
            if not any(each.muxed_conn is muxed for each in self._streams):
                with trio.move_on_after(CLOSE_SECONDS):  # a farewell that it may never take
                    await muxed.close()
                return

    async def _take(self, raw: INetStream) -> None:
        connection = _connection(raw)
        stream = self._stream(raw, connection)
        deliver = self._accepted(
            stream, connection.muxed_conn.peer_id.to_bytes(), _source(connection)
        )
        await stream.pump(deliver)

    # Calling.

    async def dial(self, target: Multiaddr) -> Stream:
        """A stream to the node at this address; raises what prevented it."""
        peer = ID(target.peer)
        if peer == self._host.get_id():
            raise OSError("that is this node itself")
        with trio.fail_after(DIAL_SECONDS if target.via is None else 2 * DIAL_SECONDS):
            connection = self._standing(peer, through=target.via is not None)
            if connection is not None:
                try:
                    return self._stream(await self.open(connection, PROTOCOL), connection)
                except (
                    Exception
                ) as error:  # it was just ending: either end closes what it needs not
                    _log.debug("a standing connection was of no use: %s", error)
            connection = await self._connect(target, peer)
            return self._stream(await self.open(connection, PROTOCOL), connection)

    def pump(self, stream: Stream, deliver: Callable[[bytes], None]) -> None:
        """Begin to read a stream that was dialled."""
        self._spawn(stream.pump, deliver)

    def let_go(self, stream: Stream) -> None:
        """Close a stream that nobody wants."""
        self._spawn(stream.close)

    def standing(self, peer: bytes) -> SwarmConn | None:
        """A direct connection to a peer."""
        return self._standing(ID(peer), through=False)

    def _standing(self, peer: ID, *, through: bool) -> SwarmConn | None:
        for each in self._swarm.get_connections(peer):
            if (
                isinstance(each, SwarmConn)
                and not each.is_closed
                and relayed(each.muxed_conn) == through
            ):
                return each
        return None

    async def _connect(self, target: Multiaddr, peer: ID) -> SwarmConn:
        if target.via is not None:
            return await self._connect_through(target.via, peer)
        endpoint = target.endpoint
        connection = await self._secure(await connect(endpoint, self.port), endpoint, peer)
        # Not before it proved its key: this address may be told to others as that of a relay.
        self._dialled[target.peer] = target
        return connection

    async def _secure(self, stream: trio.SocketStream, remote: Address, peer: ID) -> SwarmConn:
        """A connection that this end begins."""
        if self._nursery is None:  # `serve` has closed all that it knew of
            stream.socket.close()
            raise OSError("the wide area was turned off")
        self._outgoing = {each for each in self._outgoing if each.socket.fileno() >= 0} | {stream}
        try:
            raw = RawConnection(Socket(stream, remote_of(stream) or remote), True)
            return await self._swarm.upgrade_outbound_raw_conn(raw, peer)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def _connect_through(self, relay: Multiaddr, peer: ID) -> SwarmConn:
        raw = await self._relay.circuit(relay.peer, peer.to_bytes())
        try:
            return await self._swarm.upgrade_outbound_raw_conn(raw, peer)
        except BaseException:
            self._spawn(raw.close)
            raise

    async def open(self, connection: SwarmConn, protocol: TProtocol) -> INetStream:
        """A stream that speaks a protocol; raises what prevented it."""
        raw = None
        try:
            raw = await connection.new_stream()
            await self._host.multiselect_client.select_one_of(
                [protocol], MultiselectCommunicator(raw), int(DIAL_SECONDS)
            )
        except BaseException:
            # It may be dead without anybody knowing: the next call makes another one.
            if not self._streams.get(connection):
                self._spawn(_close, connection)
            elif raw is not None:
                self._spawn(raw.reset)
            raise
        return raw

    # Look-ups.

    def _listens(self) -> list[Any]:
        # Whoever connects can ask as often as they like, and it takes milliseconds to find out.
        if trio.current_time() >= self._listens_until:
            self._places = places_to_dial(self.port)
            self._listens_until = trio.current_time() + PLACES_SECONDS
        outside = self._outside()
        listens = self._places + ([outside] if outside is not None else [])
        return [raw_address(each) for each in listens]

    def found(self) -> Found:
        """How it is with look-ups; may be asked from any thread."""
        return Found() if self._kad is None else self._kad.found()

    async def find(self, peer: bytes) -> list[Multiaddr]:
        """Where a peer is, as others say; nothing where no look-ups are made."""
        return [] if self._kad is None else await self._kad.find(peer)

    async def reach(self, peer: bytes, addresses: Sequence[Multiaddr]) -> SwarmConn:
        """A direct connection to a peer, made if there is none, by whichever address is first."""
        made = [self.standing(peer)]
        reasons: list[Exception] = [OSError("there is no address")]

        async def dial(number: int, address: Multiaddr) -> None:
            await trio.sleep(number * STAGGER_SECONDS)
            try:
                with trio.fail_after(DIAL_SECONDS):
                    connection = await self._connect(address, ID(peer))
            except Exception as error:
                reasons.append(error)
                return
            made.append(connection)
            nursery.cancel_scope.cancel()

        if made == [None]:
            async with trio.open_nursery() as nursery:
                for item in enumerate(each for each in addresses if each.via is None):
                    nursery.start_soon(dial, *item)
        connection = made[-1]
        if connection is None:
            raise reasons[-1]
        return connection

    def linger(self, connection: SwarmConn, seconds: float) -> None:
        """Close a connection after so long, unless it is used for a link then."""

        async def close() -> None:
            while (left := self._lingering[connection] - trio.current_time()) > 0:  # noqa: ASYNC110 - it grows while it is used
                await trio.sleep(left)
            del self._lingering[connection]
            if not self._streams.get(connection):
                await _close(connection)

        if connection.muxed_conn.is_initiator:
            known = connection in self._lingering
            self._lingering[connection] = trio.current_time() + seconds
            if not known:
                self._spawn(close)

    # Relays.

    def met(self, peer: bytes, owner: bytes) -> None:
        """A link with a contact stands on a direct connection: each may relay for the other.

        `owner` is the contact's identity.
        """
        self._relay.met(peer, owner)
        if peer in self._dialled:
            self._spawn(self._relay.reserve, peer, self._dialled[peer])

    def parted(self, peer: bytes) -> None:
        """It has ended."""
        self._relay.parted(peer)

    def relays(self) -> list[Multiaddr]:
        """The relays through which this node can be reached; may be asked from any thread."""
        return list(self._relay.reachable.values())

    def owner(self, peer: bytes) -> bytes | None:
        """The identity of the contact with whom a link stands on a direct connection."""
        return self._relay.owner(peer)

    async def ask(self, peer: bytes, request: bytes) -> bytes:
        """Leave records with a contact and ask for others (`rendezvous`)."""
        return await self._rendezvous.ask(peer, request)

    # A better way than a relay.

    def improve(self, peer: bytes) -> None:
        """A link with a contact stands through a relay."""
        self._spawn(self._punch.improve, peer)

    def enough(self, peer: bytes) -> None:
        """It has ended."""
        self._punch.enough(peer)

    def through_relay(self, peer: bytes) -> SwarmConn | None:
        """A connection to a peer through a relay."""
        return self._standing(ID(peer), through=True)

    def vantage_points(self) -> list[SwarmConn]:
        """Connections to those who can tell under which address this node is seen."""
        found = map(self.standing, self._relay.contacts())
        return [each for each in found if each is not None][:VANTAGE_POINTS]

    async def punch(self, peer: bytes, targets: Sequence[Address], *, client: bool) -> None:
        """Dial all these for some seconds, or until there is a direct connection to the peer.

        Both ends dial: it is settled before which of them is the `client` on what comes about.
        """
        if client:
            self._punching[peer] = frozenset(each.host for each in targets)
        try:
            with trio.move_on_after(PUNCH_SECONDS):
                async with trio.open_nursery() as nursery:
                    for target in targets:
                        nursery.start_soon(self._punch_at, target, peer, client)
                    while self.standing(peer) is None:  # noqa: ASYNC110 - libp2p tells nobody
                        await trio.sleep(WATCH_SECONDS)
                    nursery.cancel_scope.cancel()
        finally:
            self._punching.pop(peer, None)

    async def _punch_at(self, target: Address, peer: bytes, client: bool) -> None:
        while True:
            try:
                stream = await connect(target, self.port)
            except OSError:
                await trio.sleep(WATCH_SECONDS)
                continue
            if client:
                with contextlib.suppress(Exception):  # somebody else may answer there
                    await self._secure(stream, target, ID(peer))
            else:
                self._spawn(self._accept, stream, target)
            return

    def _punched_by(self, remote: Address) -> bytes | None:
        """To whom this node is a client on a connection from there."""
        hosts = self._punching.items()
        return next((peer for peer, dialled in hosts if remote.host in dialled), None)

    async def _better(self, peer: bytes) -> None:
        connection = self.standing(peer)
        if connection is not None:
            stream = self._stream(await self.open(connection, PROTOCOL), connection)
            self._spawn(stream.pump, self._improved(stream, peer, _source(connection)))

    def relayed(self) -> Relayed:
        """What goes through this node now."""
        return replace(self._relay.relayed(), notices=self._rendezvous.kept)

    async def admit(self, raw: RawConnection, remote: Address) -> None:
        """A connection came in by a circuit; returns when it has ended."""
        if not self._has_room(remote.host):
            await raw.close()
            return
        source = source_of(remote.host)
        self._sources[source] += 1
        try:
            self._upgrading[source] += 1
            try:
                muxed: Any = await self._swarm.upgrade_inbound_raw_conn(raw, raw_address(remote))
            finally:
                self._upgrading[source] -= 1
                self._upgrading += Counter()
            await self._stay(muxed)
        finally:
            self._sources[source] -= 1
            self._sources += Counter()
            await raw.close()

    # Streams and their connections.

    def _stream(self, raw: INetStream, connection: SwarmConn) -> Stream:
        async def ended(stream: Stream) -> None:
            left = self._streams[connection]
            left.discard(stream)
            if not left:
                self._streams.pop(connection, None)
                self._spawn(_close, connection)  # a relay that is stuck would hold up who closes

        stream = Stream(raw, ended)
        self._streams[connection].add(stream)
        return stream

    def _spawn(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        async def guarded() -> None:
            try:
                await work(*arguments)
            except Exception as error:  # what gets out would end the whole host
                _log.debug("in the wide area: %s", error)

        if self._nursery is not None:
            self._nursery.start_soon(guarded)


async def _close(connection: SwarmConn) -> None:
    with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_SECONDS):
        await connection.close()


def _connection(stream: INetStream) -> SwarmConn:
    return cast("Any", stream).swarm_conn


def _source(connection: SwarmConn) -> Address | None:
    muxed: Any = connection.muxed_conn
    remote = muxed.get_remote_address()
    return None if remote is None else Address(*remote)
