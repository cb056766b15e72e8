"""Grants: the capabilities that this node gave, to contacts or to whoever has certain attributes.

It shares the database with `library`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ..protocol.attributes import AttributeDemand
from ..protocol.capability import Capability, Caveats
from ..protocol.rendition import ORIGINAL, Rendition
from .database import Database, Row, where
from .errors import BadRequestError

GRANTED: Final = ("view", "reshare")
"""The operations that this version grants."""
VIEW: Final = frozenset(["view"])

_ALL: Final = (
    "SELECT grant_hash, photo_id, identity, capability, created FROM grants UNION ALL"
    " SELECT grant_hash, photo_id, NULL, capability, created FROM open_grants"
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a grant allows: in which rendition, until when (seconds since 1970), which operations.

    Who may pass it on may do so once: those who get it from them may not. `demands` are what one
    has to have, if it is for whoever has it.
    """

    rendition: Rendition = ORIGINAL
    until: int | None = None
    operations: frozenset[str] = field(default=VIEW)
    demands: tuple[AttributeDemand, ...] = ()

    def caveats(self, photo_id: bytes) -> Caveats:
        """The conditions of a first link for one photo."""
        return Caveats(
            photos=frozenset([photo_id]),
            operations=self.operations,
            before=self.until,
            rendition=self.rendition,
            attributes=self.demands,
            # Without `reshare` no link may follow anyway, and version 0.1.0, which knows no
            # `max_depth`, would take this for a condition that it can't check.
            max_depth=1 if "reshare" in self.operations else None,
        )


def operations(names: list[str] | None) -> frozenset[str]:
    """The operations that a person asks for; none said is `view`. `BadRequestError`."""
    chosen = frozenset(names or VIEW)
    if not chosen <= set(GRANTED) or "view" not in chosen:
        raise BadRequestError("op is view, or view,reshare")
    return chosen


@dataclass(frozen=True, slots=True)
class Grant:
    """A capability that was given; `grant_hash` is what a revocation names.

    `identity` is the contact's, or None for an open grant: one to whoever meets its `demands`.
    """

    grant_hash: bytes
    photo_id: bytes
    identity: bytes | None
    capability: Capability
    created: int

    @property
    def demands(self) -> tuple[AttributeDemand, ...]:
        """What one has to have who asks by it."""
        return self.capability.links[-1].caveats.attributes


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
        condition, values = where(photo_id=photo_id, identity=identity)
        rows = self._db.rows(
            f"SELECT * FROM grants WHERE {condition} ORDER BY created, grant_hash",  # noqa: S608
            *values,
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
            f"SELECT * FROM ({_ALL}) WHERE hex(grant_hash) LIKE ? ORDER BY created",  # noqa: S608
            digits.upper() + "%",
        )
        return [_grant(row) for row in rows]

    def capability(self, grant_hash: bytes | None) -> Capability | None:
        """What was granted under this hash, to whomever."""
        encoded = self._db.value(
            f"SELECT capability FROM ({_ALL}) WHERE grant_hash = ?",  # noqa: S608
            grant_hash,
        )
        return None if encoded is None else Capability.decode(encoded)

    # To whoever has certain attributes.

    def add_open(self, photo_id: bytes, capability: Capability, now: int) -> Grant:
        """Note an open grant before anybody is offered the photo."""
        grant_hash = capability.links[-1].signed.digest()
        self._db.write(
            "INSERT INTO open_grants VALUES (?, ?, ?, ?)",
            grant_hash, photo_id, capability.encoded, now,
        )  # fmt: skip
        return Grant(grant_hash, photo_id, None, capability, now)

    def find_open(self, photo_id: bytes | None = None) -> Iterator[Grant]:
        """The open grants of a photo or of all, the oldest first; read one after the other."""
        condition, values = where(photo_id=photo_id)
        rows = self._db.rows(
            "SELECT grant_hash, photo_id, NULL AS identity, capability, created"  # noqa: S608
            f" FROM open_grants WHERE {condition} ORDER BY created, grant_hash",
            *values,
        )
        return map(_grant, rows)

    def went_to(self, grant_hash: bytes) -> set[bytes]:
        """The identities of those to whom a grant went, or is queued to go."""
        rows = self._db.rows(
            "SELECT DISTINCT identity FROM deliveries WHERE grant_hash = ?", grant_hash
        )
        return {row[0] for row in rows}


def _grant(row: Row) -> Grant:
    return Grant(
        row["grant_hash"], row["photo_id"], row["identity"],
        Capability.decode(row["capability"]), row["created"],
    )  # fmt: skip
