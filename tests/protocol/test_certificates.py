"""Certificates that are kept and handed on; how they are checked is in test_photo.py."""

from __future__ import annotations

import pytest
from kinlight.crypto import encoding
from kinlight.crypto.errors import BadCertificateError, MalformedError
from kinlight.protocol import limits
from kinlight.protocol.certificates import Certificates, joined

from .people import Person


@pytest.fixture
def kept(alice: Person, bob: Person) -> Certificates:
    """Alice's laptop, which certified her phone, and Bob's phone and tablet."""
    laptop = alice.signing_key("laptop")
    found = (
        alice.certificate(laptop.public, may_certify=True),
        bob.certificate(bob.signing_key("phone").public),
        alice.certificate(alice.signing_key("phone").public, laptop),
        bob.certificate(bob.signing_key("tablet").public),
    )
    return Certificates(found)


def test_what_was_kept_is_what_came(kept: Certificates) -> None:
    assert Certificates.decode(kept.encode()) == kept
    assert Certificates.decode(Certificates().encode()) == Certificates()
    assert Certificates.decode(b"") == Certificates()
    assert len(kept.devices) == 4


def test_what_was_kept_is_checked_again(kept: Certificates, alice: Person) -> None:
    for wrong in (kept.found[::-1], (kept.found[0], kept.found[0]), kept.found[2:3]):
        with pytest.raises(BadCertificateError):
            Certificates.decode(Certificates(wrong).encode())
    many = [
        alice.certificate(alice.signing_key(f"device {number}").public).signed.to_value()
        for number in range(limits.ENVELOPE_CERTIFICATES + 1)
    ]
    assert len(Certificates.decode(encoding.encode(many[:-1])).found) == len(many) - 1
    with pytest.raises(MalformedError):
        Certificates.decode(encoding.encode(many))


def test_those_of_some_devices_are_handed_on_with_who_certified_them(
    kept: Certificates, alice: Person, bob: Person
) -> None:
    phone, tablet = alice.signing_key("phone").public, bob.signing_key("tablet").public
    laptop, _, certified, other = kept.found
    assert kept.of([phone]) == (laptop, certified)
    assert kept.of([tablet, phone]) == (laptop, certified, other)
    assert kept.of([]) == ()
    for order in ([phone, tablet], [tablet]):
        assert Certificates.read([paper.signed.to_value() for paper in kept.of(order)])
    with pytest.raises(BadCertificateError):
        kept.of([phone, bob.signing_key("laptop").public])


def test_a_device_of_two_lists_is_there_once(kept: Certificates) -> None:
    assert joined([kept.found[:2], kept.found[1:]]) == kept.found
    assert joined([]) == ()
