"""Invisible marks on whole nodes: whose copy it is, who signed for it, and what nobody can tell."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import msgpack
import pytest
from kinlight.ml import watermark
from kinlight.ml.watermark_carrier import KEY_BYTES, PUBLIC_KEY
from kinlight.node import mark_service, mark_wire, tracing
from kinlight.node.decoder import Decoder
from kinlight.node.decoder_wire import BadAnswerError, Pixels
from kinlight.node.errors import BadRequestError
from kinlight.node.forms import Form
from kinlight.node.mark_service import MarkService
from kinlight.node.mark_wire import MARK_BYTES, Sought
from kinlight.node.picture_errors import CannotMarkError, MarkUnavailableError
from kinlight.node.views_marks import TracedMark
from kinlight.node.views_sharing import ShareItem
from kinlight.node.watermarks import EARLIER_KEYS, IssuedMark
from kinlight.protocol.errors import UnmadeRenditionError
from kinlight.protocol.receipt import Receipt
from kinlight.protocol.rendition import Rendition
from PIL import Image, ImageCms

from ..ml.photographs import scene
from . import test_recovering
from .conftest import Start, Two
from .nodes import TestedNode
from .test_grants import content, granted, seen
from .test_notes_back import kept
from .test_recovering import Anew, Lost, recovered
from .three import Three, delegated, given

lost = test_recovering.lost
anew = test_recovering.anew

pytestmark = pytest.mark.skipif(
    mark_service.missing() is not None, reason="needs the extra ml: numpy or OpenCV is missing"
)


@pytest.fixture
def garden(tmp_path: Path) -> Path:
    """A photograph, with a colour profile of its own and a date."""
    path = tmp_path / "from" / "garden.jpg"
    path.parent.mkdir()
    exif = Image.Exif()
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09"}
    exif[0x0110] = "Kin One"
    profile = ImageCms.ImageCmsProfile(cast("Any", ImageCms).createProfile("sRGB")).tobytes()
    Image.fromarray(scene(11, 720, 960)).save(path, quality=92, exif=exif, icc_profile=profile)
    return path


async def shared(node: TestedNode, path: Path, *to: str, **more: object) -> list[ShareItem]:
    steps = node.engine.share([path], list(to), **{  # type: ignore[arg-type]
        "metadata": None, "until": None, "wait": True, "watermark": True, **more,
    })  # fmt: skip
    items = {step.to: step async for step in steps if isinstance(step, ShareItem)}
    return [items[name] for name in to]


async def traced(node: TestedNode, *paths: Path) -> list[TracedMark]:
    return [found async for found in node.engine.trace(list(paths))]


async def exported(node: TestedNode, item: ShareItem, folder: Path) -> Path:
    return Path((await node.engine.export(item.photo_id or "", folder, keep_both=False)).path)


def spread(path: Path, to: Path) -> Path:
    """What becomes of a leaked copy: saved at q70, then at half its size."""
    with Image.open(path) as image:
        image.save(to.with_suffix(".q70.jpg"), quality=70)
    with Image.open(to.with_suffix(".q70.jpg")) as image:
        image.resize((image.width // 2, image.height // 2)).save(to)
    return to


async def test_a_copy_that_surfaces_names_who_had_it_and_shows_what_they_signed(
    start: Start, garden: Path, tmp_path: Path
) -> None:
    anna = await start("Anna")
    friends = {name: await start(name) for name in ("Ben", "Clara", "Dora")}
    for node in friends.values():
        await anna.pair_with(node)
        await node.engine.update_contact("Anna", accept="always")
    before = content(garden)
    items = await shared(anna, garden, *friends)
    assert [(item.state, item.watermarked, item.policy) for item in items] == [
        ("delivered", True, "clean")
    ] * 3
    assert len({item.sha256 for item in items}) == 3
    assert content(garden) == before

    leaked = await exported(friends["Clara"], items[1], tmp_path / "clara")
    facts = await seen(str(leaked))
    assert (facts.captured, facts.camera, facts.icc is not None) == (
        "2024-05-06T07:08:09", None, True,
    )  # fmt: skip
    (found,) = await traced(anna, spread(leaked, tmp_path / "leak.jpg"))
    assert (found.recipient, found.code) == ("Clara", None)
    assert found.receipt is not None
    receipt = Receipt.decode(bytes.fromhex(found.receipt.encoded))
    assert receipt.recipient == friends["Clara"].parts.device.signing.public
    assert receipt.content_id.hex() == found.receipt.content_id
    assert found.receipt.photo == items[1].photo_id
    assert (found.false_claim_bound or 1) < 1e-6
    assert found.transform is not None
    assert (found.transform.turn, found.transform.mirrored) == (0, False)

    # Two who put their copies together are both named.
    other = await exported(friends["Dora"], items[2], tmp_path / "dora")
    with Image.open(leaked) as one, Image.open(other) as two:
        Image.blend(one, two, 0.5).save(tmp_path / "together.jpg", quality=90)
    together = await traced(anna, tmp_path / "together.jpg")
    assert {found.recipient for found in together} == {"Clara", "Dora"}
    assert all(found.receipt is not None for found in together)


async def test_the_mark_of_a_copy_that_was_passed_on_leads_to_who_had_it_first(
    three: Three, garden: Path, tmp_path: Path
) -> None:
    photo = await given(three, garden, metadata=None, watermark=True)
    item = await delegated(three.bob, photo, "Carol")
    assert item.state == "delivered"
    leak = spread(await exported(three.carol, item, tmp_path / "carol"), tmp_path / "leak.jpg")
    (found,) = await traced(three.anna, leak)
    assert found.recipient == "Bob"
    assert found.receipt is not None


async def test_a_copy_is_marked_once_and_its_mark_is_known_when_all_else_is_removed(
    joined: Two, garden: Path, tmp_path: Path
) -> None:
    anna = joined.anna
    (first,) = await shared(anna, garden, "Bob", wait=False)
    (again,) = await shared(anna, garden, "Bob", wait=False)
    assert (first.photo_id, first.sha256) == (again.photo_id, again.sha256)
    assert len(anna.parts.watermarks.ids()) == 1
    copy = anna.parts.library.photo(bytes.fromhex(first.photo_id or ""))
    assert copy is not None
    marked = Rendition(location_removed=True, watermarked=True)
    assert anna.parts.copies.rendition(copy) == marked

    leak = tmp_path / "leak.png"
    with Image.open(await exported(anna, first, tmp_path / "own")) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(leak)
    (found,) = await traced(anna, leak)
    assert (found.recipient, found.receipt) == ("Bob", None)
    assert found.transform is not None
    assert found.transform.turn == 90
    (source,) = anna.engine.collection.search()
    await anna.engine.remove(source.id, force=True)
    (found,) = await traced(anna, leak)
    assert (found.recipient, found.receipt) == ("Bob", None)


async def test_whose_copy_it_is_is_known_again_after_a_recovery_from_the_words(
    lost: Lost, anew: Anew, garden: Path, tmp_path: Path
) -> None:
    (item,) = await shared(lost.anna, garden, "Carol")
    leak = spread(await exported(lost.carol, item, tmp_path / "carol"), tmp_path / "leak.jpg")
    earlier = lost.anna.parts.watermarks.key()
    await kept(lost)
    anna = await recovered(lost, anew)
    (found,) = await traced(anna, leak)
    # What she signed is in no backup.
    assert (found.recipient, found.receipt) == ("Carol", None)
    # Whoever has the machine that was lost has its key: new marks have another one.
    assert anna.parts.watermarks.keys() == [earlier]
    assert anna.parts.watermarks.key() != earlier
    await anna.stop()


def test_keys_of_devices_that_were_before_are_few_and_none_counts_twice(joined: Two) -> None:
    watermarks = joined.anna.parts.watermarks
    own = watermarks.key()
    earlier = [bytes([number]) * KEY_BYTES for number in range(EARLIER_KEYS + 2)]
    mark = IssuedMark(bytes(MARK_BYTES), bytes(16), bytes(32), 1)
    for _ in range(2):
        watermarks.restore([own, *earlier], [mark])
    watermarks.restore([], [dataclasses.replace(mark, recipient=bytes([1]) * 32)])
    assert watermarks.keys() == [own, *earlier[:EARLIER_KEYS]]
    assert watermarks.all() == [mark]
    watermarks.retire()
    assert watermarks.keys() == [own, *earlier[: EARLIER_KEYS - 1]]
    assert watermarks.key() != own


async def test_two_marks_of_one_file_are_told_of_and_what_cannot_be_read_says_why(
    joined: Two, garden: Path, tmp_path: Path
) -> None:
    anna, bob = joined.anna, joined.bob
    (item,) = await shared(anna, garden, "Bob", wait=False)
    mine = await exported(anna, item, tmp_path / "own")
    # Who got it can't read it.
    (none,) = await traced(bob, mine)
    assert (none.payload, none.recipient, none.receipt, none.code) == (None, None, None, None)
    (other,) = await shared(bob, mine, "Anna", wait=False)
    theirs = await exported(bob, other, tmp_path / "again")
    # Whoever marks a marked copy adds to it: each finds their own, the first recipient still.
    assert [found.recipient for found in await traced(anna, theirs)] == ["Bob"]
    assert [found.recipient for found in await traced(bob, theirs)] == ["Anna"]
    key = anna.parts.watermarks.key()
    async with Decoder() as decoder, MarkService() as service:
        pixels = await decoder.pixels(mine, srgb=False)
        both = await service.mark(pixels, tracing.PUBLIC_KEY, b"public")
        assert len(await service.read(both, [Sought(key), Sought(tracing.PUBLIC_KEY)])) == 2
        (tmp_path / "both.png").write_bytes(await decoder.encode(both, "png"))
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    first, second, refused = await traced(anna, tmp_path / "both.png", text)
    assert [first.recipient, second.recipient] == ["Bob", None]
    assert second.payload == b"public".hex()
    assert (refused.payload, refused.code) == (None, "picture-refused")


async def test_rules_may_demand_a_mark_and_what_is_for_several_bears_none(
    joined: Two, garden: Path
) -> None:
    anna = joined.anna
    await joined.bob.engine.update_contact("Anna", accept="always")
    anna.parts.rules.put(
        '[[rule]]\nname = "marked"\neffect = "allow"\nactions = ["view"]\n'
        "rendition = { watermark = true }\n"
    )
    (item,) = await shared(anna, garden, "Bob", watermark=False)
    assert (item.state, item.watermarked) == ("delivered", True)
    anna.parts.rules.put("")
    photo = anna.engine.collection.search()[0].id
    assert (await granted(anna, photo, "Bob", watermark=True)).photo_id == item.photo_id
    (grant,) = [g for g in anna.engine.granting.grants(None, None) if g.hash == item.grant]
    assert grant.watermarked
    with pytest.raises(UnmadeRenditionError):
        async for _ in anna.engine.grant([photo], [], having=["role=friend"], watermark=True):
            pass
    with pytest.raises(BadRequestError):
        await shared(anna, garden, "Bob", metadata="original")


async def test_what_is_too_small_or_no_picture_fails_by_itself(joined: Two, tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    Image.effect_noise((100, 80), 50).save(small)
    (item,) = await shared(joined.anna, small, "Bob", wait=False)
    assert (item.state, item.code) == ("failed", "cannot-mark")
    assert joined.anna.parts.watermarks.ids() == ()


async def test_without_what_sets_marks_nothing_goes_that_should_bear_one(
    joined: Two, garden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark_service, "NEEDED", ("no_such_module",))
    (item,) = await shared(joined.anna, garden, "Bob", wait=False)
    assert (item.state, item.code) == ("failed", "mark-unavailable")
    with pytest.raises(MarkUnavailableError):
        await traced(joined.anna, garden)


def test_forms_with_a_mark_are_made_of_pixels_and_stay_marked() -> None:
    marked = Form("clean", None, watermarked=True)
    assert Form("original").meeting(Rendition(watermarked=True)) == marked
    assert marked.meeting(Rendition(100)) == Form("clean", 100, watermarked=True)
    assert Form("original").within(marked) == marked
    assert marked.rendition == Rendition(location_removed=True, watermarked=True)


_SEEN = [0, b"abcdef", 50.0, 0.7, 1e-9, 3, 1.0]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 1), (0, True), (1, b"short"), (2, float("nan")), (3, 1.5), (4, -0.1), (5, 8), (6, "1"),
        (6, 1),
    ],
)  # fmt: skip
def test_what_the_process_says_is_checked(place: int, value: object) -> None:
    good = [_SEEN, [*_SEEN[:place], value, *_SEEN[place + 1 :]]]
    assert len(mark_wire.found(packed({"found": good[:1]}), [Sought(bytes(32))])) == 1
    with pytest.raises(BadAnswerError):
        mark_wire.found(packed({"found": good}), [Sought(bytes(32))])


def test_a_picture_comes_back_whole_or_not_at_all() -> None:
    picture = Pixels(4, 3, "RGB", bytes(36), b"profile")
    made = mark_wire.marked(packed({"marked": True}), bytearray(36), picture)
    assert (made.width, made.height, made.icc) == (4, 3, b"profile")
    with pytest.raises(BadAnswerError):
        mark_wire.marked(packed({"marked": True}), bytearray(35), picture)
    with pytest.raises(BadAnswerError):
        mark_wire.marked(packed({"marked": 1}), bytearray(36), picture)
    with pytest.raises(mark_wire.UnfitPictureError, match="too small"):
        mark_wire.marked(packed({"unfit": "too small"}), bytearray(), picture)


async def test_a_picture_that_is_too_large_starts_no_process() -> None:
    assert (mark_wire.LARGEST, len(tracing.PUBLIC_KEY)) == (watermark.LARGEST, KEY_BYTES)
    assert tracing.PUBLIC_KEY == PUBLIC_KEY
    async with MarkService(command=["/nothing"]) as service:
        with pytest.raises(CannotMarkError, match="64 megapixels"):
            await service.mark(Pixels(8001, 8001, "L", b""), bytes(32), b"abcdef")
        with pytest.raises(MarkUnavailableError):
            await service.mark(Pixels(300, 300, "L", bytes(90_000)), bytes(32), b"abcdef")
        assert service.starts == 0


def packed(value: dict[str, object]) -> bytes:
    return msgpack.packb(value)
