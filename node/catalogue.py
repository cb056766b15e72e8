"""The catalogue: what is known about the pictures, and how they are put together.

    facts    what the decoder found in a picture        clips    still and clip as one item
    albums   photos put together by name                files    where an imported file lay

It shares the database with `library`. Nothing of it is ever sent; `searching` asks it questions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import msgpack

from ..protocol.photo import Metadata
from . import livephotos, names
from .database import Database, Row
from .facts import Facts
from .livephotos import Half
from .photo_errors import NoSuchAlbumError
from .sources import Marks

_BATCH: Final = 500

LISTED: Final = """
    NOT EXISTS (SELECT 1 FROM clips WHERE clips.clip_id = photos.photo_id)
    AND NOT EXISTS (SELECT 1 FROM copies WHERE copies.photo_id = photos.photo_id
        AND copies.source_id <> photos.photo_id)
"""
"""A condition: the photo is an item of its own, no clip of a still and no copy for sharing."""

ALIKE: Final = """
    WITH RECURSIVE alike (photo_id) AS (SELECT ?
        UNION SELECT other.photo_id FROM alike JOIN photos USING (photo_id)
            JOIN photos AS other USING (fingerprint)
        UNION SELECT source_id FROM alike JOIN copies USING (photo_id)
        UNION SELECT still_id FROM alike JOIN clips ON clips.clip_id = alike.photo_id)
"""
"""The photos whose marks and albums count for one: itself, those of the same content, what it was
made of, and the still that it is the clip of."""


@dataclass(frozen=True, slots=True)
class Album:
    """Photos that were put together. `photos` counts those that are items of their own."""

    album_id: int
    name: str
    created: int
    photos: int


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file as it was when it was taken, by import or to be shared."""

    photo_id: bytes
    marks: Marks


class Catalogue:
    """What is known about the photos of the library."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def prepare(self) -> None:
        """Read out of their metadata what photos of before version 0.2.0 lack for the search."""
        while rows := self._db.rows(
            "SELECT photo_id, metadata FROM photos WHERE modified IS NULL LIMIT ?", _BATCH
        ):
            with self._db.transaction():
                for row in rows:
                    metadata = Metadata.decode(row["metadata"])
                    self._db.execute(
                        "UPDATE photos SET name = ?, modified = ? WHERE photo_id = ?",
                        names.folded(metadata.name), metadata.modified // 10**9, row["photo_id"],
                    )  # fmt: skip

    def is_listed(self, photo_id: bytes) -> bool:
        """Whether a photo is here and an item, or the clip of one; a copy for sharing is none."""
        return bool(
            self._db.value(
                "SELECT 1 FROM photos WHERE photo_id = ?1 AND NOT EXISTS (SELECT 1 FROM copies"
                " WHERE copies.photo_id = ?1 AND copies.source_id <> ?1)",
                photo_id,
            )
        )

    def copies_of(self, photo_id: bytes) -> list[tuple[bytes, str]]:
        """The copies for sharing that were made of a photo, and the policy of each."""
        rows = self._db.rows(
            "SELECT DISTINCT photo_id, policy FROM copies"
            " WHERE source_id = ?1 AND photo_id <> ?1 ORDER BY policy",
            photo_id,
        )
        return [(row[0], row[1]) for row in rows]

    # Facts.

    def facts(self, photo_id: bytes) -> Facts | None:
        """What was found in a picture; None if nobody has looked yet."""
        packed = self._db.value("SELECT facts FROM facts WHERE photo_id = ?", photo_id)
        return None if packed is None else unpacked(packed)

    def put_facts(self, photo_id: bytes, facts: Facts) -> None:
        """Note what was found, and join the halves of a live photo by the id in both."""
        latitude, longitude = facts.position or (None, None)
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                photo_id,
                msgpack.packb(facts.to_value()),
                _local(facts.captured),
                None if facts.camera is None else names.folded(facts.camera),
                latitude,
                longitude,
                None if facts.place is None else names.folded(facts.place),
                facts.pair,
                facts.c2pa,
            )
            if facts.pair is not None and facts.pair.startswith(livephotos.LIVE):
                # Of one author only: nobody else may hide a clip of his in a photo of ours.
                halves = self._halves(
                    "facts.pair = ? AND photos.author = (SELECT author FROM photos"
                    " WHERE photo_id = ?)",
                    facts.pair, photo_id,
                )  # fmt: skip
                self._join(halves)

    def not_looked_at(self, limit: int) -> list[bytes]:
        """Photos without facts, the oldest first; copies for sharing need none."""
        rows = self._db.rows(
            "SELECT photo_id FROM photos WHERE photo_id NOT IN (SELECT photo_id FROM facts) AND"
            " photo_id NOT IN (SELECT photo_id FROM copies WHERE source_id <> photo_id)"
            " ORDER BY added, photo_id LIMIT ?",
            limit,
        )
        return [row[0] for row in rows]

    # Clips.

    def clip_of(self, still: bytes) -> bytes | None:
        """The clip that belongs to a still."""
        return self._db.value("SELECT clip_id FROM clips WHERE still_id = ?", still)

    def still_of(self, clip: bytes) -> bytes | None:
        """The still that a clip belongs to."""
        return self._db.value("SELECT still_id FROM clips WHERE clip_id = ?", clip)

    def _halves(self, condition: str, *values: object) -> list[Row]:
        """The photos of a condition, of each content one: the joined one, else the earliest."""
        rows = self._db.rows(
            "SELECT DISTINCT photos.photo_id, photos.fingerprint, photos.metadata,"  # noqa: S608
            " photos.added, facts.facts, coalesce("
            "(SELECT still_id FROM clips WHERE clip_id = photos.photo_id),"
            " (SELECT clip_id FROM clips WHERE still_id = photos.photo_id)) AS partner"
            " FROM photos LEFT JOIN facts USING (photo_id) LEFT JOIN files USING (photo_id)"
            f" WHERE {condition} ORDER BY partner IS NULL, photos.added, photos.photo_id",
            *values,
        )
        first: dict[bytes, Row] = {}
        for row in rows:
            first.setdefault(row["fingerprint"], row)
        return list(first.values())

    def _join(self, rows: list[Row]) -> None:
        """Join the stills and clips among photos, in place of what was joined."""
        for still, clip in livephotos.pairs(_half(row) for row in rows):
            self._db.execute("DELETE FROM clips WHERE still_id = ? OR clip_id = ?", still, clip)
            self._db.execute("INSERT INTO clips VALUES (?, ?)", still, clip)

    # Imported files.

    def file(self, path: Path) -> ImportedFile | None:
        """The file of that path as it was imported."""
        row = self._db.row(
            "SELECT photo_id, size, modified, inode FROM files WHERE path = ?", os.fsencode(path)
        )
        if row is None:
            return None
        return ImportedFile(row["photo_id"], Marks(row["size"], row["modified"], row["inode"]))

    def has_file_of(self, size: int) -> bool:
        """Whether any file of so many bytes was imported or shared."""
        return self._db.value("SELECT 1 FROM files WHERE size = ? LIMIT 1", size) is not None

    def put_file(self, path: Path, file: ImportedFile, album: str | None, now: int) -> None:
        """Note where a photo came from, put it into its album, and join it with its clip."""
        stem, marks = livephotos.stem(path), file.marks
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                os.fsencode(path), stem, marks.size, marks.modified, file.photo_id, marks.inode,
            )  # fmt: skip
            if album is not None:
                self._put_into(album, file.photo_id, now)
            halves = self._halves("files.stem = ?", stem)
            here = {row["photo_id"] for row in halves}
            # A name tells little: what is joined with a file of another name or folder stays so.
            self._join([row for row in halves if row["partner"] in (None, *here)])

    def paths_of(self, photo_id: bytes) -> list[Path]:
        """Where the files of a photo lay when they were imported."""
        rows = self._db.rows("SELECT path FROM files WHERE photo_id = ? ORDER BY path", photo_id)
        return [Path(os.fsdecode(row[0])) for row in rows]

    # Albums.

    def albums(self) -> list[Album]:
        """All albums, by name."""
        rows = self._db.rows(
            "SELECT album_id, name, created, (SELECT count(*) FROM album_photos"  # noqa: S608
            " JOIN photos USING (photo_id) WHERE album_photos.album_id = albums.album_id"
            f" AND {LISTED}) FROM albums ORDER BY name"
        )
        return [Album(*row) for row in rows]

    def album_id(self, name: str) -> int:
        """The album of that name, in any case; `NoSuchAlbumError`."""
        wanted = names.folded(name)
        rows = self._db.rows("SELECT album_id, name FROM albums ORDER BY name <> ?", name)
        for row in rows:
            if names.folded(row["name"]) == wanted:
                return row["album_id"]
        raise NoSuchAlbumError(name)

    def put_into(self, album: str, photos: Iterable[bytes], now: int) -> None:
        """Put photos into an album, which is made if it is not there."""
        with self._db.transaction():
            for photo_id in photos:
                self._put_into(album, photo_id, now)

    def in_album(self, album: str, photo_id: bytes) -> bool:
        """Whether a photo, or another one of the same content, is in an album."""
        return bool(
            self._db.value(
                "SELECT 1 FROM photos JOIN photos AS like USING (fingerprint)"
                " JOIN album_photos ON album_photos.photo_id = like.photo_id"
                " JOIN albums USING (album_id) WHERE photos.photo_id = ? AND albums.name = ?",
                photo_id, album,
            )
        )  # fmt: skip

    def lies_in(self, photo_id: bytes) -> list[str]:
        """The names of the albums that this very photo is in."""
        rows = self._db.rows(
            "SELECT name FROM album_photos JOIN albums USING (album_id) WHERE photo_id = ?",
            photo_id,
        )
        return [row[0] for row in rows]

    def put(self, photo_id: bytes, folded: str, album: str | None, now: int) -> None:
        """Put this very photo into an album as another device of ours calls it, or take it out."""
        rows = self._db.rows("SELECT album_id, name FROM albums")
        here = [row["album_id"] for row in rows if names.folded(row["name"]) == folded]
        if album is None:
            for album_id in here:
                self._db.write(
                    "DELETE FROM album_photos WHERE album_id = ? AND photo_id = ?",
                    album_id, photo_id,
                )  # fmt: skip
            return
        if not here:
            self._db.write("INSERT INTO albums (name, created) VALUES (?, ?)", album, now)
            here = [self.album_id(album)]
        self._db.write(
            "INSERT OR IGNORE INTO album_photos VALUES (?, ?, ?)", here[0], photo_id, now
        )

    def albums_of(self, photo_id: bytes) -> list[str]:
        """The names of the albums that a photo is in, or another one of the same content.

        A copy for sharing is in those of all that it was made of, a clip in those of its still.
        """
        rows = self._db.rows(
            f"{ALIKE} SELECT DISTINCT name FROM albums JOIN album_photos USING (album_id)"  # noqa: S608
            " JOIN alike USING (photo_id) ORDER BY name",
            photo_id,
        )
        return [row[0] for row in rows]

    def _put_into(self, album: str, photo_id: bytes, now: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO albums (name, created) VALUES (?, ?)", album, now)
        if not self.in_album(album, photo_id):
            self._db.execute(
                "INSERT INTO album_photos SELECT album_id, ?, ? FROM albums WHERE name = ?",
                photo_id, now, album,
            )  # fmt: skip


def unpacked(packed: bytes) -> Facts:
    """Facts as the catalogue keeps them."""
    return Facts.read(cast("object", msgpack.unpackb(packed)))


def _half(row: Row) -> Half:
    facts = None if row["facts"] is None else unpacked(row["facts"])
    name = Metadata.decode(row["metadata"]).name
    if facts is None:
        return Half(row["photo_id"], name)
    return Half(row["photo_id"], name, facts.format, facts.pair)


def _local(captured: str | None) -> str | None:
    """A capture time as it was on the camera's clock, so that a day is the photographer's day."""
    if captured is None:
        return None
    date, mark, clock = captured.partition("T")
    for sign in "Z+-":
        clock = clock.partition(sign)[0]
    return date + mark + clock
