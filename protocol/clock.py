"""The time by which things end: this machine's clock, and what one's own devices have seen since.

A clock that was set back must not bring expired grants back, and a clock somewhere else that runs
ahead must not end valid ones (docs/spec/revocation.md, "Time").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from . import limits


@dataclass(frozen=True, slots=True)
class Witness:
    """A moment that a device put its name to: seconds since 1970."""

    device: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Reckoning:
    """`now` is what to judge by. `aside` are times of trusted devices that were not believed, and
    `doubtful` says that some clock is more than five minutes wrong, this one or theirs.
    """

    now: int
    doubtful: bool = False
    aside: tuple[Witness, ...] = ()


def reckon(system: int, witnesses: Iterable[Witness], trusted: Collection[bytes]) -> Reckoning:
    """The later of the system's clock and what trusted devices witnessed.

    A time further than five minutes ahead of the system's clock is set aside and shown: it never
    moves the judgement. Other devices' times count for nothing.
    """
    heard = [witness for witness in witnesses if witness.device in trusted]
    latest = system + limits.CLOCK_SECONDS
    aside = tuple(witness for witness in heard if witness.time > latest)
    now = max([system, *(witness.time for witness in heard if witness.time <= latest)])
    return Reckoning(now, bool(aside), aside)
