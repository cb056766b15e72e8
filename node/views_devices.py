"""The devices of one person, as they are shown; see `views`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """A device of this node's person. Times are in seconds since 1970.

    `device` is its key, `added_by` the name of the device that certified it; None if the words did.
    `last_seen` is None if it was never here; it says nothing of `this` one. With `may_certify` it
    can add and revoke others.
    """

    name: str
    device: str
    added: int
    added_by: str | None
    last_seen: int | None
    this: bool
    connected: bool
    may_certify: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class JoinedDevice:
    """What a new device became: its name, whose it is, and the device that added it."""

    name: str
    fingerprint: str
    device: str
    added_by: str
