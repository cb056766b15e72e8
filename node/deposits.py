"""What we left with holders for contacts who are away. It shares the database with `library`."""

from __future__ import annotations

from typing import Final

from .database import Database
from .library import Delivery

HOLDERS_EACH: Final = 2
"""With how many holders one envelope is left: one of them may be away when its device comes."""


class Deposits:
    """Envelopes by holder. Some are held, some on their way, some the holder does not take."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def to_leave(
        self, device: bytes, holder: bytes, *, before: int, confirmed: int, after: int, most: int
    ) -> list[Delivery]:
        """Deliveries to a device that are to be left with a holder, in their order.

        Those with a `number` beyond `after` that were queued by the time `before`, at most `most`;
        also what it held for the last time before the time `confirmed`.
        """
        rows = self._db.rows(
            "SELECT * FROM deliveries WHERE device = ?1 AND number > ?3 AND created <= ?4"
            # As the index has it.
            " AND state IN ('queued', 'offered', 'held', 'waiting') AND state <> 'waiting'"
            " AND NOT EXISTS (SELECT 1 FROM deposits"
            "  WHERE deposits.envelope_hash = deliveries.envelope_hash"
            "  AND holder = ?2 AND (state = 'refused' OR state = 'held' AND updated > ?7))"
            " AND (SELECT count(*) FROM deposits"
            "  WHERE deposits.envelope_hash = deliveries.envelope_hash"
            "  AND holder <> ?2 AND state IN ('held', 'offered')) < ?5"
            " ORDER BY number LIMIT ?6",
            device, holder, after, before, HOLDERS_EACH, most, confirmed,
        )  # fmt: skip
        return [Delivery(*row) for row in rows]

    def are_young(self, device: bytes, before: int) -> bool:
        """Whether something for a device was queued after the time `before`."""
        return bool(
            self._db.value(
                "SELECT 1 FROM deliveries WHERE device = ? AND created > ?"
                " AND state IN ('queued', 'offered', 'held', 'waiting') LIMIT 1",
                device,
                before,
            )
        )

    def put(
        self, envelope_hash: bytes, holder: bytes, state: str, code: str | None, now: int
    ) -> None:
        """Note how an envelope stands with a holder: `offered`, `held` or `refused`."""
        self._db.write(
            "INSERT OR REPLACE INTO deposits VALUES (?, ?, ?, ?, ?)",
            envelope_hash, holder, state, code, now,
        )  # fmt: skip

    def state(self, envelope_hash: bytes, holder: bytes) -> str | None:
        """How an envelope stands with a holder; None if it has nothing to do with it."""
        return self._db.value(
            "SELECT state FROM deposits WHERE envelope_hash = ? AND holder = ?",
            envelope_hash,
            holder,
        )

    def remove(self, envelope_hash: bytes, holder: bytes) -> None:
        """The holder has nothing to do with it any more."""
        self._db.write(
            "DELETE FROM deposits WHERE envelope_hash = ? AND holder = ?", envelope_hash, holder
        )

    def over(self, holder: bytes) -> list[bytes]:
        """Envelopes that a holder may have and need not hold any more: what became of them is
        known, or their photo was removed.
        """
        rows = self._db.rows(
            "SELECT deposits.envelope_hash FROM deposits LEFT JOIN deliveries USING (envelope_hash)"
            " WHERE holder = ? AND coalesce(deliveries.state, 'gone')"
            " IN ('gone', 'delivered', 'refused')",
            holder,
        )
        return [row[0] for row in rows]

    def holders(self, envelope_hash: bytes) -> list[str]:
        """The names of those who hold an envelope."""
        rows = self._db.rows(
            "SELECT name FROM deposits JOIN contacts ON contacts.identity = holder"
            " WHERE envelope_hash = ? AND state = 'held' ORDER BY name",
            envelope_hash,
        )
        return [row[0] for row in rows]
