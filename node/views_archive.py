"""What is told of backup files; see `views`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveProgress:
    """So many bytes of all were written, read or checked."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Archived:
    """A backup file that was written whole, or one that was checked.

    `size` is in bytes, `time` when it was made, in seconds since 1970. Of `missing` sealed files
    the home had no whole one when it was written.
    """

    file: str
    photos: int
    size: int
    missing: int
    time: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A home that was made from a backup file: a new device of the identity in it.

    `certified_by` is `words` or `device`: of the backed-up device, which the new one then depends
    on. In `albums` this device may write at once, in `waiting` albums once an admin of them was
    met. `undelivered` photos had not arrived; they are not sent again by themselves.
    """

    home: str
    fingerprint: str
    photos: int
    contacts: int
    missing: int
    time: int
    certified_by: str
    albums: int
    waiting: int
    undelivered: int
