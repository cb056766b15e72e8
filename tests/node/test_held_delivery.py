"""Photos for who is away are held by a contact of both, and come once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.node.depositing import AWAY_SECONDS

from .conftest import Picture, Start
from .network import Network
from .nodes import Clock, TestedNode

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Family:
    """Anna shares with Bob, who is often away; Carol holds. All are paired, all take what comes."""

    anna: TestedNode
    bob: TestedNode
    carol: TestedNode
    clock: Clock

    async def leave(self, path: Path, *, until: int | None = None) -> str:
        """Anna shares a photo while Bob is away; it is held when this returns."""
        item = await self.anna.share_one(path, "Bob", until=until, wait=False)
        photo = item.photo_id or ""
        self.clock.time += AWAY_SECONDS
        self.anna.parts.depositing.tell()
        await self.anna.until(lambda: self.anna.delivery_state(photo) == "held")
        return photo


@pytest.fixture
async def family(network: Network, start: Start, clock: Clock) -> Family:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    people = (anna, bob, carol)
    for one, other in ((anna, bob), (anna, carol), (bob, carol)):
        await one.pair_with(other)
    for one in people:
        for other in people:
            if other is not one:
                await one.engine.update_contact(other.name, accept="always")
    await hold(carol)
    await bob.until(lambda: bob.engine.contact("Carol").holder == "offered")
    await bob.engine.update_contact("Carol", holder=True)
    await anna.until(lambda: anna.parts.mailboxes.of(bob.identity) is not None)
    await carol.until(lambda: carol.parts.mailboxes.of(bob.identity) is not None)
    return Family(anna, bob, carol, clock)


async def hold(node: TestedNode) -> None:
    raise NotImplementedError


async def wake(sleeper: TestedNode, *others: TestedNode) -> None:
    """It starts again, and meets those others alone."""
    await sleeper.start()
    await sleeper.until(lambda: all(sleeper.connected_to(other) for other in others))


async def test_a_photo_for_who_is_away_is_held_and_delivered_while_its_sender_is_away(
    family: Family, picture: Picture
) -> None:
    path = picture(600_000)
    await family.bob.stop()
    photo = await family.leave(path)
    (delivery,) = family.anna.engine.photo(photo).deliveries
    assert (delivery.state, delivery.held_by) == ("held", ["Carol"])
    await family.anna.stop()

    await wake(family.bob, family.carol)
    await family.bob.until(lambda: family.bob.inbox_state(photo) == "stored")
    assert family.bob.engine.photo(photo).sha256 == family.anna_sha256(path)
