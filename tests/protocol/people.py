"""People with devices, made from fixed seeds, and a random source that repeats itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from kinlight.crypto.identity import DeviceCertificate, DeviceChain, issue_identity, issue_kem
from kinlight.crypto.pairing import Code, Invitation, Purpose, identity_hash
from kinlight.crypto.recovery import RecoveryWords
from kinlight.crypto.secret import Secret
from kinlight.crypto.signing import SigningKey
from kinlight.crypto.wrap import KemKey
from kinlight.protocol.joining import NewDevice
from kinlight.protocol.opening import LocalDevice, PairingWindow, Pinned
from kinlight.protocol.ticket import IssuedTicket, Ticket

NOW = 1_800_000_000


def fixed(label: str, length: int = 32) -> bytes:
    """Bytes that depend on `label` alone."""
    return hashlib.shake_256(label.encode()).digest(length)


class FixedEntropy:
    """Gives other bytes at each call, the same ones in each run."""

    def __init__(self, label: str = "entropy") -> None:
        self._label = label
        self._calls = 0

    def __call__(self, length: int) -> bytes:
        self._calls += 1
        return fixed(f"{self._label} {self._calls}", length)


@dataclass(frozen=True)
class Person:
    """Somebody with recovery words and any number of devices."""

    name: str
    words: RecoveryWords
    root: SigningKey

    @classmethod
    def named(cls, name: str) -> Person:
        words = RecoveryWords(Secret(fixed(f"words of {name}")))
        return cls(name, words, SigningKey(words.root_seed()))

    @property
    def identity(self) -> bytes:
        return self.root.public

    def signing_key(self, device: str) -> SigningKey:
        return SigningKey(Secret(fixed(f"{device} of {self.name}")))

    def certificate(
        self, device: bytes, issuer: SigningKey | None = None, *, may_certify: bool = False
    ) -> DeviceCertificate:
        return DeviceCertificate.issue(
            issuer or self.root,
            self.identity,
            device,
            not_before=1_700_000_000,
            seq=1,
            may_certify=may_certify,
        )

    def device(self, name: str = "phone") -> LocalDevice:
        key = self.signing_key(name)
        kem = KemKey(Secret(fixed(f"KEM of {name} of {self.name}")))
        chain = DeviceChain.assemble(
            issue_identity(self.words),
            [self.certificate(key.public)],
            issue_kem(key, kem.public),
        )
        return LocalDevice(key, kem, chain, f"{self.name}'s {name}")


def pair_secret(one: Person, other: Person) -> Secret:
    """The secret that two people got when they paired."""
    names = sorted((one.name, other.name))
    return Secret(fixed(f"pair secret of {names[0]} and {names[1]}"))


def pinned(contact: Person, of: Person) -> Pinned:
    """`contact` as it stands in the list of `of`."""
    return Pinned(contact.identity, pair_secret(contact, of))


CODE = Code(7, ("maple", "orbit"))


def invitation_to(person: Person, purpose: Purpose = "pair") -> Invitation:
    secret = Secret(fixed("QR secret", 16))
    return Invitation(identity_hash(person.identity), secret, ("192.0.2.7:4430",), NOW, purpose)


def ticket_of(
    person: Person,
    label: str = "ticket",
    *,
    issued: int = NOW,
    expires: int = NOW + 3600,
    uses: int = 1,
    addresses: Sequence[str] = ("192.0.2.7:4430",),
    relays: Sequence[str] = (),
) -> Ticket:
    """A ticket that somebody's phone made; its secret depends on `label` alone."""
    device = person.device()
    return Ticket.issue(
        device.signing, device.chain.certificates, Secret(fixed(label, 16)),
        issued=issued, expires=expires, uses=uses, addresses=addresses, relays=relays,
    )  # fmt: skip


def issued_of(ticket: Ticket) -> IssuedTicket:
    """What its maker keeps of a ticket that is open."""
    return IssuedTicket(ticket.ticket_id, ticket.secret)


def window_of(person: Person, purpose: Purpose = "pair") -> PairingWindow:
    return PairingWindow(CODE, invitation_to(person, purpose), purpose)


def new_device(name: str = "tablet") -> NewDevice:
    """A device that has keys and is nobody's yet."""
    return NewDevice(
        SigningKey(Secret(fixed(f"new {name}"))), KemKey(Secret(fixed(f"KEM of new {name}"))), name
    )
