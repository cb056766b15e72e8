"""Device certificates that travel together, so that a stranger's signatures can be checked.

They are those of an envelope (docs/spec/record.md); who passes a photo on hands them on with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..crypto import encoding
from ..crypto.encoding import Value
from ..crypto.errors import BadCertificateError, MalformedError
from ..crypto.identity import MAX_CERTIFICATE_BYTES, DeviceCertificate
from ..crypto.signing import Signed
from . import limits


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates of different devices, verified: each is by the identity itself, or by a device
    that an earlier one allows to certify.
    """

    found: tuple[DeviceCertificate, ...] = ()

    @classmethod
    def read(cls, items: Sequence[Value]) -> Certificates:
        """Check a list as it travels. Raises `BadCertificateError` and `MalformedError`."""
        found: dict[bytes, DeviceCertificate] = {}
        for item in items:
            certificate = DeviceCertificate.read(
                Signed.from_value(item, MAX_CERTIFICATE_BYTES, "device certificate")
            )
            issuer = found.get(certificate.issuer)
            by_root = certificate.issuer == certificate.identity
            by_device = (
                issuer is not None
                and issuer.issuer == issuer.identity == certificate.identity
                and issuer.may_certify
            )
            if not (by_root or by_device):
                raise BadCertificateError("a certificate is not from who may give it")
            if certificate.device in found:
                raise BadCertificateError("two certificates are for the same device")
            found[certificate.device] = certificate
        return cls(tuple(found.values()))

    @classmethod
    def decode(cls, data: bytes) -> Certificates:
        """The reverse of `encode`, checked as they were when they came; of nothing, none."""
        items = encoding.decode(data, limits.ENVELOPE_BYTES) if data else []
        if len(items) > limits.ENVELOPE_CERTIFICATES:
            raise MalformedError("certificates")
        return cls.read(items)

    def encode(self) -> bytes:
        """Canonical bytes, to be kept."""
        return encoding.encode([certificate.signed.to_value() for certificate in self.found])

    @property
    def devices(self) -> dict[bytes, bytes]:
        """Device key -> identity."""
        return {certificate.device: certificate.identity for certificate in self.found}

    def may_certify(self, device: bytes) -> bool:
        """Whether a device may certify others: the root key let it."""
        return any(
            each.device == device and each.issuer == each.identity and each.may_certify
            for each in self.found
        )

    def of(self, devices: Collection[bytes]) -> tuple[DeviceCertificate, ...]:
        """The certificates that are needed to show for whom these devices speak, in order.

        Raises `BadCertificateError` if one of them has none here.
        """
        by_device = {certificate.device: certificate for certificate in self.found}
        needed: set[bytes] = set()
        for device in devices:
            if device not in by_device:
                raise BadCertificateError("a device has no certificate here")
            certificate = by_device[device]
            needed |= {device, certificate.issuer}
        return tuple(found for found in self.found if found.device in needed)


def joined(lists: Iterable[Iterable[DeviceCertificate]]) -> tuple[DeviceCertificate, ...]:
    """Lists after each other, each device once."""
    by_device = {certificate.device: certificate for each in lists for certificate in each}
    return tuple(by_device.values())
