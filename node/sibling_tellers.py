"""How things stand in the library, as devices of ours tell each other, and how that is changed.

A teller knows some kinds of things: what is to be said of one as it is here, and how the library
becomes as was said. Saying again what was just done says the same, so nothing goes in circles.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol


class Unsaid(Enum):
    """Nothing is to be said of a thing: this device does not have what it would say it of."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID

Said = bytes | Unsaid | None
"""The value of a thing as it is here; None if it is not there."""


class Told(Protocol):
    """What all devices of ours say, merged."""

    def value(self, kind: str, subject: bytes) -> bytes | None:
        """How a thing is to be; None if it is not to be there."""
        ...

    def subjects(self, kind: str, prefix: bytes) -> list[bytes]:
        """All things of a kind that anything was said of, whose subject begins so."""
        ...


class Teller(Protocol):
    """Knows some kinds of things."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which."""
        ...

    def thing(self, kind: str, subject: bytes) -> bytes:
        """The subject by which devices tell each other of what was noted under this one."""
        ...

    def said(self, kind: str, subject: bytes) -> Said:
        """How it is here."""
        ...

    def is_same(self, kind: str, subject: bytes, said: bytes | None, told: bytes | None) -> bool:
        """Whether what is here is what was told, so that nothing is to be said of it."""
        ...

    def apply(self, kind: str, subject: bytes, value: bytes | None) -> None:
        """Make it so here, within a transaction. Raises `MalformedError` for a value that can't
        be, and what its papers raise; then it stays as it is.
        """
        ...


class WordForWord:
    """What most tellers have: things go by what they were noted under, and are the same if their
    values are.
    """

    def thing(self, kind: str, subject: bytes) -> bytes:
        """That subject itself."""
        del kind
        return subject

    def is_same(self, kind: str, subject: bytes, said: bytes | None, told: bytes | None) -> bool:
        """Equal values."""
        del kind, subject
        return said == told


class ThereOrNot(WordForWord):
    """Of these things it matters only whether they are there."""

    def is_same(self, kind: str, subject: bytes, said: bytes | None, told: bytes | None) -> bool:
        """Both there, or both not."""
        del kind, subject
        return (said is None) == (told is None)
