"""A holder that a person chose, and that lies. What it says counts for nothing but that it lies."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from kinlight.crypto.errors import SealBrokenError
from kinlight.node.mallory import Conversation, Mallory
from kinlight.protocol.errors import (
    DeniedError,
    ExpiredGrantError,
    GoneError,
    PeerError,
    RevokedGrantError,
    TooMuchError,
    wire_code,
)
from kinlight.protocol.messages import (
    Collect,
    FetchHeld,
    FetchRefused,
    HeldEnd,
    HeldItem,
    Holding,
    Message,
)

from .conftest import Picture, Start
from .nodes import TestedNode


@dataclass
class Lent:
    """Anna sealed a photo for Bob, who lets Mallory hold what is for him. Anna sleeps."""

    anna: TestedNode
    bob: TestedNode
    mallory: Mallory
    photo: str
    envelope: bytes

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.envelope).digest()

    @asynccontextmanager
    async def held(
        self, more: Callable[[Message], list[Message]] = lambda _: []
    ) -> AsyncGenerator[Conversation]:
        """A link on which Mallory shows the envelope to who asks, and answers the rest as told."""

        def react(message: Message) -> list[Message]:
            if isinstance(message, Collect):
                shown = [HeldItem(1, self.envelope)] if message.after < 1 else []
                return [*shown, HeldEnd(1, more=False)]
            return more(message)

        self.mallory.call_at(self.bob.parts.listener.port)
        async with self.mallory.connected() as conversation:
            conversation.react = react
            yield conversation


async def lent_by(anna: TestedNode, bob: TestedNode, picture: Picture) -> Lent:
    await anna.pair_with(bob)
    await bob.engine.update_contact("Anna", accept="always")
    mallory = Mallory(bob.parts.listener.port)
    await bob.befriend(mallory)
    async with mallory.connected() as conversation:
        await conversation.say(Holding(10**9, 10**6, backup=False))
        await bob.until(lambda: bob.engine.contact("Mallory").holder == "offered")
        await bob.engine.update_contact("Mallory", holder=True)
    await bob.stop()
    photo = (await anna.share_one(picture(), "Bob", wait=False)).photo_id or ""
    (delivery,) = anna.parts.library.deliveries(bytes.fromhex(photo))
    await anna.stop()
    await bob.start()
    return Lent(anna, bob, mallory, photo, delivery.envelope)


@pytest.fixture
async def lent(start: Start, picture: Picture) -> Lent:
    return await lent_by(await start("Anna"), await start("Bob"), picture)


@pytest.mark.parametrize(
    "lie",
    [DeniedError, RevokedGrantError, ExpiredGrantError, SealBrokenError, GoneError, TooMuchError],
)
async def test_no_refusal_of_a_holder_ends_what_its_sender_still_gives(
    lent: Lent, lie: type[PeerError]
) -> None:
    def refuse(message: Message) -> list[Message]:
        if isinstance(message, FetchHeld):
            return [FetchRefused(message.request, wire_code(lie()))]
        return []

    async with lent.held(refuse) as conversation:
        await conversation.wait_for(FetchHeld)
        async with lent.mallory.connected():  # once more, behind all that came of the refusal
            pass
        await lent.bob.until(lambda: not lent.bob.parts.inbox.fetching)
        assert lent.bob.inbox_state(lent.photo) == "accepted"
    await lent.anna.start()
    await lent.bob.until(lambda: lent.bob.inbox_state(lent.photo) == "stored")
    await lent.anna.until(lambda: lent.anna.delivery_state(lent.photo) == "delivered")
