"""Which photos were let go from this machine to make room, and who showed to have them."""

from __future__ import annotations

from dataclasses import dataclass

from .blobstore import BlobStore
from .database import Database
from .library import StoredBlob


@dataclass(frozen=True, slots=True)
class AwayPhoto:
    """A blob that is not here, whose row and keys are."""

    content_id: bytes
    photo_id: bytes
    holder: bytes
    """The identity of who showed a piece of it before ours went."""
    bytes: int


class Away:
    """The rows. What came back is forgotten when somebody next asks."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._db = database
        self._blobs = blobs

    def load(self) -> None:
        """Tell the store which blobs miss on purpose. For the start."""
        self._blobs.away.update(each.content_id for each in self.all())

    def note(self, stored: StoredBlob, holder: bytes, now: int) -> None:
        """A blob is about to go. After a crash it may still be there: then it never went."""
        self._db.write(
            "INSERT OR REPLACE INTO away VALUES (?, ?, ?, ?, ?)",
            stored.content_id, stored.photo_id, holder, stored.decoded_manifest().length, now,
        )  # fmt: skip

    def all(self) -> list[AwayPhoto]:
        """All that are away, those that went first first."""
        rows = self._db.rows(
            "SELECT content_id, photo_id, holder, bytes FROM away ORDER BY since, content_id"
        )
        found = [AwayPhoto(*row) for row in rows]
        back = [each for each in found if each.content_id in self._blobs]
        if back:
            with self._db.transaction():
                for each in back:
                    self._db.execute("DELETE FROM away WHERE content_id = ?", each.content_id)
        return [each for each in found if each not in back]
