"""What admins do: found an album, let people in, take them out, change its key.

Each function makes one entry, signs it, adds it to the album, and returns it with the wraps that
go with it. Times, nonces and new keys are arguments: `key` is 32 random bytes that were never used
before, and is used where the rules ask for another key (docs/spec/album.md, "Epochs").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..crypto.signing import SigningKey
from . import limits
from .album import Album
from .album_errors import AlbumDeniedError, KeyDueError
from .album_keys import KeyRing, Recipient, WrapSet, key_id
from .album_log import (
    Create,
    Device,
    Drop,
    History,
    LogEntry,
    Member,
    Name,
    Op,
    Remove,
    Tier,
)
from .album_roles import OPERATIONS, Role, caveats
from .album_seats import Seat
from .capability import Audience, Capability
from .rendition import Rendition

Due = Literal["removal", "merge", "age", "newcomers"]
"""Why the key has to change: no safe one, some that the newest does not lead to, an old one. Or why
it has to be given to more devices."""


@dataclass(frozen=True, slots=True)
class Written:
    """An entry, and the wraps that it names, if it names any: each device fetches its own."""

    entry: LogEntry
    wraps: WrapSet | None = None


@dataclass(frozen=True, slots=True)
class Founded:
    """A new album, its founder's keys, and the first entry."""

    album: Album
    keys: KeyRing
    written: Written


def found(
    signer: SigningKey,
    chain: DeviceChain,
    time: int,
    nonce: bytes,
    key: Secret,
    *,
    history: History = "all",
    tier: Rendition,
) -> Founded:
    """Found an album; who does is its owner. `nonce` is 16 random bytes."""
    wraps = WrapSet.seal(key, b"", (), signer.public, [Recipient(chain.device, chain.kem)])
    ops: list[Op] = [Create(nonce, history, tier, chain), wraps.epoch()]
    entry = LogEntry.sign(signer, chain.identity, b"", 0, (), time, ops)
    album = Album(entry)
    return Founded(album, KeyRing(album.album_id, [key]), Written(entry, wraps))


@dataclass(frozen=True, slots=True)
class _Change:
    """Ops, whom they let in, and which devices they take out."""

    ops: Sequence[Op]
    let_in: Mapping[bytes, DeviceChain] = field(default_factory=dict[bytes, DeviceChain])
    taken_out: frozenset[bytes] = frozenset()


class Admin:
    """A device that has a seat, or the owner's root key, and what it does.

    Each method raises `AlbumDeniedError` where what it writes would not count.
    """

    def __init__(self, album: Album, signer: SigningKey, identity: bytes, keys: KeyRing) -> None:
        self._album: Final = album
        self._signer: Final = signer
        self._identity: Final = identity
        self._keys: Final = keys

    def invite(
        self,
        time: int,
        role: Role,
        chains: Sequence[DeviceChain],
        nonce: bytes,
        key: Secret,
    ) -> Written:
        """Let an identity in with these devices, 1 to 8, or give it a higher role.

        Who has a higher role than this one is taken out first, in the same entry. `nonce` is 16
        random bytes. Raises `UnsupportedGrantError` for admins more than three deep.
        """
        identity, view = chains[0].identity, self._album.view
        op = Member(identity, role, self._grant(identity, role, nonce), _ordered(chains))
        let_in = {chain.device: chain for chain in chains}
        before = view.members.get(identity)
        if before is None or OPERATIONS[role] >= OPERATIONS.get(before, OPERATIONS["admin"]):
            return self._write(time, _Change([op], let_in), key)
        removal = self._removal(identity)
        return self._write(time, _Change([removal, op], let_in, self._devices_of(identity)), key)

    def let_in(self, time: int, chain: DeviceChain, key: Secret) -> Written:
        """Let a further device of a member in."""
        if chain.identity not in self._album.view.members:
            raise AlbumDeniedError("it is no member's device")
        return self._write(time, _Change([Device(chain)], {chain.device: chain}), key)

    def remove(self, time: int, identity: bytes, key: Secret) -> Written:
        """Take an identity out, and change the key: one's own too, if another admin is left.

        Who leaves does not make the next key, as they would know it: another admin does.
        """
        op = self._removal(identity)
        return self._write(time, _Change([op], taken_out=self._devices_of(identity)), key)

    def drop(self, time: int, device: bytes, key: Secret) -> Written:
        """Take a device out, and change the key; as `remove`, where it is this one."""
        op = Drop(device, self._tips([device]))
        if not self._album.authority.may_remove(self._seat(), op):
            raise AlbumDeniedError
        return self._write(time, _Change([op], taken_out=frozenset([device])), key)

    def rotate(self, time: int, key: Secret) -> Written:
        """Change the key because a person asks for it."""
        return self._write(time, _Change([]), key, rotate=True)

    def set_tier(self, time: int, tier: Rendition, key: Secret) -> Written:
        """Say in which rendition photos are added from here on."""
        return self._write(time, _Change([Tier(tier)]), key)

    def set_name(self, time: int, name: str, key: Secret) -> Written:
        """Name the album, under the key of now; 1 to 255 bytes, else `ValueError`.

        Raises `KeyDueError` if the key has to change first, `NoAlbumKeyError` if it is not here.
        """
        safe = self._album.authority.safe_epochs()
        if not safe:
            raise KeyDueError
        current = safe[0][1].key_id
        sealed = self._keys.seal_text(current, "name", name)
        return self._write(time, _Change([Name(current, sealed)]), key)

    def due(self, now: int) -> Due | None:
        """Why there is something to do for the key now, or None."""
        authority = self._album.authority
        safe = authority.safe_epochs()
        if not safe:
            return "removal"
        number, epoch = safe[0]
        age = now - self._album.graph.entries[number].time
        if age >= limits.ALBUM_EPOCH_SECONDS or age < -limits.CLOCK_SECONDS:
            return "age"
        if self._apart(epoch.key_id):
            return "merge"
        return "newcomers" if authority.newcomers(number) else None

    def settle(self, now: int, key: Secret) -> Written | None:
        """Do what is due; None if nothing is."""
        due = self.due(now)
        if due is None:
            return None
        return self._write(now, _Change([]), key, rotate=due != "newcomers")

    def _write(self, time: int, change: _Change, key: Secret, *, rotate: bool = False) -> Written:
        self._check(change.ops)
        album = self._album
        parents = sorted(album.graph.heads)[: limits.ALBUM_HEADS]
        if self._leaves(change.ops):
            return Written(self._sign(time, parents, change.ops))
        safe = album.authority.safe_epochs()
        newcomers = {**(album.authority.newcomers(safe[0][0]) if safe else {}), **change.let_in}
        rotate = rotate or not safe or any(isinstance(op, Remove | Drop) for op in change.ops)
        if not rotate and newcomers:
            current = safe[0][1].key_id
            from_join = album.graph.created.history == "from-join"
            rotate = from_join or current not in self._keys or self._apart(current)
        if rotate:
            return self._rotate(time, parents, change, key)
        if not newcomers:
            return Written(self._sign(time, parents, change.ops))
        wraps = self._seal(self._keys.get(safe[0][1].key_id), parents, newcomers.values())
        return Written(self._sign(time, parents, [*change.ops, wraps.later()]), wraps)

    def _rotate(self, time: int, parents: Sequence[bytes], change: _Change, key: Secret) -> Written:
        from_join = self._album.graph.created.history == "from-join"
        staying = {
            device: chain
            for device, chain in self._album.view.devices.items()
            if device not in change.taken_out
        }
        wraps = self._seal(key, parents, {**staying, **change.let_in}.values())
        past = {} if from_join else self._keys.past_under(key, self._unchained())
        named = self._name_under(key) if from_join else []
        entry = self._sign(time, parents, [*change.ops, wraps.epoch(past), *named])
        self._keys.add(key)
        return Written(entry, wraps)

    def _sign(self, time: int, parents: Sequence[bytes], ops: Sequence[Op]) -> LogEntry:
        album = self._album
        seq = 1 + max(album.graph.entries[album.graph.numbers[head]].seq for head in parents)
        entry = LogEntry.sign(self._signer, self._identity, album.album_id, seq, parents, time, ops)
        album.take(entry)
        return entry

    def _check(self, ops: Sequence[Op]) -> None:
        """Whether this device may write now, and whoever is left can change the key.

        The owner's root key keeps its seat when the owner leaves: it comes back as a member first.
        """
        self._seat()
        back = any(isinstance(op, Member) and op.identity == self._identity for op in ops)
        if self._identity not in self._album.view.members and not back:
            raise AlbumDeniedError
        others = {
            seat.device
            for seat in self._album.authority.successors()
            if seat.device != self._signer.public
            and not any(isinstance(op, Remove) and op.identity == seat.identity for op in ops)
        }
        if self._leaves(ops) and not others:
            raise AlbumDeniedError("nobody would be left who can change the key")

    def _leaves(self, ops: Sequence[Op]) -> bool:
        """Whether who writes these ops takes itself out by them."""
        return any(
            (isinstance(op, Remove) and op.identity == self._identity)
            or (isinstance(op, Drop) and op.device == self._signer.public)
            for op in ops
        )

    def _seal(
        self, key: Secret, parents: Iterable[bytes], chains: Iterable[DeviceChain]
    ) -> WrapSet:
        recipients = [Recipient(chain.device, chain.kem) for chain in chains]
        return WrapSet.seal(key, self._album.album_id, parents, self._signer.public, recipients)

    def _name_under(self, key: Secret) -> list[Name]:
        """The album's name once more, for those who get no earlier key."""
        name = self._album.view.name
        if name is None or name.key_id not in self._keys:
            return []
        text = self._keys.open_text(name.key_id, "name", name.sealed)
        self._keys.add(key)
        return [Name(key_id(key), self._keys.seal_text(key_id(key), "name", text))]

    def _unchained(self) -> list[bytes]:
        """Earlier keys that are here and that no epoch whose key is here adds."""
        epochs = [
            epoch for _, epoch in self._album.graph.all_epochs() if epoch.key_id in self._keys
        ]
        added = {name for epoch in epochs for name, _ in epoch.past}
        names = {epoch.key_id for epoch in epochs} - added
        return sorted(names)[: limits.ALBUM_PAST]

    def _apart(self, current: bytes) -> bool:
        """Whether there are keys here to which the current one does not lead, as it should."""
        is_all = self._album.graph.created.history == "all"
        return is_all and bool(set(self._unchained()) - {current})

    def _seat(self) -> Seat:
        seat = self._album.authority.seat_of(self._identity, self._signer.public)
        if seat is None:
            raise AlbumDeniedError
        return seat

    def _grant(self, identity: bytes, role: Role, nonce: bytes) -> Capability:
        graph = self._album.graph
        parent = graph.grant_for(self._identity) if self._identity != graph.owner else None
        return Capability.grant(
            self._signer,
            self._identity,
            Audience("identity", identity),
            caveats(graph.album, role),
            nonce,
            parent,
        )

    def _removal(self, identity: bytes) -> Remove:
        op = Remove(identity, self._tips(sorted(self._album.graph.devices(identity))))
        if not self._album.authority.may_remove(self._seat(), op):
            raise AlbumDeniedError
        return op

    def _tips(self, devices: Iterable[bytes]) -> tuple[bytes, ...]:
        tips = self._album.feeds.tips
        found = sorted({tip for device in devices for tip in tips.get(device, ())})
        return tuple(found[: limits.ALBUM_HEADS])

    def _devices_of(self, identity: bytes) -> frozenset[bytes]:
        devices, holders = self._album.view.devices, self._album.authority.holders
        return frozenset(device for device in devices if holders(device) == {identity})


def _ordered(chains: Sequence[DeviceChain]) -> tuple[DeviceChain, ...]:
    return tuple(sorted(chains, key=lambda chain: chain.device))
