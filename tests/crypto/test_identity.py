from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kinlight.crypto import encoding, identity, wrap
from kinlight.crypto.errors import BadCertificateError, KinlightError, MalformedError
from kinlight.crypto.identity import (
    FOREVER,
    MAX_CHAIN_BYTES,
    DeviceCertificate,
    DeviceChain,
    issue_identity,
    issue_kem,
)
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey

if TYPE_CHECKING:
    from conftest import Papers

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@pytest.fixture
def chain(papers: Papers) -> DeviceChain:
    certificate = papers.certificate(papers.phone)
    return DeviceChain.assemble(papers.identity, [certificate], papers.kem_statement(papers.phone))


def test_a_chain_says_who_the_device_is(papers: Papers, chain: DeviceChain) -> None:
    again = DeviceChain.decode(chain.encoded)
    assert again == chain
    assert again.identity == papers.root.public
    assert again.device == papers.phone.public
    assert again.kem == papers.kem.public
    assert again.kem_not_after == FOREVER
    assert again.recovery_kem == wrap.KemKey(papers.words.recovery_kem_seed()).public
    assert again.digest == hashlib.sha256(chain.encoded).digest()
    assert len(chain.encoded) <= MAX_CHAIN_BYTES


def test_the_identity_certificate_follows_from_the_words(papers: Papers) -> None:
    assert issue_identity(papers.words) == papers.identity


def test_a_device_that_may_certify_leads_to_one_more_device(papers: Papers) -> None:
    first = papers.certificate(papers.phone, may_certify=True)
    second = papers.certificate(papers.laptop, papers.phone)
    chain = DeviceChain.assemble(
        papers.identity, [first, second], papers.kem_statement(papers.laptop)
    )
    assert chain.device == papers.laptop.public
    assert len(chain.encoded) <= MAX_CHAIN_BYTES


def test_three_devices_deep_is_refused(papers: Papers) -> None:
    third = SigningKey(Secret(b"3" * 32))
    certificates = [
        papers.certificate(papers.phone, may_certify=True),
        papers.certificate(papers.laptop, papers.phone, may_certify=True),
        papers.certificate(third, papers.laptop),
    ]
    with pytest.raises(MalformedError):
        DeviceChain.assemble(papers.identity, certificates, papers.kem_statement(third))


def test_a_chain_without_a_device_is_refused(papers: Papers) -> None:
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(papers.identity, [], papers.kem_statement(papers.root))


def test_a_device_that_may_not_certify_leads_nowhere(papers: Papers) -> None:
    first = papers.certificate(papers.phone)
    second = papers.certificate(papers.laptop, papers.phone)
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(papers.identity, [first, second], papers.kem_statement(papers.laptop))


def test_a_certificate_from_a_stranger_is_refused(papers: Papers, other_papers: Papers) -> None:
    forged = papers.certificate(papers.phone, other_papers.root)
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(papers.identity, [forged], papers.kem_statement(papers.phone))


def test_a_chain_under_another_root_is_refused(papers: Papers, other_papers: Papers) -> None:
    certificate = papers.certificate(papers.phone)
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(
            other_papers.identity, [certificate], papers.kem_statement(papers.phone)
        )


def test_a_certificate_for_another_identity_is_refused(
    papers: Papers, other_papers: Papers
) -> None:
    certificate = papers.certificate(papers.phone, identity=other_papers.root.public)
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(papers.identity, [certificate], papers.kem_statement(papers.phone))


def test_the_order_of_certificates_matters(papers: Papers) -> None:
    first = papers.certificate(papers.phone, may_certify=True)
    second = papers.certificate(papers.laptop, papers.phone)
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(papers.identity, [second, first], papers.kem_statement(papers.laptop))


def test_the_kem_key_of_another_device_is_refused(papers: Papers) -> None:
    certificate = papers.certificate(papers.phone)
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(papers.identity, [certificate], papers.kem_statement(papers.laptop))


def test_a_kem_key_that_another_device_signed_is_refused(papers: Papers) -> None:
    forged = papers.laptop.sign_value(
        identity.KEM_DOMAIN, [1, "kem", papers.phone.public, papers.kem.public, FOREVER]
    )
    with pytest.raises(BadCertificateError):
        DeviceChain.assemble(papers.identity, [papers.certificate(papers.phone)], forged)


def test_keys_that_can_not_be_keys_are_refused(papers: Papers) -> None:
    low_order = bytes(32)
    body = [1, "dev", papers.root.public, papers.root.public, low_order, 0, 1, 0]
    with pytest.raises(MalformedError):
        DeviceCertificate.read(papers.root.sign_value(identity.DEVICE_DOMAIN, body))
    kem = issue_kem(papers.phone, b"\xff" * wrap.PUBLIC_BYTES)
    with pytest.raises(MalformedError):
        DeviceChain.assemble(papers.identity, [papers.certificate(papers.phone)], kem)


@pytest.mark.parametrize("may_certify", [2, 2**64 - 1])
def test_a_flag_is_zero_or_one(papers: Papers, may_certify: int) -> None:
    body = [
        1,
        "dev",
        papers.root.public,
        papers.root.public,
        papers.phone.public,
        0,
        1,
        may_certify,
    ]
    with pytest.raises(MalformedError):
        DeviceCertificate.read(papers.root.sign_value(identity.DEVICE_DOMAIN, body))


def test_a_changed_byte_anywhere_is_refused(chain: DeviceChain) -> None:
    for position in [*range(0, len(chain.encoded), 41), len(chain.encoded) - 1]:
        changed = bytearray(chain.encoded)
        changed[position] ^= 1 << position % 8
        with pytest.raises((BadCertificateError, MalformedError)):
            DeviceChain.decode(bytes(changed))


def test_a_cut_or_longer_chain_is_refused(chain: DeviceChain) -> None:
    for data in (b"", chain.encoded[:-1], chain.encoded + b"\x00"):
        with pytest.raises(MalformedError):
            DeviceChain.decode(data)
    items = encoding.decode(chain.encoded, MAX_CHAIN_BYTES)
    with pytest.raises(MalformedError):
        DeviceChain.decode(encoding.encode([*items, 1]))
    with pytest.raises(MalformedError):
        DeviceChain.decode(encoding.encode([*items[:-1], [b"x" * MAX_CHAIN_BYTES, bytes(64)]]))


# What people compare.

IDENTITY = bytes(range(32))


def test_the_fingerprint_of_an_identity_is_this() -> None:
    assert identity.fingerprint(IDENTITY) == FINGERPRINT


FINGERPRINT = "G7AZE3V-O3BUAQ6-MNZG5KO-R6FZRW5-ZB5QDEM-4VP7GOI-TOBQV6O-GBY5OQK"


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_parses_to_itself_however_it_is_typed(key: bytes) -> None:
    normal = identity.fingerprint(key)
    assert len(normal) == 56 + 7
    assert identity.parse_fingerprint(normal) == normal
    assert identity.parse_fingerprint(f"  {normal.lower().replace('-', ' ')} ") == normal
    likeness = normal.translate(str.maketrans("OIB", "018"))
    assert identity.parse_fingerprint(likeness) == normal


def test_check_digits_find_every_single_slip() -> None:
    digits = identity.fingerprint(IDENTITY).replace("-", "")
    for position, digit in enumerate(digits):
        for slip in ALPHABET:
            if slip != digit:
                with pytest.raises(MalformedError, match=f"group {position // 14 * 2 + 1} or"):
                    identity.parse_fingerprint(digits[:position] + slip + digits[position + 1 :])


@given(st.binary(min_size=32, max_size=32))
def test_check_digits_find_every_swap_of_neighbours_but_a_with_7(key: bytes) -> None:
    digits = identity.fingerprint(key).replace("-", "")
    for position in range(len(digits) - 1):
        one, two = digits[position : position + 2]
        if one == two or {one, two} == {"A", "7"} or position % 14 == 13:
            continue
        with pytest.raises(MalformedError):
            identity.parse_fingerprint(digits[:position] + two + one + digits[position + 2 :])


@given(st.text(max_size=80))
def test_whatever_is_typed_as_a_fingerprint_gets_a_sentence(text: str) -> None:
    with pytest.raises(KinlightError):
        identity.parse_fingerprint(text)


def test_the_safety_number_of_two_identities_is_this() -> None:
    assert identity.safety_number(IDENTITY, bytes(32)) == SAFETY_NUMBER


SAFETY_NUMBER = "48975 74922 93539 95903 92877 82490 96974 11714 49669 57761 26698 78327"


def test_the_safety_number_is_the_same_on_both_sides_and_for_nobody_else() -> None:
    one, two, three = bytes(32), IDENTITY, b"\xff" * 32
    number = identity.safety_number(one, two)
    assert number == identity.safety_number(two, one)
    assert len(number) == 60 + 11
    assert all(len(group) == 5 and group.isdigit() for group in number.split(" "))
    assert identity.safety_number(one, three) != number
    assert identity.safety_number(two, three) != number
