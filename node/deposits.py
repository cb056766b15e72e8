"""What we left with holders for contacts who are away. It shares the database with `library`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .database import Database
from .library import Delivery

HOLDERS_EACH: Final = 2
"""With how many holders one envelope is left: one of them may be away when its device comes."""

CONFIRM_SECONDS: Final = 2 * 86_400
"""How long a holder's word that it holds something counts at least. Then it is left there again,
which costs little if it is there, as it says for how long it holds only to those for whom it does.
"""
_DISMISSED: Final = "dismissed"
"""The code of what lies at a holder that whose it is does not let hold any more."""


class Deposits:
    """Envelopes by holder. Some are held, some on their way, some the holder does not take."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def to_leave(
        self, device: bytes, holder: bytes, *, now: int, before: int, after: int, most: int
    ) -> tuple[list[Delivery], int | None]:
        """Deliveries to a device that are to be left with a holder, in their order.

        Also what it held for the last time so long ago that it may have dropped it. Of those with
        a `number` beyond `after` that were queued by the time `before`, `most` are looked at. Gives
        the number of the last of these, too, None if there is none.
        """
        rows = self._db.rows(
            "SELECT *, state <> 'waiting'"
            " AND NOT EXISTS (SELECT 1 FROM deposits"
            "  WHERE deposits.envelope_hash = looked.envelope_hash AND holder = ?2"
            "  AND (deposits.state = 'refused' OR deposits.state = 'held'"
            # Twice as late each time: it may also be that whose it is does not want it.
            "   AND ?7 - deposits.updated < max(?8, deposits.updated - looked.created)))"
            " AND (SELECT count(*) FROM deposits"
            "  WHERE deposits.envelope_hash = looked.envelope_hash"
            "  AND holder <> ?2 AND deposits.state IN ('held', 'offered')) < ?5"
            " FROM (SELECT * FROM deliveries WHERE device = ?1 AND number > ?3 AND created <= ?4"
            "  AND state IN ('queued', 'offered', 'held', 'waiting')"  # as the index has it
            "  ORDER BY number LIMIT ?6) AS looked",
            device, holder, after, before, HOLDERS_EACH, most, now, CONFIRM_SECONDS,
        )  # fmt: skip
        found = [Delivery(*tuple(row)[:-1]) for row in rows if row[-1]]
        return found, rows[-1]["number"] if rows else None

    def are_young(self, device: bytes, before: int) -> bool:
        """Whether something for a device was queued after the time `before`."""
        return bool(
            self._db.value(
                "SELECT created > ? FROM deliveries WHERE device = ?"
                " AND state IN ('queued', 'offered', 'held', 'waiting')"
                " ORDER BY number DESC LIMIT 1",
                before,
                device,
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

    def over(self, holder: bytes, after: bytes, most: int) -> tuple[list[bytes], bytes | None]:
        """Envelopes that a holder may have and need not hold any more: what became of them is
        known, their photo was removed, or the holder was dismissed.

        Of those behind the hash `after`, `most` are looked at. Gives the last of them, too, None if
        there is none.
        """
        rows = self._db.rows(
            "SELECT looked.envelope_hash, looked.code = ? OR coalesce(deliveries.state, 'gone')"
            "  IN ('gone', 'delivered', 'refused')"
            " FROM (SELECT envelope_hash, coalesce(code, '') AS code FROM deposits"
            "  WHERE holder = ? AND envelope_hash > ? ORDER BY envelope_hash LIMIT ?) AS looked"
            " LEFT JOIN deliveries USING (envelope_hash) ORDER BY looked.envelope_hash",
            _DISMISSED, holder, after, most,
        )  # fmt: skip
        return [row[0] for row in rows if row[1]], rows[-1][0] if rows else None

    def dismiss(self, owner: bytes, holds: Callable[[bytes], bool]) -> None:
        """Somebody named its holders anew: what lies at others does not count any more."""
        rows = self._db.rows(
            "SELECT DISTINCT holder FROM deposits JOIN deliveries USING (envelope_hash)"
            " WHERE identity = ? AND deposits.state IN ('offered', 'held')",
            owner,
        )
        dismissed = [row[0] for row in rows if not holds(row[0])]
        if not dismissed:
            return
        with self._db.transaction():
            for holder in dismissed:
                self._db.execute(
                    "UPDATE deposits SET state = 'refused', code = ? WHERE holder = ?"
                    " AND state IN ('offered', 'held') AND envelope_hash IN"
                    " (SELECT envelope_hash FROM deliveries WHERE identity = ?)",
                    _DISMISSED, holder, owner,
                )  # fmt: skip
            self._db.execute(
                "UPDATE deliveries SET state = 'queued' WHERE identity = ? AND state = 'held'"
                " AND NOT EXISTS (SELECT 1 FROM deposits WHERE deposits.state = 'held'"
                "  AND deposits.envelope_hash = deliveries.envelope_hash)",
                owner,
            )

    def is_dismissed(self, envelope_hash: bytes, holder: bytes) -> bool:
        """Whether an envelope lies at a holder that was dismissed."""
        return bool(
            self._db.value(
                "SELECT 1 FROM deposits WHERE envelope_hash = ? AND holder = ? AND code = ?",
                envelope_hash,
                holder,
                _DISMISSED,
            )
        )

    def holders(self, envelope_hash: bytes) -> list[str]:
        """The names of those who hold an envelope."""
        rows = self._db.rows(
            "SELECT name FROM deposits JOIN contacts ON contacts.identity = holder"
            " WHERE envelope_hash = ? AND state = 'held' ORDER BY name",
            envelope_hash,
        )
        return [row[0] for row in rows]
