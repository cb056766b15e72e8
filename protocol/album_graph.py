"""The log of an album as a graph: which entries may be in it, and what is before what.

Whether an entry may be in it depends on itself and on what is before it alone, so the order in
which entries come makes no difference. Whether it counts is another matter (`album_authority`).
Entries have numbers here, in the order in which they came; sets of them are integers, a bit each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ..crypto.errors import MalformedError
from . import limits
from .album_errors import (
    AlbumEpochError,
    AlbumFullError,
    AlbumGapError,
    AlbumGrantError,
    AlbumStrangerError,
    OtherAlbumError,
)
from .album_log import (
    Create,
    Device,
    Epoch,
    LogEntry,
    Member,
    Name,
    Op,
    Wraps,
)
from .album_roles import OPERATIONS, caveats
from .capability import Audience, Capability
from .errors import BrokenGrantError

Pair = tuple[bytes, bytes]
"""An identity and a device of it."""


class Graph:
    """The log of one album, from its first entry on."""

    def __init__(self, first: LogEntry) -> None:
        create = first.ops[0]
        if not isinstance(create, Create):
            raise MalformedError("an album begins with create")
        self.album: Final = first.album_id
        self.owner: Final = first.identity
        self.created: Final = create
        self.entries: Final[list[LogEntry]] = []
        self.past: Final[list[int]] = []
        """Of each entry, all that are before it."""
        self.numbers: Final[dict[bytes, int]] = {}
        self.heads: Final[set[bytes]] = set()
        self.by_device: Final[dict[bytes, list[int]]] = {}
        self.let_in: Final[dict[Pair, list[int]]] = {}
        """By which entries a device was let in as this identity's, whether they count or not."""
        self.forks: Final[dict[bytes, tuple[LogEntry, LogEntry]]] = {}
        """Of a device that wrote two entries of which none is before the other, the first two."""
        self._written: Final[dict[bytes, int]] = {}
        self._seats: Final[dict[Pair, int]] = {(first.identity, first.identity): 1}
        self._epochs: Final[dict[bytes, list[int]]] = {}
        self._grants: Final[dict[bytes, list[tuple[int, Capability]]]] = {}
        self._check_ops(first, 0)
        first.verify()
        self._add(first, 0)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self.numbers

    def take(self, entry: LogEntry, *, verified: bool = False) -> None:
        """Add an entry that is not here. `verified` says that its signature was checked before.

        Raises the reasons of docs/spec/album.md, "Reader of the log"; then nothing has changed.
        """
        if entry.album != self.album:
            raise OtherAlbumError
        if any(parent not in self.numbers for parent in entry.parents):
            raise AlbumGapError
        parents = [self.numbers[parent] for parent in entry.parents]
        past = 0
        for number in parents:
            past |= self.past[number]
        if any(past >> number & 1 for number in parents):
            raise MalformedError("a parent is before another")
        if entry.seq != 1 + max(self.entries[number].seq for number in parents):
            raise MalformedError("album entry: seq")
        for number in parents:
            past |= 1 << number
        if not self._seats.get((entry.identity, entry.device), 0) & past:
            raise AlbumStrangerError
        self._check_ops(entry, past)
        if not verified:
            entry.verify()
        kept = 0 if entry.identity == self.owner else limits.ALBUM_OWNER_ENTRIES
        if len(self.entries) >= limits.ALBUM_LOG_ENTRIES - kept:
            raise AlbumFullError
        self._add(entry, past)

    def seen(self, digests: Iterable[bytes]) -> int:
        """These entries and all that are before them. Raises `AlbumGapError`."""
        found = 0
        for digest in digests:
            number = self.numbers.get(digest)
            if number is None:
                raise AlbumGapError
            found |= self.past[number] | 1 << number
        return found

    def is_before(self, one: int, other: int) -> bool:
        """Whether entry `one` is before `other`."""
        return bool(self.past[other] >> one & 1)

    def missing(self, heads: Iterable[bytes]) -> list[LogEntry]:
        """What somebody lacks who has these entries and all before them, parents first."""
        known = self.seen(head for head in heads if head in self.numbers)
        return [entry for number, entry in enumerate(self.entries) if not known >> number & 1]

    def epochs(self, key_id: bytes, seen: int) -> list[int]:
        """The entries among `seen` that begin the epoch of this key: one, or somebody lies."""
        return [number for number in self._epochs.get(key_id, ()) if seen >> number & 1]

    def all_epochs(self) -> Iterator[tuple[int, Epoch]]:
        """Each entry that begins an epoch, and the epoch."""
        for number, entry in enumerate(self.entries):
            if entry.epoch is not None:
                yield number, entry.epoch

    def grant_for(self, identity: bytes) -> Capability | None:
        """The newest capability here that the log gave to this identity as an admin's."""
        for _, found in reversed(self._grants.get(identity, [])):
            if found.links[-1].caveats.operations == OPERATIONS["admin"]:
                return found
        return None

    def devices(self, identity: bytes) -> set[bytes]:
        """The devices that were ever let in as this identity's."""
        return {device for owner, device in self.let_in if owner == identity}

    def _check_ops(self, entry: LogEntry, past: int) -> None:
        here = entry.epoch.key_id if entry.epoch else None
        if here is not None and self.epochs(here, past):
            raise AlbumEpochError("the key is there already")
        for op in entry.ops:
            match op:
                case Epoch():
                    if op.past and self.created.history != "all":
                        raise AlbumEpochError("earlier keys are not given here")
                case Wraps() | Name():
                    if op.key_id != here and not self.epochs(op.key_id, past):
                        raise AlbumEpochError("the key is not there")
                    if isinstance(op, Wraps) and self.created.history != "all":
                        raise AlbumEpochError("a key is not given later here")
                case Member():
                    self._check_grant(entry, op, past)
                case _:
                    pass

    def _check_grant(self, entry: LogEntry, op: Member, past: int) -> None:
        *before, last = op.capability.links
        parent = op.capability.parent
        given = any(
            past >> number & 1 and parent == found
            for number, found in self._grants.get(entry.identity, ())
        )
        wanted = caveats(self.album, op.role)
        if (
            last.issuer != entry.identity
            or last.signer != entry.device
            or last.audience != Audience("identity", op.identity)
            or last.caveats != wanted
            or (not given if entry.identity != self.owner else bool(before))
        ):
            raise AlbumGrantError
        # The last link is by the seated device that writes, those before were checked when given.
        signers = {link.signer: link.issuer for link in op.capability.links}
        try:
            op.capability.verify(self.owner, signers)
        except BrokenGrantError:
            raise AlbumGrantError from None

    def _add(self, entry: LogEntry, past: int) -> None:
        number = len(self.entries)
        bit = 1 << number
        written = self._written.get(entry.device, 0)
        apart = written & ~past
        if apart and entry.device not in self.forks:
            other = apart.bit_length() - 1
            self.forks[entry.device] = (self.entries[other], entry)
        self._written[entry.device] = written | bit
        self.by_device.setdefault(entry.device, []).append(number)
        self.entries.append(entry)
        self.past.append(past)
        self.numbers[entry.digest] = number
        self.heads.difference_update(entry.parents)
        self.heads.add(entry.digest)
        for op in entry.ops:
            for pair, seat in _devices(entry, op):
                self.let_in.setdefault(pair, []).append(number)
                if seat:
                    self._seats[pair] = self._seats.get(pair, 0) | bit
            if isinstance(op, Epoch):
                self._epochs.setdefault(op.key_id, []).append(number)
            elif isinstance(op, Member):
                self._grants.setdefault(op.identity, []).append((number, op.capability))


def _devices(entry: LogEntry, op: Op) -> Iterator[tuple[Pair, bool]]:
    """The devices that an op lets in, and whether each gets a seat by it."""
    match op:
        case Create():
            yield (op.chain.identity, op.chain.device), True
        case Member():
            for chain in op.chains:
                yield (op.identity, chain.device), op.role == "admin"
        case Device():
            yield (op.chain.identity, op.chain.device), op.chain.identity == entry.identity
        case _:
            pass
