"""Where contacts were reached, and when they were last here; kept in the library.

Another device of our own has its own place here, under its key in place of an identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .addresses import Address
from .database import Database
from .multiaddrs import stored_address

ADDRESSES_PER_CONTACT: Final = 8
STALE_SECONDS: Final = 30 * 86_400
"""An address where nobody was reached for so long, and that fails, is forgotten."""
DEVICES_PER_CONTACT: Final = 8
"""Whose words are kept; the latest ones."""


@dataclass(frozen=True, slots=True)
class _Word:
    issued: int
    addresses: tuple[Address, ...]


class Whereabouts:
    """The addresses of contacts that once answered with their key, the latest first."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._words: dict[bytes, dict[bytes, _Word]] = {}
        self._rumours: dict[bytes, tuple[Address, ...]] = {}

    def reached(self, identity: bytes, address: Address, now: int) -> None:
        """Remember where a contact was reached; only the last few are kept."""
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO addresses VALUES (?, ?, ?, ?)",
                identity,
                address.host,
                address.port,
                now,
            )
            self._db.execute(
                "DELETE FROM addresses WHERE identity = ?1 AND (host, port) NOT IN (SELECT host,"
                " port FROM addresses WHERE identity = ?1 ORDER BY seen DESC LIMIT ?2)",
                identity,
                ADDRESSES_PER_CONTACT,
            )

    def of(self, identity: bytes) -> list[Address]:
        """Where one contact was reached."""
        return self.known().get(identity, [])

    def known(self) -> dict[bytes, list[Address]]:
        """Where each contact was reached; who was reached last comes first."""
        known: dict[bytes, list[Address]] = {}
        for row in self._db.rows("SELECT identity, host, port FROM addresses ORDER BY seen DESC"):
            known.setdefault(row["identity"], []).append(stored_address(row["host"], row["port"]))
        return known

    def heard(
        self, identity: bytes, device: bytes, issued: int, addresses: Sequence[Address]
    ) -> bool:
        """A device of a contact left word where it is; says whether that is news.

        What it said before a later word of its counts for nothing, whoever shows it again.
        """
        words = self._words.setdefault(identity, {})
        earlier = words.get(device)
        if earlier is not None and earlier.issued >= issued:
            return False
        words[device] = _Word(issued, tuple(addresses[:ADDRESSES_PER_CONTACT]))
        while len(words) > DEVICES_PER_CONTACT:
            del words[min(words, key=lambda each: words[each].issued)]
        return earlier is None or earlier.addresses != words[device].addresses

    def told(self, identity: bytes, addresses: Sequence[Address]) -> bool:
        """Strangers say that a contact is there; says whether that is news."""
        earlier = self._rumours.get(identity)
        self._rumours[identity] = tuple(addresses[:ADDRESSES_PER_CONTACT])
        return earlier != self._rumours[identity]

    def everywhere(self) -> dict[bytes, list[Address]]:
        """Where each contact was reached, after that where its devices say that they are, and last
        where strangers say so.
        """
        found = self.known()
        for identity in {*self._words, *self._rumours}:
            words = self._words.get(identity, {}).values()
            said = [each for word in words for each in word.addresses]
            every = [*found.get(identity, []), *said, *self._rumours.get(identity, ())]
            found[identity] = list(dict.fromkeys(every))
        return found

    def forget_if_stale(self, address: Address, now: int) -> None:
        """Forget an address that failed and is old, where its contact has a later one."""
        self._db.write(
            "DELETE FROM addresses AS old WHERE host = ? AND port = ? AND seen < ? AND seen <"
            " (SELECT max(seen) FROM addresses WHERE identity = old.identity)",
            address.host,
            address.port,
            now - STALE_SECONDS,
        )

    def left(self, device: bytes, now: int) -> None:
        """A device of a contact was here until now."""
        self._db.write("UPDATE devices SET seen = ? WHERE device = ?", now, device)

    def last_seen(self) -> dict[bytes, int]:
        """When a device of each contact was here last, or showed its papers in a pairing."""
        rows = self._db.rows(
            "SELECT identity, max(seen) AS seen FROM devices WHERE seen > 0 GROUP BY identity"
        )
        return {row["identity"]: row["seen"] for row in rows}
