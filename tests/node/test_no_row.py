"""A photo came and was verified, and then no row of the library came to name it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kinlight.node import gathering, inbox
from kinlight.node.errors import DiskFullError
from kinlight.node.library import IncomingOffer
from kinlight.node.storing import Storing
from kinlight.protocol.messages import Delivered, Message, Piece

from .conftest import Attacked
from .forging import Forgery
from .nodes import PATIENCE, eventually, random_bytes

CONTENT = random_bytes("no row", 900_000)
Before = Callable[[IncomingOffer], Awaitable[None]]


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> Callable[[Before], None]:
    """Says what comes before the first row."""

    def say(before: Before) -> None:
        enter, times = Storing._enter, iter([before])

        async def entered(into: Storing, offer: IncomingOffer, *more: Any) -> None:
            for each in times:
                await each(offer)
            await enter(into, offer, *more)

        monkeypatch.setattr(Storing, "_enter", entered)

    monkeypatch.setattr(inbox, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(gathering, "HURRY_SECONDS", PATIENCE)  # nothing is asked for twice
    return say


class Served:
    """A photo that is served properly; `pieces` of the original were sent."""

    def __init__(self, attacked: Attacked) -> None:
        self.forgery = Forgery.by(attacked.mallory)
        self.forgery.content = CONTENT
        self.pieces: list[int] = []
        self._properly = self.forgery.properly()

    def react(self, message: Message) -> list[Message]:
        answer = self._properly(message)
        self.pieces += [
            said.index for said in answer if isinstance(said, Piece) and len(said.data) > 10_000
        ]
        return answer


@pytest.fixture
def served(attacked: Attacked) -> Served:
    return Served(attacked)


async def test_a_disk_too_full_for_the_row_costs_no_second_fetch(
    attacked: Attacked, first: Callable[[Before], None], served: Served
) -> None:
    async def full(_: IncomingOffer) -> None:
        raise DiskFullError

    first(full)
    async with attacked.mallory.connected() as talk:
        talk.react = served.react
        await talk.say(served.forgery.offer())
        await talk.wait_for(Delivered)
    assert served.pieces == [0, 1, 2, 3]
    assert all(path.parent.name != "incoming" for path in attacked.bob.blob_files())


async def test_what_came_by_an_offer_that_is_declined_at_the_end_is_kept_for_another(
    attacked: Attacked, first: Callable[[Before], None], served: Served
) -> None:
    declined: list[bytes] = []

    async def decline(offer: IncomingOffer) -> None:
        await eventually(lambda: len(attacked.bob.engine.inbox()) == 2)
        attacked.bob.parts.inbox.decide(offer, accept=False)
        declined.append(offer.envelope_hash)

    first(decline)
    offers = [served.forgery.offer(), served.forgery.offer()]
    async with attacked.mallory.connected() as talk:
        talk.react = served.react
        for offer in offers:
            await talk.say(offer)
        stored = await talk.wait_for(Delivered)
    assert {*declined, stored.envelope_hash} == {
        hashlib.sha256(offer.envelope).digest() for offer in offers
    }
    assert sorted(served.pieces) == [0, 1, 2, 3]


async def test_nothing_stays_of_what_is_declined_at_the_end(
    attacked: Attacked, first: Callable[[Before], None], served: Served
) -> None:
    async def decline(offer: IncomingOffer) -> None:
        attacked.bob.parts.inbox.decide(offer, accept=False)

    first(decline)
    async with attacked.mallory.connected() as talk:
        talk.react = served.react
        await talk.say(served.forgery.offer())
        await attacked.bob.until(
            lambda: attacked.bob.inbox_state(served.forgery.photo_id.hex()) == "declined"
        )
        await eventually(lambda: not attacked.bob.blob_files())
