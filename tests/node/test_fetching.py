"""However a fetch ends, the link goes on: with late answers, and with what waits behind it."""

from __future__ import annotations

import pytest
from kinlight.protocol.errors import GoneError, wire_code
from kinlight.protocol.messages import (
    Fetch,
    FetchRefused,
    ManifestPart,
    Message,
    OfferRefused,
    Piece,
    Stored,
)

from .conftest import Attacked
from .forging import Forgery

MANY = 150
"""Offers, each of which is asked for two blobs."""


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
        await conversation.wait_for(Stored)
