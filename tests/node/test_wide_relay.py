from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from kinlight.node import p2p_punch, p2p_relay
from kinlight.node.errors import UnreachableError
from kinlight.node.multiaddrs import Multiaddr
from kinlight.node.p2p_host import Host
from kinlight.node.p2p_punch import DCUTR
from kinlight.node.p2p_relay import CIRCUITS_PER_CONTACT, HOP
from kinlight.node.p2p_stream import Stream
from kinlight.node.rendezvous import Rendezvous
from kinlight.protocol import limits
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, PeerId, Status
from libp2p.relay.circuit_v2.pb.dcutr_pb2 import HolePunch
from libp2p.relay.circuit_v2.utils import read_delimited_msg, write_delimited_msg

from .nodes import TestedNode, eventually
from .strangers import Stranger, slow_dials, stranger
from .test_wide import loopback, make, meet, paths

__all__ = ["slow_dials"]


@dataclass
class Three:
    """Anna and Bob, who met through Fred, a contact of both who relays."""

    anna: TestedNode
    bob: TestedNode
    fred: TestedNode

    def annas_address(self) -> str | None:
        """Through Fred, once she can be reached so."""
        shown = map(Multiaddr.parse, self.anna.engine.status().wide_addresses)
        return next((str(each) for each in shown if each.via is not None), None)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told by a friend where the other one is: a direct way has to be found."""

    async def alone(*_: object) -> None:
        pass

    monkeypatch.setattr(Rendezvous, "attend", alone)


@pytest.fixture
def apart(silent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is relayed looks for no better way, and is told of none."""
    assert silent is None
    monkeypatch.setattr(p2p_punch, "PAUSES", ())


@pytest.fixture
async def three(tmp_path: Path, apart: None) -> AsyncGenerator[Three]:
    assert apart is None
    async with who_met(tmp_path) as met:
        yield met


@contextlib.asynccontextmanager
async def who_met(tmp_path: Path) -> AsyncGenerator[Three]:
    anna, bob = make(tmp_path, "Anna"), make(tmp_path, "Bob")
    fred = make(tmp_path, "Fred", "on = true\nrelay = true")
    for node in (anna, bob, fred):
        await node.start()
    for node in (anna, bob, fred):
        await node.until(lambda node=node: node.engine.status().wide == "on")
    for node in (anna, bob):
        await meet(fred, node, str(loopback(fred)))
    met = Three(anna, bob, fred)
    await anna.until(lambda: met.annas_address() is not None)
    await meet(anna, bob, met.annas_address() or "")
    await bob.engine.update_contact("Anna", accept="always")
    yield met
    for node in (anna, bob, fred):
        await node.stop()


def shown(node: TestedNode) -> list[str]:
    return list(node.engine.status().wide_addresses)


def to_anna(node: TestedNode) -> str | None:
    """The path by which a node is connected with Anna."""
    connections = node.engine.status().connections
    return next((each.path for each in connections if each.contact == "Anna"), None)


async def test_two_share_through_a_third_who_relays(three: Three, tmp_path: Path) -> None:
    anna, bob = three.anna, three.bob
    assert to_anna(bob) == "relay"
    await anna.until(lambda: "relay" in paths(anna))
    assert sorted(paths(three.fred)) == ["direct", "direct"]
    photo = tmp_path / "beach.jpg"
    photo.write_bytes(secrets.token_bytes(5_000_000))
    assert (await anna.share_one(photo, "Bob")).state == "delivered"


async def test_a_relay_that_cuts_circuits_loses_no_photo(
    three: Three, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p2p_relay, "CIRCUIT_BYTES", 4_000_000)
    anna, bob = three.anna, three.bob
    photo = tmp_path / "beach.jpg"
    photo.write_bytes(secrets.token_bytes(9_000_000))
    assert (await anna.share_one(photo, "Bob")).state == "delivered"
    assert bob.engine.events.counters.bytes_received < 14_000_000  # it went on where it was
    await bob.until(lambda: to_anna(bob) == "relay")


async def test_both_find_their_way_again_when_the_relay_was_away(three: Three) -> None:
    anna, bob, fred = three.anna, three.bob, three.fred
    await fred.stop()
    await bob.until(lambda: not paths(bob))
    await fred.start()
    await bob.until(lambda: to_anna(bob) == "relay")
    await anna.until(lambda: "relay" in paths(anna))


async def test_with_no_reservation_the_way_is_closed(three: Three) -> None:
    """Anna has no link with Fred any more, and so no place there."""
    await three.anna.until(lambda: three.annas_address() is not None)
    address = three.annas_address()
    assert address is not None
    await three.anna.stop()
    with pytest.raises(UnreachableError):
        await three.bob.engine.reach("Anna", address)


async def asked(other: Stranger, relay: Multiaddr, **message: Any) -> int:
    """What a relay says to somebody who has no link with it."""

    async def ask() -> int:
        stream = await other.open(await other.connect(relay), HOP)
        await write_delimited_msg(stream, HopMessage(**message))
        with trio.fail_after(20):
            return (await read_delimited_msg(stream, HopMessage)).status

    return await other.run(ask)


@pytest.mark.usefixtures("silent")
async def test_who_can_reach_each_other_go_over_to_a_direct_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p2p_punch, "PAUSES", (0.5,) * 100)
    async with who_met(tmp_path) as met:
        await met.bob.until(lambda: to_anna(met.bob) == "direct")
        await met.anna.until(lambda: paths(met.anna) == ["direct", "direct"])
        await met.bob.until(lambda: paths(met.bob) == ["direct", "direct"])
        before = (await met.fred.engine.wide()).bytes_relayed
        photo = tmp_path / "beach.jpg"
        photo.write_bytes(secrets.token_bytes(3_000_000))
        assert (await met.anna.share_one(photo, "Bob")).state == "delivered"
        assert (await met.fred.engine.wide()).bytes_relayed - before < 1_000_000


@pytest.mark.usefixtures("silent")
async def test_a_transfer_goes_on_when_the_way_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay passes on four megabytes and no more; the direct way is taken up only then."""
    passed = 0
    found, full, over = threading.Event(), threading.Event(), threading.Event()
    relays: list[object] = []

    class Stalling(Stream):
        async def write(self, data: bytes) -> None:
            nonlocal passed
            if trio.lowlevel.current_trio_token() in relays:
                passed += len(data)
                if passed > 4_000_000:
                    full.set()
                    while not over.is_set():  # noqa: ASYNC110 - it is another loop's
                        await trio.sleep(0.01)
            await super().write(data)

    better: Any = Host._better  # pyright: ignore[reportPrivateUsage]

    async def later(host: Host, peer: bytes) -> None:
        found.set()
        while not full.is_set():  # noqa: ASYNC110
            await trio.sleep(0.01)
        await better(host, peer)

    monkeypatch.setattr(p2p_punch, "PAUSES", (0.5,) * 100)
    monkeypatch.setattr(p2p_relay, "Stream", Stalling)
    monkeypatch.setattr(Host, "_better", later)
    async with who_met(tmp_path) as met:
        relays.append(met.fred.parts.wide._area._bridge._token)  # pyright: ignore
        photo = tmp_path / "beach.jpg"
        photo.write_bytes(secrets.token_bytes(20_000_000))
        await eventually(found.is_set)
        item = await met.anna.share_one(photo, "Bob")  # it may not wait for so long
        sent = item.photo_id or ""
        await met.anna.until(lambda: met.anna.delivery_state(sent) == "delivered")
        assert full.is_set()
        assert to_anna(met.bob) == "direct"
        assert met.bob.engine.events.counters.bytes_received < 26_000_000  # not from the start
        over.set()


async def test_strangers_are_told_no_addresses(three: Three) -> None:
    address = loopback(three.anna)
    async with stranger() as other:

        async def ask() -> None:
            stream = await other.open(await other.connect(address), DCUTR)
            await write_delimited_msg(stream, HolePunch(type=HolePunch.CONNECT))
            with trio.fail_after(20):
                await read_delimited_msg(stream, HolePunch)

        with pytest.raises(Exception, match=r".*"):  # whatever libp2p says to it
            await other.run(ask)


@pytest.mark.usefixtures("apart")
async def test_who_begins_to_relay_is_asked_by_those_who_are_connected(
    tmp_path: Path,
) -> None:
    anna, bob, fred = (make(tmp_path, name, "on = true") for name in ("Anna", "Bob", "Fred"))
    for node in (anna, bob, fred):
        await node.start()
        await node.until(lambda node=node: node.engine.status().wide == "on")
    for node in (anna, bob):
        await meet(fred, node, str(loopback(fred)))
    met = Three(anna, bob, fred)
    found = await fred.engine.wide()
    assert (found.state, found.relaying, found.reachable) == ("on", False, [])
    address = fred.engine.status().wide_addresses

    found = await fred.engine.set_wide(on=None, relay=True)
    assert (found.state, found.relaying, found.addresses) == ("on", True, address)
    await anna.until(lambda: met.annas_address() is not None)
    # The relay serves who is connected with it, and Bob was not for a moment.
    await bob.until(
        lambda: any("p2p-circuit" in each for each in bob.engine.status().wide_addresses)
    )
    await meet(anna, bob, met.annas_address() or "")
    await bob.engine.update_contact("Anna", accept="always")
    photo = tmp_path / "beach.jpg"
    photo.write_bytes(secrets.token_bytes(200_000))
    assert (await anna.share_one(photo, "Bob")).state == "delivered"
    found = await fred.engine.wide()
    assert "Anna" in found.reachable
    assert found.circuits == 1
    assert found.bytes_relayed > 200_000

    # It says so after a restart as well, until it is turned off.
    await fred.restart()
    await fred.until(lambda: fred.engine.status().wide == "on")
    assert (await fred.engine.wide()).relaying
    found = await fred.engine.set_wide(on=None, relay=False)
    assert (found.state, found.relaying, found.reachable) == ("on", False, [])
    await anna.until(lambda: met.annas_address() is None)
    assert (await fred.engine.set_wide(on=False, relay=None)).addresses == []
    await anna.until(lambda: not anna.connected_to(fred))
    for node in (anna, bob, fred):
        await node.stop()


async def test_strangers_are_not_relayed(three: Three) -> None:
    relay, anna = loopback(three.fred), loopback(three.anna)
    async with stranger() as other:
        assert await asked(other, relay, type=HopMessage.RESERVE) == Status.PERMISSION_DENIED
        target = PeerId(id=anna.peer)
        answer = await asked(other, relay, type=HopMessage.CONNECT, peer=target)
        assert answer == Status.PERMISSION_DENIED


async def test_who_does_not_relay_speaks_no_such_protocol(three: Three) -> None:
    async with stranger() as other:
        with pytest.raises(Exception, match=r"rotocol|multiselect"):
            await asked(other, loopback(three.anna), type=HopMessage.RESERVE)


@pytest.mark.usefixtures("slow_dials")
async def test_one_contact_has_so_many_circuits_and_no_more(three: Three) -> None:
    await three.anna.until(lambda: three.annas_address() is not None)
    host: Any = three.bob.parts.wide._area._host  # pyright: ignore
    bridge: Any = three.bob.parts.wide._area._bridge  # pyright: ignore
    fred, anna = loopback(three.fred).peer, loopback(three.anna).peer
    circuits: list[Any] = []

    async def ask_for_too_many() -> None:
        while len(circuits) <= CIRCUITS_PER_CONTACT:
            circuits.append(await bridge.call(host._relay.circuit, fred, anna))

    with pytest.raises(OSError, match="RESOURCE_LIMIT_EXCEEDED"):
        await ask_for_too_many()  # they are connected by one already
    assert 0 < len(circuits) < CIRCUITS_PER_CONTACT
    # Who is asked for is not kept from others by it.
    await three.bob.until(lambda: any("p2p-circuit" in each for each in shown(three.bob)))
    annas: Any = three.anna.parts.wide._area  # pyright: ignore
    bobs = loopback(three.bob).peer
    onward = await annas._bridge.call(annas._host._relay.circuit, fred, bobs)
    await annas._bridge.call(onward.close)
    for circuit in circuits:
        await bridge.call(circuit.close)
    async with asyncio.timeout(30):
        while True:
            try:
                await bridge.call((await bridge.call(host._relay.circuit, fred, anna)).close)
                break
            except OSError:
                await asyncio.sleep(0.1)


async def test_circuits_are_counted_by_contact_and_not_by_transport_key(three: Three) -> None:
    """A contact may have eight devices, and as many keys."""
    area: Any = three.fred.parts.wide._area  # pyright: ignore
    owners = area._host._relay._owners
    assert owners[loopback(three.bob).peer] == three.bob.identity
    assert owners[loopback(three.anna).peer] == three.anna.identity


@pytest.mark.usefixtures("slow_dials")
async def test_the_circuits_of_a_contact_end_when_it_is_blocked(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it holds its connection open by hellos that go on and on."""
    monkeypatch.setattr(limits, "OPENING_SECONDS", 600.0)
    anna, bob, fred = three.anna, three.bob, three.fred
    area: Any = bob.parts.wide._area  # pyright: ignore
    hello = await area.dial(loopback(fred))
    await fred.until(lambda: fred.parts.peers.greeting == 1)
    await fred.engine.update_contact("Bob", blocked=True)
    await anna.until(lambda: not anna.connected_to(bob))
    assert fred.parts.peers.greeting == 1
    await hello.close()
