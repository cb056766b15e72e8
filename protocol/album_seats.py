"""Seats of the log of an album and what ends them: what `album_authority` judges with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ..crypto.identity import DeviceChain
from .album_graph import Graph
from .album_log import Drop, LogEntry, Op, Remove
from .album_roles import Role

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


def takes_writer_out(op: Op, entry: LogEntry) -> bool:
    """Whether an op is by the identity or the device that it takes out."""
    match op:
        case Remove():
            return op.identity == entry.identity
        case Drop():
            return op.device == entry.device
        case _:
            return False


def leaves(entry: LogEntry) -> bool:
    """Whether an entry takes its writer out."""
    return any(takes_writer_out(op, entry) for op in entry.ops)


def bits(mask: int) -> Iterator[int]:
    """The numbers in a set, ascending."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


class Removals:
    """What takes one identity or one device out."""

    def __init__(self) -> None:
        self.found: Final[list[Removal]] = []
        self.entries = 0
        self.last: Final[dict[int, int]] = {}
        """Of each of these entries, the number of its last such op."""
        self.reached: Final[dict[int, int]] = {}
        """What is before all of some of them, see `Authority._reached`."""

    def add(self, removal: Removal) -> None:
        """One more that takes effect."""
        self.found.append(removal)
        self.entries |= 1 << removal.entry
        self.last[removal.entry] = max(removal.number, self.last.get(removal.entry, 0))


NOTHING: Final = Removals()


def after_each(graph: Graph) -> list[int]:
    """Of each entry, all that it is before."""
    found = [0] * len(graph.entries)
    for number in range(len(graph.entries) - 1, 0, -1):
        entry = graph.entries[number]
        for parent in entry.parents:
            found[graph.numbers[parent]] |= found[number] | 1 << number
    return found
