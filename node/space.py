"""Room on this machine: what takes it, and what may go because somebody else is known to have it.

    photo -> who is known to keep it, and is here -> shows a piece of it, by chance -> our file goes
    wanted again -> noted as a repair -> comes by whoever has it, checked as ever

Known to keep it are who holds our backup, and, of a photo of somebody else, its author: for they
may not rely on us in turn. What other receivers or members have counts for nothing, as two who
relied on each other would both let go. The row of a photo stays, with its keys and all that is
known of it, and a small picture.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto.blob import Kind
from ..crypto.errors import KinlightError, LocalError
from ..protocol.errors import sentence
from .away import Away
from .blobstore import BlobStore
from .database import Database
from .errors import BadRequestError
from .events import Events
from .fetching import Ask, Fetcher
from .library import Library, Photo, StoredBlob
from .link import Link
from .mending import Mender, Repairs
from .photo_errors import OnlyCopyError
from .renditions import Renditions
from .views_space import SpaceItem, SpaceUse

_OPEN: Final = "('queued', 'offered', 'held', 'waiting')"
"""Deliveries that still need what is here."""
THUMBNAIL: Final = "thumbnail"
"""What stays to be looked at."""
PREVIEW: Final = "preview"
"""What goes last: it can be drawn again only while the photo is here."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A link by which somebody can be asked."""

    link: Link
    fetcher: Fetcher


class Space:
    """Counts, makes room, and takes that back."""

    def __init__(
        self,
        *,
        us: bytes,
        database: Database,
        library: Library,
        blobs: BlobStore,
        away: Away,
        mender: Mender,
        repairs: Repairs,
        renditions: Renditions,
        events: Events,
        relied_on: Callable[[bytes], bool],
        connections: Callable[[], Iterable[Connection]],
        fetch_missing: Callable[[], Awaitable[None]],
        choose: Callable[[int], int],
        now: Callable[[], int],
    ) -> None:
        """`relied_on` says whether a photo of ours is in an album with others, `choose` draws a
        number below another one by chance: which piece is asked for.
        """
        self._us = us
        self._db = database
        self._library = library
        self._blobs = blobs
        self._away = away
        self._mender = mender
        self._repairs = repairs
        self._renditions = renditions
        self._events = events
        self._relied_on = relied_on
        self._connections = connections
        self._fetch_missing = fetch_missing
        self._choose = choose
        self._now = now
        self._turn = asyncio.Lock()

    # What takes it.

    async def use(self) -> SpaceUse:
        """How much of what is here, in bytes as it lies on the disk."""
        own = received = pictures = photos = 0
        rows = self._db.rows(
            "SELECT blobs.content_id, kind, author = ? FROM blobs JOIN photos USING (photo_id)",
            self._us,
        )
        lengths = await asyncio.to_thread(lambda: [self._size(row[0]) for row in rows])
        for (_, number, is_ours), length in zip(rows, lengths, strict=True):
            kind = Kind(number)
            if kind is Kind.RENDITION:
                pictures += length
            elif is_ours:
                own += length
            else:
                received += length
            photos += kind is Kind.ORIGINAL and length > 0
        value = self._db.value
        return SpaceUse(
            photos=photos,
            own=own,
            received=received,
            pictures=pictures,
            previews=value("SELECT coalesce(sum(length(sealed)), 0) FROM album_previews"),
            held=value("SELECT coalesce(sum(bytes), 0) FROM held_totals WHERE role = 'depositor'"),
            away=len(self._away.all()),
            away_bytes=sum(each.bytes for each in self._away.all()),
        )

    def _size(self, content_id: bytes) -> int:
        with contextlib.suppress(OSError):
            return self._blobs.path(content_id).stat().st_size
        return 0

    # Making room.

    async def clean(
        self,
        *,
        keep: int | None = None,
        older_than: int | None = None,
        own: bool = False,
        dry_run: bool = False,
    ) -> AsyncGenerator[SpaceItem]:
        """Let photos go of which another copy is known, the oldest first, an item for each that was
        looked at. With `keep` it ends when photos and pictures take at most so many bytes, and
        takes the larger pictures last; `older_than` are seconds since a photo came here. Photos of
        our own go with `own` alone.
        """
        if keep is None and older_than is None:
            raise BadRequestError("say how much is to stay, or how old a photo has to be to go")
        if (keep or 0) < 0 or (older_than or 0) < 0:
            raise BadRequestError("that is 0 or more")
        async with self._turn:
            taken = await self._taken() if keep is not None else 0
            for photo_id in self._oldest(older_than):
                if keep is not None and taken <= keep:
                    return
                photo = self._library.photo(photo_id)
                stored = photo and self._library.blob(photo.record.content_id)
                if photo is None or stored is None or stored.content_id not in self._blobs:
                    continue
                if photo.author == self._us and not own:
                    continue
                item = await self._let_go(photo, stored, dry_run=dry_run)
                taken -= item.bytes if item.state in ("gone", "would-go") else 0
                yield item
            if keep is not None and taken > keep:
                async for item in self._pictures(taken - keep, dry_run=dry_run):
                    yield item

    async def _taken(self) -> int:
        found = await self.use()
        return found.own + found.received + found.pictures

    def _oldest(self, older_than: int | None) -> list[bytes]:
        latest = self._now() - (older_than or 0)
        rows = self._db.rows(
            "SELECT photo_id FROM photos WHERE added <= ? ORDER BY added, photo_id", latest
        )
        return [row[0] for row in rows]

    async def _let_go(self, photo: Photo, stored: StoredBlob, *, dry_run: bool) -> SpaceItem:
        length = stored.decoded_manifest().length

        def item(
            state: str, holder: bytes | None = None, error: KinlightError | None = None
        ) -> SpaceItem:
            contact = None if holder is None else self._library.contact_of(holder)
            return SpaceItem(
                photo.photo_id.hex(),
                photo.metadata.name,
                length,
                state,
                contact and contact.name,
                error and error.code,
                error and str(error),
            )

        if self._is_needed(photo, stored):
            return item("needed")
        keepers = self._keepers(photo, stored)
        if not keepers:
            return item("only-copy" if not self._known(photo) else "nobody-here")
        refusal: KinlightError | None = None
        for identity, ask, connection in keepers:
            try:
                piece = self._choose(stored.decoded_manifest().pieces)
                await connection.fetcher.sample(ask, stored.decoded_manifest(), piece)
            except KinlightError as error:
                refusal = error
                continue
            if dry_run:
                return item("would-go", identity)
            if not await self._still_goes(photo, stored, identity):
                return item("needed")
            return item("gone", identity)
        return item("not-shown", error=refusal)

    async def _still_goes(self, photo: Photo, stored: StoredBlob, holder: bytes) -> bool:
        """Let it go, unless that has changed while somebody was asked. Nothing comes in between
        the last look and the note that it is gone.
        """
        with contextlib.suppress(LocalError):  # a picture that does not open has none
            await self._renditions.get(photo, THUMBNAIL)
        known = self._library.photo(photo.photo_id)
        if known is None or self._is_needed(photo, stored):
            return False
        if not self._keeps(photo, holder):
            return False
        self._away.note(stored, holder, self._now())
        await asyncio.to_thread(self._blobs.let_go, stored.content_id)
        self._events.publish("photo-away", id=photo.photo_id.hex())
        return True

    def _is_needed(self, photo: Photo, stored: StoredBlob) -> bool:
        """Whether it is on its way to somebody, may be come for, is kept for another device of ours
        that let it go, or is being made whole.
        """
        on_its_way = self._db.value(
            f"SELECT 1 FROM deliveries WHERE photo_id = ?1 AND state IN {_OPEN}"  # noqa: S608
            " UNION ALL SELECT 1 FROM weblink_photos WHERE photo_id = ?1",
            photo.photo_id,
        )
        promised = self._db.value(
            "SELECT 1 FROM sibling_promises WHERE photo_id = ? LIMIT 1", photo.photo_id
        )
        if on_its_way or promised or self._relied_on(photo.photo_id):
            return True
        return stored.content_id in self._repairs.noted()

    def _keeps(self, photo: Photo, identity: bytes) -> bool:
        """Whether somebody is known to keep a photo and does not rely on us for it."""
        author = photo.author != self._us and identity == photo.author
        return author or identity in self._mender.holders(photo.photo_id)

    def _known(self, photo: Photo) -> bool:
        return photo.author != self._us or bool(self._mender.holders(photo.photo_id))

    def _keepers(self, photo: Photo, stored: StoredBlob) -> list[tuple[bytes, Ask, Connection]]:
        """Those who are here: holders of a backup first, who keep it without end."""
        holders = self._mender.holders(photo.photo_id)
        found: list[tuple[bytes, Ask, Connection]] = []
        for connection in self._connections():
            identity = connection.link.peer.identity
            ask = self._mender.ask_of(stored, connection.link, backup=identity in holders)
            if ask is not None and self._keeps(photo, identity):
                found.append((identity, ask, connection))
        return sorted(found, key=lambda one: one[0] not in holders)

    async def _pictures(self, excess: int, *, dry_run: bool) -> AsyncGenerator[SpaceItem]:
        """The larger pictures that were drawn to be looked at, as far as it takes. They are drawn
        again from a photo that is here; of others the small one stays.
        """
        rows = self._db.rows(
            "SELECT photo_id, content_id FROM renditions WHERE name = ? ORDER BY photo_id", PREVIEW
        )
        for photo_id, content_id in rows:
            if excess <= 0:
                return
            length = await asyncio.to_thread(self._size, content_id)
            photo = self._library.photo(photo_id)
            if photo is None or not length:
                continue
            if not dry_run:
                with self._db.transaction():
                    self._db.execute("DELETE FROM renditions WHERE content_id = ?", content_id)
                    self._db.execute("DELETE FROM blobs WHERE content_id = ?", content_id)
                await asyncio.to_thread(self._blobs.remove, content_id)
            excess -= length
            state = "would-go" if dry_run else "gone"
            yield SpaceItem(photo_id.hex(), photo.metadata.name, length, state, what=PREVIEW)

    # Taking it back.

    async def fetch(self, photos: Sequence[bytes] | None = None) -> list[SpaceItem]:
        """Have photos again that were let go, all of them if none is named: now, or as soon as
        somebody is here who has them.
        """
        wanted = [
            each for each in self._away.all() if photos is None or each.photo_id in set(photos)
        ]
        for each in wanted:
            self._repairs.note(each.content_id)
        if wanted:
            await self._fetch_missing()
        return [self._fetched(each.content_id, each.photo_id, each.bytes) for each in wanted]

    def _fetched(self, content_id: bytes, photo_id: bytes, length: int) -> SpaceItem:
        photo = self._library.photo(photo_id)
        name = "" if photo is None else photo.metadata.name
        code = self._mender.refusal(content_id)
        state = "here" if content_id in self._blobs else "coming"
        if state == "coming" and content_id not in self._repairs.noted():
            state = "refused"
        message = sentence(code) if code else None
        return SpaceItem(photo_id.hex(), name, length, state, code=code, message=message)

    def check_end(self, holder: bytes) -> None:
        """Raise `OnlyCopyError` if photos rest on what somebody keeps for us."""
        resting = [each for each in self._away.all() if each.holder == holder]
        if resting:
            raise OnlyCopyError(f"{len(resting)} photos")
