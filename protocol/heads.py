"""Heads: what a device says of its identity, chained, so that it can't say two things.

Each device keeps one chain of signed heads: which devices there are as far as it knows, and what
was taken back. Contacts keep the heads that they see and compare them with each other. Two heads
of one device that can't be in one chain are a `Fork`: proof for everybody that this device was
copied, or lies.

docs/spec/heads.md is the format. What two contacts compare is veiled: who does not know an
identity learns nothing from its line but that there is one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding, signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import BadSignatureError, MalformedError
from ..crypto.signing import Signed, SigningKey
from . import limits
from .errors import BrokenHeadError
from .opening import Entropy

HEAD_DOMAIN: Final = b"kinlight/head1"
DIGEST_BYTES: Final = 32
TAG_BYTES: Final = 16
LINE_BYTES: Final = TAG_BYTES + 8 + DIGEST_BYTES

_DIGEST: Final = b"kinlight/head1\x00"
_TAG: Final = b"kinlight/head-tag1"
_VEIL: Final = b"kinlight/head-veil1"


@dataclass(frozen=True, slots=True)
class Head:
    """One link of the chain of the device `signer`.

    `previous` is the digest of the one before, empty in the first; `time` in seconds since 1970.
    `devices` ascend. `revoked` is the SHA-256 of what it takes back, empty if that is nothing.
    """

    identity: bytes
    signer: bytes
    seq: int
    previous: bytes
    time: int
    devices: tuple[bytes, ...]
    revoked: bytes
    signed: Signed

    @classmethod
    def sign(
        cls,
        signer: SigningKey,
        identity: bytes,
        before: Head | None,
        *,
        time: int,
        devices: Iterable[bytes],
        revoked: bytes,
    ) -> Head:
        """The head that follows `before`; without one the first of this device."""
        seq, previous = (0, b"") if before is None else (before.seq + 1, before.digest)
        found = tuple(sorted(devices))
        body: Value = [
            1, "head", identity, signer.public, seq, previous, time, list(found), revoked,
        ]  # fmt: skip
        signed = signer.sign_value(HEAD_DOMAIN, body)
        return cls(identity, signer.public, seq, previous, time, found, revoked, signed)

    @classmethod
    def read(cls, signed: Signed) -> Head:
        """Read a head; nothing of it is verified yet. Raises `MalformedError`."""
        reader = Reader(signed.unverified(), "head")
        reader.literal(1, "head")
        identity = signing.check_public_key(reader.octets("identity", signing.KEY_BYTES))
        signer = signing.check_public_key(reader.octets("signer", signing.KEY_BYTES))
        seq = reader.integer("seq", 2**63 - 1)
        previous = reader.octets("previous", DIGEST_BYTES if seq else 0)
        time = reader.integer("time", 2**63 - 1)
        items = reader.array("devices", limits.HEAD_DEVICES)
        devices = tuple(
            each for each in items if isinstance(each, bytes) and len(each) == signing.KEY_BYTES
        )
        if len(devices) != len(items) or sorted(set(devices)) != list(devices):
            raise MalformedError("head: devices")
        revoked = reader.octets("revoked", maximum=DIGEST_BYTES)
        if len(revoked) not in (0, DIGEST_BYTES):
            raise MalformedError("head: revoked")
        reader.end()
        return cls(identity, signer, seq, previous, time, devices, revoked, signed)

    @classmethod
    def decode(cls, data: bytes) -> Head:
        """Read the canonical bytes of one."""
        return cls.read(Signed.decode(data, limits.HEAD_BYTES, "head"))

    def encode(self) -> bytes:
        """Its canonical bytes."""
        return self.signed.encode()

    @property
    def digest(self) -> bytes:
        """SHA-256 of what is signed: two signatures under one statement are one head."""
        return hashlib.sha256(_DIGEST + self.signed.body).digest()

    def verify(self, devices: Mapping[bytes, bytes]) -> None:
        """Check that its signer speaks for its identity, by verified certificates (device ->
        identity), and signed it. Raises `BrokenHeadError`.
        """
        if devices.get(self.signer) != self.identity:
            raise BrokenHeadError("its signer is no device of its identity")
        try:
            signing.verify(self.signer, HEAD_DOMAIN, self.signed.body, self.signed.signature)
        except BadSignatureError:
            raise BrokenHeadError from None

    def says(self, devices: Iterable[bytes], revoked: bytes) -> bool:
        """Whether it says just that, so that no new one is needed."""
        return self.devices == tuple(sorted(devices)) and self.revoked == revoked


@dataclass(frozen=True, slots=True)
class Fork:
    """Two heads of one device that can't be in one chain; `one` is not the later of them."""

    one: Head
    other: Head

    @classmethod
    def of(cls, one: Head, other: Head) -> Fork | None:
        """The proof in two verified heads, if there is one."""
        if (one.identity, one.signer) != (other.identity, other.signer):
            return None
        if one.seq > other.seq:
            one, other = other, one
        if one.seq == other.seq:
            # In an order of their own, so that the proof is the same whoever found it.
            first, second = sorted((one, other), key=lambda head: head.digest)
            return None if first.digest == second.digest else cls(first, second)
        if one.seq + 1 == other.seq and other.previous != one.digest:
            return cls(one, other)
        return None

    def verify(self, devices: Mapping[bytes, bytes]) -> None:
        """Check a proof that somebody shows. Raises `BrokenHeadError`."""
        self.one.verify(devices)
        self.other.verify(devices)
        if Fork.of(self.one, self.other) is None:
            raise BrokenHeadError("the two heads fit into one chain")


def find_fork(known: Iterable[Head], found: Head) -> Fork | None:
    """The proof that a verified head makes with what is known of its device."""
    for head in known:
        fork = Fork.of(head, found)
        if fork is not None:
            return fork
    return None


# Comparing.


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest head of one device that somebody has."""

    seq: int
    digest: bytes


def line(head: Head, exporter: bytes, speaker: bytes) -> bytes:
    """What `speaker`, a device at one end of the channel, says of a head: only who knows whose it
    is can find and read it, and on this channel alone.
    """
    key = _key(head.identity, head.signer, exporter, speaker)
    plain = head.seq.to_bytes(8) + head.digest
    return _tag(key) + _veiled(key, plain)


def look_up(
    lines: Mapping[bytes, bytes], identity: bytes, signer: bytes, exporter: bytes, speaker: bytes
) -> Seen | None:
    """What `speaker` said of a device of somebody, if anything, in lines as `read_lines` gives."""
    key = _key(identity, signer, exporter, speaker)
    veiled = lines.get(_tag(key))
    if veiled is None:
        return None
    plain = _veiled(key, veiled)
    return Seen(int.from_bytes(plain[:8]), plain[8:])


def join_lines(lines: Iterable[bytes], entropy: Entropy) -> bytes:
    """Lines in no order of ours, filled up so that their number tells few sizes."""
    found = list(lines)[: limits.HEAD_LINES]
    found += [entropy(LINE_BYTES) for _ in range(-len(found) % limits.HEAD_STEP)]
    return b"".join(sorted(found))


def read_lines(data: bytes) -> dict[bytes, bytes]:
    """Tag -> what is veiled under it. Raises `MalformedError`."""
    if not data or len(data) % (limits.HEAD_STEP * LINE_BYTES):
        raise MalformedError("the number of lines")
    cut = [data[start : start + LINE_BYTES] for start in range(0, len(data), LINE_BYTES)]
    return {each[:TAG_BYTES]: each[TAG_BYTES:] for each in cut}


def _key(identity: bytes, signer: bytes, exporter: bytes, speaker: bytes) -> bytes:
    return hmac.digest(exporter, encoding.encode([identity, signer, speaker]), "sha256")


def _tag(key: bytes) -> bytes:
    return hmac.digest(key, _TAG, "sha256")[:TAG_BYTES]


def _veiled(key: bytes, data: bytes) -> bytes:
    """The same both ways. A key is used for one line, so the stream is used once."""
    stream = hmac.digest(key, _VEIL, "sha512")
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))
