"""People who are known by their papers only."""

from __future__ import annotations

import hashlib

from kinlight.crypto.identity import (
    FOREVER,
    DeviceCertificate,
    DeviceChain,
    issue_identity,
    issue_kem,
)
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.crypto.wrap import KemKey
from kinlight.protocol.opening import LocalDevice


def seed(label: str) -> Secret:
    return Secret(hashlib.sha256(label.encode()).digest())


def device_of(name: str, device: str = "phone", *, until: int = FOREVER) -> LocalDevice:
    """A device of somebody, always the same for the same names."""
    words = RecoveryWords(seed(name))
    root, key = SigningKey(words.root_seed()), SigningKey(seed(f"{device} of {name}"))
    kem = KemKey(seed(f"KEM of {device} of {name}"))
    certificate = DeviceCertificate.issue(
        root, root.public, key.public, not_before=1_700_000_000, seq=1, may_certify=False
    )
    chain = DeviceChain.assemble(
        issue_identity(words), [certificate], issue_kem(key, kem.public, until)
    )
    return LocalDevice(key, kem, chain, name)


def chain_of(name: str, device: str = "phone", *, until: int = FOREVER) -> DeviceChain:
    return device_of(name, device, until=until).chain
