"""A device of one's own that lies: stolen and not taken back yet, or taken back and still there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kinlight.crypto.signing import SigningKey
from kinlight.protocol.certificates import Certificates
from kinlight.protocol.messages import FetchHeld, FetchRefused, Message, Offer
from kinlight.protocol.sibling_messages import (
    SiblingAll,
    SiblingHave,
    SiblingKept,
    SiblingPreview,
    SiblingRecords,
)
from kinlight.protocol.siblings import SiblingRecord, moment_of, present

from .conftest import Picture
from .nodes import NOW, TestedNode
from .people import device_of
from .siblings import Pair, are_linked
from .three import imported, revoke


def says(node: TestedNode, *messages: Message) -> None:
    """The device says what no honest one would."""
    (standing,) = node.parts.peers.siblings()
    for message in messages:
        standing.link.post(message)


def papers(node: TestedNode) -> bytes:
    return Certificates(node.parts.device.chain.certificates).encode()


def record(node: TestedNode, moment: int, name: str, key: SigningKey | None = None) -> bytes:
    device, contact = node.parts.device, node.parts.library.contacts()[0]
    made = SiblingRecord.sign(
        key or device.signing, device.identity, moment, "contact-name", contact.identity,
        present(name),
    )  # fmt: skip
    return made.encoded


def names(node: TestedNode) -> list[str]:
    return [contact.name for contact in node.parts.library.contacts()]


@pytest.fixture
async def known(pair: Pair) -> Pair:
    await pair.phone.until(lambda: names(pair.phone) == ["Bob"])
    return pair


def lies(pair: Pair) -> Iterator[Message]:
    """What ends the link."""
    phone, mallory = pair.phone, device_of("Mallory")
    now = moment_of(NOW)
    yield SiblingRecords(papers(phone), (record(phone, now, "Eve", mallory.signing),))
    yield SiblingRecords(b"", (record(phone, now, "Eve"),))
    yield SiblingRecords(
        Certificates(mallory.chain.certificates).encode(),
        (
            SiblingRecord.sign(
                mallory.signing, mallory.identity, now, "rules", b"", present()
            ).encoded,
        ),
    )
    yield SiblingRecords(papers(phone), (record(phone, now, "Eve")[:-1],))
    yield SiblingPreview(bytes(16), b"", b"", 0, 0)
    yield Offer(b"envelope")


async def test_what_no_device_of_ours_says_ends_the_link_and_changes_nothing(known: Pair) -> None:
    laptop, phone = known.laptop, known.phone
    for lie in lies(known):
        await laptop.until(lambda: are_linked(laptop, phone) and are_linked(phone, laptop))
        (link,) = [standing.link for standing in laptop.parts.peers.siblings()]
        says(phone, lie)
        await laptop.until(link.ended.is_set)
        phone.parts.peers.nudge()
        laptop.parts.peers.nudge()
        assert names(laptop) == ["Bob"]


async def test_a_name_from_the_future_does_not_count_and_a_false_claim_leaves_no_gap(
    known: Pair,
) -> None:
    laptop, phone = known.laptop, known.phone
    device = phone.parts.device.signing.public
    says(
        phone,
        SiblingRecords(papers(phone), (record(phone, moment_of(NOW + 400), "Future"),)),
        SiblingAll(((device, 2**63 - 1),)),
        SiblingHave(0, ()),
        SiblingKept((bytes(16),)),
    )
    await phone.engine.update_contact("Bob", rename="Bobby")
    await laptop.until(lambda: names(laptop) == ["Bobby"])
    ledger, store = laptop.parts.sibling_parts.siblings.book.ledger, phone.parts.sibling_parts.store
    await laptop.until(lambda: ledger.vector.get(device) == store.head(device))


async def test_a_value_that_is_none_and_a_kind_of_a_later_version_stop_nothing(
    known: Pair,
) -> None:
    laptop, phone = known.laptop, known.phone
    signing, identity = phone.parts.device.signing, phone.identity
    kinds = ["contact-accept", "rules", "photo", "grant", "holder", "mailbox", "shared-album",
             "album-key", "tag", "contact-device", "some-later-kind", "shown", "attestation",
             "album-hidden", "contact", "sensitivity", "album", "cut"]  # fmt: skip
    contact = phone.parts.library.contacts()[0].identity
    records = [
        SiblingRecord.sign(
            signing, identity, moment_of(NOW) + number, kinds[number // 2], subject, value
        ).encoded
        for number in range(2 * len(kinds))
        for subject, value in [(contact if number % 2 else b"x", present(b"none", [1], "such"))]
    ]
    says(phone, SiblingRecords(papers(phone), tuple(records)), SiblingAll(()))
    await phone.engine.update_contact("Bob", rename="Bobby")
    await laptop.until(lambda: names(laptop) == ["Bobby"])
    assert are_linked(laptop, phone)
    later = laptop.parts.sibling_parts.store.about("some-later-kind", b"x")
    assert len(later) == 1


async def test_blobs_go_only_to_who_shows_their_token(known: Pair, picture: Picture) -> None:
    laptop, phone = known.laptop, known.phone
    photo = bytes.fromhex(await imported(laptop, picture()))
    await phone.until(lambda: phone.parts.library.photo(photo) is not None)
    found = phone.parts.library.photo(photo)
    assert found is not None
    (sibling,) = phone.parts.siblings()
    answers: list[FetchRefused] = []
    sibling._fetcher.refused = answers.append  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage]
    says(phone, FetchHeld(9, found.record.content_id, bytes(32), True, ((0, 1),), 1))
    await phone.until(lambda: [each.request for each in answers] == [9])


async def test_a_device_that_was_taken_back_is_told_nothing_more(
    known: Pair, picture: Picture
) -> None:
    laptop, phone = known.laptop, known.phone
    revoke(laptop, device=phone.parts.device.chain.device.hex())
    await laptop.until(lambda: not are_linked(laptop, phone))
    sent = laptop.engine.events.counters.pieces_sent
    await imported(laptop, picture())
    await laptop.engine.update_contact("Bob", rename="Robert")
    phone.parts.peers.forget_refusals()
    phone.parts.peers.nudge()
    await laptop.parts.sibling_parts.siblings.say_all()
    assert names(phone) == ["Bob"]
    assert laptop.engine.events.counters.pieces_sent == sent
