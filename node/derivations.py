"""What was made from photos: copies for sharing in one form or another, and renditions.

It shares the database with `library`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from .database import Database
from .forms import Form
from .library import StoredBlob

_DEPTH: Final = 64
"""Copies of copies that are followed; none are made any more, but libraries may have some."""


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

    def copy(self, source: bytes, form: Form, recipient: bytes = b"") -> Copy | None:
        """The copy of a photo in that form; of one that is marked, the one for that identity."""
        row = self._db.row(
            "SELECT photo_id, left_out FROM copies"
            " WHERE source_id = ? AND policy = ? AND max_px = ? AND recipient = ?",
            source, form.policy, form.max_px or 0, recipient,
        )  # fmt: skip
        return None if row is None else Copy(row["photo_id"], tuple(json.loads(row["left_out"])))

    def put_copy(self, source: bytes, form: Form, copy: Copy, recipient: bytes = b"") -> None:
        """Note a copy, in place of an earlier one."""
        self._db.write(
            "INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?, ?, ?)",
            source, form.policy, form.max_px or 0, recipient,
            copy.photo_id, json.dumps(copy.left_out),
        )  # fmt: skip

    def forms(self, photo_id: bytes) -> list[Form]:
        """In which forms a photo goes, in its own place or in that of another."""
        rows = self._db.rows(
            "SELECT policy, max_px, recipient FROM copies WHERE photo_id = ?", photo_id
        )
        return [Form(row["policy"], row["max_px"] or None, bool(row["recipient"])) for row in rows]

    def source(self, photo_id: bytes) -> bytes:
        """The photo that a copy, or a copy of a copy, was made of; of any other photo, itself."""
        return self._db.value(
            "WITH RECURSIVE above (id, steps) AS (SELECT ?1, 0 UNION SELECT source_id, steps + 1"
            " FROM copies JOIN above ON photo_id = id WHERE source_id <> photo_id AND steps < ?2)"
            " SELECT id FROM above ORDER BY steps DESC LIMIT 1",
            photo_id, _DEPTH,
        )  # fmt: skip

    # Renditions.

    def rendition(self, photo_id: bytes, name: str) -> bytes | None:
        """The content id of a photo's rendition of that name."""
        return self._db.value(
            "SELECT content_id FROM renditions WHERE photo_id = ? AND name = ?", photo_id, name
        )

    def size(self, photo_id: bytes, name: str) -> tuple[int, int]:
        """Its width and height; nothing by nothing if there is none."""
        row = self._db.row(
            "SELECT width, height FROM renditions WHERE photo_id = ? AND name = ?", photo_id, name
        )
        return (0, 0) if row is None else (row["width"], row["height"])

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
