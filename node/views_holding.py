"""What is held for others, as it is shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeldFor:
    """What this node holds for a contact, sealed: `items` envelopes, of `bytes` with their files,
    since `oldest`. `left_items` and `left_bytes` are what the contact left here for others.

    `holds` if more is taken in for it, and `lets` if the contact lets this node hold for it;
    `backup` if it may keep things here without end.
    """

    name: str
    holds: bool
    lets: bool
    backup: bool
    items: int
    bytes: int
    oldest: int | None
    left_items: int
    left_bytes: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What this node holds for others: for `everybody` but for those of whom something else was
    said. No more than `quota` bytes in all and `per_contact` for one and from one, for `days`.
    """

    everybody: bool
    quota: int
    per_contact: int
    days: int
    items: int
    bytes: int
    contacts: list[HeldFor]
