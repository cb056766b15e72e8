"""Looking at the photos of the library, in the background: each is opened once, by the decoder.

Photos that came from others wait here too, so that nothing is decoded while they are on their way.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from ..crypto.errors import KinlightError
from .blobstore import BlobStore
from .catalogue import Catalogue
from .decoder import Decoder
from .events import Events
from .facts import Facts
from .library import Library, Photo
from .unsealing import unsealed

LOOKED_AT_BYTES: Final = 256 * 1024 * 1024
"""Sealed files beyond this are not opened: unsealed they would lie in memory."""

PAUSE_SECONDS: Final = 1.0
"""Between news and a look: what is on its way comes first."""

PAGE: Final = 64
"""Photos that are found at a time."""

PATIENCE: Final = 10
"""Pauses after which one photo is looked at although others are still on their way."""

_log = logging.getLogger(__name__)


class Cataloguer:
    """Finds out what is in a photo and notes it in the catalogue."""

    def __init__(
        self,
        *,
        library: Library,
        catalogue: Catalogue,
        blobs: BlobStore,
        decoder: Decoder,
        events: Events,
    ) -> None:
        self._library = library
        self._catalogue = catalogue
        self._blobs = blobs
        self._decoder = decoder
        self._events = events
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._failed: set[bytes] = set()
        self._moved = 0
        self._others = 0

    async def look(self, photo: Photo, source: Path | None = None) -> Facts:
        """What is in a photo: as it was noted, or found out now.

        `source` is a file of the same content that spares the unsealing. A picture that does not
        open has facts too, with the reason. Raises `BlobMissingError`, `UnreadableFileError`, or
        why no picture at all can be opened here.
        """
        async with self._turns.setdefault(photo.photo_id, asyncio.Lock()):
            facts = self._catalogue.facts(photo.photo_id)
            if facts is None:
                facts = await self._inspect(photo, source)
                self._catalogue.put_facts(photo.photo_id, facts)
                self._events.publish("photo", id=photo.photo_id.hex())
        return facts

    async def _inspect(self, photo: Photo, source: Path | None) -> Facts:
        if source is not None:
            return await self._decoder.inspect(source)
        if photo.metadata.length > LOOKED_AT_BYTES:
            return Facts("unknown", refused="the file is too large to be looked at")
        async with unsealed(self._library, self._blobs, photo) as file:
            return await self._decoder.inspect(file)

    async def run(self) -> None:
        """Look at every photo that nobody has looked at, one at a time, now and from now on."""
        with self._events.listen(("offer", "photo")) as news:
            await asyncio.sleep(PAUSE_SECONDS)
            while True:
                # To find them means to go through the library, so some at a time.
                waiting = self._catalogue.not_looked_at(len(self._failed) + PAGE)
                waiting = [photo_id for photo_id in waiting if photo_id not in self._failed]
                for photo_id in waiting:
                    await self._let_pass()
                    await self._look_at(photo_id)
                if not waiting:
                    await news.get()
                    await asyncio.sleep(PAUSE_SECONDS)
                    while not news.empty():  # they all say the same
                        news.get_nowait()

    async def _look_at(self, photo_id: bytes) -> None:
        photo = self._library.photo(photo_id)
        try:
            if photo is not None:
                await self.look(photo)
        except KinlightError as error:
            # Its sealed file is gone or damaged, say. The next start tries again.
            _log.info("a photo was not looked at: %s", error.code)
            self._failed.add(photo_id)

    def others_first(self) -> None:
        """Somebody shares a file, which comes before what only the search needs."""
        self._others += 1

    async def _let_pass(self) -> None:
        """Wait while photos go to and fro: to open one costs more than to share and send it."""
        for _ in range(PATIENCE):
            moved = self._events.counters.pieces + self._others
            if moved == self._moved:
                return
            self._moved = moved
            await asyncio.sleep(PAUSE_SECONDS)
