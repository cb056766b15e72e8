"""Importing: files and folders become photos of the library, and nobody gets to see them.

A run can be ended at any moment and begun again: a file that has not changed since it was imported
is not read again, and one whose content is here already is not sealed again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..crypto.errors import KinlightError
from ..protocol.photo import Metadata
from . import names, originals, sources
from .blobstore import BlobStore
from .catalogue import Catalogue, ImportedFile
from .cataloguing import Cataloguer
from .errors import (
    DiskFullError,
    HomeUnusableError,
    LibraryDamagedError,
    LockedError,
    UnreadableFileError,
)
from .events import Events
from .library import Library, Photo
from .originals import Originals, Progress
from .views import ImportItem, ImportProgress

AT_ONCE: Final = 2
"""Files that are sealed at a time: one is read while the other is looked at."""
PROGRESS_SECONDS: Final = 0.2
_BATCH: Final = 256
"""Files that are found before they are counted."""

_END = (LockedError, DiskFullError, HomeUnusableError, LibraryDamagedError)
"""What no other file would fare better with."""


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    album: str | None


class _Count:
    """How far a run has come."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self.counting = True
        self._bytes = 0
        self._under_way: dict[Path, int] = {}

    def reporter(self, path: Path) -> Progress:
        """For the sealing of one file; called from threads."""

        def report(done: int, _total: int) -> None:
            self._under_way[path] = done // 2  # each byte is read twice

        return report

    def end(self, path: Path, size: int) -> None:
        """A file is done."""
        self._under_way.pop(path, None)
        self._bytes += size
        self.done += 1

    def now(self) -> ImportProgress:
        """The figures."""
        return ImportProgress(
            self.done, self.total, self.counting, self._bytes + sum(self._under_way.values())
        )


class Importer:
    """Takes files into the library."""

    def __init__(
        self,
        *,
        originals: Originals,
        library: Library,
        catalogue: Catalogue,
        cataloguer: Cataloguer,
        blobs: BlobStore,
        events: Events,
        now: Callable[[], int],
    ) -> None:
        self._originals = originals
        self._library = library
        self._catalogue = catalogue
        self._cataloguer = cataloguer
        self._blobs = blobs
        self._events = events
        self._now = now

    async def run(
        self, paths: list[Path], *, album: str | None, albums: bool
    ) -> AsyncGenerator[ImportItem | ImportProgress]:
        """Take what `paths` mean; yields an item per file, with progress in between.

        Every photo goes into `album`; where none is said and `albums` holds, those from folders go
        into albums named like the folder that they lie in. A file that can't be taken is a
        `failed` item; a full disk or a locked node ends the run with its error.
        """
        count = _Count()
        items: asyncio.Queue[ImportItem | None] = asyncio.Queue()
        clock = asyncio.get_running_loop().time
        yield count.now()
        work = asyncio.create_task(self._all(paths, album, albums, count, items))
        told = clock()
        try:
            while (item := await self._next(items, count)) is not None:
                yield item
                if clock() - told >= PROGRESS_SECONDS:
                    told = clock()
                    yield count.now()
            await work
            yield count.now()
        finally:
            work.cancel()
            await asyncio.wait({work})

    @staticmethod
    async def _next(
        items: asyncio.Queue[ImportItem | None], count: _Count
    ) -> ImportItem | ImportProgress | None:
        """The next item, or how things stand if there is none for a while; None at the end."""
        try:
            async with asyncio.timeout(PROGRESS_SECONDS):
                return await items.get()
        except TimeoutError:
            return count.now()

    async def _all(
        self,
        paths: list[Path],
        album: str | None,
        albums: bool,
        count: _Count,
        items: asyncio.Queue[ImportItem | None],
    ) -> None:
        files: asyncio.Queue[_Found | None] = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._work(files, count, items))
                await self._walk(paths, album, albums, count, files, items)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            items.put_nowait(None)

    async def _walk(
        self,
        paths: list[Path],
        album: str | None,
        albums: bool,
        count: _Count,
        files: asyncio.Queue[_Found | None],
        items: asyncio.Queue[ImportItem | None],
    ) -> None:
        """Find the files, in a thread, and count them while the first are imported."""
        closed: list[OSError] = []
        named = set(paths)
        walk = sources.files_in(paths, closed.append)
        while batch := await asyncio.to_thread(lambda: list(itertools.islice(walk, _BATCH))):
            count.total += len(batch)
            for path in batch:
                folder = None if path in named or not albums else path.parent.name
                files.put_nowait(_Found(path, album or (folder and names.album_name(folder))))
        for error in closed:
            folder = Path(str(error.filename))
            items.put_nowait(
                _failed(
                    folder, UnreadableFileError(f"{names.shown(str(folder))}, {error.strerror}")
                )
            )
        count.counting = False
        for _ in range(AT_ONCE):
            files.put_nowait(None)

    async def _work(
        self,
        files: asyncio.Queue[_Found | None],
        count: _Count,
        items: asyncio.Queue[ImportItem | None],
    ) -> None:
        while (found := await files.get()) is not None:
            item = await self.take(found.path, found.album, count.reporter(found.path))
            count.end(found.path, item.bytes)
            items.put_nowait(item)

    # One file.

    async def take(
        self, path: Path, album: str | None, progress: Progress = originals.untold
    ) -> ImportItem:
        """Take one file; a `failed` item says why it was not taken."""
        try:
            return await self._unchanged(path, album) or await self._take(path, album, progress)
        except _END:
            raise
        except KinlightError as error:
            return _failed(path, error)

    async def _unchanged(self, path: Path, album: str | None) -> ImportItem | None:
        """An item for a file that is as it was when it was imported; it is not read again."""
        file = self._catalogue.file(path)
        if file is None:
            return None
        try:
            status = await asyncio.to_thread(path.stat)
        except OSError as error:
            raise UnreadableFileError(f"{names.shown(str(path))}, {error.strerror}") from None
        photo = self._library.photo(file.photo_id)
        if (
            (file.size, file.modified) != (status.st_size, status.st_mtime_ns)
            or photo is None
            or photo.record.content_id not in self._blobs
        ):
            return None
        if album is not None and not self._catalogue.in_album(album, file.photo_id):
            self._catalogue.put_into(album, [file.photo_id], self._now())
        return self._item(path, "unchanged", photo, album, None)

    async def _take(self, path: Path, album: str | None, progress: Progress) -> ImportItem:
        taken = await self._originals.take(path, progress, self._is_here)
        photo = taken.photo
        refused: str | None
        try:
            # Nothing is awaited since the photo was entered: the background can't be first.
            refused = (await self._cataloguer.look(photo, path)).refused
        except KinlightError as error:
            refused = str(error)
        file = ImportedFile(photo.photo_id, taken.size, taken.modified)
        self._catalogue.put_file(path, file, album, self._now())
        self._events.publish("photo", id=photo.photo_id.hex())
        return self._item(path, "imported" if taken.new else "present", photo, album, refused)

    def _is_here(self, photo: Photo, _metadata: Metadata) -> bool:
        """The same content is the same photo, whatever it is called and whoever it came from."""
        return self._catalogue.is_listed(photo.photo_id)

    @staticmethod
    def _item(
        path: Path, state: str, photo: Photo, album: str | None, refused: str | None
    ) -> ImportItem:
        return ImportItem(
            str(path),
            photo.metadata.name,
            state,
            photo.photo_id.hex(),
            photo.metadata.length,
            album,
            refused,
        )


def _failed(path: Path, error: KinlightError) -> ImportItem:
    return ImportItem(str(path), path.name, "failed", code=error.code, message=str(error))
