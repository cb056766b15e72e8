"""What is gone when a photo is taken out of the library, and what a failed share leaves."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from kinlight.node.photo_errors import (
    InAlbumError,
    NoSuchPhotoError,
    NotHereYetError,
    OpenDeliveryError,
)
from kinlight.node.views_sharing import ShareItem

from .circle import added_one, found, let_in
from .conftest import Picture, Two
from .filmed import film
from .photographs import photograph


@pytest.fixture
async def joined(joined: Two) -> Two:
    """Bob takes what Anna sends."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


async def test_nothing_of_a_removed_photo_stays_here(joined: Two, tmp_path: Path) -> None:
    node = joined.anna
    still, clip = photograph(tmp_path / "IMG_1.JPG", position=(48.1, 11.5)), tmp_path / "IMG_1.MOV"
    clip.write_bytes(film(container="mov"))
    for path in (still, clip):
        await node.parts.importer.take(path, "Summer")
    (item,) = node.engine.collection.search()
    await node.engine.rendition(item.id, "preview")
    await node.share(still, to="Bob", metadata="no-location")
    await node.share(still, to="Bob", metadata="original")
    removed = await node.engine.remove(item.id[:8], force=False)
    assert (removed.id, removed.name, removed.people) == (item.id, "IMG_1.JPG", ["Bob"])
    assert node.engine.collection.search() == []
    assert node.blob_files() == []
    tables = ("photos", "blobs", "facts", "clips", "copies", "renditions", "album_photos", "files")
    for table in (*tables, "deliveries", "receipts"):
        assert node.parts.database.value(f"SELECT count(*) FROM {table}") == 0, table
    with pytest.raises(NoSuchPhotoError):
        await node.engine.remove(item.id, force=False)


async def test_what_others_have_of_a_removed_photo_stays_with_them(
    joined: Two, picture: Picture
) -> None:
    item = await joined.anna.share_one(picture("a.jpg"), "Bob")
    await joined.anna.engine.remove(item.photo_id or "", force=False)
    assert joined.bob.engine.photo(item.photo_id or "").name == "a.jpg"


async def test_a_photo_on_its_way_is_removed_only_if_that_is_said(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.engine.update_contact("Anna", accept="ask")
    item = await joined.anna.share_one(picture("a.jpg"), "Bob")
    assert (item.state, item.photo_id) == ("waiting", item.photo_id)
    photo = item.photo_id or ""
    with pytest.raises(OpenDeliveryError):
        await joined.anna.engine.remove(photo, force=False)
    assert joined.anna.engine.photo(photo).name == "a.jpg"
    removed = await joined.anna.engine.remove(photo, force=True)
    assert removed.people == ["Bob"]
    joined.bob.engine.decide(photo, accept=True)
    await joined.bob.until(lambda: joined.bob.inbox_state(photo) == "refused")
    (offer,) = joined.bob.engine.inbox()
    assert offer.code == "gone"
    again = await joined.anna.share_one(picture("b.jpg"), "Bob")
    assert again.state == "waiting"


async def test_nothing_more_is_sent_of_a_photo_that_is_removed_while_it_is_fetched(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    sharing = asyncio.create_task(anna.share_one(picture(length=20_000_000), "Bob"))
    with anna.engine.events.listen(["sending"]) as news:
        photo = str((await news.get()).data["photo"])
        await anna.engine.remove(photo, force=True)
    await bob.until(lambda: bob.inbox_state(photo) == "refused")
    (offer,) = bob.engine.inbox()
    assert offer.code == "gone"
    assert bob.blob_files() == []
    await sharing


async def test_who_shares_is_told_that_the_photo_was_removed_meanwhile(
    joined: Two, picture: Picture
) -> None:
    await joined.bob.stop()
    items: list[ShareItem] = []
    sharing = joined.anna.engine.share(
        [picture("a.jpg")], ["Bob"], metadata="original", until=None, wait=True
    )
    async with contextlib.aclosing(sharing), asyncio.timeout(8):
        async for step in sharing:
            if isinstance(step, ShareItem):
                items.append(step)
                if step.photo_id is not None and step.state == "queued":
                    await joined.anna.engine.remove(step.photo_id, force=True)
    assert [item.state for item in items] == ["queued", "failed"]
    assert "removed" in (items[-1].message or "")


async def test_a_received_photo_that_is_removed_counts_as_declined_and_may_come_again(
    joined: Two, picture: Picture
) -> None:
    original = picture("a.jpg")
    item = await joined.anna.share_one(original, "Bob")
    photo = item.photo_id or ""
    removed = await joined.bob.engine.remove(photo, force=False)
    assert removed.people == []
    assert joined.bob.blob_files() == []
    assert joined.bob.inbox_state(photo) == "declined"
    with pytest.raises(NotHereYetError):
        await joined.bob.engine.remove(photo, force=False)
    await joined.bob.restart()
    assert joined.bob.inbox_state(photo) == "declined"
    await joined.anna.until(lambda: joined.anna.connected_to(joined.bob))
    await joined.anna.share(original, to="Bob", until=joined.anna.environment.now() + 3600)
    # Both offers are of one second, so either may be the last.
    await joined.bob.until(
        lambda: "stored" in {each.state for each in joined.bob.engine.inbox() if each.id == photo}
    )


async def test_a_removed_photo_is_imported_again_as_a_new_one(
    joined: Two, picture: Picture
) -> None:
    original = picture("a.jpg")
    first = await joined.anna.parts.importer.take(original, "Summer")
    await joined.anna.engine.remove(first.id or "", force=False)
    second = await joined.anna.parts.importer.take(original, "Summer")
    assert second.state == "imported"
    assert second.id != first.id


# What failed


@pytest.mark.parametrize("name", ["readme.txt", "broken.jpg"])
async def test_a_share_that_failed_leaves_nothing_that_was_not_there(
    joined: Two, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xff\xd8\xff\xe0 no picture" if name.endswith("jpg") else b"text")
    (item,) = await joined.anna.share(path, to="Bob", metadata="no-location")
    assert item.state == "failed"
    assert joined.anna.engine.collection.search() == []
    assert joined.anna.blob_files() == []


async def test_a_share_that_failed_leaves_what_was_imported_before(
    joined: Two, tmp_path: Path
) -> None:
    path = tmp_path / "readme.txt"
    path.write_bytes(b"text")
    await joined.anna.parts.importer.take(path, None)
    (item,) = await joined.anna.share(path, to="Bob", metadata="no-location")
    assert item.state == "failed"
    assert len(joined.anna.engine.collection.search()) == 1


async def test_of_files_of_one_name_only_those_that_failed_are_left_out(
    joined: Two, tmp_path: Path
) -> None:
    still = photograph(tmp_path / "IMG_1.JPG")
    (tmp_path / "IMG_1.MOV").write_bytes(film(container="mov"))
    (tmp_path / "IMG_1.txt").write_bytes(b"text")
    files = [still, tmp_path / "IMG_1.MOV", tmp_path / "IMG_1.txt"]
    await joined.anna.share(*files, to="Bob", metadata="no-location")
    (here,) = joined.anna.engine.collection.search()
    assert here.name == "IMG_1.JPG"
    assert here.clip is not None


async def test_a_photo_of_ours_that_others_keep_in_an_album_is_removed_only_if_that_is_said(
    joined: Two, picture: Picture
) -> None:
    """Who of them has it nobody knows, and this may be the only copy."""
    anna, bob = joined.anna, joined.bob
    found(anna)
    alone, kept = await added_one(anna, picture()), await added_one(anna, picture())
    await anna.engine.remove(alone, force=False)  # nobody else is in it
    await let_in(anna, bob)
    with pytest.raises(InAlbumError):
        await anna.engine.remove(kept, force=False)
    assert anna.engine.photo(kept).own
    await anna.engine.remove(kept, force=True)
    with pytest.raises(NoSuchPhotoError):
        anna.engine.photo(kept)
