"""How often a peer may do what costs us: so many at once, and then so many a second."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Allowance:
    """A bucket that holds `most` turns and is filled with `per_second`. Time is an argument."""

    most: int
    per_second: float
    _left: float = field(init=False)
    _at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._left = self.most

    def take(self, now: float) -> bool:
        """Take one turn at `now` (seconds, never going back); False if there is none."""
        if self._at is not None:
            self._left = min(self.most, self._left + (now - self._at) * self.per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
