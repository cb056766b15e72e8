"""Whatever the order in which entries come, and whenever somebody looks: the same album."""

from __future__ import annotations

import contextlib
import functools

from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto.errors import MalformedError, PeerError
from kinlight.protocol.album import Album, Entry, Heads, read_entry
from kinlight.protocol.album_errors import AlbumGapError

from .albums import Node, with_two
from .repeatable import repeatable
from .test_album_model import Play


@functools.cache
def lived() -> Node:
    """A node with the album of a world in which a good deal happened, forged entries included."""
    with repeatable():
        play = Play(3)
        for _ in range(150):
            play.step()
    first = play.world.nodes[0]
    return Node(first.local, play.world.union(), first.keys)


def entries() -> list[Entry]:
    album = lived().album
    return [*album.graph.entries, *album.feeds.entries.values()]


def fresh() -> Node:
    return Node(lived().local, Album(lived().album.graph.entries[0]), lived().keys)


seeds = st.randoms(use_true_random=False)


@given(seeds)
def test_any_order_gives_the_same_album(random: object) -> None:
    mixed = entries()
    random.shuffle(mixed)  # type: ignore[attr-defined]
    node = fresh()
    assert len(node.album.take_all(mixed)) == len(mixed) - 1
    assert node.everything() == lived().everything()
    assert dict(node.album.view.void) == dict(lived().album.view.void)
    assert node.album.heads == lived().album.heads


@given(seeds, st.integers(1, 30))
def test_looking_at_it_in_between_changes_nothing(random: object, every: int) -> None:
    mixed = entries()
    random.shuffle(mixed)  # type: ignore[attr-defined]
    node = fresh()
    for _ in mixed:
        for number, entry in enumerate(mixed):
            try:
                node.album.take(entry)
            except AlbumGapError:
                continue
            if number % every == 0:
                node.everything()
        if len(node.album.kept()) == len(mixed):
            break
    assert node.everything() == lived().everything()
    assert dict(node.album.view.void) == dict(lived().album.view.void)


@given(st.data())
def test_two_parts_of_an_album_make_the_whole(data: st.DataObject) -> None:
    """Who has any part, and says so by its heads, is given just what it lacks."""
    node, every = fresh(), entries()
    node.album.take_all(every[: data.draw(st.integers(1, len(every)))])
    missing = lived().album.missing(node.album.heads)
    assert not [entry for entry in missing if entry.digest in node.album]
    assert len(node.album.take_all(missing)) == len(missing)
    assert node.everything() == lived().everything()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=3))
def test_heads_that_nobody_knows_hide_nothing(unknown: list[bytes]) -> None:
    heads = Heads(tuple(unknown), tuple(unknown))
    assert len(lived().album.missing(heads)) == len(entries())


def test_what_was_kept_is_the_same_album() -> None:
    kept = lived().album.kept()
    node = Node(lived().local, Album.load(kept), lived().keys)
    assert node.everything() == lived().everything()
    assert node.album.kept() == kept


@functools.cache
def encoded() -> list[bytes]:
    node = with_two()
    node.publish()
    (photo_id,) = node.album.view.photos
    node.author.caption(node.now(), photo_id, "a caption")
    return node.album.kept()


@given(st.data())
def test_an_entry_with_a_byte_changed_is_refused(data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(encoded()) - 1))
    changed = bytearray(encoded()[which])
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    album = Album.load(encoded())
    before = album.kept()
    try:
        album.take(read_entry(bytes(changed)))
    except PeerError:
        assert album.kept() == before
    else:
        raise AssertionError("it was taken")


@given(st.binary(max_size=300))
def test_any_bytes_are_an_entry_or_malformed(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        read_entry(data)
