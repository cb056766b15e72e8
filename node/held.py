"""What this node holds for others: envelopes in the library, their sealed blobs in files beside it.

held/<folder of a depositor>/…    a blob store, as in `blobstore`

Each depositor has a folder of its own, named by a keyed hash. What one of them left is never taken
for what another leaves: else by leaving something anybody could find out whether somebody else has.
An item counts once all of its blobs lie here whole and durably, and a row says so; it then gets its
position among what is held for its owner.

Methods that write belong into a transaction, see `commits`. Nothing here grows with what is held
but the database and the folders.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ..crypto.blob import PHOTO_ID_BYTES, Manifest, piece_count
from ..crypto.errors import MalformedError
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.delivery import HeldBlob, token_hash
from ..protocol.errors import BusyError, GoneError, HolderFullError, TooMuchError
from .blobstore import BlobStore, Incoming, Space, remove_leftover
from .database import Database, Row
from .errors import storage_error
from .holding_terms import Terms
from .photo_errors import BlobMissingError

RESERVE_BYTES: Final = 1024**3
"""Left free on the disk: who lends a hand must not run out of room for it."""
PARTIAL_SECONDS: Final = 2 * 86_400
"""How long something may take to come whole; counted from when it was first left here."""
AT_A_TIME: Final = 256
"""Items that are removed in one transaction."""

_UNKNOWN: Final = bytes(PHOTO_ID_BYTES)
"""In the place of the photo id, which who holds does not know."""


@dataclass(frozen=True, slots=True)
class Item:
    """An envelope that is held; `position` is None until all of its blobs are here."""

    number: int
    envelope_hash: bytes
    depositor: bytes
    owner: bytes
    expires: int
    position: int | None


@dataclass(frozen=True, slots=True)
class Total:
    """How much is held from, or for, somebody."""

    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal took out: how many items, and the blobs that these named."""

    items: int
    blobs: frozenset[tuple[bytes, bytes]]
    """(depositor, content id)."""


NOTHING: Final = Total(0, 0)


class HeldStore:
    """Rows and files of what is held."""

    def __init__(self, database: Database, folder: Path, key: Secret) -> None:
        self._db = database
        self._folder = folder
        self._key = key
        self._stores: dict[bytes, BlobStore] = {}
        self._space: Space | None = None
        self.removals = 0
        """Grows with whatever is removed: who serves something looks again then."""

    # Files.

    def store(self, depositor: bytes) -> BlobStore:
        """Where the blobs of a depositor lie; the folder is made."""
        found = self._stores.get(depositor)
        if found is None:
            found = BlobStore(self._folder / self._name(depositor), self.space)
            self._stores[depositor] = found
        return found

    @property
    def space(self) -> Space:
        """The room for all that is held."""
        if self._space is None:
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise storage_error(error) from None
            self._space = Space(self._folder, RESERVE_BYTES)
        return self._space

    def _name(self, depositor: bytes) -> str:
        return hmac.digest(self._key.reveal(), depositor, "sha256")[:16].hex()

    def place(self, depositor: bytes, blob: HeldBlob) -> Incoming:
        """Where a blob is put together."""
        store = self.store(depositor)
        if piece_count(blob.length) == 1:
            return store.small(blob.content_id)
        return store.incoming(_UNKNOWN, blob.content_id)

    def settle(self, depositor: bytes, manifests: Iterable[Manifest]) -> None:
        """Their rows are there: forget what lies beside these blobs."""
        for manifest in manifests:
            if manifest.pieces > 1:
                self.store(depositor).incoming(_UNKNOWN, manifest.content_id).discard()

    def take_out(
        self, removed: Iterable[tuple[bytes, bytes]], busy: Callable[[bytes, bytes], bool]
    ) -> list[Path]:
        """Take out the files of blobs that no item names any more; they are still to be unlinked.

        Of those that are `busy`, somebody is putting them together and sees for himself.
        """
        aside: list[Path] = []
        for depositor, content_id in removed:
            if busy(depositor, content_id) or self.is_named(depositor, content_id):
                continue
            store = self.store(depositor)
            whole = store.put_aside(content_id)
            if whole is not None:
                aside.append(whole)
            store.incoming(_UNKNOWN, content_id).discard()
        return aside

    # Taking in.

    def find(self, depositor: bytes, envelope_hash: bytes) -> Item | None:
        """What a depositor left, by the SHA-256 of the envelope."""
        row = self._db.row(
            f"SELECT {_COLUMNS} FROM held_items WHERE envelope_hash = ? AND depositor = ?",  # noqa: S608
            envelope_hash,
            depositor,
        )
        return None if row is None else _item(row)

    def add(
        self,
        depositor: bytes,
        owner: bytes,
        envelope: bytes,
        blobs: tuple[HeldBlob, ...],
        *,
        expires: int,
        terms: Terms,
        now: int,
    ) -> Item:
        """Enter an item whose blobs are still to come.

        `BusyError` or `HolderFullError` where there is no room for it now, `TooMuchError` where
        there never is, `MalformedError` for what contradicts itself, `DiskFullError`.
        """
        if not envelope or len({blob.content_id for blob in blobs}) != len(blobs):
            raise MalformedError("deposit")
        for blob in blobs:
            # One length for each: what is counted must be what comes.
            known = self._length(depositor, blob.content_id)
            if known not in (None, blob.length):
                raise MalformedError("deposit: length")
        self._check(depositor, owner, len(envelope), blobs, terms)
        envelope_hash = hashlib.sha256(envelope).digest()
        self._db.execute(
            "INSERT INTO held_items"
            " (envelope_hash, depositor, owner, envelope, received, expires)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            envelope_hash, depositor, owner, envelope, now, expires,
        )  # fmt: skip
        number: int = self._db.value("SELECT last_insert_rowid()")
        for blob in blobs:
            self._db.execute(
                "INSERT INTO held_blobs VALUES (?, ?, ?, ?, ?, ?)",
                number, blob.content_id, depositor, owner, blob.length, blob.token_hash,
            )  # fmt: skip
        return Item(number, envelope_hash, depositor, owner, expires, None)

    def _length(self, depositor: bytes, content_id: bytes) -> int | None:
        return self._db.value(
            "SELECT length FROM held_blobs WHERE depositor = ? AND content_id = ? LIMIT 1",
            depositor,
            content_id,
        )

    def _check(
        self,
        depositor: bytes,
        owner: bytes,
        envelope: int,
        blobs: tuple[HeldBlob, ...],
        terms: Terms,
    ) -> None:
        if envelope + sum(blob.length for blob in blobs) > terms.per_contact:
            raise TooMuchError("it is larger than what is held for anybody")
        partial = self._db.value(
            "SELECT count(*) FROM held_items WHERE depositor = ? AND position IS NULL", depositor
        )
        if partial >= limits.HELD_PARTIAL:
            raise BusyError
        # As they will be counted: a second device of an owner needs no more than its envelope.
        new = [blob for blob in blobs if not self.is_named(depositor, blob.content_id)]
        new_for = [blob for blob in blobs if not self._is_for(depositor, owner, blob.content_id)]
        size, size_for = (envelope + sum(each.length for each in some) for some in (new, new_for))
        total = self.total()
        if total.items >= limits.HELD_ITEMS or total.bytes + size > terms.quota:
            raise HolderFullError
        for identity, role, more in ((depositor, "depositor", size), (owner, "owner", size_for)):
            held = self.total_of(identity, role)
            if held.items >= limits.HELD_PER_CONTACT or held.bytes + more > terms.per_contact:
                raise HolderFullError
        self.space.check(size)

    def _is_for(self, depositor: bytes, owner: bytes, content_id: bytes) -> bool:
        """Whether a depositor left a blob for somebody."""
        return bool(
            self._db.value(
                "SELECT 1 FROM held_blobs WHERE depositor = ? AND content_id = ? AND owner = ?"
                " LIMIT 1",
                depositor,
                content_id,
                owner,
            )
        )

    def blobs_of(self, item: Item) -> tuple[HeldBlob, ...]:
        """All that an item names."""
        rows = self._db.rows(
            "SELECT content_id, length, token_hash FROM held_blobs WHERE number = ?", item.number
        )
        return tuple(HeldBlob(*row) for row in rows)

    def missing(self, item: Item) -> list[HeldBlob]:
        """Those of its blobs that are not here whole."""
        return [
            blob
            for blob in self.blobs_of(item)
            if not self.is_here(item.depositor, blob.content_id)
        ]

    def is_here(self, depositor: bytes, content_id: bytes) -> bool:
        """Whether a blob of a depositor is here whole."""
        return bool(
            self._db.value(
                "SELECT 1 FROM held_manifests WHERE depositor = ? AND content_id = ?",
                depositor,
                content_id,
            )
        )

    def is_named(self, depositor: bytes, content_id: bytes) -> bool:
        """Whether an item of a depositor names a blob."""
        return self._length(depositor, content_id) is not None

    def complete(self, item: Item, manifests: Iterable[Manifest] = ()) -> Item:
        """Enter blobs of an item that lie here whole and durably, and give it its position.

        `GoneError` if it was removed, `BusyError` if a blob of it was.
        """
        current = self.find(item.depositor, item.envelope_hash)
        if current is None or current.number != item.number:
            raise GoneError
        if current.position is not None:
            return current
        for manifest in manifests:
            self._db.execute(
                "INSERT OR REPLACE INTO held_manifests VALUES (?, ?, ?)",
                item.depositor, manifest.content_id, manifest.encode(),
            )  # fmt: skip
        if self.missing(current):
            raise BusyError
        self._db.execute(
            "UPDATE held_totals SET last = last + 1 WHERE identity = ? AND role = 'owner'",
            item.owner,
        )
        self._db.execute(
            "UPDATE held_items SET position = ? WHERE number = ?",
            self.last(item.owner), item.number,
        )  # fmt: skip
        return self.find(item.depositor, item.envelope_hash) or current

    # Giving out.

    def last(self, owner: bytes) -> int:
        """The highest position that was given to an owner so far."""
        return (
            self._db.value(
                "SELECT last FROM held_totals WHERE identity = ? AND role = 'owner'", owner
            )
            or 0
        )

    def items_for(
        self, owner: bytes, after: int, most: int, *, own: bool = False
    ) -> list[tuple[int, bytes]]:
        """(position, envelope) of what is held whole for somebody, behind a position: what others
        left for it, or what it left itself.
        """
        rows = self._db.rows(
            f"SELECT position, envelope FROM {_OWN if own else _OF_OTHERS}"  # noqa: S608
            " AND owner = ? AND position > ? ORDER BY position LIMIT ?",
            owner,
            after,
            most,
        )
        return [(row[0], row[1]) for row in rows]

    def has_more(self, owner: bytes, after: int, *, own: bool = False) -> bool:
        """Whether something is held whole for somebody behind a position, as in `items_for`."""
        return bool(
            self._db.value(
                f"SELECT 1 FROM {_OWN if own else _OF_OTHERS}"  # noqa: S608
                " AND owner = ? AND position > ? LIMIT 1",
                owner,
                after,
            )
        )

    def blob_for(self, owner: bytes, content_id: bytes, token: bytes) -> tuple[bytes, Manifest]:
        """The depositor and the manifest of a blob for who shows its token.

        `GoneError` whatever the reason is. Only what is held for `owner` is looked at, so that
        neither the answer nor its time tells of anybody else's. Tokens are found by their hash: how
        far that of a guess agrees with one leads to no better guess.
        """
        found: bytes | None = self._db.value(
            "SELECT held_blobs.depositor FROM held_blobs JOIN held_items USING (number)"
            " WHERE held_blobs.owner = ? AND content_id = ? AND token_hash = ?"
            " AND position IS NOT NULL LIMIT 1",
            owner,
            content_id,
            token_hash(token),
        )
        if found is None:
            raise GoneError
        manifest = self._db.value(
            "SELECT manifest FROM held_manifests WHERE depositor = ? AND content_id = ?",
            found,
            content_id,
        )
        if manifest is None:
            raise GoneError
        return found, Manifest.decode(manifest, content_id)

    def open(self, depositor: bytes, content_id: bytes) -> BinaryIO:
        """A whole blob's file; `GoneError` if somebody took it away."""
        try:
            return self.store(depositor).open(content_id)
        except BlobMissingError:
            raise GoneError from None

    # Removing.

    def depositors_of(self, owner: bytes, envelope_hash: bytes) -> list[bytes]:
        """Who left an envelope for somebody."""
        rows = self._db.rows(
            "SELECT depositor FROM held_items WHERE envelope_hash = ? AND +owner = ?",
            envelope_hash,
            owner,
        )
        return [row[0] for row in rows]

    def done(self, identity: bytes, envelope_hash: bytes, receipt: bytes, now: int) -> Removed:
        """Remove what is held for, or from, somebody under that hash.

        Whose it was for may leave a receipt for those who left it.
        """
        rows = self._db.rows(
            # The plus signs say that the hash finds them, and not all that somebody owns.
            "SELECT number, depositor, owner FROM held_items"
            " WHERE envelope_hash = ?1 AND (+owner = ?2 OR +depositor = ?2)",
            envelope_hash,
            identity,
        )
        for row in rows:
            if receipt and row["owner"] == identity != row["depositor"]:
                self._keep_receipt(envelope_hash, row["depositor"], receipt, now)
        self._db.execute(
            "DELETE FROM held_receipts WHERE depositor = ? AND envelope_hash = ?",
            identity, envelope_hash,
        )  # fmt: skip
        return self._remove([row["number"] for row in rows])

    def end(self, item: Item) -> Removed:
        """Remove an item of which nothing will come."""
        return self._remove([item.number])

    def remove_over(self, now: int) -> Removed:
        """Remove some of what has been here too long, or takes too long to come."""
        rows = self._db.rows(
            "SELECT number FROM (SELECT number FROM held_items WHERE expires <= ?1 LIMIT ?3)"
            " UNION SELECT number FROM (SELECT number FROM held_items"
            " WHERE position IS NULL AND received <= ?2 LIMIT ?3)",
            now,
            now - PARTIAL_SECONDS,
            AT_A_TIME,
        )
        return self._remove([row[0] for row in rows])

    def end_backup(self, identity: bytes, expires: int) -> None:
        """What somebody left for itself ends then, at the latest."""
        self._db.write(
            "UPDATE held_items SET expires = ?2"
            " WHERE depositor = ?1 AND owner = ?1 AND expires > ?2",
            identity,
            expires,
        )

    def begin_backup(self, identity: bytes, expires: int) -> None:
        """What somebody left for itself, and is still here, ends then and no sooner."""
        self._db.write(
            "UPDATE held_items SET expires = ?2 WHERE depositor = ?1 AND owner = ?1",
            identity,
            expires,
        )

    def remove_of(self, identity: bytes, *, from_it: bool) -> Removed:
        """Remove some of what is held for somebody; with `from_it`, of what it left, too."""
        rows = self._db.rows(
            "SELECT number FROM held_items WHERE owner = ?1 OR (?2 AND depositor = ?1) LIMIT ?3",
            identity,
            from_it,
            AT_A_TIME,
        )
        return self._remove([row[0] for row in rows])

    def _remove(self, numbers: list[int]) -> Removed:
        blobs: set[tuple[bytes, bytes]] = set()
        for number in numbers:
            blobs.update(
                (row[0], row[1])
                for row in self._db.rows(
                    "SELECT depositor, content_id FROM held_blobs WHERE number = ?", number
                )
            )
            self._db.execute("DELETE FROM held_items WHERE number = ?", number)
        if numbers:
            self.removals += 1
        return Removed(len(numbers), frozenset(blobs))

    # Receipts on their way back.

    def _keep_receipt(
        self, envelope_hash: bytes, depositor: bytes, receipt: bytes, now: int
    ) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO held_receipts VALUES (?, ?, ?, ?)",
            envelope_hash, depositor, receipt, now,
        )  # fmt: skip
        count = self._db.value("SELECT count(*) FROM held_receipts WHERE depositor = ?", depositor)
        if count > limits.HELD_RECEIPTS:
            self._db.execute(
                "DELETE FROM held_receipts WHERE (depositor, envelope_hash) IN"
                " (SELECT depositor, envelope_hash FROM held_receipts WHERE depositor = ?"
                " ORDER BY received LIMIT ?)",
                depositor, count - limits.HELD_RECEIPTS,
            )  # fmt: skip

    def receipts_for(self, depositor: bytes, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """(envelope hash, receipt) for somebody, behind a hash."""
        rows = self._db.rows(
            "SELECT envelope_hash, receipt FROM held_receipts"
            " WHERE depositor = ? AND envelope_hash > ? ORDER BY envelope_hash LIMIT ?",
            depositor,
            after,
            most,
        )
        return [(row[0], row[1]) for row in rows]

    def remove_old_receipts(self, now: int) -> int:
        """Remove the receipts that nobody came for; how many."""
        return self._db.write(
            "DELETE FROM held_receipts WHERE received <= ?", now - limits.HELD_SECONDS
        )

    def remove_receipts_of(self, depositor: bytes) -> int:
        """Remove the receipts that wait for somebody; how many."""
        return self._db.write("DELETE FROM held_receipts WHERE depositor = ?", depositor)

    # How much there is.

    def total(self) -> Total:
        """Of all depositors."""
        row = self._db.row(
            "SELECT coalesce(sum(items), 0), coalesce(sum(bytes), 0) FROM held_totals"
            " WHERE role = 'depositor'"
        )
        return NOTHING if row is None else Total(row[0], row[1])

    def total_of(self, identity: bytes, role: str) -> Total:
        """What is held from somebody (`depositor`) or for somebody (`owner`)."""
        row = self._db.row(
            "SELECT items, bytes FROM held_totals WHERE identity = ? AND role = ?", identity, role
        )
        return NOTHING if row is None else Total(row[0], row[1])

    def oldest_for(self, owner: bytes) -> int | None:
        """When that came which has been held whole for somebody the longest: seconds since 1970."""
        return self._db.value(
            "SELECT received FROM held_items WHERE owner = ? AND position IS NOT NULL"
            " ORDER BY position LIMIT 1",
            owner,
        )

    # Leftovers.

    def sweep(self) -> Callable[[], int]:
        """For the start: what removes the files that no row names, to be run in a thread; it says
        how many.
        """
        depositors = [row[0] for row in self._db.rows("SELECT DISTINCT depositor FROM held_blobs")]
        kept = {self._name(each): self._sweep_of(each) for each in depositors}

        def run() -> int:
            removed = sum(sweep() for sweep in kept.values())
            if self._folder.is_dir():
                for folder in self._folder.iterdir():
                    if folder.name not in kept and folder.is_dir():
                        removed += _remove_tree(folder)
            return removed

        return run

    def _sweep_of(self, depositor: bytes) -> Callable[[], int]:
        whole = self._db.rows(
            "SELECT content_id FROM held_manifests WHERE depositor = ?", depositor
        )
        partial = self._db.rows(
            "SELECT DISTINCT content_id FROM held_blobs WHERE depositor = ?1 AND content_id NOT IN"
            " (SELECT content_id FROM held_manifests WHERE depositor = ?1)",
            depositor,
        )
        known, expected = [row[0] for row in whole], [(_UNKNOWN, row[0]) for row in partial]
        return lambda: self.store(depositor).sweep(known, expected, most=None)


_OWN: Final = "held_items INDEXED BY held_items_own WHERE depositor = owner"
_OF_OTHERS: Final = "held_items INDEXED BY held_items_of_others WHERE depositor <> owner"
_COLUMNS: Final = "number, envelope_hash, depositor, owner, expires, position"


def _item(row: Row) -> Item:
    return Item(*row)


def _remove_tree(folder: Path) -> int:
    """Remove the folder of a depositor of whom nothing is held any more."""
    removed = sum(map(remove_leftover, folder.rglob("*")))
    for path in sorted(folder.rglob("*"), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()
    with contextlib.suppress(OSError):
        folder.rmdir()
    return removed
