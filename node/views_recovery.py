"""What there is to get everything back with, and what comes back; see `views`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RecoveryHolder:
    """A contact that was asked for what it keeps of ours.

    `state` is `listing` while it shows that, `here`, `away`, or `done` once it is over. `entries`
    are those that opened; `refused` says how many did not count, by the code of why.
    """

    contact: str
    state: str
    entries: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class RecoveryDevice:
    """A device that left entries; times are seconds since 1970, by its own clock."""

    device: str
    entries: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RecoveryMissing:
    """A photo that does not come back, why, and whom that was asked of."""

    id: str
    code: str
    message: str
    holders: list[str]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came back from the words, and what was found.

    `state` is `off` if that was never wanted; `waiting` until a holder shows an entry; `running`;
    `incomplete` while what misses is not to be had from who is here; `done` or `stopped`, and then
    since `ended`. `bytes` are those of sealed photos. With `forked` two devices left different
    contacts, of which the later count; with `contacts_damaged` parts of them miss. Of
    `albums_found` shared albums this device is in `albums`, and `albums_waiting` have to let it in.
    """

    state: str
    photos: int = 0
    photos_found: int = 0
    bytes: int = 0
    bytes_found: int = 0
    contacts: int = 0
    contacts_found: int = 0
    contacts_damaged: bool = False
    albums: int = 0
    albums_found: int = 0
    albums_waiting: int = 0
    forked: bool = False
    ended: int | None = None
    holders: list[RecoveryHolder] = field(default_factory=list[RecoveryHolder])
    devices: list[RecoveryDevice] = field(default_factory=list[RecoveryDevice])
    missing: list[RecoveryMissing] = field(default_factory=list[RecoveryMissing])


def readiness(body: dict[str, Any]) -> Readiness:
    """A `Readiness` from its JSON."""
    holders = [ReadyHolder(**each) for each in body.pop("holders")]
    return Readiness(**body, holders=holders)


def recovery(body: dict[str, Any]) -> Recovery:
    """A `Recovery` from its JSON."""
    holders = [RecoveryHolder(**each) for each in body.pop("holders")]
    devices = [RecoveryDevice(**each) for each in body.pop("devices")]
    missing = [RecoveryMissing(**each) for each in body.pop("missing")]
    return Recovery(**body, holders=holders, devices=devices, missing=missing)


@dataclass(frozen=True, slots=True)
class ReadyHolder:
    """A contact that keeps a backup, of so many `photos`; `whole` is when it last said that it has
    all that was here, None if it never did.
    """

    contact: str
    photos: int
    whole: int | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """What there is to get everything back with: when a person last showed that they have the
    words, when a backup `file` was last written, and who keeps one, of the `photos` here.
    """

    words_checked: int | None
    file: int | None
    photos: int
    holders: list[ReadyHolder] = field(default_factory=list[ReadyHolder])
