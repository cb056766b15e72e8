"""The devices of one person, as they tell each other of them.

They share a secret that no contact has; from it come those by which two of them recognise each
other in a hello. What they say of each other is papers and names: what a device may do follows
from its chain and from the lists of revocations, and from nothing here (docs/spec/devices.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadCertificateError, MalformedError
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from . import limits
from .opening import Entropy, Pinned

SECRET_BYTES: Final = 32
LAST_NUMBER: Final = 2**63 - 1
"""Of a generation, and of a second: a database holds no higher one."""

_LISTENER: Final = b"kinlight/own-listener1"
_PAIR: Final = b"kinlight/own-pair1"


@dataclass(frozen=True, slots=True)
class OwnSecret:
    """What all devices of a person share. It is another one whenever a device is revoked.

    `generation` rises with each; of two of one generation, made at the same time by two devices,
    the one that is greater as a number counts at all of them.
    """

    generation: int
    secret: Secret

    @classmethod
    def first(cls, entropy: Entropy) -> OwnSecret:
        """Of somebody who has a further device for the first time."""
        return cls(1, Secret(entropy(SECRET_BYTES)))

    def next(self, entropy: Entropy) -> OwnSecret:
        """The one after this."""
        return OwnSecret(self.generation + 1, Secret(entropy(SECRET_BYTES)))

    def outranks(self, other: OwnSecret) -> bool:
        """Whether this one counts where both are known."""
        mine = (self.generation, self.secret.reveal())
        return mine > (other.generation, other.secret.reveal())

    def listener(self, identity: bytes, device: bytes) -> Pinned:
        """By what `device` is called by any other one: a caller names whom it looks for, and need
        not be known to it yet.
        """
        return Pinned(identity, self.secret.derive(_LISTENER + device))

    def pair(self, one: bytes, other: bytes) -> Secret:
        """Under what two of them leave word where they are."""
        first, second = sorted((one, other))
        return self.secret.derive(_PAIR + first + second)

    def to_value(self) -> Value:
        """`[generation, secret]`."""
        return [self.generation, self.secret.reveal()]

    @classmethod
    def read(cls, items: list[Value]) -> OwnSecret:
        """The reverse."""
        reader = Reader(items, "own-device secret")
        generation = reader.integer("generation", LAST_NUMBER)
        secret = Secret(reader.octets("secret", SECRET_BYTES))
        reader.end()
        return cls(generation, secret)


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """A device as its siblings know it: its papers, and what its person calls it.

    `named` says when it was called so, in seconds since 1970; the later name counts, and of two at
    one moment the one that is greater as text.
    """

    chain: DeviceChain
    name: str
    named: int

    @property
    def device(self) -> bytes:
        """Its key."""
        return self.chain.device

    def merged(self, other: OwnDevice) -> OwnDevice:
        """What is known of it after `other` was heard of the same device: the later papers, and the
        later name. In which order they were heard makes no difference.
        """
        chain = max(self.chain, other.chain, key=_rank)
        named, name = max((self.named, self.name), (other.named, other.name))
        return OwnDevice(chain, name, named)

    def to_value(self) -> Value:
        """`[chain, name, named]`."""
        return [self.chain.encoded, self.name, self.named]

    @classmethod
    def read(cls, items: list[Value]) -> OwnDevice:
        """The reverse; the chain is verified."""
        reader = Reader(items, "own device")
        chain = DeviceChain.decode(reader.octets("chain", maximum=limits.CHAIN_BYTES))
        name = reader.text("name", limits.NAME_BYTES)
        named = reader.integer("named", LAST_NUMBER)
        reader.end()
        return cls(chain, name, named)


def _rank(chain: DeviceChain) -> tuple[bool, int, bytes]:
    """Of two chains of one device: the root's word before a device's, then the later one."""
    return len(chain.certificates) == 1, chain.certificates[-1].seq, chain.encoded


def may_add(chain: DeviceChain) -> bool:
    """Whether a device may certify others: the root let it, and a chain has two links at most."""
    return len(chain.certificates) == 1 and chain.certificates[0].may_certify


def encode_devices(devices: Iterable[OwnDevice]) -> bytes:
    """Canonical bytes of some, to be kept or sent."""
    return encoding.encode([device.to_value() for device in devices])


def decode_devices(data: bytes, identity: bytes) -> list[OwnDevice]:
    """The reverse, each verified. Raises `MalformedError`, and `BadCertificateError` also for a
    device of somebody else.
    """
    items = encoding.decode(data, limits.OWN_DEVICES_BYTES)
    if len(items) > limits.OWN_DEVICES:
        raise MalformedError("own devices")
    reader = Reader(items, "own devices")
    found: list[OwnDevice] = []
    while reader.more():
        found.append(OwnDevice.read(reader.array("device", 3)))
    if any(each.chain.identity != identity for each in found):
        raise BadCertificateError("it is of another identity")
    return found
