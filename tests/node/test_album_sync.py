"""Entries, keys and photos of albums go from member to member, whoever is there."""

from __future__ import annotations

import asyncio

import pytest
from kinlight.node import album_wraps
from kinlight.node.album_storage import AlbumStore
from kinlight.node.errors import DiskFullError
from kinlight.protocol import messages, session
from kinlight.protocol.album_keys import ONE_WRAP_BYTES

from .circle import ALBUM, added, added_one, album_of, found, has, key_of, let_in, photos, state
from .conftest import Picture, Start, Two
from .network import Network
from .nodes import TestedNode
from .three import Three


async def circle(three: Three) -> None:
    """Anna founds an album with Bob and Carol, who all know each other."""
    await three.anna.pair_with(three.carol)
    found(three.anna)
    await let_in(three.anna, three.bob, "admin")
    await let_in(three.anna, three.carol)


async def test_a_key_that_was_made_while_somebody_was_away_comes_from_another_member(
    three: Three, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await circle(three)
    await carol.stop()
    anna.engine.albums.rotate(ALBUM)
    photo = await added_one(anna, picture())
    await bob.until(lambda: has(bob, photo))
    key = key_of(anna)
    await bob.until(lambda: has_set(bob, key))
    await anna.stop()
    await carol.start()
    await carol.until(lambda: has(carol, photo))
    assert key in album_of(carol).keys


def has_set(node: TestedNode, key: bytes) -> bool:
    """Whether the wraps of a key are here for others."""
    shared = album_of(node)
    return any(
        node.parts.album_parts.store.has_set(shared.album_id, entry.digest, key)
        for entry in shared.album.graph.entries
    )


async def test_a_photo_comes_from_who_has_it_once_it_has_it(
    network: Network, start: Start, picture: Picture
) -> None:
    """Carol hears of it from Bob before he has it, and from nobody else."""
    assert not network.pipes
    anna, bob, carol = await start("Anna"), await start("Bob"), await start("Carol")
    await anna.pair_with(bob)
    await bob.pair_with(carol)
    found(bob)
    await let_in(bob, anna)
    await let_in(bob, carol)
    photo = await added_one(anna, picture(length=2_000_000))
    await carol.until(lambda: has(carol, photo))


async def test_a_member_who_was_removed_while_away_hears_of_it_when_it_comes(
    three: Three, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await circle(three)
    before = await added_one(anna, picture())
    await carol.until(lambda: has(carol, before))
    await carol.stop()
    anna.engine.albums.remove(ALBUM, "Carol")
    after = await added_one(anna, picture())
    await bob.until(lambda: has(bob, after))
    await carol.start()
    await carol.until(lambda: state(carol) == "removed")
    assert has(carol, before)
    assert after not in photos(carol)
    assert key_of(anna) not in album_of(carol).keys


async def test_what_a_removed_member_added_meanwhile_counts_for_nobody(
    three: Three, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await circle(three)
    await asyncio.gather(anna.stop(), bob.stop())
    late = await added_one(carol, picture())
    await carol.stop()
    await anna.start()
    anna.engine.albums.remove(ALBUM, "Carol")
    await carol.start()
    await bob.start()
    await carol.until(lambda: state(carol) == "removed")
    await bob.until(lambda: "Carol" not in [m.name for m in bob.engine.albums.show(ALBUM).members])
    await bob.until(lambda: key_of(bob) == key_of(anna))
    assert late not in photos(anna)
    assert late not in photos(bob)
    with pytest.raises(Exception, match="not in it any more"):
        await added(carol, picture())


async def test_two_admins_who_were_apart_come_to_the_same_album(
    three: Three, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await circle(three)
    await asyncio.gather(bob.stop(), carol.stop())
    anna.engine.albums.rotate(ALBUM)
    first = await added_one(anna, picture())
    await anna.stop()
    await bob.start()
    bob.engine.albums.rotate(ALBUM)
    second = await added_one(bob, picture())
    await anna.start()
    await carol.start()
    for node in (anna, bob, carol):
        await node.until(lambda node=node: has(node, first) and has(node, second))
    await anna.until(lambda: key_of(anna) == key_of(bob) == key_of(carol))
    assert album_of(anna).album.heads == album_of(bob).album.heads == album_of(carol).album.heads


async def test_what_can_not_be_kept_is_neither_here_nor_told(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    heads = album_of(anna).album.heads
    known = reveal(anna)

    def full(*_: object) -> None:
        raise DiskFullError

    with monkeypatch.context() as patched:
        patched.setattr(AlbumStore, "add_entries", full)
        (item,) = await added(anna, picture())
        assert (item.state, item.code) == ("failed", "disk-full")
        with pytest.raises(DiskFullError):
            anna.engine.albums.rotate(ALBUM)
        with pytest.raises(DiskFullError):
            anna.engine.albums.remove(ALBUM, "Bob")
    assert album_of(anna).album.heads == heads
    assert reveal(anna) == known
    photo = await added_one(anna, picture())
    await bob.until(lambda: has(bob, photo))


def reveal(node: TestedNode) -> list[bytes]:
    keys = album_of(node).keys.keys()
    return sorted(key.reveal() for key in keys)


async def test_a_node_of_before_albums_shares_as_it_did(
    network: Network, start: Start, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not network.pipes
    anna, bob = await start("Anna"), await start("Bob")
    for module in (messages, session):
        monkeypatch.setattr(module, "VERSIONS", (3, 2, 1))
    await anna.pair_with(bob)
    found(anna)
    anna.engine.albums.invite(ALBUM, "Bob")
    item = await anna.share_one(picture(), "Bob")
    assert item.state == "waiting"
    assert bob.engine.albums.all() == []


async def test_a_key_that_a_member_lacks_at_first_is_asked_for_again_when_it_has_news(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Carol hears of the key from Bob alone, who has no wrap of it for her yet."""
    anna, bob, carol = three.anna, three.bob, three.carol
    found(anna)
    await let_in(anna, bob, "admin")
    await let_in(bob, carol)
    store, asked = bob.parts.album_parts.store, set[str]()

    def no_wrap(*_: object) -> None:
        asked.add("wrap")

    def no_set(*_: object) -> tuple[()]:
        asked.add("set")
        return ()

    with monkeypatch.context() as patched:
        patched.setattr(store, "wrap", no_wrap)
        patched.setattr(store, "set_part", no_set)
        anna.engine.albums.rotate(ALBUM)
        await carol.until(lambda: asked == {"wrap", "set"})
        await bob.until(lambda: has_set(bob, key_of(anna)))
        assert key_of(anna) not in album_of(carol).keys
    bob.parts.album_parts.shelf.came(album_of(bob))
    await carol.until(lambda: key_of(anna) in album_of(carol).keys)


async def test_what_two_admins_could_do_the_senior_does_who_is_there(three: Three) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await circle(three)
    carol.engine.albums.leave(ALBUM)
    for node in (anna, bob):
        await node.until(lambda node=node: carol.identity not in album_of(node).album.view.members)
    await bob.until(lambda: album_of(bob).album.heads == album_of(anna).album.heads)
    removals = [
        entry.by
        for entry in anna.engine.albums.log(ALBUM)
        for act in entry.acts
        if act.what == "remove"
    ]
    assert removals == ["me"]


async def test_the_junior_does_it_where_no_senior_is(three: Three, picture: Picture) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await circle(three)
    await anna.stop()
    carol.engine.albums.leave(ALBUM)
    await bob.until(lambda: carol.identity not in album_of(bob).album.view.members)
    photo = await added_one(bob, picture())
    await anna.start()
    await anna.until(lambda: has(anna, photo))


@pytest.mark.parametrize("portions", [3, 9, 20, 45, 90])
async def test_wherever_the_connection_is_cut_both_come_to_the_same(
    joined: Two, network: Network, picture: Picture, portions: int
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    network.cut_after(portions)
    first, second = await added_one(anna, picture(length=400_000)), await added_one(bob, picture())
    anna.engine.albums.rotate(ALBUM)
    third = await added_one(anna, picture())
    for node in (anna, bob):
        await node.until(lambda node=node: all(has(node, each) for each in (first, second, third)))
    assert album_of(anna).album.heads == album_of(bob).album.heads
    assert key_of(bob) in album_of(bob).keys


def sets_of(node: TestedNode) -> set[bytes]:
    """The keys of which sets of wraps are here."""
    rows = node.parts.database.rows("SELECT DISTINCT key_id FROM album_wraps")
    return {row[0] for row in rows}


async def test_sets_of_keys_to_which_the_newest_leads_are_not_kept(joined: Two) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    for _ in range(3):
        anna.engine.albums.rotate(ALBUM)
    for node in (anna, bob):
        await node.until(lambda node=node: sets_of(node) == {key_of(anna)})
    assert len(album_of(bob).keys.keys()) >= 4


async def test_where_newcomers_see_nothing_of_before_all_sets_are_kept(joined: Two) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna, history="from-join")
    await let_in(anna, bob)
    await bob.until(lambda: key_of(anna) in album_of(bob).keys)
    before = sets_of(anna)
    anna.engine.albums.rotate(ALBUM)
    await bob.until(lambda: sets_of(bob) == {*before, key_of(anna)})
    assert sets_of(anna) == sets_of(bob)


async def test_an_admin_who_makes_keys_without_end_fills_no_disk(
    joined: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each for all, and none that leads to those of before."""
    anna, bob = joined.anna, joined.bob
    found(anna, history="from-join")
    await let_in(anna, bob)
    await bob.until(lambda: key_of(anna) in album_of(bob).keys)
    monkeypatch.setattr(album_wraps, "SETS_BYTES", 5 * ONE_WRAP_BYTES)
    for _ in range(5):
        anna.engine.albums.rotate(ALBUM)
    newest = key_of(anna)
    for node in (anna, bob):
        await node.until(lambda node=node: newest in sets_of(node) and len(sets_of(node)) == 2)
    (shared,) = bob.parts.album_parts.shelf.all()
    await bob.until(lambda: newest in shared.keys)
