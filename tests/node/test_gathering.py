"""One photo from its author and from somebody who passes it on, at a time."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kinlight.crypto.blob import piece_count
from kinlight.crypto.secret import Secret
from kinlight.node import gathering
from kinlight.node.blobstore import IncomingBlob, SmallBlob
from kinlight.node.mallory import flip_byte
from kinlight.node.views_sharing import ShareItem
from kinlight.protocol.claims import BESIDE
from kinlight.protocol.errors import BusyError, from_wire, wire_code
from kinlight.protocol.messages import (
    Delivered,
    Fetch,
    FetchRefused,
    ManifestPart,
    Message,
    OfferRefused,
    Piece,
)
from kinlight.protocol.photo import KINDS

from .conftest import Attacked, Picture
from .forging import Forgery
from .nodes import PATIENCE, TestedNode, eventually
from .test_hostile_delegating import conversation
from .three import Three, delegated, given, granted

LARGE = 12_000_000
SMALL = 3000


class Sender:
    """What a node sends to Carol passes here: it is counted, held or changed."""

    def __init__(self, node: TestedNode, carol: TestedNode) -> None:
        self.pieces = 0
        self.most: int | None = None
        """After so many pieces it falls silent, until `go`."""
        self.go = asyncio.Event()
        self.change: Callable[[Message], Message] = lambda message: message
        link = conversation(node, carol)._link
        self._send = link.send
        link.send = self.send  # type: ignore[method-assign]

    async def send(self, message: Message) -> None:
        if isinstance(message, Piece):
            if self.most is not None and self.pieces >= self.most:
                await self.go.wait()
            self.pieces += 1
        await self._send(self.change(message))


@dataclass(frozen=True, slots=True)
class Rivals:
    """A photo of Anna's that Bob has and may pass on, and both may send to Carol."""

    three: Three
    path: Path
    photo: str
    anna: Sender
    bob: Sender

    def from_anna(self) -> asyncio.Task[ShareItem]:
        offering = granted(self.three.anna, self.photo, "Carol", operations=["view"])
        return asyncio.create_task(offering)

    def from_bob(self) -> asyncio.Task[ShareItem]:
        return asyncio.create_task(delegated(self.three.bob, self.photo, "Carol"))

    @property
    def carol(self) -> TestedNode:
        return self.three.carol

    @property
    def pieces(self) -> int:
        """How many there are of it in all, with its metadata's."""
        stored = self.three.anna.parts.library.photo(bytes.fromhex(self.photo))
        assert stored is not None
        return piece_count(stored.record.ciphertext_length) + 1

    def arrived(self) -> bool:
        sha256 = self.carol.engine.photo(self.photo).sha256
        return sha256 == hashlib.sha256(self.path.read_bytes()).hexdigest()

    def refusals(self) -> dict[tuple[str, str], int]:
        return dict(self.carol.engine.events.counters.refusals)


async def rivals(three: Three, path: Path) -> Rivals:
    await three.anna.pair_with(three.carol)
    await three.carol.engine.update_contact("Anna", accept="always")
    photo = await given(three, path)
    return Rivals(
        three, path, photo, Sender(three.anna, three.carol), Sender(three.bob, three.carol)
    )


@pytest.fixture
async def large(three: Three, picture: Picture) -> Rivals:
    return await rivals(three, picture(length=LARGE))


@pytest.fixture
async def held(large: Rivals) -> AsyncGenerator[Rivals]:
    """Anna has sent a few pieces and falls silent."""
    large.anna.most = 5
    yield large
    large.anna.go.set()


async def test_two_who_offer_a_photo_send_different_parts_of_it(held: Rivals) -> None:
    first = held.from_anna()
    await eventually(lambda: held.anna.pieces == 5)
    held.bob.most = 5
    second = held.from_bob()
    await eventually(lambda: held.bob.pieces == 5)
    held.anna.go.set()
    held.bob.go.set()
    assert (await first).state == (await second).state == "delivered"
    assert held.arrived()
    assert held.anna.pieces > 5
    assert held.bob.pieces > 5
    # At the end the quicker one may be asked for what the other has under way.
    assert held.pieces <= held.anna.pieces + held.bob.pieces <= held.pieces + 2 * BESIDE


async def test_who_falls_silent_does_not_hold_up_the_end_and_is_told_of_it(held: Rivals) -> None:
    first = held.from_anna()
    await eventually(lambda: held.anna.pieces == 5)
    second = held.from_bob()
    assert (await second).state == "delivered"
    assert (await first).state == "delivered"
    assert held.arrived()
    assert held.pieces - 5 <= held.bob.pieces <= held.pieces


async def test_who_helps_and_falls_silent_does_not_hold_up_the_first(
    held: Rivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "HURRY_SECONDS", 0.01)
    first = held.from_anna()
    await eventually(lambda: held.anna.pieces == 5)
    held.bob.most = 2
    second = held.from_bob()
    await eventually(lambda: held.bob.pieces == 2)
    held.anna.go.set()
    assert (await first).state == (await second).state == "delivered"
    assert held.bob.pieces == 2
    held.bob.go.set()


async def test_a_small_photo_does_not_wait_for_who_is_silent(
    three: Three, picture: Picture
) -> None:
    small = await rivals(three, picture(length=SMALL))
    small.anna.most = 0
    first = small.from_anna()
    await small.carol.until(lambda: bool(small.carol.engine.inbox()))
    assert (await small.from_bob()).state == "delivered"
    assert (await first).state == "delivered"
    assert small.arrived()
    small.anna.go.set()


def spoiled(message: Message) -> Message:
    if isinstance(message, Piece):
        return Piece(message.request, message.index, flip_byte(message.data))
    return message


def other_manifest(message: Message) -> Message:
    if isinstance(message, ManifestPart):
        return ManifestPart(message.request, secrets.token_bytes(len(message.data)))
    return message


async def test_who_helps_and_lies_is_named_and_costs_a_piece(held: Rivals) -> None:
    held.bob.change = spoiled
    first = held.from_anna()
    await eventually(lambda: held.anna.pieces == 5)
    lie = await held.from_bob()
    assert (lie.state, lie.code) == ("refused", "piece-mismatch")
    assert held.refusals() == {("fetch", "piece-mismatch"): 1}
    held.anna.go.set()
    assert (await first).state == "delivered"
    assert held.arrived()
    assert held.anna.pieces == held.pieces
    states = {item.sender: item.state for item in held.carol.engine.inbox()}
    assert states == {"Anna": "stored", "Bob": "refused"}


@pytest.mark.parametrize("length", [LARGE, SMALL])
@pytest.mark.parametrize(
    ("lie", "code"), [(spoiled, "piece-mismatch"), (other_manifest, "malformed")]
)
async def test_who_lies_first_is_named_and_the_next_brings_the_photo(
    three: Three, picture: Picture, length: int, lie: Callable[[Message], Message], code: str
) -> None:
    found = await rivals(three, picture(length=length))
    found.bob.change, found.bob.most = lie, 0
    second = found.from_bob()
    await found.carol.until(lambda: bool(found.carol.engine.inbox()))
    found.anna.most = 0
    first = found.from_anna()
    await found.carol.until(lambda: len(found.carol.engine.inbox()) == 2)
    found.bob.go.set()
    item = await second
    assert (item.state, item.code) == ("refused", code)
    found.anna.go.set()
    assert (await first).state == "delivered"
    assert found.arrived()


async def test_what_came_stays_when_who_sent_it_begins_to_lie(held: Rivals) -> None:
    def later(message: Message) -> Message:
        return spoiled(message) if held.bob.pieces > 10 else message

    held.bob.change = later
    first = held.from_anna()
    await eventually(lambda: held.anna.pieces == 5)
    assert (await held.from_bob()).code == "piece-mismatch"
    held.anna.go.set()
    assert (await first).state == "delivered"
    assert held.arrived()
    assert held.anna.pieces < held.pieces


async def test_whose_link_is_lost_leaves_the_rest_to_the_other(held: Rivals) -> None:
    first = held.from_anna()
    await eventually(lambda: held.anna.pieces == 5)
    second = held.from_bob()
    await eventually(lambda: held.bob.pieces >= 5)
    await conversation(held.three.anna, held.carol)._link.close()
    assert (await second).state == "delivered"
    held.three.anna.parts.peers.nudge()
    assert (await first).state == "delivered"
    assert held.arrived()


async def test_a_link_first_brings_the_small_photos_that_nobody_else_brings(
    three: Three, picture: Picture
) -> None:
    few = await rivals(three, picture())
    conversation(three.carol, three.bob)._small._most = 1
    photos = [await given(three, picture()), few.photo, await given(three, picture())]
    few.anna.most = few.bob.most = 0
    inbox = few.carol.engine.inbox
    offers = [few.from_anna()]
    await few.carol.until(lambda: len(inbox()) == 1)
    for number, photo in enumerate(photos, 2):
        offers.append(asyncio.create_task(delegated(three.bob, photo, "Carol")))
        await few.carol.until(lambda wanted=number: len(inbox()) == wanted)
    with few.carol.engine.events.listen(["offer"]) as news:
        few.bob.go.set()
        assert {(await offer).state for offer in offers} == {"delivered"}
        events = [news.get_nowait().data for _ in range(news.qsize())]
    stored = dict.fromkeys(str(data["id"]) for data in events if data["state"] == "stored")
    assert [photos.index(photo) for photo in stored] == [0, 2, 1]
    few.anna.go.set()


async def test_wrong_keys_in_one_offer_are_named_and_another_opens_what_came_by_it(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go, unseal = threading.Event(), threading.Event(), SmallBlob.unseal

    def slowly(place: SmallBlob, *more: Any) -> int:
        opening.set()
        go.wait(PATIENCE)
        return unseal(place, *more)

    monkeypatch.setattr(SmallBlob, "unseal", slowly)
    forgery = Forgery.by(attacked.mallory)
    forgery.content = secrets.token_bytes(900_000)
    true = forgery.offer()
    forgery.keys = {kind: Secret(secrets.token_bytes(32)) for kind in KINDS}
    false = forgery.offer()
    fetched: list[Fetch] = []
    properly = forgery.properly()

    def react(message: Message) -> list[Message]:
        if isinstance(message, Fetch) and forgery.of_original(message):
            fetched.append(message)
        return properly(message)

    async with attacked.mallory.connected() as talk:
        talk.react = react
        await talk.say(false)
        await asyncio.to_thread(opening.wait, PATIENCE)
        await talk.say(true)
        await attacked.bob.until(lambda: len(attacked.bob.engine.inbox()) == 2)
        go.set()
        refused = await talk.wait_for(OfferRefused)
        assert refused.envelope_hash == hashlib.sha256(false.envelope).digest()
        assert from_wire(refused.code).code == "seal-broken"
        stored = await talk.wait_for(Delivered)
        assert stored.envelope_hash == hashlib.sha256(true.envelope).digest()
    assert attacked.bob.engine.photo(forgery.photo_id.hex()).bytes == 900_000
    assert len(fetched) == 1


@pytest.mark.parametrize("length", [900_000, SMALL])
async def test_of_two_offers_on_one_link_the_second_waits_for_what_the_first_asked_for(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(gathering, "HURRY_SECONDS", 0.01)
    forgery = Forgery.by(attacked.mallory)
    forgery.content = secrets.token_bytes(length)
    properly, other = forgery.properly(), Forgery.by(attacked.mallory)
    held: list[Fetch] = []

    def slowly(message: Message) -> list[Message]:
        if isinstance(message, Fetch) and message.content_id in forgery.blobs:
            held.append(message)
            return []
        return other.properly()(message)

    async with attacked.mallory.connected() as talk:
        talk.react = slowly
        for offer in (forgery.offer(), forgery.offer(), other.offer()):
            await talk.say(offer)
        await talk.wait_for(Delivered)  # there was time enough to ask for all of it twice
        assert {message.content_id for message in held} == set(forgery.blobs)
        talk.react = properly
        for message in held:
            for answer in properly(message):
                await talk.say(answer)
        await talk.wait_for(Delivered)
        await talk.wait_for(Delivered)
        assert len(held) == 2


async def test_a_photo_whose_metadata_lie_is_opened_once_however_often_it_is_offered(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[IncomingBlob] = []
    unseal = IncomingBlob.unseal

    def counted(place: IncomingBlob, *more: Any) -> int:
        opened.append(place)
        return unseal(place, *more)

    monkeypatch.setattr(IncomingBlob, "unseal", counted)
    forgery = Forgery.by(attacked.mallory)
    forgery.content = secrets.token_bytes(900_000)
    forgery.describe(sha256=bytes(32))
    async with attacked.mallory.connected() as talk:

        async def refusals(offers: int) -> set[str]:
            for _ in range(offers):
                await talk.say(forgery.offer())
            refused = [await talk.wait_for(OfferRefused) for _ in range(offers)]
            return {from_wire(each.code).code for each in refused}

        talk.react = lambda message: (
            [FetchRefused(message.request, wire_code(BusyError()))]
            if isinstance(message, Fetch)
            else []
        )
        assert await refusals(1) == {"busy"}  # it stays accepted, so that what came is kept
        talk.react = forgery.properly()
        assert await refusals(3) == {"malformed"}
        assert await refusals(1) == {"malformed"}
        assert len(opened) == 1
        forgery.keys = {kind: Secret(secrets.token_bytes(32)) for kind in KINDS}
        assert await refusals(1) == {"seal-broken"}  # other keys are tried
