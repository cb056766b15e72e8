"""A backup at a contact: sealed to the recovery words, complete, and of use when a disk fails."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO

import pytest
from kinlight.crypto import blob
from kinlight.crypto.blob import Kind
from kinlight.crypto.errors import SealBrokenError
from kinlight.crypto.wrap import KemKey
from kinlight.node import link
from kinlight.node.contact_errors import NoBackupError
from kinlight.node.fetching import Fetcher
from kinlight.node.views import Finding
from kinlight.protocol import backup, messages, session
from kinlight.protocol.backup import ContactsBackup, Opened, PhotoBackup, newest_contacts
from kinlight.protocol.photo import Metadata

from .conftest import Picture, Start
from .network import Network
from .nodes import Clock, TestedNode, eventually
from .test_held_delivery import introduced, knows_mailbox
from .three import imported

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Pair:
    """Anna backs up at Carol."""

    anna: TestedNode
    carol: TestedNode

    def kept(self) -> list[Opened]:
        """What lies at Carol's, opened with Anna's 24 words."""
        kem = KemKey(self.anna.words.recovery_kem_seed())
        rows = self.carol.parts.database.rows("SELECT envelope FROM held_items ORDER BY number")
        return [backup.open_sealed(row[0], kem, self.anna.identity) for row in rows]

    def photos(self) -> list[PhotoBackup]:
        return [each.entry for each in self.kept() if isinstance(each.entry, PhotoBackup)]

    def contacts(self) -> list[str]:
        return [
            contact.name
            for each in self.kept()
            if isinstance(each.entry, ContactsBackup)
            for contact in each.entry.contacts
        ]

    async def backed_up(self, count: int) -> None:
        self.anna.parts.backing_up.tell()
        await self.anna.until(lambda: self.anna.engine.contact("Carol").backed_up == count)
        await self.carol.until(lambda: len(self.photos()) == count)


@pytest.fixture
async def pair(network: Network, start: Start) -> Pair:
    assert not network.pipes
    anna, carol = await start("Anna"), await start("Carol")
    await introduced(anna, carol)
    carol.engine.hold.turn_on([], backup=["Anna"])
    await anna.until(lambda: anna.engine.contact("Carol").backup == "offered")
    await anna.engine.update_contact("Carol", holder=True, backup=True)
    await carol.until(lambda: knows_mailbox(carol, anna))
    return Pair(anna, carol)


async def test_with_the_words_and_what_the_holder_has_a_photo_can_be_opened(
    pair: Pair, picture: Picture
) -> None:
    path = picture(length=600_000)
    await imported(pair.anna, path)
    await pair.backed_up(1)
    (entry,) = pair.photos()
    store = pair.carol.parts.hold.held
    contents: list[bytes] = []
    for kind in (Kind.METADATA, Kind.ORIGINAL):
        content_id, token = entry.record.blob_id(kind), blob.fetch_token(entry.keys[kind]).reveal()
        depositor, manifest = store.blob_for(pair.anna.identity, content_id, token)
        sink = BytesIO()
        with store.open(depositor, content_id) as file:
            key, photo_id = entry.keys[kind], entry.record.photo_id
            blob.unseal(file, sink, key, kind, photo_id, manifest.length)
        contents.append(sink.getvalue())
    details, content = Metadata.decode(contents[0]), contents[1]
    assert details.name == path.name
    assert hashlib.sha256(content).digest() == details.sha256
    assert content == path.read_bytes()


async def test_the_contacts_are_kept_and_only_as_they_are_now(pair: Pair, start: Start) -> None:
    await pair.carol.until(lambda: pair.contacts() == ["Carol"])
    dora = await start("Dora")
    await dora.pair_with(pair.anna)
    pair.anna.parts.backing_up.tell()
    await pair.carol.until(lambda: sorted(pair.contacts()) == ["Carol", "Dora"])


async def test_what_is_removed_here_is_kept_there_no_longer(pair: Pair, picture: Picture) -> None:
    photo = await imported(pair.anna, picture())
    await imported(pair.anna, picture())
    await pair.backed_up(2)
    await pair.anna.parts.remover.remove(bytes.fromhex(photo))
    await pair.backed_up(1)


async def test_a_backup_has_no_end_and_stays_when_its_owner_is_away_for_years(
    pair: Pair, picture: Picture, clock: Clock
) -> None:
    await imported(pair.anna, picture())
    await pair.backed_up(1)
    await pair.anna.stop()
    clock.time += 2000 * DAY
    await pair.carol.engine.hold.sweep()
    assert len(pair.photos()) == 1


async def test_who_ends_a_backup_gets_it_removed_and_who_ends_keeping_it_gives_it_some_time(
    pair: Pair, picture: Picture, clock: Clock
) -> None:
    await imported(pair.anna, picture())
    await pair.backed_up(1)
    await pair.carol.engine.hold.turn_off([], drop=False)
    assert len(pair.photos()) == 1
    clock.time += 31 * DAY
    await pair.carol.engine.hold.sweep()
    assert pair.kept() == []
    pair.carol.engine.hold.turn_on([], backup=["Anna"])


async def test_a_backup_that_is_ended_is_removed_at_the_holder(
    pair: Pair, picture: Picture
) -> None:
    await imported(pair.anna, picture())
    await pair.backed_up(1)
    await pair.anna.engine.update_contact("Carol", holder=True, backup=False, yes=True)
    await pair.carol.until(lambda: pair.kept() == [])
    assert pair.anna.engine.contact("Carol").holder == "chosen"


async def test_what_the_disk_lost_comes_back_from_the_backup(pair: Pair, picture: Picture) -> None:
    path = picture(length=900_000)
    photo = await imported(pair.anna, path)
    await pair.backed_up(1)
    stored = pair.anna.parts.library.photo(bytes.fromhex(photo))
    assert stored is not None
    path.unlink()  # nor can it be had from its file again
    for file in pair.anna.blob_files():
        if file.stat().st_size > 800_000:
            content = bytearray(file.read_bytes())
            content[300_000] ^= 1
            file.write_bytes(content)
    findings = [
        finding
        async for finding in pair.anna.parts.doctor.run(repair=True, deep=True)
        if isinstance(finding, Finding)
    ]
    assert [finding.state for finding in findings] == ["repaired"]


async def test_who_does_not_keep_backups_can_not_be_chosen_for_that(
    network: Network, start: Start
) -> None:
    assert not network.pipes
    anna, carol = await start("Anna"), await start("Carol")
    await introduced(anna, carol)
    carol.engine.hold.turn_on([])
    await anna.until(lambda: anna.engine.contact("Carol").holder == "offered")
    with pytest.raises(NoBackupError):
        await anna.engine.update_contact("Carol", holder=True, backup=True)
    assert anna.engine.contact("Carol").holder == "offered"


async def test_who_holds_a_backup_can_read_nothing_in_it(pair: Pair, picture: Picture) -> None:
    await imported(pair.anna, picture())
    await pair.backed_up(1)
    carols = KemKey(pair.carol.words.recovery_kem_seed())
    for row in pair.carol.parts.database.rows("SELECT envelope FROM held_items"):
        with pytest.raises(SealBrokenError):
            backup.open_sealed(row[0], carols, pair.anna.identity)
        with pytest.raises(SealBrokenError):
            pair.carol.parts.device.kem.open(b"", row[0])


async def test_a_received_photo_is_backed_up_with_the_grant_it_came_by(
    pair: Pair, picture: Picture
) -> None:
    item = await pair.carol.share_one(picture(), "Anna")
    assert item.state == "delivered"
    await pair.backed_up(1)
    (entry,) = pair.photos()
    assert entry.record.author == pair.carol.identity
    assert entry.capability


async def test_a_blocked_contact_is_not_in_the_backup(pair: Pair, start: Start) -> None:
    """Restored without that word it would be a contact like any other."""
    dora = await start("Dora")
    await dora.pair_with(pair.anna)
    pair.anna.parts.backing_up.tell()
    await pair.carol.until(lambda: sorted(pair.contacts()) == ["Carol", "Dora"])
    await pair.anna.engine.update_contact("Dora", blocked=True)
    pair.anna.parts.backing_up.tell()
    await pair.carol.until(lambda: pair.contacts() == ["Carol"])


async def test_who_finds_the_entries_knows_the_contacts_with_their_secrets(pair: Pair) -> None:
    await pair.carol.until(lambda: pair.contacts() == ["Carol"])
    (kept,) = newest_contacts(pair.kept())
    known = pair.anna.parts.library.contact("Carol")
    assert (kept.identity, kept.pair_secret) == (known.identity, known.pair_secret)


async def test_a_backup_goes_on_in_another_mailbox_after_a_device_was_lost(
    pair: Pair, picture: Picture
) -> None:
    await imported(pair.anna, picture())
    await pair.backed_up(1)
    pair.anna.parts.mailboxes.renew()
    pair.anna.parts.tell_mailbox()
    await imported(pair.anna, picture())
    await pair.backed_up(2)


async def test_a_holder_that_begins_again_in_time_keeps_what_it_has_without_end(
    pair: Pair, picture: Picture, clock: Clock
) -> None:
    await imported(pair.anna, picture())
    await pair.backed_up(1)
    await pair.anna.stop()
    await pair.carol.engine.hold.turn_off([], drop=False)
    pair.carol.engine.hold.turn_on([], backup=["Anna"])
    clock.time += 2000 * DAY
    await pair.carol.engine.hold.sweep()
    assert len(pair.photos()) == 1


async def test_a_backup_of_any_size_can_be_ended_and_its_link_stays(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as were never said to be gone are told at once when it ends."""
    anna, carol = pair.anna, pair.carol
    backups = anna.parts.backing_up.backups
    for number in range(600):
        backups.put(carol.identity, number.to_bytes(16), number.to_bytes(16))
    monkeypatch.setattr(link, "QUEUE_BYTES", 16 * 1024)
    monkeypatch.setattr(link, "POST_BYTES", 64 * 1024)
    (before,) = anna.parts.peers.links(carol.identity)
    await anna.engine.update_contact("Carol", holder=True, backup=False, yes=True)
    await eventually(lambda: backups.of_no_photo(carol.identity) == [])
    assert anna.parts.peers.links(carol.identity) == [before]


async def test_a_holder_with_an_older_version_is_not_asked_for_a_backup(
    pair: Pair, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, carol = pair.anna, pair.carol
    photo = bytes.fromhex(await imported(anna, picture()))
    await pair.backed_up(1)
    await carol.stop()
    for module in (messages, session):
        monkeypatch.setattr(module, "VERSIONS", (2, 1))
    await carol.start()
    await carol.until(lambda: carol.connected_to(anna))
    await anna.until(lambda: anna.connected_to(carol))
    stored = anna.parts.library.photo(photo)
    assert stored is not None
    repairs = anna.parts.mender._repairs  # pyright: ignore[reportPrivateUsage]
    repairs.note(stored.record.content_id)
    (to_carol,) = anna.parts.peers.links(carol.identity)
    await anna.parts.mender.mend_from(to_carol, Fetcher(to_carol, anna.engine.events.counters))
    assert repairs.noted() == {stored.record.content_id}
