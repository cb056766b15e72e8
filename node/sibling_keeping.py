"""What of the photos that devices of one person have together is kept on this one.

A person chooses: all originals, previews of those that are elsewhere, or nothing of them, and how
much room originals may take. What a device lets go of another one has promised to keep, and a
promised photo is never let go of: so the last original stays, whoever asks whom at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal

from ..crypto.errors import KinlightError, LocalError
from ..protocol import limits
from ..protocol.photo import Metadata
from ..protocol.sibling_kinds import PHOTO, KeptPhoto
from .blobstore import BlobStore
from .database import Database
from .errors import BadRequestError
from .events import Events
from .library import IncomingOffer, Library, Photo, StoredBlob
from .photo_errors import NoSuchPhotoError
from .removing import Remover
from .renditions import Renditions, described
from .sibling_book import SiblingBook
from .sibling_photos import row_of

What = Literal["originals", "previews", "nothing"]
CHOICES: Final[tuple[What, ...]] = ("originals", "previews", "nothing")
PREVIEW: Final = "preview"
PREVIEW_BYTES: Final = 16 * 1024 * 1024
"""Of one that is opened here: far more than any has."""
_SETTING: Final = "siblings-keep"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is kept here of photos that another device has too; `space` is in bytes, for originals
    that are not pinned; None: as much as there is.
    """

    what: What = "originals"
    space: int | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """A photo whose original is with another device alone, and what is here of it."""

    photo_id: bytes
    added: int
    metadata: Metadata | None
    preview: bytes | None
    """The content id of the preview."""
    coming: bool


class SiblingKeeping:
    """Knows what is to be here, and lets go of the rest."""

    def __init__(
        self,
        *,
        database: Database,
        library: Library,
        book: SiblingBook,
        blobs: BlobStore,
        renditions: Renditions,
        remover: Remover,
        events: Events,
        in_album: Callable[[bytes], bool],
        row: Callable[[KeptPhoto, str], IncomingOffer],
        identity: bytes,
        now: Callable[[], int],
    ) -> None:
        """`row` makes the row of a photo that is with another device. `in_album` says whether
        others rely on us for one.
        """
        self._db = database
        self._library = library
        self._book = book
        self._blobs = blobs
        self._renditions = renditions
        self._remover = remover
        self._events = events
        self._in_album = in_album
        self._row = row
        self._identity = identity
        self._now = now

    # What is to be here.

    def choice(self) -> Choice:
        """What a person chose."""
        kept = self._library.setting(_SETTING)
        return Choice(**json.loads(kept)) if kept else Choice()

    def choose(self, what: str, space: int | None) -> Choice:
        """Choose something else; whether photos come or go then follows from it."""
        if what not in CHOICES:
            raise BadRequestError(f"a device keeps {', '.join(CHOICES[:-1])} or {CHOICES[-1]}")
        if space is not None and (space < 0 or what != "originals"):
            raise BadRequestError("space is for originals, in bytes")
        choice = Choice(what, space)
        body = {"what": choice.what, "space": choice.space}
        with self._db.transaction():
            self._library.set_setting(_SETTING, json.dumps(body).encode())
            if choice.what == "originals" and space is None:
                self._db.execute(
                    "UPDATE offers SET state = 'accepted' WHERE sibling AND state = 'waiting'"
                )
            elif choice.what != "originals":
                self._db.execute(
                    "UPDATE offers SET state = 'waiting' WHERE sibling AND state = 'accepted'"
                    " AND photo_id NOT IN (SELECT photo_id FROM pinned_photos)"
                )
        return choice

    def is_wanted(self, photo_id: bytes) -> bool:
        """Whether the original of a photo is to come here."""
        return self.choice().what == "originals" or self.is_pinned(photo_id)

    def is_pinned(self, photo_id: bytes) -> bool:
        """Whether a person wants it here whatever else."""
        return bool(self._db.value("SELECT 1 FROM pinned_photos WHERE photo_id = ?", photo_id))

    def pin(self, photo_id: bytes) -> None:
        """It is to be here, and comes if it is not. `NoSuchPhotoError`."""
        if self._library.photo(photo_id) is None and not self._library.is_at_sibling(photo_id):
            raise NoSuchPhotoError
        with self._db.transaction():
            self._db.execute("INSERT OR IGNORE INTO pinned_photos VALUES (?)", photo_id)
            self._db.execute(
                "UPDATE offers SET state = 'accepted'"
                " WHERE photo_id = ? AND sibling AND state = 'waiting'",
                photo_id,
            )

    def unpin(self, photo_id: bytes) -> None:
        """It is as all others. `NoSuchPhotoError` if it was not pinned."""
        if not self._db.write("DELETE FROM pinned_photos WHERE photo_id = ?", photo_id):
            raise NoSuchPhotoError

    def pinned(self) -> int:
        """How many are."""
        return self._db.value("SELECT count(*) FROM pinned_photos")

    def find(self, prefix: str) -> bytes:
        """The id of a photo that is here or with another device; see `Library.find_photo_id`."""
        return self._library.find_photo_id(prefix)

    # What can go.

    async def spare(self) -> list[bytes]:
        """Photos that are to go, if another device promises to keep them; the oldest first."""
        choice = self.choice()
        if choice.what == "originals" and choice.space is None:
            return []
        found = [photo_id for photo_id, _ in self._candidates()]
        if choice.space is not None:
            found = await self._beyond(choice.space)
        return [each for each in found if not self._in_album(each)][: limits.SIBLING_ASKED]

    def _candidates(self, only: bytes | None = None) -> list[tuple[bytes, bytes]]:
        """(photo id, content id) of what may go at all: told to the others, not on its way to
        anybody, no copy and without copies, not pinned, and promised to nobody.
        """
        rows = self._db.rows(
            "SELECT photo_id, content_id FROM photos WHERE"
            " EXISTS (SELECT 1 FROM sibling_records WHERE kind = 'photo' AND subject = photo_id)"
            " AND photo_id NOT IN (SELECT photo_id FROM pinned_photos)"
            " AND photo_id NOT IN (SELECT photo_id FROM sibling_promises)"
            " AND photo_id NOT IN (SELECT photo_id FROM deliveries"
            "  WHERE state IN ('queued', 'offered', 'held', 'waiting'))"
            " AND photo_id NOT IN (SELECT photo_id FROM copies)"
            " AND photo_id NOT IN (SELECT source_id FROM copies)"
            " AND photo_id NOT IN (SELECT photo_id FROM offers WHERE album IS NOT NULL)"
            " AND (?1 IS NULL OR photo_id = ?1) ORDER BY added, photo_id",
            only,
        )
        return [(row[0], row[1]) for row in rows]

    async def _beyond(self, space: int) -> list[bytes]:
        """The oldest of them that do not fit into so many bytes with all others."""
        candidates = self._candidates()
        sizes = await asyncio.to_thread(self._sizes, [each[1] for each in candidates])
        total, found = sum(sizes), list[bytes]()
        for (photo_id, _), size in zip(candidates, sizes, strict=True):
            if total <= space:
                break
            total -= size
            found.append(photo_id)
        return found

    def _sizes(self, content_ids: Iterable[bytes]) -> list[int]:
        """In a thread."""
        found: list[int] = []
        for content_id in content_ids:
            try:
                found.append(self._blobs.path(content_id).stat().st_size)
            except OSError:
                found.append(0)
        return found

    async def let_go(self, photos: Iterable[bytes]) -> list[bytes]:
        """Another device has promised to keep these. Which were let go of, and which it need not
        keep for us, as something changed meanwhile, is for the caller to tell.
        """
        gone: list[bytes] = []
        for photo_id in photos:
            photo = self._library.photo(photo_id)
            if photo is None:
                continue
            preview = await self._preview_of(photo) if self.choice().what == "previews" else None
            with self._db.transaction():
                if not self._candidates(photo_id):
                    continue
                self._take_out(photo, preview)
            gone.append(photo_id)
        await self._remover.clear()
        if gone:
            self._events.publish("siblings", kinds=["kept"])
        return gone

    async def _preview_of(self, photo: Photo) -> StoredBlob | None:
        try:
            stored, _ = await self._renditions.stored(photo, PREVIEW)
        except KinlightError:
            return None  # nothing that can be opened
        return stored

    def _take_out(self, photo: Photo, preview: StoredBlob | None) -> None:
        value = self._book.value(PHOTO, photo.photo_id)
        if value is None:
            return
        kept = KeptPhoto.read(value, self._identity)
        size = self._db.row(
            "SELECT width, height FROM renditions WHERE photo_id = ? AND name = ?",
            photo.photo_id, PREVIEW,
        )  # fmt: skip
        self._remover.take_out(photo.photo_id, () if preview is None else [preview.content_id])
        self._library.add_sibling_offer(self._row(kept, "waiting"))
        width, height = (0, 0) if size is None or preview is None else (size[0], size[1])
        self.put_preview(photo.photo_id, photo.metadata, preview, (width, height))

    # Of what is elsewhere.

    def put_preview(
        self,
        photo_id: bytes,
        metadata: Metadata,
        preview: StoredBlob | None,
        size: tuple[int, int],
    ) -> None:
        """Note what is shown of a photo, whose preview lies durably in the blob folder."""
        content_id = None if preview is None else preview.content_id
        with self._db.transaction():
            if preview is not None:
                self._db.execute(
                    "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?, ?)",
                    preview.content_id, int(preview.kind), photo_id, preview.manifest,
                    preview.key.reveal(),
                )  # fmt: skip
            self._db.execute(
                "INSERT OR REPLACE INTO sibling_previews VALUES (?, ?, ?, ?, ?)",
                photo_id, metadata.encode(), content_id, *size,
            )  # fmt: skip

    def without_preview(self) -> list[bytes]:
        """Rows of photos elsewhere of which nothing is here yet, if previews are wanted."""
        if self.choice().what != "previews":
            return []
        rows = self._db.rows(
            "SELECT envelope_hash FROM offers WHERE sibling AND state = 'waiting'"
            " AND photo_id NOT IN (SELECT photo_id FROM sibling_previews)"
            " ORDER BY received DESC, envelope_hash"
        )
        return [row[0] for row in rows]

    def away(self) -> list[Away]:
        """Photos whose originals are with another device alone, the latest first."""
        rows = self._db.rows(
            "SELECT offers.photo_id, received, metadata, content_id, state FROM offers"
            " LEFT JOIN sibling_previews USING (photo_id)"
            " WHERE sibling AND state IN ('waiting', 'accepted') ORDER BY received DESC, photo_id"
        )
        return [
            Away(
                row["photo_id"],
                row["received"],
                None if row["metadata"] is None else Metadata.decode(row["metadata"]),
                row["content_id"],
                row["state"] == "accepted",
            )
            for row in rows
        ]

    async def preview(self, photo_id: bytes) -> tuple[bytes, StoredBlob, Metadata] | None:
        """The JPEG that is here of a photo elsewhere, sealed as well and as it would be written to
        a file; None if there is none.
        """
        row = self._db.row(
            "SELECT content_id, metadata FROM sibling_previews WHERE photo_id = ?", photo_id
        )
        stored = None if row is None or row[0] is None else self._library.blob(row[0])
        if row is None or stored is None:
            return None
        sink = BytesIO()
        await asyncio.to_thread(
            self._blobs.unseal, stored.content_id, sink, stored.key, stored.kind, photo_id,
            PREVIEW_BYTES,
        )  # fmt: skip
        body = sink.getvalue()
        return body, stored, described(Metadata.decode(row[1]), PREVIEW, body)

    def came(self, photo_id: bytes) -> bool:
        """The original is here again: what was shown in its place goes. Whether anything was."""
        there = self.drop_preview(photo_id)
        if there:
            with contextlib.suppress(LocalError):  # it is removed at the next start
                self._blobs.remove(there)
        return there is not None

    def remove(self, photo_id: bytes) -> None:
        """A person removes a photo whose original is elsewhere: it goes there, too."""
        there = self.drop_preview(photo_id)
        self._library.set_offer_state(row_of(photo_id), "declined", None, self._now())
        if there:
            with contextlib.suppress(LocalError):
                self._blobs.remove(there)

    def drop_preview(self, photo_id: bytes) -> bytes | None:
        """Forget what is shown of a photo; the blob of its preview (nothing if there is none), or
        None if nothing was shown.
        """
        row = self._db.row("SELECT content_id FROM sibling_previews WHERE photo_id = ?", photo_id)
        if row is None:
            return None
        with self._db.transaction():
            self._db.execute("DELETE FROM sibling_previews WHERE photo_id = ?", photo_id)
            self._db.execute("DELETE FROM blobs WHERE content_id = ?", row[0])
        return row[0] or b""

    # Promises to other devices.

    def promise(self, device: bytes, photos: Iterable[bytes]) -> list[bytes]:
        """Keep these for another device: those that are here whole, durably noted."""
        found = [each for each in photos if self._is_whole(each)]
        with self._db.transaction():
            self._book.store.promise(device, found)
        return found

    def _is_whole(self, photo_id: bytes) -> bool:
        photo = self._library.photo(photo_id)
        return photo is not None and photo.record.content_id in self._blobs
