"""Watched folders: what appears there becomes photos, and is shared if that is wished.

A file is taken when it is at rest: its size and its time have been the same for two seconds, so
that a copy or a download in the middle is left alone. Nothing in the folder is ever changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from ..crypto.errors import KinlightError
from . import livephotos, names, sources
from .catalogue import Catalogue
from .folders import Folder, Folders
from .importing import Importer
from .library import Contact, Library
from .mirroring import AGAIN_SECONDS, Tell
from .pace import Pace
from .sharing import Sharing, Wish
from .views_sharing import ShareItem

REST_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.5
"""Between looks at files that are not at rest yet."""
_BATCH: Final = 50
"""Files that are imported before they are shared, still and clip side by side."""
_GATHER_MILLISECONDS: Final = 400
_POLL_MILLISECONDS: Final = 2000

Look = tuple[int, int]
"""Size, and time of the last change in nanoseconds."""


class Resting:
    """Files that appeared or changed, until each has been the same for a while."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[Path, tuple[Look | None, float]] = {}

    def __len__(self) -> int:
        return len(self._since)

    def add(self, path: Path) -> None:
        """A file that there is news of."""
        self._since.setdefault(path, (None, self._clock()))

    @property
    def paths(self) -> list[Path]:
        """The files to look at."""
        return list(self._since)

    def looked(self, path: Path, look: Look | None) -> bool:
        """How a file is now (None: it is gone); True once it is at rest, which ends its wait."""
        before, since = self._since[path]
        if look is None:
            del self._since[path]
        elif look != before:
            self._since[path] = (look, self._clock())
        elif self._clock() - since >= REST_SECONDS:
            del self._since[path]
            return True
        return False


class Watch:
    """Takes what appears in one folder."""

    def __init__(
        self,
        folder: Folder,
        *,
        folders: Folders,
        library: Library,
        catalogue: Catalogue,
        importer: Importer,
        sharing: Sharing,
        shared: Callable[[], None],
        pace: Pace,
        tell: Tell,
    ) -> None:
        self._folder = folder
        self._folders = folders
        self._library = library
        self._catalogue = catalogue
        self._importer = importer
        self._sharing = sharing
        self._shared = shared
        self._pace = pace
        self._tell = tell
        self._resting = Resting(pace.clock)
        self._news: asyncio.Queue[set[Path]] = asyncio.Queue()

    async def run(self) -> None:
        """Watch as long as the folder is there, and again when it has come back."""
        while True:
            there = await asyncio.to_thread(_identity, self._folder.path)
            if there is None:
                self._tell("missing", None)
            else:
                self._tell("watching", None)
                try:
                    await self._watch(there)
                except KinlightError as error:
                    self._tell("failed", str(error))
            await self._pace.sleep(AGAIN_SECONDS)

    async def _watch(self, there: tuple[int, int]) -> None:
        """Until the folder is another one, or gone."""
        listening = asyncio.create_task(self._listen())
        await asyncio.sleep(0)  # it listens from here on; what is there already is found now
        try:
            await self._scan({self._folder.path})
            while await asyncio.to_thread(_identity, self._folder.path) == there:
                if listening.done():
                    self._tell("failed", "the system tells no news of it")
                    return
                rested = sorted(await self._rested(), key=livephotos.stem)
                for start in range(0, len(rested), _BATCH):
                    await self._take(rested[start : start + _BATCH])
                wait = _LOOK_SECONDS if self._resting else AGAIN_SECONDS
                for changed in await self._pace.news(self._news, wait):
                    await self._scan(changed)
        finally:
            listening.cancel()
            await asyncio.wait({listening})

    async def _listen(self) -> None:
        """Hear of changes from the system; where it has no ears left for us, by looking."""
        for polling in (False, True):
            with contextlib.suppress(RuntimeError, OSError):
                changes: AsyncGenerator[set[tuple[Change, str]]] = awatch(
                    self._folder.path, watch_filter=None, debounce=_GATHER_MILLISECONDS,
                    force_polling=polling, poll_delay_ms=_POLL_MILLISECONDS,
                    ignore_permission_denied=True,
                )  # fmt: skip
                async for found in changes:
                    self._news.put_nowait({Path(path) for _, path in found})

    async def _scan(self, paths: set[Path]) -> None:
        """Note the files among `paths` and in the folders among them."""
        for path in await asyncio.to_thread(media_in, self._folder.path, paths):
            self._resting.add(path)

    async def _rested(self) -> list[Path]:
        """The files that are at rest."""
        paths = self._resting.paths
        looks = await asyncio.to_thread(lambda: [_look(path) for path in paths])
        return [
            path
            for path, look in zip(paths, looks, strict=True)
            if self._resting.looked(path, look)
        ]

    # What is done with a file.

    async def _take(self, paths: list[Path]) -> None:
        taken: dict[Path, bytes] = {}
        problem: str | None = None
        for path in paths:
            album = self._folder.album or names.album_name(path.parent.name)
            item = await self._importer.take(path, album, own=bool(self._folder.to))
            if item.id is not None:
                taken[path] = bytes.fromhex(item.id)
            else:
                problem = f"{names.shown(item.name)}: {item.message}"
        for photo_id, halves in self._undone(taken).items():
            failed = await self._share(photo_id) if self._folder.to else None
            if failed is None:
                for half, path in halves.items():
                    self._folders.note(self._folder, half, path.name)
            problem = failed or problem
        self._shared()
        self._tell("watching", problem)

    def _undone(self, taken: dict[Path, bytes]) -> dict[bytes, dict[bytes, Path]]:
        """What to share, and its files: of a clip its still, which brings it if it may leave."""
        found: dict[bytes, dict[bytes, Path]] = {}
        for path, photo_id in taken.items():
            if self._folders.name_of(self._folder, photo_id) is not None:
                continue
            still = self._catalogue.still_of(photo_id)
            stills = [] if still is None else self._catalogue.paths_of(still)
            beside = any(other.parent == path.parent for other in stills)
            shared = still if still is not None and beside else photo_id
            found.setdefault(shared, {})[photo_id] = path
        return found

    async def _share(self, photo_id: bytes) -> str | None:
        """Share a photo that was taken; returns what went wrong, if anything did."""
        problem: str | None = None
        photo = self._library.photo(photo_id)
        if photo is None:
            return None  # it was removed meanwhile
        try:
            sharing = self._sharing.grant([photo], Wish(self._contacts(), self._folder.metadata))
            async with contextlib.aclosing(sharing):
                async for step in sharing:
                    if isinstance(step, ShareItem) and step.state == "failed":
                        name = names.shown(photo.metadata.name)
                        problem = f"{name} for {step.to}: {step.message}"
        except KinlightError as error:
            problem = str(error)
        return problem

    def _contacts(self) -> list[Contact]:
        found = (self._library.contact_of(identity) for identity in self._folder.to)
        return [contact for contact in found if contact is not None]


def media_in(folder: Path, paths: set[Path]) -> list[Path]:
    """The files that a watch of a folder takes, of those in `paths` and in the folders there."""
    inside = (path for path in paths if _is_open(folder, path))
    return [
        file
        for file in sources.files_in(inside)
        if sources.is_media(file.name) and not file.name.startswith("~")
    ]


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder lies there, so that another one in its place is noticed; None if none does."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _is_open(folder: Path, path: Path) -> bool:
    """Whether a path lies in the folder with nothing hidden and no link on the way to it."""
    if path == folder:
        return True
    try:
        steps = path.relative_to(folder).parts
    except ValueError:
        return False
    way = [folder.joinpath(*steps[: count + 1]) for count in range(len(steps))]
    return not any(step.name.startswith(".") or step.is_symlink() for step in way)


def _look(path: Path) -> Look | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
