"""For whom this node holds, how much and how long: what its person says with `kinlight hold`.

It shares the database with `library`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from ..crypto import encoding
from ..crypto.encoding import Reader
from ..protocol import limits
from .database import Database
from .errors import BadRequestError

QUOTA_BYTES: Final = 10 * 1000**3
PER_CONTACT_BYTES: Final = 2 * 1000**3
SECONDS: Final = 30 * 86_400
_MOST_BYTES: Final = 2**60
_SETTING: Final = "holding"
_SETTING_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """How much is held: `quota` bytes in all, `per_contact` for one contact and from one; each for
    so many `seconds`. `everybody` if for all contacts of whom nothing else was said.
    """

    everybody: bool = False
    quota: int = QUOTA_BYTES
    per_contact: int = PER_CONTACT_BYTES
    seconds: int = SECONDS

    def checked(self) -> Terms:
        """Itself; `BadRequestError` where it makes no sense."""
        if not 0 < self.per_contact <= self.quota <= _MOST_BYTES:
            raise BadRequestError(
                "what is held for one contact is more than nothing, and no more than in all"
            )
        if not 86_400 <= self.seconds <= limits.HELD_SECONDS:
            raise BadRequestError(f"things are held for 1 to {limits.HELD_SECONDS // 86_400} days")
        return self


class HoldingTerms:
    """The terms, and the contacts who are an exception."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @property
    def were_set(self) -> bool:
        """Whether anything was ever said: before that, nobody needs to be told."""
        return self._db.value("SELECT 1 FROM settings WHERE name = ?", _SETTING) is not None

    def get(self) -> Terms:
        """The terms as they are."""
        value: bytes | None = self._db.value("SELECT value FROM settings WHERE name = ?", _SETTING)
        if value is None:
            return Terms()
        reader = Reader(encoding.decode(value, _SETTING_BYTES), "holding")
        reader.literal(1)
        found = Terms(
            bool(reader.integer("everybody", 1)), reader.integer("quota"),
            reader.integer("per contact"), reader.integer("seconds"),
        )  # fmt: skip
        reader.end()
        return found

    @property
    def are_on(self) -> bool:
        """Whether this node holds for anybody."""
        some = self._db.value("SELECT 1 FROM held_for WHERE holds LIMIT 1")
        return self.get().everybody or some is not None

    def set(self, terms: Terms) -> None:
        """Set them."""
        value = encoding.encode(
            [1, int(terms.everybody), terms.quota, terms.per_contact, terms.seconds]
        )
        self._db.write("INSERT OR REPLACE INTO settings VALUES (?, ?)", _SETTING, value)

    def holds_for(self, identity: bytes) -> bool:
        """Whether this node holds for a contact: as was said of it, else as of everybody."""
        row = self._db.row("SELECT holds FROM held_for WHERE identity = ?", identity)
        if row is not None and row[0] is not None:
            return bool(row[0])
        return self.get().everybody

    def backs_up(self, identity: bytes) -> bool:
        """Whether a contact may keep things here without end."""
        return bool(self._db.value("SELECT backup FROM held_for WHERE identity = ?", identity))

    def set_for(self, identity: bytes, *, holds: bool | None) -> None:
        """Say whether this node holds for a contact; None: as for everybody."""
        self._db.write(
            "INSERT INTO held_for VALUES (?1, ?2, 0)"
            " ON CONFLICT (identity) DO UPDATE SET holds = ?2",
            identity,
            None if holds is None else int(holds),
        )

    def set_backup(self, identity: bytes, *, backup: bool) -> None:
        """Say whether a contact may keep things here without end."""
        self._db.write(
            "INSERT INTO held_for VALUES (?1, NULL, ?2)"
            " ON CONFLICT (identity) DO UPDATE SET backup = ?2",
            identity,
            int(backup),
        )

    def hold_for_all(self) -> None:
        """There is no exception any more, and who backs up here still does."""
        self._db.write("UPDATE held_for SET holds = NULL")

    def stop_for(self, identity: bytes) -> None:
        """Hold for a contact no longer, and back up nothing of it."""
        self.set_for(identity, holds=False)
        self.set_backup(identity, backup=False)

    def stop(self, terms: Terms) -> None:
        """Hold for nobody any more, and back up nobody; how much and how long is remembered."""
        with self._db.transaction():
            self.set(dataclasses.replace(terms, everybody=False))
            self._db.execute("DELETE FROM held_for")
