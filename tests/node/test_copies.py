"""What leaves under a metadata policy, on whole nodes with the real decoder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from pathlib import Path

import pillow_heif
import pytest
from kinlight.node import decoder, leaving
from kinlight.node.decoder import Decoder
from kinlight.node.decoder_wire import Edit
from kinlight.node.facts import Facts
from kinlight.node.views_sharing import ShareItem
from PIL import ExifTags, Image

from .conftest import Picture, Start, Two
from .filmed import film
from .nodes import TestedNode
from .photographs import photograph

TAKEN = "2026:07:14 09:30:00"
TAKEN_ISO = "2026-07-14T09:30:00"
HERE = (52.5, 13.4)


@pytest.fixture
async def joined(joined: Two) -> Two:
    """Bob takes what Anna sends."""
    await joined.bob.engine.update_contact("Anna", accept="always")
    return joined


@pytest.fixture
def beach(tmp_path: Path) -> Path:
    """A photo with a place, a time and a camera."""
    return photograph(
        tmp_path / "from" / "beach.jpg", taken=TAKEN, camera=("Kin", "One"), position=HERE
    )


def content(path: Path | str) -> bytes:
    return Path(path).read_bytes()


def modified(path: Path) -> int:
    return path.stat().st_mtime_ns


async def exported(node: TestedNode, item: ShareItem, folder: Path) -> Path:
    done = await node.engine.export(item.photo_id or "", folder, keep_both=False)
    return Path(done.path)


async def seen(path: Path) -> Facts:
    async with Decoder() as looking:
        return await looking.inspect(path)


@contextlib.contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Generator[list[str]]:
    """What decoder processes are asked for meanwhile."""
    asked: list[str] = []
    ask = Decoder._ask  # pyright: ignore[reportPrivateUsage]

    def counting(self: Decoder, file: object, request: dict[str, object], *more: object) -> object:
        asked.append(str(request["op"]))
        return ask(self, file, request, *more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(decoder.Decoder, "_ask", counting)
        yield asked


# Policies


async def test_a_new_contact_gets_photos_without_their_place_and_the_original_stays(
    joined: Two, beach: Path, tmp_path: Path
) -> None:
    (item,) = await joined.anna.share(beach, to="Bob", metadata=None)
    assert (item.state, item.policy, item.name) == ("delivered", "no-location", "beach.jpg")
    assert "place" in item.left_out
    assert item.leaves == ["time", "camera"]
    details = joined.bob.engine.photo(item.photo_id or "")
    assert details.policy == "no-location"
    there = await exported(joined.bob, item, tmp_path / "bob")
    facts = await seen(there)
    assert (facts.location, facts.camera, facts.captured) == (False, "Kin One", TAKEN_ISO)
    assert modified(there) == modified(beach)
    (mine,) = joined.anna.engine.collection.search()
    here = await joined.anna.engine.export(mine.id, tmp_path / "anna", keep_both=False)
    assert content(here.path) == content(beach)


async def test_who_has_a_copy_of_a_photo_is_said_with_the_photo(joined: Two, beach: Path) -> None:
    await joined.anna.share(beach, to="Bob", metadata="no-location")
    await joined.anna.share(beach, to="Bob", metadata="original")
    (mine,) = joined.anna.engine.collection.search()
    details = joined.anna.engine.photo(mine.id)
    sent = [(each.to, each.state, each.policy) for each in details.deliveries]
    assert sent == [("Bob", "delivered", "original"), ("Bob", "delivered", "no-location")]
    assert details.position == pytest.approx(HERE, abs=1e-4)


async def test_the_coded_picture_of_a_copy_without_a_place_is_the_same(
    joined: Two, beach: Path, tmp_path: Path
) -> None:
    (item,) = await joined.anna.share(beach, to="Bob", metadata="no-location")
    with Image.open(beach) as one, Image.open(await exported(joined.bob, item, tmp_path)) as other:
        assert one.tobytes() == other.tobytes()


async def test_an_original_goes_byte_for_byte_and_it_is_said_what_it_tells(
    joined: Two, beach: Path, tmp_path: Path
) -> None:
    (item,) = await joined.anna.share(beach, to="Bob", metadata="original")
    assert (item.policy, item.left_out) == ("original", [])
    assert item.leaves == ["place", "time", "camera"]
    there = await exported(joined.bob, item, tmp_path)
    assert content(there) == content(beach)


async def test_a_clean_copy_has_the_pixels_the_right_way_up_the_profile_and_the_date(
    joined: Two, tmp_path: Path
) -> None:
    file = photograph(
        tmp_path / "IMG_1.JPG", size=(48, 32), taken=TAKEN, zone="+02:00",
        camera=("Kin", "One"), position=HERE, orientation=6,
    )  # fmt: skip
    (item,) = await joined.anna.share(file, to="Bob", metadata="clean")
    assert item.leaves == ["time"]
    assert item.left_out == ["place", "camera", "other tags"]
    with Image.open(await exported(joined.bob, item, tmp_path / "bob")) as image:
        assert image.size == (32, 48)
        exif = image.getexif()
        assert not {ExifTags.Base.Make, ExifTags.Base.GPSInfo, ExifTags.Base.Orientation} & {*exif}
        dates = exif.get_ifd(ExifTags.IFD.Exif)
        assert dates[ExifTags.Base.DateTimeOriginal] == TAKEN
        assert dates[ExifTags.Base.OffsetTimeOriginal] == "+02:00"


@pytest.mark.parametrize(
    ("name", "kind", "mode", "becomes"),
    [
        ("beach.heic", "HEIF", "RGB", "beach.jpg"),
        ("beach.jpeg", "JPEG", "RGB", "beach.jpeg"),
        ("beach", "JPEG", "RGB", "beach.jpg"),
        ("2026.07.14 beach", "JPEG", "RGB", "2026.07.14 beach.jpg"),
        ("drawing.png", "PNG", "RGB", "drawing.png"),
        ("drawing.gif", "GIF", "P", "drawing.png"),
        ("glass.webp", "WEBP", "RGBA", "glass.png"),
        ("really.png", "JPEG", "RGB", "really.jpg"),
        ("n" * 255, "JPEG", "RGB", "n" * 196 + ".jpg"),
    ],
)
async def test_the_suffix_of_a_clean_copy_fits_its_format(
    joined: Two, tmp_path: Path, name: str, kind: str, mode: str, becomes: str
) -> None:
    pillow_heif.register_heif_opener()  # pyright: ignore[reportUnknownMemberType]
    image = Image.new(mode, (32, 24), 77)
    image.save(tmp_path / name, kind)
    (item,) = await joined.anna.share(tmp_path / name, to="Bob", metadata="clean", wait=False)
    assert (item.name, item.code) == (becomes, None)
    expected = "image/png" if becomes.endswith("png") else "image/jpeg"
    assert joined.anna.engine.photo(item.photo_id or "").media_type == expected


async def test_of_an_animation_only_the_first_frame_goes_clean_and_that_is_said(
    joined: Two, tmp_path: Path
) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (item,) = await joined.anna.share(tmp_path / "a.gif", to="Bob", metadata="clean", wait=False)
    assert "further frames" in item.left_out


async def test_one_file_goes_as_two_photos_to_contacts_with_different_policies(
    joined: Two, start: Start, beach: Path
) -> None:
    carol = await start("Carol")
    await joined.anna.pair_with(carol)
    await joined.anna.engine.update_contact("Carol", metadata="original")
    sharing = joined.anna.engine.share(
        [beach], ["Bob", "Carol"], metadata=None, until=None, wait=False
    )
    items = {step.to: step async for step in sharing if isinstance(step, ShareItem)}
    assert items["Bob"].photo_id != items["Carol"].photo_id
    assert (items["Bob"].policy, items["Carol"].policy) == ("no-location", "original")
    assert items["Carol"].leaves == ["place", "time", "camera"]
    line = leaving.line(items.values())
    assert line is not None
    assert "For Carol leaves: the file as it is, with place, time and camera." in line
    assert "For Bob leaves: the picture, time, camera. Left out: place" in line


# Once


async def test_a_second_share_makes_no_new_copy_and_decodes_nothing(
    joined: Two, beach: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for policy in ("no-location", "clean"):
        (first,) = await joined.anna.share(beach, to="Bob", metadata=policy)
        files = joined.anna.blob_files()
        with counted(monkeypatch) as asked:
            (second,) = await joined.anna.share(beach, to="Bob", metadata=policy)
        assert asked == []
        assert second == first
        assert joined.anna.blob_files() == files


async def test_where_nothing_has_to_be_removed_the_original_itself_goes(
    joined: Two, tmp_path: Path
) -> None:
    file = tmp_path / "drawn.jpg"
    Image.new("RGB", (32, 24), "green").save(file)
    (plain,) = await joined.anna.share(file, to="Bob", metadata="no-location")
    files = joined.anna.blob_files()
    (same,) = await joined.anna.share(file, to="Bob", metadata="original")
    assert plain.photo_id == same.photo_id
    assert plain.left_out == []
    assert joined.anna.blob_files() == files


async def test_a_copy_whose_sealed_file_is_lost_is_made_again(joined: Two, beach: Path) -> None:
    (first,) = await joined.anna.share(beach, to="Bob", metadata="no-location")
    lost = bytes.fromhex(joined.anna.engine.photo(first.photo_id or "").content_id)
    joined.anna.parts.blobs.remove(lost)
    (second,) = await joined.anna.share(beach, to="Bob", metadata="no-location")
    assert (second.state, second.sha256) == ("delivered", first.sha256)
    assert second.photo_id != first.photo_id


async def test_two_shares_at_once_make_one_copy(joined: Two, beach: Path) -> None:
    both = await asyncio.gather(
        *(joined.anna.share(beach, to="Bob", metadata="clean", wait=False) for _ in range(2))
    )
    assert len({item.photo_id for (item,) in both}) == 1


# What can't be kept to


async def test_what_can_not_be_stripped_fails_with_what_to_do_and_the_others_go_on(
    joined: Two, beach: Path, picture: Picture
) -> None:
    unknown = picture("notes.jpg")
    damaged = beach.with_name("half.jpg")
    damaged.write_bytes(content(beach)[:-400])
    clip = beach.with_name("clip.mp4")
    clip.write_bytes(film())
    for policy, bad in (
        ("no-location", [unknown, damaged]),
        ("clean", [unknown, damaged, clip]),
    ):
        items = await joined.anna.share(*bad, beach, to="Bob", metadata=policy, wait=False)
        *failed, good = items
        assert [item.code for item in failed] == ["cannot-strip"] * len(bad)
        assert all("the policy `original` takes it as it is" in (i.message or "") for i in failed)
        assert good.state == "queued"
        assert "notes.jpg" not in (leaving.line(items) or "")


async def test_of_a_file_that_nobody_here_reads_is_said_that_all_of_it_leaves(
    joined: Two, picture: Picture
) -> None:
    items = await joined.anna.share(picture("notes.jpg"), to="Bob", metadata="original", wait=False)
    assert leaving.line(items) == "Leaves: the file as it is, with whatever is in it."


@pytest.mark.parametrize("policy", ["no-location", "clean"])
async def test_a_copy_that_still_tells_its_place_is_thrown_away(
    joined: Two, beach: Path, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process that opened the picture had been taken over by it."""

    async def no_location(_decoder: Decoder, _source: object) -> Edit:
        return Edit(((0, len(original)), b"more"), ("place",))

    async def encode(_decoder: Decoder, *_pixels: object, **_how: object) -> bytes:
        return original

    original = content(beach)
    monkeypatch.setattr(Decoder, "no_location", no_location)
    monkeypatch.setattr(Decoder, "encode", encode)
    (item,) = await joined.anna.share(beach, to="Bob", metadata=policy)
    assert (item.state, item.code) == ("failed", "strip-failed")
    assert joined.bob.engine.inbox() == []
    assert joined.anna.engine.collection.search() == []


async def test_a_copy_with_other_pixels_is_thrown_away(
    joined: Two, beach: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = photograph(tmp_path / "other.jpg", size=(48, 32)).read_bytes()

    async def no_location(_decoder: Decoder, _source: object) -> Edit:
        return Edit((other,), ("place",))

    monkeypatch.setattr(Decoder, "no_location", no_location)
    (item,) = await joined.anna.share(beach, to="Bob", metadata="no-location")
    assert (item.state, item.code) == ("failed", "strip-failed")


# Live photos


@pytest.fixture
def live(tmp_path: Path) -> list[Path]:
    """A still and its clip, as phones name them."""
    still = photograph(tmp_path / "from" / "IMG_7.JPG", taken=TAKEN, position=HERE)
    clip = still.with_name("IMG_7.MOV")
    clip.write_bytes(film(container="mov"))
    return [clip, still]


async def test_both_halves_of_a_live_photo_go_as_originals(joined: Two, live: list[Path]) -> None:
    items = await joined.anna.share(*live, to="Bob", metadata="original")
    assert {item.file for item in items} == {str(path) for path in live}
    assert {item.state for item in items} == {"delivered"}
    assert len(joined.anna.engine.collection.search()) == 1


async def test_the_still_alone_brings_the_clip_that_is_known_to_belong_to_it(
    joined: Two, live: list[Path]
) -> None:
    await joined.anna.share(*live, to="Bob", metadata="original", wait=False)
    items = await joined.anna.share(live[1], to="Bob", metadata="original", wait=False)
    assert [item.name for item in items] == ["IMG_7.JPG", "IMG_7.MOV"]


@pytest.mark.parametrize("policy", ["no-location", "clean"])
async def test_a_live_photo_that_tells_less_goes_without_its_clip_and_that_is_said(
    joined: Two, live: list[Path], policy: str
) -> None:
    (item,) = await joined.anna.share(*live, to="Bob", metadata=policy)
    assert item.file == str(live[1])
    assert {"place", "clip"} <= set(item.left_out)
    assert len(joined.bob.engine.inbox()) == 1


async def test_a_broken_clip_does_not_hold_up_its_still(joined: Two, live: list[Path]) -> None:
    live[0].write_bytes(live[0].read_bytes()[:500])
    items = await joined.anna.share(*live, to="Bob", metadata="original")
    assert [item.state for item in items] == ["delivered"] * 2
    (alone,) = await joined.anna.share(*live, to="Bob", metadata="no-location")
    assert alone.state == "delivered"


async def test_a_clip_of_its_own_can_go_without_its_place(joined: Two, tmp_path: Path) -> None:
    clip = tmp_path / "walk.mp4"
    clip.write_bytes(film())
    (item,) = await joined.anna.share(clip, to="Bob", metadata="no-location")
    assert item.state == "delivered"


# What is said


def said(*items: ShareItem) -> str | None:
    return leaving.line(items)


def an_item(policy: str, leaves: list[str], left_out: list[str], file: str = "a.jpg") -> ShareItem:
    return ShareItem(file, file, "Bob", "queued", policy=policy, leaves=leaves, left_out=left_out)


def test_one_line_says_what_leaves() -> None:
    place, full = ["place", "maker notes", "thumbnail"], ["place", "time", "camera"]
    assert said(an_item("original", full, [])) == (
        "Leaves: the file as it is, with place, time and camera."
    )
    assert said(an_item("original", [], [])) == "Leaves: the file as it is."
    assert said(an_item("no-location", ["time", "camera"], place)) == (
        "Leaves: the picture, time, camera. Left out: place, maker notes, thumbnail."
    )
    two = an_item("original", ["time"], []), an_item("original", ["place"], [], "b.jpg")
    assert said(*two) == "Leaves: the files as they are, with time and place."
    assert said() is None
    assert said(ShareItem("a.jpg", "a.jpg", "Bob", "failed", policy="clean")) is None


def test_the_line_can_not_be_broken_by_what_a_picture_says() -> None:
    line = said(an_item("no-location", ["time"], ["place\n\x1b[2Jdone"]))
    assert line is not None
    assert "\n" not in line
    assert "\x1b" not in line
