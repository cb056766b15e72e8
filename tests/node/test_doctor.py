"""The doctor finds what is wrong in a home and nothing else, and mends what can be mended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest
from kinlight.crypto.blob import HEADER_BYTES, PIECE_BYTES
from kinlight.node import doctor
from kinlight.node.errors import LockedError
from kinlight.node.views import Event, Finding

from .conftest import Picture, Start, Two
from .nodes import TestedNode
from .photographs import photograph


async def examine(node: TestedNode, *, repair: bool = False, deep: bool = True) -> list[Finding]:
    run = node.engine.doctor.run(repair=repair, deep=deep)
    async with contextlib.aclosing(run) as steps:
        return [step async for step in steps if isinstance(step, Finding)]


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.kind, finding.severity, finding.state) for finding in findings]


def blob_of(node: TestedNode, photo: str) -> Path:
    content_id = node.engine.photo(photo).content_id
    return node.home.blobs / content_id[:2] / content_id


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def piece(index: int) -> int:
    """An offset within a piece."""
    return HEADER_BYTES + index * PIECE_BYTES + 1000


async def received(two: Two, path: Path) -> str:
    """The id of a photo of Anna that is whole at Bob's."""
    await two.bob.engine.update_contact("Anna", accept="always")
    item = await two.anna.share_one(path, "Bob")
    assert item.state == "delivered"
    assert item.photo_id is not None
    return item.photo_id


async def imported(node: TestedNode, *paths: Path) -> None:
    async with contextlib.aclosing(
        node.parts.importer.run(list(paths), album=None, albums=False)
    ) as steps:
        async for _ in steps:
            pass


def only_photo(node: TestedNode) -> str:
    (row,) = node.parts.database.rows("SELECT photo_id FROM photos")
    return row[0].hex()


async def test_a_healthy_home_has_no_finding(two: Two, picture: Picture, tmp_path: Path) -> None:
    photo = await received(two, picture(length=600_000))
    own = photograph(tmp_path / "own.jpg", size=(64, 48))
    await imported(two.bob, own)
    for node in (two.anna, two.bob):
        assert await examine(node) == []
        assert await examine(node, repair=True) == []
    assert two.bob.engine.photo(photo).name == "1.jpg"


async def test_a_locked_node_is_not_examined(start: Start) -> None:
    anna = await start("Anna")
    await anna.stop()
    with pytest.raises(LockedError):
        await examine(anna)


# What came from somebody else.


async def test_of_a_damaged_photo_only_the_bad_piece_comes_again(
    joined: Two, picture: Picture
) -> None:
    path = picture(length=2_000_000)
    photo = await received(joined, path)
    sealed = blob_of(joined.bob, photo)
    whole = sealed.read_bytes()
    flip(sealed, piece(3))
    assert await examine(joined.bob, deep=False) == []
    (found,) = await examine(joined.bob)
    assert (found.kind, found.severity, found.state) == ("blob-pieces", "damage", "found")
    assert (found.photo, found.name) == (photo, "1.jpg")
    assert "fetches it again from Anna" in found.remedy
    with joined.anna.engine.events.listen(["sending"]) as news:
        assert told(await examine(joined.bob, repair=True)) == [
            ("blob-pieces", "damage", "repaired")
        ]
        assert [news.get_nowait().data["pieces"] for _ in range(news.qsize())] == [4]
    assert sealed.read_bytes() == whole
    assert await examine(joined.bob) == []


@pytest.mark.parametrize("how", ["missing", "cut", "header", "longer", "a link"])
async def test_a_photo_that_came_is_fetched_again(
    joined: Two, picture: Picture, tmp_path: Path, how: str
) -> None:
    photo = await received(joined, picture(length=900_000))
    sealed = blob_of(joined.bob, photo)
    whole = sealed.read_bytes()
    kind = "blob-length"
    match how:
        case "missing":
            sealed.unlink()
            kind = "blob-missing"
        case "cut":
            os.truncate(sealed, 500_000)
        case "header":
            flip(sealed, 3)
            kind = "blob-pieces"
        case "longer":
            sealed.write_bytes(whole + b"more")
        case _:
            (tmp_path / "elsewhere").write_bytes(whole)
            sealed.unlink()
            sealed.symlink_to(tmp_path / "elsewhere")
            kind = "blob-missing"
    assert told(await examine(joined.bob)) == [(kind, "damage", "found")]
    assert told(await examine(joined.bob, repair=True)) == [(kind, "damage", "repaired")]
    assert sealed.read_bytes() == whole
    assert not sealed.is_symlink()
    assert await examine(joined.bob, repair=True) == []


async def test_what_its_sender_can_not_bring_now_comes_when_they_are_back(
    joined: Two, picture: Picture
) -> None:
    photo = await received(joined, picture(length=900_000))
    sealed = blob_of(joined.bob, photo)
    whole = sealed.read_bytes()
    await joined.anna.stop()
    await joined.bob.until(lambda: not joined.bob.engine.status().connections)
    flip(sealed, piece(1))
    (found,) = await examine(joined.bob, repair=True)
    assert (found.kind, found.state) == ("blob-pieces", "waiting")
    assert "Anna is next here" in found.remedy
    await joined.bob.restart()  # it is remembered, and what is kept for it is no leftover
    assert told(await examine(joined.bob)) == [("blob-pieces", "damage", "waiting")]
    with joined.bob.engine.events.listen(["photo"]) as news:
        await joined.anna.restart()
        await joined.bob.until(lambda: sealed.read_bytes() == whole, news=news)
    assert await examine(joined.bob) == []


async def test_of_what_its_sender_took_back_the_damaged_file_stays(
    joined: Two, picture: Picture
) -> None:
    photo = await received(joined, picture(length=900_000))
    sealed = blob_of(joined.bob, photo)
    flip(sealed, piece(1))
    damaged = sealed.read_bytes()
    await joined.anna.engine.remove(photo, force=True)
    (found,) = await examine(joined.bob, repair=True)
    assert (found.kind, found.state) == ("blob-pieces", "lost")
    assert "no longer has this photo" in found.remedy
    assert sealed.read_bytes() == damaged
    assert told(await examine(joined.bob)) == [("blob-pieces", "damage", "found")]


async def test_two_damaged_photos_and_their_descriptions_are_all_mended(
    joined: Two, picture: Picture
) -> None:
    photos = [await received(joined, picture(length=400_000)) for _ in range(2)]
    files = joined.bob.blob_files()
    whole = {file: file.read_bytes() for file in files}
    assert len(files) == 4
    for file in files:
        flip(file, HEADER_BYTES + 5)
    found = await examine(joined.bob, repair=True)
    assert told(found) == [("blob-pieces", "damage", "repaired")] * 4
    assert {finding.photo for finding in found} == set(photos)
    assert {file: file.read_bytes() for file in joined.bob.blob_files()} == whole


# Our own.


async def test_an_own_photo_is_sealed_again_from_its_file(start: Start, picture: Picture) -> None:
    anna = await start("Anna")
    await imported(anna, picture(length=1_200_000))
    sealed = blob_of(anna, only_photo(anna))
    whole = sealed.read_bytes()
    sealed.unlink()
    (found,) = await examine(anna)
    assert (found.kind, found.state) == ("blob-missing", "found")
    assert "seals it again" in found.remedy
    assert told(await examine(anna, repair=True)) == [("blob-missing", "damage", "repaired")]
    assert sealed.read_bytes() == whole
    assert await examine(anna) == []


@pytest.mark.parametrize("how", ["changed", "gone", "a pipe"])
async def test_an_own_photo_whose_file_is_another_one_now_is_lost_and_left_as_it_is(
    start: Start, picture: Picture, how: str
) -> None:
    anna = await start("Anna")
    path = picture(length=900_000)
    await imported(anna, path)
    sealed = blob_of(anna, only_photo(anna))
    flip(sealed, piece(2))
    damaged = sealed.read_bytes()
    match how:
        case "changed":
            flip(path, 800_000)
        case "gone":
            path.unlink()
        case _:
            path.unlink()
            os.mkfifo(path)
    for _ in range(2):
        (found,) = await examine(anna, repair=True)
        assert (found.kind, found.state) == ("blob-pieces", "lost")
        assert "Import the very same file again" in found.remedy
    assert sealed.read_bytes() == damaged
    assert [file for file in anna.blob_files() if "incoming" in file.parts] == []


async def test_a_damaged_copy_for_sharing_is_to_be_forgotten_and_made_again(
    joined: Two, tmp_path: Path
) -> None:
    anna = joined.anna
    file = photograph(tmp_path / "beach.jpg", size=(64, 48))
    (item,) = await anna.share(file, to="Bob", metadata="clean")
    assert item.photo_id is not None
    flip(blob_of(anna, item.photo_id), HEADER_BYTES + 5)
    (found,) = await examine(anna, repair=True)
    assert (found.kind, found.state) == ("blob-pieces", "lost")
    assert f"`kinlight remove {item.photo_id[:8]}`" in found.remedy
    await anna.engine.remove(item.photo_id, force=True)
    assert await examine(anna) == []
    (again,) = await anna.share(file, to="Bob", metadata="clean")
    assert again.photo_id not in (None, item.photo_id)


async def test_a_preview_that_is_lost_is_forgotten_and_made_again(
    start: Start, tmp_path: Path
) -> None:
    anna = await start("Anna")
    await imported(anna, photograph(tmp_path / "beach.jpg", size=(64, 48)))
    photo = only_photo(anna)
    preview = await anna.engine.rendition(photo, "preview")
    (row,) = anna.parts.database.rows("SELECT content_id FROM renditions")
    sealed = anna.parts.blobs.path(row[0])
    flip(sealed, HEADER_BYTES + 5)
    (found,) = await examine(anna)
    assert (found.kind, found.state, found.photo) == ("blob-pieces", "found", photo)
    assert told(await examine(anna, repair=True)) == [("blob-pieces", "damage", "repaired")]
    assert not sealed.exists()
    assert await examine(anna) == []
    assert await anna.engine.rendition(photo, "preview") == preview


# Files and rows.


async def test_files_that_nothing_names_are_found_and_removed(two: Two, picture: Picture) -> None:
    await received(two, picture())
    stray = two.bob.home.blobs / "ab" / ("ab" * 32)
    partial = two.bob.home.blobs / "incoming" / f"{'cd' * 16}-{'ab' * 32}.part"
    before = set(two.bob.blob_files())
    for file in (stray, partial):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.touch(mode=0o600)
    (stray.parent / "folder").mkdir(mode=0o700)  # somebody's own
    found = await examine(two.bob)
    assert told(found) == [
        ("stray-file", "leftover", "found"),
        ("partial-file", "leftover", "found"),
    ]
    assert found[0].file == f"blobs/ab/{'ab' * 32}"
    assert {state for _, _, state in told(await examine(two.bob, repair=True))} == {"repaired"}
    assert set(two.bob.blob_files()) == before
    assert await examine(two.bob) == []


async def test_what_is_on_its_way_is_no_leftover(joined: Two, picture: Picture) -> None:
    item = await joined.anna.share_one(picture(length=3_000_000), "Bob")
    photo = item.photo_id
    assert photo is not None
    with joined.bob.engine.events.listen(["progress"]) as news:
        joined.bob.engine.decide(photo, accept=True)
        event: Event = await news.get()
        assert event.data["pieces"]
        await joined.anna.stop()
    assert await examine(joined.bob, repair=True) == []
    await joined.anna.restart()
    await joined.bob.until(lambda: joined.bob.inbox_state(photo) == "stored")
    assert await examine(joined.bob) == []


async def test_photos_that_come_and_go_meanwhile_are_no_findings(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    paths = [picture(length=700_000) for _ in range(12)]
    done = asyncio.Event()

    async def look(node: TestedNode) -> list[Finding]:
        found: list[Finding] = []
        while not done.is_set():
            found += await examine(node, repair=True)
        return found

    looking = [asyncio.create_task(look(node)) for node in (joined.anna, joined.bob)]
    items = await joined.anna.share(*paths, to="Bob")
    for item in items[:4]:
        assert item.photo_id is not None
        await joined.bob.engine.remove(item.photo_id, force=True)
        await joined.anna.engine.remove(item.photo_id, force=True)
    done.set()
    assert await asyncio.gather(*looking) == [[], []]
    assert {item.state for item in items} == {"delivered"}
    for item in items[4:]:
        assert item.photo_id is not None
        assert joined.bob.engine.photo(item.photo_id)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
async def test_files_that_others_may_open_are_closed(two: Two, picture: Picture) -> None:
    photo = await received(two, picture())
    sealed = blob_of(two.bob, photo)
    sealed.chmod(0o644)
    (found,) = await examine(two.bob)
    assert (found.kind, found.severity, found.state) == ("mode", "warning", "found")
    assert found.file == sealed.relative_to(two.bob.home.path).as_posix()
    two.bob.home.path.chmod(0o755)
    (found,) = await examine(two.bob, repair=True)
    assert (found.file, found.state) == (". and 1 more", "repaired")
    assert [path.stat().st_mode & 0o777 for path in (two.bob.home.path, sealed)] == [0o700, 0o600]
    assert await examine(two.bob) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such owners")
async def test_a_file_of_another_user_is_told(start: Start) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    anna = await start("Anna")
    os.chown(anna.home.config, 12345, 12345)
    found = await examine(anna, repair=True)
    assert told(found) == [("owner", "warning", "found")]
    assert found[0].file == "config.toml"


async def test_an_almost_full_disk_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await start("Anna")
    monkeypatch.setattr(doctor, "LOW_DISK_BYTES", 2**62)
    assert told(await examine(anna)) == [("disk", "warning", "found")]


async def test_rows_that_point_at_nothing_are_told_and_caches_forgotten(start: Start) -> None:
    anna = await start("Anna")
    database = anna.parts.database
    database.execute("PRAGMA foreign_keys = OFF")
    database.write("INSERT INTO renditions VALUES (?, 'preview', ?, 1, 1)", b"p" * 16, b"c" * 32)
    database.write(
        "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, NULL, 'delivered', NULL, 1, 1, NULL, 1)",
        b"e" * 32, b"p" * 16, b"i" * 32, b"d" * 32, b"x",
    )  # fmt: skip
    database.execute("PRAGMA foreign_keys = ON")
    rows = sorted((finding.file, finding.state) for finding in await examine(anna, repair=True))
    assert rows == [
        ("deliveries -> contacts (1)", "lost"),
        ("deliveries -> photos (1)", "lost"),
        ("renditions -> blobs (1)", "repaired"),
        ("renditions -> photos (1)", "repaired"),
    ]
    assert database.value("SELECT count(*) FROM renditions") == 0
    assert database.value("SELECT count(*) FROM deliveries") == 1


@pytest.mark.parametrize("how", ["changed", "gone", "empty"])
async def test_under_a_damaged_library_nothing_is_removed(
    two: Two, picture: Picture, how: str
) -> None:
    await received(two, picture())
    for number in range(50):
        two.bob.parts.library.set_setting(f"filler {number}", bytes(3000))
    two.bob.parts.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    stray = two.bob.home.blobs / "incoming" / "stray.part"
    stray.touch(mode=0o600)
    library = two.bob.home.library
    match how:
        case "changed":
            flip(library, library.stat().st_size - 2000)
        case "gone":
            library.unlink()
        case _:
            os.truncate(library, 0)
    before = set(two.bob.blob_files())
    (found,) = await examine(two.bob, repair=True)
    assert (found.kind, found.severity, found.state) == ("database", "damage", "lost")
    assert set(two.bob.blob_files()) == before


async def test_the_words_of_a_remedy_hold_no_control_characters_of_others(
    joined: Two, picture: Picture
) -> None:
    photo = await received(joined, picture(length=300_000))
    joined.bob.parts.library.update_contact(joined.anna.identity, name="An\x1b[2Jna")
    flip(blob_of(joined.bob, photo), piece(0))
    (found,) = await examine(joined.bob)
    assert "\x1b" not in found.remedy
