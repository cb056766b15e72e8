"""Grants: the capabilities that this node gave, and what each allows.

It shares the database with `library`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..protocol.capability import Capability, Caveats
from ..protocol.rendition import ORIGINAL, Rendition
from .database import Database, Row
from .errors import BadRequestError

GRANTED: Final = ("view", "reshare")
"""The operations that this version grants."""
VIEW: Final = frozenset(["view"])


@dataclass(frozen=True, slots=True)
class Terms:
    """What a grant allows: in which rendition, until when (seconds since 1970), which operations.

    Who may pass it on may do so once: those who get it from them may not.
    """

    rendition: Rendition = ORIGINAL
    until: int | None = None
    operations: frozenset[str] = field(default=VIEW)

    def caveats(self, photo_id: bytes) -> Caveats:
        """The conditions of a first link for one photo."""
        return Caveats(
            photos=frozenset([photo_id]),
            operations=self.operations,
            before=self.until,
            rendition=self.rendition,
            max_depth=1 if "reshare" in self.operations else 0,
        )


def operations(names: list[str] | None) -> frozenset[str]:
    """The operations that a person asks for; none said is `view`. `BadRequestError`."""
    chosen = frozenset(names or VIEW)
    if not chosen <= set(GRANTED) or "view" not in chosen:
        raise BadRequestError("op is view, or view,reshare")
    return chosen


@dataclass(frozen=True, slots=True)
class Grant:
    """A capability that was given to a contact; `grant_hash` is what a revocation names."""

    grant_hash: bytes
    photo_id: bytes
    identity: bytes
    capability: Capability
    created: int


class Grants:
    """Remembers what was granted."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, photo_id: bytes, identity: bytes, capability: Capability, now: int) -> Grant:
        """Note a capability before it goes out."""
        grant_hash = capability.links[-1].signed.digest()
        self._db.write(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?)",
            grant_hash, photo_id, identity, capability.encoded, now,
        )  # fmt: skip
        return Grant(grant_hash, photo_id, identity, capability, now)

    def find(self, photo_id: bytes | None = None, identity: bytes | None = None) -> list[Grant]:
        """The grants of a photo, to a contact, or of all and to all; the oldest first."""
        rows = self._db.rows(
            "SELECT * FROM grants WHERE (?1 IS NULL OR photo_id = ?1)"
            " AND (?2 IS NULL OR identity = ?2) ORDER BY created, grant_hash",
            photo_id,
            identity,
        )
        return [_grant(row) for row in rows]

    def passed_on_to(self, device: bytes, us: bytes) -> dict[bytes, bytes]:
        """The capabilities, by grant, for photos of others of which a device has taken an offer."""
        rows = self._db.rows(
            "SELECT DISTINCT grants.grant_hash, capability FROM deliveries"
            " JOIN grants USING (grant_hash) JOIN photos ON photos.photo_id = grants.photo_id"
            " WHERE deliveries.device = ? AND photos.author <> ?"
            " AND deliveries.state IN ('offered', 'waiting', 'delivered')",
            device,
            us,
        )
        return {row["grant_hash"]: row["capability"] for row in rows}

    def like(self, prefix: str) -> list[Grant]:
        """The grants whose hash in hex begins with `prefix`."""
        digits = prefix.strip().lower()
        if not digits or set(digits) - set("0123456789abcdef"):
            return []
        rows = self._db.rows(
            "SELECT * FROM grants WHERE hex(grant_hash) LIKE ? ORDER BY created",
            digits.upper() + "%",
        )
        return [_grant(row) for row in rows]


def _grant(row: Row) -> Grant:
    return Grant(
        row["grant_hash"], row["photo_id"], row["identity"],
        Capability.decode(row["capability"]), row["created"],
    )  # fmt: skip
