"""A share of somebody's recovery words on its way to a guardian (docs/spec/guardians.md).

It is signed by a device of its owner and sealed to one device of the guardian: the session is
encrypted as it is, and this stays so if shares ever lie with a holder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from ..crypto import encoding, guardians, signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadCertificateError, BadShareError, MalformedError
from ..crypto.guardians import Share
from ..crypto.identity import MAX_DEVICE_CERTIFICATES, DeviceChain
from . import limits
from .certificates import Certificates
from .opening import LocalDevice
from .padding import open_padded, seal_padded

GUARDIAN_DOMAIN: Final = b"kinlight/guardian1"
_INFO: Final = "kinlight/share1"


@dataclass(frozen=True, slots=True)
class GuardedShare:
    """A share, of which set of how many it is, and when it was given; seconds since 1970."""

    owner: bytes
    share: Share = field(repr=False)
    count: int
    time: int


def seal(device: LocalDevice, guardian: DeviceChain, share: Share, count: int, time: int) -> bytes:
    """A share of the words of `device`'s identity, for a guardian's device."""
    certificates: Value = [each.signed.to_value() for each in device.chain.certificates]
    body: Value = [
        1, "share", device.identity, device.signing.public, certificates, guardian.identity,
        count, time, share.words,
    ]  # fmt: skip
    signed = device.signing.sign_value(GUARDIAN_DOMAIN, body)
    return seal_padded(guardian.kem, _info(guardian.device, guardian.kem), signed)


def open_sealed(sealed: bytes, device: LocalDevice, owner: bytes) -> GuardedShare:
    """Open a share that `owner` gave to the identity of `device`.

    Raises `SealBrokenError`, `MalformedError`, `BadCertificateError`, `BadSignatureError`.
    """
    if len(sealed) > limits.GUARDIAN_BYTES:
        raise MalformedError("share too long")
    info = _info(device.signing.public, device.kem.public)
    signed = open_padded(device.kem, info, sealed, "share")
    reader = Reader(signed.unverified(), "share")
    reader.literal(1, "share")
    identity = signing.check_public_key(reader.octets("owner", signing.KEY_BYTES))
    signer = signing.check_public_key(reader.octets("device", signing.KEY_BYTES))
    papers = reader.array("certificates", MAX_DEVICE_CERTIFICATES)
    guardian = reader.octets("guardian", signing.KEY_BYTES)
    count = reader.integer("count", guardians.MOST)
    time = reader.integer("time", 2**63 - 1)
    words = reader.text("share", guardians.SHARE_BYTES)
    reader.end()
    if identity != owner or Certificates.read(papers).devices.get(signer) != owner:
        raise BadCertificateError("what signed the share is no device of its owner")
    if guardian != device.identity:
        raise MalformedError("the share is for another guardian")
    signing.verify(signer, GUARDIAN_DOMAIN, signed.body, signed.signature)
    try:
        share = Share.parse(words)
    except BadShareError:
        raise MalformedError("share: words") from None
    if not guardians.LEAST <= share.need <= count or share.number >= count:
        raise MalformedError("share: numbers")
    return GuardedShare(owner, share, count, time)


def _info(device: bytes, kem_public: bytes) -> bytes:
    return encoding.encode([_INFO, device, hashlib.sha256(kem_public).digest()])
