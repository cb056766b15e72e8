"""What is said about what the devices of one person have in common; see `views`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """How far another device of this person is, as far as is known here.

    `behind` counts what was said on this device or reached it, and the other one is not known to
    have; `lacks` the photos that it waits for, as it said itself when it was `heard` last (seconds
    since 1970); both are None for one that said nothing yet.
    """

    name: str
    device: str
    connected: bool
    heard: int | None
    behind: int
    lacks: int | None


@dataclass(frozen=True, slots=True)
class DeviceKeeping:
    """What is kept on this device of the photos that all devices of this person have together.

    `keep` is `originals`, `previews` or `nothing`; `space` in bytes is the room for originals,
    None: as much as there is. `coming` photos are on their way here, `away` ones stay with another
    device, `pinned` ones are here whatever else.
    """

    keep: str
    space: int | None
    coming: int
    away: int
    pinned: int


@dataclass(frozen=True, slots=True)
class AwayPhoto:
    """A photo whose original is with another device of this person. `name` and `bytes` are None
    until something of it came; `preview` if there is one here, `coming` if the original is on its
    way.
    """

    id: str
    name: str | None
    bytes: int | None
    added: int
    preview: bool
    coming: bool


@dataclass(frozen=True, slots=True)
class TrashedPhoto:
    """A photo that was removed on another device of this person. Until `until` (seconds since 1970)
    it lies on this one and can be brought back.
    """

    id: str
    name: str
    bytes: int
    until: int
