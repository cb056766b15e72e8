"""Previews in albums: small pictures that come before the photos, and can be looked at meanwhile.

    our photo, in the album's form -> decoder -> drawn small -> sealed under the album's key
    AlbumPreviewAsk -> AlbumPreviews -> as long and as hashed as the entry says -> kept, sealed
    looked at: opened -> decoder -> drawn anew, as a member may have put anything there

Each link asks for the newest that nobody was asked for yet; what another link was asked for and
does not bring is asked for last. Photos come over a link once it has no previews to bring.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from ..crypto.errors import LocalError, PeerError
from ..protocol import limits
from ..protocol.album_errors import AlbumDeniedError
from ..protocol.album_feed import Photo as PhotoAct
from ..protocol.album_feed import Preview
from ..protocol.album_messages import AlbumPreviewAsk, AlbumPreviews, preview_room, previews
from ..protocol.album_view import AlbumPhoto
from ..protocol.capability import Capability
from ..protocol.errors import PieceMismatchError
from .album_photos import AlbumPhotos
from .album_shelf import SharedAlbum
from .album_storage import AlbumStore
from .events import Events
from .judge import network_of
from .library import Library, Photo
from .link import Link
from .photo_errors import BlobMissingError, NotHereYetError
from .picture_errors import DecoderDiedError, DecoderTimeoutError, PictureRefusedError
from .renditions import Renditions, Size

SIZES: Final = (Size(512, 70), Size(512, 45), Size(384, 40))
"""The first at which a picture fits into a preview is taken: some 30 kB of most photos."""
FIRST: Final = 100
"""Photos of an album that people see first; see `albums.SHOWN`."""
AHEAD: Final = 3
"""Messages of previews that one peer is asked for at a time: what comes waits in its queue."""
OF_ONE_MEMBER: Final = 512 * 1024 * 1024
"""Bytes of previews that are kept here of what one member added to an album."""
_ROOM: Final = limits.MESSAGE_BYTES - 1024


class Previews:
    """What all links have in common: which previews are here, and what they show."""

    def __init__(
        self,
        *,
        library: Library,
        store: AlbumStore,
        photos: AlbumPhotos,
        renditions: Renditions,
        events: Events,
    ) -> None:
        self._library = library
        self._store = store
        self._photos = photos
        self._renditions = renditions
        self._events = events
        self._bad: dict[bytes, LocalError] = {}
        self.asked: Final[Counter[bytes]] = Counter()
        """The entries whose previews were asked for over some link, and have not come."""

    # Ours.

    async def draw(self, photo: Photo) -> bytes:
        """A photo of ours as its preview is to show it, or nothing if it can't be opened. It is
        made of what is in the album, so that it tells no more than that.
        """
        most = limits.ALBUM_PREVIEW_BYTES - 1024
        for size in SIZES:
            try:
                drawn = await self._renditions.draw_photo(photo, size)
            except LocalError:
                return b""
            if len(drawn) <= most:
                return drawn
        return b""

    def keep_ours(self, shared: SharedAlbum, entry: bytes, sealed: bytes) -> None:
        """Keep the preview of a photo that is being added, within the same transaction."""
        self._store.add_previews(shared.album_id, [(entry, sealed)])
        self.here(shared).add(entry)

    # Those that come.

    def here(self, shared: SharedAlbum) -> set[bytes]:
        """The entries whose previews are here."""
        if shared.previews is None:
            shared.previews = self._store.previews(shared.album_id)
        return shared.previews

    def has(self, shared: SharedAlbum, photo: AlbumPhoto) -> bool:
        """Whether the preview of a photo can be looked at."""
        return photo.added.digest in self.here(shared) and photo.photo.key_id in shared.keys

    def wanted(self, shared: SharedAlbum) -> dict[bytes, Preview]:
        """Those that are to come, by their entries: of what is shown first, then of the newest."""
        view = shared.album.view
        here, hidden = self.here(shared), self._store.hidden(shared.album_id)
        first = set(view.ordered()[:FIRST])
        used: Counter[bytes] = Counter()
        found: list[tuple[bool, int, bytes, Preview]] = []
        for photo_id, photo in view.photos.items():
            preview, entry = photo.photo.preview, photo.added
            if preview is None:
                continue
            used[entry.identity] += preview.length
            if used[entry.identity] > OF_ONE_MEMBER or entry.digest in here:
                continue
            if photo_id not in hidden and photo.photo.key_id in shared.keys:
                found.append((photo_id not in first, -entry.time, entry.digest, preview))
        found.sort(key=lambda one: one[:3])
        return {digest: preview for *_, digest, preview in found}

    def take(self, shared: SharedAlbum, came: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
        """Keep what came and is what its entry says; which that are."""
        good: dict[bytes, bytes] = {}
        here = self.here(shared)
        for digest, sealed in came:
            entry = shared.album.feeds.entries.get(digest)
            act = None if entry is None else entry.act
            preview = act.preview if isinstance(act, PhotoAct) else None
            if preview is None or digest in here:
                continue
            if len(sealed) == preview.length and _digest(sealed) == preview.digest:
                good[digest] = sealed
            else:
                self._events.counters.refused("preview", PieceMismatchError.code)
        if good:
            self._store.add_previews(shared.album_id, good.items())
            here.update(good)
            self._events.publish("album-previews", album=shared.album_id.hex(), came=len(good))
        return set(good)

    def forget(self, shared: SharedAlbum, photo: AlbumPhoto) -> None:
        """Nobody here wants to see it."""
        self._store.drop_preview(shared.album_id, photo.added.digest)
        self.here(shared).discard(photo.added.digest)

    # As they are looked at.

    async def show(self, shared: SharedAlbum, photo: AlbumPhoto) -> bytes:
        """A JPEG of a photo of an album, whether the photo has come or its preview alone.

        Raises `NotHereYetError`, and the decoder's errors.
        """
        record = photo.photo.record
        here = self._library.photo(record.photo_id)
        if here is not None:
            with contextlib.suppress(BlobMissingError):  # it was let go, or is damaged
                return await self._renditions.get(here, "preview")
        sealed = self._store.preview(shared.album_id, photo.added.digest)
        if sealed is None or photo.photo.key_id not in shared.keys:
            raise NotHereYetError
        if photo.added.digest in self._bad:
            raise self._bad[photo.added.digest]
        opened = shared.keys.open_preview(photo.photo.key_id, record.photo_id, sealed)
        try:
            _, drawn = await self._renditions.drawn(opened, SIZES[0])
        except (PictureRefusedError, DecoderDiedError, DecoderTimeoutError) as error:
            self._bad[photo.added.digest] = error
            raise
        return drawn


class PreviewsComing:
    """Previews over one link."""

    def __init__(self, link: Link, *, common: Previews, photos: AlbumPhotos) -> None:
        self._link = link
        self._common = common
        self._photos = photos
        self._waiting: dict[bytes, dict[bytes, Preview]] = {}
        self._asked: dict[bytes, deque[list[bytes]]] = {}
        self._tried: dict[bytes, set[bytes]] = {}

    def is_busy(self, album_id: bytes) -> bool:
        """Whether the peer is to bring previews of an album, so that photos wait."""
        return album_id in self._asked

    def heard_news(self, album_id: bytes) -> None:
        """The peer has news of an album, so it may have by now what it lacked."""
        self._tried.pop(album_id, None)

    async def want(self, shared: SharedAlbum) -> None:
        """Ask the peer, who is in the album, for what misses here."""
        if shared.state != "joined":
            return
        tried = self._tried.get(shared.album_id, set[bytes]())
        wanted = self._common.wanted(shared)
        self._waiting[shared.album_id] = {
            digest: preview for digest, preview in wanted.items() if digest not in tried
        }
        await self._ask(shared)

    async def _ask(self, shared: SharedAlbum) -> None:
        while len(self._asked.get(shared.album_id, ())) < AHEAD:
            batch = self._next(shared)
            if not batch:
                return
            try:
                grant = self._photos.grant(shared.album_id)
            except AlbumDeniedError:
                return
            self._asked.setdefault(shared.album_id, deque()).append(batch)
            self._tried.setdefault(shared.album_id, set()).update(batch)
            self._common.asked.update(batch)
            await self._link.send(AlbumPreviewAsk(shared.album_id, grant, tuple(batch)))

    def _next(self, shared: SharedAlbum) -> list[bytes]:
        """What to ask for in one message: first what nobody was asked for, and when there is
        nothing else to do, what others were.
        """
        waiting, here = self._waiting.get(shared.album_id, {}), self._common.here(shared)
        batch: list[bytes] = []
        room, idle = _ROOM, shared.album_id not in self._asked
        others: list[bytes] = []
        for digest in list(waiting):
            if digest in here:
                del waiting[digest]
            elif self._common.asked[digest]:
                others.append(digest)
            else:
                room -= preview_room(waiting[digest].length)
                if room < 0 or len(batch) >= limits.ALBUM_PREVIEWS_AT_ONCE:
                    break
                batch.append(digest)
        if not batch and idle:
            for digest in others[: limits.ALBUM_PREVIEWS_AT_ONCE]:
                room -= preview_room(waiting[digest].length)
                if room < 0:
                    break
                batch.append(digest)
        for digest in batch:
            del waiting[digest]
        return batch

    async def take(self, shared: SharedAlbum, message: AlbumPreviews) -> None:
        """What the peer has of what was asked for, and what to ask next. What was not asked for is
        left out.
        """
        asked = self._asked.get(shared.album_id)
        if not asked:
            return
        batch = asked.popleft()
        if not asked:
            del self._asked[shared.album_id]
        self._over(batch)
        wanted = set(batch)
        came = (each for each in message.previews if each[0] in wanted)
        self._tried.get(shared.album_id, set[bytes]()).difference_update(
            self._common.take(shared, came)
        )
        if shared.state == "joined":
            await self._ask(shared)

    async def give(self, ask: AlbumPreviewAsk) -> bool:
        """Give the peer what it asks for, as far as it is here and the peer may have it; whether
        that is all. Who may have nothing is answered as if nothing were here.
        """
        told = AlbumPreviews(ask.album, ())
        with contextlib.suppress(PeerError):
            capability = Capability.decode(ask.capability)
            if capability.links[0].caveats.album == ask.album:
                network = network_of(self._link.pipe.path)
                found = self._photos.previews(capability, self._link.peer, ask.entries, network)
                told = previews(ask.album, found)
        await self._link.send(told)
        return len(told.previews) == len(ask.entries)

    def refused(self, album_id: bytes) -> None:
        """The peer gives us nothing of an album."""
        for batch in self._asked.pop(album_id, ()):
            self._over(batch)

    def close(self) -> None:
        """The link has ended: others are asked for what it did not bring."""
        for album_id in list(self._asked):
            self.refused(album_id)

    def _over(self, batch: list[bytes]) -> None:
        self._common.asked.subtract(batch)
        for digest in batch:
            if self._common.asked[digest] <= 0:
                del self._common.asked[digest]


def _digest(sealed: bytes) -> bytes:
    return hashlib.sha256(sealed).digest()
