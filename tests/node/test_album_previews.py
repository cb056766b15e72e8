"""Previews in albums: small pictures that come first, from any member, and are looked at."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from kinlight.node import album_previews
from kinlight.node.album_photos import AlbumPhotos
from kinlight.node.photo_errors import NotHereYetError
from kinlight.node.picture_errors import PictureRefusedError
from kinlight.protocol.album_feed import Photo as PhotoAct
from kinlight.protocol.album_feed import Preview
from kinlight.protocol.capability import Capability
from kinlight.protocol.errors import GoneError, UnknownPeerError
from PIL import Image

from .circle import ALBUM, added_one, album_of, found, has, let_in, photos
from .conftest import Picture, Two
from .nodes import Clock, TestedNode
from .photographs import photograph
from .three import Three

PLACE = (54.1, 12.2)


def withhold(node: TestedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that has photos, and whose disk is too slow to bring any."""

    def gone(*_: object) -> None:
        raise GoneError

    monkeypatch.setattr(node.parts.album_parts.photos, "serve", gone)


async def preview(node: TestedNode, photo: str) -> Image.Image:
    return Image.open(BytesIO(await node.engine.albums.preview(ALBUM, photo)))


def can_see(node: TestedNode, photo: str) -> bool:
    found = photos(node).get(photo)
    return found is not None and found.preview


async def test_a_preview_is_there_before_the_photo(
    joined: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, photograph(tmp_path / "a.jpg", size=(1200, 800)))
    withhold(anna, monkeypatch)
    await let_in(anna, bob)
    await bob.until(lambda: can_see(bob, photo))
    assert (photos(bob)[photo].state, bob.blob_files()) == ("coming", [])
    assert (await preview(bob, photo)).size == (512, 341)
    monkeypatch.undo()
    anna.engine.albums.comment(ALBUM, photo, "news, so it is asked for again")
    await bob.until(lambda: has(bob, photo))
    assert (await preview(bob, photo)).size == (1200, 800)


async def test_a_photo_that_was_let_go_is_shown_by_its_preview(joined: Two, tmp_path: Path) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, photograph(tmp_path / "a.jpg", size=(1200, 800)))
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo))
    (item,) = [item async for item in bob.engine.space.clean(older_than=0)]
    assert (item.photo, item.state) == (photo, "gone")
    assert (await preview(bob, photo)).size == (512, 341)


async def test_a_preview_tells_no_more_than_the_album_s_form(
    joined: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    anna.engine.albums.create(ALBUM, max_px=200)
    path = photograph(tmp_path / "a.jpg", size=(600, 300), position=PLACE, taken="2026:07:14 09:30")
    photo = await added_one(anna, path)
    withhold(anna, monkeypatch)
    await let_in(anna, bob)
    await bob.until(lambda: can_see(bob, photo))
    shown = await preview(bob, photo)
    assert (shown.size, dict(shown.getexif())) == ((200, 100), {})
    assert dict(Image.open(BytesIO(opened(bob, photo))).getexif()) == {}


def opened(node: TestedNode, photo: str) -> bytes:
    """What came of a preview, as its author drew it."""
    shared = album_of(node)
    inside = shared.album.view.photos[bytes.fromhex(photo)]
    sealed = node.parts.album_parts.store.preview(shared.album_id, inside.added.digest)
    key_id, photo_id = inside.photo.key_id, inside.photo.record.photo_id
    return shared.keys.open_preview(key_id, photo_id, sealed or b"")


async def test_a_preview_comes_from_a_member_who_has_nothing_else(
    three: Three, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    found(anna)
    await let_in(anna, bob, "admin")
    withhold(anna, monkeypatch)
    photo = await added_one(anna, photograph(tmp_path / "a.jpg"))
    await bob.until(lambda: can_see(bob, photo))
    await anna.stop()
    await let_in(bob, carol)
    await carol.until(lambda: can_see(carol, photo))
    assert (await preview(carol, photo)).size == (24, 16)
    await carol.restart()
    assert (await preview(carol, photo)).size == (24, 16)


async def test_what_is_no_picture_is_in_the_album_without_a_preview(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture())
    withhold(anna, monkeypatch)
    await let_in(anna, bob)
    await bob.until(lambda: photo in photos(bob))
    assert not photos(bob)[photo].preview
    with pytest.raises(NotHereYetError):
        await preview(bob, photo)


async def test_who_hides_a_photo_has_no_preview_of_it_any_more(
    joined: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, photograph(tmp_path / "a.jpg"))
    withhold(anna, monkeypatch)
    await let_in(anna, bob)
    await bob.until(lambda: can_see(bob, photo))
    await bob.engine.albums.hide(ALBUM, photo)
    store, shared = bob.parts.album_parts.store, album_of(bob)
    assert (can_see(bob, photo), store.previews(shared.album_id)) == (False, set())
    bob.engine.albums.unhide(ALBUM, photo)
    await bob.until(lambda: can_see(bob, photo))


async def test_what_is_shown_first_is_asked_for_first_and_then_the_newest(
    joined: Two, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    await bob.stop()
    added = list[bytes]()
    for number in range(3):
        photo = await added_one(anna, photograph(tmp_path / f"{number}.jpg"))
        added.append(bytes.fromhex(photo))
        clock.time += 60
    monkeypatch.setattr(album_previews, "FIRST", 1)
    shared = album_of(anna)
    shared.previews = set()  # as at somebody's who has none
    wanted = list(anna.parts.album_parts.previews.wanted(shared))
    oldest, middle, newest = [shared.album.view.photos[photo].added.digest for photo in added]
    assert wanted == [oldest, newest, middle]


# Members who are hostile.


async def test_another_preview_than_was_promised_is_not_kept(
    joined: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    with monkeypatch.context() as patched:

        def other(sealed: bytes) -> Preview:
            return Preview(bytes(32), len(sealed))

        patched.setattr(Preview, "of", other)
        photo = await added_one(anna, photograph(tmp_path / "a.jpg"))
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo))
    store = bob.parts.album_parts.store
    assert store.previews(album_of(bob).album_id) == set()
    assert bob.engine.events.counters.refusals["preview", "piece-mismatch"] == 1


async def test_a_preview_that_is_no_picture_is_opened_once_and_shows_nothing(
    joined: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    withhold(anna, monkeypatch)

    async def no_picture(*_: object) -> bytes:
        return b"<script>" * 100

    monkeypatch.setattr(anna.parts.album_parts.previews, "draw", no_picture)
    photo = await added_one(anna, photograph(tmp_path / "a.jpg"))
    await let_in(anna, bob)
    await bob.until(lambda: can_see(bob, photo))
    for _ in range(2):
        with pytest.raises(PictureRefusedError):
            await preview(bob, photo)


async def test_what_one_member_can_leave_here_in_previews_has_a_bound(
    joined: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    withhold(anna, monkeypatch)
    for number in range(4):
        await added_one(anna, photograph(tmp_path / f"{number}.jpg"))
    one = sizes(anna)[0]
    monkeypatch.setattr(album_previews, "OF_ONE_MEMBER", 5 * one // 2)
    await let_in(anna, bob)
    await bob.until(lambda: sum(each.preview for each in photos(bob).values()) == 2)
    mine = await added_one(bob, photograph(tmp_path / "mine.jpg"))
    await anna.until(lambda: can_see(anna, mine))
    assert sum(each.preview for each in photos(bob).values()) == 3


def sizes(node: TestedNode) -> list[int]:
    entries = album_of(node).album.feeds.entries.values()
    acts = [entry.act for entry in entries if isinstance(entry.act, PhotoAct)]
    return [act.preview.length for act in acts if act.preview]


async def test_who_was_removed_gets_no_preview_and_hears_no_more_than_a_stranger(
    joined: Two, tmp_path: Path
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, photograph(tmp_path / "a.jpg"))
    await let_in(anna, bob)
    await bob.until(lambda: can_see(bob, photo))
    grant = bob.parts.album_parts.photos.grant(album_of(bob).album_id)
    served = anna.parts.album_parts.photos
    entries = list(album_of(anna).album.feeds.entries)
    assert told(served, grant, bob, entries) == entries
    anna.engine.albums.remove(ALBUM, "Bob")
    with pytest.raises(UnknownPeerError):
        told(served, grant, bob, entries)


def told(served: AlbumPhotos, grant: bytes, peer: TestedNode, entries: list[bytes]) -> list[bytes]:
    capability = Capability.decode(grant)
    found = served.previews(capability, peer.parts.device.chain, entries, "lan")
    return [entry for entry, _ in found]
