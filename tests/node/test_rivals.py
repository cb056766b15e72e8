"""One photo from several people: the author's offer comes first, and nobody holds up another."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import secrets

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.signing import SigningKey
from kinlight.node import fetching, inbox, sync
from kinlight.protocol.capability import Capability
from kinlight.protocol.messages import Fetch

from .conftest import Picture, Start
from .forging import Forgery
from .people import seed
from .test_hostile_delegating import asked, conversation, identity, link
from .three import Three, delegated, given, granted, imported


def nothing(_message: Fetch) -> None:
    """All that a node does which sends nothing."""


@pytest.fixture
async def known(three: Three) -> Three:
    """Anna and Carol know each other too."""
    await three.anna.pair_with(three.carol)
    return three


async def test_what_is_accepted_is_the_authors_offer(known: Three, picture: Picture) -> None:
    anna, bob, carol = known.anna, known.bob, known.carol
    await carol.engine.update_contact("Bob", accept="ask")
    photo = await given(known, picture())
    assert (await granted(anna, photo, "Carol", operations=["view"])).state == "waiting"
    assert (await delegated(bob, photo, "Carol")).state == "waiting"
    assert carol.engine.decide(photo, accept=True).sender == "Anna"


async def test_who_offers_a_photo_and_sends_nothing_does_not_keep_it_from_coming_from_its_author(
    known: Three, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob, carol = known.anna, known.bob, known.carol
    await carol.engine.update_contact("Anna", accept="always")
    photo = await given(known, picture())
    monkeypatch.setattr(fetching, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(conversation(bob, carol)._server, "fetch", nothing)
    empty = asyncio.create_task(delegated(bob, photo, "Carol"))
    await carol.until(lambda: bool(carol.engine.inbox()))
    assert (await granted(anna, photo, "Carol", operations=["view"])).state == "delivered"
    empty.cancel()


async def test_another_record_under_the_id_of_a_photo_holds_up_nothing_else_of_who_passes_it_on(
    known: Three, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob, carol = known.anna, known.bob, known.carol
    monkeypatch.setattr(inbox, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(conversation(carol, bob), "_large", sync._Lane(1))
    monkeypatch.setattr(conversation(anna, carol)._server, "fetch", nothing)
    await carol.engine.update_contact("Anna", accept="always")
    photo = await given(known, picture(length=900_000))
    signed = anna.parts.library.photo(bytes.fromhex(photo))
    assert signed is not None
    other = Forgery(anna.parts.device, carol.parts.device.chain, nonce=signed.record.nonce)
    await conversation(anna, carol)._link.send(other.offer())
    await carol.until(lambda: carol.parts.inbox.fetching == 1)
    passed_on = await delegated(bob, photo, "Carol")
    assert (passed_on.state, passed_on.code) == ("offered", "busy")
    assert (await bob.share_one(picture(length=900_000), "Carol")).state == "delivered"
    # And when the other one is out of the way, the photo comes too.
    (wrong,) = [
        offer
        for offer in carol.parts.library.offers_of(bytes.fromhex(photo))
        if offer.identity == anna.identity
    ]
    carol.parts.inbox.decide(wrong, accept=False)
    await bob.until(lambda: bob.delivery_state(photo) == "delivered")


async def test_a_chain_that_is_not_the_authors_does_not_tell_whether_a_photo_is_here(
    three: Three, start: Start, picture: Picture
) -> None:
    anna, bob, dora = three.anna, three.bob, await start("Dora")
    for node in (anna, bob):
        await node.pair_with(dora)
    answers: set[object] = set()
    for photo in (await given(three, picture()), await imported(anna, picture())):
        first = link(dora, None, identity(bob), photo, max_depth=0)
        body: list[encoding.Value] = [
            1, "cap", first.links[-1].signed.digest(), bob.identity,
            bob.parts.device.signing.public, ["identity", dora.identity], [],
            secrets.token_bytes(16),
        ]  # fmt: skip
        forged = SigningKey(seed("nobody")).sign_value(b"kinlight/cap1", body)
        links = [first.links[0].signed.to_value(), forged.to_value()]
        chain = Capability.decode(encoding.encode(links))
        answers.add(await asked(dora, bob, photo, chain, anna))
    assert len(answers) == 1
