"""What was made from photos: copies for sharing under a metadata policy, and renditions.

It shares the database with `library`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from .database import Database
from .library import StoredBlob


@dataclass(frozen=True, slots=True)
class Copy:
    """The photo that goes in a source's place (it may be the source), and what it lacks."""

    photo_id: bytes
    left_out: tuple[str, ...]


class Derivations:
    """Remembers what was made, so that it is made once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Copies.

    def copy(self, source: bytes, policy: str) -> Copy | None:
        """The copy of a photo under a policy."""
        row = self._db.row(
            "SELECT photo_id, left_out FROM copies WHERE source_id = ? AND policy = ?",
            source,
            policy,
        )
        return None if row is None else Copy(row["photo_id"], tuple(json.loads(row["left_out"])))

    def put_copy(self, source: bytes, policy: str, copy: Copy) -> None:
        """Note a copy, in place of an earlier one."""
        self._db.write(
            "INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?)",
            source, policy, copy.photo_id, json.dumps(copy.left_out),
        )  # fmt: skip

    # Renditions.

    def rendition(self, photo_id: bytes, name: str) -> bytes | None:
        """The content id of a photo's rendition of that name."""
        return self._db.value(
            "SELECT content_id FROM renditions WHERE photo_id = ? AND name = ?", photo_id, name
        )

    def put_rendition(self, name: str, blob: StoredBlob, size: tuple[int, int]) -> None:
        """Enter a rendition whose blob lies durably in the blob folder, in place of an earlier."""
        earlier = self.rendition(blob.photo_id, name)
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO blobs VALUES (?, ?, ?, ?, ?)",
                blob.content_id, int(blob.kind), blob.photo_id, blob.manifest, blob.key.reveal(),
            )  # fmt: skip
            self._db.execute(
                "INSERT OR REPLACE INTO renditions VALUES (?, ?, ?, ?, ?)",
                blob.photo_id, name, blob.content_id, *size,
            )  # fmt: skip
            self._db.execute("DELETE FROM blobs WHERE content_id = ?", earlier)
