from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import identity, signing
from kinlight.crypto.errors import (
    BadCertificateError,
    BadSignatureError,
    MalformedError,
    PeerError,
)
from kinlight.crypto.identity import DeviceCertificate, DeviceChain
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import Signed, SigningKey

if TYPE_CHECKING:
    from conftest import Papers

KEY = SigningKey(Secret(b"k" * 32))
OTHER = SigningKey(Secret(b"o" * 32))


def domains(modules: list[ModuleType]) -> dict[str, bytes]:
    """By name, also where another module took one over."""
    found: dict[str, bytes] = {}
    for module in modules:
        for name, value in vars(module).items():
            if name.endswith("_DOMAIN") and isinstance(value, bytes):
                assert found.setdefault(name, value) == value
    return found


def test_no_signature_of_one_domain_verifies_in_another(room_modules: list[ModuleType]) -> None:
    found = domains(room_modules)
    assert len(found) >= 3
    assert len(set(found.values())) == len(found)
    for domain in found.values():
        assert domain.startswith(b"kinlight/")
        assert b"\x00" not in domain
        signature = KEY.sign(domain, b"body")
        for verified in found.values():
            if verified == domain:
                signing.verify(KEY.public, verified, b"body", signature)
            else:
                with pytest.raises(BadSignatureError):
                    signing.verify(KEY.public, verified, b"body", signature)


def test_each_paper_of_a_chain_is_refused_when_signed_in_another_domain(
    papers: Papers, room_modules: list[ModuleType]
) -> None:
    good_identity = papers.identity
    good = papers.certificate(papers.phone)
    good_kem = papers.kem_statement(papers.phone)
    for domain in domains(room_modules).values():
        if domain != identity.IDENTITY_DOMAIN:
            moved = Signed(good_identity.body, papers.root.sign(domain, good_identity.body))
            with pytest.raises(BadCertificateError):
                DeviceChain.assemble(moved, [good], good_kem)
        if domain != identity.DEVICE_DOMAIN:
            moved = Signed(good.signed.body, papers.root.sign(domain, good.signed.body))
            with pytest.raises(BadSignatureError):
                DeviceCertificate.read(moved)
        if domain != identity.KEM_DOMAIN:
            moved = Signed(good_kem.body, papers.phone.sign(domain, good_kem.body))
            with pytest.raises(BadCertificateError):
                DeviceChain.assemble(good_identity, [good], moved)


def test_a_paper_of_one_type_is_not_read_as_another(papers: Papers) -> None:
    certificate = papers.certificate(papers.phone)
    kem = papers.kem_statement(papers.phone)
    with pytest.raises(MalformedError):
        DeviceChain.assemble(kem, [certificate], kem)
    with pytest.raises(MalformedError):
        DeviceChain.assemble(papers.identity, [certificate], papers.identity)
    with pytest.raises(MalformedError):
        DeviceCertificate.read(papers.identity)


def test_a_signed_value_is_read_back_by_its_key_alone() -> None:
    signed = KEY.sign_value(b"kinlight/test1", [1, "test", b"abc"])
    again = Signed.decode(signed.encode(), 100, "test")
    assert again == signed
    assert hash(again) == hash(signed)
    assert again.digest() == signed.digest()
    assert again.read(KEY.public, b"kinlight/test1") == [1, "test", b"abc"]
    with pytest.raises(BadSignatureError):
        again.read(OTHER.public, b"kinlight/test1")


def test_the_body_of_a_signed_value_is_taken_to_the_limit_and_no_further() -> None:
    for size in (0, 100, 70_000):
        signed = KEY.sign_value(b"kinlight/test1", [b"x" * size])
        limit = len(signed.body)
        assert Signed.decode(signed.encode(), limit, "test") == signed
        with pytest.raises(MalformedError):
            Signed.decode(signed.encode(), limit - 1, "test")


@given(st.binary(max_size=64), st.integers(0, 63), st.integers(1, 255))
def test_a_changed_signature_is_refused(body: bytes, position: int, change: int) -> None:
    signature = bytearray(KEY.sign(b"kinlight/test1", body))
    signature[position] ^= change
    with pytest.raises(BadSignatureError):
        signing.verify(KEY.public, b"kinlight/test1", body, bytes(signature))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_or_signature_of_another_length_is_refused(length: int) -> None:
    signature = KEY.sign(b"kinlight/test1", b"body")
    with pytest.raises(MalformedError):
        signing.check_public_key(bytes(length))
    with pytest.raises(PeerError):
        signing.verify_bytes(bytes(length), b"message", signature)
    with pytest.raises(PeerError):
        signing.verify_bytes(KEY.public, b"message", signature[:-1])
    with pytest.raises(PeerError):
        signing.verify_bytes(KEY.public, b"message", signature + b"\x00")


# Every encoding of the eight points of small order, canonical or not.
SMALL_ORDER = [
    bytes.fromhex(first + middle * 30 + last)
    for first, middle, last in (
        ("00", "00", "00"),
        ("00", "00", "80"),
        ("01", "00", "00"),
        ("01", "00", "80"),
        ("ec", "ff", "7f"),
        ("ec", "ff", "ff"),
        ("ed", "ff", "7f"),
        ("ed", "ff", "ff"),
        ("ee", "ff", "7f"),
        ("ee", "ff", "ff"),
    )
] + [
    bytes.fromhex(point)
    for point in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
]


@pytest.mark.parametrize("point", SMALL_ORDER, ids=bytes.hex)
def test_a_key_of_small_order_is_refused_and_verifies_nothing(point: bytes) -> None:
    with pytest.raises(MalformedError):
        signing.check_public_key(point)
    # With S = 0 and R of small order the equation holds for one message in eight and more.
    for r in SMALL_ORDER:
        for message in (b"", b"a", b"b", b"c"):
            with pytest.raises(BadSignatureError):
                signing.verify_bytes(point, message, r + bytes(32))


def test_a_signing_key_shows_only_its_public_part() -> None:
    assert KEY.public.hex()[:16] in repr(KEY)
    assert b"kkkk".hex() not in repr(KEY)
