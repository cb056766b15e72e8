"""Drop links, put together: what the owner decides, and how what came becomes photos.

offered -> here already? -> accepted, or waits for the owner -> parts -> a photo, to be checked
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from ..crypto.errors import KinlightError, SourceChangedError
from ..crypto.link_keys import Signals
from ..protocol.drop import Offered, Standing
from ..protocol.opening import Entropy
from ..protocol.photo import Metadata
from . import originals
from .blobstore import BlobStore
from .catalogue import Catalogue
from .commits import Commits
from .drop_parts import DropParts
from .drop_receiving import Admitted, Conversations, Judged, Receiving
from .drops import DropItem, Drops, MadeDrop
from .errors import DiskFullError, UnreadableFileError
from .events import Events
from .library import Library, Photo
from .originals import Originals
from .photo_errors import LinkPageError
from .views_drops import DropLink
from .weblink_rtc import RtcThread
from .weblink_server import Listeners
from .weblink_serving import Channel
from .weblinks import Place

_ID_DIGITS: Final = 4

_Found = TypeVar("_Found")
_log = logging.getLogger(__name__)


class DropDesk:
    """What the API does with drop links, and what browsers that have one may do."""

    def __init__(
        self,
        *,
        name: str,
        drops: Drops,
        parts: DropParts,
        originals: Originals,
        library: Library,
        catalogue: Catalogue,
        blobs: BlobStore,
        commits: Commits,
        events: Events,
        entropy: Entropy,
        listeners: Listeners,
        renew: Callable[[], Awaitable[None]],
        rtc: RtcThread,
        arrived: Callable[[bytes], None],
    ) -> None:
        """`renew` has the pages served that are to be, `arrived` hears of each photo within the
        transaction that notes it.
        """
        self._name = name
        self._drops = drops
        self._parts = parts
        self._originals = originals
        self._library = library
        self._catalogue = catalogue
        self._blobs = blobs
        self._commits = commits
        self._events = events
        self._entropy = entropy
        self._listeners = listeners
        self._renew = renew
        self._rtc = rtc
        self._arrived = arrived
        self._conversations = Conversations()  # touched on the channels' loop alone

    # What the user does.

    async def new(self, name: str, accept: str, place: Place) -> DropLink:
        """A drop link, with its URL. Raises `LinkPageError` and what `Drops.new` raises."""
        made = self._drops.new(name, accept, place)
        await self._renew()
        view = self._view(self._drops.view(made.drop_id), made)
        if not view.served:
            self._drops.revoke(made.drop_id)
            raise LinkPageError(view.reason or place.host)
        return view

    def list(self) -> list[DropLink]:
        """All that are remembered, the latest first."""
        return [self._view(link) for link in self._drops.list()]

    def revoke(self, drop: str) -> DropLink:
        """Take one back; what is under way ends, and what was stored stays."""
        drop_id = self._drops.find(drop)
        for item_id in self._drops.revoke(drop_id):
            self._parts.remove(item_id)
        return self._changed(drop_id)

    def accept_from(self, drop: str, accept: str) -> DropLink:
        """Whether what comes by a link waits; what waits already goes on waiting."""
        drop_id = self._drops.find(drop)
        self._drops.accept_from(drop_id, accept)
        return self._changed(drop_id)

    def decide_all(self, drop: str, *, accept: bool) -> DropLink:
        """Accept all that waits by a link; or decline it, and what was accepted and never came."""
        drop_id = self._drops.find(drop)
        items = self._drops.waiting(drop_id) if accept else self._drops.unstored(drop_id)
        self._decide(items, accept=accept)
        return self._changed(drop_id)

    def items(self) -> list[DropItem]:
        """All that was offered, the oldest first."""
        return self._drops.items()

    def find_item(self, item: str) -> DropItem | None:
        """The one item whose id begins so, if there is one; of one that is stored, its old id."""
        digits = item.strip().lower()
        found = [each for each in self._drops.items() if each.item_id.hex().startswith(digits)]
        return found[0] if len(found) == 1 and len(digits) >= _ID_DIGITS else None

    def decide(self, item: DropItem, *, accept: bool) -> DropItem:
        """Accept or decline one."""
        self._decide([item], accept=accept)
        self._changed(item.drop_id)
        return self._drops.item(item.item_id) or item

    def _decide(self, items: list[DropItem], *, accept: bool) -> None:
        self._drops.decide(items, accept=accept)
        for item in items:
            if not accept:
                self._parts.remove(item.item_id)
            if (current := self._drops.item(item.item_id)) is not None:
                self._publish(current)

    def _changed(self, drop_id: bytes) -> DropLink:
        """Pages that are open hear of it at once."""
        self._rtc.tell(lambda: self._conversations.tell(drop_id))
        return self._view(self._drops.view(drop_id))

    def _view(self, link: DropLink, made: MadeDrop | None = None) -> DropLink:
        return self._listeners.told(link, None if made is None else made.tail)

    # What browsers do.

    @property
    def drops(self) -> Drops:
        """The rows."""
        return self._drops

    def sweep(self) -> None:
        """At the start: remove parts of what is not to come any more."""
        self._parts.sweep({item.item_id for item in self._drops.items() if _may_come(item)})

    async def answer(self, signals: Signals, offer: str, harmless: str, source: str) -> str:
        """The answer to the offer of a browser that proved the key; `harmless` is what is made of
        it. Raises `RevokedLinkError`, `UnknownLinkError`, and what `RtcThread.answer` raises.
        """
        self._drops.came(signals.link)
        here = asyncio.get_running_loop()

        async def on_loop(work: Coroutine[Any, Any, _Found]) -> _Found:
            """The library is asked on the daemon's loop alone, and this runs on another."""
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, here))

        admitted = Admitted(
            drop_id=signals.link,
            name=self._name,
            auth=signals.auth,
            offer=offer.encode(),
            entropy=self._entropy,
            offered=lambda offered: on_loop(self._offered(signals.link, offered)),
            store=lambda item_id: on_loop(self._store(item_id)),
            check=lambda length: on_loop(self._check(signals.link, length)),
        )

        def serve(channel: Channel) -> Receiving:
            return Receiving(channel, admitted, self._conversations)

        return await self._rtc.answer(harmless, source, serve)

    async def _check(self, drop_id: bytes, length: int) -> None:
        self._drops.admit(drop_id)
        if length:
            self._blobs.check_room(2 * length)  # as parts, and then as a sealed photo

    async def _offered(self, drop_id: bytes, offered: Offered) -> Judged:
        if offered.length == 0:
            return Judged(Standing.REFUSED, why="The file is empty.")
        item, new = self._drops.offered(drop_id, offered)
        if item.state == "stored":
            return Judged(Standing.HERE)
        photo = self._here(offered.sha256)
        if photo is not None:
            await self._note(item, photo)
            return Judged(Standing.HERE)
        if new:
            self._publish(item)
        if item.state == "declined":
            return Judged(Standing.DECLINED)
        if item.state == "waiting":
            return Judged(Standing.WAITS)
        try:
            self._blobs.check_room(2 * item.length)  # as parts, and then as a sealed photo
        except DiskFullError:
            why = "There is no room for it on the other side. Nothing is lost: try again later."
            return Judged(Standing.REFUSED, why=why)
        parts = self._parts.of(item.item_id, item.length, item.key)
        return Judged(Standing.WANTED, item.item_id, parts)

    def _here(self, sha256: bytes) -> Photo | None:
        """A photo of the library with that content, whoever it came from."""
        found = self._library.photos_like(self._originals.fingerprint(sha256), b"")
        return next((photo for photo in found if self._is_here(photo)), None)

    def _is_here(self, photo: Photo) -> bool:
        return self._catalogue.is_listed(photo.photo_id) and photo.record.content_id in self._blobs

    async def _note(self, item: DropItem, photo: Photo, *, new: bool = False) -> None:
        def note() -> None:
            self._drops.note_stored(item.item_id, photo.photo_id)
            if new:
                self._arrived(photo.photo_id)

        await self._commits.run(note)
        self._parts.remove(item.item_id)
        if (current := self._drops.item(item.item_id)) is not None:
            self._publish(current)

    async def _store(self, item_id: bytes) -> Judged:
        """All parts of an item are here: a photo is made of them, once."""
        item = self._drops.item(item_id)
        if item is None or item.state == "declined":  # decided while its last part came
            return Judged(Standing.DECLINED)
        if item.state != "stored":
            try:
                await self._seal(item)
            except (SourceChangedError, UnreadableFileError):
                self._parts.remove(item_id)
                return Judged(Standing.BROKEN)
            except KinlightError as error:  # a full disk: the parts stay, for the next time
                _log.warning("a photo that was dropped could not be stored: %s", error.code)
                return Judged(Standing.REFUSED, why=error.sentence())
        return Judged(Standing.HERE)

    async def _seal(self, item: DropItem) -> None:
        metadata = Metadata(
            name=item.name,
            media_type=mimetypes.guess_type(item.name)[0] or "application/octet-stream",
            modified=item.modified * 1_000_000,
            length=item.length,
            sha256=item.sha256,
            policy="original",
        )
        source = self._parts.of(item.item_id, item.length, item.key).source()
        try:
            photo, new = await self._originals.seal(
                source, metadata, originals.untold, lambda found, _: self._is_here(found)
            )
        finally:
            source.close()
        await self._note(item, photo, new=new)

    def _publish(self, item: DropItem) -> None:
        photo = item.photo_id or item.item_id
        self._events.publish("offer", id=photo.hex(), sender=item.drop_name, state=item.state)


def _may_come(item: DropItem) -> bool:
    return item.state == "accepted"
