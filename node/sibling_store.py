"""The records of our devices as they are kept, and what is noted beside them.

It shares the database with `library`: what a sibling said and what follows from it for the library
are one transaction. Records were verified before they came in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..crypto import encoding
from ..crypto.encoding import Reader
from ..protocol.siblings import LAST_MOMENT, SiblingRecord, Vector
from .database import Database

Thing = tuple[str, bytes]
"""A kind and a subject."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What another device of ours said last: what it has, how many photos it lacks, and when."""

    vector: dict[bytes, int]
    lacks: int
    heard: int


class SiblingStore:
    """`sibling_ledger.Kept`, in the library. Writes within the transaction of who calls."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._counts: dict[bytes, int] = {}

    # Records.

    def about(self, kind: str, subject: bytes) -> list[SiblingRecord]:
        """All records about one thing."""
        rows = self._db.rows(
            "SELECT record FROM sibling_records WHERE kind = ? AND subject = ?", kind, subject
        )
        return [SiblingRecord.decode(row[0]) for row in rows]

    def put(self, record: SiblingRecord) -> None:
        """Keep a record, in place of an earlier one of its device about the same thing."""
        self._db.execute(
            "INSERT OR REPLACE INTO sibling_records VALUES (?, ?, ?, ?, ?)",
            record.kind, record.subject, record.device, record.moment, record.encoded,
        )  # fmt: skip
        self._counts.pop(record.device, None)

    def beyond(self, device: bytes, moment: int, most: int) -> list[SiblingRecord]:
        """The records of a device after a moment, the earliest first, at most so many."""
        rows = self._db.rows(
            "SELECT record FROM sibling_records WHERE device = ? AND moment > ?"
            " ORDER BY moment LIMIT ?",
            device, moment, most,
        )  # fmt: skip
        return [SiblingRecord.decode(row[0]) for row in rows]

    def drop_beyond(self, device: bytes, moment: int) -> list[Thing]:
        """Forget those; what they were about."""
        rows = self._db.rows(
            "SELECT kind, subject FROM sibling_records WHERE device = ? AND moment > ?",
            device, moment,
        )  # fmt: skip
        self._db.execute(
            "DELETE FROM sibling_records WHERE device = ? AND moment > ?", device, moment
        )
        self._counts.pop(device, None)
        return [(row[0], row[1]) for row in rows]

    def count(self, device: bytes) -> int:
        """How many there are of a device, at least since it was last counted."""
        known = self._counts.get(device)
        if known is None:
            known = self._db.value("SELECT count(*) FROM sibling_records WHERE device = ?", device)
            self._counts[device] = known
        return known

    def head(self, device: bytes) -> int:
        """The moment of the last record of one device; 0 if there is none."""
        return self._db.value(
            "SELECT coalesce(max(moment), 0) FROM sibling_records WHERE device = ?", device
        )

    def heads(self) -> dict[bytes, int]:
        """The moment of the last record of each device."""
        found: dict[bytes, int] = {}
        device = b""
        # One step in the index for each device, however many records there are.
        while (
            row := self._db.row(
                "SELECT device, max(moment) FROM sibling_records WHERE device ="
                " (SELECT min(device) FROM sibling_records WHERE device > ?)",
                device,
            )
        ) is not None and row[0] is not None:
            device = row[0]
            found[device] = row[1]
        return found

    def vector(self) -> dict[bytes, int]:
        """Up to which moment nothing is missing of each device, as it was noted last."""
        rows = self._db.rows("SELECT device, moment FROM sibling_vector")
        return {row["device"]: row["moment"] for row in rows}

    def set_vector(self, vector: Vector) -> None:
        """Note that."""
        self._db.execute("DELETE FROM sibling_vector")
        for device, moment in vector.items():
            self._db.execute("INSERT INTO sibling_vector VALUES (?, ?)", device, moment)

    def subjects(self, kind: str, prefix: bytes = b"") -> list[bytes]:
        """All subjects of a kind that begin so."""
        rows = self._db.rows(
            "SELECT DISTINCT subject FROM sibling_records WHERE kind = ? AND subject >= ?"
            " AND (?3 = 0 OR substr(subject, 1, ?3) = ?2) ORDER BY subject",
            kind, prefix, len(prefix),
        )  # fmt: skip
        return [row[0] for row in rows]

    # What is to be looked at.

    def changes(self, most: int) -> list[Thing]:
        """Things that may be otherwise here than the records say."""
        rows = self._db.rows(
            "SELECT kind, subject FROM sibling_changes ORDER BY kind, subject LIMIT ?", most
        )
        return [(row[0], row[1]) for row in rows]

    def looked_at(self, things: Iterable[Thing]) -> None:
        """They are as the records say now."""
        for kind, subject in things:
            self._db.execute(
                "DELETE FROM sibling_changes WHERE kind = ? AND subject = ?", kind, subject
            )

    def look_at(self, thing: Thing) -> None:
        """It may be otherwise."""
        self._db.execute("INSERT OR IGNORE INTO sibling_changes VALUES (?, ?)", *thing)

    def doubt(self, things: Iterable[Thing]) -> None:
        """What was said of these did not count."""
        for thing in things:
            self._db.execute("INSERT OR IGNORE INTO sibling_doubts VALUES (?, ?)", *thing)

    def take_doubts(self) -> list[Thing]:
        """All of which that is so; they are not doubted any more."""
        rows = self._db.rows("SELECT kind, subject FROM sibling_doubts")
        self._db.execute("DELETE FROM sibling_doubts")
        return [(row[0], row[1]) for row in rows]

    # What other devices have.

    def hear(self, device: bytes, vector: Vector, lacks: int, now: int) -> None:
        """A sibling says what it has."""
        encoded = encoding.encode([list(pair) for pair in sorted(vector.items())])
        self._db.write(
            "INSERT OR REPLACE INTO sibling_heard VALUES (?, ?, ?, ?)", device, encoded, lacks, now
        )

    def heard(self) -> dict[bytes, Heard]:
        """What each said last."""
        found: dict[bytes, Heard] = {}
        for row in self._db.rows("SELECT * FROM sibling_heard"):
            vector: dict[bytes, int] = {}
            for item in encoding.decode(row["vector"], len(row["vector"])):
                if isinstance(item, list):
                    pair = Reader(item, "vector")
                    device = pair.octets("device")
                    vector[device] = pair.integer("moment", LAST_MOMENT)
            found[row["device"]] = Heard(vector, row["lacks"], row["heard"])
        return found

    def behind(self, vector: Vector) -> int:
        """How many records a device lacks that has so much."""
        return sum(
            self._db.value(
                "SELECT count(*) FROM sibling_records WHERE device = ? AND moment > ?",
                device, vector.get(device, 0),
            )
            for device in self.heads()
        )  # fmt: skip

    # Promises.

    def promise(self, device: bytes, photos: Iterable[bytes]) -> None:
        """Another device lets go of the originals of these: they stay here."""
        for photo_id in photos:
            self._db.execute(
                "INSERT OR IGNORE INTO sibling_promises VALUES (?, ?)", photo_id, device
            )

    def end_promises(self, device: bytes, photos: Iterable[bytes]) -> None:
        """It has them again."""
        with self._db.transaction():
            for photo_id in photos:
                self._db.execute(
                    "DELETE FROM sibling_promises WHERE photo_id = ? AND device = ?",
                    photo_id, device,
                )  # fmt: skip

    def end_all_promises(self, devices: Iterable[bytes]) -> None:
        """These devices are ours no more: nothing is kept for them."""
        with self._db.transaction():
            for device in devices:
                self._db.execute("DELETE FROM sibling_promises WHERE device = ?", device)

    def is_promised(self, photo_id: bytes) -> bool:
        """Whether another device relies on this one for a photo."""
        return bool(
            self._db.value("SELECT 1 FROM sibling_promises WHERE photo_id = ? LIMIT 1", photo_id)
        )
