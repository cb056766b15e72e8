"""Sealed photos and the statements about them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinlight.crypto import blob, encoding
from kinlight.crypto.blob import Kind, Manifest
from kinlight.crypto.encoding import Value
from kinlight.crypto.identity import DeviceCertificate
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.crypto.wrap import seal_to
from kinlight.protocol.capability import Audience, Capability, Caveats
from kinlight.protocol.opening import LocalDevice
from kinlight.protocol.photo import ENVELOPE_DOMAIN, Envelope, PhotoRecord

from .people import Person, fixed

KEYS: Mapping[Kind, Secret] = {
    Kind.ORIGINAL: Secret(fixed("photo key")),
    Kind.METADATA: Secret(fixed("metadata key")),
}


def sealed(content: bytes, kind: Kind = Kind.ORIGINAL) -> tuple[bytes, Manifest]:
    """A ciphertext and its manifest."""
    sink = io.BytesIO()
    manifest = blob.seal(
        io.BytesIO(content), len(content), sink, KEYS[kind], kind, fixed("photo", 16)
    )
    return sink.getvalue(), manifest


def manifest_of(length: int) -> Manifest:
    """The manifest of a ciphertext of `length` bytes that nobody has, for tests of bookkeeping."""
    count = blob.piece_count(length)
    return Manifest(length, fixed("header", 56), fixed("hashes", 32 * count))


def record_by(author: Person, device: str = "phone") -> PhotoRecord:
    return PhotoRecord.sign(
        author.signing_key(device),
        author.identity,
        fixed("nonce", 16),
        manifest_of(5000),
        fixed("metadata id"),
    )


def grant_by(author: Person, to: Person, record: PhotoRecord, *ops: str) -> Capability:
    return Capability.grant(
        author.signing_key("phone"),
        author.identity,
        Audience("identity", to.identity),
        Caveats(photos=frozenset([record.photo_id]), operations=frozenset(ops or ("view",))),
        fixed("nonce", 16),
    )


@dataclass
class Draft:
    """The parts of an envelope, to be changed and then sealed by hand."""

    sender: LocalDevice
    recipient: LocalDevice
    record: Value
    capability: bytes
    keys: list[Value]
    certificates: list[Value]
    version: int = 1
    kind: str = "env"
    named_sender: bytes = b""
    named_recipient: bytes = b""
    domain: bytes = ENVELOPE_DOMAIN
    signer: SigningKey | None = None
    extra: Sequence[Value] = ()

    @classmethod
    def of(
        cls,
        sender: Person,
        recipient: Person,
        record: PhotoRecord,
        capability: Capability,
        certificates: Sequence[DeviceCertificate],
    ) -> Draft:
        return cls(
            sender.device(),
            recipient.device(),
            record.signed.to_value(),
            capability.encoded,
            [[int(kind), key.reveal()] for kind, key in sorted(KEYS.items())],
            [certificate.signed.to_value() for certificate in certificates],
        )

    def signed(self) -> bytes:
        body: Value = [
            self.version, self.kind,
            self.named_sender or self.sender.signing.public,
            self.named_recipient or self.recipient.signing.public,
            self.record, self.capability, self.keys, self.certificates, *self.extra,
        ]  # fmt: skip
        return (self.signer or self.sender.signing).sign_value(self.domain, body).encode()

    def seal(self, padded: bytes | None = None) -> bytes:
        if padded is None:
            signed = self.signed()
            padded = len(signed).to_bytes(4) + signed
            padded += bytes(-len(padded) % 4096)
        return seal_for(self.recipient, padded)

    def open(self, padded: bytes | None = None) -> Envelope:
        return Envelope.open(self.seal(padded), self.recipient, self.sender.signing.public)


def seal_for(recipient: LocalDevice, padded: bytes) -> bytes:
    """HPKE to the device in the context that docs/spec/record.md gives."""
    return seal_to(recipient.kem.public, envelope_info(recipient), padded)


def envelope_info(recipient: LocalDevice) -> bytes:
    kem = hashlib.sha256(recipient.kem.public).digest()
    return encoding.encode(["kinlight/env1", recipient.signing.public, kem])
