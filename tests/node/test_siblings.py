"""What one device of a person has, the others have: whole nodes over pipes that are queues."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from kinlight.node import cataloguing
from kinlight.node.addresses import Address
from kinlight.node.depositing import AWAY_SECONDS
from kinlight.node.sibling_trash import TRASH_SECONDS
from kinlight.protocol.sibling_ledger import Taken
from PIL import Image

from .conftest import Picture, Start
from .nodes import NOW, Clock, TestedNode, random_bytes
from .siblings import Pair, are_linked, sibling_of
from .three import imported, revoke


def meet(node: TestedNode, contact: TestedNode) -> None:
    """As when discovery has seen where a contact is."""
    place = Address("127.0.0.1", contact.parts.listener.port)
    node.parts.whereabouts.reached(contact.identity, place, NOW)
    node.parts.peers.nudge()


def meet_device(node: TestedNode, other: TestedNode) -> None:
    place = Address("127.0.0.1", other.parts.listener.port)
    node.parts.whereabouts.reached(other.parts.device.chain.device, place, NOW)
    node.parts.peers.forget_refusals()
    node.parts.peers.nudge()


def here(node: TestedNode, photo: str) -> bool:
    return node.parts.library.photo(bytes.fromhex(photo)) is not None


def states(node: TestedNode, photo: str) -> list[str]:
    return [each.state for each in node.engine.photo(photo).deliveries]


def names(node: TestedNode) -> list[str]:
    return [contact.name for contact in node.parts.library.contacts()]


def holds(node: TestedNode, name: str) -> bool:
    return node.parts.mailboxes.standing(node.parts.library.contact(name).identity) == "offered"


def records(node: TestedNode) -> list[bytes]:
    return [row[0] for row in node.parts.database.rows("SELECT record FROM sibling_records")]


def equal(one: TestedNode, other: TestedNode) -> bool:
    return one.parts.sibling_parts.siblings.book.ledger.vector == (
        other.parts.sibling_parts.siblings.book.ledger.vector
    )


async def test_a_contact_of_one_device_is_one_of_the_others_and_notices_nothing(pair: Pair) -> None:
    await pair.phone.until(lambda: bool(pair.phone.parts.library.contacts()))
    (known,) = pair.phone.parts.library.contacts()
    assert known == pair.laptop.parts.library.contact("Bob")
    meet(pair.phone, pair.bob)
    await pair.bob.until(lambda: len(pair.bob.parts.peers.links(pair.phone.identity)) == 2)


async def test_what_is_said_of_a_contact_goes_both_ways(pair: Pair) -> None:
    await pair.phone.until(lambda: bool(pair.phone.parts.library.contacts()))
    await pair.phone.engine.update_contact("Bob", rename="Bobby", accept="always")
    await pair.laptop.engine.update_contact("Bob", metadata="clean")
    await pair.laptop.until(lambda: names(pair.laptop) == ["Bobby"])
    await pair.phone.until(lambda: pair.phone.parts.library.contact("Bobby").metadata == "clean")
    assert pair.laptop.parts.library.contact("Bobby") == pair.phone.parts.library.contact("Bobby")


async def test_a_photo_of_one_device_comes_to_the_other_byte_for_byte(
    pair: Pair, tmp_path: Path
) -> None:
    file = tmp_path / "beach.jpg"
    file.write_bytes(random_bytes("beach", 300_000))
    photo = await imported(pair.laptop, file)
    await pair.phone.until(lambda: pair.phone.parts.library.photo(bytes.fromhex(photo)) is not None)
    (tmp_path / "out").mkdir()
    written = await pair.phone.engine.export(photo, tmp_path / "out", keep_both=False)
    assert written.sha256 == hashlib.sha256(random_bytes("beach", 300_000)).hexdigest()
    assert [item.id for item in pair.phone.engine.collection.search()] == [photo]


async def test_each_photo_of_one_device_is_found_by_what_is_in_it_on_the_other(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cataloguing, "PAUSE_SECONDS", 0.0)
    catalogue = pair.phone.parts.catalogue
    for number in range(2):  # the second comes when all that was there has been looked at
        file = tmp_path / f"{number}.jpg"
        Image.new("RGB", (40, 30 + number)).save(file)
        photo = bytes.fromhex(await imported(pair.laptop, file))
        await pair.phone.until(lambda photo=photo: catalogue.facts(photo) is not None)


async def test_a_photo_that_came_to_one_device_comes_to_the_other_with_its_grant(
    pair: Pair, picture: Picture
) -> None:
    await pair.laptop.engine.update_contact("Bob", accept="always")
    item = await pair.bob.share_one(picture(), "Anna", until=NOW + 1000)
    photo = item.photo_id or ""
    await pair.phone.until(lambda: pair.phone.inbox_state(photo) == "stored")
    found = pair.phone.engine.photo(photo)
    assert (found.author, found.own, found.expires) == ("Bob", False, NOW + 1000)


async def test_what_is_removed_on_one_device_is_gone_on_the_other(
    pair: Pair, clock: Clock, picture: Picture
) -> None:
    photo = await imported(pair.laptop, picture())
    await pair.phone.until(lambda: here(pair.phone, photo))
    await pair.phone.engine.remove(photo, force=False)
    await pair.laptop.until(lambda: not here(pair.laptop, photo))
    assert not pair.phone.blob_files()
    (lies,) = pair.laptop.engine.device_photos.removed()
    assert (lies.id, lies.until) == (photo, NOW + TRASH_SECONDS)
    clock.time += TRASH_SECONDS
    assert pair.laptop.parts.sibling_parts.trash.empty() == 1
    assert not pair.laptop.blob_files()


async def test_what_was_removed_on_one_device_can_be_brought_back_on_the_other(
    pair: Pair, picture: Picture
) -> None:
    photo = await imported(pair.laptop, picture())
    pair.laptop.engine.tag([photo], add=["Sea"], remove=[], sensitivity=None)
    await pair.phone.until(lambda: here(pair.phone, photo))
    await pair.phone.engine.remove(photo, force=False)
    await pair.laptop.until(lambda: not here(pair.laptop, photo))
    assert pair.laptop.engine.device_photos.bring_back([photo[:8]]) == [photo]
    await pair.phone.until(lambda: here(pair.phone, photo))
    assert pair.laptop.engine.device_photos.removed() == []
    await pair.phone.until(lambda: pair.phone.engine.photo(photo).tags == ["Sea"])


async def test_what_was_removed_and_came_again_outlasts_what_lay_in_the_trash(
    pair: Pair, clock: Clock, picture: Picture
) -> None:
    """Its blobs are those of the photo that is here now."""
    laptop = pair.laptop
    photo = await imported(laptop, picture())
    await pair.phone.until(lambda: here(pair.phone, photo))
    was = laptop.parts.library.photo(bytes.fromhex(photo))
    assert was is not None
    await pair.phone.engine.remove(photo, force=False)
    await laptop.until(lambda: not here(laptop, photo))
    laptop.parts.library.add_photo(was.record, was.metadata, (), bytes(32), NOW)
    assert laptop.engine.device_photos.removed() == []
    clock.time += TRASH_SECONDS
    assert laptop.parts.sibling_parts.trash.empty() == 0
    assert laptop.parts.library.blob(was.record.content_id) is not None
    assert laptop.blob_files()


async def test_what_a_thief_removed_is_back_when_the_device_is_taken_back(
    pair: Pair, picture: Picture, tmp_path: Path
) -> None:
    """The tablet hears of it, the laptop does not: up to where it heard the phone counts."""
    environment = pair.laptop.environment
    tablet = await sibling_of(pair.laptop, tmp_path / "tablet", environment)
    photo = await imported(pair.laptop, picture())
    await pair.phone.until(lambda: here(pair.phone, photo))
    await tablet.until(lambda: here(tablet, photo))
    await pair.laptop.until(lambda: equal(pair.laptop, pair.phone))
    await pair.laptop.stop()
    meet_device(tablet, pair.phone)
    await tablet.until(lambda: are_linked(tablet, pair.phone))
    await pair.phone.engine.remove(photo, force=False)
    await tablet.until(lambda: not here(tablet, photo))
    phone = pair.phone.parts.device.chain.device
    await pair.phone.stop()
    await pair.laptop.start()
    revoke(pair.laptop, device=phone.hex())
    meet_device(tablet, pair.laptop)
    await tablet.until(lambda: here(tablet, photo))
    assert here(pair.laptop, photo)
    await tablet.stop()


async def test_words_albums_and_how_delicate_photos_are_go_along(
    pair: Pair, picture: Picture
) -> None:
    photo = await imported(pair.laptop, picture())
    pair.laptop.engine.tag([photo], add=["Beach", "Sun"], remove=[], sensitivity="high")
    pair.laptop.parts.catalogue.put_into("Summer", [bytes.fromhex(photo)], NOW)
    await pair.phone.until(lambda: here(pair.phone, photo))
    await pair.phone.until(lambda: pair.phone.engine.photo(photo).albums == ["Summer"])
    await pair.phone.until(lambda: pair.phone.engine.photo(photo).sensitivity == "high")
    assert pair.phone.engine.photo(photo).tags == ["Beach", "Sun"]
    pair.phone.engine.tag([photo], add=["sea"], remove=["beach"], sensitivity=None)
    await pair.laptop.until(lambda: pair.laptop.engine.photo(photo).tags == ["sea", "Sun"])


async def test_rules_of_one_device_hold_on_the_other(pair: Pair) -> None:
    await pair.phone.until(lambda: bool(pair.phone.parts.library.contacts()))
    text = """[[rule]]\nname = "all"\neffect = "allow"\nactions = ["view"]\n"""
    pair.laptop.engine.rules.put(text)
    await pair.phone.until(lambda: pair.phone.engine.rules.text() == text)
    assert pair.phone.engine.rules.there


async def test_nothing_is_said_twice_when_all_is_told(pair: Pair, picture: Picture) -> None:
    await imported(pair.laptop, picture())
    await pair.phone.until(lambda: equal(pair.laptop, pair.phone))
    said = {node: records(node) for node in (pair.laptop, pair.phone)}
    for node in said:
        node.parts.database.write(
            "INSERT OR IGNORE INTO sibling_changes SELECT kind, subject FROM sibling_records"
        )
        await node.parts.sibling_parts.siblings.say_all()
        assert records(node) == said[node]


async def test_a_photo_that_only_a_lost_device_could_open_reaches_its_sibling(
    pair: Pair, start: Start, clock: Clock, picture: Picture
) -> None:
    """Bob knows the laptop alone, and leaves the photo with a holder; the laptop opens the envelope
    there and is lost before it has the photo. The phone has all that it takes."""
    holder = await start("Holder")
    await pair.laptop.pair_with(holder)
    await pair.bob.pair_with(holder)
    holder.engine.hold.turn_on([])
    await pair.laptop.until(lambda: holds(pair.laptop, "Holder"))
    await pair.laptop.engine.update_contact("Holder", holder=True)
    await pair.bob.until(lambda: pair.bob.parts.mailboxes.of(pair.laptop.identity) is not None)
    await pair.phone.until(lambda: len(names(pair.phone)) == 2)
    await pair.phone.stop()
    await pair.laptop.stop()
    item = await pair.bob.share_one(picture(), "Anna", wait=False)
    photo = item.photo_id or ""
    clock.time += AWAY_SECONDS
    pair.bob.parts.depositing.tell()
    await pair.bob.until(lambda: "held" in states(pair.bob, photo))
    await pair.bob.stop()
    await pair.laptop.start()
    await pair.laptop.until(lambda: pair.laptop.inbox_state(photo) == "waiting")
    await holder.stop()
    pair.laptop.engine.decide(photo, accept=True)
    await pair.phone.start()
    at_sibling = pair.phone.parts.library.is_at_sibling
    await pair.phone.until(lambda: at_sibling(bytes.fromhex(photo)))
    await pair.laptop.stop()
    await holder.start()
    meet(pair.phone, holder)
    await pair.phone.until(lambda: here(pair.phone, photo))


async def test_a_revoked_device_gets_nothing_new_and_nothing_that_it_says_counts(
    pair: Pair, picture: Picture
) -> None:
    first = await imported(pair.laptop, picture())
    await pair.phone.until(lambda: here(pair.phone, first))
    await pair.laptop.until(lambda: equal(pair.laptop, pair.phone))
    phone = pair.phone.parts.device.chain.device
    revoke(pair.laptop, device=phone.hex())
    await pair.laptop.until(lambda: not are_linked(pair.laptop, pair.phone))
    second = await imported(pair.laptop, picture())
    thief = await imported(pair.phone, picture())
    await pair.phone.parts.sibling_parts.siblings.say_all()
    pair.phone.parts.peers.forget_refusals()
    pair.phone.parts.peers.nudge()
    book = pair.laptop.parts.sibling_parts.siblings.book
    assert book.ledger.cut(phone) == book.store.head(phone)
    assert not here(pair.phone, second)
    assert not here(pair.laptop, thief)
    (said,) = pair.phone.parts.sibling_parts.store.about("photo", bytes.fromhex(thief))
    assert book.ledger.take(said, NOW) is Taken.VOID
