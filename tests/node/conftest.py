from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from kinlight.node import tcp
from kinlight.node.environment import Environment
from kinlight.node.mallory import Mallory
from kinlight.node.pipes import Dial, Listen

from .holders import Household, friend_of
from .network import Network
from .nodes import Clock, TestedNode, random_bytes
from .siblings import Pair, are_linked, sibling_of
from .three import Three

settings.register_profile(
    "node",
    max_examples=100,
    deadline=None,  # a busy machine must not fail a test
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("node")

Start = Callable[[str], Awaitable[TestedNode]]
Picture = Callable[..., Path]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass(slots=True)
class Ways:
    """How nodes reach each other in this test."""

    dial: Dial = tcp.dial
    listen: Listen = tcp.TcpListener


@pytest.fixture
def ways() -> Ways:
    return Ways()


@pytest.fixture
async def start(tmp_path: Path, clock: Clock, ways: Ways) -> AsyncGenerator[Start]:
    """Starts nodes by name; all of them end with the test."""
    started: list[TestedNode] = []

    async def one(name: str) -> TestedNode:
        environment = Environment(clock, ways.dial, ways.listen)
        node = TestedNode(tmp_path / "homes" / name.lower(), name, environment)
        started.append(node)
        await node.start()
        return node

    yield one
    for node in started:
        await node.stop()


@dataclass(frozen=True, slots=True)
class Two:
    """Anna and Bob, paired and connected."""

    anna: TestedNode
    bob: TestedNode


async def _paired(start: Start) -> Two:
    anna, bob = await start("Anna"), await start("Bob")
    await anna.pair_with(bob)
    return Two(anna, bob)


@pytest.fixture
async def two(start: Start) -> Two:
    """Over TCP on loopback."""
    return await _paired(start)


@pytest.fixture
async def network(ways: Ways) -> AsyncGenerator[Network]:
    """All nodes of the test are joined by queues: there is no socket at all."""
    network = Network()
    ways.dial, ways.listen = network.dial, network.listener
    yield network
    await network.close()


@pytest.fixture
async def joined(network: Network, start: Start) -> Two:
    """Over pipes that are queues; see `network`."""
    assert not network.pipes
    return await _paired(start)


@pytest.fixture
async def three(network: Network, start: Start) -> Three:
    """Over pipes that are queues; all take what comes."""
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    await anna.pair_with(bob)
    await bob.pair_with(carol)
    for node, sender in ((bob, "Anna"), (bob, "Carol"), (anna, "Bob"), (carol, "Bob")):
        await node.engine.update_contact(sender, accept="always")
    return Three(anna, bob, carol)


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    """Makes files of so many bytes, each one different."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    numbers = itertools.count(1)

    def make(name: str | None = None, length: int = 3000) -> Path:
        number = next(numbers)
        path = folder / (name or f"{number}.jpg")
        path.write_bytes(random_bytes(f"picture {number}", length))
        return path

    return make


@dataclass(frozen=True, slots=True)
class Attacked:
    """Bob, and Mallory who is his contact and whose photos he takes without asking."""

    bob: TestedNode
    mallory: Mallory


@pytest.fixture
async def attacked(start: Start) -> Attacked:
    bob = await start("Bob")
    mallory = Mallory(bob.parts.listener.port)
    await bob.befriend(mallory)
    return Attacked(bob, mallory)


@pytest.fixture
async def household(start: Start) -> Household:
    holder = await start("Holder")
    sender, other, owner = [await friend_of(holder, name) for name in ("Sender", "Other", "Owner")]
    holder.engine.hold.turn_on([])
    return Household(holder, sender, other, owner)


@pytest.fixture
async def pair(
    network: Network, start: Start, clock: Clock, ways: Ways, tmp_path: Path
) -> AsyncGenerator[Pair]:
    """Over pipes that are queues; see `siblings.Pair`."""
    assert not network.pipes
    laptop, bob = await start("Anna"), await start("Bob")
    await laptop.pair_with(bob)
    environment = Environment(clock, ways.dial, ways.listen)
    phone = await sibling_of(laptop, tmp_path / "phone", environment)
    await laptop.until(lambda: are_linked(laptop, phone) and are_linked(phone, laptop))
    yield Pair(laptop, phone, bob)
    await phone.stop()
