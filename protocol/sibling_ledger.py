"""Which records of the devices of one identity are kept, which are sent, and which count.

Of each device and each thing the latest record is kept, so that what a device said can be taken
back when it turns out to be stolen. All devices that have the same records agree on how things
are, in whatever order these came (docs/spec/siblings.md, "Merging").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Final, Protocol

from ..crypto.errors import BadCertificateError, MalformedError
from . import limits
from .errors import TooMuchError
from .siblings import (
    LAST_MOMENT,
    SiblingRecord,
    Vector,
    dots_of,
    fields_of,
    is_ahead,
    is_present,
    present,
)

CUT: Final = "cut"
"""The kind of a record that says up to which moment the records of a revoked device count."""


class Merge(Enum):
    """How the words of several devices about one thing become one."""

    LAST = "the later word counts"
    SET = "what was added stays, unless that very word is taken back"


class Kept(Protocol):
    """Where records are kept: of each device and each thing at most one."""

    def about(self, kind: str, subject: bytes) -> list[SiblingRecord]:
        """All records about one thing."""
        ...

    def put(self, record: SiblingRecord) -> None:
        """Keep a record, in place of an earlier one of its device about the same thing."""
        ...

    def beyond(self, device: bytes, moment: int, most: int) -> list[SiblingRecord]:
        """The records of a device after a moment, the earliest first, at most so many."""
        ...

    def drop_beyond(self, device: bytes, moment: int) -> list[tuple[str, bytes]]:
        """Forget those; what they were about."""
        ...

    def count(self, device: bytes) -> int:
        """How many there are of a device."""
        ...

    def heads(self) -> dict[bytes, int]:
        """The moment of the last record of each device."""
        ...

    def vector(self) -> dict[bytes, int]:
        """What was noted last."""
        ...

    def set_vector(self, vector: Vector) -> None:
        """Note up to which moment nothing is missing of each device."""
        ...


class Taken(Enum):
    """What became of a record."""

    NEW = "it says something new"
    KNOWN = "it is here, or a later one is"
    LATER = "it may count later: its moment is ahead of the clock, or it is not known up to where"
    VOID = "its device was revoked, and this came after what counts of it"


class Ledger:
    """The records of one identity, as this device has them."""

    def __init__(
        self, kept: Kept, *, identity: bytes, device: bytes, revoked: Callable[[bytes], bool]
    ) -> None:
        """`revoked` says whether the identity took a device back, as far as is known here."""
        self.kept: Final = kept
        self._identity = identity
        self._device = device
        self._revoked = revoked

    def cut(self, device: bytes) -> int | None:
        """The moment up to which the records of a device count: of one that is revoked the lowest
        that another device of ours named. None if nobody did yet.
        """
        if not self._revoked(device):
            return LAST_MOMENT
        about = self.kept.about(CUT, device)
        named = [_moment_in(record) for record in about if record.device != device]
        return min(named, default=None)

    def value(self, kind: str, merge: Merge, subject: bytes) -> bytes | None:
        """How a thing is: what is said of it, or None if it is not there or nothing was said."""
        return merged(merge, self.kept.about(kind, subject))

    # What others have to be told.

    def missing(self, peer: Vector) -> Iterator[list[SiblingRecord]]:
        """The records that another device lacks, by what it says that it has: some of one device at
        a time, the earliest first.
        """
        for device in sorted(self.kept.heads()):
            moment = peer.get(device, 0)
            while page := self.kept.beyond(device, moment, limits.SIBLING_BATCH):
                yield page
                moment = page[-1].moment

    @property
    def vector(self) -> dict[bytes, int]:
        """What is here. Of its own a device has all."""
        heads, noted = self.kept.heads(), self.kept.vector()
        if self._device in heads:
            noted[self._device] = heads[self._device]
        return {device: min(noted[device], heads[device]) for device in noted if device in heads}

    # What comes.

    def take(self, record: SiblingRecord, now: int) -> Taken:
        """Keep a record that was verified, if it says something new.

        Raises `BadCertificateError` for another identity's, `TooMuchError`.
        """
        if record.identity != self._identity:
            raise BadCertificateError("a record of another identity")
        if is_ahead(record.moment, now):
            return Taken.LATER
        about = self.kept.about(record.kind, record.subject)
        earlier = next((each for each in about if each.device == record.device), None)
        if earlier is not None and earlier.order >= record.order:
            return Taken.KNOWN
        cut = self.cut(record.device)
        if cut is None:
            return Taken.LATER
        if record.moment > cut:
            return Taken.VOID
        if earlier is None:
            self._check_room(record.device)
        self.kept.put(record)
        return Taken.NEW

    def _check_room(self, device: bytes) -> None:
        count = self.kept.count(device)
        if count >= limits.SIBLING_RECORDS:
            raise TooMuchError("records of one device")
        if not count and len(self.kept.heads()) >= limits.SIBLING_DEVICES:
            raise TooMuchError("devices that told something")

    def complete(self, vector: Vector, later: Mapping[bytes, int]) -> None:
        """All came that the sender has up to this vector; `later` has the first moment of each
        device of which something was put off.

        What it says counts only as far as a record of that device is here: the last one that a
        device wrote is always among those that are kept.
        """
        heads, known = self.kept.heads(), self.kept.vector()
        for device, moment in vector.items():
            reached = min(moment, heads.get(device, 0), later.get(device, LAST_MOMENT) - 1)
            if reached > known.get(device, 0):
                known[device] = reached
        self.kept.set_vector(known)

    def cut_off(self) -> list[tuple[str, bytes]]:
        """After news of revoked devices or of cuts: forget what does not count; what that was
        about.

        What a stolen device said it had, or kept back, may have left gaps, and what its later
        records replaced is needed again: so all is asked for once more.
        """
        dropped: list[tuple[str, bytes]] = []
        for device, head in self.kept.heads().items():
            cut = self.cut(device)
            if cut is not None and head > cut:
                dropped += self.kept.drop_beyond(device, cut)
        if dropped:
            self.kept.set_vector({})
        return dropped


def merged(merge: Merge, records: Iterable[SiblingRecord]) -> bytes | None:
    """What several devices' records about one thing amount to; None if it is not there."""
    found = sorted(records, key=lambda record: record.order)
    if merge is Merge.LAST:
        return found[-1].value if found and is_present(found[-1].value) else None
    taken_back: set[tuple[bytes, int]] = set()
    for record in found:
        taken_back |= dots_of(record.value)
    there = [
        record for record in found if is_present(record.value) and record.dot not in taken_back
    ]
    return there[-1].value if there else None


def cut_value(moment: int) -> bytes:
    """The value of a record that says up to where a revoked device's records count."""
    return present(moment)


def _moment_in(record: SiblingRecord) -> int:
    try:
        reader = fields_of(record.value, "cut")
        moment = reader.integer("moment", LAST_MOMENT)
        reader.end()
    except MalformedError:
        return LAST_MOMENT
    return moment
