"""However a fetch ends, the link goes on: with late answers, and with what waits behind it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from kinlight.node import fetching, outbox, sync
from kinlight.protocol.errors import GoneError, wire_code
from kinlight.protocol.messages import (
    Delivered,
    Fetch,
    FetchRefused,
    ManifestPart,
    Message,
    OfferRefused,
    Piece,
)

from .conftest import Attacked, Picture, Start, Two
from .forging import Forgery
from .nodes import PATIENCE
from .test_hostile_delegating import conversation

MANY = 150
"""Offers, each of which is asked for two blobs."""


def nothing(_message: Fetch) -> None:
    """All that a node does which sends nothing."""


@pytest.fixture
async def narrow(start: Start, monkeypatch: pytest.MonkeyPatch) -> Two:
    """Bob takes what Anna sends, one large photo at a time."""
    monkeypatch.setattr(sync, "LARGE_AT_ONCE", 1)
    anna, bob = await start("Anna"), await start("Bob")
    await anna.pair_with(bob)
    await bob.engine.update_contact("Anna", accept="always")
    return Two(anna, bob)


@pytest.mark.parametrize(
    "late",
    [ManifestPart(1, b"late"), Piece(1, 0, b"late"), FetchRefused(1, wire_code(GoneError()))],
)
async def test_an_answer_may_come_when_hundreds_of_later_fetches_have_ended(
    attacked: Attacked, late: Message
) -> None:
    gone, here = Forgery.by(attacked.mallory), Forgery.by(attacked.mallory)
    async with attacked.mallory.connected() as conversation:
        conversation.react = lambda message: (
            [FetchRefused(message.request, wire_code(GoneError()))]
            if isinstance(message, Fetch)
            else []
        )
        for _ in range(MANY):
            await conversation.say(gone.offer())
        for _ in range(MANY):
            await conversation.wait_for(OfferRefused)
        await conversation.say(late)
        conversation.react = here.properly()
        await conversation.say(here.offer())
        await conversation.wait_for(Delivered)


async def test_a_photo_that_is_declined_on_its_way_leaves_its_place_to_the_next(
    narrow: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = narrow.anna, narrow.bob
    with monkeypatch.context() as held:
        held.setattr(conversation(anna, bob)._server, "fetch", nothing)
        await anna.share(picture(length=900_000), picture(length=900_000), to="Bob", wait=False)
        await bob.until(lambda: len(bob.engine.inbox()) == 2 and bob.parts.inbox.fetching == 1)
    first, second = bob.engine.inbox()
    coming = first if bob.parts.inbox.is_coming(bytes.fromhex(first.id)) else second
    bob.engine.decide(coming.id, accept=False)
    await bob.until(lambda: "stored" in [item.state for item in bob.engine.inbox()])
    assert bob.inbox_state(coming.id) == "declined"


async def test_an_offer_that_could_not_be_read_is_fetched_when_it_can(
    narrow: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = narrow.anna, narrow.bob
    await bob.engine.update_contact("Anna", accept="ask")
    photo = (await anna.share_one(picture(), "Bob")).photo_id or ""
    (offer,) = bob.parts.library.offers_of(bytes.fromhex(photo))
    accepted = bob.parts.inbox.decide(offer, accept=True)
    tried = asyncio.Event()

    def broken(_envelope_hash: bytes) -> None:
        tried.set()
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as for_now:
        for_now.setattr(bob.parts.library, "offer", broken)
        conversation(bob, anna).fetch(accepted)
        await asyncio.wait_for(tried.wait(), PATIENCE)
    conversation(bob, anna).fetch(accepted)
    await bob.until(lambda: bob.inbox_state(photo) == "stored")


async def test_a_small_photo_that_does_not_come_is_answered_and_others_are_offered(
    two: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = two.anna, two.bob
    monkeypatch.setattr(outbox, "OFFERS_ON_THE_WAY", 1)
    await bob.engine.update_contact("Anna", accept="always")
    with monkeypatch.context() as for_now:
        for_now.setattr(fetching, "STALL_SECONDS", 0.1)
        for_now.setattr(conversation(anna, bob)._server, "fetch", nothing)
        lost = (await anna.share_one(picture(), "Bob", wait=False)).photo_id or ""
        await anna.until(lambda: anna.delivery_state(lost) == "offered")
    assert (await anna.share_one(picture(length=900_000), "Bob")).state == "delivered"
    assert bob.inbox_state(lost) == "accepted"
