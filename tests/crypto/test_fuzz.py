"""A short fuzz of every decoder: whatever comes in, only our own errors come out."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinlight.crypto import encoding
from kinlight.crypto.blob import Manifest
from kinlight.crypto.errors import KinlightError
from kinlight.crypto.identity import DeviceCertificate, DeviceChain
from kinlight.crypto.keystore import Argon2Cost, KeyFile
from kinlight.crypto.pairing import Code, Invitation
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import Signed

if TYPE_CHECKING:
    from conftest import Papers

Decoder = Callable[[bytes], object]


def _signed(data: bytes) -> object:
    signed = Signed.decode(data, 4096, "test")
    return signed.unverified()


def _manifest(data: bytes) -> object:
    same_bytes = Manifest(int.from_bytes(data[:8]), b"", data[8:])
    return Manifest.decode(data, same_bytes.content_id)


def _invitation(data: bytes) -> object:
    text = base64.urlsafe_b64encode(data).decode().rstrip("=")
    return Invitation.parse("kinlight:" + text)


DECODERS: dict[str, Decoder] = {
    "encoding": lambda data: encoding.decode(data, 65_536),
    "signed": _signed,
    "chain": DeviceChain.decode,
    "certificate": lambda data: DeviceCertificate.read(Signed.decode(data, 2048, "test")),
    "manifest": _manifest,
    "key file": KeyFile.decode,
    "invitation": _invitation,
    "code": lambda data: Code.parse(data.decode("latin-1")),
    "invitation text": lambda data: Invitation.parse(data.decode("latin-1")),
    "words": lambda data: RecoveryWords.parse(data.decode("latin-1")),
}


@pytest.fixture(scope="module")
def samples(papers: Papers) -> dict[str, bytes]:
    """A good input for each decoder, to be changed."""
    certificate = papers.certificate(papers.phone)
    chain = DeviceChain.assemble(papers.identity, [certificate], papers.kem_statement(papers.phone))
    file, store_key = KeyFile.create(b"content", os.urandom)
    file = file.with_passphrase(store_key, Secret(b"p"), os.urandom, Argon2Cost(8192, 1, 1))
    file = file.with_recovery_words(store_key, papers.words)
    invitation = Invitation(bytes(32), Secret(bytes(16)), ("192.0.2.1:1", "[::1]:2"), 2**31)
    encoded = str(invitation).removeprefix("kinlight:")
    return {
        "encoding": encoding.encode([1, "text", b"bytes", [2**40, []]]),
        "signed": certificate.signed.encode(),
        "chain": chain.encoded,
        "certificate": certificate.signed.encode(),
        "manifest": Manifest(300_000, bytes(56), bytes(64)).encode(),
        "key file": file.encode(),
        "invitation": base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)),
        "code": b"7-maple-orbit",
        "invitation text": str(invitation).encode(),
        "words": papers.words.phrase().encode(),
    }


def only_our_errors(decode: Decoder, data: bytes) -> None:
    with contextlib.suppress(KinlightError):
        decode(data)


@pytest.mark.parametrize("name", DECODERS)
def test_good_input_decodes(name: str, samples: dict[str, bytes]) -> None:
    assert DECODERS[name](samples[name])


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=150)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_our_errors_alone(name: str, data: bytes) -> None:
    only_our_errors(DECODERS[name], data)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=250)
@given(draw=st.data())
def test_changed_input_gives_our_errors_alone(
    name: str, samples: dict[str, bytes], draw: st.DataObject
) -> None:
    data = bytearray(samples[name])
    for _ in range(draw.draw(st.integers(1, 4))):
        start = draw.draw(st.integers(0, len(data)))
        end = min(len(data), start + draw.draw(st.integers(0, 8)))
        data[start:end] = draw.draw(st.binary(max_size=8))
    only_our_errors(DECODERS[name], bytes(data))


msgpack_like = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**63), 2**64 - 1)
    | st.binary(max_size=64)
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", ["encoding", "signed", "chain", "certificate", "key file"])
@settings(max_examples=150)
@given(value=st.lists(msgpack_like, max_size=6))
def test_any_msgpack_gives_our_errors_alone(name: str, value: list[object]) -> None:
    try:
        data = msgpack.packb(value)
    except (ValueError, UnicodeEncodeError):
        return
    only_our_errors(DECODERS[name], data)
