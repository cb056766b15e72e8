"""Entries of an album's log: who is in it, with which devices, and under which key.

Here is their form alone. What they are worth is judged in `album_graph` (may it be in the log) and
`album_authority` (does it count). See docs/spec/album.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from ..crypto import signing
from ..crypto.encoding import Reader, Value
from ..crypto.errors import MalformedError
from ..crypto.identity import MAX_CHAIN_BYTES, DeviceChain
from ..crypto.signing import Signed, SigningKey
from ..crypto.wrap import WRAP_OVERHEAD
from . import limits
from .album_roles import GIVEN, Role
from .capability import Capability
from .rendition import Rendition

LOG_DOMAIN: Final = b"kinlight/album-log1"
ALBUM_ID_BYTES: Final = 16
HASH_BYTES: Final = 32
NONCE_BYTES: Final = 16
KEY_BYTES: Final = 32
LAST_TIME: Final = 2**63 - 1

History = Literal["all", "from-join"]

_HISTORIES: Final[tuple[History, ...]] = ("all", "from-join")
_ALBUM: Final = b"kinlight/album-id1\x00"


@dataclass(frozen=True, slots=True)
class Create:
    """Founds the album. `tier` is the rendition in which photos are added to it."""

    nonce: bytes
    history: History
    tier: Rendition
    chain: DeviceChain

    def to_value(self) -> Value:
        """The op as it is signed, as with all ops."""
        return ["create", self.nonce, self.history, self.tier.to_value(), self.chain.encoded]


@dataclass(frozen=True, slots=True)
class Member:
    """Gives `identity` a role, and lets devices of it in."""

    identity: bytes
    role: Role
    capability: Capability
    chains: tuple[DeviceChain, ...]

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        chains: Value = [chain.encoded for chain in self.chains]
        return ["member", self.identity, self.role, self.capability.encoded, chains]


@dataclass(frozen=True, slots=True)
class Device:
    """Lets a further device of a member in."""

    chain: DeviceChain

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        return ["device", self.chain.encoded]


@dataclass(frozen=True, slots=True)
class Remove:
    """Takes `identity` out; of its feeds counts what `heads` lead to."""

    identity: bytes
    heads: tuple[bytes, ...]

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        return ["remove", self.identity, list(self.heads)]


@dataclass(frozen=True, slots=True)
class Drop:
    """Takes `device` out; of its feed counts what `heads` lead to."""

    device: bytes
    heads: tuple[bytes, ...]

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        return ["drop", self.device, list(self.heads)]


@dataclass(frozen=True, slots=True)
class Epoch:
    """Names another key by its `key_id`. `past` are earlier keys, each under this one."""

    key_id: bytes
    wraps_hash: bytes
    count: int
    past: tuple[tuple[bytes, bytes], ...] = ()

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        past: Value = [list(pair) for pair in self.past]
        return ["epoch", self.key_id, self.wraps_hash, self.count, past]


@dataclass(frozen=True, slots=True)
class Wraps:
    """Gives the key `key_id` to devices that came later."""

    key_id: bytes
    wraps_hash: bytes
    count: int

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        return ["wraps", self.key_id, self.wraps_hash, self.count]


@dataclass(frozen=True, slots=True)
class Tier:
    """Says in which rendition photos are added from here on."""

    rendition: Rendition

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        return ["tier", self.rendition.to_value()]


@dataclass(frozen=True, slots=True)
class Name:
    """Names the album, under the key `key_id`."""

    key_id: bytes
    sealed: bytes

    def to_value(self) -> Value:
        """See `Create.to_value`."""
        return ["name", self.key_id, self.sealed]


Op = Create | Member | Device | Remove | Drop | Epoch | Wraps | Tier | Name


@dataclass(frozen=True, slots=True, eq=False)
class LogEntry:
    """One entry, read and not verified. `album` is empty in the first one."""

    album: bytes
    seq: int
    parents: tuple[bytes, ...]
    identity: bytes
    device: bytes
    time: int
    ops: tuple[Op, ...]
    signed: Signed
    digest: bytes

    @classmethod
    def sign(
        cls,
        device: SigningKey,
        identity: bytes,
        album: bytes,
        seq: int,
        parents: Sequence[bytes],
        time: int,
        ops: Sequence[Op],
    ) -> LogEntry:
        """Make one. Raises `MalformedError` for what every reader would refuse by its form."""
        body: Value = [
            1, "alog", album, seq, sorted(parents), identity, device.public, time,
            [op.to_value() for op in ops],
        ]  # fmt: skip
        return cls.read(device.sign_value(LOG_DOMAIN, body))

    @classmethod
    def read(cls, signed: Signed) -> LogEntry:
        """Check the form. Raises `MalformedError` and `BadCertificateError`."""
        if len(signed.body) > limits.ALBUM_ENTRY_BYTES:
            raise MalformedError("album entry: too long")
        reader = Reader(signed.unverified(), "album entry")
        reader.literal(1, "alog")
        album = reader.octets("album", maximum=ALBUM_ID_BYTES)
        seq = reader.integer("seq", LAST_TIME)
        parents = read_hashes(reader, "parents", limits.ALBUM_HEADS)
        identity = reader.octets("identity", signing.KEY_BYTES)
        device = reader.octets("device", signing.KEY_BYTES)
        time = reader.integer("time", LAST_TIME)
        ops = tuple(_read_op(item) for item in reader.array("ops", limits.ALBUM_OPS))
        reader.end()
        first = not parents
        if not ops or len(album) != (0 if first else ALBUM_ID_BYTES) or first != (seq == 0):
            raise MalformedError("album entry")
        for number, op in enumerate(ops):
            if isinstance(op, Create) != (first and number == 0):
                raise MalformedError("album entry: create")
        if isinstance(ops[0], Create):
            chain = ops[0].chain
            if (chain.identity, chain.device) != (identity, device):
                raise MalformedError("album entry: founder")
        if sum(isinstance(op, Epoch) for op in ops) > 1:
            raise MalformedError("album entry: epochs")
        return cls(
            album, seq, parents, identity, device, time, ops, signed, signed.digest()
        )  # fmt: skip

    def verify(self) -> None:
        """Check the signature. Raises `BadSignatureError`."""
        signing.verify(self.device, LOG_DOMAIN, self.signed.body, self.signed.signature)

    @property
    def album_id(self) -> bytes:
        """Of which album it is; the first entry's own hash makes the id."""
        made = hashlib.sha256(_ALBUM + self.signed.encode()).digest()[:ALBUM_ID_BYTES]
        return self.album or made

    @property
    def epoch(self) -> Epoch | None:
        """The epoch that it begins, if it does."""
        return next((op for op in self.ops if isinstance(op, Epoch)), None)


def read_hashes(reader: Reader, field: str, most: int) -> tuple[bytes, ...]:
    """Hashes in ascending order, each once."""
    items = reader.array(field, most)
    inner = Reader(items, field)
    found = tuple(inner.octets("hash", HASH_BYTES) for _ in items)
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise MalformedError(f"{field} out of order")
    return found


def _read_op(item: Value) -> Op:
    if not isinstance(item, list):
        raise MalformedError("album op")
    reader = Reader(item, "album op")
    match reader.text("name", 16):
        case "create":
            nonce = reader.octets("nonce", NONCE_BYTES)
            history = reader.text("history", 16)
            if history not in _HISTORIES:
                raise MalformedError("album op: history")
            op: Op = Create(nonce, history, _read_tier(reader), _read_chain(reader))
        case "member":
            op = _read_member(reader)
        case "device":
            op = Device(_read_chain(reader))
        case "remove":
            identity = signing.check_public_key(reader.octets("identity", signing.KEY_BYTES))
            op = Remove(identity, read_hashes(reader, "heads", limits.ALBUM_HEADS))
        case "drop":
            device = signing.check_public_key(reader.octets("device", signing.KEY_BYTES))
            op = Drop(device, read_hashes(reader, "heads", limits.ALBUM_HEADS))
        case "epoch":
            op = Epoch(*_read_wraps(reader), _read_past(reader))
        case "wraps":
            op = Wraps(*_read_wraps(reader))
        case "tier":
            op = Tier(_read_tier(reader))
        case "name":
            key_id = reader.octets("id", KEY_BYTES)
            op = Name(key_id, read_sealed(reader, limits.ALBUM_NAME_BYTES))
        case _:
            raise MalformedError("album op: name")
    reader.end()
    return op


def _read_member(reader: Reader) -> Member:
    identity = signing.check_public_key(reader.octets("identity", signing.KEY_BYTES))
    role = reader.text("role", 16)
    if role not in GIVEN:
        raise MalformedError("album op: role")
    capability = Capability.decode(reader.octets("capability", maximum=limits.CAPABILITY_BYTES))
    items = reader.array("chains", limits.ALBUM_DEVICES_AT_ONCE)
    inner = Reader(items, "chains")
    chains = tuple(_read_chain(inner) for _ in items)
    devices = [chain.device for chain in chains]
    if any(chain.identity != identity for chain in chains) or not chains:
        raise MalformedError("album op: chains")
    if any(later <= earlier for earlier, later in pairwise(devices)):
        raise MalformedError("album op: devices out of order")
    return Member(identity, role, capability, chains)


def _read_chain(reader: Reader) -> DeviceChain:
    return DeviceChain.decode(reader.octets("chain", maximum=MAX_CHAIN_BYTES))


def _read_tier(reader: Reader) -> Rendition:
    tier = Rendition.read(reader.array("tier", 8))
    if tier is None:
        raise MalformedError("album op: tier")
    return tier


def _read_wraps(reader: Reader) -> tuple[bytes, bytes, int]:
    key_id, wraps_hash = reader.octets("id", KEY_BYTES), reader.octets("wraps hash", HASH_BYTES)
    count = reader.integer("count", limits.ALBUM_WRAPS)
    if not count:
        raise MalformedError("album op: count")
    return key_id, wraps_hash, count


def _read_past(reader: Reader) -> tuple[tuple[bytes, bytes], ...]:
    found: list[tuple[bytes, bytes]] = []
    for item in reader.array("past", limits.ALBUM_PAST):
        if not isinstance(item, list):
            raise MalformedError("album op: past")
        pair = Reader(item, "past")
        found.append(
            (pair.octets("id", KEY_BYTES), pair.octets("wrapped", KEY_BYTES + WRAP_OVERHEAD))
        )
        pair.end()
    if any(later[0] <= earlier[0] for earlier, later in pairwise(found)):
        raise MalformedError("album op: past out of order")
    return tuple(found)


def read_sealed(reader: Reader, most: int) -> bytes:
    """A sealed text of 1 to `most` bytes."""
    sealed = reader.octets("sealed", maximum=most + WRAP_OVERHEAD)
    if len(sealed) <= WRAP_OVERHEAD:
        raise MalformedError("sealed text")
    return sealed
