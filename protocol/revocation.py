"""Revocation: each identity's one list of what it takes back, and what others know of it.

A list names hashes: of a link of a capability, which ends every chain with that link; of an
attestation; of a device. It grows, its newest form counts, and an older one can't come back
(docs/spec/revocation.md).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ..crypto import signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadSignatureError, MalformedError
from ..crypto.identity import DeviceChain
from ..crypto.signing import Signed, SigningKey
from . import limits
from .errors import (
    BrokenRevocationsError,
    OldRevocationsError,
    RevocationsFullError,
    RevokedDeviceError,
)

REVOCATION_DOMAIN: Final = b"kinlight/revs1"
HASH_BYTES: Final = 32
LAST_SEQ: Final = 2**64 - 1
"""The encoding has no higher number. Only who means harm signs a list with it."""
LIST_BYTES: Final = limits.REVOCATIONS_BYTES + signing.SIGNED_OVERHEAD

_DEVICE: Final = b"kinlight/revoked-device1\x00"


def device_hash(device: bytes) -> bytes:
    """What a list names to revoke a device: its key, whatever certificates it has."""
    return hashlib.sha256(_DEVICE + device).digest()


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What `issuer` takes back, as it was at `as_of`; read but not verified."""

    issuer: bytes
    signer: bytes
    seq: int
    as_of: int
    hashes: frozenset[bytes]
    signed: Signed

    @classmethod
    def sign(
        cls, signer: SigningKey, issuer: bytes, seq: int, as_of: int, hashes: Iterable[bytes]
    ) -> RevocationList:
        """Make and sign a list. Raises `RevocationsFullError`."""
        listed = sorted(set(hashes))
        if len(listed) > limits.REVOCATIONS:
            raise RevocationsFullError(f"it holds {limits.REVOCATIONS} things that still matter")
        body: Value = [1, "revs", issuer, signer.public, seq, as_of, listed]
        return cls.read(signer.sign_value(REVOCATION_DOMAIN, body))

    @classmethod
    def read(cls, signed: Signed) -> RevocationList:
        """Check the form alone."""
        reader = Reader(signed.unverified(), "revocation list")
        reader.literal(1, "revs")
        issuer = reader.octets("issuer", signing.KEY_BYTES)
        signer = reader.octets("signer", signing.KEY_BYTES)
        seq, as_of = reader.integer("seq"), reader.integer("as of")
        hashes = _read_hashes(reader.array("hashes", limits.REVOCATIONS))
        reader.end()
        return cls(issuer, signer, seq, as_of, hashes, signed)

    @classmethod
    def decode(cls, data: bytes) -> RevocationList:
        """Read the canonical bytes of one."""
        return cls.read(Signed.decode(data, limits.REVOCATIONS_BYTES, "revocation list"))

    @property
    def by_root(self) -> bool:
        """Whether the root key itself signed it, for which somebody typed the words."""
        return self.signer == self.issuer

    def verify(self, devices: Mapping[bytes, bytes]) -> None:
        """Check signer and signature; `devices` as for `Capability.verify`. The root key may sign
        as well.

        Raises `BrokenRevocationsError`.
        """
        if not self.by_root and devices.get(self.signer) != self.issuer:
            raise BrokenRevocationsError("its signer speaks for nobody known")
        try:
            signing.verify(self.signer, REVOCATION_DOMAIN, self.signed.body, self.signed.signature)
        except BadSignatureError:
            raise BrokenRevocationsError from None


def _read_hashes(items: list[Value]) -> frozenset[bytes]:
    reader = Reader(items, "revocation list")
    found = [reader.octets("hash", HASH_BYTES) for _ in items]
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise MalformedError("hashes out of order")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one identity's list.

    Three may sign: the root key, a device that may certify others, and any other device. No list
    gives way to one of a lesser signer, whatever its number, and what the least say of devices
    counts for nothing.

    `fork` holds two lists of one number that differ, if ever two such were seen. While `newest` is
    one of them, both count. Two by one signer are proof for everybody that this device lied or was
    copied; two by different ones may come of two who didn't know of each other. `root` is the list
    that the root key signed last, `minor` the newest of a device that may not certify; where
    nothing else is known, that is `newest`, and `decides` is False.
    """

    newest: RevocationList
    fork: tuple[RevocationList, RevocationList] | None = None
    root: RevocationList | None = None
    minor: RevocationList | None = None
    decides: bool = True

    @classmethod
    def of(cls, found: RevocationList, *, certifier: bool) -> Standing:
        """What is known after the first verified list; see `take`."""
        root = found if found.by_root else None
        return cls(found, root=root, decides=certifier or found.by_root)

    def take(self, found: RevocationList, *, certifier: bool = True) -> Standing:
        """What is known after a verified list of the same identity came; `certifier` says whether
        its signer may certify devices.

        Raises `OldRevocationsError` if it is older, and `RevokedDeviceError` if its signer has
        been revoked: a stolen device can't take that back.
        """
        if found.issuer != self.newest.issuer:
            raise ValueError("another identity's list")
        if found.signed.body in (each.signed.body for each in self.lists):
            return self
        if found.by_root:
            return self._take_root(found)
        if self.root is not None and found.as_of < self.root.as_of:
            raise OldRevocationsError("it is of before the root key's list")
        if certifier == self.decides and found.seq < self.newest.seq:
            raise OldRevocationsError
        if self.revokes_device(found.signer):
            raise RevokedDeviceError
        if not certifier and self.decides:
            return self._take_minor(found)
        if certifier and not self.decides:
            after = dataclasses.replace(self, newest=found, minor=self.newest, decides=True)
            return after._without_lost()
        return self._take_newer(found)

    def _take_newer(self, found: RevocationList) -> Standing:
        if found.seq == self.newest.seq:
            fork = (self.newest, found)
            return self if self._forked else dataclasses.replace(self, fork=fork)
        if found.as_of < self.newest.as_of:
            raise OldRevocationsError("it has a higher number and an earlier time")
        return dataclasses.replace(self, newest=found)._without_lost()

    def _without_lost(self) -> Standing:
        """What a device said that is revoked now, and might not certify, is not needed."""
        if self.minor is not None and self.revokes_device(self.minor.signer):
            return dataclasses.replace(self, minor=None)
        return self

    def _take_minor(self, found: RevocationList) -> Standing:
        known = self.minor
        if known is not None and (found.seq <= known.seq or found.as_of < known.as_of):
            raise OldRevocationsError
        return dataclasses.replace(self, minor=found)

    def _take_root(self, found: RevocationList) -> Standing:
        """Whatever number a device has used up, the words are there to be followed."""
        if self.root is not None and found.seq <= self.root.seq:
            raise OldRevocationsError
        return Standing(found, root=found)

    def renewed(
        self,
        signer: SigningKey,
        now: int,
        *,
        certifier: bool,
        add: Iterable[bytes] = (),
        drop: Iterable[bytes] = (),
    ) -> RevocationList:
        """The next list of a device of ours, with all that is taken back; or the one that stands,
        if there is nothing new and it is not a day old. `drop` takes out statements that have
        ended by themselves; devices stay in for ever.

        Raises `RevocationsFullError`.
        """
        mine = self.newest if certifier == self.decides else self.minor
        hashes = (self.hashes - frozenset(drop)) | frozenset(add)
        if (
            mine is not None
            and mine is not self.root
            and mine.hashes == hashes
            and now - mine.as_of < limits.REVOCATIONS_RENEWED_SECONDS
        ):
            return mine
        # It follows those of its kind and of those before: no lesser one can use up its numbers,
        # nor have it bear a time of the future.
        before = [self.newest] if self.decides or not certifier else []
        if self.minor is not None and not certifier:
            before.append(self.minor)
        seq = max((each.seq for each in before), default=0)
        if seq >= LAST_SEQ:
            raise RevocationsFullError("its number can't become higher")
        as_of = max([now, *(each.as_of for each in before)])
        return RevocationList.sign(signer, self.newest.issuer, seq + 1, as_of, hashes)

    @property
    def lists(self) -> tuple[RevocationList, ...]:
        """All that somebody else has to see to know the same, in this order."""
        root = () if self.root is None or self.root is self.newest else (self.root,)
        minor = () if self.minor is None else (self.minor,)
        return (*root, *minor, *(self.fork or ()), *(() if self._forked else (self.newest,)))

    @property
    def hashes(self) -> frozenset[bytes]:
        """All that is taken back."""
        return frozenset[bytes]().union(*(each.hashes for each in self._counting))

    @property
    def is_lie(self) -> bool:
        """Whether one device signed two lists of one number."""
        return self.fork is not None and self.fork[0].signer == self.fork[1].signer

    def revokes(self, digest: bytes) -> bool:
        """Whether this hash is taken back."""
        return any(digest in found.hashes for found in self._counting)

    def revokes_device(self, device: bytes) -> bool:
        """Whether this device is taken back, by who may."""
        digest = device_hash(device)
        return any(digest in found.hashes for found in self._deciding)

    def fresh(self, now: int) -> bool:
        """Whether it is young enough to say that something was not taken back.

        A time ahead of our clock says nothing about its age.
        """

        def young(found: RevocationList) -> bool:
            return now - found.as_of < limits.REVOCATIONS_SECONDS

        if any(now - found.as_of < -limits.CLOCK_SECONDS for found in self._counting):
            return False
        return all(map(young, self._latest)) or (self.minor is not None and young(self.minor))

    @property
    def _forked(self) -> bool:
        return self.fork is not None and self.fork[0].seq == self.newest.seq

    @property
    def _latest(self) -> tuple[RevocationList, ...]:
        return self.fork if self.fork is not None and self._forked else (self.newest,)

    @property
    def _deciding(self) -> tuple[RevocationList, ...]:
        root = () if self.root is None else (self.root,)
        return (*root, *self._latest) if self.decides else root

    @property
    def _counting(self) -> tuple[RevocationList, ...]:
        root = () if self.root is None else (self.root,)
        minor = () if self.minor is None else (self.minor,)
        return (*root, *self._latest, *minor)


@dataclass(frozen=True, slots=True)
class Revocations:
    """What the judge knows of everybody's lists. Its own is as new as anything can be."""

    known: Mapping[bytes, Standing] = field(default_factory=dict[bytes, Standing])
    own: bytes = b""
    certified_by: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """Device -> the device that certified it, as far as that is known; nothing for the root's."""

    def revokes(self, issuer: bytes, digest: bytes) -> bool:
        """Whether `issuer` took back the statement with this hash."""
        standing = self.known.get(issuer)
        return standing is not None and standing.revokes(digest)

    def revokes_device(self, identity: bytes, device: bytes) -> bool:
        """Whether `identity` took back this device of its own, or the one that certified it."""
        standing = self.known.get(identity)
        if standing is None:
            return False
        issuer = self.certified_by.get(device)
        return standing.revokes_device(device) or (
            issuer is not None and standing.revokes_device(issuer)
        )

    def revokes_chain(self, chain: DeviceChain) -> bool:
        """The same of a device that shows these papers: others that were known count no more."""
        standing = self.known.get(chain.identity)
        return standing is not None and any(
            standing.revokes_device(each.device) for each in chain.certificates
        )

    def stale(self, issuer: bytes, now: int) -> bool:
        """Whether `issuer` is known to revoke, and not known to have revoked nothing since."""
        standing = self.known.get(issuer)
        return standing is not None and issuer != self.own and not standing.fresh(now)
