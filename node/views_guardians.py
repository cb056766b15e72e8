"""What is told of guardians; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Guardian:
    """A contact with share `number`; not `kept` yet while it was not met since `since`."""

    contact: str
    number: int
    kept: bool
    since: int


@dataclass(frozen=True, slots=True)
class GuardedFor:
    """A contact for whom a share is kept here: `number` of `count`, of which `need` are needed."""

    contact: str
    number: int
    count: int
    need: int
    since: int


@dataclass(frozen=True, slots=True)
class Guarded:
    """The same with the 33 words of the share."""

    contact: str
    number: int
    count: int
    need: int
    since: int
    share: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Guardians:
    """Who guards our words, of whom `need` together make them again, and for whom we do."""

    need: int
    guardians: list[Guardian] = field(default_factory=list[Guardian])
    guarded: list[GuardedFor] = field(default_factory=list[GuardedFor])


def guardians(body: dict[str, Any]) -> Guardians:
    """A `Guardians` from its JSON."""
    return Guardians(
        body["need"],
        [Guardian(**each) for each in body["guardians"]],
        [GuardedFor(**each) for each in body["guarded"]],
    )
