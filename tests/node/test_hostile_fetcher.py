"""A contact asks for what was not given to it, or for too much. It gets nothing and all goes on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from kinlight.crypto.blob import Kind
from kinlight.node.mallory import Conversation, Mallory
from kinlight.protocol import limits
from kinlight.protocol.capability import Audience, Capability, Caveats
from kinlight.protocol.errors import from_wire
from kinlight.protocol.messages import (
    Credit,
    Fetch,
    FetchRefused,
    FetchStop,
    ManifestPart,
    Message,
    Offer,
    Piece,
    Ping,
)
from kinlight.protocol.photo import Envelope

from .conftest import Attacked, Picture, Start
from .forging import Forgery, whole
from .nodes import NOW, Clock, TestedNode, eventually
from .photographs import photograph


@dataclass
class Given:
    """A photo of Bob's that was offered to Mallory, and the link on which it was."""

    bob: TestedNode
    conversation: Conversation
    envelope: Envelope

    @property
    def photo(self) -> bytes:
        return self.envelope.record.photo_id

    @property
    def content(self) -> bytes:
        return self.envelope.record.content_id

    @property
    def capability(self) -> bytes:
        return self.envelope.capability.encoded

    def fetch(self, request: int = 1) -> Fetch:
        return whole(self.photo, self.content, self.capability, request)

    async def code_of(self, fetch: Fetch) -> str:
        await self.conversation.say(fetch)
        answer = await self.conversation.wait_for(FetchRefused)
        assert answer.request == fetch.request
        return from_wire(answer.code).code

    async def assert_served(self, request: int = 4000) -> None:
        """The node still answers what is right."""
        await self.conversation.say(self.fetch(request))
        while (await self.conversation.wait_for(Piece)).request != request:
            pass  # of an earlier fetch


@asynccontextmanager
async def given_by(
    bob: TestedNode, mallory: Mallory, picture: Picture, *, until: int | None = None,
    length: int = 3000,
) -> AsyncGenerator[Given]:  # fmt: skip
    async with mallory.connected() as conversation:
        await bob.share_one(picture(length=length), "Mallory", until=until, wait=False)
        offer = await conversation.wait_for(Offer)
        envelope = Envelope.open(offer.envelope, mallory.device, conversation.link.peer.device)
        yield Given(bob, conversation, envelope)


@pytest.fixture
async def given(attacked: Attacked, picture: Picture) -> AsyncGenerator[Given]:
    async with given_by(attacked.bob, attacked.mallory, picture) as photo:
        yield photo


async def test_what_was_given_is_served(given: Given) -> None:
    await given.conversation.say(given.fetch())
    assert (await given.conversation.wait_for(ManifestPart)).request == 1
    piece = await given.conversation.wait_for(Piece)
    assert (piece.request, piece.index) == (1, 0)


async def test_a_rendition_is_not_served_whatever_was_given(
    attacked: Attacked, tmp_path: Path
) -> None:
    def picture(**_: object) -> Path:
        return photograph(tmp_path / "beach.jpg")

    async with given_by(attacked.bob, attacked.mallory, picture) as given:
        await given.bob.engine.rendition(given.photo.hex(), "preview")
        library = given.bob.parts.library
        stored = [blob for each in library.blob_ids() if (blob := library.blob(each))]
        (rendition,) = (blob for blob in stored if blob.kind is Kind.RENDITION)
        assert rendition.photo_id == given.photo
        fetch = replace(given.fetch(), content_id=rendition.content_id)
        assert await given.code_of(fetch) == "grant-other-photo"
        await given.assert_served()


# Without leave


@pytest.mark.parametrize("capability", [b"", b"\xc1", b"\x90", bytes(100)])
async def test_without_a_capability_nothing_is_served(given: Given, capability: bytes) -> None:
    assert await given.code_of(replace(given.fetch(), capability=capability)) == "malformed"
    await given.assert_served()


async def test_a_capability_of_ones_own_making_opens_nothing(
    given: Given, attacked: Attacked
) -> None:
    mine = Capability.grant(
        attacked.mallory.device.signing,
        attacked.mallory.device.identity,
        Audience("identity", attacked.mallory.device.identity),
        Caveats(photos=frozenset([given.photo]), operations=frozenset(["view"])),
        secrets.token_bytes(16),
    )
    assert await given.code_of(replace(given.fetch(), capability=mine.encoded)) == "grant-broken"


async def test_a_capability_in_the_name_of_the_author_needs_his_signature(
    given: Given, attacked: Attacked
) -> None:
    forged = Capability.grant(
        attacked.mallory.device.signing,
        given.bob.identity,
        Audience("identity", attacked.mallory.device.identity),
        Caveats(photos=frozenset([given.photo]), operations=frozenset(["view"])),
        secrets.token_bytes(16),
    )
    assert await given.code_of(replace(given.fetch(), capability=forged.encoded)) == "grant-broken"


async def test_the_capability_of_another_contact_opens_nothing(
    given: Given, start: Start, picture: Picture
) -> None:
    anna = await start("Anna")
    await given.bob.pair_with(anna)
    item = await given.bob.share_one(picture(), "Anna")
    assert item.photo_id is not None
    (offer,) = anna.parts.library.offers()
    fetch = whole(offer.photo_id, offer.record.content_id, offer.capability)
    assert await given.code_of(fetch) == "grant-for-another"


async def test_a_capability_passed_on_without_leave_opens_nothing(
    given: Given, attacked: Attacked
) -> None:
    longer = Capability.grant(
        attacked.mallory.device.signing,
        attacked.mallory.device.identity,
        Audience("identity", attacked.mallory.device.identity),
        Caveats(),
        secrets.token_bytes(16),
        given.envelope.capability,
    )
    fetch = replace(given.fetch(), capability=longer.encoded)
    assert await given.code_of(fetch) == "grant-passed-on"


async def test_a_capability_that_has_ended_opens_nothing(
    attacked: Attacked, picture: Picture, clock: Clock
) -> None:
    async with given_by(attacked.bob, attacked.mallory, picture, until=NOW + 60) as given:
        await given.conversation.say(given.fetch(1))
        await given.conversation.wait_for(Piece)
        clock.time += 60
        assert await given.code_of(given.fetch(2)) == "grant-expired"


async def test_a_grant_that_ends_while_it_is_served_ends_the_serving(
    attacked: Attacked, picture: Picture, clock: Clock
) -> None:
    async with given_by(
        attacked.bob, attacked.mallory, picture, until=NOW + 60, length=900_000
    ) as given:
        await given.conversation.say(replace(given.fetch(), credit=1))
        await given.conversation.wait_for(Piece)
        clock.time += 60
        await given.conversation.say(Credit(1, 4))
        answer = await given.conversation.wait_for(FetchRefused)
        assert from_wire(answer.code).code == "grant-expired"


async def test_whoever_asks_can_not_tell_what_else_is_there(
    given: Given, attacked: Attacked, picture: Picture
) -> None:
    """Other photos and their blobs look the same whether they exist or not."""
    other = await attacked.bob.share_one(picture(), "Mallory", wait=False)
    offer = await given.conversation.wait_for(Offer)
    device = given.conversation.link.peer.device
    there = Envelope.open(offer.envelope, attacked.mallory.device, device).record
    assert there.photo_id.hex() == other.photo_id
    nowhere = secrets.token_bytes(16), secrets.token_bytes(32)

    photos = {
        await given.code_of(whole(photo, content, given.capability, number))
        for number, (photo, content) in enumerate([(there.photo_id, there.content_id), nowhere], 1)
    }
    assert photos == {"grant-other-photo"}
    contents = {
        await given.code_of(whole(given.photo, content, given.capability, number))
        for number, content in enumerate([there.content_id, there.metadata_id, nowhere[1]], 10)
    }
    assert contents == {"grant-other-photo"}


async def test_a_photo_whose_file_is_gone_is_gone_for_the_fetcher_too(given: Given) -> None:
    for path in given.bob.blob_files():
        path.unlink()
    assert await given.code_of(given.fetch()) == "gone"


async def test_a_photo_that_a_contact_sent_is_not_served_to_another(
    attacked: Attacked, start: Start, picture: Picture
) -> None:
    anna = await start("Anna")
    await attacked.bob.pair_with(anna)
    await attacked.bob.engine.update_contact("Anna", accept="always")
    item = await anna.share_one(picture(), "Bob")
    assert item.state == "delivered"
    photo = attacked.bob.parts.library.photo(bytes.fromhex(item.photo_id or ""))
    assert photo is not None
    (offer,) = attacked.bob.parts.library.offers()
    async with attacked.mallory.connected() as conversation:
        await conversation.say(whole(photo.photo_id, photo.record.content_id, offer.capability))
        answer = await conversation.wait_for(FetchRefused)
    assert from_wire(answer.code).code == "grant-broken"  # as for one that is not here


# Too much


async def test_fetches_that_are_open_at_once_are_bounded(given: Given) -> None:
    for request in range(limits.FETCHES):
        await given.conversation.say(replace(given.fetch(request), credit=0))
    assert await given.code_of(given.fetch(limits.FETCHES)) == "busy"
    await given.conversation.say(FetchStop(0))
    await given.assert_served()


async def test_a_request_number_in_use_is_refused(given: Given) -> None:
    await given.conversation.say(replace(given.fetch(5), credit=0))
    assert await given.code_of(given.fetch(5)) == "busy"


async def test_more_credit_than_a_fetch_may_have_ends_the_link(
    attacked: Attacked, picture: Picture
) -> None:
    # So many pieces that the credit can't be used up between two messages.
    async with given_by(attacked.bob, attacked.mallory, picture, length=20_000_000) as given:
        await given.conversation.say(replace(given.fetch(), ranges=((0, 200),), credit=0))
        for _ in range(3):
            await given.conversation.say(Credit(1, limits.CREDIT))
        await asyncio.wait_for(given.conversation.link.ended.wait(), 30)


async def test_pieces_that_do_not_exist_are_not_sent(given: Given) -> None:
    await given.conversation.say(replace(given.fetch(1), ranges=((60_000, 5000),)))
    await given.conversation.say(replace(given.fetch(2), ranges=()))
    assert (await given.conversation.wait_for(ManifestPart)).request == 1
    await given.assert_served()


async def test_without_credit_no_piece_is_sent(attacked: Attacked, picture: Picture) -> None:
    pieces: list[tuple[int, int]] = []

    def collect(message: Message) -> list[Message]:
        if isinstance(message, Piece):
            pieces.append((message.request, message.index))
        return []

    async with given_by(attacked.bob, attacked.mallory, picture, length=1_500_000) as given:
        given.conversation.react = collect
        await given.conversation.say(replace(given.fetch(1), ranges=((0, 5),), credit=2))
        await eventually(lambda: (1, 1) in pieces)
        await given.assert_served(2)
        await given.conversation.say(Credit(1, 1))
        await eventually(lambda: (1, 2) in pieces)
        await given.assert_served(3)
    assert [index for request, index in pieces if request == 1] == [0, 1, 2]


async def test_a_flood_of_fetches_is_answered_and_stops_nobody(given: Given) -> None:
    answers = 0

    def count(message: Message) -> list[Message]:
        nonlocal answers
        answers += isinstance(message, FetchRefused)
        return []

    given.conversation.react = count
    fetch = replace(given.fetch(), photo_id=bytes(16))
    for request in range(2000):
        await given.conversation.say(replace(fetch, request=request))
    await eventually(lambda: answers == 2000)
    await given.assert_served()


async def test_a_flood_of_pings_is_answered_and_stops_nobody(given: Given) -> None:
    for token in range(3000):
        await given.conversation.say(Ping(token))
    await given.assert_served()


async def test_one_offer_said_again_and_again_is_fetched_once(attacked: Attacked) -> None:
    """Its sender never serves it, so each fetch would wait for ever."""
    forgery = Forgery.by(attacked.mallory)
    offer = forgery.offer()
    asked: list[Fetch] = []

    def collect(message: Message) -> list[Message]:
        if isinstance(message, Fetch):
            asked.append(message)
        return []

    async with attacked.mallory.connected() as conversation:
        conversation.react = collect
        await conversation.say(offer)
        await eventually(lambda: len(asked) == 2)
        before = len(asyncio.all_tasks())
        for _ in range(200):
            await conversation.say(offer)
        proper = Forgery.by(attacked.mallory)
        serve = proper.serve()
        conversation.react = lambda message: (
            collect(message)
            if isinstance(message, Fetch) and message.photo_id == forgery.photo_id
            else serve(message)
        )
        await conversation.say(proper.offer())
        await attacked.bob.until(
            lambda: attacked.bob.inbox_state(proper.photo_id.hex()) == "stored"
        )
        assert len(asyncio.all_tasks()) < before + 20
        assert len(asked) == 2
