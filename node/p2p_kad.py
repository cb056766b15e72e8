"""Look-ups over libp2p (Kademlia), among nodes whose users named one another as bootstraps.

It tells and asks where a transport key is, and holds nothing else: no names, no values, no
providers. Its protocol is kinlight's own, so that nobody joins the public network by mistake. Of
libp2p's own implementation the messages are used alone: it dials by `host.connect`, keeps what
everybody says of themselves for ever, and both were turned off here (`p2p_build`).
"""

from __future__ import annotations

import ipaddress
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.kad_dht.pb.kademlia_pb2 import Message
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited

from .addresses import Address, source_of
from .kademlia import ADDRESSES, BUCKET, Lookup, Node, Table
from .multiaddrs import PEER_ID_BYTES, PEER_ID_PREFIX, Multiaddr, multiaddr
from .p2p_punch import IDENTIFY
from .p2p_relay import relayed
from .p2p_stream import Stream
from .p2p_tcp import endpoint_of, packed_address

KAD: Final = TProtocol("/kinlight/kad/1.0.0")

AT_ONCE: Final = 3
"""Nodes that a look-up asks at a time."""
MESSAGE_BYTES: Final = 64 * 1024
ANSWERING: Final = 32
"""Streams of others that are answered at a time."""
ANSWERING_PER_SOURCE: Final = 8
QUERY_SECONDS: Final = 10.0
IDENTIFY_SECONDS: Final = 3.0
LOOKUP_SECONDS: Final = 30.0
DIALS_PER_SOURCE: Final = 8
"""That one look-up makes to one network: who answers with made-up nodes could else have all who ask
knock at a door of its choice."""
TELLERS: Final = 3
"""Whose word is enough: one alone may lie."""
REFRESH_SECONDS: Final = 600.0
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 300.0
"""Between tries to reach a bootstrap: twice as long each time, at most so long."""
REQUESTS_PER_STREAM: Final = 64
LINGER_SECONDS: Final = 10.0
"""How long a connection that was made for a question is kept for the next one."""

_PUBLIC: Final = ipaddress.ip_network("2000::/3")
_SIX_TO_FOUR: Final = ipaddress.ip_network("2002::/16")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """How it is with the look-ups: `known` nodes, and of each bootstrap why it can't be used."""

    known: int = 0
    bootstraps: tuple[tuple[str, str | None], ...] = ()


class Reaching(Protocol):
    """What look-ups need of the host."""

    @property
    def peer(self) -> bytes:
        """Its peer id."""
        ...

    def standing(self, peer: bytes) -> SwarmConn | None:
        """A direct connection to a peer."""
        ...

    async def reach(self, peer: bytes, addresses: Sequence[Multiaddr]) -> SwarmConn:
        """A direct connection to a peer, made if there is none; raises what prevented it."""
        ...

    async def open(self, connection: SwarmConn, protocol: TProtocol) -> INetStream:
        """A stream that speaks a protocol; raises what prevented it."""
        ...

    def linger(self, connection: SwarmConn, seconds: float) -> None:
        """Close a connection after so long, unless it is used for something else then."""
        ...


class Kademlia:
    """Answers others, and finds peers. `run` is its life where there are bootstraps."""

    def __init__(self, host: Reaching, bootstraps: Sequence[Multiaddr]) -> None:
        self._host = host
        self.bootstraps: Final = tuple(bootstraps)
        self._reasons: dict[Multiaddr, str | None] = dict.fromkeys(
            self.bootstraps, "it was not asked yet"
        )
        self._table = Table(host.peer)
        self._answering: Counter[str] = Counter()
        """By source address: nobody can keep all others from asking."""

    def found(self) -> Found:
        """How it is."""
        reasons = list(self._reasons.items())  # it may be asked from any thread
        return Found(len(self._table), tuple((str(each), why) for each, why in reasons))

    async def run(self) -> None:
        """Join by the bootstraps, and look again from time to time."""
        pause = FIRST_PAUSE
        while True:
            try:
                joined = await self._join()
            except Exception as error:  # it would end the whole host
                _log.debug("a look-up failed: %s", error)
                joined = False
            if joined:
                pause = FIRST_PAUSE
                await trio.sleep(REFRESH_SECONDS)
            else:
                await trio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _join(self) -> bool:
        """Ask the bootstraps, then for who is near; whether anybody is known after that."""
        async with trio.open_nursery() as nursery:
            for bootstrap in self.bootstraps:
                nursery.start_soon(self._ask_bootstrap, bootstrap)
        await self._lookup(self._host.peer)
        return len(self._table) > 0

    async def _ask_bootstrap(self, bootstrap: Multiaddr) -> None:
        try:
            await self._query(Node(bootstrap.peer, (bootstrap,)), self._host.peer)
        except Exception as error:
            self._reasons[bootstrap] = _why(error)
        else:
            self._reasons[bootstrap] = None

    # Asking.

    async def find(self, peer: bytes) -> list[Multiaddr]:
        """Where a peer is, as nodes near to it say; nothing if they know nothing."""
        return list((await self._lookup(peer)).addresses)

    async def _lookup(self, target: bytes) -> Lookup:
        course = Lookup(self._host.peer, target, self._table.closest(target))
        dialled: Counter[str] = Counter()
        busy = 0
        news = trio.Event()

        async def ask(node: Node) -> None:
            nonlocal busy
            node = _bounded(node, dialled)
            try:
                course.told(await self._query(node, target))
            except Exception as error:
                _log.debug("a node does not answer: %s", error)
                course.failed(node.peer)
                if self._table.get(node.peer) == node:  # not by what others say of it
                    self._table.failed(node.peer)
            finally:
                busy -= 1
                news.set()

        with trio.move_on_after(LOOKUP_SECONDS):
            async with trio.open_nursery() as nursery:
                while course.tellers < TELLERS:
                    news = trio.Event()
                    while busy < AT_ONCE and (node := course.next()) is not None:
                        busy += 1
                        nursery.start_soon(ask, node)
                    if not busy:
                        break
                    await news.wait()
                nursery.cancel_scope.cancel()
        return course

    async def _query(self, node: Node, target: bytes) -> list[Node]:
        """The nodes that one knows to be near to `target`; raises what prevented it."""
        with trio.fail_after(QUERY_SECONDS):
            connection = await self._host.reach(node.peer, node.addresses)
            stream = await self._host.open(connection, KAD)
            try:
                request = Message(type=Message.FIND_NODE, key=target)
                await _write(stream, request)
                answer = await _read(stream)
            finally:
                with trio.CancelScope(shield=True), trio.move_on_after(1):
                    await stream.close()
                self._host.linger(connection, LINGER_SECONDS)
        teller, known = _remote(connection), self._table.get(node.peer)
        # Where it was reached, and what it said of itself before: others are not believed.
        trusted = [each for each in node.addresses if each in self.bootstraps]
        trusted += [] if known is None else known.addresses
        if teller is not None and connection.muxed_conn.is_initiator:
            trusted.insert(0, multiaddr(teller.host, teller.port, node.peer))
        self._table.met(_told_on(Node(node.peer, tuple(trusted))), _source(teller))
        told = (_node(each, teller) for each in list(answer.closerPeers)[:BUCKET])
        return [each for each in told if each is not None]

    # Answering.

    async def answer(self, stream: INetStream) -> None:
        """Somebody asks."""
        connection = cast("SwarmConn", cast("Any", stream).swarm_conn)
        remote = _remote(connection)
        source = "" if remote is None else source_of(remote.host)
        if self._answering.total() >= ANSWERING or self._answering[source] >= ANSWERING_PER_SOURCE:
            await stream.reset()
            return
        self._answering[source] += 1
        try:
            await self._meet(connection)
            for _ in range(REQUESTS_PER_STREAM):
                with trio.fail_after(QUERY_SECONDS):
                    request = await _read(stream)
                    await _write(stream, self._answer(request, _peer(connection)))
            await stream.close()
        except Exception as error:  # the usual end is that it has no more questions
            _log.debug("no more questions: %s", error)
            with trio.move_on_after(1):
                await stream.close()
        finally:
            self._answering[source] -= 1
            self._answering += Counter()  # drops the zeros

    def _answer(self, request: Message, asker: bytes) -> Message:
        if request.type == Message.PING:
            return Message(type=Message.PING)
        if request.type not in (Message.FIND_NODE, Message.GET_VALUE, Message.GET_PROVIDERS):
            raise ValueError("nothing is kept here")
        near = [node for node in self._table.closest(request.key) if node.peer != asker]
        return Message(
            type=request.type,
            key=request.key,
            closerPeers=[
                Message.Peer(id=node.peer, addrs=[_raw(each) for each in node.addresses])
                for node in near
            ],
        )

    async def _meet(self, connection: SwarmConn) -> None:
        """Take who asks into the table, if it answers such questions itself."""
        peer, remote = _peer(connection), _remote(connection)
        if (
            peer in self._table
            or not self._table.has_room(peer, _source(remote))
            or relayed(connection.muxed_conn)
        ):
            return
        try:
            with trio.fail_after(IDENTIFY_SECONDS):
                stream = await self._host.open(connection, IDENTIFY)
                told = Identify()
                told.ParseFromString(
                    await read_varint_prefixed_bytes_limited(stream, MESSAGE_BYTES)
                )
                await stream.close()
        except Exception as error:
            _log.debug("who asks does not say who it is: %s", error)
            return
        if KAD not in told.protocols or not _is_peer(peer):
            return
        known = _endpoints(told.listen_addrs, remote)
        # It calls from the port at which it listens: then this is how its router shows it.
        if remote is not None and remote.port in {each.port for each in known}:
            known = [remote, *(each for each in known if each != remote)]
        addresses = tuple(multiaddr(each.host, each.port, peer) for each in known[:ADDRESSES])
        self._table.met(Node(peer, addresses), _source(remote))


async def _read(stream: INetStream) -> Message:
    message = Message()
    message.ParseFromString(await read_varint_prefixed_bytes_limited(stream, MESSAGE_BYTES))
    return message


async def _write(stream: INetStream, message: Message) -> None:
    await Stream(stream, _nothing).write(encode_varint_prefixed(message.SerializeToString()))


async def _nothing(_: Stream) -> None:
    """The owner of the stream closes it."""


def _node(told: Message.Peer, teller: Address | None) -> Node | None:
    """What one node says of another; None for what can't be dialled."""
    if not _is_peer(told.id):
        return None
    known = _endpoints(told.addrs, teller)
    return Node(told.id, tuple(multiaddr(each.host, each.port, told.id) for each in known))


def _bounded(node: Node, dialled: Counter[str]) -> Node:
    """The same with those addresses that may be dialled yet, which are counted."""
    kept: list[Multiaddr] = []
    for each in node.addresses:
        source = _source(each.endpoint)
        if not source or dialled[source] < DIALS_PER_SOURCE:
            dialled[source] += 1
            kept.append(each)
    return Node(node.peer, tuple(kept))


def _source(remote: Address | None) -> str:
    """By what nodes are counted; "" for the local network, where all may be at one address."""
    return source_of(remote.host) if remote is not None and _is_global(remote) else ""


def _told_on(node: Node) -> Node:
    """As it is told to others: by IP addresses, whatever names its user typed."""
    known = dict.fromkeys(
        each for each in node.addresses if each.host.startswith(("/ip4/", "/ip6/"))
    )
    return Node(node.peer, tuple(known)[:ADDRESSES])


def _is_peer(peer: bytes) -> bool:
    return len(peer) == PEER_ID_BYTES and peer.startswith(PEER_ID_PREFIX)


def _endpoints(addresses: Iterable[bytes], teller: Address | None) -> list[Address]:
    """The TCP addresses among these. One of a local network counts only from who is in one: nobody
    far away can have this node knock at its neighbours' doors.
    """
    local = teller is not None and not _is_global(teller)
    found: list[Address] = []
    for raw in list(addresses)[: 2 * ADDRESSES]:
        # Some end with the peer id, which is known already.
        endpoint = endpoint_of(raw) or endpoint_of(raw[: -(2 + PEER_ID_BYTES + 1)])
        if endpoint is not None and (local or _is_global(endpoint)):
            found.append(endpoint)
    return list(dict.fromkeys(found))[:ADDRESSES]


def _is_global(address: Address) -> bool:
    host = ipaddress.ip_address(address.host)
    if host.version == 6:
        # What else IPv6 has may lead to an IPv4 address that is written into it, of any network.
        return host.is_global and host in _PUBLIC and host not in _SIX_TO_FOUR
    return host.is_global


def _raw(address: Multiaddr) -> bytes:
    return packed_address(address.endpoint)


def _peer(connection: SwarmConn) -> bytes:
    return connection.muxed_conn.peer_id.to_bytes()


def _remote(connection: SwarmConn) -> Address | None:
    muxed: Any = connection.muxed_conn
    remote = muxed.get_remote_address()
    return None if remote is None else Address(*remote)


def _why(error: Exception) -> str:
    """Why a bootstrap can't be used, for people."""
    if isinstance(error, trio.TooSlowError):
        return "it does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if "rotocol" in str(error):
        return "it takes no part in look-ups"
    return "it can't be reached, or another one answers there"
