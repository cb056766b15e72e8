"""Receipts: what is signed reads back, and nothing else is one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.errors import BadSignatureError, MalformedError
from kinlight.crypto.signing import Signed
from kinlight.protocol import limits
from kinlight.protocol.receipt import Receipt

from .people import NOW, Person, fixed

ALICE, BOB = Person.named("Alice"), Person.named("Bob")
PHONE, LAPTOP = ALICE.signing_key("phone"), BOB.signing_key("laptop")
CONTENT = fixed("content id")

hashes = st.binary(min_size=32, max_size=32)
times = st.integers(0, 2**63 - 1)
commitments = st.one_of(st.just(b""), hashes)


@given(hashes, times, commitments)
def test_what_was_signed_reads_back(content_id: bytes, time: int, commitment: bytes) -> None:
    made = Receipt.sign(PHONE, BOB.identity, content_id, time, commitment)
    read = Receipt.decode(made.encoded)
    assert read == made
    assert (read.recipient, read.sender) == (PHONE.public, BOB.identity)
    assert (read.content_id, read.time, read.commitment) == (content_id, time, commitment)
    assert len(made.encoded) <= limits.RECEIPT_BYTES


def test_the_same_is_signed_in_the_same_bytes() -> None:
    one, other = (Receipt.sign(PHONE, BOB.identity, CONTENT, NOW) for _ in range(2))
    assert one.encoded == other.encoded


@given(st.data())
def test_a_receipt_with_any_byte_changed_is_none(data: st.DataObject) -> None:
    encoded = bytearray(Receipt.sign(PHONE, BOB.identity, CONTENT, NOW).encoded)
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((MalformedError, BadSignatureError)):
        Receipt.decode(bytes(encoded))


@given(st.integers(0, 184))
def test_a_receipt_that_was_cut_is_none(length: int) -> None:
    with pytest.raises(MalformedError):
        Receipt.decode(Receipt.sign(PHONE, BOB.identity, CONTENT, NOW).encoded[:length])


_ANY = st.recursive(
    st.integers(0, 2**64 - 1) | st.binary(max_size=33) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(_ANY, max_size=9), st.integers(0, 7), st.binary(max_size=600))
def test_anything_is_a_receipt_or_none_and_never_another_error(
    items: list[Any], kept: int, data: bytes
) -> None:
    proper: list[Any] = [1, "rcpt", PHONE.public, BOB.identity, CONTENT, NOW, b""]
    signed = PHONE.sign_value(b"kinlight/receipt1", [*proper[:kept], *items])
    for encoded in (signed.encode(), Signed(signed.body, bytes(64)).encode(), data):
        try:
            found = Receipt.decode(encoded)
        except (MalformedError, BadSignatureError):
            continue
        assert found.encoded == encoded


def test_a_receipt_acknowledges_what_it_names_and_nothing_else() -> None:
    receipt = Receipt.sign(PHONE, BOB.identity, CONTENT, NOW)
    assert receipt.acknowledges(PHONE.public, BOB.identity, CONTENT)
    assert not receipt.acknowledges(LAPTOP.public, BOB.identity, CONTENT)
    assert not receipt.acknowledges(PHONE.public, ALICE.identity, CONTENT)
    assert not receipt.acknowledges(PHONE.public, BOB.identity, fixed("other content id"))


def test_a_receipt_of_somebody_else_s_device_can_not_be_made() -> None:
    body = [1, "rcpt", PHONE.public, BOB.identity, CONTENT, NOW, b""]
    forged = LAPTOP.sign_value(b"kinlight/receipt1", body)  # type: ignore[arg-type]
    with pytest.raises(BadSignatureError):
        Receipt.decode(forged.encode())


@pytest.mark.parametrize("length", [1, 31, 33])
def test_a_commitment_of_another_length_is_refused(length: int) -> None:
    made = Receipt.sign(PHONE, BOB.identity, CONTENT, NOW, bytes(length))
    with pytest.raises(MalformedError):
        Receipt.decode(made.encoded)


def test_a_receipt_is_read_up_to_its_bound_and_no_further() -> None:
    padded = encoding.encode([bytes(limits.RECEIPT_BYTES), bytes(64)])
    with pytest.raises(MalformedError):
        Receipt.decode(padded)
