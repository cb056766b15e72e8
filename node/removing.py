"""Taking photos out of the library, with all that was made of them and noted about them.

What others got of a photo stays with them; nothing of it is fetched from here any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from .blobstore import BlobStore
from .catalogue import Catalogue
from .database import Database
from .events import Events
from .photo_errors import InAlbumError, OpenDeliveryError, UnsignedDeliveryError
from .receipts import Receipts

_OPEN = "('queued', 'offered', 'held', 'waiting')"


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed: the photos, and the contacts (by name) to whom any of them had gone."""

    photos: list[bytes]
    people: list[str]


class Remover:
    """Removes photos."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        receipts: Receipts,
        blobs: BlobStore,
        events: Events,
        in_album: Callable[[bytes], bool],
        removed: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        """`in_album` says whether a photo is one of ours that others keep with us and may lack yet.
        `removed` is called when photos are gone, and what was on its way of them.
        """
        self._db = database
        self._catalogue = catalogue
        self._receipts = receipts
        self._blobs = blobs
        self._events = events
        self._in_album = in_album
        self._removed = removed
        self._now = now
        self._to_clear: list[tuple[list[bytes], list[bytes]]] = []

    async def remove(self, photo_id: bytes, *, force: bool = False) -> Removed:
        """Remove a photo, its clip, the copies for sharing, renditions, and what is known of them.

        Raises `OpenDeliveryError` where something of it is on its way, which `force` ends, and
        `UnsignedDeliveryError` where it is only said to be delivered, which `force` believes, and
        `InAlbumError` where members of an album may not have fetched it, as this can be the only
        copy. An offer that brought it counts as declined from then on.
        """
        clip = self._catalogue.clip_of(photo_id)
        photos = self._with_copies([photo_id] if clip is None else [photo_id, clip])
        if not force and any(map(self._is_on_its_way, photos)):
            raise OpenDeliveryError
        if not force and any(map(self._receipts.is_lacking, photos)):
            raise UnsignedDeliveryError
        if not force and any(map(self._in_album, photos)):
            raise InAlbumError
        return await self._remove(photos)

    async def undo(self, photos: Iterable[bytes]) -> None:
        """Of photos that were made to be shared, remove those that go nowhere: they failed."""
        for photo_id in photos:
            made = self._with_copies([photo_id])
            still = self._catalogue.still_of(photo_id)
            needed = made if still is None else [*made, *self._with_copies([still])]
            if not any(map(self._is_used, needed)):
                await self._remove(made)

    def take_out(self, photo_id: bytes, keep: Collection[bytes] = ()) -> None:
        """Remove a photo within a transaction, as another device has it or removed it; then
        `clear`. These of its blobs stay.
        """
        photos, now = self._with_copies([photo_id]), self._now()
        blobs = [blob for photo in photos for blob in forget(self._db, photo, now, keep)]
        self._to_clear.append((photos, blobs))

    async def clear(self) -> None:
        """Once that is durable: remove the files of what was taken out."""
        taken, self._to_clear = self._to_clear, []
        if taken:
            self._removed()
        for photos, blobs in taken:
            await self._remove_files(photos, blobs)

    def _with_copies(self, photos: list[bytes]) -> list[bytes]:
        found = list(photos)
        for photo in found:  # it grows: a copy may have copies
            copies = (copy for copy, _ in self._catalogue.copies_of(photo))
            found += [copy for copy in copies if copy not in found]
        return found

    async def _remove(self, photos: list[bytes]) -> Removed:
        people: set[str] = set()
        blobs: list[bytes] = []
        with self._db.transaction():
            for photo_id in photos:
                people.update(self._receivers(photo_id))
                blobs += forget(self._db, photo_id, self._now())
        self._removed()
        await self._remove_files(photos, blobs)
        return Removed(photos, sorted(people))

    async def _remove_files(self, photos: list[bytes], blobs: list[bytes]) -> None:
        # What a crash leaves behind here is swept up at the next start.
        for content_id in blobs:
            await asyncio.to_thread(self._blobs.remove, content_id)
        for photo_id in photos:
            self._events.publish("removed", id=photo_id.hex())

    def _is_used(self, photo_id: bytes) -> bool:
        return bool(
            self._db.value(
                "SELECT 1 FROM deliveries WHERE photo_id = ?1"
                " UNION ALL SELECT 1 FROM album_photos WHERE photo_id = ?1"
                " UNION ALL SELECT 1 FROM weblink_photos WHERE photo_id = ?1",
                photo_id,
            )
        )

    def _is_on_its_way(self, photo_id: bytes) -> bool:
        return bool(
            self._db.value(
                f"SELECT 1 FROM deliveries WHERE photo_id = ? AND state IN {_OPEN}",  # noqa: S608
                photo_id,
            )
        )

    def _receivers(self, photo_id: bytes) -> list[str]:
        """To whom a photo went, or may have gone."""
        rows = self._db.rows(
            "SELECT DISTINCT name FROM deliveries JOIN contacts USING (identity)"
            " WHERE photo_id = ? AND state IN ('delivered', 'offered', 'held', 'waiting')",
            photo_id,
        )
        return [row[0] for row in rows]


def forget(
    database: Database, photo_id: bytes, now: int, keep: Collection[bytes] = ()
) -> list[bytes]:
    """Remove all rows of a photo but for the blobs to `keep`; returns its other blobs, which
    nothing leads to any more.
    """
    database.execute("DELETE FROM deliveries WHERE photo_id = ?", photo_id)
    database.execute(
        "UPDATE offers SET state = 'declined', code = NULL, updated = ?"
        " WHERE photo_id = ? AND state IN ('stored', 'accepted')",
        now, photo_id,
    )  # fmt: skip
    rows = database.rows("SELECT content_id FROM blobs WHERE photo_id = ?", photo_id)
    blobs = [row[0] for row in rows if row[0] not in keep]
    database.execute("DELETE FROM photos WHERE photo_id = ?", photo_id)
    for content_id in blobs:
        database.execute("DELETE FROM blobs WHERE content_id = ?", content_id)
    return blobs
