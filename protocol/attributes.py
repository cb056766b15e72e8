"""Attributes: what somebody says about somebody, signed, for a while, and shown wherever it counts.

An attestation gives nobody anything by itself. A grant demands an attribute and names those whose
word counts for it (docs/spec/attestation.md). A role is an attribute called `role`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding, signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadSignatureError, MalformedError
from ..crypto.signing import Signed, SigningKey
from . import limits
from .errors import BrokenAttestationError

ATTESTATION_DOMAIN: Final = b"kinlight/attest1"
ROLE: Final = "role"
NONCE_BYTES: Final = 16

NAME: Final = re.compile(r"[a-z][a-z0-9_-]*", re.ASCII)
SHOWN_BYTES: Final = limits.ATTESTATIONS * (limits.ATTESTATION_BYTES + signing.SIGNED_OVERHEAD)
"""Attestations as they are shown."""


def read_name(reader: Reader) -> str:
    """An attribute's name: small letters, digits, `-` and `_`, so that it looks like no other."""
    name = reader.text("name", limits.ATTRIBUTE_NAME_BYTES)
    if not NAME.fullmatch(name):
        raise MalformedError("attribute name")
    return name


def read_value(reader: Reader) -> str:
    """An attribute's value: some text without control characters."""
    value = reader.text("value", limits.ATTRIBUTE_VALUE_BYTES)
    if not value or any(char < " " or char == "\x7f" for char in value):
        raise MalformedError("attribute value")
    return value


@dataclass(frozen=True, slots=True)
class Attestation:
    """`issuer` says that `subject`, an identity, has an attribute; read but not verified.

    It holds from `not_before` up to but not including `not_after`, seconds since 1970.
    """

    issuer: bytes
    signer: bytes
    subject: bytes
    name: str
    value: str
    not_before: int
    not_after: int
    signed: Signed

    @classmethod
    def issue(
        cls,
        signer: SigningKey,
        issuer: bytes,
        subject: bytes,
        name: str,
        value: str,
        not_before: int,
        not_after: int,
        nonce: bytes,
    ) -> Attestation:
        """Sign one. Raises `MalformedError` for what every reader would refuse."""
        body: Value = [
            1, "attest", issuer, signer.public, subject, name, value, not_before, not_after, nonce,
        ]  # fmt: skip
        return cls.read(signer.sign_value(ATTESTATION_DOMAIN, body))

    @classmethod
    def read(cls, signed: Signed) -> Attestation:
        """Check the form alone."""
        reader = Reader(signed.unverified(), "attestation")
        reader.literal(1, "attest")
        issuer = reader.octets("issuer", signing.KEY_BYTES)
        signer = reader.octets("signer", signing.KEY_BYTES)
        subject = reader.octets("subject", signing.KEY_BYTES)
        name, value = read_name(reader), read_value(reader)
        not_before, not_after = reader.integer("not before"), reader.integer("not after")
        reader.octets("nonce", NONCE_BYTES)
        reader.end()
        if not 0 < not_after - not_before <= limits.ATTESTATION_SECONDS:
            raise MalformedError("attestation: validity")
        return cls(issuer, signer, subject, name, value, not_before, not_after, signed)

    @classmethod
    def decode(cls, data: bytes) -> Attestation:
        """Read the canonical bytes of one."""
        return cls.read(Signed.decode(data, limits.ATTESTATION_BYTES, "attestation"))

    def verify(self, devices: Mapping[bytes, bytes]) -> None:
        """Check signer and signature; `devices` as for `Capability.verify`.

        Raises `BrokenAttestationError`.
        """
        if devices.get(self.signer) != self.issuer:
            raise BrokenAttestationError("its signer speaks for nobody known")
        try:
            signing.verify(self.signer, ATTESTATION_DOMAIN, self.signed.body, self.signed.signature)
        except BadSignatureError:
            raise BrokenAttestationError from None

    def holds(self, now: int) -> bool:
        """Whether it is valid at this moment."""
        return self.not_before <= now < self.not_after


@dataclass(frozen=True, slots=True, order=True)
class AttributeDemand:
    """That somebody has an attribute, by the word of one of `issuers`."""

    name: str
    value: str
    issuers: frozenset[bytes]

    def to_value(self) -> list[Value]:
        """As it stands in an `attr` caveat."""
        return [self.name, self.value, sorted(self.issuers)]

    def met_by(self, attestation: Attestation, subject: bytes) -> bool:
        """Whether the attestation says this of `subject`, at whatever time."""
        return (
            attestation.subject == subject
            and (attestation.name, attestation.value) == (self.name, self.value)
            and attestation.issuer in self.issuers
        )


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attestations that were verified. Make them by `verified` alone."""

    attestations: tuple[Attestation, ...] = ()

    @classmethod
    def verified(cls, shown: Iterable[Attestation], devices: Mapping[bytes, bytes]) -> Attributes:
        """Those of `shown` that are by who they say. The others count for nothing, and harm
        nothing: who shows one that can't be checked here may have another that can.
        """
        found: list[Attestation] = []
        for attestation in shown:
            try:
                attestation.verify(devices)
            except BrokenAttestationError:
                continue
            found.append(attestation)
        return cls(tuple(found))

    def about(self, subject: bytes, demand: AttributeDemand) -> list[Attestation]:
        """Those that say what is demanded, at whatever time."""
        return [found for found in self.attestations if demand.met_by(found, subject)]


def encode_shown(attestations: Iterable[Attestation]) -> bytes:
    """Attestations as they are shown with a request."""
    return encoding.encode([attestation.signed.to_value() for attestation in attestations])


def decode_shown(data: bytes) -> tuple[Attestation, ...]:
    """The reverse of `encode_shown`; `MalformedError` for too many, or any that is none."""
    items = encoding.decode(data, SHOWN_BYTES)
    if len(items) > limits.ATTESTATIONS:
        raise MalformedError("too many attestations")
    return tuple(
        Attestation.read(Signed.from_value(item, limits.ATTESTATION_BYTES, "attestation"))
        for item in items
    )
