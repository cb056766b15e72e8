"""Writing a backup of the whole library into one file, while the node goes on.

    keys.bin, settings -> the library as it is at one moment -> each sealed blob that it names

The library's copy is made first, so that the file is one moment. A photo that is removed while
the blobs are written is noted as removed; a blob that is damaged here is noted as missing, and is
counted, and the rest is written (docs/spec/archive.md).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..crypto.blob import MAX_CONTENT_BYTES, Manifest, sealed_length
from ..crypto.errors import MalformedError
from ..crypto.secret import Secret
from ..protocol import archive
from ..protocol.archive import Head, Presence
from ..protocol.opening import Entropy
from . import archive_file
from .archive_errors import ArchiveDamagedError
from .archive_file import ArchiveWriter
from .blobstore import BlobStore
from .database import Database
from .errors import BadRequestError, FileTooLargeError, HomeUnusableError
from .events import Events
from .home import Home
from .keys import UnlockedKeys
from .library import Library
from .photo_errors import BlobMissingError
from .tasks import to_the_end
from .views_archive import Archived, ArchiveProgress

_PART_BYTES: Final = 32 * 1024 * 1024
"""Bytes of blobs that are written between two steps of the progress."""
LAST: Final = "archive-last"
"""The setting that says when a file was last written."""


class Archiver:
    """Writes backup files of one node, one at a time."""

    def __init__(
        self,
        *,
        home: Home,
        keys: UnlockedKeys,
        database: Database,
        library: Library,
        blobs: BlobStore,
        events: Events,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._home = home
        self._store_key = keys.store_key
        self._library_key = keys.library_key
        self._db = database
        self._library = library
        self._blobs = blobs
        self._events = events
        self._entropy = entropy
        self._now = now
        self._one_at_a_time = asyncio.Lock()

    @property
    def last(self) -> int | None:
        """When a backup file was last written to its end; seconds since 1970."""
        kept = self._library.setting(LAST)
        return int.from_bytes(kept) if kept else None

    def sweep(self) -> None:
        """Remove what was left of a copy when a process ended."""
        with contextlib.suppress(OSError):
            self._home.library_copy.unlink(missing_ok=True)

    async def write(self, path: Path) -> AsyncGenerator[ArchiveProgress | Archived]:
        """Write the file; progress as it goes on, and at the end what is in it."""
        if not path.is_absolute():
            raise BadRequestError("path is an absolute path")
        async with self._one_at_a_time:
            try:
                known, photos = await to_the_end(asyncio.to_thread(self._copy_library))
                async with contextlib.aclosing(self._write(path, known, photos)) as steps:
                    async for step in steps:
                        yield step
            finally:
                self.sweep()

    def _copy_library(self) -> tuple[list[Named], int]:
        """The library as it is now beside itself; which blobs it names, and of how many photos."""
        self._db.copy_to(self._home.library_copy)
        copy = Database(self._home.library_copy, self._library_key)
        with contextlib.closing(copy):  # then its log is in it: SQLite sees to that
            return named(copy), int(copy.value("SELECT count(*) FROM photos"))

    async def _write(
        self, path: Path, known: list[Named], photos: int
    ) -> AsyncGenerator[ArchiveProgress | Archived]:
        now, missing, done = self._now(), 0, 0
        total = sum(each.length for each in known)
        head, key_file = self._head(now)
        length = total + sealed_length(head.length) + 2 * archive.HEAD_BYTES
        with archive_file.writing(path, length) as file:
            # A step is never left half way: its thread would write on into a file that is closed.
            await to_the_end(asyncio.to_thread(self._begin, file, head, key_file))
            yield ArchiveProgress(0, total)
            for part in in_parts(known):
                removed = {each.content_id for each in part if not self._is_known(each)}
                away = {each.content_id for each in part if self._is_away(each)}
                missing += await to_the_end(asyncio.to_thread(self._add, file, part, removed, away))
                done += sum(each.length for each in part)
                yield ArchiveProgress(done, total)
            size = await to_the_end(asyncio.to_thread(file.end))
        self._library.set_setting(LAST, now.to_bytes(8))
        self._events.publish("archived", photos=photos, missing=missing)
        yield Archived(str(path), photos, size, missing, now)

    def _head(self, now: int) -> tuple[Head, bytes]:
        try:
            key_file = self._home.keys.read_bytes()
            config = self._home.config.read_bytes() if self._home.config.exists() else b""
            length = self._home.library_copy.stat().st_size
        except OSError as error:
            raise HomeUnusableError(error.strerror or "") from None
        if length > MAX_CONTENT_BYTES:
            raise FileTooLargeError("library.db")
        archive_id = self._entropy(archive.ID_BYTES)
        key = Secret(self._entropy(archive.KEY_BYTES))
        return Head(archive_id, now, key, length, config[: archive.CONFIG_BYTES]), key_file

    def _begin(self, file: ArchiveWriter, head: Head, key_file: bytes) -> None:
        file.begin(key_file, head.seal(self._store_key))
        with self._home.library_copy.open("rb") as source:
            file.library(source, head)

    def _is_known(self, blob: Named) -> bool:
        found = self._db.value("SELECT 1 FROM blobs WHERE content_id = ?", blob.content_id)
        return found is not None

    def _is_away(self, blob: Named) -> bool:
        """Whether it was let go to make room: somebody else has it."""
        found = self._db.value("SELECT 1 FROM away WHERE content_id = ?", blob.content_id)
        return found is not None

    def _add(
        self, file: ArchiveWriter, part: list[Named], removed: set[bytes], away: set[bytes]
    ) -> int:
        """Write blobs, in a thread; how many of them are damaged or gone here."""
        missing = 0
        for each in part:
            if each.content_id in removed:
                file.absent(Presence.REMOVED)
                continue
            try:
                with self._blobs.open(each.content_id) as source:
                    here = file.blob(each.decoded(), source)
            except BlobMissingError:
                file.absent(Presence.MISSING)
                here = False
            missing += not here and each.content_id not in away
        return missing


@dataclass(frozen=True, slots=True)
class Named:
    """A blob that a library names."""

    content_id: bytes
    photo_id: bytes
    manifest: bytes

    @property
    def length(self) -> int:
        """Bytes of its file; not checked yet."""
        return int.from_bytes(self.manifest[:8])

    def decoded(self) -> Manifest:
        """The manifest, checked; `ArchiveDamagedError` if it is another one's."""
        try:
            return Manifest.decode(self.manifest, self.content_id)
        except MalformedError:
            raise ArchiveDamagedError from None


def named(database: Database) -> list[Named]:
    """The blobs that a library names, in the order in which a file has them."""
    rows = database.rows("SELECT content_id, photo_id, manifest FROM blobs ORDER BY content_id")
    return [Named(*row) for row in rows]


def in_parts(blobs: list[Named]) -> Iterator[list[Named]]:
    """Some at a time, so that there is progress to show; a large one is a part of its own."""
    part: list[Named] = []
    size = 0
    for each in blobs:
        part.append(each)
        size += each.length
        if size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
