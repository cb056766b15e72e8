from __future__ import annotations

import gzip
import importlib
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import kinlight.crypto
import kinlight.protocol
import pytest
from hypothesis import HealthCheck, settings
from kinlight.crypto.channel import Channel, ChannelSettings
from kinlight.crypto.identity import DeviceCertificate, issue_identity, issue_kem
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import Signed, SigningKey
from kinlight.crypto.wrap import KemKey

VECTORS = Path(__file__).parents[1] / "vectors"

settings.register_profile(
    "crypto",
    max_examples=60,
    deadline=None,  # a busy machine must not fail a test
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("crypto")

Vectors = Callable[[str], Any]


@pytest.fixture(scope="session")
def external() -> Vectors:
    """Parsed JSON of a vector file of others that lies in the repository."""

    def load(name: str) -> Any:
        return json.loads(gzip.decompress((VECTORS / "external" / f"{name}.gz").read_bytes()))

    return load


@pytest.fixture(scope="session")
def shared(shared_dir: Path) -> Vectors:
    """Parsed JSON of a vector file of others that may not be copied."""

    def load(name: str) -> Any:
        return json.loads((shared_dir / "vectors" / name).read_text())

    return load


@pytest.fixture(scope="session")
def own_vectors() -> Vectors:
    """The cases of one of our own JSON vector files."""

    def load(name: str) -> Any:
        return json.loads((VECTORS / name).read_text())["cases"]

    return load


@pytest.fixture(scope="session")
def room_modules() -> list[ModuleType]:
    """Every module of the rooms that sign, seal and raise errors."""
    return [
        importlib.import_module(f"{room.__name__}.{found.name}")
        for room in (kinlight.crypto, kinlight.protocol)
        for found in pkgutil.iter_modules(room.__path__)
    ]


class Papers:
    """Keys of one person with two devices, and every paper that they can make."""

    def __init__(self, seed: int = 1) -> None:
        self.words = RecoveryWords(Secret(bytes([seed]) * 32))
        self.root = SigningKey(self.words.root_seed())
        self.identity = issue_identity(self.words)
        self.phone = SigningKey(Secret(bytes([seed + 1]) * 32))
        self.laptop = SigningKey(Secret(bytes([seed + 2]) * 32))
        self.kem = KemKey(Secret(bytes([seed + 3]) * 32))

    def certificate(
        self,
        device: SigningKey,
        issuer: SigningKey | None = None,
        *,
        may_certify: bool = False,
        identity: bytes | None = None,
    ) -> DeviceCertificate:
        return DeviceCertificate.issue(
            issuer or self.root,
            identity or self.root.public,
            device.public,
            not_before=1_700_000_000,
            seq=1,
            may_certify=may_certify,
        )

    def kem_statement(self, device: SigningKey) -> Signed:
        return issue_kem(device, self.kem.public)


@pytest.fixture(scope="session")
def papers() -> Papers:
    return Papers()


@pytest.fixture(scope="session")
def other_papers() -> Papers:
    return Papers(101)


@pytest.fixture(scope="session")
def channel_settings() -> ChannelSettings:
    return ChannelSettings()


Pair = tuple[Channel, Channel]
Pump = Callable[[Channel, Channel], tuple[bytes, bytes]]


@pytest.fixture(scope="session")
def pump() -> Pump:
    """Carries bytes both ways until none are left; gives what the dialer and the listener read."""

    def carry(dialer: Channel, listener: Channel) -> tuple[bytes, bytes]:
        read = [b"", b""]
        while True:
            up, down = dialer.to_send(), listener.to_send()
            if not up and not down:
                return read[0], read[1]
            if up:
                read[1] += listener.receive(up)
            if down:
                read[0] += dialer.receive(down)

    return carry


@pytest.fixture
def pair(channel_settings: ChannelSettings, pump: Pump) -> Pair:
    """Two ends of one channel after the handshake."""
    dialer, listener = Channel("dialer", channel_settings), Channel("listener", channel_settings)
    pump(dialer, listener)
    return dialer, listener
