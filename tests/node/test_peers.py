"""Who is connected: strangers, links that come twice, contacts that are blocked."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node import peers as peers_module
from kinlight.node import tcp
from kinlight.node.addresses import Address
from kinlight.node.link import Link
from kinlight.node.mallory import Mallory
from kinlight.node.peers import STRANGERS, STRANGERS_PER_SOURCE
from kinlight.protocol import limits
from kinlight.protocol.errors import UnknownPeerError
from kinlight.protocol.opening import Pinned, Transport

from .conftest import Attacked, Picture, Start, Two
from .network import Network, QueuePipe
from .nodes import NOW, PATIENCE, TestedNode, eventually
from .people import chain_of


def addresses(node: TestedNode) -> set[Address]:
    return {Address("127.0.0.1", node.parts.listener.port)}


def link_of(node: TestedNode, other: TestedNode) -> Link:
    (link,) = node.parts.peers.links(other.identity)
    return link


# Strangers


async def test_a_stranger_is_refused_and_learns_no_name(start: Start) -> None:
    bob = await start("Bob")
    with pytest.raises(UnknownPeerError):
        await Mallory(bob.parts.listener.port).knock()
    assert bob.parts.peers.connections() == []


async def test_callers_in_their_hello_are_bounded_per_source(start: Start) -> None:
    bob = await start("Bob")
    address = Address("127.0.0.1", bob.parts.listener.port)
    silent = [await tcp.dial(address) for _ in range(STRANGERS_PER_SOURCE)]
    await eventually(lambda: bob.parts.peers.greeting == STRANGERS_PER_SOURCE)
    one_more = await tcp.dial(address)
    assert await asyncio.wait_for(one_more.read(), PATIENCE) == b""
    for pipe in (*silent, one_more):
        await pipe.close()
    await eventually(lambda: bob.parts.peers.greeting == 0)
    with pytest.raises(UnknownPeerError):  # and not merely a closed connection
        await Mallory(address.port).knock()


async def test_callers_in_their_hello_are_bounded_over_all_sources(
    network: Network, start: Start
) -> None:
    bob = await start("Bob")
    accepting: list[asyncio.Task[None]] = []
    callers: list[QueuePipe] = []
    for number in range(STRANGERS + 1):
        near, far = network.pair()
        far.remote = Address(f"192.0.2.{number}", 1)
        callers.append(near)
        accepting.append(asyncio.create_task(bob.parts.peers.accept(far)))
    await eventually(lambda: callers[-1].incoming.ended)
    assert bob.parts.peers.greeting == STRANGERS
    assert Counter(pipe.incoming.ended for pipe in callers) == {False: STRANGERS, True: 1}
    network.cut()
    await asyncio.gather(*accepting)
    assert bob.parts.peers.greeting == 0


async def test_far_callers_of_one_ipv6_network_are_one_source(
    network: Network, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPENING_SECONDS", 600.0)
    bob = await start("Bob")
    callers: list[QueuePipe] = []
    for number in range(STRANGERS_PER_SOURCE + 1):
        near, far = network.pair()
        far.remote = Address(f"2001:db8::{number}", 1)
        far.transport = Transport(b"bob", b"caller")
        callers.append(near)
        await bob.parts.peers.accept(far)
    await eventually(lambda: callers[-1].incoming.ended)
    assert bob.parts.peers.greeting == STRANGERS_PER_SOURCE
    network.cut()
    await eventually(lambda: bob.parts.peers.greeting == 0)


async def test_a_silent_caller_is_let_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPENING_SECONDS", 0.05)
    bob = await start("Bob")
    pipe = await tcp.dial(Address("127.0.0.1", bob.parts.listener.port))
    assert await asyncio.wait_for(pipe.read(), PATIENCE) == b""
    await pipe.close()


async def test_noise_on_the_port_stops_nobody(start: Start) -> None:
    bob, anna = await start("Bob"), await start("Anna")
    for noise in (b"GET / HTTP/1.0\r\n\r\n", bytes(70_000), b"\x16\x03\x01\x40\x00" + bytes(9000)):
        pipe = await tcp.dial(Address("127.0.0.1", bob.parts.listener.port))
        await pipe.write(noise)
        await eventually(lambda: bob.parts.peers.greeting == 0)
        await pipe.close()
    await bob.pair_with(anna)


# Calling


async def test_calling_a_stranger_is_told_from_calling_nobody(joined: Two, start: Start) -> None:
    carol = await start("Carol")
    joined.bob.parts.library.add_contact(chain_of("Dora"), "Dora", Secret(bytes(32)), NOW)
    call = joined.bob.parts.peers.call
    assert await call(addresses(carol)) is False
    assert await call({Address("127.0.0.1", 9)}) is None
    assert await call([]) is None


async def test_a_dead_address_beside_a_good_one_does_no_harm(
    joined: Two, network: Network, start: Start
) -> None:
    port = joined.anna.parts.listener.port
    await joined.bob.restart()
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))
    await joined.bob.stop()
    carol = await start("Carol")
    await joined.anna.pair_with(carol)
    await carol.stop()
    dead, good = Address("127.0.0.1", 9), Address("127.0.0.1", port)
    before = len(network.dialled)
    await joined.bob.start()
    await joined.bob.parts.peers.call([dead, good])
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))
    assert good in network.dialled[before:]


async def test_more_contacts_than_one_hello_may_ask_for_are_all_asked_for(joined: Two) -> None:
    """Anna is the last of many: she is in the second hello."""
    await joined.bob.stop()
    await joined.anna.until(lambda: not joined.anna.connected_to(joined.bob))
    await joined.bob.start()
    library = joined.bob.parts.library
    anna = library.contact("Anna")
    library.update_contact(anna.identity, name="zz last")
    for number in range(limits.DIAL_TAGS + 3):
        name = f"contact {number:02}"
        library.add_contact(chain_of(name), name, Secret(name.encode()), NOW)
    await joined.bob.parts.peers.drop(anna.identity)
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))


async def test_a_contact_is_found_again_where_it_was_before(joined: Two) -> None:
    assert joined.bob.parts.whereabouts.of(joined.anna.identity) == [
        Address("127.0.0.1", joined.anna.parts.listener.port)
    ]
    await joined.anna.restart()
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))


async def test_a_node_keeps_its_port_from_one_start_to_the_next(start: Start) -> None:
    bob = await start("Bob")
    port = bob.parts.listener.port
    await bob.restart()
    assert bob.parts.listener.port == port


async def test_a_port_that_was_taken_meanwhile_is_replaced(network: Network, start: Start) -> None:
    bob = await start("Bob")
    port = bob.parts.listener.port
    await bob.stop()

    async def nobody(_: object) -> None:
        """Somebody else's program."""

    network.listening[port] = nobody
    await bob.start()
    assert bob.parts.listener.port not in (0, port)


# Two links to one device


@pytest.mark.parametrize("order", list(itertools.permutations(range(3), 2)))
async def test_of_links_that_come_together_both_ends_keep_one_and_the_same(
    joined: Two, network: Network, order: tuple[int, int]
) -> None:
    """Both dial at once, and their hellos come in any order."""
    bob_calls = addresses(joined.anna)
    anna_calls = addresses(joined.bob)
    network.cut()
    await joined.anna.until(lambda: not joined.anna.connected_to(joined.bob))
    calls = [
        joined.bob.parts.peers.call(bob_calls),
        joined.anna.parts.peers.call(anna_calls),
        joined.anna.parts.peers.call(anna_calls),
    ]
    first, second = order
    chosen = [calls[first], calls[second]]
    calls[3 - first - second].close()
    await asyncio.gather(*chosen)
    await eventually(
        lambda: (
            joined.anna.connected_to(joined.bob)
            and joined.bob.connected_to(joined.anna)
            and link_of(joined.anna, joined.bob).session.exporter
            == link_of(joined.bob, joined.anna).session.exporter
        )
    )


async def test_a_link_that_stood_for_long_gives_way_to_a_new_one(
    joined: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who dials again knows that the old one is dead; this side can't."""
    monkeypatch.setattr(peers_module, "SETTLED_SECONDS", -1.0)
    standing = link_of(joined.anna, joined.bob)
    await joined.bob.restart()
    await eventually(
        lambda: (
            joined.anna.connected_to(joined.bob)
            and link_of(joined.anna, joined.bob) is not standing
        )
    )
    assert standing.ended.is_set()


# Blocked


async def test_who_is_blocked_is_a_stranger_from_then_on(attacked: Attacked) -> None:
    async with attacked.mallory.connected() as conversation:
        await attacked.bob.until(lambda: bool(attacked.bob.parts.peers.connections()))
        await attacked.bob.engine.update_contact("Mallory", blocked=True)
        await asyncio.wait_for(conversation.link.ended.wait(), PATIENCE)
    assert attacked.mallory.victim is not None
    known = Pinned(attacked.bob.identity, attacked.mallory.victim.pair_secret)
    link = await attacked.mallory.dial((known,))
    with pytest.raises(UnknownPeerError):
        await link.open()
    await link.close()
    await attacked.bob.engine.update_contact("Mallory", blocked=False)
    async with attacked.mallory.connected():
        pass


async def test_a_blocked_contact_is_not_called(joined: Two, network: Network) -> None:
    await joined.bob.engine.update_contact("Anna", blocked=True)
    await joined.bob.until(lambda: not joined.bob.connected_to(joined.anna))
    network.dialled.clear()
    await joined.bob.parts.peers.call(addresses(joined.anna))
    assert network.dialled == []


async def test_a_node_that_is_locked_takes_no_callers_and_drops_those_it_has(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.stop()
    await joined.anna.until(lambda: not joined.anna.connected_to(joined.bob))
    item = await joined.anna.share_one(picture(), "Bob", wait=False)
    assert item.state == "queued"


async def test_connections_are_part_of_the_status(two: Two) -> None:
    (connection,) = two.anna.engine.status().connections
    assert (connection.contact, connection.path) == ("Bob", "lan")
    assert connection.address.startswith("127.0.0.1:")
