"""Who somebody is: a root key, the devices that it certifies, and how people compare them.

An identity is its Ed25519 root public key. The root signs an identity certificate (which also
names the key for recovery snapshots) and device certificates; each device signs its own KEM key,
so that key can be replaced without the root. Together they are the device's *chain*, shown in the
hello to contacts only (docs/spec/identity.md).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from . import encoding, signing, wrap
from .encoding import Value
from .errors import BadCertificateError, BadSignatureError, MalformedError
from .recovery import RecoveryWords
from .signing import Signed, SigningKey

IDENTITY_DOMAIN: Final = b"kinlight/identity1"
DEVICE_DOMAIN: Final = b"kinlight/device1"
KEM_DOMAIN: Final = b"kinlight/kem1"

MAX_CERTIFICATE_BYTES: Final = 2048
MAX_CHAIN_BYTES: Final = 4096
MAX_DEVICE_CERTIFICATES: Final = 2
FOREVER: Final = 2**63 - 1
"""`not_after` of a statement that only a newer one replaces."""

_FINGERPRINT: Final = b"kinlight/fp1\x00"
_SAFETY: Final = b"kinlight/safety1\x00"
_SAFETY_ROUNDS: Final = 5200
_GROUP: Final = 13


@dataclass(frozen=True, slots=True)
class DeviceCertificate:
    """The statement `issuer` made: this device key speaks for this identity."""

    identity: bytes
    issuer: bytes
    device: bytes
    not_before: int
    seq: int
    may_certify: bool
    signed: Signed

    @classmethod
    def issue(
        cls,
        issuer: SigningKey,
        identity: bytes,
        device: bytes,
        *,
        not_before: int,
        seq: int,
        may_certify: bool,
    ) -> DeviceCertificate:
        """Certify `device`; times are seconds since 1970, `seq` grows with each new statement."""
        body: Value = [
            1, "dev", identity, issuer.public, device, not_before, seq, int(may_certify),
        ]  # fmt: skip
        return cls(
            identity,
            issuer.public,
            device,
            not_before,
            seq,
            may_certify,
            issuer.sign_value(DEVICE_DOMAIN, body),
        )

    @classmethod
    def read(cls, signed: Signed) -> DeviceCertificate:
        """Check the signature and the form. Whether `issuer` may certify is the chain's matter."""
        reader = encoding.Reader(signed.unverified(), "device certificate")
        reader.literal(1, "dev")
        identity = signing.check_public_key(reader.octets("identity", signing.KEY_BYTES))
        issuer = signing.check_public_key(reader.octets("issuer", signing.KEY_BYTES))
        device = signing.check_public_key(reader.octets("device", signing.KEY_BYTES))
        not_before = reader.integer("not_before")
        seq = reader.integer("seq")
        may_certify = bool(reader.integer("may_certify", 1))
        reader.end()
        signing.verify(issuer, DEVICE_DOMAIN, signed.body, signed.signature)
        return cls(identity, issuer, device, not_before, seq, may_certify, signed)


@dataclass(frozen=True, slots=True, repr=False)
class DeviceChain:
    """A device's papers, verified: identity certificate, device certificates, KEM statement."""

    identity: bytes
    recovery_kem: bytes
    device: bytes
    kem: bytes
    kem_not_after: int
    certificates: tuple[DeviceCertificate, ...]
    encoded: bytes

    def __repr__(self) -> str:
        return f"DeviceChain(device={self.device.hex()[:16]}…)"

    @property
    def digest(self) -> bytes:
        """SHA-256 of the encoded chain."""
        return hashlib.sha256(self.encoded).digest()

    @classmethod
    def assemble(
        cls, identity: Signed, certificates: list[DeviceCertificate], kem: Signed
    ) -> DeviceChain:
        """Put the papers together and verify them as a peer would."""
        return cls.decode(
            encoding.encode(
                [
                    identity.to_value(),
                    [certificate.signed.to_value() for certificate in certificates],
                    kem.to_value(),
                ]
            )
        )

    def of_sibling(self, certificates: list[DeviceCertificate], kem: Signed) -> DeviceChain:
        """The papers of another device of this identity, verified as a peer would."""
        items = encoding.Reader(encoding.decode(self.encoded, MAX_CHAIN_BYTES), "device chain")
        identity = Signed.from_value(
            items.array("identity certificate", 2), MAX_CERTIFICATE_BYTES, "identity certificate"
        )
        return DeviceChain.assemble(identity, certificates, kem)

    def renewed(self, certificates: list[DeviceCertificate]) -> DeviceChain:
        """The papers of this device with other certificates, verified as a peer would."""
        items = encoding.Reader(encoding.decode(self.encoded, MAX_CHAIN_BYTES), "device chain")
        items.array("identity certificate", 2)
        items.array("device certificates", MAX_DEVICE_CERTIFICATES)
        kem = Signed.from_value(
            items.array("KEM statement", 2), MAX_CERTIFICATE_BYTES, "KEM statement"
        )
        return self.of_sibling(certificates, kem)

    @classmethod
    def decode(cls, data: bytes) -> DeviceChain:
        """Verify a chain; `BadCertificateError` or `MalformedError` say that it is not one.

        Validity in time is left to the caller, who has a clock.
        """
        reader = encoding.Reader(encoding.decode(data, MAX_CHAIN_BYTES), "device chain")
        identity_signed = Signed.from_value(
            reader.array("identity certificate", 2), MAX_CERTIFICATE_BYTES, "identity certificate"
        )
        certificates_raw = reader.array("device certificates", MAX_DEVICE_CERTIFICATES)
        kem_signed = Signed.from_value(
            reader.array("KEM statement", 2), MAX_CERTIFICATE_BYTES, "KEM statement"
        )
        reader.end()
        try:
            identity, recovery_kem = _read_identity(identity_signed)
            certificates = tuple(
                DeviceCertificate.read(
                    Signed.from_value(raw, MAX_CERTIFICATE_BYTES, "device certificate")
                )
                for raw in certificates_raw
            )
            device = device_of(identity, certificates)
            kem, not_after = read_kem(kem_signed, device)
        except BadSignatureError:
            raise BadCertificateError("a signature in it is wrong") from None
        return cls(identity, recovery_kem, device, kem, not_after, certificates, data)


def device_of(identity: bytes, certificates: tuple[DeviceCertificate, ...]) -> bytes:
    """The device that the certificates lead to: the root certifies, or a device that it let.

    Raises `BadCertificateError` if they are not a way from the identity to it, one after the other.
    """
    issuer, may_certify = identity, True
    if not certificates:
        raise BadCertificateError("it has no device certificate")
    for certificate in certificates:
        if not may_certify or certificate.issuer != issuer or certificate.identity != identity:
            raise BadCertificateError("a certificate is not from who may give it")
        issuer, may_certify = certificate.device, certificate.may_certify
    return issuer


def issue_identity(words: RecoveryWords) -> Signed:
    """The identity certificate that these words make: always the same one."""
    root = SigningKey(words.root_seed())
    recovery_kem = wrap.KemKey(words.recovery_kem_seed()).public
    return root.sign_value(IDENTITY_DOMAIN, [1, "id", root.public, recovery_kem])


def issue_kem(device: SigningKey, kem_public: bytes, not_after: int = FOREVER) -> Signed:
    """The device's own statement that `kem_public` is its key until `not_after`."""
    return device.sign_value(KEM_DOMAIN, [1, "kem", device.public, kem_public, not_after])


def _read_identity(signed: Signed) -> tuple[bytes, bytes]:
    reader = encoding.Reader(signed.unverified(), "identity certificate")
    reader.literal(1, "id")
    identity = signing.check_public_key(reader.octets("root key", signing.KEY_BYTES))
    recovery_kem = wrap.check_public_key(reader.octets("recovery key", wrap.PUBLIC_BYTES))
    reader.end()
    signing.verify(identity, IDENTITY_DOMAIN, signed.body, signed.signature)
    return identity, recovery_kem


def read_kem(signed: Signed, device: bytes) -> tuple[bytes, int]:
    """The KEM key that a device says is its own, and until when. Raises `BadCertificateError`,
    `BadSignatureError` and `MalformedError`.
    """
    reader = encoding.Reader(signed.unverified(), "KEM statement")
    reader.literal(1, "kem")
    if reader.octets("device", signing.KEY_BYTES) != device:
        raise BadCertificateError("the KEM key is another device's")
    kem = wrap.check_public_key(reader.octets("KEM key", wrap.PUBLIC_BYTES))
    not_after = reader.integer("not_after")
    reader.end()
    signing.verify(device, KEM_DOMAIN, signed.body, signed.signature)
    return kem, not_after


# What people read out and compare.

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def fingerprint(identity: bytes) -> str:
    """52 base-32 digits of the identity with a check digit after each 13, in groups of seven."""
    digest = hashlib.sha256(_FINGERPRINT + identity).digest()
    digits = base64.b32encode(digest).decode().rstrip("=")
    parts = [digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP)]
    checked = "".join(part + _check_digit(part) for part in parts)
    return "-".join(checked[start : start + 7] for start in range(0, len(checked), 7))


def parse_fingerprint(text: str) -> str:
    """The normal form of a typed fingerprint; `MalformedError` names the group with a slip."""
    checked = "".join(text.upper().replace("-", "").split()).translate(
        str.maketrans("018", "OIB")  # digits that base 32 lacks, read as the letters they look like
    )
    size = _GROUP + 1
    if len(checked) != 4 * size or not set(checked) <= set(_ALPHABET):
        raise MalformedError("not a fingerprint")
    for part in range(4):
        group = checked[part * size : (part + 1) * size]
        if _check_digit(group[:-1]) != group[-1]:
            raise MalformedError(f"a slip in group {2 * part + 1} or {2 * part + 2}")
    return "-".join(checked[start : start + 7] for start in range(0, len(checked), 7))


def _check_digit(digits: str) -> str:
    """Luhn's algorithm modulo 32: finds any single slip, and swaps of neighbours but A with 7.

    The weights alternate from 2, so that the last of the 13 digits differs from the check digit.
    """
    factor, total = 2, 0
    for digit in digits:
        addend = factor * _ALPHABET.index(digit)
        total += addend // 32 + addend % 32
        factor = 3 - factor
    return _ALPHABET[-total % 32]


def safety_number(one: bytes, other: bytes) -> str:
    """60 digits in groups of five, the same on both sides: made of both identities' root keys.

    Each half is an iterated hash (5,200 rounds of SHA-512), as in Signal's numeric fingerprint,
    so that looking for a near collision costs thousands of times more.
    """
    digits = "".join(sorted((_half(one), _half(other))))
    return " ".join(digits[start : start + 5] for start in range(0, 60, 5))


@lru_cache(maxsize=256)  # milliseconds each, and wherever contacts are shown it is the same again
def _half(identity: bytes) -> str:
    digest = _SAFETY + identity
    for _ in range(_SAFETY_ROUNDS):
        digest = hashlib.sha512(digest + identity).digest()
    return "".join(
        f"{int.from_bytes(digest[start : start + 5]) % 100_000:05d}" for start in range(0, 30, 5)
    )
