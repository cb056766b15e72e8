"""Making room: only what somebody shows to have goes, and it comes back byte for byte."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kinlight.node.blobstore import BlobStore
from kinlight.node.errors import BadRequestError
from kinlight.node.fetching import Fetcher
from kinlight.node.photo_errors import OnlyCopyError, PhotoAwayError
from kinlight.node.renditions import Renditions
from kinlight.node.views_space import SpaceItem
from kinlight.protocol.errors import GoneError

from .circle import ALBUM, added_one, found, has, let_in
from .conftest import Picture, Two
from .nodes import Clock, TestedNode
from .photographs import photograph
from .test_backing_up import DAY, Pair, pair
from .test_doctor import blob_of, examine
from .three import Three, imported

assert pair  # a fixture


async def clean(node: TestedNode, **how: object) -> list[SpaceItem]:
    wanted = {"older_than": 0} | how
    return [item async for item in node.engine.space.clean(**wanted)]  # type: ignore[arg-type]


async def states(node: TestedNode, **how: object) -> list[str]:
    return [item.state for item in await clean(node, **how)]


async def received(two: Two, path: Path) -> str:
    """A photo of Anna's that Bob has."""
    item = await two.anna.share_one(path, "Bob", wait=False)
    photo = item.photo_id or ""
    await two.bob.until(lambda: two.bob.inbox_state(photo) == "waiting")
    two.bob.engine.decide(photo, accept=True)
    await two.bob.until(lambda: two.bob.inbox_state(photo) == "stored")
    await two.anna.until(lambda: two.anna.delivery_state(photo) == "delivered")
    return photo


async def exported(node: TestedNode, photo: str, folder: Path) -> bytes:
    written = await node.engine.export(photo, folder, keep_both=False)
    return await asyncio.to_thread(Path(written.path).read_bytes)


async def test_what_its_author_shows_goes_and_comes_back_byte_for_byte(
    joined: Two, tmp_path: Path
) -> None:
    bob = joined.bob
    path = photograph(tmp_path / "a.jpg", size=(900, 600))
    photo = await received(joined, path)
    before = await bob.engine.space.use()
    (item,) = await clean(bob)
    assert (item.photo, item.state, item.holder) == (photo, "gone", "Anna")
    assert not blob_of(bob, photo).exists()
    use = await bob.engine.space.use()
    assert (use.photos, use.away, use.away_bytes) == (0, 1, item.bytes)
    assert use.received == before.received - item.bytes
    with pytest.raises(PhotoAwayError):
        await exported(bob, photo, tmp_path / "out")
    assert await bob.engine.rendition(photo, "thumbnail")
    assert await examine(bob, deep=True) == []
    (back,) = await bob.engine.fetch_away([photo])
    assert back.state == "here"
    assert await exported(bob, photo, tmp_path / "out") == path.read_bytes()
    assert (await bob.engine.space.use()).away == 0


async def test_a_dry_run_asks_and_lets_nothing_go(joined: Two, picture: Picture) -> None:
    photo = await received(joined, picture())
    assert await states(joined.bob, dry_run=True) == ["would-go"]
    assert blob_of(joined.bob, photo).exists()
    assert (await joined.bob.engine.space.use()).away == 0


async def test_without_a_word_of_what_may_go_nothing_does(joined: Two) -> None:
    for how in ({"older_than": None}, {"older_than": -1}, {"keep": -1}):
        with pytest.raises(BadRequestError):
            await clean(joined.bob, **how)


async def test_a_photo_of_ours_without_a_backup_never_goes(joined: Two, picture: Picture) -> None:
    """That Bob has it counts for nothing: he may let it go because Anna has it."""
    photo = await received(joined, picture())
    assert await states(joined.anna, own=True) == ["only-copy"]
    assert await states(joined.anna) == []
    assert blob_of(joined.anna, photo).exists()


async def test_two_who_have_the_same_never_both_let_it_go(joined: Two, picture: Picture) -> None:
    photo = await received(joined, picture())
    await asyncio.gather(clean(joined.anna, own=True), clean(joined.bob, own=True))
    assert blob_of(joined.anna, photo).exists()
    assert not blob_of(joined.bob, photo).exists()


async def test_what_another_member_has_of_an_album_counts_for_nothing(
    three: Three, picture: Picture
) -> None:
    """Bob and Carol both have a photo of Anna's, who is away."""
    anna, bob, carol = three.anna, three.bob, three.carol
    await anna.pair_with(carol)
    found(anna)
    await let_in(anna, bob)
    await let_in(anna, carol)
    photo = await added_one(anna, picture())
    for node in (bob, carol):
        await node.until(lambda node=node: has(node, photo))
    await anna.stop()
    assert await states(bob) == await states(carol) == ["nobody-here"]
    await anna.start()
    await bob.until(lambda: bob.connected_to(anna))
    assert await states(bob) == ["gone"]
    shown = bob.engine.albums.show(ALBUM)
    assert (shown.album.here, shown.photos[0].state) == (0, "away")
    assert shown.photos[0].name is not None
    assert bob.engine.photo(photo).away
    (back,) = await bob.engine.fetch_away([])
    assert back.state == "here"
    assert has(bob, photo)
    assert not bob.engine.photo(photo).away


async def test_who_has_let_it_go_itself_does_not_show_it(pair: Pair, picture: Picture) -> None:
    """Anna's photo is at Carol's, who keeps her backup and was sent it too."""
    anna, carol = pair.anna, pair.carol
    await imported(anna, picture())
    await pair.backed_up(1)
    assert await states(anna, own=True) == ["gone"]
    assert await states(anna, own=True) == []
    assert len(pair.photos()) == 1
    (item,) = await anna.engine.fetch_away([])
    assert item.state == "here"
    assert carol.engine.contact("Anna")


async def test_a_photo_of_ours_that_a_holder_shows_goes_if_that_is_said(
    pair: Pair, picture: Picture, tmp_path: Path
) -> None:
    anna = pair.anna
    path = picture(length=700_000)
    photo = await imported(anna, path)
    await pair.backed_up(1)
    assert await states(anna) == []
    (item,) = await clean(anna, own=True)
    assert (item.state, item.holder) == ("gone", "Carol")
    await anna.restart()
    with pytest.raises(PhotoAwayError):
        await exported(anna, photo, tmp_path / "out")
    assert await examine(anna) == []
    await anna.until(lambda: anna.connected_to(pair.carol))
    await anna.engine.fetch_away([photo])
    await anna.until(lambda: blob_of(anna, photo).exists())
    assert await exported(anna, photo, tmp_path / "out") == path.read_bytes()


async def test_a_holder_that_says_it_has_it_and_does_not_show_it_counts_for_nothing(
    pair: Pair, picture: Picture
) -> None:
    anna, carol = pair.anna, pair.carol
    photo = await imported(anna, picture())
    await pair.backed_up(1)
    for path in carol.home.held.rglob("*"):
        if path.is_file():
            path.write_bytes(bytes(path.stat().st_size))
    (item,) = await clean(anna, own=True)
    assert (item.state, item.code) == ("not-shown", "piece-mismatch")
    assert blob_of(anna, photo).exists()


async def test_a_backup_on_which_photos_rest_is_not_ended(pair: Pair, picture: Picture) -> None:
    anna = pair.anna
    await imported(anna, picture())
    await pair.backed_up(1)
    assert await states(anna, own=True) == ["gone"]
    for change in ({"holder": False}, {"holder": True, "backup": False}, {"blocked": True}):
        with pytest.raises(OnlyCopyError):
            await anna.engine.update_contact("Carol", **change)  # type: ignore[arg-type]
    # Nor when the holder's terms changed, so that it is asked to take all of it anew.
    anna.parts.backing_up.began_again(pair.carol.identity)
    anna.parts.backing_up.tell()
    (back,) = await anna.engine.fetch_away([])
    assert back.state == "here"
    await anna.until(lambda: anna.engine.contact("Carol").backed_up == 1)
    await anna.engine.update_contact("Carol", holder=False, yes=True)


async def test_what_a_holder_lost_is_asked_of_others(pair: Pair, picture: Picture) -> None:
    anna = pair.anna
    photo = await imported(anna, picture())
    await pair.backed_up(1)
    assert await states(anna, own=True) == ["gone"]
    backups, stored = anna.parts.backing_up.backups, anna.parts.library.photo(bytes.fromhex(photo))
    (row,) = anna.parts.database.rows(
        "SELECT envelope_hash FROM backups WHERE subject = ?", bytes.fromhex(photo)
    )
    assert stored is not None
    assert backups.gone(pair.carol.identity, row[0])
    noted = anna.parts.database.rows("SELECT content_id FROM repairs")
    assert [each[0] for each in noted] == [stored.record.content_id]


async def test_what_others_may_come_for_in_an_album_stays_with_its_author(
    pair: Pair, picture: Picture
) -> None:
    anna, carol = pair.anna, pair.carol
    found(anna)
    await let_in(anna, carol)
    photo = await added_one(anna, picture())
    await carol.until(lambda: has(carol, photo))
    await pair.backed_up(1)
    assert await states(anna, own=True) == ["needed"]
    assert blob_of(anna, photo).exists()


# Between the look and the step.


async def test_what_another_device_of_ours_let_go_because_it_is_here_stays(
    joined: Two, picture: Picture
) -> None:
    bob = joined.bob
    photo = await received(joined, picture())
    bob.parts.sibling_parts.store.promise(b"p" * 32, [bytes.fromhex(photo)])
    assert await states(bob) == ["needed"]
    assert blob_of(bob, photo).exists()


async def test_what_was_given_to_somebody_while_it_was_looked_at_stays(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    photo = await received(joined, picture())
    shown = Fetcher.sample

    async def meanwhile(*arguments: object) -> None:
        await shown(*arguments)  # type: ignore[arg-type]
        stored = bob.parts.library.photo(bytes.fromhex(photo))
        assert stored is not None
        bob.parts.mender._repairs.note(stored.record.content_id)  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(Fetcher, "sample", meanwhile)
    assert await states(bob) == ["needed"]
    assert blob_of(bob, photo).exists()
    assert anna.engine.photo(photo)


async def test_what_was_removed_while_it_was_looked_at_is_no_fault(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = await received(joined, picture())
    drawn = Renditions.get

    async def meanwhile(*arguments: object) -> bytes:
        await joined.bob.parts.remover.remove(bytes.fromhex(photo))
        return await drawn(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Renditions, "get", meanwhile)
    assert await states(joined.bob) == ["needed"]
    assert (await joined.bob.engine.space.use()).away == 0


def killed(*_: object) -> None:
    """It comes to nothing."""


async def test_a_kill_before_the_file_went_leaves_the_photo_here(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = picture()
    photo = await received(joined, path)
    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "let_go", killed)
        assert await states(joined.bob) == ["gone"]
    await joined.bob.restart()
    assert await exported(joined.bob, photo, tmp_path / "out") == path.read_bytes()
    assert (await joined.bob.engine.space.use()).away == 0


async def test_who_can_not_give_it_any_more_leaves_it_here(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    photo = await received(joined, picture())
    await anna.parts.remover.remove(bytes.fromhex(photo), force=True)
    (item,) = await clean(bob)
    assert (item.state, item.code) == ("not-shown", GoneError.code)


# How much goes.


async def test_the_oldest_go_first_and_no_more_than_it_takes(
    joined: Two, picture: Picture, clock: Clock
) -> None:
    bob, photos = joined.bob, list[str]()
    for _ in range(3):
        photos.append(await received(joined, picture(length=100_000)))
        clock.time += DAY
    use = await bob.engine.space.use()
    items = await clean(bob, older_than=None, keep=use.received - 50_000)
    assert [item.photo for item in items] == photos[:1]
    items = await clean(bob, older_than=3 * DAY // 2)
    assert [item.photo for item in items] == photos[1:2]


async def test_pictures_that_can_be_drawn_again_go_last(joined: Two, tmp_path: Path) -> None:
    bob = joined.bob
    photo = await received(joined, photograph(tmp_path / "a.jpg", size=(900, 600)))
    await bob.engine.rendition(photo, "preview")
    items = await clean(bob, older_than=None, keep=0)
    assert [(item.what, item.state) for item in items] == [("photo", "gone"), ("preview", "gone")]
    with pytest.raises(PhotoAwayError):
        await bob.engine.rendition(photo, "preview")
    assert await bob.engine.rendition(photo, "thumbnail")
