"""Three devices of one person and two of another that are on and off as it happens: in the end all
devices of each have the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kinlight.node.addresses import Address
from kinlight.node.environment import Environment

from .conftest import Start, Ways
from .network import Network
from .nodes import NOW, PATIENCE, Clock, TestedNode, random_bytes
from .siblings import sibling_of


@dataclass(slots=True)
class World:
    """Anna's three devices and Bob's two."""

    anna: list[TestedNode]
    bob: list[TestedNode]
    clock: Clock
    folder: Path
    off: list[TestedNode] = field(default_factory=list[TestedNode])
    made: int = 0

    def all(self) -> list[TestedNode]:
        return [*self.anna, *self.bob]

    def is_on(self, node: TestedNode) -> bool:
        return node not in self.off

    def meet(self) -> None:
        """Everybody who is on knows where the others are, as by discovery."""
        on = [node for node in self.all() if self.is_on(node)]
        for node in on:
            for other in on:
                if other is not node:
                    parts = node.parts
                    same = other.identity == node.identity
                    key = other.parts.device.chain.device if same else other.identity
                    place = Address("127.0.0.1", other.parts.listener.port)
                    parts.whereabouts.reached(key, place, self.clock())
            node.parts.peers.forget_refusals()
            node.parts.peers.nudge()


@pytest.fixture
async def world(
    start: Start, network: Network, clock: Clock, ways: Ways, tmp_path: Path
) -> AsyncGenerator[World]:
    assert not network.pipes
    environment = Environment(clock, ways.dial, ways.listen)
    anna, bob = await start("Anna"), await start("Bob")
    await anna.pair_with(bob)
    for node, name in ((anna, "Bob"), (bob, "Anna")):
        await node.engine.update_contact(name, accept="always")
    others = [await sibling_of(anna, tmp_path / name, environment) for name in ("phone", "tablet")]
    bobs = await sibling_of(bob, tmp_path / "bobs", environment)
    world = World([anna, *others], [bob, bobs], clock, tmp_path)
    yield world
    for node in (*others, bobs):
        await node.stop()


def state(node: TestedNode) -> object:
    """What a person sees of it, but for what each device has for itself."""
    parts = node.parts
    contacts = [
        (each.identity, each.name, each.pair_secret.reveal(), each.muted, each.accept)
        for each in parts.library.contacts()
    ]
    photos = sorted(row[0] for row in parts.database.rows("SELECT photo_id FROM photos"))
    tags = parts.database.rows("SELECT photo_id, tag FROM tags ORDER BY photo_id, tag")
    albums = parts.database.rows(
        "SELECT photo_id, name FROM album_photos JOIN albums USING (album_id)"
        " ORDER BY photo_id, name"
    )
    return contacts, photos, [tuple(row) for row in tags], [tuple(row) for row in albums]


async def agree(nodes: list[TestedNode]) -> None:
    """Wait until all have the same; else show what differs."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not all(shown(node) == shown(nodes[0]) for node in nodes):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    for node in nodes:
        assert shown(node) == shown(nodes[0])


def shown(node: TestedNode) -> object:
    return state(node), node.parts.sibling_parts.siblings.book.ledger.vector


async def live(world: World, chance: random.Random, steps: int) -> None:
    """What two people do on five devices."""
    for _ in range(steps):
        world.clock.time += chance.randrange(40)
        node = chance.choice(world.all())
        if chance.random() < 0.4:
            if world.is_on(node):
                world.off.append(node)
                await node.stop()
            else:
                await node.start()
                world.off.remove(node)
            world.meet()
            continue
        if not world.is_on(node):
            continue
        await act(world, node, chance)


async def act(world: World, node: TestedNode, chance: random.Random) -> None:
    photos = [row[0].hex() for row in node.parts.database.rows("SELECT photo_id FROM photos")]
    contacts = [each.name for each in node.parts.library.contacts()]
    what = chance.choice(["import", "tag", "untag", "remove", "rename", "share", "album"])
    if what == "import" or not photos:
        world.made += 1
        path = world.folder / f"{world.made}.jpg"
        path.write_bytes(random_bytes(path.name, 3000))
        async for _ in node.engine.collection.import_photos([path], album=None, albums=True):
            pass
    elif what in ("tag", "untag"):
        word = chance.choice(["sea", "sun", "Sun"])
        given = {"add": [word], "remove": []} if what == "tag" else {"add": [], "remove": [word]}
        node.engine.tag([chance.choice(photos)], **given, sensitivity=None)
    elif what == "album":
        node.parts.catalogue.put_into("A", [bytes.fromhex(chance.choice(photos))], NOW)
    elif what == "remove":
        await node.engine.remove(chance.choice(photos), force=True)
    elif contacts and what == "rename":
        await node.engine.update_contact(contacts[0], rename=chance.choice(["Ann", "Zoe", "Mia"]))
    elif contacts:
        world.made += 1
        path = world.folder / f"{world.made}.jpg"
        path.write_bytes(random_bytes(path.name, 3000))
        await node.share(path, to=contacts[0], wait=False)


@pytest.mark.parametrize("seed", [1, 2])
async def test_devices_that_are_on_and_off_as_it_happens_have_the_same_in_the_end(
    world: World, seed: int
) -> None:
    chance = random.Random(seed)
    await live(world, chance, 40)
    for node in world.off:
        await node.start()
    world.off.clear()
    world.meet()
    await agree(world.anna)
    await agree(world.bob)
