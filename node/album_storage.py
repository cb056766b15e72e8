"""What the node keeps of albums: entries, keys, sets of wraps, and which photos are to come.

It shares the database with `library`. Entries were verified before they came in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ..crypto.secret import Secret
from ..protocol.album import Entry
from ..protocol.album_keys import OneWrap, WrapSet, key_id
from .database import Database
from .library import IncomingOffer

State = Literal["invited", "joined", "left", "removed"]


@dataclass(frozen=True, slots=True)
class KeptAlbum:
    """One album: how this node stands to it, who let us in, and since when that is known."""

    album_id: bytes
    state: State
    inviter: bytes
    since: int


class AlbumStore:
    """The rows. Each method that writes is one durable transaction, or a part of one."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Albums and their entries.

    def albums(self) -> list[KeptAlbum]:
        """All albums, the oldest first."""
        rows = self._db.rows("SELECT * FROM shared_albums ORDER BY since, album_id")
        return [KeptAlbum(*row) for row in rows]

    def entries(self, album_id: bytes) -> list[bytes]:
        """The entries of an album in the order in which they came."""
        rows = self._db.rows(
            "SELECT entry FROM album_entries WHERE album_id = ? ORDER BY number", album_id
        )
        return [row[0] for row in rows]

    def begin(self, kept: KeptAlbum) -> None:
        """A new album."""
        self._db.write(
            "INSERT INTO shared_albums VALUES (?, ?, ?, ?)",
            kept.album_id, kept.state, kept.inviter, kept.since,
        )  # fmt: skip

    def set_state(self, album_id: bytes, state: State, inviter: bytes) -> None:
        """This node stands otherwise to an album."""
        self._db.write(
            "UPDATE shared_albums SET state = ?, inviter = ? WHERE album_id = ?",
            state, inviter, album_id,
        )  # fmt: skip

    def forget(self, album_id: bytes) -> None:
        """An album by which nothing came goes, with all that is kept of it."""
        self._db.write("DELETE FROM shared_albums WHERE album_id = ?", album_id)

    def add_entries(self, album_id: bytes, entries: Iterable[Entry]) -> None:
        """Keep entries, each after those that it needs."""
        with self._db.transaction():
            for entry in entries:
                self._db.execute(
                    "INSERT INTO album_entries (album_id, digest, entry) VALUES (?, ?, ?)",
                    album_id, entry.digest, entry.signed.encode(),
                )  # fmt: skip

    # Keys and wraps.

    def keys(self, album_id: bytes) -> list[Secret]:
        """The keys of an album that are here."""
        rows = self._db.rows("SELECT key FROM album_keys WHERE album_id = ?", album_id)
        return [Secret(row[0]) for row in rows]

    def add_keys(self, album_id: bytes, keys: Iterable[Secret]) -> None:
        """Keep keys; those that are here stay."""
        with self._db.transaction():
            for key in keys:
                self._db.execute(
                    "INSERT OR IGNORE INTO album_keys VALUES (?, ?, ?)",
                    album_id, key_id(key), key.reveal(),
                )  # fmt: skip

    def add_wraps(self, album_id: bytes, entry: bytes, wraps: WrapSet) -> None:
        """Keep the set that an entry names."""
        with self._db.transaction():
            for device, one in wraps.wraps.items():
                self._db.execute(
                    "INSERT OR IGNORE INTO album_wraps VALUES (?, ?, ?, ?, ?)",
                    album_id, entry, wraps.key_id, device, one.encode(),
                )  # fmt: skip

    def wrap(self, album_id: bytes, entry: bytes, key_id: bytes, device: bytes) -> bytes | None:
        """The wrap for a device, with its proof, if the set is here."""
        return self._db.value(
            "SELECT wrap FROM album_wraps"
            " WHERE album_id = ? AND entry = ? AND key_id = ? AND device = ?",
            album_id, entry, key_id, device,
        )  # fmt: skip

    def has_set(self, album_id: bytes, entry: bytes, key_id: bytes) -> bool:
        """Whether the set of a key that an entry names is here. They are kept whole or not."""
        found = self._db.value(
            "SELECT 1 FROM album_wraps WHERE album_id = ? AND entry = ? AND key_id = ? LIMIT 1",
            album_id, entry, key_id,
        )  # fmt: skip
        return found is not None

    def keep_sets(self, album_id: bytes, sets: set[tuple[bytes, bytes]]) -> None:
        """Let go of all sets but these, by their entries and keys."""
        rows = self._db.rows(
            "SELECT DISTINCT entry, key_id FROM album_wraps WHERE album_id = ?", album_id
        )
        over = [(row[0], row[1]) for row in rows if (row[0], row[1]) not in sets]
        if not over:
            return
        with self._db.transaction():
            for entry, name in over:
                self._db.execute(
                    "DELETE FROM album_wraps WHERE album_id = ? AND entry = ? AND key_id = ?",
                    album_id, entry, name,
                )  # fmt: skip

    def set_part(
        self, album_id: bytes, entry: bytes, key_id: bytes, first: int, most: int
    ) -> tuple[tuple[bytes, bytes], ...]:
        """Devices and what is sealed to each, in their order from number `first` on."""
        rows = self._db.rows(
            "SELECT device, wrap FROM album_wraps WHERE album_id = ? AND entry = ? AND key_id = ?"
            " ORDER BY device LIMIT ? OFFSET ?",
            album_id, entry, key_id, most, first,
        )  # fmt: skip
        return tuple((row["device"], OneWrap.decode(row["wrap"]).sealed) for row in rows)

    # Previews.

    def previews(self, album_id: bytes) -> set[bytes]:
        """The entries whose previews are here."""
        rows = self._db.rows("SELECT digest FROM album_previews WHERE album_id = ?", album_id)
        return {row[0] for row in rows}

    def preview(self, album_id: bytes, entry: bytes) -> bytes | None:
        """The sealed preview of the photo that an entry adds, if it is here."""
        return self._db.value(
            "SELECT sealed FROM album_previews WHERE album_id = ? AND digest = ?", album_id, entry
        )

    def add_previews(self, album_id: bytes, previews: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep previews, each by its entry."""
        with self._db.transaction():
            for entry, sealed in previews:
                self._db.execute(
                    "INSERT OR IGNORE INTO album_previews VALUES (?, ?, ?)", album_id, entry, sealed
                )

    def drop_preview(self, album_id: bytes, entry: bytes) -> None:
        """A preview is not wanted any more."""
        self._db.write(
            "DELETE FROM album_previews WHERE album_id = ? AND digest = ?", album_id, entry
        )

    # Photos.

    def expect(self, offer: IncomingOffer) -> None:
        """Note a photo that is in an album and is to be fetched, if it is not noted yet."""
        self._db.execute(
            "INSERT OR IGNORE INTO offers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            offer.envelope_hash, offer.photo_id, offer.identity, offer.device,
            offer.record.signed.encode(), offer.capability,
            offer.content_key.reveal(), offer.metadata_key.reveal(), offer.state, offer.code,
            offer.received, offer.updated, offer.certificates, offer.album,
        )  # fmt: skip

    def expected(self, album_id: bytes, state: str) -> list[bytes]:
        """The hashes of the entries whose photos stand so; those that were noted last first."""
        rows = self._db.rows(
            "SELECT envelope_hash FROM offers WHERE album = ? AND state = ?"
            " ORDER BY received DESC, envelope_hash",
            album_id, state,
        )  # fmt: skip
        return [row[0] for row in rows]

    def here(self) -> set[bytes]:
        """The photos that are on this machine, of albums or not."""
        return {row[0] for row in self._db.rows("SELECT photo_id FROM photos")}

    def is_here(self, photo_id: bytes) -> bool:
        """Whether a photo is in the library."""
        return bool(self._db.value("SELECT 1 FROM photos WHERE photo_id = ?", photo_id))

    def states(self, album_id: bytes) -> dict[bytes, str]:
        """How each photo of an album stands that was ever expected."""
        rows = self._db.rows("SELECT photo_id, state FROM offers WHERE album = ?", album_id)
        return {row[0]: row[1] for row in rows}

    def came_by(self, photo_id: bytes) -> list[bytes]:
        """The albums by which a photo came."""
        rows = self._db.rows(
            "SELECT DISTINCT album FROM offers"
            " WHERE photo_id = ? AND album IS NOT NULL AND state = 'stored'",
            photo_id,
        )
        return [row[0] for row in rows]

    def forget_expected(self, album_id: bytes) -> None:
        """What has not come does not come any more."""
        self._db.write("DELETE FROM offers WHERE album = ? AND state = 'accepted'", album_id)

    def wait(self, album_id: bytes, photo_id: bytes) -> None:
        """A photo of ours is to be added once the key is here."""
        self._db.write("INSERT OR IGNORE INTO album_waiting VALUES (?, ?)", album_id, photo_id)

    def waiting(self, album_id: bytes) -> list[bytes]:
        """The photos of ours that wait for the key."""
        rows = self._db.rows("SELECT photo_id FROM album_waiting WHERE album_id = ?", album_id)
        return [row[0] for row in rows]

    def wait_no_more(self, album_id: bytes, photo_id: bytes | None = None) -> None:
        """A photo is added, or can't be; or none is to be added any more."""
        self._db.write(
            "DELETE FROM album_waiting WHERE album_id = ?1 AND (?2 IS NULL OR photo_id = ?2)",
            album_id, photo_id,
        )  # fmt: skip

    def hide(self, album_id: bytes, photo_id: bytes) -> None:
        """Somebody here does not want a photo."""
        with self._db.transaction():
            self._db.execute("INSERT OR IGNORE INTO album_hidden VALUES (?, ?)", album_id, photo_id)
            self._db.execute(
                "DELETE FROM offers WHERE album = ? AND photo_id = ? AND state = 'accepted'",
                album_id, photo_id,
            )  # fmt: skip

    def show(self, album_id: bytes, photo_id: bytes) -> None:
        """Somebody wants it again: what counts as declined may come."""
        with self._db.transaction():
            self._db.execute(
                "DELETE FROM album_hidden WHERE album_id = ? AND photo_id = ?", album_id, photo_id
            )
            self._db.execute(
                "DELETE FROM offers WHERE album = ? AND photo_id = ? AND state <> 'stored'",
                album_id, photo_id,
            )  # fmt: skip

    def hidden(self, album_id: bytes) -> set[bytes]:
        """The photos of an album that nobody here wants."""
        rows = self._db.rows("SELECT photo_id FROM album_hidden WHERE album_id = ?", album_id)
        return {row[0] for row in rows}
