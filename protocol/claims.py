"""Several sources of one blob: which pieces are asked of whom, so that each comes once.

    nothing claimed -> one source has it all -> a second takes half of what the first may not send
    yet -> who is done takes half again -> at the end, what a slow one owes is asked of a quick one

A source is asked for its whole share at once, and may send of it what the receiver gave credit for.
So a share has a part that is under way and a part that is held back, and what is held back can be
asked of somebody else without a word to the first: it is given no credit for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from ..crypto.errors import PieceMismatchError
from . import limits
from .transfer import Bitmap, runs

BESIDE: Final = 16
"""Pieces that one of several sources may have under way: 4 MiB, or 80 MB/s over 50 ms."""


class Share:
    """What one source is asked for by one fetch, in the order in which it sends it."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self.ranges = tuple(ranges)
        self._pieces = [index for first, count in ranges for index in range(first, first + count)]
        self._allowed = 0
        self._awaited: set[int] = set()
        self._open = set(self._pieces)
        self._unwritten: set[int] = set()
        self._cut = False

    @property
    def held_back(self) -> int:
        """How many it may not send yet."""
        return len(self._pieces) - self._allowed

    @property
    def claimed(self) -> set[int]:
        """Those that are not here and come from this source, or came and are to be written."""
        return self._open | self._unwritten

    @property
    def came(self) -> set[int]:
        """Those that came from it and are to be written."""
        return self._unwritten

    @property
    def done(self) -> bool:
        """Whether all of it is here, whoever brought it."""
        return not self._open and not self._unwritten

    @property
    def owed(self) -> bool:
        """Whether the source would send more if it was not stopped."""
        return self._cut or bool(self._awaited) or self.held_back > 0

    def allow(self, pieces: int) -> None:
        """The source was given credit for so many more, at most for those held back."""
        self._awaited.update(self._pieces[self._allowed : self._allowed + pieces])
        self._allowed += pieces

    def room(self, *, alone: bool) -> int:
        """How many more of it may be under way at most.

        Beside other sources never more than `BESIDE`, nor than what is held back: so the end is in
        many hands, and a slow source has little of it.
        """
        if alone:
            return self.held_back
        half = (self.held_back - len(self._awaited) + 1) // 2
        return max(min(half, BESIDE - len(self._awaited)), 0)

    def take(self, index: int) -> None:
        """A piece came from the source, to be checked; return only if it was to come."""
        if index not in self._awaited:
            raise PieceMismatchError(f"piece {index} was not asked for, or came before")
        self._awaited.discard(index)
        if index in self._open:
            self._open.discard(index)
            self._unwritten.add(index)

    def here(self, index: int) -> None:
        """A piece is here, by whomever."""
        self._open.discard(index)
        self._unwritten.discard(index)

    def halve(self) -> list[int]:
        """Give up the second half of what is held back; returns what is not here of it."""
        kept = len(self._pieces) - (self.held_back + 1) // 2
        given, self._pieces = self._pieces[kept:], self._pieces[:kept]
        self._cut = self._cut or bool(given)
        missing = [index for index in given if index in self._open]
        self._open.difference_update(missing)
        return missing


class Claims:
    """The shares of all sources of one blob, of which `have` is here."""

    def __init__(self, have: Bitmap) -> None:
        self.have = have
        self._shares: list[Share] = []

    def claim(self, *, again: bool = False) -> Share | None:
        """A share for a source that has none.

        All that nobody was asked for; else half of the most that somebody's is held back; else, if
        `again`, half of what is under way from others, so that it comes twice in the worst case.
        """
        pieces = self._unclaimed() or self._half()
        if again and not pieces:
            pieces = self._under_way()
        ranges = runs(pieces, limits.RANGES)
        if not ranges:
            return None
        share = Share(ranges)
        self._shares.append(share)
        return share

    def release(self, share: Share) -> None:
        """A source's fetch has ended: what is not here of its share is nobody's again."""
        self._shares.remove(share)

    def here(self, index: int) -> None:
        """A piece was checked and written."""
        self.have.add(index)
        for share in self._shares:
            share.here(index)

    def _missing(self) -> Iterable[int]:
        return (index for index in range(self.have.size) if index not in self.have)

    def _unclaimed(self) -> list[int]:
        claimed = set[int]().union(*(share.claimed for share in self._shares))
        return [index for index in self._missing() if index not in claimed]

    def _half(self) -> list[int]:
        while self._shares:
            most = max(self._shares, key=lambda share: share.held_back)
            if not most.held_back:
                break
            if pieces := most.halve():
                return pieces
        return []

    def _under_way(self) -> list[int]:
        """Of those that fewest sources are asked for, the ones that come last."""
        asked = Counter(index for share in self._shares for index in share.claimed)
        for share in self._shares:
            for index in share.came:
                del asked[index]
        if not asked:
            return []
        fewest = min(asked.values())
        pieces = sorted(index for index, sources in asked.items() if sources == fewest)
        return pieces[len(pieces) // 2 :]
