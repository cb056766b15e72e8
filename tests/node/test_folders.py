"""Folders that are kept up: what is written, what is taken, and what is left alone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node.contact_errors import NoSuchContactError
from kinlight.node.errors import BadRequestError, UnwritableFolderError
from kinlight.node.mirroring import AGAIN_SECONDS
from kinlight.node.pace import Pace
from kinlight.node.photo_errors import FolderTakenError, NoSuchAlbumError, NoSuchFolderError
from kinlight.node.views_library import Folder
from kinlight.node.watching import REST_SECONDS

from .conftest import Start, Two
from .filmed import film
from .nodes import TestedNode, eventually
from .photographs import photograph


class Hand:
    """A clock that is moved by hand, and wakes who sleeps by it."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: dict[asyncio.Future[None], tuple[float, float]] = {}

    @property
    def pace(self) -> Pace:
        return Pace(lambda: self.time, self._sleep)

    @property
    def asleep(self) -> list[float]:
        """For how long each sleeper wants to sleep in all."""
        return [seconds for _, seconds in self._sleepers.values()]

    async def _sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers[woken] = (self.time + seconds, seconds)
        try:
            await woken
        finally:
            self._sleepers.pop(woken, None)

    async def move(self, seconds: float) -> None:
        """Let time pass, in steps in which everybody does what is due."""
        end, count = self.time + seconds, len(self._sleepers)
        while self.time < end:
            due = min((when for when, _ in self._sleepers.values()), default=end)
            self.time = min(max(due, self.time), end)
            woken = [one for one, (when, _) in self._sleepers.items() if when <= self.time]
            for one in woken:
                del self._sleepers[one]
                one.set_result(None)
            await eventually(lambda: len(self._sleepers) >= count)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def anna(start: Start, hand: Hand) -> TestedNode:
    node = await start("Anna")
    await node.restart(pace=hand.pace)
    return node


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def library(node: TestedNode) -> list[str]:
    return sorted(item.name for item in node.engine.collection.search())


def the(node: TestedNode) -> Folder:
    """The one folder that is kept up."""
    (folder,) = node.engine.keeper.folders()
    return folder


async def until_state(node: TestedNode, state: str) -> None:
    await node.until(lambda: the(node).state == state)


async def take(node: TestedNode, *paths: Path, album: str = "Summer") -> None:
    for path in paths:
        assert (await node.parts.importer.take(path, album)).state != "failed"


# Mirrors


async def test_a_mirror_gets_what_is_in_the_album_and_what_comes_into_it(
    anna: TestedNode, tmp_path: Path
) -> None:
    first, second = photograph(tmp_path / "a.jpg"), photograph(tmp_path / "b.jpg")
    mirror = tmp_path / "deep" / "mirror"
    await take(anna, first)
    await take(anna, photograph(tmp_path / "other.jpg"), album="Winter")
    made = await anna.engine.keeper.mirror("summer", mirror)
    assert (made.kind, made.album, made.path) == ("mirror", "Summer", str(mirror))
    await anna.until(lambda: names(mirror) == ["a.jpg"])
    await take(anna, second)
    await anna.until(lambda: names(mirror) == ["a.jpg", "b.jpg"])
    for original in (first, second):
        copy = mirror / original.name
        assert copy.read_bytes() == original.read_bytes()
        assert copy.stat().st_mtime_ns == original.stat().st_mtime_ns
    await until_state(anna, "up-to-date")
    assert the(anna).photos == 2


async def test_a_mirror_is_told_of_a_photo_that_was_here_and_came_into_its_album(
    anna: TestedNode, tmp_path: Path
) -> None:
    first = photograph(tmp_path / "a.jpg")
    mirror = tmp_path / "mirror"
    await take(anna, first, album="Winter")
    await take(anna, photograph(tmp_path / "b.jpg"))
    await anna.engine.keeper.mirror("Summer", mirror)
    await until_state(anna, "up-to-date")
    await take(anna, first)  # unchanged since its import
    await anna.until(lambda: names(mirror) == ["a.jpg", "b.jpg"])


async def test_a_mirror_of_a_contact_gets_what_they_send(joined: Two, tmp_path: Path) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    await take(joined.bob, photograph(tmp_path / "mine.jpg"))
    mirror = tmp_path / "mirror"
    made = await joined.bob.engine.keeper.mirror("Anna", mirror)
    assert (made.contact, made.album) == ("Anna", None)
    await joined.anna.share_one(photograph(tmp_path / "beach.jpg"), "Bob")
    await joined.bob.until(lambda: names(mirror) == ["beach.jpg"])


async def test_a_mirror_overwrites_nothing_and_writes_nothing_twice(
    anna: TestedNode, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mine = photograph(mirror / "a.jpg", seed="mine").read_bytes()
    await take(anna, photograph(tmp_path / "a.jpg"), photograph(tmp_path / "b.jpg"))
    await anna.engine.keeper.mirror("Summer", mirror)
    await until_state(anna, "up-to-date")
    assert names(mirror) == ["a (2).jpg", "a.jpg", "b.jpg"]
    assert (mirror / "a.jpg").read_bytes() == mine
    (mirror / "a (2).jpg").unlink()
    (mirror / "b.jpg").rename(mirror / "renamed.jpg")
    await take(anna, photograph(tmp_path / "c.jpg"))
    await anna.until(lambda: "c.jpg" in names(mirror))
    await anna.restart()
    await until_state(anna, "up-to-date")
    assert names(mirror) == ["a.jpg", "c.jpg", "renamed.jpg"]


async def test_f8_a_mirror_has_still_and_clip_under_one_name(
    anna: TestedNode, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    photograph(mirror / "IMG_1.JPG", seed="another")
    still, clip = photograph(tmp_path / "IMG_1.JPG"), tmp_path / "IMG_1.MOV"
    clip.write_bytes(film(container="mov"))
    await take(anna, still, clip)
    await anna.engine.keeper.mirror("Summer", mirror)
    await until_state(anna, "up-to-date")
    assert names(mirror) == ["IMG_1 (2).JPG", "IMG_1 (2).MOV", "IMG_1.JPG"]


async def test_a_mirror_that_vanished_is_said_and_not_made_anew_and_comes_back_by_itself(
    anna: TestedNode, tmp_path: Path, hand: Hand
) -> None:
    mirror, away = tmp_path / "mirror", tmp_path / "away"
    await take(anna, photograph(tmp_path / "a.jpg"))
    await anna.engine.keeper.mirror("Summer", mirror)
    await until_state(anna, "up-to-date")
    mirror.rename(away)
    await take(anna, photograph(tmp_path / "b.jpg"))
    await until_state(anna, "missing")
    assert not mirror.exists()
    away.rename(mirror)
    await hand.move(AGAIN_SECONDS)
    await until_state(anna, "up-to-date")
    assert names(mirror) == ["a.jpg", "b.jpg"]


async def test_a_photo_without_its_sealed_file_does_not_hold_up_a_mirror(
    anna: TestedNode, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    await take(anna, photograph(tmp_path / "lost.jpg"))
    for blob in anna.blob_files():
        blob.unlink()
    await take(anna, photograph(tmp_path / "b.jpg"))
    await anna.engine.keeper.mirror("Summer", mirror)
    await until_state(anna, "up-to-date")
    assert names(mirror) == ["b.jpg"]


async def test_an_ended_mirror_keeps_its_files_and_gets_no_more(
    anna: TestedNode, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    await take(anna, photograph(tmp_path / "a.jpg"))
    await anna.engine.keeper.mirror("Summer", mirror)
    await until_state(anna, "up-to-date")
    await anna.engine.keeper.off(mirror, "mirror")
    await take(anna, photograph(tmp_path / "b.jpg"))
    assert anna.engine.keeper.folders() == []
    assert names(mirror) == ["a.jpg"]
    with pytest.raises(NoSuchFolderError):
        await anna.engine.keeper.off(mirror, "mirror")


# Watches


async def test_a_file_is_taken_when_it_is_at_rest_and_not_before(
    anna: TestedNode, tmp_path: Path, hand: Hand
) -> None:
    watched = tmp_path / "camera"
    growing = photograph(watched / "a.jpg")
    whole = growing.read_bytes()
    growing.write_bytes(whole[:100])
    await anna.engine.keeper.watch(watched, album=None, to=[], metadata=None)
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(REST_SECONDS - 0.5)
    growing.write_bytes(whole)
    await hand.move(REST_SECONDS - 0.5)
    assert library(anna) == []
    await hand.move(1.0)
    assert library(anna) == ["a.jpg"]
    (item,) = anna.engine.collection.search()
    assert (item.bytes, item.albums, item.refused) == (len(whole), ["camera"], None)
    assert growing.read_bytes() == whole
    assert the(anna).photos == 1


async def test_what_appears_is_noticed_also_in_folders_that_appear(
    anna: TestedNode, tmp_path: Path, hand: Hand
) -> None:
    watched = tmp_path / "camera"
    watched.mkdir()
    await anna.engine.keeper.watch(watched, album="All", to=[], metadata=None)
    await eventually(lambda: hand.asleep == [AGAIN_SECONDS])
    photograph(tmp_path / "made" / "sub" / "b.jpg")
    (tmp_path / "made").rename(watched / "moved")
    photograph(watched / "a.jpg")
    await eventually(lambda: hand.asleep == [0.5])
    await anna.until(lambda: bool(hand.asleep))
    for _ in range(20):
        if library(anna) == ["a.jpg", "b.jpg"]:
            break
        await hand.move(REST_SECONDS)
    assert library(anna) == ["a.jpg", "b.jpg"]
    assert [(album.name, album.photos) for album in anna.engine.collection.albums()] == [("All", 2)]


async def test_hidden_unfinished_and_linked_files_are_left(
    anna: TestedNode, tmp_path: Path, hand: Hand
) -> None:
    watched = tmp_path / "camera"
    outside = photograph(tmp_path / "outside" / "x.jpg")
    for name in (".a.jpg", "~b.jpg", ".hidden/c.jpg", "good.jpg"):
        photograph(watched / name)
    for name in ("d.jpg.part", "e.jpg~", "f.tmp", "notes.txt"):
        (watched / name).write_bytes(outside.read_bytes())
    (watched / "g.jpg").symlink_to(outside)
    (watched / "h").symlink_to(outside.parent)
    os.mkfifo(watched / "i.jpg")
    await anna.engine.keeper.watch(watched, album=None, to=[], metadata=None)
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(2 * REST_SECONDS)
    assert library(anna) == ["good.jpg"]
    assert the(anna).message is None


async def test_what_was_taken_is_not_taken_again_after_a_restart(
    anna: TestedNode, tmp_path: Path, hand: Hand
) -> None:
    watched = tmp_path / "camera"
    photograph(watched / "a.jpg")
    await anna.engine.keeper.watch(watched, album=None, to=[], metadata=None)
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(2 * REST_SECONDS)
    await anna.stop()
    photograph(watched / "b.jpg")
    await anna.restart()
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(2 * REST_SECONDS)
    assert library(anna) == ["a.jpg", "b.jpg"]
    assert the(anna).photos == 2
    assert len(anna.blob_files()) == 4


async def test_a_watched_folder_that_vanished_is_said_and_comes_back_by_itself(
    anna: TestedNode, tmp_path: Path, hand: Hand
) -> None:
    watched, away = tmp_path / "camera", tmp_path / "away"
    watched.mkdir()
    await anna.engine.keeper.watch(watched, album=None, to=[], metadata=None)
    await eventually(lambda: hand.asleep == [AGAIN_SECONDS])
    watched.rename(away)
    await eventually(lambda: bool(hand.asleep))
    await hand.move(2 * AGAIN_SECONDS)
    assert the(anna).state == "missing"
    photograph(away / "a.jpg")
    away.rename(watched)
    await hand.move(AGAIN_SECONDS + 2 * REST_SECONDS)
    assert the(anna).state == "watching"
    assert library(anna) == ["a.jpg"]


async def test_an_ended_watch_takes_nothing_more(
    anna: TestedNode, tmp_path: Path, hand: Hand
) -> None:
    watched = tmp_path / "camera"
    watched.mkdir()
    await anna.engine.keeper.watch(watched, album=None, to=[], metadata=None)
    await eventually(lambda: hand.asleep == [AGAIN_SECONDS])
    await anna.engine.keeper.off(watched, "watch")
    assert hand.asleep == []
    assert anna.engine.keeper.folders() == []


# Watches that share


@pytest.fixture
async def sharing(joined: Two, hand: Hand) -> Two:
    """Bob takes what Anna sends; time is moved by hand at Anna's."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    await joined.anna.restart(pace=hand.pace)
    await joined.anna.until(lambda: joined.anna.connected_to(joined.bob))
    return joined


async def test_a_watch_shares_what_appears_once(sharing: Two, tmp_path: Path, hand: Hand) -> None:
    watched = tmp_path / "camera"
    photograph(watched / "a.jpg")
    made = await sharing.anna.engine.keeper.watch(
        watched, album=None, to=["bob"], metadata="original"
    )
    assert (made.to, made.metadata) == (["Bob"], "original")
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(2 * REST_SECONDS)
    await sharing.bob.until(lambda: library(sharing.bob) == ["a.jpg"])
    await sharing.anna.restart()
    photograph(watched / "b.jpg")
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(2 * REST_SECONDS)
    await sharing.bob.until(lambda: library(sharing.bob) == ["a.jpg", "b.jpg"])
    assert len(sharing.bob.engine.inbox()) == 2


async def test_a_watch_shares_under_the_contact_s_policy_if_none_is_said(
    sharing: Two, tmp_path: Path, hand: Hand
) -> None:
    watched = tmp_path / "camera"
    original = photograph(watched / "a.jpg", position=(48.137, 11.575))
    await sharing.anna.engine.keeper.watch(watched, album=None, to=["Bob"], metadata=None)
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(2 * REST_SECONDS)
    await sharing.bob.until(lambda: library(sharing.bob) == ["a.jpg"])
    (got,) = sharing.bob.engine.collection.search()
    assert (got.policy, got.position) == ("no-location", None)
    (kept,) = sharing.anna.engine.collection.search()
    assert (kept.policy, kept.people) == ("original", ["Bob"])
    assert kept.bytes == original.stat().st_size


async def test_f8_still_and_clip_are_shared_together_or_the_clip_is_left(
    sharing: Two, tmp_path: Path, hand: Hand
) -> None:
    for policy in ("original", "no-location"):
        watched = tmp_path / policy
        photograph(watched / f"{policy}.jpg")
        (watched / f"{policy}.mov").write_bytes(film(container="mov", frames=len(policy)))
        await sharing.anna.engine.keeper.watch(watched, album=None, to=["Bob"], metadata=policy)
    await eventually(lambda: hand.asleep == [0.5, 0.5])
    await hand.move(2 * REST_SECONDS)
    await sharing.bob.until(lambda: len(sharing.bob.engine.inbox()) == 3)
    await sharing.bob.until(
        lambda: {item.state for item in sharing.bob.engine.inbox()} == {"stored"}
    )
    got = sorted(item.name or "" for item in sharing.bob.engine.inbox())
    assert got == ["no-location.jpg", "original.jpg", "original.mov"]


def touched(folder: Path, *files: Path) -> Path:
    """A folder with copies of files that have another time, as off a card."""
    folder.mkdir()
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
        os.utime(folder / file.name, (1, 1))
    return folder


async def test_f8_a_watch_that_shares_takes_no_clip_from_a_live_photo_that_is_here(
    sharing: Two, tmp_path: Path, hand: Hand
) -> None:
    old = tmp_path / "old"
    still, clip = photograph(old / "IMG_55.JPG"), old / "IMG_55.MOV"
    clip.write_bytes(film(container="mov"))
    await take(sharing.anna, still, clip, album="Old")
    watched = touched(tmp_path / "new", still, clip)
    await sharing.anna.engine.keeper.watch(watched, album=None, to=["Bob"], metadata="original")
    await eventually(lambda: hand.asleep == [0.5])
    await hand.move(2 * REST_SECONDS)
    await sharing.bob.until(lambda: len(sharing.bob.engine.inbox()) == 2)
    (item,) = sharing.anna.engine.collection.search()
    assert (item.albums, item.people) == (["new", "Old"], ["Bob"])
    written = await sharing.anna.engine.export(item.id, tmp_path / "out", keep_both=False)
    assert names(tmp_path / "out") == ["IMG_55.JPG", "IMG_55.MOV"]
    assert written.clip is not None


@pytest.mark.parametrize("name", ["a.jpg", "renamed.jpg"])
async def test_what_a_watch_shares_is_the_photo_that_the_library_has(
    sharing: Two, tmp_path: Path, hand: Hand, name: str
) -> None:
    original = photograph(tmp_path / "a.jpg")
    await take(sharing.anna, original)
    watched = touched(tmp_path / "camera", original)
    (watched / "a.jpg").rename(watched / name)
    await sharing.anna.engine.keeper.watch(watched, album=None, to=["Bob"], metadata="original")
    for _ in range(2):
        await eventually(lambda: hand.asleep == [0.5])
        await hand.move(2 * REST_SECONDS)
        await sharing.bob.until(lambda: library(sharing.bob) == ["a.jpg"])
        (item,) = sharing.anna.engine.collection.search()
        assert (sorted(item.albums), the(sharing.anna).photos) == (["Summer", "camera"], 1)
        await sharing.anna.restart()


async def test_a_watch_shares_its_own_photo_where_the_same_content_came_from_somebody(
    sharing: Two, tmp_path: Path, hand: Hand
) -> None:
    original = photograph(tmp_path / "a.jpg")
    await sharing.anna.engine.update_contact("Bob", accept="always")
    await sharing.bob.share_one(original, "Anna")
    watched = touched(tmp_path / "camera", original)
    await sharing.anna.engine.keeper.watch(watched, album=None, to=["Bob"], metadata="original")
    for _ in range(2):
        await eventually(lambda: hand.asleep == [0.5])
        await hand.move(2 * REST_SECONDS)
        await sharing.bob.until(lambda: len(sharing.bob.engine.inbox()) == 1)
        (item,) = sharing.anna.engine.collection.search(album="camera")
        assert (item.own, the(sharing.anna).photos) == (True, 1)
        await sharing.anna.restart()


# What can't be kept up


async def test_a_folder_is_a_mirror_or_a_watch_and_none_lies_in_a_watch(
    anna: TestedNode, tmp_path: Path
) -> None:
    await take(anna, photograph(tmp_path / "a.jpg"))
    keeper, folder = anna.engine.keeper, tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    await keeper.watch(folder, album=None, to=[], metadata=None)
    refused = [folder, folder / "below", tmp_path / "link" / "new"]
    for mirror in refused:
        with pytest.raises(FolderTakenError):
            await keeper.mirror("Summer", mirror)
    assert names(folder) == ["below"]  # none was made before it was refused
    with pytest.raises(FolderTakenError):
        await keeper.watch(tmp_path / "link", album=None, to=[], metadata=None)
    await keeper.mirror("Summer", tmp_path / "elsewhere" / "mirror")
    with pytest.raises(FolderTakenError):
        await keeper.watch(tmp_path / "elsewhere", album=None, to=[], metadata=None)
    assert len(keeper.folders()) == 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"to": ["Nobody"]}, NoSuchContactError),
        ({"metadata": "original"}, BadRequestError),
        ({"album": "two\nlines"}, BadRequestError),
        ({"folder": "missing"}, FolderTakenError),
        ({"folder": "file"}, FolderTakenError),
    ],
)
async def test_a_watch_that_makes_no_sense_is_refused(
    anna: TestedNode, tmp_path: Path, options: dict[str, object], error: type[KinlightError]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    given: dict[str, object] = {"album": None, "to": (), "metadata": None, **options}
    folder = tmp_path / str(given.pop("folder", "folder"))
    with pytest.raises(error):
        await anna.engine.keeper.watch(folder, **given)  # type: ignore[arg-type]
    assert anna.engine.keeper.folders() == []


async def test_a_mirror_that_makes_no_sense_is_refused(joined: Two, tmp_path: Path) -> None:
    await take(joined.anna, photograph(tmp_path / "a.jpg"), album="Bob")
    await take(joined.anna, photograph(tmp_path / "b.jpg"))
    mirror = joined.anna.engine.keeper.mirror
    with pytest.raises(NoSuchAlbumError):
        await mirror("Nowhere", tmp_path / "mirror")
    with pytest.raises(BadRequestError):
        await mirror("Bob", tmp_path / "mirror")
    with pytest.raises(UnwritableFolderError):
        await mirror("Summer", tmp_path / "a.jpg" / "mirror")
    assert not (tmp_path / "mirror").exists()
