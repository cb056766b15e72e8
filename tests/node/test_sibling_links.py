"""Links between devices of one person: whole nodes over pipes that are queues."""

from __future__ import annotations

from pathlib import Path

import pytest
from kinlight.node.addresses import Address
from kinlight.node.environment import Environment

from .conftest import Start, Ways
from .network import Network
from .nodes import NOW, Clock, TestedNode
from .siblings import are_linked, sibling_of


@pytest.fixture
def environment(network: Network, clock: Clock, ways: Ways) -> Environment:
    assert not network.pipes
    return Environment(clock, ways.dial, ways.listen)


async def test_two_devices_of_one_person_link_and_are_no_contacts_of_each_other(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await sibling_of(laptop, tmp_path / "phone", environment)
    await laptop.until(lambda: are_linked(laptop, phone) and are_linked(phone, laptop))
    assert laptop.parts.library.contacts() == phone.parts.library.contacts() == []
    assert laptop.parts.peers.connections() == []
    await phone.stop()
    await laptop.until(lambda: not laptop.parts.peers.siblings())


async def test_a_third_device_is_told_of_by_one_and_links_with_both(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await sibling_of(laptop, tmp_path / "phone", environment)
    tablet = await sibling_of(laptop, tmp_path / "tablet", environment)
    await tablet.until(lambda: are_linked(tablet, laptop))
    await phone.until(lambda: len(phone.parts.roster.devices()) == 3)
    place = Address("127.0.0.1", phone.parts.listener.port)
    tablet.parts.whereabouts.reached(phone.parts.device.chain.device, place, NOW)
    tablet.parts.peers.nudge()
    await tablet.until(lambda: are_linked(tablet, phone))
    for node in (phone, tablet):
        await node.stop()


async def test_the_same_identity_without_the_secret_is_a_stranger(
    start: Start, environment: Environment, tmp_path: Path
) -> None:
    laptop = await start("Laptop")
    phone = await sibling_of(laptop, tmp_path / "phone", environment)
    other = TestedNode(tmp_path / "other", "Other", environment, laptop.words)
    await other.start()
    other.parts.roster.make_secret(lambda count: bytes(count))
    other.parts.roster.put(laptop.parts.roster.devices())
    place = Address("127.0.0.1", laptop.parts.listener.port)
    with laptop.engine.events.listen({"caller-refused"}) as news:
        assert await other.parts.peers.call([place]) is False
        assert (await news.get()).data == {"code": "unknown-peer"}
    for node in (phone, other):
        await node.stop()
