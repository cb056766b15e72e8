"""What the devices of one identity tell each other: signed records, each about one thing.

A record says how one thing is: a contact's name, a photo, a word that a photo has. Its device
signed it and gave it a moment, a number that rises with each record of that device and is never
behind the clock nor behind what the record replaces. So the moment is at once the order in which
records of a device come, and the time by which two devices' words about one thing are compared
(docs/spec/siblings.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding, signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadCertificateError, MalformedError
from ..crypto.signing import Signed, SigningKey
from . import limits
from .certificates import Certificates

SIBLING_DOMAIN: Final = b"kinlight/sibling1"
KIND_BYTES: Final = 32
SUBJECT_BYTES: Final = 512
LAST_MOMENT: Final = 2**63 - 1
"""What a database holds."""
_COUNTED: Final = 20
"""Bits of a moment that count records within a second."""

Vector = Mapping[bytes, int]
"""Device -> the moment up to which all of its records are known that still say something."""


def moment_of(seconds: int) -> int:
    """The first moment of a second since 1970."""
    return min(seconds << _COUNTED, LAST_MOMENT)


def seconds_of(moment: int) -> int:
    """The second since 1970 that a moment is in."""
    return moment >> _COUNTED


def next_moment(now: int, *earlier: int) -> int:
    """The moment of a record that is written now, after all these moments."""
    return max([moment_of(now), *(each + 1 for each in earlier)])


def is_ahead(moment: int, now: int) -> bool:
    """Whether a moment is further in the future than clocks may differ."""
    return seconds_of(moment) > now + limits.CLOCK_SECONDS


@dataclass(frozen=True, slots=True)
class SiblingRecord:
    """How `device` says that the thing `subject` of a kind is: `value`, an encoded array."""

    identity: bytes
    device: bytes
    moment: int
    kind: str
    subject: bytes
    value: bytes
    signed: Signed

    @classmethod
    def sign(
        cls,
        signer: SigningKey,
        identity: bytes,
        moment: int,
        kind: str,
        subject: bytes,
        value: bytes,
    ) -> SiblingRecord:
        """Say it, by this device."""
        body: Value = [1, "sib", identity, signer.public, moment, kind, subject, value]
        return cls.read(signer.sign_value(SIBLING_DOMAIN, body))

    @classmethod
    def read(cls, signed: Signed) -> SiblingRecord:
        """Check the form alone."""
        reader = Reader(signed.unverified(), "sibling record")
        reader.literal(1, "sib")
        identity = reader.octets("identity", signing.KEY_BYTES)
        device = signing.check_public_key(reader.octets("device", signing.KEY_BYTES))
        moment = reader.integer("moment", LAST_MOMENT)
        kind = reader.text("kind", KIND_BYTES)
        subject = reader.octets("subject", maximum=SUBJECT_BYTES)
        value = reader.octets("value", maximum=limits.SIBLING_VALUE_BYTES)
        reader.end()
        if not kind or not moment:
            raise MalformedError("sibling record: kind or moment")
        return cls(identity, device, moment, kind, subject, value, signed)

    @classmethod
    def decode(cls, data: bytes) -> SiblingRecord:
        """Read the canonical bytes of one."""
        return cls.read(Signed.decode(data, limits.SIBLING_RECORD_BYTES, "sibling record"))

    @property
    def encoded(self) -> bytes:
        """Canonical bytes."""
        return self.signed.encode()

    @property
    def dot(self) -> tuple[bytes, int]:
        """What names it among all records of the identity."""
        return self.device, self.moment

    @property
    def order(self) -> tuple[int, bytes, bytes]:
        """By which two records about one thing are compared: the higher one is the later one.

        Only a device that lies signs two with one moment; then their digests decide, everywhere.
        """
        return self.moment, self.device, hashlib.sha256(self.signed.body).digest()

    def verify(self, identity: bytes, certificates: Certificates) -> None:
        """Check that a device of this identity signed it.

        Raises `BadCertificateError` and `BadSignatureError`.
        """
        if self.identity != identity or certificates.devices.get(self.device) != identity:
            raise BadCertificateError("what signed a record is no device of its identity")
        signing.verify(self.device, SIBLING_DOMAIN, self.signed.body, self.signed.signature)


def present(*fields: Value) -> bytes:
    """The value of something that is there, with what is to be said of it."""
    return encoding.encode([1, *fields])


def absent(*dots: tuple[bytes, int]) -> bytes:
    """The value of something that is not there any more; of a set, with the records that were seen
    and are taken back by this.
    """
    return encoding.encode([0, *(list(dot) for dot in sorted(dots))])


def is_present(value: bytes) -> bool:
    """Whether a value says that something is there. Raises `MalformedError`."""
    first = Reader(encoding.decode(value, len(value)), "value").integer("presence", 1)
    return bool(first)


def fields_of(value: bytes, what: str) -> Reader:
    """What a value says of something that is there. Raises `MalformedError`."""
    reader = Reader(encoding.decode(value, len(value)), what)
    if not reader.integer("presence", 1):
        raise MalformedError(f"{what} is not there")
    return reader


def dots_of(value: bytes) -> frozenset[tuple[bytes, int]]:
    """The records that a value of something that is gone takes back. Raises `MalformedError`."""
    items = encoding.decode(value, len(value))
    reader = Reader(items, "value")
    if reader.integer("presence", 1):
        return frozenset()
    found: set[tuple[bytes, int]] = set()
    while reader.more():
        pair = Reader(reader.array("dot", 2), "dot")
        found.add((pair.octets("device", signing.KEY_BYTES), pair.integer("moment", LAST_MOMENT)))
        pair.end()
    if len(found) > limits.SIBLING_DEVICES:
        raise MalformedError("dots")
    return frozenset(found)
