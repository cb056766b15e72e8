"""Pictures to look at: made once from any photo that is here, kept sealed, never sent."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from kinlight.crypto.blob import Kind
from kinlight.crypto.errors import LocalError
from kinlight.node.blobstore import IN_MEMORY
from kinlight.node.decoder import Decoder, Source
from kinlight.node.decoder_wire import Pixels
from kinlight.node.errors import BadRequestError, LockedError
from kinlight.node.photo_errors import BlobMissingError, NotHereYetError
from kinlight.node.picture_errors import DecoderDiedError, PictureRefusedError
from PIL import Image

from .conftest import Picture, Start, Two
from .filmed import corners, film, scene
from .nodes import TestedNode, eventually
from .photographs import photograph
from .test_copies import content, counted, modified


@pytest.fixture
async def anna(start: Start) -> TestedNode:
    return await start("Anna")


async def taken(node: TestedNode, path: Path) -> str:
    """The id of a file's photo, imported."""
    steps = node.engine.collection.import_photos([path], album=None, albums=False)
    items = [step async for step in steps]
    assert items
    return next(item.id for item in node.engine.collection.search() if item.name == path.name)


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    assert image.format == "JPEG"
    image.load()
    return image


def corner_photo(path: Path, orientation: int, size: tuple[int, int] = (64, 48)) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene(*size).save(path, "JPEG", exif=exif, quality=95, subsampling=0)
    return path


async def test_a_preview_fits_a_screen_and_a_thumbnail_a_list(
    anna: TestedNode, tmp_path: Path
) -> None:
    photo = await taken(anna, photograph(tmp_path / "large.jpg", size=(3000, 1500)))
    for name, size in (("preview", (2048, 1024)), ("thumbnail", (320, 160))):
        assert opened(await anna.engine.rendition(photo, name)).size == size


async def test_a_small_picture_is_not_made_larger(anna: TestedNode, tmp_path: Path) -> None:
    photo = await taken(anna, photograph(tmp_path / "small.jpg", size=(48, 32)))
    assert opened(await anna.engine.rendition(photo, "preview")).size == (48, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_rendition_is_the_right_way_up_and_says_nothing_else(
    anna: TestedNode, tmp_path: Path, orientation: int
) -> None:
    photo = await taken(anna, corner_photo(tmp_path / "corners.jpg", orientation))
    image = opened(await anna.engine.rendition(photo, "thumbnail"))
    with Image.open(tmp_path / "corners.jpg") as original:
        original.load()
        expected = corners(_upright(original, orientation))
    assert corners(image) == expected
    assert dict(image.getexif()) == {}
    assert "comment" not in image.info


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    return image.transpose(turns[orientation]) if orientation in turns else image


async def test_what_one_can_see_through_lies_on_white(anna: TestedNode, tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(tmp_path / "glass.png")
    photo = await taken(anna, tmp_path / "glass.png")
    image = opened(await anna.engine.rendition(photo, "preview"))
    assert image.getpixel((16, 16)) == (255, 255, 255)


async def test_a_clip_shows_its_first_frame(anna: TestedNode, tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_bytes(film(orientation=6))
    photo = await taken(anna, tmp_path / "walk.mp4")
    image = opened(await anna.engine.rendition(photo, "thumbnail"))
    assert corners(image) == ["red", "green", "blue", "white"]


async def test_a_received_photo_has_renditions_too(joined: Two, tmp_path: Path) -> None:
    await joined.bob.engine.update_contact("Anna", accept="always")
    item = await joined.anna.share_one(photograph(tmp_path / "a.jpg", size=(48, 32)), "Bob")
    assert opened(await joined.bob.engine.rendition(item.photo_id or "", "preview")).size == (
        48,
        32,
    )


# Once


async def test_a_rendition_is_made_once_also_for_two_who_ask_at_the_same_time(
    anna: TestedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await taken(anna, photograph(tmp_path / "a.jpg"))
    files = len(anna.blob_files())
    with counted(monkeypatch) as asked:
        bodies = await asyncio.gather(*(anna.engine.rendition(photo, "preview") for _ in range(5)))
    assert len(set(bodies)) == 1
    assert asked == ["pixels", "encode"]
    assert len(anna.blob_files()) == files + 1


async def test_a_rendition_outlasts_a_restart_and_lies_sealed(
    anna: TestedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await taken(anna, photograph(tmp_path / "a.jpg"))
    made = await anna.engine.rendition(photo, "preview")
    files = anna.blob_files()
    assert not any(made[:64] in path.read_bytes() for path in files)
    await anna.restart()
    assert sorted(anna.blob_files()) == sorted(files)
    with counted(monkeypatch) as asked:
        assert await anna.engine.rendition(photo, "preview") == made
    assert asked == []


def rendition_file(node: TestedNode) -> Path:
    library, blobs = node.parts.library, node.parts.blobs
    (found,) = (
        blobs.path(content_id)
        for content_id in library.blob_ids()
        if (stored := library.blob(content_id)) and stored.kind is Kind.RENDITION
    )
    return found


async def test_a_rendition_that_is_lost_or_damaged_is_made_again(
    anna: TestedNode, tmp_path: Path
) -> None:
    photo = await taken(anna, photograph(tmp_path / "a.jpg"))
    made = await anna.engine.rendition(photo, "preview")
    rendition_file(anna).unlink()
    assert await anna.engine.rendition(photo, "preview") == made
    damaged = bytearray(rendition_file(anna).read_bytes())
    damaged[200] ^= 1
    rendition_file(anna).write_bytes(damaged)
    assert await anna.engine.rendition(photo, "preview") == made
    assert rendition_file(anna).is_file()


# What has none


async def test_a_picture_that_does_not_open_says_why_and_is_not_tried_again(
    anna: TestedNode, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await taken(anna, picture("noise.jpg"))
    with counted(monkeypatch) as asked:
        for _ in range(3):
            with pytest.raises(PictureRefusedError):
                await anna.engine.rendition(photo, "preview")
    assert asked == ["pixels"]


async def test_a_picture_that_kills_the_decoder_is_left_alone_after_a_second_try(
    anna: TestedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    async def dying(_decoder: Decoder, *_source: object, **_how: object) -> None:
        tries.append("pixels")
        raise DecoderDiedError

    photo = await taken(anna, photograph(tmp_path / "a.jpg"))
    monkeypatch.setattr(Decoder, "pixels", dying)
    for _ in range(4):
        with pytest.raises(DecoderDiedError):
            await anna.engine.rendition(photo, "thumbnail")
    assert len(tries) == 2


async def test_without_the_original_there_is_no_rendition(anna: TestedNode, tmp_path: Path) -> None:
    photo = await taken(anna, photograph(tmp_path / "a.jpg"))
    anna.parts.blobs.remove(bytes.fromhex(anna.engine.photo(photo).content_id))
    with pytest.raises(BlobMissingError):
        await anna.engine.rendition(photo, "preview")


async def test_what_is_not_here_or_has_no_such_rendition_is_named(
    joined: Two, tmp_path: Path
) -> None:
    item = await joined.anna.share_one(photograph(tmp_path / "a.jpg"), "Bob")
    with pytest.raises(NotHereYetError):
        await joined.bob.engine.rendition(item.photo_id or "", "preview")
    with pytest.raises(BadRequestError):
        await joined.anna.engine.rendition(item.photo_id or "", "poster")


async def test_a_locked_node_shows_nothing(anna: TestedNode, tmp_path: Path) -> None:
    photo = await taken(anna, photograph(tmp_path / "a.jpg"))
    await anna.engine.rendition(photo, "preview")
    await anna.stop()
    with pytest.raises(LockedError):
        await anna.engine.rendition(photo, "preview")
    await anna.start()


async def test_locking_ends_what_is_being_made_and_leaves_nothing_of_it(
    anna: TestedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await taken(anna, photograph(tmp_path / "large.jpg", size=(3000, 2000)))
    files = sorted(anna.blob_files())
    with counted(monkeypatch) as asked:
        work = asyncio.create_task(anna.engine.rendition(photo, "preview"))
        await eventually(lambda: asked == ["pixels"])
        await anna.stop()
        with pytest.raises(LocalError):
            await work
    await anna.start()
    assert sorted(anna.blob_files()) == files
    assert opened(await anna.engine.rendition(photo, "preview")).size == (2048, 1365)


# Out


async def test_an_exported_rendition_has_a_name_that_says_so(
    anna: TestedNode, tmp_path: Path
) -> None:
    file = photograph(tmp_path / "beach.jpg", size=(48, 32))
    photo = await taken(anna, file)
    out = tmp_path / "out"
    done = await anna.engine.export(photo, out, keep_both=False, rendition="preview")
    assert Path(done.path).name == "beach (preview).jpg"
    assert content(done.path) == await anna.engine.rendition(photo, "preview")
    assert modified(Path(done.path)) == modified(file)
    again = await anna.engine.export(photo, out, keep_both=False, rendition="preview")
    assert again.already


async def test_many_asked_for_at_once_lie_in_memory_two_at_a_time(
    anna: TestedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [await taken(anna, photograph(tmp_path / f"{n}.jpg")) for n in range(6)]
    most = now = 0
    pixels = anna.parts.decoder.pixels

    async def counting(source: Source, *, max_px: int | None = None, srgb: bool = True) -> Pixels:
        nonlocal most, now
        now += 1
        most = max(most, now)
        try:
            return await pixels(source, max_px=max_px, srgb=srgb)
        finally:
            now -= 1

    monkeypatch.setattr(anna.parts.decoder, "pixels", counting)
    await asyncio.gather(*(anna.engine.rendition(photo, "thumbnail") for photo in photos))
    assert most == IN_MEMORY
