from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from kinlight.node import peers, tickets
from kinlight.node.addresses import Address
from kinlight.node.environment import Environment
from kinlight.node.errors import UnreachableError, WideAreaOffError
from kinlight.node.multiaddrs import PEER_ID_PREFIX, Multiaddr, multiaddr
from kinlight.node.p2p import WideArea
from kinlight.node.pipes import Pipe
from kinlight.protocol.errors import WrongTransportError

from .nodes import Clock, TestedNode
from .strangers import slow_dials, stranger

__all__ = ["slow_dials"]


def make(tmp_path: Path, name: str, settings: str = "on = true") -> TestedNode:
    node = TestedNode(tmp_path / name.lower(), name, Environment(Clock()))
    with node.home.config.open("a") as config:
        config.write(f"[wide]\nupnp = false\n{settings}\n")
    return node


class Couple:
    """Anna and Bob, who met in the wide area."""

    def __init__(self, anna: TestedNode, bob: TestedNode) -> None:
        self.anna = anna
        self.bob = bob

    @property
    def annas_address(self) -> Multiaddr:
        return loopback(self.anna)


def loopback(node: TestedNode) -> Multiaddr:
    shown = Multiaddr.parse(node.engine.status().wide_addresses[0])
    return multiaddr("127.0.0.1", shown.endpoint.port, shown.peer)


def paths(node: TestedNode) -> list[str]:
    return [connection.path for connection in node.engine.status().connections]


@pytest.fixture
async def couple(tmp_path: Path) -> AsyncGenerator[Couple]:
    anna, bob = make(tmp_path, "Anna"), make(tmp_path, "Bob")
    for node in (anna, bob):
        await node.start()
    for node in (anna, bob):
        await node.until(lambda node=node: node.engine.status().wide == "on")
    await meet(anna, bob, str(loopback(anna)))
    await bob.engine.update_contact("Anna", accept="always")
    yield Couple(anna, bob)
    for node in (anna, bob):
        await node.stop()


async def meet(host: TestedNode, guest: TestedNode, address: str) -> None:
    """`guest` types the code and the address of `host`; both connect."""
    async with host.pairing() as (code, steps):
        await guest.engine.join_pairing(code.code, address, None)
        await anext(steps)
    await guest.until(lambda: guest.connected_to(host))
    await host.until(lambda: host.connected_to(guest))


async def apart(couple: Couple) -> None:
    """End their link, and let both forget where the other is."""
    anna, bob = couple.anna, couple.bob
    for node in (anna, bob):
        node.parts.database.write("DELETE FROM addresses")
    await bob.parts.peers.drop(anna.identity)
    await bob.until(lambda: not bob.connected_to(anna))
    await anna.until(lambda: not anna.connected_to(bob))


async def test_a_photo_goes_over_the_wide_area(couple: Couple, tmp_path: Path) -> None:
    anna, bob = couple.anna, couple.bob
    await apart(couple)
    await bob.engine.reach("Anna", str(couple.annas_address))
    assert paths(bob) == ["direct"]
    await anna.until(lambda: paths(anna) == ["direct"])
    photo = tmp_path / "beach.jpg"
    photo.write_bytes(secrets.token_bytes(3_000_000))
    item = await anna.share_one(photo, "Bob")
    assert item.state == "delivered"


@pytest.mark.usefixtures("slow_dials")
async def test_a_dead_first_address_does_not_delay_the_second(couple: Couple) -> None:
    bob = couple.bob
    await apart(couple)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        peer = PEER_ID_PREFIX + secrets.token_bytes(32)
        dead = multiaddr("127.0.0.1", silent.getsockname()[1], peer)
        assert await bob.parts.peers.call([dead, couple.annas_address])
        # Its call had not even failed when the other one answered.
        assert bob.parts.peers.last_try([dead]) is None
    assert paths(bob) == ["direct"]


@contextlib.asynccontextmanager
async def between(target: Multiaddr) -> AsyncGenerator[Multiaddr]:
    """An address where somebody passes on every byte to another one, by keys of her own."""
    passing: list[asyncio.Task[None]] = []

    async def carry(source: Pipe, drain: Pipe) -> None:
        while data := await source.read():
            await drain.write(data)
        await drain.close()

    async def take(pipe: Pipe) -> None:
        onward = await mallory.dial(target)
        passing.extend(asyncio.create_task(carry(*way)) for way in ((pipe, onward), (onward, pipe)))

    mallory = WideArea(secrets.token_bytes(32), take)
    await mallory.start(0)
    try:
        yield multiaddr("127.0.0.1", mallory.port, mallory.peer)
        await asyncio.wait(passing)
    finally:
        await mallory.close()


async def test_somebody_between_two_connections_is_refused(couple: Couple) -> None:
    """Mallory, known to both by keys of her own."""
    anna, bob = couple.anna, couple.bob
    await apart(couple)
    async with between(couple.annas_address) as address:
        with pytest.raises(WrongTransportError):
            await bob.engine.reach("Anna", str(address))
    assert not bob.connected_to(anna)
    assert not anna.connected_to(bob)
    counters = anna.engine.events.counters.refusals
    assert counters["caller", "wrong-transport"] == 1


async def test_a_crowd_of_the_wide_area_does_not_keep_the_local_network_waiting(
    couple: Couple, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "STRANGERS", 2)
    anna, bob = couple.anna, couple.bob
    await apart(couple)
    async with stranger() as crowd:
        connection = await crowd.run(crowd.connect, couple.annas_address)
        for _ in range(2):
            await crowd.run(crowd.open, connection)
        await anna.until(lambda: anna.parts.peers.greeting == 2)
        await bob.engine.reach("Anna", anna.address)
    assert paths(bob) == ["lan"]


async def test_an_address_without_a_way_is_refused_with_the_reason(couple: Couple) -> None:
    bob, address = couple.bob, couple.annas_address
    nobody = multiaddr("127.0.0.1", address.endpoint.port, PEER_ID_PREFIX + bytes(32))
    for way in (nobody, nobody.onward_to(address.peer)):
        with pytest.raises(UnreachableError):
            await bob.engine.reach("Anna", str(way))
    await couple.anna.parts.wide.close()
    with pytest.raises(WideAreaOffError):
        await couple.anna.engine.reach("Bob", str(address))


async def test_a_ticket_of_the_wide_area_alone_makes_a_contact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_: int) -> list[Address]:
        return []

    monkeypatch.setattr(tickets, "places_to_dial", nowhere)
    anna, bob = make(tmp_path, "Anna"), make(tmp_path, "Bob")
    for node in (anna, bob):
        await node.start()
    # Neither waits until the wide area is on: the ticket does, and the call.
    made = await anna.engine.new_ticket(seconds=60, uses=1, name=None, at=[])
    assert made.addresses == anna.engine.status().wide_addresses
    await bob.engine.join_pairing(made.text or "", None, None)
    await bob.until(lambda: paths(bob) == ["direct"])
    await anna.until(lambda: paths(anna) == ["direct"])
    for node in (anna, bob):
        await node.stop()


async def test_who_answers_with_another_key_gets_no_ticket(tmp_path: Path) -> None:
    """Mallory, at an address of her own, passes on every byte of a pairing by ticket."""
    anna, bob = make(tmp_path, "Anna"), make(tmp_path, "Bob")
    for node in (anna, bob):
        await node.start()
        await node.until(lambda node=node: node.engine.status().wide == "on")
    async with between(loopback(anna)) as address:
        made = await anna.engine.new_ticket(seconds=60, uses=1, name=None, at=[])
        with pytest.raises(WrongTransportError):
            await bob.engine.join_pairing(made.text or "", str(address), None)
    assert anna.engine.tickets.list()[0].used == 0
    assert not bob.engine.contacts()
    for node in (anna, bob):
        await node.stop()


async def test_key_and_port_stay_over_a_restart(tmp_path: Path) -> None:
    anna = make(tmp_path, "Anna")
    await anna.start()
    await anna.until(lambda: anna.engine.status().wide == "on")
    addresses = anna.engine.status().wide_addresses
    await anna.restart()
    await anna.until(lambda: anna.engine.status().wide == "on")
    assert anna.engine.status().wide_addresses == addresses
    assert loopback(anna).peer[len(PEER_ID_PREFIX) :] != anna.identity
    await anna.stop()


async def test_a_taken_port_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as taken:
        anna = make(tmp_path, "Anna", f"on = true\nport = {taken.getsockname()[1]}")
        await anna.start()
        await anna.until(lambda: anna.engine.status().wide == "failed")
        status = anna.engine.status()
        assert "in use" in (status.wide_reason or "")
        assert status.wide_addresses == []
        assert status.port
        await anna.stop()
