"""Photos that nobody looked at are looked at in the background, those that others sent too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kinlight.node.facts import Facts

from .conftest import Picture, Start, Two
from .nodes import TestedNode
from .photographs import photograph


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


def facts(node: TestedNode, photo: str | None) -> Facts | None:
    return node.parts.catalogue.facts(bytes.fromhex(photo or ""))


async def received(two: Two, path: Path) -> str:
    """A photo of Anna's, at Bob's, who has looked at it; its id."""
    await two.bob.engine.update_contact("Anna", accept="always")
    item = await two.anna.share_one(path, "Bob")
    await two.bob.until(lambda: facts(two.bob, item.photo_id) is not None)
    return item.photo_id or ""


async def test_a_photo_that_came_is_looked_at_and_told_about(joined: Two, tmp_path: Path) -> None:
    original = photograph(
        tmp_path / "beach.jpg", taken="2026:07:14 09:30:00", camera=("Kin", "K-1"),
        position=(48.137, 11.575),
    )  # fmt: skip
    with joined.bob.engine.events.listen(("photo",)) as news:
        photo = await received(joined, original)
        assert news.get_nowait().data == {"id": photo}
    (item,) = joined.bob.engine.collection.search(near=(48.1, 11.6), camera="k-1", start="2026-07")
    assert item.id == photo
    assert item.position == pytest.approx([48.137, 11.575], abs=0.001)
    assert (item.width, item.height) == (24, 16)


async def test_a_photo_that_came_and_does_not_open_is_known_as_such(
    joined: Two, picture: Picture
) -> None:
    await received(joined, picture("noise.jpg"))
    (item,) = joined.bob.engine.collection.search()
    assert item.refused


async def test_what_was_shared_without_an_import_is_looked_at_too(
    joined: Two, tmp_path: Path
) -> None:
    item = await joined.anna.share_one(photograph(tmp_path / "beach.jpg"), "Bob", wait=False)
    await joined.anna.until(lambda: facts(joined.anna, item.photo_id) is not None)


async def test_photos_of_an_earlier_version_are_looked_at_after_the_start(
    anna: TestedNode, tmp_path: Path
) -> None:
    item = await anna.parts.importer.take(photograph(tmp_path / "beach.jpg"), None)
    anna.parts.database.write("DELETE FROM facts")
    await anna.restart()
    await anna.until(lambda: facts(anna, item.id) is not None)


async def test_a_photo_whose_sealed_file_is_damaged_does_not_stop_the_others(
    anna: TestedNode, tmp_path: Path
) -> None:
    items = [
        await anna.parts.importer.take(photograph(tmp_path / f"{number}.jpg"), None)
        for number in range(3)
    ]
    anna.parts.database.write("DELETE FROM facts")
    lost = anna.parts.library.photo(bytes.fromhex(items[1].id or ""))
    assert lost is not None
    anna.parts.blobs.path(lost.record.content_id).write_bytes(b"damaged")
    await anna.restart()
    await anna.until(lambda: all(facts(anna, items[number].id) for number in (0, 2)))
    assert facts(anna, items[1].id) is None


async def test_a_photo_is_opened_once_however_many_ask_at_once(
    anna: TestedNode, tmp_path: Path
) -> None:
    item = await anna.parts.importer.take(photograph(tmp_path / "beach.jpg"), None)
    anna.parts.database.write("DELETE FROM facts")
    photo = anna.parts.library.photo(bytes.fromhex(item.id or ""))
    assert photo is not None
    with anna.engine.events.listen(("photo",)) as news:
        found = await asyncio.gather(*(anna.parts.cataloguer.look(photo) for _ in range(5)))
    assert len(set(found)) == 1
    assert news.qsize() == 1


# Live photos that came as two (F8)


def live(kind: str) -> Facts:
    return Facts(kind, pair="live:5E7C")


async def test_f8_still_and_clip_with_one_id_are_one_item_whatever_they_are_called(
    joined: Two, picture: Picture
) -> None:
    still, clip = [await received(joined, picture(name)) for name in ("a.heic", "z.mov")]
    catalogue = joined.bob.parts.catalogue
    catalogue.put_facts(bytes.fromhex(still), live("heif"))
    catalogue.put_facts(bytes.fromhex(clip), live("mov"))
    (item,) = joined.bob.engine.collection.search()
    assert (item.id, item.clip) == (still, clip)


async def test_nobody_can_hide_a_clip_in_somebody_else_s_photo(
    joined: Two, picture: Picture
) -> None:
    clip = await received(joined, picture("z.mov"))
    mine = await joined.bob.parts.importer.take(picture("a.heic"), None)
    catalogue = joined.bob.parts.catalogue
    catalogue.put_facts(bytes.fromhex(mine.id or ""), live("heif"))
    catalogue.put_facts(bytes.fromhex(clip), live("mov"))
    found = {item.id: item.clip for item in joined.bob.engine.collection.search()}
    assert found == {mine.id: None, clip: None}
