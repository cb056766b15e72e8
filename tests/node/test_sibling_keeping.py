"""What of the photos that devices have together is kept on which of them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from kinlight.node.errors import BadRequestError
from kinlight.node.photo_errors import NoSuchPhotoError
from kinlight.node.views_siblings import AwayPhoto
from PIL import Image

from .conftest import Picture
from .nodes import Clock, TestedNode
from .siblings import Pair
from .three import imported


def here(node: TestedNode, photo: str) -> bool:
    return node.parts.library.photo(bytes.fromhex(photo)) is not None


def away(node: TestedNode) -> set[str]:
    return {each.id for each in node.engine.device_photos.away()}


def shown(node: TestedNode) -> list[AwayPhoto]:
    return [each for each in node.engine.device_photos.away() if each.name is not None]


def not_a_picture(path: Path) -> Path:
    path.write_bytes(b"nothing that can be opened")
    return path


def jpeg(path: Path) -> Path:
    Image.effect_noise((400, 300), 60).convert("RGB").save(path, "JPEG")
    return path


async def test_a_device_that_keeps_nothing_lets_go_of_what_another_one_promised_to_keep(
    pair: Pair, picture: Picture
) -> None:
    photo = await imported(pair.laptop, picture())
    await pair.phone.until(lambda: here(pair.phone, photo))
    pair.phone.engine.device_photos.keep("nothing", None)
    await pair.phone.until(lambda: away(pair.phone) == {photo})
    assert not here(pair.phone, photo)
    assert not pair.phone.blob_files()
    assert here(pair.laptop, photo)
    pair.laptop.engine.device_photos.keep("nothing", None)
    assert await pair.laptop.parts.sibling_parts.keeping.spare() == []


async def test_two_that_want_to_let_go_at_the_same_time_do_not_both(
    pair: Pair, picture: Picture
) -> None:
    photo = await imported(pair.laptop, picture())
    await pair.phone.until(lambda: here(pair.phone, photo))
    pair.phone.engine.device_photos.keep("nothing", None)
    pair.laptop.engine.device_photos.keep("nothing", None)
    other = await imported(pair.laptop, picture())
    await pair.phone.until(lambda: away(pair.phone) | away(pair.laptop) >= {other})
    for each in (photo, other):
        assert here(pair.phone, each) or here(pair.laptop, each)


async def test_a_pinned_photo_stays_and_comes_back(pair: Pair, picture: Picture) -> None:
    first, second = await imported(pair.laptop, picture()), await imported(pair.laptop, picture())
    await pair.phone.until(lambda: here(pair.phone, first) and here(pair.phone, second))
    pair.phone.engine.device_photos.pin([first], pinned=True)
    pair.phone.engine.device_photos.keep("nothing", None)
    await pair.phone.until(lambda: away(pair.phone) == {second})
    assert here(pair.phone, first)
    kept = pair.phone.engine.device_photos.pin([second], pinned=True)
    assert (kept.pinned, kept.coming, kept.away) == (2, 1, 0)
    await pair.phone.until(lambda: here(pair.phone, second))
    store = pair.laptop.parts.sibling_parts.store
    await pair.laptop.until(lambda: not store.is_promised(bytes.fromhex(second)))


async def test_words_are_back_with_a_photo_that_was_elsewhere(pair: Pair, picture: Picture) -> None:
    photo = await imported(pair.laptop, picture())
    pair.laptop.engine.tag([photo], add=["Sea"], remove=[], sensitivity="high")
    await pair.phone.until(lambda: here(pair.phone, photo))
    await pair.phone.until(lambda: pair.phone.engine.photo(photo).tags == ["Sea"])
    pair.phone.engine.device_photos.keep("nothing", None)
    await pair.phone.until(lambda: away(pair.phone) == {photo})
    pair.phone.engine.device_photos.pin([photo], pinned=True)
    await pair.phone.until(lambda: here(pair.phone, photo))
    await pair.phone.until(lambda: pair.phone.engine.photo(photo).tags == ["Sea"])
    assert pair.laptop.engine.photo(photo).tags == ["Sea"]


async def test_of_photos_elsewhere_there_are_previews(pair: Pair, tmp_path: Path) -> None:
    photo = await imported(pair.laptop, jpeg(tmp_path / "a.jpg"))
    await pair.phone.until(lambda: here(pair.phone, photo))
    pair.phone.engine.device_photos.keep("previews", None)
    await pair.phone.until(lambda: away(pair.phone) == {photo})
    (found,) = pair.phone.engine.device_photos.away()
    assert (found.name, found.preview, found.coming) == ("a.jpg", True, False)
    preview = await pair.phone.engine.rendition(photo, "preview")
    assert Image.open(io.BytesIO(preview)).size == (400, 300)
    (tmp_path / "out").mkdir()
    written = await pair.phone.engine.export(
        photo, tmp_path / "out", keep_both=False, rendition="preview"
    )
    assert written.sha256 == hashlib.sha256(preview).hexdigest()
    assert written.path.endswith(".jpg")


async def test_a_device_that_keeps_previews_is_sent_those_of_photos_it_never_had(
    pair: Pair, tmp_path: Path
) -> None:
    pair.phone.engine.device_photos.keep("previews", None)
    photo = await imported(pair.laptop, jpeg(tmp_path / "a.jpg"))
    other = await imported(pair.laptop, not_a_picture(tmp_path / "b.bin"))
    await pair.phone.until(lambda: {each.name for each in shown(pair.phone)} == {"a.jpg", "b.bin"})
    assert {each.id: each.preview for each in shown(pair.phone)} == {photo: True, other: False}
    assert Image.open(io.BytesIO(await pair.phone.engine.rendition(photo, "preview"))).height == 300
    assert not here(pair.phone, photo)


async def test_originals_beyond_the_room_for_them_go_the_oldest_first(
    pair: Pair, clock: Clock, picture: Picture
) -> None:
    photos: list[str] = []
    for _ in range(3):
        clock.time += 1
        photos.append(await imported(pair.laptop, picture(length=10_000)))
    await pair.phone.until(lambda: all(here(pair.phone, photo) for photo in photos))
    pair.phone.engine.device_photos.keep("originals", 25_000)
    await pair.phone.until(lambda: away(pair.phone) == {photos[0]})
    assert [here(pair.phone, photo) for photo in photos] == [False, True, True]


async def test_a_photo_on_its_way_to_somebody_stays(pair: Pair, picture: Picture) -> None:
    await pair.bob.stop()
    item = await pair.laptop.share_one(picture(), "Bob", wait=False)
    photo = item.photo_id or ""
    await pair.phone.until(lambda: here(pair.phone, photo))
    pair.laptop.engine.device_photos.keep("nothing", None)
    assert await pair.laptop.parts.sibling_parts.keeping.spare() == []


async def test_what_is_no_choice_is_refused(pair: Pair) -> None:
    for what, space in (("thumbnails", None), ("previews", 5), ("originals", -1)):
        with pytest.raises(BadRequestError):
            pair.phone.engine.device_photos.keep(what, space)
    with pytest.raises(NoSuchPhotoError):
        pair.phone.engine.device_photos.pin(["00"], pinned=True)


async def test_status_says_how_far_the_other_devices_are(pair: Pair, picture: Picture) -> None:
    await imported(pair.laptop, picture())

    def stands() -> bool:
        (each,) = pair.laptop.engine.status().devices
        return (each.name, each.connected, each.behind, each.lacks) == ("Phone", True, 0, 0)

    await pair.laptop.until(stands)
    # What the phone was told by the laptop, the laptop has, too.
    await pair.phone.until(
        lambda: [each.behind for each in pair.phone.engine.status().devices] == [0]
    )
    await pair.phone.stop()
    await imported(pair.laptop, picture())
    await pair.laptop.parts.sibling_parts.siblings.say_all()
    (left,) = pair.laptop.engine.status().devices
    assert (left.connected, left.behind) == (False, 1)
