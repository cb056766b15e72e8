"""Receipts that are not what they seem. Nothing counts as delivered by them, and all goes on."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

import pytest
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.node.database import Database
from kinlight.node.errors import DiskFullError
from kinlight.node.mallory import Conversation, Mallory
from kinlight.node.photo_errors import UnsignedDeliveryError
from kinlight.protocol import messages, session
from kinlight.protocol.errors import BrokenReceiptError
from kinlight.protocol.messages import (
    Delivered,
    FetchHeld,
    FetchRefused,
    HeldDone,
    HeldReceipt,
    Message,
    Offer,
    OfferRefused,
    OfferTaken,
    Stored,
)
from kinlight.protocol.opening import Pinned
from kinlight.protocol.photo import Envelope
from kinlight.protocol.receipt import Receipt

from .conftest import Attacked, Picture, Start
from .forging import Forgery
from .nodes import NOW, Clock, TestedNode, eventually
from .test_lost_devices import Three, three

assert three  # a fixture

MINUTES = 60


@dataclass
class Sent:
    """A photo that Bob offered to Mallory, and the link on which he did."""

    bob: TestedNode
    mallory: Mallory
    conversation: Conversation
    offer: Offer

    @property
    def envelope_hash(self) -> bytes:
        return hashlib.sha256(self.offer.envelope).digest()

    @property
    def envelope(self) -> Envelope:
        sender = self.conversation.link.peer.device
        return Envelope.open(self.offer.envelope, self.mallory.device, sender)

    @property
    def photo(self) -> str:
        return self.envelope.record.photo_id.hex()

    def true(self, time: int = NOW) -> Receipt:
        """The receipt that an honest device would give."""
        content_id = self.envelope.record.content_id
        return Receipt.sign(self.mallory.device.signing, self.bob.identity, content_id, time)

    def resigned(self, signer: SigningKey | None = None, **changes: object) -> bytes:
        """The true receipt with other fields, signed again."""
        said = replace(self.true(), **changes)  # type: ignore[arg-type]
        key = signer or self.mallory.device.signing
        fields = said.sender, said.content_id, said.time, said.commitment
        return Receipt.sign(key, *fields).encoded

    async def say(self, receipt: bytes) -> None:
        await self.conversation.say(Delivered(self.envelope_hash, receipt))

    async def until_delivered(self) -> None:
        await self.bob.until(lambda: self.bob.delivery_state(self.photo) == "delivered")


@asynccontextmanager
async def sent_by(bob: TestedNode, mallory: Mallory, picture: Picture) -> AsyncGenerator[Sent]:
    async with mallory.connected() as conversation:
        await bob.share_one(picture(), "Mallory", wait=False)
        yield Sent(bob, mallory, conversation, await conversation.wait_for(Offer))


@pytest.fixture
async def sent(attacked: Attacked, picture: Picture) -> AsyncGenerator[Sent]:
    async with sent_by(attacked.bob, attacked.mallory, picture) as photo:
        yield photo


async def test_a_true_receipt_delivers_a_photo_and_is_kept_as_it_came(
    sent: Sent, clock: Clock
) -> None:
    clock.time += 90
    await sent.say(sent.true(NOW + 60).encoded)
    await sent.until_delivered()
    (kept,) = sent.bob.engine.receipts.find(sent.photo[:8], "Mallory")
    assert bytes.fromhex(kept.encoded) == sent.true(NOW + 60).encoded
    assert (kept.to, kept.photo, kept.name) == ("Mallory", sent.photo, "1.jpg")
    assert (kept.time, kept.received, kept.clock_differs) == (NOW + 60, NOW + 90, False)
    (delivery,) = sent.bob.engine.photo(sent.photo).deliveries
    assert (delivery.receipt, delivery.device) == (NOW + 60, kept.device)


# Forged


def flipped(sent: Sent) -> bytes:
    whole = sent.true().encoded
    return whole[:-1] + bytes([whole[-1] ^ 1])


FORGED: dict[str, Callable[[Sent], bytes]] = {
    "nothing": lambda _: b"",
    "random bytes": lambda _: secrets.token_bytes(185),
    "cut": lambda sent: sent.true().encoded[:-1],
    "with a byte behind it": lambda sent: sent.true().encoded + b"\x00",
    "with another signature": flipped,
    "by another key": lambda sent: sent.resigned(SigningKey(Secret(secrets.token_bytes(32)))),
    "to another sender": lambda sent: sent.resigned(sender=sent.mallory.device.identity),
    "for another blob": lambda sent: sent.resigned(content_id=secrets.token_bytes(32)),
    "for the metadata": lambda sent: sent.resigned(content_id=sent.envelope.record.metadata_id),
    "a statement of another kind": lambda sent: sent.envelope.record.signed.encode(),
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_receipt_ends_the_link_and_the_photo_is_offered_again(
    sent: Sent, forged: str
) -> None:
    await sent.say(FORGED[forged](sent))
    await asyncio.wait_for(sent.conversation.link.ended.wait(), 30)
    assert sent.bob.delivery_state(sent.photo) == "queued"
    assert sent.bob.engine.receipts.find(sent.photo) == []
    async with sent.mallory.connected() as conversation:
        again = replace(sent, conversation=conversation, offer=await conversation.wait_for(Offer))
        assert again.envelope_hash == sent.envelope_hash
        await again.say(again.true().encoded)
        await again.until_delivered()


async def test_who_forges_a_receipt_is_told_that_it_is_broken(
    attacked: Attacked, picture: Picture
) -> None:
    mallory = attacked.mallory
    assert mallory.victim is not None
    link = await mallory.dial((Pinned(mallory.victim.chain.identity, mallory.victim.pair_secret),))
    await link.open()
    await attacked.bob.share_one(picture(), "Mallory", wait=False)

    async def forge(message: Message) -> None:
        if isinstance(message, Offer):
            sent = Sent(attacked.bob, mallory, Conversation(link), message)
            link.post(Delivered(sent.envelope_hash, flipped(sent)))

    assert isinstance(await link.run(forge), BrokenReceiptError)


# Replayed


async def test_a_receipt_for_one_photo_is_none_for_another(sent: Sent, picture: Picture) -> None:
    await sent.say(sent.true().encoded)
    await sent.until_delivered()
    await sent.bob.share_one(picture(), "Mallory", wait=False)
    other = replace(sent, offer=await sent.conversation.wait_for(Offer))
    await other.say(sent.true().encoded)
    await asyncio.wait_for(sent.conversation.link.ended.wait(), 30)
    assert sent.bob.delivery_state(other.photo) == "queued"


async def test_the_receipt_of_another_contact_is_none_of_ones_own(
    sent: Sent, start: Start, picture: Picture
) -> None:
    anna = await start("Anna")
    await sent.bob.pair_with(anna)
    await anna.engine.update_contact("Bob", accept="always")
    item = await sent.bob.share_one(picture("first.jpg"), "Anna")
    assert item.state == "delivered"
    (of_anna,) = sent.bob.engine.receipts.find(item.photo_id or "")
    await sent.say(bytes.fromhex(of_anna.encoded))
    await asyncio.wait_for(sent.conversation.link.ended.wait(), 30)
    assert sent.bob.delivery_state(sent.photo) == "queued"


async def test_nobody_can_say_that_another_contact_has_a_photo(
    sent: Sent, start: Start, picture: Picture
) -> None:
    anna = await start("Anna")
    await sent.bob.pair_with(anna)
    await sent.bob.until(lambda: sent.bob.connected_to(anna))
    item = await sent.bob.share_one(picture(), "Anna")
    assert item.state == "waiting"
    (delivery,) = sent.bob.parts.library.deliveries(bytes.fromhex(item.photo_id or ""))
    photo = sent.bob.parts.library.photo(delivery.photo_id)
    assert photo is not None
    mine = sent.resigned(content_id=photo.record.content_id)
    await sent.conversation.say(Delivered(delivery.envelope_hash, mine))
    await sent.say(sent.true().encoded)  # the link is still good
    await sent.until_delivered()
    assert sent.bob.delivery_state(item.photo_id or "") == "waiting"
    assert sent.bob.engine.receipts.find(item.photo_id or "") == []


async def test_nobody_can_show_another_contact_s_receipt_in_its_place(
    sent: Sent, start: Start, picture: Picture
) -> None:
    """Not even for what that contact was sent: it may be an old one."""
    anna = await start("Anna")
    await sent.bob.pair_with(anna)
    await anna.engine.update_contact("Bob", accept="always")
    had = await sent.bob.share_one(picture(), "Anna")
    assert had.state == "delivered"
    (old,) = sent.bob.engine.receipts.find(had.photo_id or "")
    await anna.engine.update_contact("Bob", accept="ask")
    item = await sent.bob.share_one(picture(), "Anna")
    (delivery,) = sent.bob.parts.library.deliveries(bytes.fromhex(item.photo_id or ""))
    shown = Delivered(delivery.envelope_hash, bytes.fromhex(old.encoded))
    await sent.conversation.say(shown)
    await asyncio.wait_for(sent.conversation.link.ended.wait(), 30)
    assert sent.bob.delivery_state(item.photo_id or "") == "waiting"
    assert sent.bob.engine.receipts.find(item.photo_id or "") == []


async def test_a_receipt_for_what_was_never_offered_changes_nothing(sent: Sent) -> None:
    await sent.conversation.say(Delivered(secrets.token_bytes(32), sent.true().encoded))
    await sent.say(sent.true().encoded)
    await sent.until_delivered()
    assert sent.bob.parts.database.value("SELECT count(*) FROM receipts") == 1


async def test_the_first_receipt_for_a_delivery_stays(sent: Sent) -> None:
    await sent.say(sent.true().encoded)
    await sent.until_delivered()
    await sent.say(sent.true(NOW + 1).encoded)
    await sent.conversation.say(OfferTaken(sent.envelope_hash, waiting=True))
    await sent.conversation.say(OfferRefused(sent.envelope_hash, 23))
    proper = Forgery.by(sent.mallory)
    sent.conversation.react = proper.serve()
    await sent.conversation.say(proper.offer())
    await sent.conversation.wait_for(Delivered)
    (kept,) = sent.bob.engine.receipts.find(sent.photo)
    assert kept.time == NOW
    assert sent.bob.delivery_state(sent.photo) == "delivered"


# Times


@pytest.mark.parametrize("time", [0, NOW - 301, NOW + 301, 2**40, 2**63 - 1])
async def test_a_clock_that_is_wrong_keeps_nothing_from_arriving_and_is_told(
    sent: Sent, time: int
) -> None:
    await sent.say(sent.true(time).encoded)
    await sent.until_delivered()
    (kept,) = sent.bob.engine.receipts.find(sent.photo)
    assert (kept.time, kept.received, kept.clock_differs) == (time, NOW, True)


@pytest.mark.parametrize("time", [NOW - 300, NOW + 300])
async def test_clocks_may_differ_by_five_minutes(sent: Sent, time: int) -> None:
    await sent.say(sent.true(time).encoded)
    await sent.until_delivered()
    (kept,) = sent.bob.engine.receipts.find(sent.photo)
    assert not kept.clock_differs


# Through somebody who kept them


async def held(sent: Sent, receipt: bytes) -> None:
    """Mallory hands on a receipt as if she had kept it, until Bob says that he needs it no more."""
    await sent.conversation.say(HeldReceipt(sent.envelope_hash, receipt))
    done = await sent.conversation.wait_for(HeldDone)
    assert done == HeldDone(sent.envelope_hash, b"")


async def test_a_receipt_that_somebody_kept_delivers_a_photo(sent: Sent) -> None:
    await held(sent, sent.true().encoded)
    assert sent.bob.delivery_state(sent.photo) == "delivered"
    (kept,) = sent.bob.engine.receipts.find(sent.photo)
    assert bytes.fromhex(kept.encoded) == sent.true().encoded


@pytest.mark.parametrize("forged", FORGED)
async def test_who_hands_on_a_forged_receipt_is_thanked_and_not_believed(
    sent: Sent, forged: str
) -> None:
    """It may be the device that is to blame, and not who kept it."""
    await held(sent, FORGED[forged](sent))
    assert sent.bob.delivery_state(sent.photo) == "queued"
    assert sent.bob.engine.receipts.find(sent.photo) == []
    await sent.say(sent.true().encoded)
    await sent.until_delivered()


@pytest.mark.parametrize("time", [0, NOW - 301, NOW + 301, 2**63 - 1])
async def test_a_receipt_that_was_kept_must_be_of_the_time_of_its_delivery(
    sent: Sent, time: int
) -> None:
    await held(sent, sent.true(time).encoded)
    assert sent.bob.delivery_state(sent.photo) == "queued"
    assert sent.bob.engine.receipts.find(sent.photo) == []


async def test_an_old_receipt_does_not_deliver_the_same_photo_once_more(
    sent: Sent, clock: Clock
) -> None:
    """The device may have removed it: it is sent again, under another grant."""
    old = sent.true().encoded
    await sent.say(old)
    await sent.until_delivered()
    clock.time += 5 * MINUTES + 1
    steps = sent.bob.engine.grant(
        [sent.photo], ["Mallory"], metadata="original", until=clock.time + MINUTES, wait=False
    )
    async for _ in steps:
        pass
    again = replace(sent, offer=await sent.conversation.wait_for(Offer))
    assert again.photo == sent.photo
    await held(again, old)
    states = {
        delivery.envelope_hash: delivery.state
        for delivery in sent.bob.parts.library.deliveries(bytes.fromhex(sent.photo))
    }
    assert states == {sent.envelope_hash: "delivered", again.envelope_hash: "queued"}
    await held(again, again.true(clock.time).encoded)
    assert len(sent.bob.engine.receipts.find(sent.photo)) == 2


async def test_a_receipt_of_a_photo_that_was_removed_meanwhile_need_not_be_kept(
    sent: Sent,
) -> None:
    receipt = sent.true().encoded
    await sent.bob.engine.remove(sent.photo, force=True)
    await held(sent, receipt)
    assert sent.bob.parts.database.value("SELECT count(*) FROM receipts") == 0


async def test_a_device_that_was_revoked_delivers_nothing(three: Three, picture: Picture) -> None:
    """Who stole it has its key."""
    bob, outbox = three.bob, three.bob.parts.outbox
    item = await bob.share_one(picture(), "Anna")
    photo = bob.parts.library.photo(bytes.fromhex(item.photo_id or ""))
    assert photo is not None
    three.revoke()
    await three.heard()
    (delivery,) = (
        each for each in bob.parts.library.deliveries(photo.photo_id) if each.device == three.lost
    )
    key = three.phone.parts.device.signing
    stolen = Receipt.sign(key, bob.identity, photo.record.content_id, NOW).encoded
    over: list[bool] = []
    outbox.receipt_held(HeldReceipt(delivery.envelope_hash, stolen), lambda: over.append(True))
    await eventually(lambda: bool(over))
    states = {
        each.device: (each.state, each.code)
        for each in bob.parts.library.deliveries(photo.photo_id)
    }
    assert states[three.lost] == ("refused", "device-revoked")
    assert bob.engine.receipts.find(photo.photo_id.hex()) == []


# What is signed here


async def test_a_receipt_says_what_is_here_since_when_and_is_the_same_whenever_it_is_asked_for(
    attacked: Attacked, clock: Clock
) -> None:
    forgery = Forgery.by(attacked.mallory)
    offer = forgery.offer()
    answers: list[bytes] = []
    for _ in range(2):
        async with attacked.mallory.connected() as conversation:
            conversation.react = forgery.serve()
            await conversation.say(offer)
            answers.append((await conversation.wait_for(Delivered)).receipt)
        clock.time += 1000
        await attacked.bob.restart()
        attacked.mallory._address = replace(  # pyright: ignore[reportPrivateUsage]
            attacked.mallory._address,  # pyright: ignore[reportPrivateUsage]
            port=attacked.bob.parts.listener.port,
        )
    first, again = answers
    assert first == again
    receipt = Receipt.decode(first)
    device = attacked.bob.parts.device.signing.public
    content_id = forgery.sealed_record().content_id
    assert receipt.acknowledges(device, attacked.mallory.device.identity, content_id)
    assert (receipt.time, receipt.commitment) == (NOW, b"")


async def test_nothing_is_signed_for_a_photo_that_was_removed(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    offer = forgery.offer()
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve()
        await conversation.say(offer)
        await conversation.wait_for(Delivered)
        await attacked.bob.engine.remove(forgery.photo_id.hex(), force=False)
        await conversation.say(offer)
        assert (await conversation.wait_for(OfferRefused)).code == 23


# Older versions


@pytest.fixture
def second_version(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (messages, session):
        monkeypatch.setattr(module, "VERSIONS", (2, 1))


@pytest.mark.usefixtures("second_version")
async def test_a_node_of_before_receipts_delivers_by_its_word_and_that_is_said(
    attacked: Attacked, picture: Picture
) -> None:
    async with sent_by(attacked.bob, attacked.mallory, picture) as sent:
        await sent.conversation.say(Stored(sent.envelope_hash))
        await sent.until_delivered()
    assert attacked.bob.engine.receipts.find(sent.photo) == []
    (delivery,) = attacked.bob.engine.photo(sent.photo).deliveries
    assert delivery.receipt is None
    with pytest.raises(UnsignedDeliveryError):
        await attacked.bob.engine.remove(sent.photo, force=False)
    removed = await attacked.bob.engine.remove(sent.photo, force=True)
    assert removed.people == ["Mallory"]


@pytest.mark.usefixtures("second_version")
async def test_a_node_of_before_receipts_is_told_in_its_own_words(attacked: Attacked) -> None:
    forgery = Forgery.by(attacked.mallory)
    async with attacked.mallory.connected() as conversation:
        conversation.react = forgery.serve()
        await conversation.say(forgery.offer())
        await conversation.wait_for(Stored)


async def test_who_keeps_a_receipt_keeps_it_until_it_is_noted_durably(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk shows when the transaction is to be committed; the node may end before it is."""
    transaction, failed = Database.transaction, list[bool]()

    @contextmanager
    def full(database: Database) -> Generator[None]:
        within = database.in_transaction
        with transaction(database):
            yield
            if not within:
                failed.append(True)
                raise DiskFullError

    def note(message: Message) -> list[Message]:
        came.append(type(message))
        return []

    came = list[type[Message]]()
    sent.conversation.react = note
    receipt = HeldReceipt(sent.envelope_hash, sent.true().encoded)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", full)
        await sent.conversation.say(receipt)
        await eventually(lambda: bool(failed))
    await sent.conversation.say(FetchHeld(1, bytes(32), bytes(32), True, ((0, 1),), 1))
    await sent.conversation.wait_for(FetchRefused)
    assert HeldDone not in came
    assert sent.bob.delivery_state(sent.photo) != "delivered"
    await sent.conversation.say(receipt)
    await sent.conversation.wait_for(HeldDone)
    assert sent.bob.delivery_state(sent.photo) == "delivered"
