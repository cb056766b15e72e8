"""A whole library in one file: written beside the running node, restored as a new device."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.crypto.errors import WrongPassphraseError, WrongWordsError
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.node import keys, restoring
from kinlight.node.archive_errors import (
    ArchiveDamagedError,
    ArchiveTornError,
    ArchiveVersionError,
    NotAnArchiveError,
    RestoreUnfinishedError,
    WordsNeededError,
)
from kinlight.node.environment import Environment
from kinlight.node.errors import HomeExistsError, NameTakenError
from kinlight.node.home import Home
from kinlight.node.views_archive import Archived, Restored

from .circle import ALBUM, added_one, found, has, let_in, state
from .conftest import Picture, Start, Ways
from .network import Network
from .nodes import CHEAP, NOW, PASSPHRASE, Clock, TestedNode
from .test_held_delivery import introduced
from .three import imported

NEW_PASSPHRASE = Secret(b"another horse")


@dataclass(slots=True)
class Shelf:
    """Anna has three photos."""

    anna: TestedNode
    pictures: dict[str, Path]
    folder: Path
    environment: Environment

    @property
    def file(self) -> Path:
        return self.folder / "anna.backup"

    async def backed_up(self) -> Archived:
        steps = [step async for step in self.anna.engine.archiver.write(self.file)]
        assert isinstance(steps[-1], Archived)
        return steps[-1]

    async def restored(
        self, folder: str = "anew", *, words: RecoveryWords | None, passphrase: Secret = PASSPHRASE
    ) -> tuple[TestedNode, Restored]:
        home = Home(self.folder / folder)
        told = await asyncio.to_thread(
            restoring.restore, self.file, home, passphrase, words,
            entropy=secrets.token_bytes, now=NOW + 60, cost=CHEAP,
        )  # fmt: skip
        return TestedNode.of_home(home, self.anna.name, self.environment, self.anna.words), told


@pytest.fixture
async def shelf(
    network: Network, start: Start, picture: Picture, tmp_path: Path, clock: Clock, ways: Ways
) -> Shelf:
    assert not network.pipes
    anna = await start("Anna")
    pictures = {
        await imported(anna, path): path
        for path in (picture(), picture(length=700_000), picture(length=3_000))
    }
    (tmp_path / "out").mkdir()
    return Shelf(anna, pictures, tmp_path, Environment(clock, ways.dial, ways.listen))


@pytest.fixture
async def bob(shelf: Shelf, start: Start, picture: Picture) -> TestedNode:
    """He is Anna's contact, and keeps an album with her."""
    anna, bob = shelf.anna, await start("Bob")
    await introduced(anna, bob)
    found(anna)
    await let_in(anna, bob)
    photo = await added_one(anna, picture(length=5_000))
    await bob.until(lambda: has(bob, photo))
    return bob


async def exported(node: TestedNode, photo: str, folder: Path) -> bytes:
    done = await node.engine.export(photo, folder, keep_both=True)
    return await asyncio.to_thread(Path(done.path).read_bytes)


@pytest.mark.parametrize("by_words", [True, False])
async def test_all_of_the_library_is_back_and_shared_albums_can_be_written_again(
    shelf: Shelf, bob: TestedNode, picture: Picture, by_words: bool
) -> None:
    anna = shelf.anna
    first, second, _ = shelf.pictures
    anna.engine.tag([first], add=["sea"], remove=[], sensitivity="high")
    async for _ in anna.engine.collection.import_photos(
        [shelf.pictures[second]], album="Mine", albums=True
    ):
        pass
    told = await shelf.backed_up()
    assert (told.photos, told.missing) == (4, 0)
    await anna.stop()
    words = anna.words if by_words else None
    node, result = await shelf.restored(words=words)
    assert (result.photos, result.contacts, result.albums, result.waiting) == (4, 1, 1, 0)
    await node.start()
    for photo, path in shelf.pictures.items():
        assert await exported(node, photo, shelf.folder / "out") == path.read_bytes()
    assert node.engine.photo(first).tags == ["sea"]
    assert [each.id for each in node.engine.collection.search(album="Mine")] == [second]
    assert (
        node.parts.device.signing.public != keys.unlock(anna.home, PASSPHRASE).device.signing.public
    )

    # Bob notices nothing, and the album goes on at both ends.
    await node.engine.reach("Bob", bob.address)
    await node.until(lambda: node.connected_to(bob))
    assert len(bob.engine.contacts()) == 1
    assert state(node) == "joined"
    mine = await added_one(node, picture(length=6_000))
    await bob.until(lambda: has(bob, mine))
    theirs = await added_one(bob, picture(length=7_000))
    await node.until(lambda: has(node, theirs))
    forks = bob.parts.albums.find(ALBUM).album.graph.forks
    assert len(forks) == 0
    await node.stop()


async def test_the_old_home_may_go_on_beside_it_as_no_key_is_used_twice(
    shelf: Shelf, bob: TestedNode, picture: Picture
) -> None:
    anna = shelf.anna
    await shelf.backed_up()
    node, _ = await shelf.restored(words=anna.words)
    await node.start()
    await node.engine.reach("Bob", bob.address)
    ids = [await added_one(each, picture(length=4_000)) for each in (anna, node)]
    await bob.until(lambda: all(has(bob, photo) for photo in ids))
    assert len(bob.parts.albums.find(ALBUM).album.graph.forks) == 0
    await node.stop()


async def test_a_photo_is_found_again_by_its_content_and_comes_in_once(shelf: Shelf) -> None:
    await shelf.backed_up()
    node, _ = await shelf.restored(words=shelf.anna.words)
    await node.start()
    before = len(node.engine.collection.search())
    for path in shelf.pictures.values():
        async for _ in node.engine.collection.import_photos([path], album=None, albums=True):
            pass
    assert len(node.engine.collection.search()) == before
    await node.stop()


async def test_with_the_words_the_pass_phrase_is_a_new_one_and_opens_nothing_old(
    shelf: Shelf,
) -> None:
    anna = shelf.anna
    await shelf.backed_up()
    node, result = await shelf.restored(words=anna.words, passphrase=NEW_PASSPHRASE)
    assert result.certified_by == "words"
    with pytest.raises(WrongPassphraseError):
        keys.unlock(node.home, PASSPHRASE)
    new = keys.unlock(node.home, NEW_PASSPHRASE)
    old = keys.unlock(anna.home, PASSPHRASE)
    assert new.store_key != old.store_key
    assert keys.unlock(node.home, anna.words).store_key == new.store_key
    assert [each.may_certify for each in new.device.chain.certificates] == [True]


async def test_without_the_words_the_device_in_it_certifies_the_new_one_which_certifies_none(
    shelf: Shelf,
) -> None:
    await shelf.backed_up()
    node, result = await shelf.restored(words=None)
    assert result.certified_by == "device"
    chain = keys.unlock(node.home, PASSPHRASE).device.chain
    old = keys.unlock(shelf.anna.home, PASSPHRASE).device.chain
    assert chain.certificates[0] == old.certificates[0]
    assert [each.may_certify for each in chain.certificates] == [True, False]
    assert keys.unlock(node.home, shelf.anna.words).device.chain == chain  # the words still open it
    # So what is restored from a backup of it needs the words.
    await node.start()
    again = shelf.folder / "second.backup"
    assert [step async for step in node.engine.archiver.write(again)]
    await node.stop()
    with pytest.raises(WordsNeededError):
        restoring.restore(
            again, Home(shelf.folder / "third"), PASSPHRASE, None,
            entropy=secrets.token_bytes, now=NOW, cost=CHEAP,
        )  # fmt: skip


async def test_what_was_on_its_way_is_counted_and_not_sent_by_the_new_device(
    shelf: Shelf, start: Start
) -> None:
    anna, bob = shelf.anna, await start("Bob")
    await introduced(anna, bob)
    await bob.stop()
    photo, path = next(iter(shelf.pictures.items()))
    await anna.share_one(path, "Bob", wait=False)
    await shelf.backed_up()
    node, result = await shelf.restored(words=anna.words)
    assert result.undelivered == 1
    await node.start()
    (delivery,) = node.engine.photo(photo).deliveries
    assert (delivery.state, delivery.code) == ("refused", "restored")
    await node.stop()


async def test_a_file_that_is_damaged_at_home_is_counted_and_the_rest_is_written(
    shelf: Shelf,
) -> None:
    anna = shelf.anna
    gone, broken, whole = shelf.pictures
    for photo, new in ((gone, None), (broken, b"other")):
        found = anna.parts.library.photo(bytes.fromhex(photo))
        assert found is not None
        place = anna.parts.blobs.path(found.record.content_id)
        place.unlink()
        if new is not None:
            place.write_bytes(new)
    assert (await shelf.backed_up()).missing == 2
    assert restoring.verify(shelf.file, PASSPHRASE).missing == 2
    node, result = await shelf.restored(words=None)
    assert result.missing == 2
    await node.start()
    assert await exported(node, whole, shelf.folder / "out") == shelf.pictures[whole].read_bytes()
    assert {each.id for each in node.engine.collection.search()} >= set(shelf.pictures)
    await node.stop()


async def test_a_photo_that_is_removed_while_it_is_written_is_in_no_restored_library(
    shelf: Shelf,
) -> None:
    anna = shelf.anna
    gone = next(iter(shelf.pictures))
    steps = anna.engine.archiver.write(shelf.file)
    await anext(steps)  # the library is copied, no blob is written yet
    await anna.engine.remove(gone, force=True)
    told = [step async for step in steps][-1]
    assert isinstance(told, Archived)
    assert told.missing == 0
    node, result = await shelf.restored(words=None)
    assert (result.missing, result.photos) == (0, 2)
    await node.start()
    assert gone not in {each.id for each in node.engine.collection.search()}
    await node.stop()


async def test_one_that_is_given_up_leaves_no_file_and_nothing_in_the_home(shelf: Shelf) -> None:
    steps = shelf.anna.engine.archiver.write(shelf.file)
    await anext(steps)
    await steps.aclose()
    assert [path for path in shelf.folder.iterdir() if path.is_file()] == []
    assert not shelf.anna.home.library_copy.exists()


async def test_a_file_that_is_there_is_never_written_over(shelf: Shelf) -> None:
    shelf.file.write_bytes(b"something of mine")
    with pytest.raises(NameTakenError):
        await shelf.backed_up()
    assert shelf.file.read_bytes() == b"something of mine"


async def test_whoever_reads_the_file_without_the_keys_sees_no_name_no_text_and_no_picture(
    shelf: Shelf,
) -> None:
    await shelf.backed_up()
    content = shelf.file.read_bytes()
    for path in shelf.pictures.values():
        assert path.read_bytes()[:64] not in content
        assert path.name.encode() not in content
    for text in (b"Anna", b"SQLite format"):
        assert text not in content


# A file that is not as it was written. One fixture, as writing it takes most of the time.


async def test_every_cut_and_every_changed_byte_is_named_and_nothing_is_made(shelf: Shelf) -> None:
    await shelf.backed_up()
    content = shelf.file.read_bytes()
    bad, home = shelf.folder / "bad.backup", Home(shelf.folder / "anew")

    def refused(data: bytes, error: type[Exception]) -> None:
        bad.write_bytes(data)
        with pytest.raises(error):
            restoring.verify(bad, shelf.anna.words)
        with pytest.raises(error):
            restoring.restore(
                bad, home, NEW_PASSPHRASE, shelf.anna.words,
                entropy=secrets.token_bytes, now=NOW, cost=CHEAP,
            )  # fmt: skip
        assert not home.exists

    refused(b"", NotAnArchiveError)
    refused(b"JFIF" + content, NotAnArchiveError)
    refused(content[:15] + b"2" + content[16:], ArchiveVersionError)
    for length in (17, 60, 700, len(content) // 2, len(content) - 700_000, len(content) - 1):
        refused(content[:length], ArchiveTornError)
    refused(content + b"\x00", ArchiveDamagedError)
    for place in (len(content) // 3, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        refused(bytes(changed), ArchiveDamagedError)
    # A cut restore says so to who would make a node there, and begins anew.
    with pytest.raises(RestoreUnfinishedError):
        keys.create(
            home, PASSPHRASE, "Eve", entropy=secrets.token_bytes, now=NOW, cost=CHEAP,
            show=lambda _: None,
        )  # fmt: skip
    node, result = await shelf.restored(words=shelf.anna.words)
    assert result.photos == 3
    await node.start()
    await node.stop()


async def test_other_secrets_do_not_open_it_and_a_home_with_a_node_is_left_alone(
    shelf: Shelf,
) -> None:
    await shelf.backed_up()
    with pytest.raises(WrongPassphraseError):
        restoring.verify(shelf.file, Secret(b"wrong"))
    with pytest.raises(WrongWordsError):
        restoring.verify(shelf.file, RecoveryWords(Secret(bytes(32))))
    before = shelf.anna.home.keys.read_bytes()
    with pytest.raises(HomeExistsError):
        restoring.restore(
            shelf.file, Home(shelf.anna.home.path), PASSPHRASE, None,
            entropy=secrets.token_bytes, now=NOW, cost=CHEAP,
        )  # fmt: skip
    assert shelf.anna.home.keys.read_bytes() == before


async def test_one_backup_in_the_place_of_part_of_another_is_refused(
    shelf: Shelf, picture: Picture
) -> None:
    """Its owner's own older library under a newer head: the head names the library's key."""
    anna = shelf.anna
    await shelf.backed_up()
    old = shelf.file.read_bytes()
    shelf.file.unlink()
    await imported(anna, picture(length=2_000))
    await shelf.backed_up()
    new = shelf.file.read_bytes()
    start = _after_head(new)
    mixed = shelf.folder / "mixed.backup"
    mixed.write_bytes(new[:start] + old[_after_head(old) :])
    with pytest.raises((ArchiveDamagedError, ArchiveTornError)):
        restoring.verify(mixed, PASSPHRASE)


def _after_head(content: bytes) -> int:
    place = 16
    for _ in range(2):
        place += 4 + int.from_bytes(content[place : place + 4])
    return place
