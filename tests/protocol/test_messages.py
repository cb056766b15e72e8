"""Every message there and back, and every limit at and one past."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.blob import MAX_CIPHERTEXT_BYTES, MAX_PIECES, PIECE_BYTES, sealed_length
from kinlight.crypto.encoding import Value
from kinlight.crypto.errors import MalformedError
from kinlight.protocol import limits, messages
from kinlight.protocol.delivery import HeldBlob
from kinlight.protocol.device_messages import (
    DEVICE_WORK,
    DeviceChains,
    DeviceGift,
    OwnDevices,
)
from kinlight.protocol.devices import LAST_NUMBER
from kinlight.protocol.errors import OtherVersionError
from kinlight.protocol.messages import Message

numbers = st.integers(0, 2**64 - 1)
requests = st.integers(0, 2**32 - 1)
hashes = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)


@st.composite
def ranges(draw: st.DrawFn) -> messages.Ranges:
    borders = sorted(draw(st.sets(st.integers(0, MAX_PIECES), max_size=20)))
    pairs = zip(borders[::2], borders[1::2], strict=False)
    return tuple((first, end - first) for first, end in pairs)


receipts = st.binary(max_size=limits.RECEIPT_BYTES)
positions = st.integers(0, 2**63 - 1)
optional = st.one_of(st.just(b""), hashes)
held_blobs = st.lists(
    st.builds(HeldBlob, hashes, st.integers(1, 2**20).map(sealed_length), hashes), max_size=8
).map(tuple)

FORMS: dict[type[Message], st.SearchStrategy[Message]] = {
    messages.Hello: st.builds(
        messages.Hello,
        st.lists(numbers, max_size=15).map(lambda others: (*others, messages.VERSION)),
        st.text(max_size=4),
        st.text(max_size=4),
        st.binary(max_size=1024),
    ),
    messages.Welcome: st.builds(
        messages.Welcome, st.sampled_from(messages.VERSIONS), st.binary(max_size=64)
    ),
    messages.Prove: st.builds(messages.Prove, st.binary(max_size=4096), signatures),
    messages.PairChain: st.builds(messages.PairChain, st.binary(max_size=6144)),
    messages.PairConfirm: st.builds(messages.PairConfirm, hashes, signatures),
    messages.PairDone: st.builds(messages.PairDone),
    messages.Offer: st.builds(messages.Offer, st.binary(max_size=5000)),
    messages.OfferTaken: st.builds(messages.OfferTaken, hashes, st.booleans()),
    messages.OfferRefused: st.builds(messages.OfferRefused, hashes, numbers),
    messages.Stored: st.builds(messages.Stored, hashes),
    messages.Delivered: st.builds(messages.Delivered, hashes, receipts),
    messages.FetchHeld: st.builds(
        messages.FetchHeld,
        requests,
        hashes,
        optional,
        st.booleans(),
        ranges(),
        st.integers(0, limits.CREDIT),
    ),
    messages.Mailbox: st.builds(
        messages.Mailbox, optional, st.binary(max_size=32 * limits.HOLDERS)
    ),
    messages.Holding: st.builds(messages.Holding, positions, requests, st.booleans()),
    messages.Deposit: st.builds(
        messages.Deposit, hashes, st.binary(max_size=5000), requests, held_blobs
    ),
    messages.Held: st.builds(messages.Held, hashes),
    messages.HeldRefused: st.builds(messages.HeldRefused, hashes, numbers),
    messages.Collect: st.builds(
        messages.Collect, positions, st.integers(0, limits.COLLECTED), st.booleans()
    ),
    messages.HeldItem: st.builds(messages.HeldItem, positions, st.binary(max_size=5000)),
    messages.HeldEnd: st.builds(messages.HeldEnd, positions, st.booleans()),
    messages.HeldDone: st.builds(messages.HeldDone, hashes, receipts),
    messages.HeldGone: st.builds(messages.HeldGone, hashes),
    messages.HeldReceipt: st.builds(messages.HeldReceipt, hashes, receipts),
    messages.HeldNews: st.builds(messages.HeldNews),
    messages.Fetch: st.builds(
        messages.Fetch,
        requests,
        st.binary(min_size=16, max_size=16),
        hashes,
        st.binary(max_size=8192),
        st.booleans(),
        ranges(),
        st.integers(0, limits.CREDIT),
    ),
    messages.ManifestPart: st.builds(messages.ManifestPart, requests, st.binary(max_size=5000)),
    messages.Piece: st.builds(
        messages.Piece, requests, st.integers(0, MAX_PIECES - 1), st.binary(max_size=5000)
    ),
    messages.Credit: st.builds(messages.Credit, requests, st.integers(0, limits.CREDIT)),
    messages.FetchRefused: st.builds(messages.FetchRefused, requests, numbers),
    messages.FetchStop: st.builds(messages.FetchStop, requests),
    messages.Papers: st.builds(messages.Papers, st.binary(max_size=3000), st.binary(max_size=5000)),
    OwnDevices: st.builds(OwnDevices, positions, hashes, st.binary(max_size=5000)),
    DeviceChains: st.builds(
        DeviceChains, st.lists(st.binary(max_size=4096), max_size=16).map(tuple)
    ),
    DeviceGift: st.builds(DeviceGift, st.binary(max_size=4096)),
    messages.Ping: st.builds(messages.Ping, numbers),
    messages.Pong: st.builds(messages.Pong, numbers),
    messages.Bye: st.builds(messages.Bye, numbers),
}


def kinds() -> list[type[Message]]:
    return [
        kind
        for kind in (*vars(messages).values(), *DEVICE_WORK, DeviceGift)
        if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message
    ]


def test_every_message_is_tested_here() -> None:
    assert set(kinds()) == set(FORMS)
    assert len({kind.number for kind in kinds()}) == len(kinds())


@given(st.one_of(*FORMS.values()))
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert messages.decode(message.encode()) == message


@given(st.one_of(*FORMS.values()))
def test_a_message_with_a_field_too_many_or_too_few_is_refused(message: Message) -> None:
    items = encoding.decode(message.encode(), limits.MESSAGE_BYTES)
    with pytest.raises(MalformedError):
        messages.decode(encoding.encode(items[:-1]))
    longer = encoding.encode([*items, 0])
    if isinstance(message, messages.Hello) and set(message.versions) - set(messages.VERSIONS):
        assert messages.decode(longer) == message  # what follows is for the other versions
        return
    with pytest.raises(MalformedError):
        messages.decode(longer)


@pytest.mark.parametrize(
    "greeting",
    [
        [1, [5]],
        [1, [5, 2**64 - 1], [[b"", 7]]],
        [1, [], "contact", "", b""],
        [1, [5], "contact", "", bytes(256), "more", 7],
        [2, 5],
        [2, 0, bytes(32), 1],
        [2, 2**64 - 1, [["more"]]],
    ],
    ids=str,
)
def test_the_greeting_of_another_version_reads_as_that_whatever_its_form(greeting: Value) -> None:
    with pytest.raises(OtherVersionError, match="speaks another version"):
        messages.decode(encoding.encode(greeting))


@pytest.mark.parametrize(
    "greeting",
    [
        [1],
        [1, 2],
        [1, [b"2"]],
        [1, ["2"]],
        [1, [[2]]],
        [1, list(range(2, 19))],
        [1, [1], "contact", "", b"", 0],
        [1, [1, 4], "contact", ""],
        [1, [1, 4], "contact", b"", b"", 0],
        [1, [3, 2, 1], "contact", "", b"", 0],
        [2],
        [2, [2]],
        [2, "2"],
        [2, 1, b"", 0],
    ],
    ids=str,
)
def test_what_all_versions_have_in_common_is_read_as_strictly_as_ever(greeting: Value) -> None:
    with pytest.raises(MalformedError):
        messages.decode(encoding.encode(greeting))


@given(st.one_of(*FORMS.values()), st.data())
def test_a_field_of_another_type_is_refused(message: Message, data: st.DataObject) -> None:
    items = encoding.decode(message.encode(), limits.MESSAGE_BYTES)
    position = data.draw(st.integers(0, len(items) - 1))
    samples: list[Value] = [1, b"", "", []]
    others = [sample for sample in samples if not isinstance(sample, type(items[position]))]
    items[position] = data.draw(st.sampled_from(others))
    with pytest.raises(MalformedError):
        messages.decode(encoding.encode(items))


@given(st.one_of(*FORMS.values()), st.data())
def test_a_message_cut_anywhere_is_refused(message: Message, data: st.DataObject) -> None:
    encoded = message.encode()
    with pytest.raises(MalformedError):
        messages.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(MalformedError):
        messages.decode(encoded + b"\x00")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        message = messages.decode(data)
    except MalformedError:
        return
    assert message.encode() == data


@pytest.mark.parametrize("number", [0, 7, 9, 15, 19, 27, 29, 32, 39, 41, 59, 72, 255, 2**64 - 1])
def test_an_unknown_number_is_refused(number: int) -> None:
    assert number not in {kind.number for kind in kinds()}
    with pytest.raises(MalformedError):
        messages.decode(encoding.encode([number]))


def fetch(**changes: object) -> messages.Fetch:
    plain = messages.Fetch(1, bytes(16), bytes(32), b"", True, ((0, 1),), 1)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def apart(count: int) -> messages.Ranges:
    return tuple((2 * number, 1) for number in range(count))


def borders() -> Iterator[tuple[str, Message, Message]]:
    """A field's name, a message with it at its limit, and one past it."""
    hello = messages.Hello((1,), "contact", "", b"")
    yield (
        "versions",
        dataclasses.replace(hello, versions=tuple(range(limits.VERSIONS))),
        dataclasses.replace(hello, versions=tuple(range(limits.VERSIONS + 1))),
    )
    for field in ("mode", "method"):
        yield (
            field,
            dataclasses.replace(hello, **{field: "m" * 16}),
            dataclasses.replace(hello, **{field: "m" * 17}),
        )
        yield (
            f"{field} in UTF-8",
            dataclasses.replace(hello, **{field: "é" * 8}),
            dataclasses.replace(hello, **{field: "é" * 8 + "m"}),
        )
    tags = 32 * limits.DIAL_TAGS
    yield (
        "dial tags",
        dataclasses.replace(hello, proof=bytes(tags)),
        dataclasses.replace(hello, proof=bytes(tags + 1)),
    )
    yield (
        "receipt",
        messages.Delivered(bytes(32), bytes(limits.RECEIPT_BYTES)),
        messages.Delivered(bytes(32), bytes(limits.RECEIPT_BYTES + 1)),
    )
    yield (
        "marks of holders",
        messages.Mailbox(bytes(32), bytes(32 * limits.HOLDERS)),
        messages.Mailbox(bytes(32), bytes(32 * limits.HOLDERS + 1)),
    )
    chain = bytes(limits.CHAIN_BYTES)
    shown = limits.SHOWN_DEVICES
    yield "devices shown", DeviceChains((b"",) * shown), DeviceChains((b"",) * (shown + 1))
    yield "a device shown", DeviceChains((chain,)), DeviceChains((chain + b"\x00",))
    gift = limits.DEVICE_GIFT_BYTES
    yield "gift", DeviceGift(bytes(gift)), DeviceGift(bytes(gift + 1))
    own = limits.OWN_DEVICES_BYTES
    yield (
        "own devices",
        OwnDevices(1, bytes(32), bytes(own)),
        OwnDevices(1, bytes(32), bytes(own + 1)),
    )
    yield (
        "own secret",
        OwnDevices(LAST_NUMBER, bytes(32), b""),
        OwnDevices(LAST_NUMBER + 1, bytes(32), b""),
    )
    yield "mailbox secret", messages.Mailbox(b"", b""), messages.Mailbox(bytes(31), b"")
    yield "collected", messages.Collect(0, limits.COLLECTED, False), messages.Collect(0, 257, False)
    blobs = tuple(HeldBlob(bytes([number]) * 32, 100, bytes(32)) for number in range(9))
    deposit = messages.Deposit(bytes(32), b"", 0, blobs[: limits.HELD_BLOBS])
    yield "held blobs", deposit, dataclasses.replace(deposit, blobs=blobs)
    yield (
        "length of a held blob",
        dataclasses.replace(deposit, blobs=(HeldBlob(bytes(32), MAX_CIPHERTEXT_BYTES, bytes(32)),)),
        dataclasses.replace(
            deposit, blobs=(HeldBlob(bytes(32), MAX_CIPHERTEXT_BYTES + 1, bytes(32)),)
        ),
    )
    yield "welcome proof", messages.Welcome(1, bytes(64)), messages.Welcome(1, bytes(65))
    for step in (1, -1):
        yield (
            f"signature {step:+}",
            messages.Prove(bytes(limits.CHAIN_BYTES), bytes(64)),
            messages.Prove(b"", bytes(64 + step)),
        )
        yield (
            f"confirmation {step:+}",
            messages.PairConfirm(bytes(32), bytes(64)),
            messages.PairConfirm(bytes(32 + step), bytes(64)),
        )
        yield f"hash {step:+}", messages.Stored(bytes(32)), messages.Stored(bytes(32 + step))
        yield (
            f"photo id {step:+}",
            fetch(photo_id=bytes(16)),
            fetch(photo_id=bytes(16 + step)),
        )
        yield (
            f"content id {step:+}",
            fetch(content_id=bytes(32)),
            fetch(content_id=bytes(32 + step)),
        )
    yield (
        "chain",
        messages.Prove(bytes(limits.CHAIN_BYTES), bytes(64)),
        messages.Prove(bytes(limits.CHAIN_BYTES + 1), bytes(64)),
    )
    sealed = limits.SEALED_CHAIN_BYTES
    yield "sealed chain", messages.PairChain(bytes(sealed)), messages.PairChain(bytes(sealed + 1))
    envelope = limits.ENVELOPE_BYTES
    yield "envelope", messages.Offer(bytes(envelope)), messages.Offer(bytes(envelope + 1))
    yield "request", fetch(request=2**32 - 1), fetch(request=2**32)
    yield (
        "capability",
        fetch(capability=bytes(limits.CAPABILITY_BYTES)),
        fetch(capability=bytes(limits.CAPABILITY_BYTES + 1)),
    )
    yield "ranges", fetch(ranges=apart(limits.RANGES)), fetch(ranges=apart(limits.RANGES + 1))
    yield (
        "last piece",
        fetch(ranges=((MAX_PIECES - 1, 1),)),
        fetch(ranges=((MAX_PIECES - 1, 2),)),
    )
    yield "all pieces", fetch(ranges=((0, MAX_PIECES),)), fetch(ranges=((0, MAX_PIECES + 1),))
    yield "credit at first", fetch(credit=limits.CREDIT), fetch(credit=limits.CREDIT + 1)
    yield "credit", messages.Credit(1, limits.CREDIT), messages.Credit(1, limits.CREDIT + 1)
    part = limits.MANIFEST_PART_BYTES
    yield (
        "manifest part",
        messages.ManifestPart(1, bytes(part)),
        messages.ManifestPart(1, bytes(part + 1)),
    )
    yield (
        "piece",
        messages.Piece(1, MAX_PIECES - 1, bytes(PIECE_BYTES)),
        messages.Piece(1, 0, bytes(PIECE_BYTES + 1)),
    )
    yield "index", messages.Piece(1, MAX_PIECES - 1, b""), messages.Piece(1, MAX_PIECES, b"")


@pytest.mark.parametrize(
    ("field", "at", "past"), list(borders()), ids=lambda value: str(value)[:24]
)
def test_a_field_is_taken_to_the_limit_and_no_further(
    field: str, at: Message, past: Message
) -> None:
    assert messages.decode(at.encode()) == at, field
    with pytest.raises(MalformedError):
        messages.decode(past.encode())


@pytest.mark.parametrize(
    "pairs",
    [
        [[0, 0]],
        [[0, 1], [0, 1]],
        [[0, 2], [1, 1]],
        [[5, 1], [0, 1]],
        [[0]],
        [[0, 1, 1]],
        [[]],
        [0, 1],
        [[0, b""]],
        [[MAX_PIECES, 1]],
        [[MAX_PIECES + 1, 0]],
    ],
    ids=str,
)
def test_ranges_that_are_empty_overlapping_or_out_of_order_are_refused(pairs: Value) -> None:
    items = encoding.decode(fetch().encode(), 1000)
    items[6] = pairs
    with pytest.raises(MalformedError):
        messages.decode(encoding.encode(items))


def test_ranges_that_touch_are_allowed() -> None:
    touching = fetch(ranges=((0, 2), (2, 1)))
    assert messages.decode(touching.encode()) == touching


def test_a_flag_is_nought_or_one() -> None:
    items = encoding.decode(messages.OfferTaken(bytes(32), True).encode(), 1000)
    items[2] = 2
    with pytest.raises(MalformedError):
        messages.decode(encoding.encode(items))


def test_a_message_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(MalformedError):
        messages.decode(bytes(limits.MESSAGE_BYTES + 1))


def test_messages_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        messages.Ping(1).token = 2  # type: ignore[misc]
