"""Keeping folders up: mirrors and watches begin with the node, end with it, and outlast it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..protocol.photo import POLICIES
from . import names, views_library, watching
from .catalogue import Catalogue
from .contact_errors import NoSuchContactError
from .errors import BadRequestError
from .events import Events
from .exporting import Exporter, make_folder
from .folders import Folder, Folders
from .importing import Importer
from .library import Library
from .mirroring import Mirror
from .pace import Pace
from .photo_errors import FolderTakenError, NoSuchAlbumError, NoSuchFolderError, SharedNameError
from .sharing import Sharing
from .sources import is_folder
from .watching import Watch

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    task: asyncio.Task[None]
    state: str
    message: str | None = None


class Keeper:
    """Starts and ends what keeps each folder up."""

    def __init__(
        self,
        *,
        folders: Folders,
        library: Library,
        catalogue: Catalogue,
        importer: Importer,
        exporter: Exporter,
        sharing: Sharing,
        events: Events,
        shared: Callable[[], None],
        pace: Pace,
        now: Callable[[], int],
    ) -> None:
        self._folders = folders
        self._library = library
        self._catalogue = catalogue
        self._importer = importer
        self._exporter = exporter
        self._sharing = sharing
        self._events = events
        self._shared = shared
        self._pace = pace
        self._now = now
        self._kept: dict[int, _Kept] = {}

    def start(self) -> None:
        """Take up every folder of the list."""
        for folder in self._folders.all():
            self._begin(folder)

    async def close(self) -> None:
        """Let all folders be until the next start."""
        for folder_id in list(self._kept):
            await self._end(folder_id)

    # The list.

    def folders(self) -> list[views_library.Folder]:
        """Every folder and how it is."""
        return [self._view(folder) for folder in self._folders.all()]

    async def mirror(self, source: str, path: Path) -> views_library.Folder:
        """Keep a folder up with an album, or with what came from a contact; it is made if need be.

        Raises `SharedNameError` where both have that name, `NoSuchAlbumError` where neither has,
        `FolderTakenError`, `UnwritableFolderError`.
        """
        album_id, identity = self._source(source)
        self._folders.check(await asyncio.to_thread(path.resolve), "mirror")
        place = await asyncio.to_thread(_made, path)
        return self._add(
            self._folders.add_mirror(place, self._now(), album_id=album_id, identity=identity)
        )

    def _source(self, name: str) -> tuple[int | None, bytes | None]:
        album, contact = None, None
        try:
            album = self._catalogue.album_id(name)
        except NoSuchAlbumError:
            contact = self._contact(name)
            if contact is None:
                raise
        else:
            if self._contact(name) is not None:
                raise SharedNameError
        return album, contact

    def _contact(self, name: str) -> bytes | None:
        try:
            return self._library.contact(name).identity
        except NoSuchContactError:
            return None

    async def watch(
        self, path: Path, *, album: str | None, to: list[str], metadata: str | None
    ) -> views_library.Folder:
        """Take what lies and what appears in a folder, and share it with the contacts `to`.

        Raises `NoSuchContactError`, `BadRequestError`, `FolderTakenError`.
        """
        if album is not None and album != names.album_name(album):
            raise BadRequestError("an album's name is one short line")
        if metadata is not None and (metadata not in POLICIES or not to):
            raise BadRequestError(f"metadata is one of {', '.join(POLICIES)}, for a contact")
        identities = [self._library.contact(name).identity for name in dict.fromkeys(to)]
        place = await asyncio.to_thread(path.resolve)
        if not await asyncio.to_thread(is_folder, place):
            raise FolderTakenError("there is no such folder")
        self._folders.check(place, "watch")
        there = await asyncio.to_thread(watching.media_in, place, {place})
        made = self._add(
            self._folders.add_watch(
                place, self._now(), album=album, to=identities, metadata=metadata
            )
        )
        return dataclasses.replace(made, there=len(there))

    async def off(self, path: Path, kind: str) -> views_library.Folder:
        """Keep a folder up no more; its files stay. `NoSuchFolderError`."""
        place = await asyncio.to_thread(path.resolve)
        for folder in self._folders.all():
            if folder.kind == kind and folder.path in (path, place):
                await self._end(folder.folder_id)
                ended = self._view(folder)
                self._folders.remove(folder)
                return ended
        raise NoSuchFolderError(names.shown(str(path)))

    # Each of them.

    def _add(self, folder: Folder) -> views_library.Folder:
        self._begin(folder)
        return self._view(folder)

    def _begin(self, folder: Folder) -> None:
        def tell(state: str, message: str | None) -> None:
            kept = self._kept[folder.folder_id]
            if (kept.state, kept.message) != (state, message):
                kept.state, kept.message = state, message
                self._events.publish("folder", path=str(folder.path), state=state)

        keeping = (
            Mirror(
                folder,
                folders=self._folders,
                library=self._library,
                exporter=self._exporter,
                events=self._events,
                pace=self._pace,
                tell=tell,
            )
            if folder.kind == "mirror"
            else Watch(
                folder,
                folders=self._folders,
                library=self._library,
                catalogue=self._catalogue,
                importer=self._importer,
                sharing=self._sharing,
                shared=self._shared,
                pace=self._pace,
                tell=tell,
            )
        )
        task = asyncio.create_task(keeping.run())
        self._kept[folder.folder_id] = _Kept(task, "starting")
        task.add_done_callback(_note_end)

    async def _end(self, folder_id: int) -> None:
        kept = self._kept.pop(folder_id, None)
        if kept is not None:
            kept.task.cancel()
            await asyncio.wait({kept.task})

    def _view(self, folder: Folder) -> views_library.Folder:
        kept = self._kept.get(folder.folder_id)
        contact = None if folder.identity is None else self._library.contact_of(folder.identity)
        receivers = [self._library.contact_of(identity) for identity in folder.to]
        albums = {album.album_id: album.name for album in self._catalogue.albums()}
        return views_library.Folder(
            path=str(folder.path),
            kind=folder.kind,
            state="off" if kept is None else kept.state,
            album=folder.album if folder.album_id is None else albums.get(folder.album_id),
            contact=None if contact is None else contact.name,
            to=[contact.name for contact in receivers if contact is not None],
            metadata=folder.metadata,
            photos=self._folders.count(folder),
            message=None if kept is None else kept.message,
        )


def _made(path: Path) -> Path:
    """The folder, made if it is not there, without links on the way to it."""
    make_folder(path)
    return path.resolve()


def _note_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a folder is kept up no more: %s", type(error).__name__, exc_info=error)
