"""Devices of one person that tell each other of what they know, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kinlight.crypto.signing import SigningKey
from kinlight.protocol.sibling_kinds import MERGES
from kinlight.protocol.sibling_ledger import CUT, Ledger, Merge, Taken, cut_value
from kinlight.protocol.siblings import SiblingRecord, absent, next_moment, present

from .people import NOW, Person

ALICE = Person.named("Alice")
NAMES = ("phone", "laptop", "tablet", "desktop")
KEYS = {name: ALICE.signing_key(name) for name in NAMES}


def sibling_record(
    name: str,
    subject: bytes = b"thing",
    value: bytes = b"",
    *,
    kind: str = "rules",
    moment: int = 0,
    key: SigningKey | None = None,
) -> SiblingRecord:
    signer = key or KEYS[name]
    at = moment or next_moment(NOW)
    return SiblingRecord.sign(signer, ALICE.identity, at, kind, subject, value or present())


class KeptInMemory:
    """`sibling_ledger.Kept` without a disk."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, bytes, bytes], SiblingRecord] = {}
        self.noted: dict[bytes, int] = {}

    def about(self, kind: str, subject: bytes) -> list[SiblingRecord]:
        return [row for row in self.rows.values() if (row.kind, row.subject) == (kind, subject)]

    def put(self, record: SiblingRecord) -> None:
        self.rows[record.kind, record.subject, record.device] = record

    def _of(self, device: bytes) -> list[SiblingRecord]:
        rows = (row for row in self.rows.values() if row.device == device)
        return sorted(rows, key=lambda row: row.moment)

    def beyond(self, device: bytes, moment: int, most: int) -> list[SiblingRecord]:
        return [row for row in self._of(device) if row.moment > moment][:most]

    def drop_beyond(self, device: bytes, moment: int) -> list[tuple[str, bytes]]:
        gone = self.beyond(device, moment, len(self.rows))
        for row in gone:
            del self.rows[row.kind, row.subject, row.device]
        return [(row.kind, row.subject) for row in gone]

    def count(self, device: bytes) -> int:
        return len(self._of(device))

    def heads(self) -> dict[bytes, int]:
        devices = {row.device for row in self.rows.values()}
        return {device: self._of(device)[-1].moment for device in devices}

    def vector(self) -> dict[bytes, int]:
        return dict(self.noted)

    def set_vector(self, vector: object) -> None:
        self.noted = dict(vector)  # type: ignore[call-overload]


@dataclass(slots=True)
class Family:
    """Whom the identity took back, as all of its devices know at once."""

    revoked: set[bytes] = field(default_factory=set[bytes])


class Device:
    """One device: what it keeps outlives a restart, what it is told on a link does not."""

    def __init__(self, name: str, family: Family) -> None:
        self.name = name
        self.key = KEYS[name]
        self.kept = KeptInMemory()
        self.ledger = Ledger(
            self.kept,
            identity=ALICE.identity,
            device=self.key.public,
            revoked=family.revoked.__contains__,
        )
        self._last = 0

    def write(self, kind: str, subject: bytes, value: bytes, now: int = NOW) -> SiblingRecord:
        earlier = [record.moment for record in self.kept.about(kind, subject)]
        self._last = next_moment(now, self._last, *earlier)
        made = SiblingRecord.sign(self.key, ALICE.identity, self._last, kind, subject, value)
        self.kept.put(made)
        return made

    def add(self, kind: str, subject: bytes, *fields: str, now: int = NOW) -> None:
        self.write(kind, subject, present(*fields), now)

    def remove(self, kind: str, subject: bytes, now: int = NOW) -> None:
        seen = self.kept.about(kind, subject)
        dots = [each.dot for each in seen] if MERGES[kind] is Merge.SET else []
        self.write(kind, subject, absent(*dots), now)

    def cut(self, other: Device) -> None:
        self.write(CUT, other.key.public, cut_value(self.ledger.vector.get(other.key.public, 0)))
        self.ledger.cut_off()

    def hear(self, other: Device, *, most: int = 10_000, now: int = NOW) -> list[Taken]:
        """Be sent what this one lacks, up to so many records: then the link breaks."""
        later: dict[bytes, int] = {}
        came: list[Taken] = []
        for page in other.ledger.missing(self.ledger.vector):
            for record in page:
                if len(came) == most:
                    return came
                came.append(self.ledger.take(record, now))
                if came[-1] is Taken.LATER:
                    first = later.get(record.device, record.moment)
                    later[record.device] = min(first, record.moment)
        self.ledger.complete(other.ledger.vector, later)
        self.ledger.cut_off()
        return came

    def value(self, kind: str, subject: bytes) -> bytes | None:
        return self.ledger.value(kind, MERGES[kind], subject)

    def state(self) -> dict[tuple[str, bytes], bytes | None]:
        things = {(row.kind, row.subject) for row in self.kept.rows.values()}
        found = {thing: self.value(*thing) for thing in things}
        return {thing: value for thing, value in found.items() if value is not None}


def gather(devices: Iterable[Device], now: int = NOW) -> None:
    """All meet all, until nobody hears anything new."""
    meeting = list(devices)
    for _ in range(8):
        came = [
            one.hear(other, now=now) for one in meeting for other in meeting if one is not other
        ]
        if not any(came):
            return
    raise AssertionError("they do not come to rest")
