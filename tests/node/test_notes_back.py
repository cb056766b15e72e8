"""What was said of photos and contacts, rules and shared albums: back from words and a holder."""

from __future__ import annotations

import dataclasses

import pytest
from kinlight.node.notes_back import NotesBack
from kinlight.protocol import backup
from kinlight.protocol.backup_notes import AlbumBackup, Notes, cut_album

from . import test_recovering
from .circle import ALBUM, added_one, album_of, found, has, key_of, let_in, photos, state
from .conftest import Picture
from .nodes import TestedNode
from .test_recovering import LATER, Anew, Lost, leave, over, recovered, view

lost = test_recovering.lost
anew = test_recovering.anew

RULES = """
[[rule]]
name = "nobody gets the diary"
effect = "deny"
photo = { albums = ["Diary"] }
"""


async def kept(lost: Lost) -> None:
    """Until Bob has all of it as it is now."""
    backing_up, backups = lost.anna.parts.backing_up, lost.anna.parts.backing_up.backups
    bob = lost.bob.identity

    def all_there() -> bool:
        backing_up.tell()
        return not backups.missing(bob, 1) and all(
            backups.has(bob, subject) for subject, _ in backing_up.noted()
        )

    await lost.anna.until(all_there)


async def test_words_and_albums_of_photos_rules_and_how_contacts_were_set_come_back(
    lost: Lost, anew: Anew
) -> None:
    anna = lost.anna
    first, second, third = lost.pictures
    anna.engine.tag([first], add=["sea", "Ünal"], remove=[], sensitivity="high")
    anna.parts.catalogue.put_into("Mine", [bytes.fromhex(each) for each in (second, third)], LATER)
    anna.engine.rules.put(RULES)
    await anna.engine.update_contact("Carol", accept="ask", metadata="clean", muted=True)
    await kept(lost)
    anew_anna = await recovered(lost, anew)
    assert anew_anna.engine.photo(first).tags == ["sea", "Ünal"]
    assert anew_anna.engine.photo(first).sensitivity == "high"
    in_album = {each.id for each in anew_anna.engine.collection.search(album="Mine")}
    assert in_album == {second, third}
    assert "nobody gets the diary" in anew_anna.engine.rules.text()
    carol = anew_anna.engine.contact("Carol")
    assert (carol.accept, carol.metadata, carol.muted) == ("ask", "clean", True)
    await anew_anna.stop()


async def test_an_album_of_ones_own_is_written_again_and_its_members_see_one_that_goes_on(
    lost: Lost, anew: Anew, picture: Picture
) -> None:
    anna, bob = lost.anna, lost.bob
    found(anna)
    await let_in(anna, bob)
    before = await added_one(anna, picture(length=5_000))
    await bob.until(lambda: has(bob, before))
    await kept(lost)
    anew_anna = await recovered(lost, anew)
    result = view(anew_anna)
    assert (result.albums, result.albums_found, result.albums_waiting) == (1, 1, 0)
    assert state(anew_anna) == "joined"
    await anew_anna.until(lambda: has(anew_anna, before))
    mine = await added_one(anew_anna, picture(length=6_000))
    await bob.until(lambda: has(bob, mine))
    theirs = await added_one(bob, picture(length=7_000))
    await anew_anna.until(lambda: has(anew_anna, theirs))
    # She is who she was: she may take somebody out, and the key changes.
    key = key_of(anew_anna)
    anew_anna.engine.albums.remove(ALBUM, "Bob")
    await bob.until(lambda: state(bob) == "removed")
    assert key_of(anew_anna) != key
    await anew_anna.stop()


async def test_in_an_album_of_somebody_else_an_admin_s_node_lets_the_new_device_in(
    lost: Lost, anew: Anew, picture: Picture
) -> None:
    anna, bob = lost.anna, lost.bob
    found(bob)
    await let_in(bob, anna)
    photo = await added_one(anna, picture(length=5_000))
    await bob.until(lambda: has(bob, photo))
    await kept(lost)
    anew_anna = await recovered(lost, anew)
    await anew_anna.until(lambda: album_of(anew_anna).has(anew_anna.parts.device.chain))
    mine = await added_one(anew_anna, picture(length=6_000))
    await bob.until(lambda: has(bob, mine))
    assert state(anew_anna) == "joined"
    await anew_anna.stop()


async def test_an_album_that_an_admin_s_node_sends_before_the_notes_are_back_is_taken_part_in(
    lost: Lost, anew: Anew, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = lost.anna, lost.bob
    found(bob)
    await let_in(bob, anna)
    photo, unwanted = [await added_one(anna, picture(length=size)) for size in (5_000, 5_001)]
    await bob.until(lambda: has(bob, unwanted))
    await anna.engine.albums.hide(ALBUM, unwanted)
    await kept(lost)
    bring = NotesBack.bring

    async def once_it_is_here(notes: NotesBack) -> None:
        await anew_anna.until(lambda: state(anew_anna) == "invited")
        await bring(notes)

    monkeypatch.setattr(NotesBack, "bring", once_it_is_here)
    await lost.is_lost()
    anew_anna = await anew(anna.words)
    anew_anna.engine.recovery.begin(anna.words)
    await bob.pair_with(anew_anna)
    await over(anew_anna)
    assert state(anew_anna) == "joined"
    assert photos(anew_anna)[unwanted].state == "hidden"
    mine = await added_one(anew_anna, picture(length=6_000))
    await bob.until(lambda: has(bob, mine))
    await anew_anna.until(lambda: has(anew_anna, photo))
    await anew_anna.stop()


async def test_after_a_start_anew_an_album_of_ones_own_waits_for_the_words(
    lost: Lost, anew: Anew
) -> None:
    """The root key is on no disk: it is gone with the process."""
    found(lost.anna)
    await kept(lost)
    await lost.is_lost()
    anna = await anew(lost.anna.words)
    anna.engine.recovery.begin(lost.anna.words)
    await anna.restart()
    await lost.bob.pair_with(anna)
    await over(anna)
    assert (view(anna).albums, view(anna).albums_waiting) == (0, 1)
    anna.engine.recovery.begin(lost.anna.words)
    await over(anna)
    assert (view(anna).albums, view(anna).albums_waiting) == (1, 0)
    await anna.stop()


async def test_what_was_said_here_since_stays_as_it_is(lost: Lost, anew: Anew) -> None:
    first = next(iter(lost.pictures))
    lost.anna.engine.tag([first], add=["sea"], remove=[], sensitivity=None)
    lost.anna.engine.rules.put(RULES)
    await kept(lost)
    anna = await recovered(lost, anew)
    anna.engine.tag([first], add=[], remove=["sea"], sensitivity=None)
    other = RULES.replace("nobody gets the diary", "other")
    anna.engine.rules.put(other)
    await anna.engine.update_contact("Carol", muted=True)
    anna.engine.recovery.begin(lost.anna.words)
    await over(anna)
    assert anna.engine.photo(first).tags == []
    assert "other" in anna.engine.rules.text()
    assert anna.engine.contact("Carol").muted
    await anna.stop()


async def test_a_log_that_a_stolen_device_made_up_is_no_album(lost: Lost, anew: Anew) -> None:
    """It may sign entries of the backup, so what is inside is verified all the same."""
    shared = found(lost.anna)
    thief = lost.anna.parts.device
    entries = lost.anna.parts.album_parts.store.entries(shared.album_id)
    forged = [entries[0][:-1] + bytes([entries[0][-1] ^ 1]), *entries[1:]]
    await kept(lost)
    for part in cut_album(shared.album_id, forged):
        leave(lost, backup.seal(thief, part, LATER), part.part)
    anna = await recovered(lost, anew)
    assert anna.engine.albums.all() == []
    assert view(anna).albums_found == 1
    await anna.stop()


async def test_nonsense_under_a_true_signature_is_passed_over_for_what_was_before_it(
    lost: Lost, anew: Anew
) -> None:
    first = next(iter(lost.pictures))
    lost.anna.engine.tag([first], add=["sea"], remove=[], sensitivity=None)
    await kept(lost)
    thief = lost.anna.parts.device
    bad = Notes({bytes.fromhex(first): ("x" * 300,)}, {}, {}, "", "", {}, {})
    for part in bad.parts():
        leave(lost, backup.seal(thief, part, LATER))
    leave(lost, backup.seal(thief, AlbumBackup(bytes(16), 7, b"nothing"), LATER), 1)
    anna = await recovered(lost, anew)
    assert anna.engine.photo(first).tags == ["sea"]
    await anna.stop()


@pytest.mark.parametrize("what", ["tags", "albums"])
async def test_notes_that_only_a_node_with_a_fault_writes_stop_nothing_else(
    lost: Lost, anew: Anew, what: str
) -> None:
    first = next(iter(lost.pictures))
    photo = bytes.fromhex(first)
    empty = Notes({}, {}, {}, "no rules at all {", "", {}, {})
    changes = {"tags": {photo: ("a/b",)}, "albums": {"x/y": (photo,)}}
    bad = dataclasses.replace(empty, **{what: changes[what]})
    for part in bad.parts():
        leave(lost, backup.seal(lost.anna.parts.device, part, LATER), part.part)
    anna: TestedNode = await recovered(lost, anew)
    assert set(lost.pictures) <= {each.id for each in anna.engine.collection.search()}
    assert anna.engine.photo(first).tags == []
    assert not anna.engine.rules.there
    await anna.stop()
