from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import wrap
from kinlight.crypto.errors import MalformedError, SealBrokenError
from kinlight.crypto.secret import Secret
from kinlight.crypto.wrap import PUBLIC_BYTES, SEALED_OVERHEAD, WRAP_OVERHEAD, KemKey

KEY = KemKey(Secret(b"k" * 32))
OTHER = KemKey(Secret(b"o" * 32))
SHARED = Secret(b"s" * 32)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_is_sealed_to_a_key_opens_with_it_in_its_context(
    plaintext: bytes, info: bytes
) -> None:
    sealed = wrap.seal_to(KEY.public, info, plaintext)
    assert len(sealed) == len(plaintext) + SEALED_OVERHEAD
    assert KEY.open(info, sealed) == plaintext
    with pytest.raises(SealBrokenError):
        OTHER.open(info, sealed)
    with pytest.raises(SealBrokenError):
        KEY.open(info + b"x", sealed)


def test_two_seals_of_one_text_differ() -> None:
    assert wrap.seal_to(KEY.public, b"", b"x") != wrap.seal_to(KEY.public, b"", b"x")


def test_a_changed_cut_or_longer_seal_is_refused() -> None:
    sealed = wrap.seal_to(KEY.public, b"info", b"plaintext")
    for position in [*range(0, len(sealed), 31), len(sealed) - 1]:
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBrokenError):
            KEY.open(b"info", bytes(changed))
    for length in (0, 1, 1088, 1119, 1120, SEALED_OVERHEAD - 1, len(sealed) - 1):
        with pytest.raises(SealBrokenError):
            KEY.open(b"info", sealed[:length])
    with pytest.raises(SealBrokenError):
        KEY.open(b"info", sealed + b"\x00")


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_points_of_small_order_are_refused(point: bytes) -> None:
    with pytest.raises(MalformedError):
        wrap.seal_to(KEY.public[:1184] + point, b"", b"x")
    sealed = wrap.seal_to(KEY.public, b"", b"x")
    with pytest.raises(SealBrokenError):
        KEY.open(b"", sealed[:1088] + point + sealed[1120:])


@pytest.mark.parametrize("public", [b"", bytes(PUBLIC_BYTES - 1), b"\xff" * PUBLIC_BYTES])
def test_what_can_not_be_a_public_key_is_refused(public: bytes) -> None:
    with pytest.raises(MalformedError):
        wrap.check_public_key(public)
    with pytest.raises(MalformedError):
        wrap.seal_to(public, b"", b"x")


def test_a_kem_key_shows_nothing() -> None:
    assert len(KEY.public) == PUBLIC_BYTES
    assert repr(KEY) == "KemKey(hidden)"


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_what_is_wrapped_opens_under_its_key_in_its_context(
    plaintext: bytes, context: bytes
) -> None:
    wrapped = wrap.wrap(SHARED, context, plaintext)
    assert len(wrapped) == len(plaintext) + WRAP_OVERHEAD
    assert wrap.unwrap(SHARED, context, wrapped) == plaintext
    with pytest.raises(SealBrokenError):
        wrap.unwrap(Secret(b"x" * 32), context, wrapped)
    with pytest.raises(SealBrokenError):
        wrap.unwrap(SHARED, context + b"x", wrapped)


def test_a_changed_cut_or_longer_wrap_is_refused() -> None:
    wrapped = wrap.wrap(SHARED, b"context", b"plaintext")
    for position in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[position] ^= 0x80
        with pytest.raises(SealBrokenError):
            wrap.unwrap(SHARED, b"context", bytes(changed))
        with pytest.raises(SealBrokenError):
            wrap.unwrap(SHARED, b"context", wrapped[:position])
    with pytest.raises(SealBrokenError):
        wrap.unwrap(SHARED, b"context", wrapped + b"\x00")


def test_wraps_beyond_one_chunk_open_too() -> None:
    plaintext = bytes(range(256)) * 300
    assert wrap.unwrap(SHARED, b"", wrap.wrap(SHARED, b"", plaintext)) == plaintext
