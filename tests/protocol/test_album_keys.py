"""Keys of albums: each device opens its own wrap, and nothing opens elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.errors import (
    MalformedError,
    SealBrokenError,
)
from kinlight.crypto.secret import Secret
from kinlight.crypto.wrap import wrap
from kinlight.protocol import limits
from kinlight.protocol.album_errors import (
    AlbumWrapError,
)
from kinlight.protocol.album_keys import OneWrap, Recipient, WrapSet
from kinlight.protocol.album_log import (
    LogEntry,
)
from kinlight.protocol.opening import LocalDevice

from .albums import (
    ALICE,
    BOB,
    CAROL,
    FILE_KEYS,
    Node,
    current,
    epoch,
    log_entry,
    photo,
    with_two,
)
from .people import fixed

HASH, KEY, PID = fixed("hash"), fixed("key"), fixed("photo", 16)


@pytest.fixture
def alice() -> Node:
    return with_two()


# Wraps, keys and what is sealed.


def wrap_of(node: Node, local: LocalDevice) -> tuple[LogEntry, WrapSet, OneWrap]:
    entry = node.rotate()
    wraps = node.sets[entry.digest]
    return entry, wraps, wraps.wraps[local.chain.device]


def test_a_device_opens_its_own_wrap_and_no_other(alice: Node) -> None:
    entry, wraps, wrap = wrap_of(alice, BOB)
    bob, wanted = BOB.chain.device, wraps.key_id
    assert wrap.open(BOB.kem, bob, entry, wanted) == alice.keys.get(wanted)
    assert OneWrap.decode(wrap.encode()) == wrap
    for kem, device_key, found in (
        (CAROL.kem, bob, wrap),
        (CAROL.kem, CAROL.chain.device, wrap),
        (BOB.kem, bob, wraps.wraps[CAROL.chain.device]),
        (BOB.kem, bob, replace(wrap, place=wrap.place ^ 1)),
        (BOB.kem, bob, replace(wrap, path=wrap.path[:-32])),
        (BOB.kem, bob, replace(wrap, sealed=bytes(len(wrap.sealed)))),
    ):
        with pytest.raises(AlbumWrapError):
            found.open(kem, device_key, entry, wanted)


def test_a_wrap_of_another_entry_does_not_open(alice: Node) -> None:
    _, _, wrap = wrap_of(alice, BOB)
    entry, wraps, _ = wrap_of(alice, BOB)
    for wanted in (wraps.key_id, bytes(32)):
        with pytest.raises(AlbumWrapError):
            wrap.open(BOB.kem, BOB.chain.device, entry, wanted)


def test_who_gets_another_key_than_the_rest_notices(alice: Node) -> None:
    """An admin that gives one device a key of its own has to name that key's id to all."""
    recipients = [Recipient(local.chain.device, local.chain.kem) for local in (ALICE, BOB)]
    heads, album = sorted(alice.album.graph.heads), alice.album.album_id
    lie = WrapSet.seal(Secret(fixed("lie")), album, heads, alice.device, recipients)
    truth = WrapSet.seal(Secret(fixed("truth")), album, heads, alice.device, recipients)
    entry = log_entry(alice, [replace(lie.epoch(), key_id=truth.key_id)])
    wrap = lie.wraps[BOB.chain.device]
    with pytest.raises(AlbumWrapError):
        wrap.open(BOB.kem, BOB.chain.device, entry, truth.key_id)


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, limits.ALBUM_WRAPS), (1, bytes(1167)), (1, bytes(1169)), (2, bytes(33)), (2, bytes(544))],
)
def test_a_wrap_of_another_form_is_malformed(alice: Node, place: int, value: Any) -> None:
    wrap = wrap_of(alice, BOB)[2]
    fields: list[Any] = [wrap.place, wrap.sealed, wrap.path]
    fields[place] = value
    with pytest.raises(MalformedError):
        OneWrap.decode(encoding.encode(fields))


def test_a_wrap_reads_back_up_to_every_limit() -> None:
    wrap = OneWrap(limits.ALBUM_WRAPS - 1, bytes(1168), bytes(16 * 32))
    assert OneWrap.decode(wrap.encode()) == wrap


@pytest.mark.parametrize("count", [0, limits.ALBUM_WRAPS + 1])
def test_a_key_is_wrapped_for_somebody_and_not_for_too_many(count: int) -> None:
    recipients = [Recipient(ALICE.chain.device, ALICE.chain.kem)] * count
    with pytest.raises(ValueError, match="devices"):
        WrapSet.seal(Secret(KEY), b"", (), ALICE.chain.device, recipients)


def test_a_wrapped_key_of_another_photo_or_album_does_not_open(alice: Node) -> None:
    act, other = photo(alice), photo(alice, label="other")
    assert alice.keys.unwrap_photo(act) == dict(FILE_KEYS)
    elsewhere = Node.founding(ALICE)
    elsewhere.keys.add(alice.keys.get(act.key_id))
    for keys, tried in (
        (alice.keys, replace(act, wrapped=other.wrapped)),
        (alice.keys, replace(act, wrapped=act.wrapped[::-1])),
        (elsewhere.keys, act),
    ):
        with pytest.raises(SealBrokenError):
            keys.unwrap_photo(tried)


def test_a_text_opens_as_what_it_is_alone(alice: Node) -> None:
    key_id = current(alice)
    sealed = alice.keys.seal_text(key_id, "comment", "tä", PID)
    assert alice.keys.open_text(key_id, "comment", sealed, PID) == "tä"
    for what, photo_id in (("caption", PID), ("comment", bytes(16)), ("name", b"")):
        with pytest.raises(SealBrokenError):
            alice.keys.open_text(key_id, what, sealed, photo_id)  # type: ignore[arg-type]


@pytest.mark.parametrize(("what", "most"), [("name", 255), ("comment", 4096), ("caption", 4096)])
def test_a_text_has_its_bounds(alice: Node, what: Any, most: int) -> None:
    key_id = current(alice)
    assert len(alice.keys.seal_text(key_id, what, "x" * most)) == most + 72
    for text in ("", "x" * (most + 1)):
        with pytest.raises(ValueError, match="bytes"):
            alice.keys.seal_text(key_id, what, text)


def test_an_earlier_key_that_is_not_what_it_should_be_is_left_out(alice: Node) -> None:
    lie = alice.keys.past_under(Secret(fixed("another key")), [current(alice)])
    forged = replace(epoch(alice), past=((bytes(32), *lie.values()),))
    ring = Node.founding(ALICE).keys
    ring.add(Secret(fixed("another key")))
    assert ring.learn([forged]) == 0


def test_a_text_that_is_none_is_malformed(alice: Node) -> None:
    name, album = current(alice), alice.album.album_id
    context = encoding.encode(["kinlight/album-text1", album, name, "comment", PID])
    sealed = wrap(alice.keys.get(name), context, b"\xff")
    with pytest.raises(MalformedError):
        alice.keys.open_text(name, "comment", sealed, PID)


def test_a_ring_of_keys_shows_none(alice: Node) -> None:
    assert repr(alice.keys) == "KeyRing(1 keys)"
