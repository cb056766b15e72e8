"""Files and folders become photos of the library, once each, and none gets lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import unicodedata
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from kinlight.node import importing
from kinlight.node.errors import BadRequestError, DiskFullError, HomeUnusableError, LockedError
from kinlight.node.views_library import ImportItem, ImportProgress

from .conftest import Start, Two
from .filmed import film
from .nodes import TestedNode
from .photographs import photograph
from .rlimits import files_at_most

Steps = AsyncGenerator[ImportItem | ImportProgress]


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


def importing_of(
    node: TestedNode,
    *paths: Path,
    album: str | None = None,
    albums: bool = True,
    rehash: bool = False,
) -> Steps:
    return node.engine.collection.import_photos(
        list(paths), album=album, albums=albums, rehash=rehash
    )


async def imported(
    node: TestedNode,
    *paths: Path,
    album: str | None = None,
    albums: bool = True,
    rehash: bool = False,
) -> list[ImportItem]:
    """The items of an import, by file."""
    importing = importing_of(node, *paths, album=album, albums=albums, rehash=rehash)
    steps = [step async for step in importing]
    items = [step for step in steps if isinstance(step, ImportItem)]
    return sorted(items, key=lambda item: item.file)


def states(items: list[ImportItem]) -> list[str]:
    return [item.state for item in items]


def albums(node: TestedNode) -> dict[str, int]:
    return {album.name: album.photos for album in node.engine.collection.albums()}


def names(node: TestedNode) -> list[str]:
    return sorted(item.name for item in node.engine.collection.search())


async def exported(node: TestedNode, photo: str | None, folder: Path) -> Path:
    done = await node.engine.export(photo or "", folder, keep_both=False)
    return Path(done.path)


def same_file(one: Path, other: Path) -> bool:
    """The same bytes and the same time, to the nanosecond."""
    return (one.read_bytes(), one.stat().st_mtime_ns) == (
        other.read_bytes(), other.stat().st_mtime_ns,
    )  # fmt: skip


# What is taken


async def test_an_imported_file_is_in_the_library_byte_for_byte_and_with_nobody_else(
    anna: TestedNode, tmp_path: Path
) -> None:
    original = photograph(tmp_path / "beach.jpg", taken="2026:07:14 09:30:00")
    (item,) = await imported(anna, original)
    assert (item.state, item.name, item.refused) == ("imported", "beach.jpg", None)
    details = anna.engine.photo(item.id or "")
    assert details.own
    assert details.policy == "original"
    assert details.deliveries == []
    assert same_file(await exported(anna, item.id, tmp_path / "out"), original)


async def test_what_was_found_in_a_picture_is_known_when_its_import_is_done(
    anna: TestedNode, tmp_path: Path
) -> None:
    await imported(
        anna,
        photograph(
            tmp_path / "beach.jpg", size=(24, 16), orientation=6, taken="2026:07:14 09:30:00",
            zone="+02:00", camera=("Kin", "K-1"),
        ),
    )  # fmt: skip
    (found,) = anna.engine.collection.search()
    assert found.captured == "2026-07-14T09:30:00+02:00"
    assert found.captured_source
    assert "K-1" in (found.camera or "")
    assert (found.width, found.height) == (16, 24)
    assert found.c2pa == "none"


@pytest.mark.parametrize("content", [b"\xff\xd8 no picture at all", b""])
async def test_a_picture_that_does_not_open_is_kept_as_it_is_with_the_reason(
    anna: TestedNode, tmp_path: Path, content: bytes
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(content)
    (item,) = await imported(anna, broken)
    assert item.state == "imported"
    assert item.refused
    assert (await exported(anna, item.id, tmp_path / "out")).read_bytes() == broken.read_bytes()


async def test_one_bad_file_never_stops_the_rest(anna: TestedNode, tmp_path: Path) -> None:
    pipe = tmp_path / "2-pipe.jpg"
    os.mkfifo(pipe)
    good = [photograph(tmp_path / name) for name in ("1.jpg", "4.jpg")]
    items = await imported(anna, good[0], pipe, tmp_path / "3-missing.jpg", good[1])
    assert [(item.state, item.code) for item in items] == [
        ("imported", None), ("failed", "unreadable"), ("failed", "unreadable"), ("imported", None),
    ]  # fmt: skip
    assert all(item.message for item in items if item.state == "failed")


async def test_of_a_folder_its_photos_are_taken_and_nothing_hidden_or_linked(
    anna: TestedNode, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    for name in ("a.jpg", "sub/b.JPG", ".hidden.jpg", ".cache/c.jpg"):
        photograph(folder / name)
    (folder / "notes.txt").write_text("not a photo")
    (folder / "link.jpg").symlink_to(photograph(tmp_path / "elsewhere.jpg"))
    assert [item.name for item in await imported(anna, folder)] == ["a.jpg", "b.JPG"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_folder_that_can_not_be_read_is_said(anna: TestedNode, tmp_path: Path) -> None:
    closed = tmp_path / "holiday" / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0)
    (item,) = await imported(anna, tmp_path / "holiday")
    assert (item.state, item.code) == ("failed", "unreadable")


@pytest.mark.parametrize("raw", [b"caf\xe9.jpg", b"two\nlines.jpg", b"\x1b[2J.jpg", b"CON.jpg"])
async def test_any_name_that_a_file_can_have_is_imported_and_known_again(
    anna: TestedNode, tmp_path: Path, raw: bytes
) -> None:
    folder = tmp_path / "odd"
    path = photograph(folder / "plain.jpg").rename(folder / os.fsdecode(raw))
    assert states(await imported(anna, folder)) == ["imported"]
    assert states(await imported(anna, folder)) == ["unchanged"]
    (item,) = anna.engine.collection.search()
    copy = await exported(anna, item.id, tmp_path / "out")
    assert copy.parent == tmp_path / "out"
    assert copy.read_bytes() == path.read_bytes()


async def test_nothing_to_import_is_a_bad_request(anna: TestedNode) -> None:
    with pytest.raises(BadRequestError):
        await imported(anna)


# Once each


async def test_a_file_that_has_not_changed_is_not_read_again_unless_rehash_says_so(
    anna: TestedNode, tmp_path: Path
) -> None:
    original = photograph(tmp_path / "beach.jpg")
    first = await imported(anna, original)
    status = original.stat()
    # The same size and time, but nothing that could be read as the same photo.
    original.write_bytes(bytes(status.st_size))
    os.utime(original, ns=(status.st_atime_ns, status.st_mtime_ns))
    (again,) = await imported(anna, original)
    assert (again.state, again.id) == ("unchanged", first[0].id)
    (read,) = await imported(anna, original, rehash=True)
    assert read.state == "imported"
    assert read.id != first[0].id


async def test_a_file_that_changed_is_another_photo(anna: TestedNode, tmp_path: Path) -> None:
    original = photograph(tmp_path / "beach.jpg", seed=1)
    first = await imported(anna, original)
    os.utime(photograph(original, seed=2), (5, 5))
    (again,) = await imported(anna, original)
    assert again.state == "imported"
    assert again.id != first[0].id
    assert len(names(anna)) == 2


async def test_the_same_content_elsewhere_is_the_same_photo(
    anna: TestedNode, tmp_path: Path
) -> None:
    original = photograph(tmp_path / "beach.jpg")
    copy = Path(shutil.copy(original, tmp_path / "copy of beach.jpg"))
    (first,) = await imported(anna, original)
    blobs = anna.blob_files()
    (second,) = await imported(anna, copy)
    assert (second.state, second.id) == ("present", first.id)
    assert anna.blob_files() == blobs


async def test_two_files_of_one_content_that_are_imported_at_once_are_one_photo(
    anna: TestedNode, tmp_path: Path
) -> None:
    for number in range(4):
        photograph(tmp_path / "same" / f"{number}.jpg", seed="the same", size=(600, 400))
    items = await imported(anna, tmp_path / "same")
    assert sorted(states(items)) == ["imported", "present", "present", "present"]
    assert len(names(anna)) == 1


async def test_a_photo_that_somebody_sent_is_not_imported_again(
    joined: Two, tmp_path: Path
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    item = await joined.anna.share_one(photograph(tmp_path / "beach.jpg"), "Bob")
    copy = await exported(joined.bob, item.photo_id, tmp_path / "out")
    (again,) = await imported(joined.bob, copy)
    assert (again.state, again.id) == ("present", item.photo_id)
    assert not joined.bob.engine.photo(again.id or "").own


async def test_a_photo_whose_sealed_file_is_gone_is_sealed_anew(
    anna: TestedNode, tmp_path: Path
) -> None:
    original = photograph(tmp_path / "beach.jpg")
    await imported(anna, original)
    for path in anna.blob_files():
        path.unlink()
    (again,) = await imported(anna, original)
    assert again.state == "imported"
    assert (await exported(anna, again.id, tmp_path / "out")).read_bytes() == original.read_bytes()


async def test_an_import_that_was_ended_goes_on_where_it_was(
    anna: TestedNode, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    files = [photograph(folder / f"{number}.jpg") for number in range(12)]
    async with contextlib.aclosing(importing_of(anna, folder)) as steps:
        done = 0
        async for step in steps:
            done += isinstance(step, ImportItem)
            if done == 5:
                break
    await anna.restart()
    items = await imported(anna, folder)
    assert states(items).count("unchanged") >= 5
    assert names(anna) == sorted(path.name for path in files)
    assert albums(anna) == {"holiday": 12}
    assert len(anna.blob_files()) == 24


async def test_a_shared_file_is_the_photo_that_was_imported(joined: Two, tmp_path: Path) -> None:
    original = photograph(tmp_path / "beach.jpg")
    (item,) = await imported(joined.anna, original)
    shared = await joined.anna.share_one(original, "Bob", wait=False)
    assert shared.photo_id == item.id
    assert states(await imported(joined.anna, original)) == ["unchanged"]


# Albums


async def test_photos_from_folders_go_into_albums_of_the_folders_names(
    anna: TestedNode, tmp_path: Path
) -> None:
    for name in ("a.jpg", "b.jpg", "Rome/c.jpg", "Rome/Forum/d.jpg"):
        photograph(tmp_path / "Italy" / name)
    single = photograph(tmp_path / "Elsewhere" / "e.jpg")
    items = await imported(anna, tmp_path / "Italy", single)
    assert albums(anna) == {"Italy": 2, "Rome": 1, "Forum": 1}
    assert [item.album for item in items] == [None, "Forum", "Rome", "Italy", "Italy"]


async def test_one_album_can_take_them_all_or_none_be_made(
    anna: TestedNode, tmp_path: Path
) -> None:
    for name in ("a.jpg", "Rome/c.jpg"):
        photograph(tmp_path / "Italy" / name)
    await imported(anna, tmp_path / "Italy", albums=False)
    assert albums(anna) == {}
    await imported(anna, tmp_path / "Italy", album="Summer 2026")
    assert albums(anna) == {"Summer 2026": 2}


async def test_a_second_import_puts_unchanged_files_into_the_album_that_it_says(
    anna: TestedNode, tmp_path: Path
) -> None:
    original = photograph(tmp_path / "beach.jpg")
    await imported(anna, original)
    for _ in range(2):
        assert states(await imported(anna, original, album="Summer")) == ["unchanged"]
    assert albums(anna) == {"Summer": 1}


async def test_an_album_of_a_folder_has_one_harmless_name_in_all_unicode_forms(
    anna: TestedNode, tmp_path: Path
) -> None:
    accented = "Café\n\x1b[2J Été"
    for form in ("NFC", "NFD"):
        photograph(tmp_path / form / unicodedata.normalize(form, accented) / f"{form}.jpg")
    await imported(anna, tmp_path / "NFC", tmp_path / "NFD")
    assert albums(anna) == {"Café [2J Été": 2}


@pytest.mark.parametrize("name", ["two\nlines", "", " spaces ", "x" * 81])
async def test_an_album_s_name_that_is_no_line_is_refused(
    anna: TestedNode, tmp_path: Path, name: str
) -> None:
    with pytest.raises(BadRequestError):
        await imported(anna, photograph(tmp_path / "beach.jpg"), album=name)


# Live photos (F8)


async def test_f8_a_still_and_its_clip_are_one_item(anna: TestedNode, tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    photograph(folder / "IMG_1.JPG")
    (folder / "img_1.mov").write_bytes(film(container="mov"))
    photograph(folder / "IMG_2.JPG")
    items = {item.name: item for item in await imported(anna, folder)}
    assert names(anna) == ["IMG_1.JPG", "IMG_2.JPG"]
    found = {item.name: item.clip for item in anna.engine.collection.search()}
    assert found == {"IMG_1.JPG": items["img_1.mov"].id, "IMG_2.JPG": None}
    assert albums(anna) == {"phone": 2}


async def test_f8_a_broken_clip_does_not_block_the_still(anna: TestedNode, tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    photograph(folder / "IMG_1.JPG")
    (folder / "IMG_1.MOV").write_bytes(b"no clip at all")
    still, clip = await imported(anna, folder)
    assert (still.state, still.refused, clip.state) == ("imported", None, "imported")
    assert clip.refused
    (found,) = anna.engine.collection.search()
    assert found.clip == clip.id


async def test_f8_still_and_clip_find_each_other_over_two_imports_in_any_order(
    anna: TestedNode, tmp_path: Path
) -> None:
    folder = tmp_path / "phone"
    clip = folder / "E\u0301te\u0301.mov"
    still = photograph(folder / "Été.jpg")
    clip.write_bytes(film(container="mov"))
    await imported(anna, clip)
    assert names(anna) == [clip.name]
    await imported(anna, still)
    assert names(anna) == [still.name]


async def test_f8_a_motion_photo_is_one_photo_with_its_bytes(
    anna: TestedNode, shared_dir: Path, tmp_path: Path
) -> None:
    original = shared_dir / "data" / "corpus" / "motion-live-01-image_isom_avc1.jpg"
    if not original.is_file():
        pytest.skip(f"{original} is not there")
    (item,) = await imported(anna, original)
    (found,) = anna.engine.collection.search()
    assert (found.id, found.clip) == (item.id, None)
    copy = await exported(anna, item.id, tmp_path / "out")
    assert copy.read_bytes() == original.read_bytes()


# How it goes on the way


async def test_progress_is_told_from_the_first_moment_and_to_the_end(
    anna: TestedNode, tmp_path: Path
) -> None:
    files = [photograph(tmp_path / "holiday" / f"{number}.jpg") for number in range(3)]
    steps = [step async for step in importing_of(anna, tmp_path / "holiday")]
    assert steps[0] == ImportProgress(0, 0, counting=True, bytes=0)
    size = sum(path.stat().st_size for path in files)
    assert steps[-1] == ImportProgress(3, 3, counting=False, bytes=size)


async def test_a_long_file_moves_the_progress_while_it_is_sealed(
    anna: TestedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PROGRESS_SECONDS", 0.001)
    long = tmp_path / "long.jpg"
    long.write_bytes(bytes(30_000_000))
    steps = [step async for step in importing_of(anna, long)]
    moved = [step.bytes for step in steps if isinstance(step, ImportProgress)]
    assert moved == sorted(moved)
    assert any(0 < done < 30_000_000 for done in moved)


async def test_a_full_disk_ends_the_run_and_leaves_nothing_behind(
    anna: TestedNode, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    for number in range(3):
        photograph(folder / f"{number}.jpg", size=(600, 400))
    with files_at_most(100_000), pytest.raises((DiskFullError, HomeUnusableError)):
        await imported(anna, folder)
    assert not anna.blob_files()
    assert states(await imported(anna, folder)) == ["imported"] * 3


async def test_locking_the_node_ends_the_run(anna: TestedNode, tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    for number in range(20):
        photograph(folder / f"{number}.jpg")

    async def run() -> None:
        async for step in importing_of(anna, folder):
            if isinstance(step, ImportItem):
                await anna.stop()

    with pytest.raises(LockedError):
        async with asyncio.timeout(30):
            await run()


async def test_f8_a_live_photo_is_exported_as_still_and_clip_under_one_name(
    anna: TestedNode, tmp_path: Path
) -> None:
    folder, out = tmp_path / "phone", tmp_path / "out"
    still = photograph(folder / "IMG_1.JPG")
    clip = folder / "IMG_1.MOV"
    clip.write_bytes(film(container="mov"))
    os.utime(clip, ns=(1_234_567_890_123_456_789, 1_234_567_890_123_456_789))
    await imported(anna, folder)
    (item,) = anna.engine.collection.search()
    done = await anna.engine.export(item.id, out, keep_both=False)
    assert done.clip is not None
    for original, written in ((still, done), (clip, done.clip)):
        assert Path(written.path) == out / original.name
        assert same_file(original, out / original.name)
    again = await anna.engine.export(item.id, out, keep_both=False)
    assert again.clip is not None
    assert (again.already, again.clip.already) == (True, True)


async def test_f8_where_the_still_gets_a_number_its_clip_gets_it_too(
    anna: TestedNode, tmp_path: Path
) -> None:
    folder, out = tmp_path / "phone", tmp_path / "out"
    photograph(folder / "IMG_1.JPG")
    (folder / "IMG_1.MOV").write_bytes(film(container="mov"))
    await imported(anna, folder)
    photograph(out / "IMG_1.JPG", seed="another")
    (item,) = anna.engine.collection.search()
    await anna.engine.export(item.id, out, keep_both=True)
    assert {path.name for path in out.iterdir()} == {"IMG_1.JPG", "IMG_1 (2).JPG", "IMG_1 (2).MOV"}
