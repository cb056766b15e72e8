"""From the 24 words and what contacts keep: everything comes back, and nothing that is not ours."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.crypto.wrap import KemKey
from kinlight.node import keys
from kinlight.node.environment import Environment
from kinlight.node.errors import OtherWordsError
from kinlight.node.mallory import Mallory
from kinlight.node.views_recovery import Recovery
from kinlight.protocol import backup
from kinlight.protocol.backup import ContactsBackup, KeptContact
from kinlight.protocol.messages import Collect, HeldEnd, HeldItem, Message
from kinlight.protocol.padding import seal_padded

from .conftest import Picture, Start, Ways
from .network import Network
from .nodes import NOW, PASSPHRASE, Clock, TestedNode
from .test_held_delivery import introduced, knows_mailbox
from .three import imported

LATER = NOW + 86_400
Anew = Callable[[RecoveryWords], Awaitable[TestedNode]]


@dataclass(frozen=True, slots=True)
class Lost:
    """Anna backs up at Bob and knows Carol; her machine may be gone at any moment."""

    anna: TestedNode
    bob: TestedNode
    carol: TestedNode
    pictures: dict[str, Path]

    async def is_lost(self) -> None:
        await self.anna.stop()
        await self.bob.until(lambda: not self.bob.connected_to(self.anna))

    def held(self) -> int:
        count: int = self.bob.parts.database.value("SELECT count(*) FROM held_items")
        return count


async def backed_up(anna: TestedNode, holder: TestedNode, count: int) -> None:
    """Anna lets somebody keep a backup, and all of it is there."""
    holder.engine.hold.turn_on([], backup=["Anna"])
    await anna.until(lambda: anna.engine.contact(holder.name).backup == "offered")
    await anna.engine.update_contact(holder.name, holder=True, backup=True)
    await holder.until(lambda: knows_mailbox(holder, anna))
    anna.parts.backing_up.tell()
    await anna.until(lambda: anna.engine.contact(holder.name).backed_up == count)
    sql = "SELECT count(*) FROM held_items WHERE position IS NOT NULL"
    await holder.until(lambda: holder.parts.database.value(sql) == count + 2)


@pytest.fixture
async def lost(network: Network, start: Start, picture: Picture) -> Lost:
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    await introduced(anna, bob, carol)
    pictures = {
        await imported(anna, path): path
        for path in (picture(), picture(length=700_000), picture(length=3_000))
    }
    await backed_up(anna, bob, 3)
    return Lost(anna, bob, carol, pictures)


@pytest.fixture
def anew(start: Start, tmp_path: Path, clock: Clock, ways: Ways) -> Anew:
    """Anna's new machine: nothing but the words."""
    del start  # it ends after these

    async def one(words: RecoveryWords) -> TestedNode:
        environment = Environment(clock, ways.dial, ways.listen)
        node = TestedNode(tmp_path / "homes" / "anew", "Anna", environment, words)
        await node.start()
        return node

    return one


async def over(node: TestedNode, state: str = "done") -> Recovery:
    await node.until(lambda: node.engine.recovery.view().state == state)
    return node.engine.recovery.view()


async def exported(node: TestedNode, photo: str, folder: Path) -> bytes:
    done = await node.engine.export(photo, folder, keep_both=True)
    return await asyncio.to_thread(Path(done.path).read_bytes)


async def test_with_words_and_one_holder_photos_and_contacts_are_back_byte_for_byte(
    lost: Lost, anew: Anew, tmp_path: Path
) -> None:
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    assert anna.engine.recovery.begin(lost.anna.words).state == "waiting"
    await lost.bob.pair_with(anna)
    result = await over(anna)
    assert (result.photos, result.contacts) == (3, 2)
    for photo, path in lost.pictures.items():
        assert await exported(anna, photo, tmp_path) == path.read_bytes()
        assert anna.engine.photo(photo).name == path.name
        assert anna.engine.photo(photo).own
    assert {contact.name for contact in anna.engine.contacts()} == {"Bob", "Carol"}
    assert lost.held() == 5  # what was read stays
    await anna.stop()


async def recovered(lost: Lost, anew: Anew) -> TestedNode:
    """Anna's new machine, with all that Bob has."""
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words)
    await lost.bob.pair_with(anna)
    await over(anna)
    return anna


async def test_a_contact_that_came_back_is_shared_with_as_before_and_sees_no_difference(
    lost: Lost, anew: Anew, picture: Picture
) -> None:
    before = lost.carol.engine.contact("Anna")
    anna = await recovered(lost, anew)
    await anna.engine.reach("Carol", lost.carol.address)
    await anna.until(lambda: anna.connected_to(lost.carol))
    old, new = next(iter(lost.pictures.values())), picture()
    for path in (old, new):
        item = await anna.share_one(path, "Carol")
        assert item.state == "delivered", item
    after = lost.carol.engine.contact("Anna")
    assert after.safety_number == before.safety_number
    assert (after.verified, after.accept) == (before.verified, "always")
    assert len(lost.carol.engine.contacts()) == 2
    names = {item.sha256 for item in lost.carol.engine.inbox()}
    assert hashlib.sha256(old.read_bytes()).hexdigest() in names
    await anna.stop()


async def test_what_came_back_can_be_backed_up_again(lost: Lost, anew: Anew, start: Start) -> None:
    anna = await recovered(lost, anew)
    dora = await start("Dora")
    await introduced(anna, dora)
    await backed_up(anna, dora, 3)
    kept = dora.parts.database.rows("SELECT envelope FROM held_items")
    assert len(kept) == 5
    await anna.stop()


async def test_the_key_of_the_words_is_kept_only_until_all_is_here(lost: Lost, anew: Anew) -> None:
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words)
    seed = lost.anna.words.recovery_kem_seed().reveal()
    assert seed in (anna.parts.library.setting("recovery") or b"")
    await lost.bob.pair_with(anna)
    await over(anna)
    assert anna.parts.library.setting("recovery") == b""
    await anna.stop()


async def test_it_goes_on_after_a_start_anew_without_the_words(lost: Lost, anew: Anew) -> None:
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words)
    await anna.restart()
    assert anna.engine.recovery.view().state == "waiting"
    await lost.bob.pair_with(anna)
    assert (await over(anna)).photos == 3
    await anna.restart()
    assert anna.engine.recovery.view().state == "done"
    await anna.stop()


async def test_a_node_that_has_photos_keeps_them_as_they_are_and_gets_the_others(
    lost: Lost, anew: Anew, picture: Picture
) -> None:
    anna = await recovered(lost, anew)
    new = await imported(anna, picture())
    gone, stays, _ = lost.pictures
    await anna.engine.remove(gone, force=True)
    anna.engine.tag([stays], add=["sea"], remove=[], sensitivity=None)
    secret = anna.parts.library.contact("Bob").pair_secret
    anna.engine.recovery.begin(lost.anna.words)
    result = await over(anna)
    assert result.photos == 3
    assert {item.id for item in anna.engine.collection.search()} == {*lost.pictures, new}
    assert anna.engine.photo(stays).tags == ["sea"]
    assert anna.parts.library.contact("Bob").pair_secret == secret
    await anna.stop()


async def test_a_photo_of_somebody_else_comes_back_with_the_grant_it_came_by(
    lost: Lost, anew: Anew, picture: Picture, tmp_path: Path
) -> None:
    path = picture(length=9_000)
    item = await lost.carol.share_one(path, "Anna")
    await lost.anna.until(lambda: lost.anna.inbox_state(item.photo_id or "") == "stored")
    lost.anna.parts.backing_up.tell()
    await lost.anna.until(lambda: lost.anna.engine.contact("Bob").backed_up == 4)
    anna = await recovered(lost, anew)
    photo = anna.engine.photo(item.photo_id or "")
    assert (photo.own, photo.author, photo.senders) == (False, "Carol", ["Carol"])
    assert await exported(anna, photo.id, tmp_path) == path.read_bytes()
    await anna.stop()


async def test_words_of_another_identity_change_nothing(lost: Lost) -> None:
    with pytest.raises(OtherWordsError):
        lost.anna.engine.recovery.begin(RecoveryWords(Secret(bytes(32))))
    assert lost.anna.engine.recovery.view().state == "off"


async def test_with_the_words_of_somebody_else_a_holder_has_nothing(lost: Lost, anew: Anew) -> None:
    words = RecoveryWords(Secret(bytes(32)))
    anna = await anew(words)
    anna.engine.recovery.begin(words)
    await lost.bob.pair_with(anna)
    await anna.until(lambda: [each.state for each in view(anna).holders] == ["here"])
    assert view(anna).state == "waiting"
    assert view(anna).holders[0].entries == 0
    await anna.stop()


def view(node: TestedNode) -> Recovery:
    return node.engine.recovery.view()


def leave(lost: Lost, envelope: bytes, number: int = 0) -> None:
    """Bob shows something as if Anna had left it."""
    owner, position = lost.anna.identity, 1_000 + number
    lost.bob.parts.database.write(
        "INSERT INTO held_items (envelope_hash, depositor, owner, envelope, received, expires,"
        " position) VALUES (?, ?, ?, ?, 0, 9999999999, ?)",
        hashlib.sha256(envelope).digest(), owner, owner, envelope, position,
    )  # fmt: skip


def contacts_of(*people: str) -> ContactsBackup:
    """An entry that names these, of whom nobody has heard."""
    made = [
        KeptContact(
            SigningKey(Secret(hashlib.sha256(name.encode()).digest())).public, name,
            Secret(bytes(32)), verified=True,
        )
        for name in people
    ]  # fmt: skip
    (entry,) = ContactsBackup.all_of(made)
    return entry


def forged(lost: Lost, entry: ContactsBackup, time: int) -> bytes:
    """An entry by Bob, sealed to Anna's words: her contacts know that key."""
    bob = lost.bob.parts.device
    papers: Value = [each.signed.to_value() for each in bob.chain.certificates]
    body: Value = [1, "bak", bob.signing.public, papers, time, *entry.to_value()]
    kem = KemKey(lost.anna.words.recovery_kem_seed()).public
    info = encoding.encode(["kinlight/bak1", lost.anna.identity, hashlib.sha256(kem).digest()])
    return seal_padded(kem, info, bob.signing.sign_value(backup.BACKUP_DOMAIN, body))


async def test_entries_of_somebody_else_and_forged_ones_count_for_nothing_and_are_told(
    lost: Lost, anew: Anew
) -> None:
    leave(lost, backup.seal(lost.bob.parts.device, contacts_of("Mallory"), LATER))
    leave(lost, forged(lost, contacts_of("Mallory"), LATER), 1)
    leave(lost, b"nothing at all", 2)
    anna = await recovered(lost, anew)
    assert {contact.name for contact in anna.engine.contacts()} == {"Bob", "Carol"}
    (holder,) = view(anna).holders
    assert holder.refused == {"seal-broken": 2, "bad-certificate": 1}
    assert holder.entries == 5
    await anna.stop()


async def test_of_contacts_the_latest_count_and_old_ones_shown_again_do_not(
    lost: Lost, anew: Anew
) -> None:
    leave(lost, backup.seal(lost.anna.parts.device, contacts_of("Mallory"), NOW - 1))
    anna = await recovered(lost, anew)
    assert {contact.name for contact in anna.engine.contacts()} == {"Bob", "Carol"}
    assert not view(anna).forked
    await anna.stop()


async def test_two_devices_that_left_different_contacts_are_told_and_the_later_count(
    lost: Lost, anew: Anew, tmp_path: Path
) -> None:
    other = TestedNode(tmp_path / "other", "Anna", lost.anna.environment, lost.anna.words)
    device = keys.unlock(other.home, PASSPHRASE).device
    leave(lost, backup.seal(device, contacts_of("Frida"), LATER))
    anna = await recovered(lost, anew)
    assert {contact.name for contact in anna.engine.contacts()} == {"Bob", "Frida"}
    assert view(anna).forked
    assert {each.last for each in view(anna).devices} == {NOW, LATER}
    await anna.stop()


async def test_entries_of_a_device_that_was_stolen_can_be_left_out(
    lost: Lost, anew: Anew, tmp_path: Path
) -> None:
    other = TestedNode(tmp_path / "other", "Anna", lost.anna.environment, lost.anna.words)
    device = keys.unlock(other.home, PASSPHRASE).device
    leave(lost, backup.seal(device, contacts_of("Mallory"), LATER))
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words, [device.signing.public.hex()])
    await lost.bob.pair_with(anna)
    await over(anna)
    assert {contact.name for contact in anna.engine.contacts()} == {"Bob", "Carol"}
    assert view(anna).holders[0].refused == {"device-revoked": 1}
    await anna.stop()


def stored_at(node: TestedNode, anna: TestedNode, photo: str) -> Path:
    """Where somebody keeps the sealed content of a photo of Anna's."""
    found = anna.parts.library.photo(bytes.fromhex(photo))
    assert found is not None
    return node.parts.hold.held.store(anna.identity).path(found.record.content_id)


async def test_what_a_holder_damaged_or_lacks_is_named_and_the_rest_comes_back(
    lost: Lost, anew: Anew
) -> None:
    damaged, gone, whole = lost.pictures
    places = [stored_at(lost.bob, lost.anna, photo) for photo in (damaged, gone)]
    content = places[0].read_bytes()
    places[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    places[1].unlink()
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words)
    await lost.bob.pair_with(anna)
    result = await over(anna, "incomplete")
    assert {item.id for item in anna.engine.collection.search()} == {whole}
    assert {each.id for each in result.missing} == {damaged, gone}
    assert all(each.holders == ["Bob"] for each in result.missing)
    assert {contact.name for contact in anna.engine.contacts()} == {"Bob", "Carol"}
    assert anna.engine.recovery.stop().state == "stopped"
    assert not anna.engine.recovery.is_on
    await anna.stop()


async def test_what_one_holder_lacks_comes_from_another(lost: Lost, anew: Anew) -> None:
    await backed_up(lost.anna, lost.carol, 3)
    first, second, third = lost.pictures
    stored_at(lost.bob, lost.anna, first).unlink()
    stored_at(lost.carol, lost.anna, second).unlink()
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words)
    await lost.bob.pair_with(anna)
    await over(anna, "incomplete")
    assert [each.id for each in view(anna).missing] == [first]
    await anna.engine.reach("Carol", lost.carol.address)
    result = await over(anna)
    assert result.photos == 3
    assert {each.contact for each in result.holders} == {"Bob", "Carol"}
    assert {item.id for item in anna.engine.collection.search()} == {first, second, third}
    await anna.stop()


async def test_a_backup_goes_on_where_it_was_as_soon_as_a_person_says_so(
    lost: Lost, anew: Anew
) -> None:
    replayed = lost.anna.parts.database.rows("SELECT envelope_hash FROM backups")
    older = backup.seal(lost.anna.parts.device, contacts_of("Frida"), NOW - 1)
    leave(lost, older)
    anna = await recovered(lost, anew)
    assert lost.held() == 6
    assert anna.engine.contact("Bob").backed_up == 0
    await anna.engine.update_contact("Bob", holder=True, backup=True)
    await anna.until(lambda: anna.engine.contact("Bob").backed_up == 3)
    await lost.bob.until(lambda: lost.held() == 5)  # the contacts of before are withdrawn
    kept = lost.bob.parts.database.rows("SELECT envelope_hash FROM held_items")
    before, after = {row[0] for row in replayed}, {row[0] for row in kept}
    assert len(before & after) >= 3  # photos were not left anew
    assert hashlib.sha256(older).digest() not in after
    await anna.engine.remove(next(iter(lost.pictures)), force=True)
    await lost.bob.until(lambda: lost.held() == 4)
    await anna.stop()


async def test_parts_of_a_large_photo_are_no_leftovers_at_the_next_start(
    lost: Lost, anew: Anew
) -> None:
    large = list(lost.pictures)[1]
    whole = stored_at(lost.bob, lost.anna, large).read_bytes()
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words)
    # The last piece is not to be had, so that the others lie there in part.
    place = next(each for each in held_files(lost.bob) if each.stat().st_size == len(whole))
    place.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    await lost.bob.pair_with(anna)
    await over(anna, "incomplete")
    parts = {path.name for path in anna.blob_files() if path.parent.name != "whole"}
    await anna.stop()
    await anna.start()
    assert parts <= {path.name for path in anna.blob_files()}
    place.write_bytes(whole)
    received = anna.engine.events.counters.pieces_received
    assert (await over(anna)).photos == 3
    assert anna.engine.events.counters.pieces_received - received < 3 + 3
    await anna.stop()


def held_files(node: TestedNode) -> list[Path]:
    return [path for path in node.home.held.rglob("*") if path.is_file()]


@dataclass
class Liar:
    """A contact who shows what it likes to who gets everything back."""

    show: Callable[[Collect], list[Message]]
    asked: int = 0

    def __call__(self, message: Message) -> list[Message]:
        if isinstance(message, Collect) and message.own:
            self.asked += 1
            return self.show(message)
        return []


def same_number_twice(_: Collect) -> list[Message]:
    return [HeldItem(5, b"x"), HeldItem(5, b"y")]


def more_than_asked_for(message: Collect) -> list[Message]:
    return [HeldItem(number + 1, b"x") for number in range(message.most + 1)]


def two_answers_to_one_question(_: Collect) -> list[Message]:
    return [HeldEnd(0, more=False), HeldEnd(0, more=False)]


@pytest.mark.parametrize(
    "show", [same_number_twice, more_than_asked_for, two_answers_to_one_question]
)
async def test_a_holder_that_answers_what_nobody_asked_is_cut_off(
    start: Start, show: Callable[[Collect], list[Message]]
) -> None:
    anna = await start("Anna")
    mallory = Mallory(anna.parts.listener.port)
    await anna.befriend(mallory)
    anna.engine.recovery.begin(anna.words)
    async with mallory.connected() as conversation:
        conversation.react = Liar(show)
        await anna.until(lambda: bool(anna.engine.status().connections))
        await anna.until(lambda: not anna.engine.status().connections)
    assert view(anna).photos_found == 0


async def test_a_holder_that_says_there_is_more_and_shows_nothing_is_not_asked_for_ever(
    start: Start,
) -> None:
    anna = await start("Anna")
    mallory = Mallory(anna.parts.listener.port)
    await anna.befriend(mallory)
    anna.engine.recovery.begin(anna.words)
    async with mallory.connected() as conversation:
        liar = Liar(lambda _: [HeldEnd(10**6, more=True)])
        conversation.react = liar
        await anna.until(lambda: [each.state for each in view(anna).holders] == ["here"])
        assert liar.asked == 1
        assert view(anna).state == "waiting"
