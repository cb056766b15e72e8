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
from . import names, originals, sources
from .blobstore import BlobStore
from .catalogue import Catalogue
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
from .views_library import ImportItem, ImportProgress

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


class _Run:
    """One import: what was found and waits, what is done, and whether it has to end."""

    def __init__(self, rehash: bool) -> None:
        self.rehash = rehash
        self.files: asyncio.Queue[_Found | None] = asyncio.Queue()
        self.items: asyncio.Queue[ImportItem | None] = asyncio.Queue()
        self.error: KinlightError | None = None
        self.over = False
        self._done = 0
        self._total = 0
        self._counting = True
        self._bytes = 0
        self._under_way: dict[Path, int] = {}

    def found(self, files: list[_Found]) -> None:
        """Files that are to be imported."""
        self._total += len(files)
        for file in files:
            self.files.put_nowait(file)

    def all_found(self) -> None:
        """There are no more."""
        self._counting = False
        for _ in range(AT_ONCE):
            self.files.put_nowait(None)

    def reporter(self, path: Path) -> Progress:
        """For the sealing of one file; called from threads."""
        self._under_way[path] = 0

        def report(done: int, _total: int) -> None:
            self._under_way[path] = done // 2  # each byte is read twice

        return report

    def done(self, path: Path, item: ImportItem) -> None:
        """A file is done."""
        self._under_way.pop(path, None)
        self._bytes += item.bytes
        self._done += 1
        self.items.put_nowait(item)

    def stop(self, error: KinlightError | None = None) -> None:
        """Begin no other file."""
        self.over = True
        self.error = self.error or error
        self.all_found()

    @property
    def progress(self) -> ImportProgress:
        """How far it has come."""
        under_way = sum(self._under_way.values())
        return ImportProgress(self._done, self._total, self._counting, self._bytes + under_way)


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
        self._running: dict[_Run, asyncio.Task[None]] = {}

    async def run(
        self, paths: list[Path], *, album: str | None, albums: bool, rehash: bool = False
    ) -> AsyncGenerator[ImportItem | ImportProgress]:
        """Take what `paths` mean; yields an item per file, with progress in between.

        Every photo goes into `album`; where none is said and `albums` holds, those from folders go
        into albums named like the folder that they lie in. A file that can't be taken is a
        `failed` item; a full disk or a locked node ends the run with its error.
        """
        run = _Run(rehash)
        clock = asyncio.get_running_loop().time
        yield run.progress
        told = clock()
        work = asyncio.create_task(self._all(run, paths, album, albums))
        self._running[run] = work
        work.add_done_callback(lambda _: self._running.pop(run))
        try:
            while (step := await self._next(run)) is not None:
                yield step
                if clock() - told >= PROGRESS_SECONDS:
                    told = clock()
                    yield run.progress
            await work
            if run.error is not None:
                raise run.error
            yield run.progress
        finally:
            # Files that were begun are finished: their threads would go on unseen.
            run.stop()
            await asyncio.wait({work})

    async def close(self) -> None:
        """End every run after the files that it has begun."""
        for run in self._running:
            run.stop(LockedError())
        if self._running:
            await asyncio.wait(set(self._running.values()))

    @staticmethod
    async def _next(run: _Run) -> ImportItem | ImportProgress | None:
        """The next item, or how things stand if there is none for a while; None at the end."""
        try:
            async with asyncio.timeout(PROGRESS_SECONDS):
                return await run.items.get()
        except TimeoutError:
            return run.progress

    async def _all(self, run: _Run, paths: list[Path], album: str | None, albums: bool) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._work(run))
                await self._walk(run, paths, album, albums)
        finally:
            run.items.put_nowait(None)

    async def _walk(self, run: _Run, paths: list[Path], album: str | None, albums: bool) -> None:
        """Find the files, in a thread, and count them while the first are imported."""
        closed: list[OSError] = []
        named = set(paths)
        walk = sources.files_in(paths, closed.append)

        def some() -> list[_Found]:
            found: list[_Found] = []
            for path in itertools.islice(walk, _BATCH):
                folder = None if path in named or not albums else path.parent.name
                found.append(_Found(path, album or (folder and names.album_name(folder))))
            return found

        while not run.over and (files := await asyncio.to_thread(some)):
            run.found(files)
        for error in closed:
            reason = UnreadableFileError(f"{names.shown(error.filename)}, {error.strerror}")
            run.items.put_nowait(_failed(Path(error.filename), reason))
        run.all_found()

    async def _work(self, run: _Run) -> None:
        while (found := await run.files.get()) is not None and not run.over:
            try:
                item = await self.take(
                    found.path, found.album, run.reporter(found.path), rehash=run.rehash
                )
            except _END as error:
                run.stop(error)
            else:
                run.done(found.path, item)

    # One file.

    async def take(
        self,
        path: Path,
        album: str | None,
        progress: Progress = originals.untold,
        *,
        own: bool = False,
        rehash: bool = False,
    ) -> ImportItem:
        """Take one file; a `failed` item says why it was not taken.

        With `rehash` a file is read whether it changed or not. With `own` a photo that came from
        somebody else will not do: only its author may share it.
        """
        try:
            unchanged = None if rehash else await self._unchanged(path, album, own)
            return unchanged or await self._take(path, album, own, progress)
        except _END:
            raise
        except KinlightError as error:
            return _failed(path, error)

    async def _unchanged(self, path: Path, album: str | None, own: bool) -> ImportItem | None:
        """An item for a file that is as it was when it was imported; it is not read again."""
        file = self._catalogue.file(path)
        if file is None:
            return None
        marks = await asyncio.to_thread(sources.marks, path)
        photo = self._library.photo(file.photo_id)
        if (
            not file.marks.unchanged(marks)
            or photo is None
            or not self._is_here(photo, own)
            or photo.record.content_id not in self._blobs
        ):
            return None
        if album is not None and not self._catalogue.in_album(album, file.photo_id):
            self._catalogue.put_into(album, [file.photo_id], self._now())
            self._events.publish("photo", id=file.photo_id.hex())
        return self._item(path, "unchanged", photo, album, None)

    async def _take(
        self, path: Path, album: str | None, own: bool, progress: Progress
    ) -> ImportItem:
        taken = await self._originals.take(
            path, progress, lambda photo, _: self._is_here(photo, own)
        )
        photo = taken.photo
        refused: str | None
        try:
            # Nothing is awaited since the photo was entered: the background can't be first.
            refused = (await self._cataloguer.look(photo, path)).refused
        except _END:
            raise
        except KinlightError as error:
            refused = str(error)
        self._catalogue.put_file(path, taken.file, album, self._now())
        self._events.publish("photo", id=photo.photo_id.hex())
        return self._item(path, "imported" if taken.new else "present", photo, album, refused)

    def _is_here(self, photo: Photo, own: bool) -> bool:
        """The same content is the same photo, whatever it is called and whoever it came from."""
        if own and not self._originals.is_original(photo):
            return False
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
