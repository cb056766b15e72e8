"""Photos that were removed on another device of ours, and lie here for a while.

Whoever has a device can remove all photos there, and so everywhere. Here they are out of sight at
once, but their blobs stay until nobody can be wrong about it any more: if that device turns out to
be stolen, what it said does not count, and they are back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..crypto.blob import Kind
from ..protocol.photo import Metadata
from ..protocol.sibling_kinds import KeptPhoto
from .blobstore import BlobStore
from .database import Database
from .library import Library, Photo
from .photo_errors import AmbiguousIdError, NoSuchPhotoError

TRASH_SECONDS: Final = 30 * 86_400
"""How long they lie here."""
_KINDS: Final = (Kind.ORIGINAL, Kind.METADATA)


class SiblingTrash:
    """Puts photos there, takes them back, and empties it."""

    def __init__(
        self,
        database: Database,
        library: Library,
        blobs: BlobStore,
        identity: bytes,
        now: Callable[[], int],
    ) -> None:
        self._db = database
        self._library = library
        self._blobs = blobs
        self._identity = identity
        self._now = now

    def put(self, photo: Photo, kept: bytes) -> list[bytes]:
        """Note a photo that is about to be removed, within a transaction; the blobs that stay."""
        self._db.execute(
            "INSERT OR REPLACE INTO sibling_trash"
            " SELECT photo_id, ?, metadata, fingerprint, ? FROM photos WHERE photo_id = ?",
            kept, self._now(), photo.photo_id,
        )  # fmt: skip
        return [photo.record.blob_id(kind) for kind in _KINDS]

    def take_back(self, photo_id: bytes) -> bool:
        """Enter a photo again, within a transaction, if it lies here."""
        row = self._db.row("SELECT * FROM sibling_trash WHERE photo_id = ?", photo_id)
        if row is None:
            return False
        kept = KeptPhoto.read(row["kept"], self._identity)
        self._db.execute("DELETE FROM sibling_trash WHERE photo_id = ?", photo_id)
        self._library.add_photo(
            kept.entry.record, Metadata.decode(row["metadata"]), (), row["fingerprint"], kept.added
        )
        return True

    def all(self) -> list[tuple[bytes, Metadata, int]]:
        """What lies here: photos, what is known of them, and until when; the latest first."""
        rows = self._db.rows(
            "SELECT photo_id, metadata, removed FROM sibling_trash ORDER BY removed DESC, photo_id"
        )
        return [(row[0], Metadata.decode(row[1]), row[2] + TRASH_SECONDS) for row in rows]

    def bring_back(self, prefix: str) -> bytes:
        """A person wants a photo back, by how its id begins. Raises `NoSuchPhotoError`,
        `AmbiguousIdError`.
        """
        found = [each for each, _, _ in self.all() if each.hex().startswith(prefix.lower())]
        if not prefix or not found:
            raise NoSuchPhotoError(prefix)
        if len(found) > 1:
            raise AmbiguousIdError(prefix)
        with self._db.transaction():
            self.take_back(found[0])
        return found[0]

    def empty(self) -> int:
        """Remove what has lain here long enough; how many that were."""
        rows = self._db.rows(
            "SELECT photo_id FROM sibling_trash WHERE removed <= ?", self._now() - TRASH_SECONDS
        )
        for row in rows:
            with self._db.transaction():
                blobs = self._db.rows("SELECT content_id FROM blobs WHERE photo_id = ?", row[0])
                self._db.execute("DELETE FROM sibling_trash WHERE photo_id = ?", row[0])
                self._db.execute("DELETE FROM blobs WHERE photo_id = ?", row[0])
            for blob in blobs:
                self._blobs.remove(blob[0])
        return len(rows)
