"""What counts in the log of an album, and who is in it.

A pure function of the graph: whoever has the same entries comes to the same answer. Seats are
judged from the most senior one down, each by what those above it did, so there are no circles
(docs/spec/album.md, "Who may write the log").
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ..crypto.identity import DeviceChain
from .album_errors import AlbumRefusedError, AlbumRemovedError, SeniorAdminError
from .album_graph import Graph, Pair
from .album_log import Create, Device, Drop, Epoch, LogEntry, Member, Op, Remove, Wraps
from .album_roles import Role, least

Key = tuple[int, int, bytes, bytes]
"""The order of a seat: depth, seq, hash of the entry that gave it, device (empty for the root)."""


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """A device's right to write the log. The lower seat is the senior one."""

    key: Key
    entry: int = field(compare=False)
    number: int = field(compare=False)
    """Of the op in the entry."""
    identity: bytes = field(compare=False)
    device: bytes = field(compare=False)

    @property
    def place(self) -> tuple[Key, int]:
        """What tells it from all others: one entry can give a device two."""
        return self.key, self.number


@dataclass(frozen=True, slots=True)
class Removal:
    """A `remove` or `drop` that takes effect."""

    entry: int
    number: int
    seat: Seat
    op: Remove | Drop


@dataclass(frozen=True, slots=True)
class Given:
    """A role that was given to an identity by an entry that counts."""

    entry: int
    number: int
    identity: bytes
    role: Role


@dataclass(frozen=True, slots=True)
class LetIn:
    """A device that was let in by an entry that counts."""

    entry: int
    number: int
    chain: DeviceChain


_Standing = TypeVar("_Standing", Given, LetIn)


def _takes_writer_out(op: Op, entry: LogEntry) -> bool:
    """Whether an op is by the identity or the device that it takes out."""
    match op:
        case Remove():
            return op.identity == entry.identity
        case Drop():
            return op.device == entry.device
        case _:
            return False


def _leaves(entry: LogEntry) -> bool:
    return any(_takes_writer_out(op, entry) for op in entry.ops)


class _Removals:
    """What takes one identity or one device out."""

    def __init__(self) -> None:
        self.found: Final[list[Removal]] = []
        self.entries = 0
        self.last: Final[dict[int, int]] = {}
        """Of each of these entries, the number of its last such op."""

    def add(self, removal: Removal) -> None:
        self.found.append(removal)
        self.entries |= 1 << removal.entry
        self.last[removal.entry] = max(removal.number, self.last.get(removal.entry, 0))


_NOTHING: Final = _Removals()


class Authority:
    """The judged log."""

    def __init__(self, graph: Graph) -> None:
        self.graph: Final = graph
        self.counting = 0
        """The entries that count."""
        self.void: Final[dict[int, type[AlbumRefusedError]]] = {}
        """The others and why; also removals that count and have no effect."""
        self.removals: Final[list[Removal]] = []
        self._removing = 0
        self._leaving = 0
        self._safe: list[tuple[int, Epoch]] | None = None
        self._removed: Final[dict[bytes, _Removals]] = {}
        self._dropped: Final[dict[bytes, _Removals]] = {}
        self._left: Final[dict[tuple[Key, int], int]] = {}
        """Of each seat that has ended the entries for which it has not."""
        self._of_identity: Final[dict[bytes, list[Seat]]] = {}
        self._of_device: Final[dict[bytes, list[Seat]]] = {}
        self._given: Final[dict[bytes, list[Given]]] = {}
        self._let_in: Final[dict[bytes, list[LetIn]]] = {}
        self.seats: Final[list[Seat]] = []
        """All that were given by entries that count, ended or not, in their order."""
        self._waiting: Final[list[Seat]] = []
        self._pending: Final[dict[Pair, list[int]]] = {}
        self._owners: Final[dict[bytes, set[bytes]]] = {}
        for identity, device in graph.let_in:
            self._owners.setdefault(device, set()).add(identity)
        self._judge()
        self._roles: Final[dict[tuple[bytes, int], Role | None]] = {}
        self._chains: Final[dict[tuple[bytes, bytes, int], LetIn | None]] = {}

    # Who is in the album, by what counts among the entries `seen`.

    def role(self, identity: bytes, seen: int) -> Role | None:
        """The role of an identity, or None if it is not in the album."""
        place = (identity, seen)
        if place not in self._roles:
            standing = [
                given
                for given in self._given.get(identity, ())
                if seen >> given.entry & 1 and not self._ended(given, identity, b"", seen)
            ]
            roles: list[Role] = [given.role for given in _last(self.graph, standing)]
            self._roles[place] = least(roles) if roles else None
        return self._roles[place]

    def chain(self, identity: bytes, device: bytes, seen: int) -> DeviceChain | None:
        """The newest papers of a device that is in the album as this identity's, or None."""
        found = self._standing(identity, device, seen)
        return found.chain if found else None

    def _standing(self, identity: bytes, device: bytes, seen: int) -> LetIn | None:
        place = (identity, device, seen)
        if place not in self._chains:
            standing = [
                found
                for found in self._let_in.get(device, ())
                if found.chain.identity == identity
                and seen >> found.entry & 1
                and not self._ended(found, identity, device, seen)
            ]
            last = _last(self.graph, standing) if self.role(identity, seen) else []
            entries = self.graph.entries
            self._chains[place] = min(
                last, key=lambda found: entries[found.entry].digest, default=None
            )
        return self._chains[place]

    def members(self) -> dict[bytes, Role]:
        """The identities that are in the album, and their roles."""
        everything = self.everything
        found: dict[bytes, Role] = {}
        for identity in sorted(self._given):
            role = self.role(identity, everything)
            if role is not None:
                found[identity] = role
        return found

    def devices(self) -> dict[bytes, DeviceChain]:
        """The devices that are in the album."""
        everything, found = self.everything, dict[bytes, DeviceChain]()
        for device in sorted(self._let_in):
            for identity in sorted(self._owners[device]):
                chain = self.chain(identity, device, everything)
                if chain is not None:
                    found[device] = chain
        return found

    def holders(self, device: bytes) -> set[bytes]:
        """The identities as whose this device is in the album: one, unless somebody claims it."""
        everything = self.everything
        owners = self._owners.get(device, set[bytes]())
        return {owner for owner in owners if self.chain(owner, device, everything)}

    def newcomers(self, epoch: int) -> dict[bytes, DeviceChain]:
        """The devices in the album that were let in too late for the wraps of this epoch."""
        begun = self.graph.entries[epoch].epoch
        reached = self.graph.past[epoch] | 1 << epoch
        for number, entry in enumerate(self.graph.entries):
            if self.counting >> number & 1 and any(
                isinstance(op, Wraps) and begun is not None and op.key_id == begun.key_id
                for op in entry.ops
            ):
                reached |= self.graph.past[number] | 1 << number
        late: dict[bytes, DeviceChain] = {}
        for device, chain in self.devices().items():
            found = self._standing(chain.identity, device, self.everything)
            if found is not None and not reached >> found.entry & 1:
                late[device] = chain
        return late

    def successors(self) -> list[Seat]:
        """The seats that have not ended, of devices that are in the album, in their order."""
        return [
            seat
            for seat in self.seats
            if seat.key[3]
            and not self._has_ended(seat)
            and self.chain(seat.identity, seat.device, self.everything)
        ]

    def seat_of(self, identity: bytes, device: bytes) -> Seat | None:
        """The most senior seat of a device that has not ended."""
        mine = [
            seat
            for seat in self.seats
            if (seat.identity, seat.device) == (identity, device) and not self._has_ended(seat)
        ]
        return mine[0] if mine else None

    @property
    def everything(self) -> int:
        """All entries."""
        return (1 << len(self.graph.entries)) - 1

    # Epochs.

    def covers(self, epoch: int, seen: int) -> bool:
        """Whether every removal among `seen` is before this epoch, or in the same entry.

        One of who wrote the entry is not: they know the key that they made.
        """
        here = 1 << epoch & ~self._leaving
        return not self._removing & seen & ~(self.graph.past[epoch] | here)

    def safe_epochs(self) -> list[tuple[int, Epoch]]:
        """The epochs that count and exclude all who were removed, the one to use first."""
        if self._safe is not None:
            return self._safe
        everything = self.everything
        found = [
            (number, epoch)
            for number, epoch in self.graph.all_epochs()
            if self.counting >> number & 1 and self.covers(number, everything)
        ]
        entries = self.graph.entries
        self._safe = sorted(
            found, key=lambda pair: (-entries[pair[0]].seq, entries[pair[0]].digest)
        )
        return self._safe

    def removals_of(self, identity: bytes, device: bytes) -> Iterable[Removal]:
        """What took this identity or this device out."""
        return (
            *self._removed.get(identity, _NOTHING).found,
            *self._dropped.get(device, _NOTHING).found,
        )

    def unseen_removals_of(self, identity: bytes, device: bytes, seen: int) -> list[Removal]:
        """Those of them that are not among `seen`."""
        entries = self._removed.get(identity, _NOTHING).entries
        if not (entries | self._dropped.get(device, _NOTHING).entries) & ~seen:
            return []
        return [each for each in self.removals_of(identity, device) if not seen >> each.entry & 1]

    # Judging.

    def _judge(self) -> None:
        first = self.graph.entries[0]
        root = Seat((0, 0, first.digest, b""), 0, 0, first.identity, first.identity)
        self._waiting.append(root)
        heapq.heappush(
            self._waiting,
            Seat((0, 0, first.digest, first.device), 0, 0, first.identity, first.device),
        )
        while self._waiting:
            seat = heapq.heappop(self._waiting)
            self.seats.append(seat)
            self._of_identity.setdefault(seat.identity, []).append(seat)
            self._of_device.setdefault(seat.device, []).append(seat)
            for removal in self.removals_of(seat.identity, seat.device):
                self._end(removal, seat)
            self._take(seat)
        for number in range(len(self.graph.entries)):
            if not self.counting >> number & 1:
                self.void[number] = AlbumRemovedError

    def _take(self, seat: Seat) -> None:
        """Count the entries that this seat allows, and do what is in them.

        Those by which the device leaves come first: what it wrote without knowing of them, on older
        entries, must not count because it has a lower number.
        """
        entries = self.graph.entries
        pending, left = self._pending_of(seat.identity, seat.device), list[int]()
        for number in pending:
            if (
                not (self.graph.is_before(seat.entry, number) or number == seat.entry == 0)
                or not self._left.get(seat.place, -1) >> number & 1
            ):
                left.append(number)
                continue
            self.counting |= 1 << number
            for place, op in enumerate(entries[number].ops):
                self._do(seat, number, place, op)
        self._pending[seat.identity, seat.device] = left

    def _pending_of(self, identity: bytes, device: bytes) -> list[int]:
        """The entries of a device that do not count yet, so that one with many seats is not asked
        about all that it wrote once for each.
        """
        if (identity, device) not in self._pending:
            entries, written = self.graph.entries, self.graph.by_device.get(device, ())
            self._pending[identity, device] = sorted(
                (number for number in written if entries[number].identity == identity),
                key=lambda one: (not _leaves(entries[one]), entries[one].seq, entries[one].digest),
            )
        return self._pending[identity, device]

    def _do(self, seat: Seat, number: int, place: int, op: Op) -> None:
        match op:
            case Create():
                self._give(Given(number, place, seat.identity, "owner"))
                self._let(LetIn(number, place, op.chain))
            case Member():
                self._give(Given(number, place, op.identity, op.role))
                for chain in op.chains:
                    self._let(LetIn(number, place, chain))
                    if op.role == "admin":
                        self._seat(seat, number, place, chain)
            case Device():
                self._let(LetIn(number, place, op.chain))
                if op.chain.identity == seat.identity:
                    self._seat(seat, number, place, op.chain)
            case Remove() | Drop():
                if self.may_remove(seat, op):
                    self._remove(Removal(number, place, seat, op))
                else:
                    self.void[number] = SeniorAdminError
            case _:
                pass

    def _give(self, given: Given) -> None:
        self._given.setdefault(given.identity, []).append(given)

    def _let(self, found: LetIn) -> None:
        self._let_in.setdefault(found.chain.device, []).append(found)

    def _seat(self, by: Seat, number: int, place: int, chain: DeviceChain) -> None:
        entry = self.graph.entries[number]
        key = (by.key[0] + 1, entry.seq, entry.digest, chain.device)
        heapq.heappush(self._waiting, Seat(key, number, place, chain.identity, chain.device))

    def _remove(self, removal: Removal) -> None:
        self.removals.append(removal)
        self._removing |= 1 << removal.entry
        match removal.op:
            case Remove(identity=identity):
                self._removed.setdefault(identity, _Removals()).add(removal)
                ended = self._of_identity.get(identity, ())
            case Drop(device=device):
                self._dropped.setdefault(device, _Removals()).add(removal)
                ended = self._of_device.get(device, ())
        for seat in ended:
            self._end(removal, seat)
        if _takes_writer_out(removal.op, self.graph.entries[removal.entry]):
            self._leaving |= 1 << removal.entry

    def may_remove(self, seat: Seat, op: Remove | Drop) -> bool:
        """Whether a removal from this seat takes effect: no seat above it is in the way.

        All seats above were judged before, and whatever ends one of them was too.
        """
        if isinstance(op, Remove):
            near = self._of_identity.get(op.identity, [])
        else:
            others = self._owners.get(op.device, set[bytes]()) - {seat.identity}
            near = [
                *self._of_device.get(op.device, ()),
                *(other for owner in others for other in self._of_identity.get(owner, ())),
            ]
        return not any(
            other < seat
            and not self._has_ended(other)
            and (other.key[3] or other.identity != seat.identity)  # one's own root
            for other in near
        )

    def _end(self, removal: Removal, seat: Seat) -> None:
        """End a seat whose device or identity is removed, if this removal can."""
        can = removal.seat < seat or removal.seat.device == seat.device
        if can and not self._is_before(removal, seat):
            reached = self.graph.past[removal.entry] | 1 << removal.entry
            self._left[seat.place] = self._left.get(seat.place, -1) & reached

    def _has_ended(self, seat: Seat) -> bool:
        return seat.place in self._left

    def _is_before(self, one: Removal, other: Seat) -> bool:
        if one.entry == other.entry:
            return one.number < other.number
        return self.graph.is_before(one.entry, other.entry)

    def _ended(self, given: Given | LetIn, identity: bytes, device: bytes, seen: int) -> bool:
        """Whether a removal among `seen` acts on what was given: it is not before that."""
        here = 1 << given.entry
        before = self.graph.past[given.entry] | here
        for removals in (
            self._removed.get(identity, _NOTHING), self._dropped.get(device, _NOTHING),
        ):  # fmt: skip
            if removals.entries & seen & ~before:
                return True
            if removals.entries & here and removals.last[given.entry] > given.number:
                return True
        return False


def _last(graph: Graph, found: Sequence[_Standing]) -> list[_Standing]:
    """Those that are before no other of them."""
    before, numbers = 0, dict[int, int]()
    for one in found:
        before |= graph.past[one.entry]
        numbers[one.entry] = max(one.number, numbers.get(one.entry, 0))
    return [
        one for one in found if not before >> one.entry & 1 and one.number == numbers[one.entry]
    ]
