"""Albums between whole nodes: found, invite, join, add, say things, take out, leave."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from kinlight.node.contact_errors import BlockedContactError, NoSuchContactError
from kinlight.node.errors import BadRequestError
from kinlight.node.photo_errors import NoSuchAlbumError, NotOursError
from kinlight.protocol.album_errors import AlbumDeniedError

from .circle import (
    ALBUM,
    added,
    added_one,
    album_of,
    found,
    has,
    key_of,
    knows,
    let_in,
    photos,
    roles,
    state,
)
from .conftest import Picture, Two
from .nodes import NOW, Clock
from .photographs import photograph
from .test_doctor import blob_of, examine, flip, piece
from .three import Three, granted, imported


async def test_a_contact_is_invited_joins_and_gets_the_photos(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    path = picture(length=700_000)
    photo = await added_one(anna, path)
    anna.engine.albums.invite(ALBUM, "Bob")
    await bob.until(lambda: knows(bob))
    (item,) = bob.engine.albums.all()
    assert (item.state, item.role, item.invited_by, item.owner, item.photos, item.here) == (
        "invited", "contributor", "Anna", "Anna", 1, 0,
    )  # fmt: skip
    bob.engine.albums.join(ALBUM)
    await bob.until(lambda: has(bob, photo))
    assert roles(bob) == {"me": "contributor", "Anna": "owner"}
    details = bob.engine.photo(photo)
    assert (details.author, details.own, details.name) == ("Anna", False, path.name)
    assert bob.engine.inbox() == []
    assert [each.id for each in bob.engine.collection.search(person="Anna")] == [photo]


async def test_photos_are_searched_for_by_the_album_that_several_keep(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture())
    await imported(anna, picture())
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo))
    for node in (anna, bob):
        (item,) = node.engine.collection.search(album="summer")
        assert (item.id, item.albums) == (photo, [ALBUM])
        assert node.engine.photo(photo).albums == [ALBUM]
    with pytest.raises(NoSuchAlbumError):
        bob.engine.collection.search(album="Winter")


async def test_a_damaged_photo_comes_again_from_a_member(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture(length=700_000))
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo))
    flip(blob_of(bob, photo), piece(1))
    (finding,) = await examine(bob, repair=True)
    assert (finding.photo, finding.state) == (photo, "repaired")
    assert await examine(bob) == []


async def test_nothing_comes_before_somebody_joins(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture())
    anna.engine.albums.invite(ALBUM, "Bob")
    await bob.until(lambda: knows(bob))
    assert photos(bob)[photo].state == "coming"
    assert bob.blob_files() == []
    with pytest.raises(AlbumDeniedError, match="join it first"):
        await added(bob, picture())


async def test_who_was_invited_adds_photos_too(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    photo = await added_one(bob, picture())
    await anna.until(lambda: has(anna, photo))
    assert photos(anna)[photo].by == "Bob"


async def test_a_photo_reaches_a_member_who_knows_another_member_alone(
    three: Three, picture: Picture
) -> None:
    found(three.bob)
    await let_in(three.bob, three.anna)
    await let_in(three.bob, three.carol, "viewer")
    photo = await added_one(three.anna, picture())
    await three.carol.until(lambda: has(three.carol, photo))
    details = three.carol.engine.photo(photo)
    assert details.author is None
    assert details.author_fingerprint == three.anna.engine.identity().fingerprint


async def test_a_viewer_adds_nothing_and_says_something(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture())
    await let_in(anna, bob, "viewer")
    with pytest.raises(AlbumDeniedError):
        await added(bob, picture())
    bob.engine.albums.comment(ALBUM, photo[:8], "lovely")
    bob.engine.albums.favourite(ALBUM, photo)
    await anna.until(lambda: bool(photos(anna)[photo].favourite_of))
    (item,) = photos(anna).values()
    (comment,) = item.comments
    assert (comment.by, comment.text, comment.time) == ("Bob", "lovely", NOW)
    assert item.favourite_of == ["Bob"]
    with pytest.raises(AlbumDeniedError):
        bob.engine.albums.set_cover(ALBUM, photo)


async def test_what_is_said_of_a_photo_is_seen_by_all(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob, "admin")
    first, second = await added_one(anna, picture()), await added_one(bob, picture())
    await anna.until(lambda: has(anna, second))
    anna.engine.albums.caption(ALBUM, first, "at the lake")
    anna.engine.albums.place(ALBUM, second, "a")
    anna.engine.albums.set_cover(ALBUM, first)
    bob.engine.albums.ask_delete(ALBUM, first)
    await bob.until(lambda: photos(bob)[first].cover)
    await anna.until(lambda: bool(photos(anna)[first].delete_asked_by))
    for node in (anna, bob):
        shown = list(photos(node).values())
        assert [item.id for item in shown] == [second, first]
        assert (shown[1].caption, shown[1].cover) == ("at the lake", True)
        assert has(node, first)  # it was asked, and nothing is deleted by it
    assert photos(anna)[first].delete_asked_by == ["Bob"]
    assert photos(bob)[first].delete_asked_by == ["me"]


async def test_who_is_taken_out_hears_it_and_gets_nothing_more(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    before = await added_one(anna, picture())
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, before))
    key = key_of(anna)
    anna.engine.albums.remove(ALBUM, "Bob")
    assert key_of(anna) != key
    after = await added_one(anna, picture())
    await bob.until(lambda: state(bob) == "removed")
    assert has(bob, before)
    assert after not in photos(bob)
    assert key_of(anna) not in album_of(bob).keys
    assert bob.engine.photo(before).name
    with pytest.raises(AlbumDeniedError):
        await added(bob, picture())


async def test_who_comes_back_is_asked_again_and_sees_all(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    anna.engine.albums.remove(ALBUM, "Bob")
    await bob.until(lambda: state(bob) == "removed")
    photo = await added_one(anna, picture())
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo))


async def test_who_comes_later_to_an_album_from_join_on_sees_nothing_of_before(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna, history="from-join")
    before = await added_one(anna, picture())
    await let_in(anna, bob)
    after = await added_one(anna, picture())
    await bob.until(lambda: has(bob, after))
    assert photos(bob)[before].state == "no-key"
    assert knows(bob)


async def test_who_leaves_is_taken_out_by_an_admin_and_keeps_what_came(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture())
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo))
    key = key_of(anna)
    bob.engine.albums.leave(ALBUM)
    await anna.until(lambda: "Bob" not in roles(anna))
    assert key_of(anna) != key
    assert (state(bob), has(bob, photo)) == ("left", True)
    await added_one(anna, picture())
    assert state(bob) == "left"


async def test_an_invitation_is_declined_by_leaving(joined: Two) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    anna.engine.albums.invite(ALBUM, "Bob")
    await bob.until(lambda: knows(bob))
    bob.engine.albums.leave(ALBUM)
    await anna.until(lambda: "Bob" not in roles(anna))


async def test_the_only_admin_does_not_leave_others_without_one(joined: Two) -> None:
    found(joined.anna)
    await let_in(joined.anna, joined.bob)
    with pytest.raises(AlbumDeniedError, match="make somebody an admin first"):
        joined.anna.engine.albums.leave(ALBUM)
    joined.anna.engine.albums.invite(ALBUM, "Bob", role="admin")
    await joined.bob.until(lambda: roles(joined.bob)["me"] == "admin")
    joined.anna.engine.albums.leave(ALBUM)
    await joined.bob.until(lambda: "Anna" not in roles(joined.bob))
    assert roles(joined.bob) == {"me": "admin"}


async def test_a_key_that_is_changed_on_demand_reaches_all(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    anna.engine.albums.rotate(ALBUM)
    await bob.until(lambda: key_of(anna) in album_of(bob).keys)
    photo = await added_one(bob, picture())
    await anna.until(lambda: has(anna, photo))


async def test_an_old_key_is_changed(joined: Two, clock: Clock, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    key = key_of(anna)
    clock.time += 30 * 86_400
    photo = await added_one(bob, picture())  # a word of anybody has the admins look
    await anna.until(lambda: key_of(anna) != key)
    await anna.until(lambda: has(anna, photo))


async def test_another_role_is_given_and_a_lesser_one_ends_what_was_allowed(
    joined: Two,
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    anna.engine.albums.invite(ALBUM, "Bob", role="admin")
    await bob.until(lambda: roles(bob)["me"] == "admin")
    anna.engine.albums.invite(ALBUM, "Bob", role="viewer")
    await bob.until(lambda: roles(bob)["me"] == "viewer")
    with pytest.raises(AlbumDeniedError):
        bob.engine.albums.rotate(ALBUM)
    assert state(bob) == "joined"


async def test_a_photo_that_is_hidden_goes_and_does_not_come_again(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo, other = await added_one(anna, picture()), await added_one(anna, picture())
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo) and has(bob, other))
    await bob.engine.albums.hide(ALBUM, photo)
    assert photos(bob)[photo].state == "hidden"
    assert [item.id for item in bob.engine.collection.search()] == [other]
    await bob.restart()
    await bob.until(lambda: bob.connected_to(anna))
    third = await added_one(anna, picture())
    await bob.until(lambda: has(bob, third))
    assert photos(bob)[photo].state == "hidden"
    bob.engine.albums.unhide(ALBUM, photo)
    await bob.until(lambda: has(bob, photo))
    assert has(anna, photo)


async def test_a_name_and_a_form_are_the_same_for_all(joined: Two) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    anna.engine.albums.rename(ALBUM, "Winter")
    anna.engine.albums.set_form("Winter", "original", 512)
    await bob.until(lambda: knows(bob, "Winter"))
    await bob.until(lambda: bob.engine.albums.all()[0].max_px == 512)
    assert bob.engine.albums.find("winter") is bob.engine.albums.find(
        album_of(bob, "Winter").album_id.hex()[:6]
    )


async def test_a_photo_that_can_not_have_the_album_s_form_is_not_added(
    joined: Two, picture: Picture
) -> None:
    joined.anna.engine.albums.create(ALBUM)
    (item,) = await added(joined.anna, picture())  # it is no picture: its place can't be removed
    assert (item.state, item.code) == ("failed", "cannot-strip")


async def test_photos_of_others_are_not_added(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    item = await anna.share_one(picture(), "Bob", wait=False)
    await bob.until(lambda: bool(bob.engine.inbox()))
    bob.engine.decide(item.photo_id or "", accept=True)
    await bob.until(lambda: bob.inbox_state(item.photo_id or "") == "stored")
    found(bob)
    steps = [step async for step in bob.engine.albums.add(ALBUM, photos=[item.photo_id or ""])]
    assert [getattr(step, "code", None) for step in steps] == [NotOursError.code]


async def test_a_photo_is_added_once(joined: Two, picture: Picture) -> None:
    anna = joined.anna
    found(anna)
    photo = await imported(anna, picture())
    adding = [step async for step in anna.engine.albums.add(ALBUM, photos=[photo])]
    again = [step async for step in anna.engine.albums.add(ALBUM, photos=[photo])]
    assert [step.state for step in (*adding, *again)] == ["added", "present"]  # type: ignore[union-attr]


async def test_what_is_asked_for_wrongly_is_said(joined: Two) -> None:
    albums = joined.anna.engine.albums
    found(joined.anna)
    with pytest.raises(NoSuchAlbumError):
        albums.show("Spring")
    with pytest.raises(NoSuchContactError):
        albums.invite(ALBUM, "Dora")
    with pytest.raises(NoSuchContactError):
        albums.remove(ALBUM, "Bob")
    with pytest.raises(BadRequestError):
        albums.invite(ALBUM, "Bob", role="owner")
    with pytest.raises(BadRequestError):
        albums.create("Other", history="none")
    with pytest.raises(BadRequestError):
        albums.create("Other", metadata="clean")
    with pytest.raises(BadRequestError):
        albums.create("\n")
    await joined.anna.engine.update_contact("Bob", blocked=True)
    with pytest.raises(BlockedContactError):
        albums.invite(ALBUM, "Bob")


async def test_the_log_says_what_was_done(joined: Two) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    anna.engine.albums.remove(ALBUM, "Bob")
    acts = [
        (act.what, act.who, act.role)
        for entry in anna.engine.albums.log(ALBUM)
        for act in entry.acts
    ]
    assert acts == [
        ("create", "me", "owner"), ("epoch", None, None), ("name", None, None),
        ("member", "Bob", "contributor"), ("wraps", None, None),
        ("remove", "Bob", None), ("epoch", None, None),
    ]  # fmt: skip
    assert all(entry.counts for entry in anna.engine.albums.log(ALBUM))


async def test_all_of_it_is_there_after_a_restart(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture())
    await let_in(anna, bob)
    await bob.until(lambda: has(bob, photo))
    bob.engine.albums.comment(ALBUM, photo, "lovely")
    await anna.until(lambda: bool(photos(anna)[photo].comments))
    shown = [node.engine.albums.show(ALBUM) for node in (anna, bob)]
    logs = [node.engine.albums.log(ALBUM) for node in (anna, bob)]
    await anna.restart()
    await bob.restart()
    assert [node.engine.albums.show(ALBUM) for node in (anna, bob)] == shown
    assert [node.engine.albums.log(ALBUM) for node in (anna, bob)] == logs
    await anna.until(lambda: anna.connected_to(bob))
    second = await added_one(anna, picture())
    await bob.until(lambda: has(bob, second))


async def test_what_was_done_while_somebody_was_away_reaches_them(
    joined: Two, picture: Picture
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob)
    await bob.stop()
    photo = await added_one(anna, picture())
    anna.engine.albums.rotate(ALBUM)
    later = await added_one(anna, picture())
    await bob.start()
    await bob.until(lambda: has(bob, photo) and has(bob, later))


async def test_a_rule_speaks_of_who_has_a_role_in_an_album(joined: Two, picture: Picture) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    path = picture()
    attribute = anna.engine.albums.all()[0].attribute
    anna.engine.rules.put(
        f'[[rule]]\nname = "family"\neffect = "allow"\n'
        f'attributes = {{ {attribute} = ["contributor", "admin"] }}\n'
    )
    (item,) = await anna.share(path, to="Bob", wait=False)
    assert item.code == "policy-denied"
    anna.engine.albums.invite(ALBUM, "Bob", role="viewer")
    (item,) = await anna.share(path, to="Bob", wait=False)
    assert item.code == "policy-denied"
    (refused,) = await added(anna, path)
    assert refused.code == "policy-denied"
    anna.engine.albums.invite(ALBUM, "Bob", role="contributor")
    (item,) = await anna.share(path, to="Bob", wait=False)
    assert item.code is None
    photo = await added_one(anna, path)
    await bob.until(lambda: state(bob) == "invited")
    bob.engine.albums.join(ALBUM)
    await bob.until(lambda: has(bob, photo))
    # Who is let in later is judged when they fetch: a viewer gets nothing by these rules.
    anna.engine.albums.invite(ALBUM, "Bob", role="viewer")
    assert (await anna.share(picture(), to="Bob", wait=False))[0].code == "policy-denied"


async def test_an_original_is_asked_for_and_given_by_a_grant_of_its_own(
    joined: Two, tmp_path: Path
) -> None:
    anna, bob = joined.anna, joined.bob
    anna.engine.albums.create(ALBUM, max_px=200)
    path = photograph(tmp_path / "a.jpg", size=(600, 300), position=(54.1, 12.2))
    photo = await added_one(anna, path)
    await let_in(anna, bob, "viewer")
    await bob.until(lambda: has(bob, photo))
    bob.engine.albums.ask_original(ALBUM, photo)
    bob.engine.albums.ask_original(ALBUM, photo)  # asked once is enough
    await anna.until(lambda: photos(anna)[photo].original_asked_by == ["Bob"])
    assert len(album_of(bob).album.feeds.entries) == 2
    with pytest.raises(BadRequestError):
        anna.engine.albums.ask_original(ALBUM, photo)
    with pytest.raises(NotOursError):
        bob.engine.albums.original(ALBUM, photo)
    original = anna.engine.albums.original(ALBUM, photo).hex()
    assert original != photo
    await bob.engine.update_contact("Anna", accept="always")
    item = await granted(anna, original, "Bob", operations=["view"])
    await bob.until(lambda: bob.inbox_state(item.photo_id or "") == "stored")
    assert photos(anna)[photo].original_asked_by == []
    written = await bob.engine.export(original, tmp_path / "out", keep_both=False)
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert photos(bob)[photo].original_asked_by == ["me"]
