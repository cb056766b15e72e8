"""Folders that the node keeps up, as the library remembers them.

A mirror has what an album or a contact has; a watch gives what appears in it to the library.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from .database import Database, Row
from .photo_errors import FolderTakenError

Kind = Literal["mirror", "watch"]

_OF_THE_ALBUM: Final = "SELECT photo_id FROM album_photos WHERE album_id = ?1"
_OF_THE_CONTACT: Final = (
    "SELECT photo_id FROM photos WHERE author = ?1"
    " UNION SELECT photo_id FROM offers WHERE identity = ?1"
)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder. A mirror has an album or an identity; a watch perhaps an album's name.

    `to` are the identities that a watch shares with, `metadata` the policy (None: each contact's).
    """

    folder_id: int
    path: Path
    kind: Kind
    album_id: int | None = None
    identity: bytes | None = None
    album: str | None = None
    to: tuple[bytes, ...] = ()
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A photo that a mirror has not written yet; `still` is that of a clip."""

    photo_id: bytes
    still: bytes | None


class Folders:
    """The list of folders, and what was done in each."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[Folder]:
        """Every folder, the oldest first."""
        return [_folder(row) for row in self._db.rows("SELECT * FROM folders ORDER BY folder_id")]

    def add_mirror(
        self, path: Path, now: int, *, album_id: int | None, identity: bytes | None
    ) -> Folder:
        """A folder for the photos of an album or of a contact."""
        return self._add(path, "mirror", now, album_id=album_id, identity=identity, options={})

    def add_watch(
        self,
        path: Path,
        now: int,
        *,
        album: str | None,
        to: Iterable[bytes],
        metadata: str | None,
    ) -> Folder:
        """A folder whose files become photos."""
        receivers = [each.hex() for each in to]
        options: dict[str, object] = {"album": album, "to": receivers, "metadata": metadata}
        return self._add(path, "watch", now, album_id=None, identity=None, options=options)

    def check(self, path: Path, kind: Kind) -> None:
        """Raise `FolderTakenError` where a further folder would go round in circles."""
        for other in self.all():
            if other.path == path:
                raise FolderTakenError(f"it is a {other.kind} already")
            mirror, watch = (path, other.path) if kind == "mirror" else (other.path, path)
            if other.kind != kind and mirror.is_relative_to(watch):
                raise FolderTakenError(f"the mirror would lie in the watched folder {watch}")

    def _add(
        self,
        path: Path,
        kind: Kind,
        now: int,
        *,
        album_id: int | None,
        identity: bytes | None,
        options: dict[str, object],
    ) -> Folder:
        self.check(path, kind)
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO folders (path, kind, album_id, identity, options, created)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                os.fsencode(path), kind, album_id, identity, json.dumps(options), now,
            )  # fmt: skip
        return next(folder for folder in self.all() if folder.path == path)

    def remove(self, folder: Folder) -> None:
        """Keep a folder up no more; its files stay."""
        self._db.write("DELETE FROM folders WHERE folder_id = ?", folder.folder_id)

    # What was done.

    def note(self, folder: Folder, photo_id: bytes, name: str) -> None:
        """A mirror has written a photo under that name, or a watch has shared it."""
        self._db.write(
            "INSERT OR REPLACE INTO folder_photos VALUES (?, ?, ?)",
            folder.folder_id, photo_id, name,
        )  # fmt: skip

    def name_of(self, folder: Folder, photo_id: bytes) -> str | None:
        """The name that was noted for a photo; None if nothing was done with it."""
        return self._db.value(
            "SELECT name FROM folder_photos WHERE folder_id = ? AND photo_id = ?",
            folder.folder_id, photo_id,
        )  # fmt: skip

    def count(self, folder: Folder) -> int:
        """How many photos that is."""
        return self._db.value(
            "SELECT count(*) FROM folder_photos WHERE folder_id = ?", folder.folder_id
        )

    def missing(self, folder: Folder, limit: int) -> list[Missing]:
        """Photos that a mirror should have and never had, stills before their clips."""
        source, value = (
            (_OF_THE_ALBUM, folder.album_id)
            if folder.album_id is not None
            else (_OF_THE_CONTACT, folder.identity)
        )
        rows = self._db.rows(
            f"WITH source AS ({source})"  # noqa: S608 - one of two constants
            " SELECT photos.photo_id, clips.still_id FROM photos"
            " LEFT JOIN clips ON clips.clip_id = photos.photo_id"
            " WHERE (photos.photo_id IN source OR clips.still_id IN source)"
            " AND photos.photo_id NOT IN"
            " (SELECT photo_id FROM folder_photos WHERE folder_id = ?2)"
            " AND photos.photo_id NOT IN"
            " (SELECT photo_id FROM copies WHERE source_id <> photo_id)"
            " ORDER BY clips.still_id IS NOT NULL, photos.added, photos.photo_id LIMIT ?3",
            value, folder.folder_id, limit,
        )  # fmt: skip
        return [Missing(*row) for row in rows]


def _folder(row: Row) -> Folder:
    options: dict[str, Any] = json.loads(row["options"])
    return Folder(
        row["folder_id"],
        Path(os.fsdecode(row["path"])),
        row["kind"],
        row["album_id"],
        row["identity"],
        options.get("album"),
        tuple(bytes.fromhex(each) for each in options.get("to", ())),
        options.get("metadata"),
    )
