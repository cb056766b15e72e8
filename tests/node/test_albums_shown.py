"""What is shown of an album's keys and admins, of roles that stay, and of albums of one name."""

from __future__ import annotations

from pathlib import Path

import pytest
from kinlight.node import album_showing
from kinlight.node.errors import BadRequestError
from kinlight.node.photo_errors import AmbiguousAlbumError, NoSuchDeviceError
from kinlight.node.views_albums import AlbumMember
from kinlight.protocol.album import read_entry
from kinlight.protocol.album_errors import KeyDueError
from kinlight.protocol.album_log import LogEntry, Tier
from kinlight.protocol.rendition import Rendition

from .circle import ALBUM, added, added_one, album_of, found, knows, let_in, photos, roles
from .conftest import Picture, Two
from .nodes import NOW, TestedNode
from .three import Three


def members(node: TestedNode) -> dict[str, AlbumMember]:
    return {member.name: member for member in node.engine.albums.show(ALBUM).members}


def key(node: TestedNode) -> str:
    return node.engine.albums.all()[0].key


async def test_without_an_admin_who_can_change_the_key_it_is_shown_as_due(
    three: Three, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    await anna.pair_with(carol)
    found(bob)
    await let_in(bob, anna, "admin")
    await let_in(bob, carol)
    assert [members(bob)[name].seniority for name in ("me", "Anna", "Carol")] == [1, 2, None]
    assert (key(carol), members(carol)["Bob"].keyless) == ("here", [])
    await anna.stop()
    bob.engine.albums.leave(ALBUM)  # whoever leaves does not make the next key
    await carol.until(lambda: key(carol) == "due")
    mine = members(carol)["me"]
    assert mine.keyless == mine.devices
    (item,) = await added(carol, picture())
    assert (item.state, item.code) == ("waiting", KeyDueError.code)
    waits = item.photo_id or ""
    assert carol.engine.albums.summary(ALBUM).waiting == 1
    # The other admin is back, changes the key, and it is added without another word.
    await carol.restart()
    await anna.start()
    await anna.until(lambda: waits in photos(anna))
    assert carol.engine.albums.summary(ALBUM).waiting == 0


async def test_what_waits_for_a_key_is_forgotten_by_who_leaves(
    three: Three, picture: Picture
) -> None:
    anna, bob, carol = three.anna, three.bob, three.carol
    found(bob)
    await let_in(bob, anna, "admin")
    await let_in(bob, carol)
    await anna.stop()
    bob.engine.albums.leave(ALBUM)
    await carol.until(lambda: key(carol) == "due")
    (item,) = await added(carol, picture())
    assert item.state == "waiting"
    carol.engine.albums.leave(ALBUM)
    assert carol.engine.albums.summary(ALBUM).waiting == 0


async def test_a_fork_of_the_log_is_shown_with_its_proof(joined: Two) -> None:
    """Anna's node was copied, and both went on."""
    anna = joined.anna
    found(anna)
    shared = album_of(anna)
    shelf = anna.parts.album_parts.shelf
    before = sorted(shared.album.graph.heads)
    albums = anna.engine.albums
    albums.rename(ALBUM, "One")
    device = anna.parts.device
    last = shared.album.graph.entries[shared.album.graph.numbers[before[0]]]
    other = LogEntry.sign(
        device.signing, device.identity, shared.album_id, last.seq + 1, before, NOW,
        [Tier(Rendition(640, location_removed=True))],
    )  # fmt: skip
    shelf.take(shared, [other])
    (fork,) = albums.show("One").forks
    assert {read_entry(bytes.fromhex(each)).digest.hex() for each in fork.proof} == {
        fork.one, fork.other,
    }  # fmt: skip
    told = {entry.hash: entry.fork for entry in albums.log("One") if entry.fork}
    assert told == {fork.one: fork.other, fork.other: fork.one}


async def test_a_path_with_a_zero_byte_is_a_file_that_can_not_be_read(joined: Two) -> None:
    found(joined.anna)
    (item,) = await added(joined.anna, Path("/tmp/a\0b.jpg"))
    assert (item.state, item.code) == ("failed", "unreadable")


async def test_who_is_invited_again_keeps_the_role_unless_another_one_is_said(
    joined: Two,
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    await let_in(anna, bob, "admin")
    anna.engine.albums.invite(ALBUM, "Bob")
    assert roles(anna) == {"me": "owner", "Bob": "admin"}
    anna.engine.albums.invite(ALBUM, "Bob", role="viewer")
    assert roles(anna) == {"me": "owner", "Bob": "viewer"}


async def test_an_invitation_is_counted_until_somebody_decides(joined: Two) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    anna.engine.albums.invite(ALBUM, "Bob")
    await bob.until(lambda: knows(bob))
    assert (bob.engine.status().invitations, anna.engine.status().invitations) == (1, 0)
    bob.engine.albums.join(ALBUM)
    assert bob.engine.status().invitations == 0


async def test_of_albums_of_one_name_the_candidates_are_told(joined: Two) -> None:
    albums = joined.anna.engine.albums
    one, other = albums.create("Twice"), albums.create("twice")
    with pytest.raises(AmbiguousAlbumError) as raised:
        albums.show("TWICE")
    assert f"{one.id[:8]} (Twice, owner: me), {other.id[:8]} (twice, owner: me)" in str(
        raised.value
    )
    albums.leave(one.id)
    assert albums.show("TWICE").album.id == other.id
    albums.leave(other.id)
    with pytest.raises(AmbiguousAlbumError):
        albums.show("twice")


async def test_a_name_that_is_too_long_founds_nothing(joined: Two) -> None:
    albums = joined.anna.engine.albums
    with pytest.raises(BadRequestError, match="255 bytes"):
        albums.create("😀" * 80)
    assert albums.all() == []


async def test_a_device_that_is_not_in_the_album_is_not_taken_out(joined: Two) -> None:
    found(joined.anna)
    for device in ("", "zz", joined.bob.engine.identity().device):
        with pytest.raises(NoSuchDeviceError):
            joined.anna.engine.albums.drop(ALBUM, device)


async def test_whoever_comments_without_end_hides_nobody_else(
    joined: Two, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = joined.anna, joined.bob
    found(anna)
    photo = await added_one(anna, picture())
    await let_in(anna, bob, "viewer")
    anna.engine.albums.comment(ALBUM, photo, "mine")
    await bob.until(lambda: photo in photos(bob) and key(bob) == "here")
    for number in range(5):
        bob.engine.albums.comment(ALBUM, photo, str(number))
    monkeypatch.setattr(album_showing, "COMMENTS_OF_ONE", 2)
    await anna.until(lambda: photos(anna)[photo].comments_left_out == 3)
    said = [comment.by for comment in photos(anna)[photo].comments]
    assert sorted(said) == ["Bob", "Bob", "me"]


async def test_text_that_has_no_encoding_is_refused_and_says_nothing(
    joined: Two, picture: Picture
) -> None:
    """JSON can carry half of a pair of surrogates."""
    anna = joined.anna
    found(anna)
    photo = await added_one(anna, picture())
    albums = anna.engine.albums
    for say in (albums.comment, albums.caption, albums.place):
        with pytest.raises(BadRequestError):
            say(ALBUM, photo, "\ud800")
    assert (photos(anna)[photo].comments, photos(anna)[photo].caption) == ([], None)
