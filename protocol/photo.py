"""What is said about a photo: the signed record, its metadata, and the envelope that carries them.

The record names the sealed blobs and holds no key. Keys and the capability travel apart from it,
in an envelope sealed to one device (docs/spec/record.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..crypto import blob, encoding, signing
from ..crypto.blob import CONTENT_ID_BYTES, PHOTO_ID_BYTES, Kind
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadCertificateError, BadSignatureError, MalformedError, SealBrokenError
from ..crypto.identity import DeviceCertificate
from ..crypto.secret import Secret
from ..crypto.signing import Signed, SigningKey
from . import limits
from .capability import Capability
from .certificates import Certificates
from .errors import UnsupportedGrantError
from .opening import LocalDevice
from .padding import open_padded, seal_padded

RECORD_DOMAIN: Final = b"kinlight/photo1"
ENVELOPE_DOMAIN: Final = b"kinlight/envelope1"
NONCE_BYTES: Final = 16
POLICIES: Final = ("original", "no-location", "clean")
KINDS: Final = (Kind.ORIGINAL, Kind.METADATA)
"""The blobs of a photo that travel: the record names them and the envelope brings their keys."""

_PHOTO_ID: Final = b"kinlight/pid1"
_ENVELOPE_INFO: Final = "kinlight/env1"
_RECORD_BYTES: Final = 512
_KEY_BYTES: Final = 32


def photo_id(author: bytes, nonce: bytes) -> bytes:
    """16 bytes that no other author can have, and that tell nothing about the photo."""
    return hashlib.sha256(_PHOTO_ID + author + nonce).digest()[:PHOTO_ID_BYTES]


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """The author's statement: this photo is this sealed blob, with this sealed metadata."""

    author: bytes
    nonce: bytes
    kind: Kind
    content_id: bytes
    ciphertext_length: int
    metadata_id: bytes
    device: bytes
    signed: Signed

    @classmethod
    def sign(
        cls,
        device: SigningKey,
        author: bytes,
        nonce: bytes,
        content: blob.Manifest,
        metadata_id: bytes,
    ) -> PhotoRecord:
        """Make and sign the record of an original, sealed under `photo_id(author, nonce)`."""
        content_id = content.content_id
        body: Value = [
            1, "photo", author, nonce, int(Kind.ORIGINAL),
            content_id, content.length, metadata_id, device.public,
        ]  # fmt: skip
        return cls(
            author,
            nonce,
            Kind.ORIGINAL,
            content_id,
            content.length,
            metadata_id,
            device.public,
            device.sign_value(RECORD_DOMAIN, body),
        )

    @classmethod
    def read(cls, signed: Signed) -> PhotoRecord:
        """Check form and signature. That `device` speaks for `author` is the envelope's matter."""
        reader = Reader(signed.unverified(), "photo record")
        reader.literal(1, "photo")
        author = signing.check_public_key(reader.octets("author", signing.KEY_BYTES))
        nonce = reader.octets("nonce", NONCE_BYTES)
        if reader.integer("kind") != Kind.ORIGINAL:
            raise MalformedError("photo record: kind")
        content_id = reader.octets("content id", CONTENT_ID_BYTES)
        length = reader.integer("length", blob.MAX_CIPHERTEXT_BYTES)
        blob.piece_count(length)
        metadata_id = reader.octets("metadata id", CONTENT_ID_BYTES)
        device = reader.octets("device", signing.KEY_BYTES)
        reader.end()
        signing.verify(device, RECORD_DOMAIN, signed.body, signed.signature)
        return cls(author, nonce, Kind.ORIGINAL, content_id, length, metadata_id, device, signed)

    @property
    def photo_id(self) -> bytes:
        """What everybody calls the photo, derived: a record can't bear another author's id."""
        return photo_id(self.author, self.nonce)

    def blob_id(self, kind: Kind) -> bytes:
        """The content id of the photo's blob of that kind, one of `KINDS`."""
        return self.metadata_id if kind is Kind.METADATA else self.content_id


@dataclass(frozen=True, slots=True)
class Metadata:
    """What travels sealed beside the photo.

    `name` is the name as it was at the author's, to be shown with care and never used as a path;
    `modified` is the file's time in nanoseconds since 1970; `length` and `sha256` are those of
    the content; `policy` says what was done to it before it was sealed.
    """

    name: str
    media_type: str
    modified: int
    length: int
    sha256: bytes
    policy: str

    def encode(self) -> bytes:
        """Canonical bytes, to be sealed as the photo's metadata blob."""
        return encoding.encode(
            [
                1, "meta", self.name, self.media_type,
                self.modified, self.length, self.sha256, self.policy,
            ]
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Metadata:
        """The reverse of `encode`."""
        reader = Reader(encoding.decode(data, limits.METADATA_BYTES), "metadata")
        reader.literal(1, "meta")
        name = reader.text("name", limits.NAME_BYTES)
        media_type = reader.text("media type", limits.MEDIA_TYPE_BYTES)
        modified = reader.integer("modified", 2**63 - 1)
        length = reader.integer("length", limits.PHOTO_BYTES)
        sha256 = reader.octets("sha256", 32)
        policy = reader.text("policy", 16)
        reader.end()
        if policy not in POLICIES:
            raise MalformedError("metadata: policy")
        return cls(name, media_type, modified, length, sha256, policy)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A photo addressed to one device: record, capability, keys, and the papers to check them."""

    sender_device: bytes
    recipient_device: bytes
    record: PhotoRecord
    capability: Capability
    keys: Mapping[Kind, Secret] = field(repr=False)
    certificates: Certificates

    @property
    def devices(self) -> dict[bytes, bytes]:
        """Device key -> identity, by the certificates inside."""
        return self.certificates.devices

    @staticmethod
    def seal(
        sender: LocalDevice,
        recipient_device: bytes,
        recipient_kem: bytes,
        record: PhotoRecord,
        capability: Capability,
        keys: Mapping[Kind, Secret],
        certificates: tuple[DeviceCertificate, ...],
    ) -> bytes:
        """The sealed bytes. The signature is inside and names the recipient.

        `certificates` show for whom the record's device and all signers of the capability speak.
        Raises `UnsupportedGrantError` if they are more than an envelope holds.
        """
        if len(certificates) > limits.ENVELOPE_CERTIFICATES:
            raise UnsupportedGrantError("it went through the hands of too many devices")
        body: Value = [
            1, "env", sender.signing.public, recipient_device,
            record.signed.to_value(),
            capability.encoded,
            [[int(kind), key.reveal()] for kind, key in sorted(keys.items())],
            [certificate.signed.to_value() for certificate in certificates],
        ]  # fmt: skip
        signed = sender.signing.sign_value(ENVELOPE_DOMAIN, body)
        info = _envelope_info(recipient_device, recipient_kem)
        return seal_padded(recipient_kem, info, signed)

    @classmethod
    def open(cls, sealed: bytes, device: LocalDevice, sender_device: bytes | None) -> Envelope:
        """Open an envelope that the authenticated peer `sender_device` handed over.

        With None somebody else held it: who signed it is then in the envelope's `sender_device`,
        and whether that is anybody's device is for the caller to know.

        Everything inside is verified: the sender's signature, the addressee, the certificates,
        the record, and the capability's chain up to the record's author. What the capability
        allows is judged by `Capability.allow`, with a clock.
        """
        if len(sealed) > limits.ENVELOPE_BYTES:
            raise MalformedError("envelope too long")
        me, kem = device.signing.public, device.kem
        signed = open_padded(kem, _envelope_info(me, kem.public), sealed, "envelope")
        reader = Reader(signed.unverified(), "envelope")
        reader.literal(1, "env")
        sender = reader.octets("sender", signing.KEY_BYTES)
        if sender_device not in (None, sender):
            raise BadSignatureError("the envelope is another sender's")
        if reader.octets("recipient", signing.KEY_BYTES) != me:
            raise SealBrokenError
        record_signed = Signed.from_value(reader.array("record", 2), _RECORD_BYTES, "photo record")
        capability_bytes = reader.octets("capability", maximum=limits.CAPABILITY_BYTES)
        keys = read_keys(reader.array("keys", len(KINDS)))
        papers = reader.array("certificates", limits.ENVELOPE_CERTIFICATES)
        reader.end()
        signing.verify(sender, ENVELOPE_DOMAIN, signed.body, signed.signature)

        certificates = Certificates.read(papers)
        devices = certificates.devices
        record = PhotoRecord.read(record_signed)
        if devices.get(record.device) != record.author:
            raise BadCertificateError("the photo's device does not speak for its author")
        capability = Capability.decode(capability_bytes)
        capability.verify(record.author, devices)
        return cls(sender, me, record, capability, keys, certificates)


def _envelope_info(device: bytes, kem_public: bytes) -> bytes:
    return encoding.encode([_ENVELOPE_INFO, device, hashlib.sha256(kem_public).digest()])


def read_keys(items: list[Value]) -> dict[Kind, Secret]:
    """The file keys of all `KINDS`, in their order; `MalformedError`."""
    keys: dict[Kind, Secret] = {}
    for item in items:
        if not isinstance(item, list):
            raise MalformedError("envelope: keys")
        reader = Reader(item, "key")
        kind = reader.integer("kind")
        if kind not in KINDS or any(kind <= earlier for earlier in keys):
            raise MalformedError("envelope: keys")
        keys[Kind(kind)] = Secret(reader.octets("key", _KEY_BYTES))
        reader.end()
    if len(keys) != len(KINDS):
        raise MalformedError("envelope: a key is missing")
    return keys
