"""A holder that a person chose, and that lies. What it says counts for nothing but that it lies."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from kinlight.crypto.errors import SealBrokenError
from kinlight.node import collecting, commits, link
from kinlight.node.mallory import Conversation, Mallory
from kinlight.protocol import limits, messages, session
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
    HeldDone,
    HeldEnd,
    HeldItem,
    Holding,
    ManifestPart,
    Message,
    Piece,
)

from .conftest import Picture, Start
from .forging import Forgery
from .holders import Sealed
from .nodes import TestedNode, eventually


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
    lent.bob.parts.peers.forget_refusals()  # he called where she was while she slept
    await lent.bob.until(lambda: lent.bob.inbox_state(lent.photo) == "stored")
    await lent.anna.until(lambda: lent.anna.delivery_state(lent.photo) == "delivered")


def known_as_held(lent: Lent, envelopes: list[bytes]) -> None:
    """Bob was shown these by Mallory, who never said that they are gone."""
    for envelope_hash in envelopes:
        lent.bob.parts.collecting.held.add(envelope_hash, lent.mallory.device.identity)


async def test_a_holder_that_answers_nothing_can_be_linked_to_however_much_is_over(
    lent: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "QUEUE_BYTES", 16 * 1024)
    monkeypatch.setattr(link, "POST_BYTES", 64 * 1024)
    over = [number.to_bytes(32) for number in range(600)]
    known_as_held(lent, over)
    async with lent.held() as conversation:
        said = {(await conversation.wait_for(HeldDone)).envelope_hash for _ in over}
        assert said == set(over)
        await conversation.wait_for(Collect)


def too_much(message: Message) -> None:
    raise TooMuchError(type(message).__name__)


async def test_a_holder_that_reads_nothing_does_not_keep_a_person_from_deciding(
    lent: Lent,
) -> None:
    bob = lent.bob
    await bob.engine.update_contact("Anna", accept="ask")
    async with lent.held():
        await bob.until(lambda: bob.inbox_state(lent.photo) == "waiting")
        (to_mallory,) = bob.parts.peers.links(lent.mallory.device.identity)
        to_mallory.post = too_much
        bob.engine.decide(lent.photo, accept=False)
        await bob.engine.update_contact("Mallory", holder=False)
    assert bob.inbox_state(lent.photo) == "declined"


@pytest.mark.parametrize("accept", [True, False])
async def test_a_holder_that_comes_back_with_an_older_version_is_asked_and_told_nothing(
    lent: Lent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, accept: bool
) -> None:
    bob = lent.bob
    await bob.engine.update_contact("Anna", accept="ask")
    async with lent.held():
        await bob.until(lambda: bob.inbox_state(lent.photo) == "waiting")
    for module in (messages, session):
        monkeypatch.setattr(module, "VERSIONS", (2, 1))
    async with lent.held():
        await bob.until(lambda: bool(bob.parts.peers.links(lent.mallory.device.identity)))
        bob.engine.decide(lent.photo, accept=accept)
        assert bob.inbox_state(lent.photo) == ("accepted" if accept else "declined")
    await eventually(lambda: not bob.parts.peers.links(lent.mallory.device.identity))
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_what_there_was_no_room_for_is_collected_on_the_next_link(
    lent: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, collecting = lent.bob, lent.bob.parts.collecting
    with monkeypatch.context() as patch:
        patch.setattr(limits, "OFFERS_PER_CONTACT", 0)
        async with lent.held() as conversation:
            await conversation.wait_for(Collect)
            await eventually(lambda: 1 in collecting.seen.values())
            await asyncio.sleep(2 * commits.GATHER_SECONDS)
    assert bob.inbox_state(lent.photo) is None
    async with lent.held() as conversation:
        assert (await conversation.wait_for(Collect)).after == 0
        await conversation.wait_for(FetchHeld)
    assert bob.inbox_state(lent.photo) == "accepted"


async def test_what_is_for_us_is_collected_behind_however_much_that_is_not(
    lent: Lent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody hostile may have left it with an honest holder."""
    monkeypatch.setattr(collecting, "REST_SECONDS", 0.05)
    monkeypatch.setattr(collecting, "WORTHLESS", 5)
    stranger = replace(Forgery.by(lent.mallory), device=Mallory(0).device)
    worthless = [replace(stranger, record=None).offer().envelope for _ in range(12)]
    shown = [*worthless, lent.envelope]

    def react(message: Message) -> list[Message]:
        if not isinstance(message, Collect):
            return []
        page = list(enumerate(shown, 1))[message.after : message.after + 4]
        items = [HeldItem(position, envelope) for position, envelope in page]
        return [*items, HeldEnd(len(shown), more=message.after + 4 < len(shown))]

    async with lent.held() as conversation:
        conversation.react = react
        await lent.bob.until(lambda: lent.bob.inbox_state(lent.photo) == "accepted")


BROUGHT: dict[str, Callable[[FetchHeld], list[Message]]] = {
    "no manifest": lambda fetch: [ManifestPart(fetch.request, b"no manifest")],
    "the manifest of something else": lambda fetch: [
        ManifestPart(fetch.request, Sealed.of(bytes(3000)).manifest.encode())
    ],
    "a piece of something else": lambda fetch: [Piece(fetch.request, 0, bytes(3000))],
    "a manifest without end": lambda fetch: [ManifestPart(fetch.request, bytes(4096))] * 2,
}


@pytest.mark.parametrize("brought", BROUGHT)
async def test_nothing_that_a_holder_brings_instead_is_laid_to_the_sender(
    lent: Lent, brought: str
) -> None:
    def bring(message: Message) -> list[Message]:
        return BROUGHT[brought](message) if isinstance(message, FetchHeld) else []

    bob = lent.bob
    async with lent.held(bring) as conversation:
        await conversation.wait_for(FetchHeld)
        await conversation.wait_for(FetchHeld)
        await bob.until(lambda: not bob.parts.inbox.fetching)
        assert bob.inbox_state(lent.photo) == "accepted"
    await lent.anna.start()
    lent.bob.parts.peers.forget_refusals()  # he called where she was while she slept
    await bob.until(lambda: bob.inbox_state(lent.photo) == "stored")
