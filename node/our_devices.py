"""The devices of this person, as a person manages them: list, add, rename, revoke.

What a device may do follows from its certificates. One that the root key certified may add others
and revoke them; the 24 words may always do both, for they make the root key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto.identity import DeviceCertificate, DeviceChain
from ..crypto.recovery import RecoveryWords
from ..crypto.signing import SigningKey
from ..protocol import limits
from ..protocol.devices import OwnDevice, may_add
from ..protocol.joining import DeviceRequest, Gift
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.revocation import device_hash
from . import names, views_devices
from .contact_errors import (
    AmbiguousDeviceError,
    DeviceMayNotError,
    NoSuchOwnDeviceError,
    TooManyDevicesError,
)
from .errors import BadRequestError, OtherWordsError
from .library import Library
from .papers import Papers
from .roster import Roster

_SEQ_SETTING: Final = "certificate-seq"
_KEY_DIGITS: Final = 8
"""Of a key, that it may be called by: as many as are shown."""


@dataclass(frozen=True, slots=True)
class Certifier:
    """Who signs for a new device, or against one: the root key, or a device that it let."""

    key: SigningKey
    way: tuple[DeviceCertificate, ...]
    """From the root to the key; none for the root itself."""


class OurDevices:
    """See the module. `lost` is called when a device was taken back, `changed` at other news."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        roster: Roster,
        papers: Papers,
        entropy: Entropy,
        connected: Callable[[], set[bytes]],
        lost: Callable[[], None],
        changed: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._library = library
        self._roster = roster
        self._papers = papers
        self._entropy = entropy
        self._connected = connected
        self._lost = lost
        self._changed = changed
        self._now = now

    # Showing them.

    def list(self) -> list[views_devices.OwnDevice]:
        """All that are known, revoked ones among them, in the order in which they were added."""
        seen = self._roster.last_seen()
        return [self._view(each, seen.get(each.device)) for each in self._roster.devices()]

    def view(self, key: bytes) -> views_devices.OwnDevice:
        """One of them."""
        found = self._roster.device(key)
        if found is None:
            raise NoSuchOwnDeviceError
        return self._view(found, self._roster.last_seen().get(key))

    def _view(self, found: OwnDevice, seen: int | None) -> views_devices.OwnDevice:
        last = found.chain.certificates[-1]
        this = found.device == self._device.chain.device
        by = None if last.issuer == last.identity else self._roster.device(last.issuer)
        added_by = None if last.issuer == last.identity else last.issuer.hex()[:_KEY_DIGITS]
        return views_devices.OwnDevice(
            name=found.name or found.device.hex()[:_KEY_DIGITS],
            device=found.device.hex(),
            added=last.not_before,
            added_by=by.name if by is not None and by.name else added_by,
            last_seen=seen,
            this=this,
            connected=found.device in self._connected(),
            may_certify=may_add(found.chain),
            revoked=self._papers.revocations.revokes_chain(found.chain),
        )

    def find(self, text: str) -> OwnDevice:
        """By its name, or how its key begins."""
        devices = self._roster.devices()
        wanted = names.folded(text)
        found = [each for each in devices if names.folded(each.name) == wanted]
        if not found and len(text) >= _KEY_DIGITS:
            found = [each for each in devices if each.device.hex().startswith(text.lower())]
        if not found:
            raise NoSuchOwnDeviceError(text)
        if len(found) > 1:
            raise AmbiguousDeviceError(text)
        return found[0]

    def rename(self, text: str, name: str) -> views_devices.OwnDevice:
        """Call one something else. All of them learn it."""
        found = self.find(text)
        if name != names.contact_name(name):
            raise BadRequestError("a name is one line of at most 40 characters")
        if self._free_name(name, found.device) != name:
            raise AmbiguousDeviceError(name)
        named = max(self._now(), found.named + 1)
        self._roster.put([dataclasses.replace(found, name=name, named=named)])
        self._changed()
        return self.view(found.device)

    def _free_name(self, name: str, device: bytes) -> str:
        taken = {
            names.folded(each.name) for each in self._roster.devices() if each.device != device
        }
        candidate, number = name, 1
        while names.folded(candidate) in taken:
            number += 1
            candidate = f"{name} {number}"
        return candidate

    # Adding one.

    def certifier(self, words: RecoveryWords | None) -> Certifier:
        """Who signs: the root key where the words are given, else this device, if it may.

        Raises `OtherWordsError`, `DeviceMayNotError`.
        """
        if words is not None:
            root = SigningKey(words.root_seed())
            if root.public != self._device.identity:
                raise OtherWordsError
            return Certifier(root, ())
        if not may_add(self._device.chain):
            raise DeviceMayNotError
        return Certifier(self._device.signing, self._device.chain.certificates)

    def add(
        self, request: DeviceRequest, certifier: Certifier, name: str | None, *, may_certify: bool
    ) -> tuple[OwnDevice, Gift]:
        """Take in a new device that knew the code; what it gets.

        Raises `TooManyDevicesError`: revoked ones count, as everybody has to remember them.
        """
        if len(self._roster.devices()) >= limits.OWN_DEVICES:
            raise TooManyDevicesError
        called = self._free_name(name or names.contact_name(request.name), request.device)
        certificates = self._certify(request.device, certifier, may_certify=may_certify)
        chain = self._device.chain.of_sibling(list(certificates), request.statement)
        added = OwnDevice(chain, called, self._now())
        secret = self._roster.make_secret(self._entropy)
        self._roster.put([added])
        self._changed()
        return added, Gift(certificates, secret, called)

    def _certify(
        self, device: bytes, certifier: Certifier, *, may_certify: bool
    ) -> tuple[DeviceCertificate, ...]:
        certificate = DeviceCertificate.issue(
            certifier.key,
            self._device.identity,
            device,
            not_before=self._now(),
            seq=self._next_seq(),
            may_certify=may_certify,
        )
        return (*certifier.way, certificate)

    def _next_seq(self) -> int:
        """Numbers of certificates have to rise. Nobody knows how many the root key made elsewhere,
        so they are the time, where that is later.
        """
        last = int.from_bytes(self._library.setting(_SEQ_SETTING) or b"")
        seq = max(self._now(), last + 1)
        self._library.set_setting(_SEQ_SETTING, seq.to_bytes(8))
        return seq

    def allowed(self, words: RecoveryWords) -> DeviceChain:
        """Papers by which this device may certify others, by the root key itself."""
        certifier = self.certifier(words)
        device = self._device
        certificates = self._certify(device.chain.device, certifier, may_certify=True)
        return device.chain.renewed(list(certificates))

    # Taking one back.

    def revoke(
        self, text: str, words: RecoveryWords | None, keep: Sequence[str] = ()
    ) -> list[views_devices.OwnDevice]:
        """Take a device back, and with it all that it added but those in `keep`, which are
        certified anew. Returns what was taken back.

        By the root key where the words are given. Raises `DeviceMayNotError`, `BadRequestError`.
        """
        found = self.find(text)
        if found.device == self._device.chain.device:
            raise BadRequestError(
                "that is this very device: revoke it on another one, or with the words there"
            )
        certifier = self.certifier(words)
        children = [each for each in self._roster.live() if _added_by(each, found.device)]
        kept = [self.find(each) for each in keep]
        if any(each not in children for each in kept):
            raise BadRequestError(f"only devices that {found.name} added can be kept")
        for each in kept:
            papers = self._certify(each.device, certifier, may_certify=False)
            self._roster.put([dataclasses.replace(each, chain=each.chain.renewed(list(papers)))])
        if kept:
            self._changed()  # while the links still stand that lean on the papers of before
        gone = [found, *(each for each in children if each not in kept)]
        hashes = [device_hash(each.device) for each in gone]
        if words is None:
            self._papers.revoke(hashes)
        else:
            self._papers.revoke_by_root(certifier.key, hashes)
        self._lost()
        return [self.view(each.device) for each in gone]

    def restore(self, text: str, words: RecoveryWords) -> views_devices.OwnDevice:
        """Let a device count again that was taken back by mistake, or by a thief.

        Only the root key may: a list of it overrides all of devices. It loses what others refused
        it meanwhile. Raises `OtherWordsError`, `BadRequestError`.
        """
        found = self.find(text)
        certifier = self.certifier(words)
        issuers = [each.device for each in found.chain.certificates]
        if not self._papers.revocations.revokes_chain(found.chain):
            raise BadRequestError("that device is not revoked")
        self._papers.revoke_by_root(certifier.key, (), drop=map(device_hash, issuers))
        self._lost()
        return self.view(found.device)


def _added_by(device: OwnDevice, issuer: bytes) -> bool:
    return device.chain.certificates[-1].issuer == issuer
