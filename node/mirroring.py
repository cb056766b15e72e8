"""Mirrors: plain folders for other programs, with every photo of an album or from a contact.

Nothing that lies there is ever changed. A photo is written once: what a person has removed or
renamed since stays so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..crypto.errors import KinlightError
from ..protocol.errors import DeniedError
from .events import Events
from .exporting import Exporter
from .folders import Folder, Folders, Missing
from .library import Library, Photo
from .pace import Pace
from .photo_errors import BlobMissingError

AGAIN_SECONDS: Final = 10.0
"""Between looks at a folder, which may have vanished, or come back, without any news."""
_BATCH: Final = 100

Tell = Callable[[str, str | None], None]
"""Called with a state and, where something is wrong, the reason in words."""


class Mirror:
    """Keeps one folder up."""

    def __init__(
        self,
        folder: Folder,
        *,
        folders: Folders,
        library: Library,
        exporter: Exporter,
        events: Events,
        pace: Pace,
        tell: Tell,
    ) -> None:
        self._folder = folder
        self._folders = folders
        self._library = library
        self._exporter = exporter
        self._events = events
        self._pace = pace
        self._tell = tell
        self._lost: set[bytes] = set()

    async def run(self) -> None:
        """Write what is missing, now and whenever something new is here."""
        with self._events.listen(("offer", "photo")) as news:
            while True:
                await self._update()
                await self._pace.news(news, AGAIN_SECONDS)

    async def _update(self) -> None:
        """Write all that is missing."""
        # Never made anew: it may lie on a disk that is not there at the moment.
        if not await asyncio.to_thread(self._folder.path.is_dir):
            self._tell("missing", None)
            return
        try:
            while missing := self._missing():
                self._tell("working", None)
                for photo in missing:
                    await self._write(photo)
        except KinlightError as error:
            self._tell("failed", str(error))
        else:
            self._tell("up-to-date", None)

    def _missing(self) -> list[Missing]:
        """What is to be written, without what has no sealed file any more."""
        found = self._folders.missing(self._folder, len(self._lost) + _BATCH)
        return [photo for photo in found if photo.photo_id not in self._lost]

    async def _write(self, missing: Missing) -> None:
        photo = self._library.photo(missing.photo_id)
        if photo is None:
            return
        try:
            written = await self._exporter.write(
                photo, self._folder.path, keep_both=True, of=self._still(missing.still)
            )
        except (BlobMissingError, DeniedError):  # lost, or not to be seen any more
            self._lost.add(missing.photo_id)
            return
        self._folders.note(self._folder, missing.photo_id, written.path.name)

    def _still(self, photo_id: bytes | None) -> tuple[Photo, Path] | None:
        """The still that a clip belongs to, and where it was written."""
        still = None if photo_id is None else self._library.photo(photo_id)
        name = None if still is None else self._folders.name_of(self._folder, still.photo_id)
        if still is None or name is None:
            return None
        return still, self._folder.path / name
