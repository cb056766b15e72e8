"""What counts in the log of an album, and who is in it.

A pure function of the graph: whoever has the same entries comes to the same answer. Seats are
judged from the most senior one down, each by what those above it did, so there are no circles
(docs/spec/album.md, "Who may write the log").
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from ..crypto.identity import DeviceChain
from .album_errors import AlbumRefusedError, AlbumRemovedError, SeniorAdminError
from .album_graph import Graph, Pair
from .album_log import Create, Device, Drop, Epoch, Member, Op, Remove, Wraps
from .album_roles import Role, least
from .album_seats import (
    NOTHING,
    Given,
    Key,
    LetIn,
    Removal,
    Removals,
    Seat,
    after_each,
    bits,
    leaves,
    takes_writer_out,
)

_Standing = TypeVar("_Standing", Given, LetIn)


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
        self._removed: Final[dict[bytes, Removals]] = {}
        self._dropped: Final[dict[bytes, Removals]] = {}
        self._left: Final[dict[tuple[Key, int], int]] = {}
        """Of each seat that has ended the entries for which it has not."""
        self._own_removed: Final[dict[Pair, Removals]] = {}
        self._own_dropped: Final[dict[bytes, Removals]] = {}
        """Removals by the device whose seats they end, which may come after these were judged."""
        self._after: Final = after_each(graph)
        self._of_identity: Final[dict[bytes, list[Seat]]] = {}
        self._of_device: Final[dict[bytes, list[Seat]]] = {}
        self._given: Final[dict[bytes, list[Given]]] = {}
        self._let_in: Final[dict[bytes, list[LetIn]]] = {}
        self.seats: Final[list[Seat]] = []
        """All that were given by entries that count, ended or not, in their order."""
        self._waiting: Final[list[Seat]] = []
        self._pending: Final[dict[Pair, int]] = {}
        self._ranks: Final[dict[Pair, dict[int, tuple[bool, int, bytes]]]] = {}
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
            *self._removed.get(identity, NOTHING).found,
            *self._dropped.get(device, NOTHING).found,
        )

    def unseen_removals_of(self, identity: bytes, device: bytes, seen: int) -> list[Removal]:
        """Those of them that are not among `seen`."""
        entries = self._removed.get(identity, NOTHING).entries
        if not (entries | self._dropped.get(device, NOTHING).entries) & ~seen:
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
            self._end(seat)
            self._take(seat)
        for number in range(len(self.graph.entries)):
            if not self.counting >> number & 1:
                self.void[number] = AlbumRemovedError

    def _take(self, seat: Seat) -> None:
        """Count the entries that this seat allows, and do what is in them.

        Those by which the device leaves come first: what it wrote without knowing of them, on older
        entries, must not count because it has a lower number.
        """
        pair = seat.identity, seat.device
        allowed = self._pending_of(pair) & self._behind(seat) & self._left.get(seat.place, -1)
        if not allowed:
            return
        for number in sorted(bits(allowed), key=self._ranks[pair].__getitem__):
            if not self._left.get(seat.place, -1) >> number & 1:
                continue
            self._pending[pair] &= ~(1 << number)
            self.counting |= 1 << number
            for place, op in enumerate(self.graph.entries[number].ops):
                self._do(seat, number, place, op)

    def _pending_of(self, pair: Pair) -> int:
        """The entries of a device that do not count yet, so that one with many seats is not asked
        about all that it wrote once for each.
        """
        if pair not in self._pending:
            identity, device = pair
            entries, written = self.graph.entries, self.graph.by_device.get(device, ())
            mine = [number for number in written if entries[number].identity == identity]
            self._pending[pair] = sum(1 << number for number in mine)
            self._ranks[pair] = {
                one: (not leaves(entries[one]), entries[one].seq, entries[one].digest)
                for one in mine
            }
        return self._pending[pair]

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
        """A removal takes effect. Of the seats that were judged, which are no less senior, it ends
        those of the device that wrote it alone.
        """
        seat = removal.seat
        self.removals.append(removal)
        self._removing |= 1 << removal.entry
        match removal.op:
            case Remove(identity=identity):
                self._removed.setdefault(identity, Removals()).add(removal)
                own = self._own_removed.setdefault((identity, seat.device), Removals())
                own.add(removal)
                ends_itself = identity == seat.identity
            case Drop(device=device):
                self._dropped.setdefault(device, Removals()).add(removal)
                ends_itself = device == seat.device
                if ends_itself:
                    self._own_dropped.setdefault(device, Removals()).add(removal)
        if ends_itself and not self._is_before(removal, seat):
            reached = self.graph.past[removal.entry] | 1 << removal.entry
            self._left[seat.place] = self._left.get(seat.place, -1) & reached
        if takes_writer_out(removal.op, self.graph.entries[removal.entry]):
            self._leaving |= 1 << removal.entry

    def may_remove(self, seat: Seat, op: Remove | Drop) -> bool:
        """Whether a removal from this seat takes effect: no seat above it is in the way.

        All seats above were judged before, and whatever ends one of them was too.
        """
        if isinstance(op, Remove):
            return not self._is_in_the_way(self._of_identity.get(op.identity, []), seat)
        others = self._owners.get(op.device, set[bytes]()) - {seat.identity}
        near = [self._of_device.get(op.device, [])]
        near += [self._of_identity.get(owner, []) for owner in others]
        return not any(self._is_in_the_way(seats, seat) for seats in near)

    def _is_in_the_way(self, seats: list[Seat], seat: Seat) -> bool:
        """Whether one of these seats is above another one. Those that have ended are left out for
        good: else each removal would look at all that were ever given.
        """
        standing: list[Seat] = []
        for place, other in enumerate(seats):
            if self._has_ended(other):
                continue
            standing.append(other)
            own_root = not other.key[3] and other.identity == seat.identity
            if other < seat and not own_root:
                if len(standing) <= place:
                    seats[:] = [*standing, *seats[place + 1 :]]
                return True
        seats[:] = standing
        return False

    def _end(self, seat: Seat) -> None:
        """End a seat that is to be judged, by what removes its identity or device: all that is
        known by now is by a more senior seat, or by the same device.

        What it leaves matters for the entries alone that the seat may still count.
        """
        pair = seat.identity, seat.device
        matters = self._pending_of(pair) & self._behind(seat)
        removed = self._removed.get(seat.identity, NOTHING)
        for removals in (removed, self._dropped.get(seat.device, NOTHING)):
            acting = self._acting(removals, seat)
            if acting:
                left = self._left.get(seat.place, -1)
                self._left[seat.place] = left & self._reached(removals, acting, matters)

    def _reached(self, removals: Removals, acting: int, matters: int) -> int:
        """What is before all of these entries with a removal, or is one of them, as far as it
        matters.

        Of those that follow each other the first is asked alone, as the others reach more. Seats
        for which something is left have the same ones acting, so that is looked up.
        """
        if acting in removals.reached:
            return removals.reached[acting]
        past, rest, found = self.graph.past, acting, -1
        while rest:
            first = (rest & -rest).bit_length() - 1
            found &= past[first] | 1 << first
            if not found & matters:
                return 0
            rest &= ~(self._after[first] | 1 << first)
        removals.reached[acting] = found
        return found

    def _behind(self, seat: Seat) -> int:
        """The entries that are after what gave a seat, and the first one, which gave its own."""
        return self._after[seat.entry] | (seat.entry == 0)

    def _acting(self, removals: Removals, seat: Seat) -> int:
        """The entries with one of these removals that is not before what gave the seat."""
        acting = removals.entries & ~self.graph.past[seat.entry]
        if removals.last.get(seat.entry, seat.number) <= seat.number:
            acting &= ~(1 << seat.entry)
        return acting

    def _has_ended(self, seat: Seat) -> bool:
        if seat.place in self._left:
            return True
        own = self._own_removed.get((seat.identity, seat.device), NOTHING)
        dropped = self._own_dropped.get(seat.device, NOTHING)
        return bool(self._acting(own, seat) or self._acting(dropped, seat))

    def _is_before(self, one: Removal, other: Seat) -> bool:
        if one.entry == other.entry:
            return one.number < other.number
        return self.graph.is_before(one.entry, other.entry)

    def _ended(self, given: Given | LetIn, identity: bytes, device: bytes, seen: int) -> bool:
        """Whether a removal among `seen` acts on what was given: it is not before that."""
        here = 1 << given.entry
        before = self.graph.past[given.entry] | here
        for removals in (
            self._removed.get(identity, NOTHING), self._dropped.get(device, NOTHING),
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
