# pyright: reportPrivateUsage=false
"""Where contacts are called, how often, and what becomes of links when the network changes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import cast

import pytest
from kinlight.node import calling
from kinlight.node import link as link_module
from kinlight.node.addresses import Address, Interface
from kinlight.node.calling import Caller
from kinlight.node.discovery import Discovery, Event, Sighting
from kinlight.node.link import Link
from kinlight.node.surroundings import Footing, Look

from .conftest import Start, Two
from .network import Network
from .nodes import TestedNode, eventually

INSTANCE = "a" * 16


def at(node: TestedNode) -> Address:
    return Address("127.0.0.1", node.parts.listener.port)


def caller_of(node: TestedNode) -> Caller:
    return node.parts.peers._caller


def link_of(node: TestedNode, other: TestedNode) -> Link:
    (link,) = node.parts.peers.links(other.identity)
    return link


class Sky:
    """In place of discovery: what it sees is set by hand."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []

    def sightings(self) -> list[Sighting]:
        return self.seen

    async def events(self) -> AsyncIterator[Event]:
        return
        yield


async def alone(joined: Two, network: Network) -> tuple[TestedNode, TestedNode]:
    """Anna, who knows no address of Bob, and Bob, who knows none of her; not connected."""
    anna, bob = joined.anna, joined.bob
    bob.parts.database.write("DELETE FROM addresses")
    network.cut()
    await bob.until(lambda: not bob.connected_to(anna))
    return anna, bob


# Where


async def test_a_known_name_that_leads_to_another_key_is_tried_where_it_leads_next(
    joined: Two, network: Network, start: Start
) -> None:
    anna, bob = await alone(joined, network)
    carol = await start("Carol")
    sky = Sky()
    caller_of(bob)._discovery = cast("Discovery", sky)
    sky.seen = [Sighting(INSTANCE, (at(carol),), 1, None)]
    bob.parts.peers.nudge()
    await eventually(lambda: caller_of(bob).last_try([at(carol)]) is not None)
    await eventually(lambda: not caller_of(bob)._calling)
    sky.seen = [Sighting(INSTANCE, (at(carol), at(anna)), 1, None)]
    bob.parts.peers.nudge()
    await bob.until(lambda: bob.connected_to(anna))
    assert network.dialled.count(at(carol)) == 1


async def test_who_was_found_by_an_announcement_is_found_by_it_again(
    joined: Two, network: Network
) -> None:
    """In between the same node was asked for others, and is none of them."""
    anna, bob = await alone(joined, network)
    sky = Sky()
    sky.seen = [Sighting(INSTANCE, (at(anna),), 1, None)]
    caller_of(bob)._discovery = cast("Discovery", sky)
    for _ in range(2):
        bob.parts.peers.nudge()
        await bob.until(lambda: bob.connected_to(anna))
        bob.parts.database.write("DELETE FROM addresses")
        network.cut()
        await bob.until(lambda: not bob.connected_to(anna))


async def test_an_address_is_asked_only_for_who_was_reached_there(
    joined: Two, network: Network, start: Start
) -> None:
    anna, bob = await alone(joined, network)
    carol = await start("Carol")
    await bob.pair_with(carol)
    await anna.stop()
    bob.parts.database.write("DELETE FROM addresses")
    await carol.restart()
    assert not bob.parts.whereabouts.known()
    await bob.parts.peers.drop(carol.identity)
    carol.parts.database.write("DELETE FROM addresses")
    await eventually(lambda: not bob.connected_to(carol))
    bob.parts.whereabouts.reached(anna.identity, at(carol), 1)
    bob.parts.peers.nudge()
    await eventually(lambda: caller_of(bob).last_try([at(carol)]) is not None)
    found = caller_of(bob).last_try([at(carol)])
    assert found is not None
    assert found[1].outcome == "somebody-else"


async def test_a_way_that_swallows_the_hello_holds_up_the_next_one_for_a_moment_only(
    joined: Two, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "HEAD_START", 0.05)
    anna, bob = await alone(joined, network)

    async def silent(_: object) -> None:
        """Takes the connection and says nothing."""

    network.listening[9] = silent
    assert await bob.parts.peers.call([Address("127.0.0.1", 9), at(anna)]) is True
    assert bob.parts.whereabouts.of(anna.identity) == [at(anna)]


# How often


async def test_news_do_not_make_a_place_be_called_that_rests(joined: Two, network: Network) -> None:
    place = at(joined.anna)
    await joined.anna.stop()
    await eventually(lambda: caller_of(joined.bob).last_try([place]) is not None)
    await eventually(lambda: not joined.bob.parts.peers.connections())
    before = network.dialled.count(place)
    for _ in range(20):
        joined.bob.parts.peers.nudge()
        await asyncio.sleep(0.01)
    assert network.dialled.count(place) - before <= 2


# A person says where


async def test_a_contact_is_reached_where_a_person_says(joined: Two, network: Network) -> None:
    anna, bob = await alone(joined, network)
    contact = await bob.engine.reach("Anna", str(at(anna)))
    assert contact.connected
    assert bob.parts.whereabouts.of(anna.identity) == [at(anna)]


# The network changes

CABLE = Interface("eth0", 2, ("10.0.0.1",), present=("10.0.0.1",))


def stand_on(node: TestedNode, network: Network, host: str) -> None:
    """All links of the test have this address of the node's cable."""
    for ends in network.pipes:
        for end in ends:
            end.local = Address(host, 1)
    node.parts.peers._footing = Footing(Look((CABLE,), 0.0))


async def test_a_link_whose_address_was_taken_away_ends_at_once(
    joined: Two, network: Network
) -> None:
    stand_on(joined.bob, network, "10.0.0.1")
    before = link_of(joined.bob, joined.anna)
    moved = dataclasses.replace(CABLE, ipv4=("10.0.0.9",), present=("10.0.0.9",))
    await joined.bob.parts.peers._look(Look((moved,), 0.0))
    assert not before.ended.is_set()
    await joined.bob.parts.peers._look(Look((moved,), 2.0))
    await asyncio.wait_for(before.ended.wait(), 30)
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))


async def test_after_a_sleep_a_link_that_answers_stays(joined: Two) -> None:
    link = link_of(joined.bob, joined.anna)
    await joined.bob.parts.peers._look(Look((), 0.0, slept=True))
    await asyncio.wait_for(link._heard.wait(), 30)
    assert link_of(joined.bob, joined.anna) is link


async def test_after_a_sleep_a_link_that_answers_nothing_is_made_anew(
    joined: Two, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "CHECK_SECONDS", 0.05)
    dead = link_of(joined.bob, joined.anna)
    for ends in network.pipes:
        for end in ends:
            end.outgoing.flowing.clear()
    await joined.bob.parts.peers._look(Look((), 0.0, slept=True))
    await asyncio.wait_for(dead.ended.wait(), 30)
    await joined.bob.until(lambda: joined.bob.connected_to(joined.anna))
