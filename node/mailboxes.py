"""Mailboxes: where what is for a contact may be left while it is away, and where what is for us.

Contacts offer to hold for us (`Holding`); a person chooses among them, since who holds learns who
sends to us, how much and when. All contacts are then told our mailbox (`Mailbox`). It shares the
database with `library`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..crypto.secret import Secret
from ..protocol import limits, messages
from ..protocol.delivery import SECRET_BYTES, is_marked, marks
from ..protocol.opening import Entropy
from .contact_errors import NoBackupError, NoHolderError, TooManyHoldersError
from .database import Database, Row

_SETTING: Final = "mailbox"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where what is for a contact may be left, as it told us."""

    identity: bytes
    secret: Secret
    holders: bytes
    """Their marks; see `delivery.marks`."""

    def is_held_by(self, identity: bytes) -> bool:
        """Whether its owner named that identity."""
        return is_marked(self.secret, identity, self.holders)


@dataclass(frozen=True, slots=True)
class Holder:
    """A contact that holds for us: so many bytes, each for so many seconds.

    `chosen` if a person here lets it; `backed_up` if this node also keeps a backup there, which it
    takes if it says `backup`.
    """

    identity: bytes
    quota: int
    seconds: int
    backup: bool
    chosen: bool
    backed_up: bool

    @property
    def holds(self) -> bool:
        """Whether it offers to, at present."""
        return self.quota > 0 and self.seconds > 0

    @property
    def takes_backups(self) -> bool:
        """Whether it offers to keep what has no end, at present."""
        return self.holds and self.backup


class Mailboxes:
    """What contacts told us of theirs, and our own."""

    def __init__(self, database: Database, entropy: Entropy) -> None:
        self._db = database
        self._entropy = entropy
        self.changes = 0
        """Grows whenever one of theirs is another than before."""

    # Theirs.

    def told(self, identity: bytes, message: messages.Mailbox) -> bool:
        """A contact says where what is for it may be left; whether that is news."""
        known = self.of(identity)
        if not message.secret:
            if known is None:
                return False
            self.forget(identity)
            return True
        secret = Secret(message.secret)
        is_marked(secret, identity, message.holders)  # raises for what are no marks
        if known is not None and (known.secret, known.holders) == (secret, message.holders):
            return False
        self.put(identity, secret, message.holders)
        return True

    def put(self, identity: bytes, secret: Secret, holders: bytes) -> None:
        """Keep where what is for a contact may be left."""
        self.changes += 1
        self._db.write(
            "INSERT OR REPLACE INTO mailboxes VALUES (?, ?, ?)",
            identity, secret.reveal(), holders,
        )  # fmt: skip

    def forget(self, identity: bytes) -> None:
        """Nothing is left for it any more."""
        self.changes += 1
        self._db.write("DELETE FROM mailboxes WHERE identity = ?", identity)

    def of(self, identity: bytes) -> Mailbox | None:
        """The mailbox of a contact, if it told us of one."""
        row = self._db.row("SELECT * FROM mailboxes WHERE identity = ?", identity)
        return None if row is None else Mailbox(row[0], Secret(row[1]), row[2])

    def held_by(self, holder: bytes) -> list[Mailbox]:
        """The mailboxes for which that identity holds, of contacts that are not blocked."""
        rows = self._db.rows(
            "SELECT mailboxes.* FROM mailboxes JOIN contacts USING (identity)"
            " WHERE NOT blocked AND identity <> ?",
            holder,
        )
        found = [Mailbox(row[0], Secret(row[1]), row[2]) for row in rows]
        return [mailbox for mailbox in found if mailbox.is_held_by(holder)]

    # Ours.

    def offered(self, identity: bytes, message: messages.Holding) -> bool:
        """A contact says what it holds for us; whether that is a new offer or the end of one."""
        known = self.holder(identity)
        was = known is not None and known.holds
        quota, seconds = message.quota, message.seconds
        self._db.write(
            "INSERT INTO holdings (identity, quota, seconds, backup) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (identity) DO UPDATE SET quota = ?2, seconds = ?3, backup = ?4",
            identity, quota, seconds, int(message.backup),
        )  # fmt: skip
        return was != (quota > 0 and seconds > 0)

    def holder(self, identity: bytes) -> Holder | None:
        """What a contact says that it holds for us."""
        row = self._db.row("SELECT * FROM holdings WHERE identity = ?", identity)
        return None if row is None else _holder(row)

    def backup_standing(self, identity: bytes) -> str:
        """Whether a backup is kept with a contact: `chosen`, `offered` or `no`."""
        holder = self.holder(identity)
        if holder is None or not holder.takes_backups:
            return "no"
        return "chosen" if holder.chosen and holder.backed_up else "offered"

    def standing(self, identity: bytes) -> str:
        """`chosen`, `offered` or `no`."""
        holder = self.holder(identity)
        if holder is None or not holder.holds:
            return "no"
        return "chosen" if holder.chosen else "offered"

    def chosen(self) -> list[Holder]:
        """Those that hold for us and are let.

        Never more than contacts can be told of: some may have stopped and begun again meanwhile, or
        been blocked for a while.
        """
        rows = self._db.rows(
            "SELECT holdings.* FROM holdings JOIN contacts USING (identity)"
            " WHERE chosen AND quota AND seconds AND NOT blocked ORDER BY added LIMIT ?",
            limits.HOLDERS,
        )
        return [_holder(row) for row in rows]

    def choose(
        self, identity: bytes, name: str, *, chosen: bool, backup: bool | None = None
    ) -> None:
        """Let a contact hold for us, and with `backup` what is ours as well (None: as it is); or
        not any more.

        `NoHolderError` or `NoBackupError` if it does not offer to, `TooManyHoldersError` beyond
        `limits.HOLDERS`.
        """
        holder = self.holder(identity)
        if chosen and (holder is None or not holder.holds):
            raise NoHolderError(name)
        if chosen and backup and (holder is None or not holder.backup):
            raise NoBackupError(name)
        kept = holder is not None and holder.backed_up if backup is None else backup
        others = [each for each in self.chosen() if each.identity != identity]
        if chosen and len(others) >= limits.HOLDERS:
            raise TooManyHoldersError(str(limits.HOLDERS))
        self._db.write(
            "UPDATE holdings SET chosen = ?, backed_up = ? WHERE identity = ?",
            int(chosen), int(chosen and kept), identity,
        )  # fmt: skip
        if not chosen:
            self.renew()

    def ours(self) -> messages.Mailbox | None:
        """What our contacts are to know of our mailbox; None if there never was one."""
        secret = self.secret()
        holders = [holder.identity for holder in self.chosen()]
        if secret is None and not holders:
            return None
        if not holders:
            return messages.Mailbox(b"", b"")
        if secret is None:
            secret = self.renew()
        return messages.Mailbox(secret.reveal(), marks(secret, holders))

    def renew(self) -> Secret:
        """Another secret: whoever knew the last one can't tell any more what is left for us."""
        secret = Secret(self._entropy(SECRET_BYTES))
        self.put_own(secret)
        return secret

    def put_own(self, secret: Secret) -> None:
        """The secret that counts from now on."""
        self._db.write("INSERT OR REPLACE INTO settings VALUES (?, ?)", _SETTING, secret.reveal())

    def secret(self) -> Secret | None:
        """The secret of our mailbox, if there ever was one."""
        value: bytes | None = self._db.value("SELECT value FROM settings WHERE name = ?", _SETTING)
        return None if value is None else Secret(value)


def _holder(row: Row) -> Holder:
    return Holder(
        row["identity"], row["quota"], row["seconds"],
        bool(row["backup"]), bool(row["chosen"]), bool(row["backed_up"]),
    )  # fmt: skip
