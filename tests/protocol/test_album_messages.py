"""Messages of albums: there and back, every limit, and two nodes that use them agree."""

from __future__ import annotations

import dataclasses
import re
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import MalformedError, NotEncodableError
from kinlight.protocol import album_messages, limits, messages
from kinlight.protocol.album import Album, read_entry
from kinlight.protocol.album_errors import AlbumWrapError
from kinlight.protocol.album_keys import ONE_WRAP_BYTES, WRAP_BYTES, KeyRing, OneWrap, WrapSet
from kinlight.protocol.album_messages import (
    ALBUM_WORK,
    AlbumEntries,
    AlbumHeads,
    AlbumPreviewAsk,
    AlbumPreviews,
    AlbumRefused,
    AlbumSetAsk,
    AlbumSetPart,
    AlbumWrap,
    AlbumWrapAsk,
    answer,
    farewell,
    heads_of,
    preview_room,
    previews,
    wanted,
)
from kinlight.protocol.messages import Message

from .albums import ALICE, BOB, CAROL, Node, with_two
from .people import fixed
from .test_spec import page, table

_Kind = TypeVar("_Kind", bound=Message)
A, H, K = fixed("album", 16), fixed("hash"), fixed("key")

hashes = st.binary(min_size=32, max_size=32)
ids = st.binary(min_size=16, max_size=16)
few = st.lists(hashes, max_size=5).map(tuple)
places = st.integers(0, limits.ALBUM_WRAPS - 1)
shown = st.lists(st.tuples(hashes, st.binary(max_size=99)), max_size=5).map(tuple)
pairs = st.lists(st.tuples(hashes, st.binary(min_size=WRAP_BYTES, max_size=WRAP_BYTES)), max_size=2)

FORMS: dict[type[Message], st.SearchStrategy[Message]] = {
    AlbumHeads: st.builds(AlbumHeads, ids, few, few),
    AlbumEntries: st.builds(
        AlbumEntries, ids, st.booleans(), st.lists(st.binary(max_size=99), max_size=5).map(tuple)
    ),
    AlbumRefused: st.builds(AlbumRefused, ids, st.integers(0, 2**64 - 1)),
    AlbumWrapAsk: st.builds(AlbumWrapAsk, ids, hashes, hashes),
    AlbumWrap: st.builds(AlbumWrap, ids, hashes, hashes, st.binary(max_size=200)),
    AlbumSetAsk: st.builds(AlbumSetAsk, ids, hashes, hashes, places),
    AlbumSetPart: st.builds(AlbumSetPart, ids, hashes, hashes, places, pairs.map(tuple)),
    AlbumPreviewAsk: st.builds(AlbumPreviewAsk, ids, st.binary(max_size=99), few),
    AlbumPreviews: st.builds(AlbumPreviews, ids, shown),
}


@given(st.one_of(*FORMS.values()))
def test_a_message_of_albums_reads_back(message: Message) -> None:
    assert messages.decode(message.encode()) == message


def test_every_message_of_albums_is_tried() -> None:
    assert set(FORMS) == set(ALBUM_WORK)


def many(count: int) -> list[Value]:
    return [number.to_bytes(32) for number in range(count)]


WRAP = bytes(WRAP_BYTES)
AT_THE_LIMIT: dict[str, list[Value]] = {
    "64 heads of the log": [80, A, many(64), []],
    "4,096 heads of feeds": [80, A, [], many(4096)],
    "1,024 entries": [81, A, 1, [b""] * 1024],
    "a long entry": [81, A, 0, [bytes(65_536 + 80)]],
    "a long wrap": [84, A, H, K, bytes(ONE_WRAP_BYTES)],
    "no wrap": [84, A, H, K, b""],
    "a set from its last place": [85, A, H, K, 4095],
    "64 previews asked for": [87, A, bytes(8192), many(64)],
    "64 previews": [88, A, [[entry, b""] for entry in many(64)]],
    "a large preview": [88, A, [[H, bytes(65_536)]]],
    "512 wraps": [86, A, H, K, 0, [[key, WRAP] for key in many(512)]],
}
ONE_PAST: dict[str, list[Value]] = {
    "an album of 15 bytes": [80, A[:15], [], []],
    "65 heads of the log": [80, A, many(65), []],
    "4,097 heads of feeds": [80, A, [], [bytes(32)] * 4097],
    "a head of 31 bytes": [80, A, [bytes(31)], []],
    "1,025 entries": [81, A, 1, [b""] * 1025],
    "an entry too long": [81, A, 0, [bytes(65_536 + 81)]],
    "an entry that is text": [81, A, 0, ["entry"]],
    "a flag of two": [81, A, 2, []],
    "a wrap too long": [84, A, H, K, bytes(ONE_WRAP_BYTES + 1)],
    "a set behind its last place": [85, A, H, K, 4096],
    "513 wraps": [86, A, H, K, 0, [[key, WRAP] for key in many(513)]],
    "a wrap of 1,167 bytes": [86, A, H, K, 0, [[H, WRAP[:-1]]]],
    "a wrap for no device": [86, A, H, K, 0, [[WRAP]]],
    "a wrap that is no array": [86, A, H, K, 0, [WRAP]],
    "a wrap with more": [86, A, H, K, 0, [[H, WRAP, 0]]],
    "65 previews asked for": [87, A, b"", many(65)],
    "a long capability": [87, A, bytes(8193), []],
    "65 previews": [88, A, [[entry, b""] for entry in many(65)]],
    "a preview too large": [88, A, [[H, bytes(65_537)]]],
    "a preview of nothing": [88, A, [[b"", b""]]],
    "a preview with more": [88, A, [[H, b"", 0]]],
    "a field too many": [83, A, H, K, 0],
    "a field too few": [83, A, H],
}


@pytest.mark.parametrize("case", AT_THE_LIMIT)
def test_a_message_at_its_limit_is_read(case: str) -> None:
    data = encoding.encode(AT_THE_LIMIT[case])
    assert messages.decode(data).encode() == data


@pytest.mark.parametrize("case", ONE_PAST)
def test_a_message_past_its_limit_is_malformed(case: str) -> None:
    with pytest.raises((MalformedError, NotEncodableError)):  # 4,097 items no message holds
        messages.decode(encoding.encode(ONE_PAST[case]))


def test_the_page_lists_every_message_with_its_number_and_fields() -> None:
    listed = {
        (int(number), name.strip("`"), tuple(re.findall(r"`([a-z_0-9]+)`", fields)))
        for number, name, fields in table(page("album.md"), "Messages")
    }
    assert listed == {
        (kind.number, kind.__name__, tuple(each.name for each in dataclasses.fields(kind)))  # type: ignore[arg-type]
        for kind in ALBUM_WORK
    }


def test_no_number_is_another_message_s() -> None:
    others = {
        kind.number
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message
    }
    assert not others & {kind.number for kind in ALBUM_WORK}
    assert {kind.since for kind in ALBUM_WORK} == {album_messages.SINCE}


# Two nodes that have the messages alone.


def take(album: Album, entries: AlbumEntries) -> None:
    album.take_all(map(read_entry, entries.entries))


def bring(one: Album, other: Album) -> int:
    """`one` gives all that `other` lacks; in how many messages."""
    for count in range(1, 100):
        sent = answer(one, travelled(heads_of(other)))
        take(other, travelled(sent))
        if not sent.more:
            return count
    raise AssertionError("it does not end")


def travelled(message: _Kind) -> _Kind:
    found = messages.decode(message.encode())
    assert isinstance(found, type(message))
    return found


def test_a_node_gets_in_some_messages_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = with_two()
    for _ in range(5):
        alice.publish()
        alice.rotate()
    other = Album(alice.album.graph.entries[0])
    assert bring(alice.album, other) == 1
    assert other.heads == alice.album.heads
    assert bring(alice.album, other) == 1
    monkeypatch.setattr(limits, "ALBUM_BATCH", 3)
    another = Album(alice.album.graph.entries[0])
    assert bring(alice.album, another) == 4
    assert another.heads == alice.album.heads


def test_a_batch_stays_below_the_largest_message(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = with_two()
    monkeypatch.setattr(limits, "MESSAGE_BYTES", 9_000)
    other = Album(alice.album.graph.entries[0])
    sent = answer(alice.album, heads_of(other))
    assert len(sent.entries) == 2
    assert len(sent.encode()) <= 9_000
    assert not sent.more
    monkeypatch.setattr(limits, "MESSAGE_BYTES", 5_000)
    sent = answer(alice.album, heads_of(other))
    assert (len(sent.entries), sent.more) == (1, True)
    assert len(sent.encode()) <= 5_000


@given(st.lists(st.integers(1, limits.ALBUM_PREVIEW_BYTES), max_size=64))
def test_previews_stay_below_the_largest_message_and_who_counts_gets_all(
    lengths: list[int],
) -> None:
    asked = [(number.to_bytes(32), bytes(length)) for number, length in enumerate(lengths)]
    told = previews(A, asked)
    assert len(told.encode()) <= limits.MESSAGE_BYTES
    assert list(told.previews) == asked[: len(told.previews)]
    if sum(map(preview_room, lengths)) <= limits.MESSAGE_BYTES - 1024:
        assert len(told.previews) == len(asked)


def test_who_was_taken_out_is_told_the_log_as_far_as_that() -> None:
    alice = with_two()
    carol = alice.joining(CAROL)
    removal = alice.remove(CAROL.identity)
    alice.publish()
    alice.rotate()
    asked = heads_of(carol.album)
    sent = farewell(alice.album, CAROL.identity, carol.device, asked)
    assert sent.entries == (removal.signed.encode(),)
    take(carol.album, sent)
    assert CAROL.identity not in carol.album.view.members
    assert farewell(alice.album, CAROL.identity, carol.device, heads_of(carol.album)).entries == ()


def test_a_set_of_wraps_is_what_the_op_names_or_nothing() -> None:
    alice = with_two()
    entry = alice.rotate()
    made, op = alice.sets[entry.digest], entry.epoch
    assert op is not None
    kept = WrapSet.rebuild(op, made.sealed)
    assert kept == made
    wrap = OneWrap.decode(kept.wraps[BOB.chain.device].encode())
    key = wrap.open(BOB.kem, BOB.chain.device, entry, made.key_id)
    assert key == alice.keys.get(made.key_id)
    one, two, *_ = made.sealed
    for wrong in (
        made.sealed[:-1],
        made.sealed[::-1],
        [one, one, two],
        [(one[0], two[1]), (two[0], one[1]), *made.sealed[2:]],
    ):
        with pytest.raises(AlbumWrapError):
            WrapSet.rebuild(op, wrong)


def fetch_keys(node: Node, holder: Node) -> int:
    """Ask for one wrap after the other until no key is missing; how many were needed."""
    for count in range(100):
        asks = wanted(node.album, node.identity, node.device, node.keys)
        if not asks:
            return count
        asked = travelled(asks[0])
        wrap = holder.sets[asked.entry].wraps[node.device]
        got = travelled(AlbumWrap(asked.album, asked.entry, asked.key_id, wrap.encode()))
        entry = node.album.graph.entries[node.album.graph.numbers[got.entry]]
        found = OneWrap.decode(got.wrap).open(node.local.kem, node.device, entry, got.key_id)
        node.keys.add(found)
        node.keys.learn(epoch for _, epoch in node.album.graph.all_epochs())
    raise AssertionError("it does not end")


def test_a_node_that_began_anew_has_all_of_it_by_messages() -> None:
    alice = with_two()
    for _ in range(4):
        alice.rotate()
        alice.publish()
    bob = Node(BOB, Album(alice.album.graph.entries[0]), KeyRing(alice.album.album_id))
    bring(alice.album, bob.album)
    assert fetch_keys(bob, alice) == 1
    assert all(bob.opens(photo.photo) for photo in bob.album.view.photos.values())
    bob.publish()
    bring(bob.album, alice.album)
    assert alice.everything() == bob.everything()


def test_who_joined_later_asks_for_no_wrap_of_before() -> None:
    alice = Node.founding(ALICE, history="from-join")
    alice.rotate()
    alice.invite("viewer", BOB)
    asks = wanted(alice.album, BOB.identity, BOB.chain.device, KeyRing(alice.album.album_id))
    assert [asked.entry for asked in asks] == [alice.album.graph.entries[-1].digest]
    assert wanted(alice.album, CAROL.identity, CAROL.chain.device, alice.keys) == []
