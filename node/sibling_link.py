"""What goes on over a link with another device of our own."""

from __future__ import annotations

import asyncio
import logging

from ..crypto.errors import LocalError
from ..protocol.album_messages import ALBUM_WORK
from ..protocol.device_messages import OwnDevices
from ..protocol.messages import (
    Credit,
    FetchHeld,
    FetchRefused,
    FetchStop,
    ManifestPart,
    Message,
    Papers,
    Piece,
)
from ..protocol.sibling_messages import (
    SIBLING_WORK,
    SiblingAll,
    SiblingHave,
    SiblingRecords,
)
from .album_parts import AlbumParts
from .album_sync import AlbumSync
from .family import Family, FamilyTalk
from .fetching import Fetcher
from .link import Link
from .serving import Server
from .sibling_bringing import SiblingBringing
from .sibling_letting_go import SiblingLettingGo
from .sibling_parts import SiblingParts
from .sibling_sync import SiblingSync

_log = logging.getLogger(__name__)


class SiblingLink:
    """One such link: a `peers.Conversation`. `link.peer` are papers of our own identity."""

    def __init__(
        self, link: Link, family: Family, parts: SiblingParts, albums: AlbumParts, name: str
    ) -> None:
        """`name` is what the other device is called."""
        self._link = link
        self._family = FamilyTalk(link, family)
        self._fetcher = Fetcher(link, parts.events.counters)
        self._server = Server(
            link, name, parts.judge, parts.library, parts.blobs, parts.events,
            albums.photos, lambda _: None,
        )  # fmt: skip
        self.bringing = SiblingBringing(
            link, self._fetcher, parts.inbox, parts.library, parts.blobs,
            revoked=parts.is_revoked, came=parts.photo_came,
        )  # fmt: skip
        self.albums = AlbumSync(link, albums, self.bringing.fetch, parts.albums.found)
        self.bringing.albums = self.albums
        self.sync = SiblingSync(
            link, parts.siblings, parts.library,
            revoked=parts.is_revoked, now=parts.now, heard=self._heard,
        )  # fmt: skip
        self.letting_go = SiblingLettingGo(
            link, self._fetcher, parts.keeping,
            library=parts.library, store=parts.store, blobs=parts.blobs,
            renditions=parts.renditions,
        )  # fmt: skip
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Tell it what is known of all of our devices, and what is new besides."""
        self._family.tell()
        self.sync.start()
        if self._link.session.takes(SiblingHave):
            self._tasks = [
                asyncio.create_task(self.bringing.run()),
                asyncio.create_task(self.letting_go.run()),
            ]
        self.albums.start()

    def _heard(self) -> None:
        """The other device says what it has."""
        self.bringing.heard()
        self.letting_go.look()
        self.albums.look_again()

    def tell(self) -> None:
        """There is news of our devices, or of what was taken back."""
        self._family.tell()

    async def handle(self, message: Message) -> None:
        """One message of the sibling. A fault at this side, a full disk say, does not end the link:
        what could not be noted is said again on the next one.
        """
        try:
            await self._handle(message)
        except LocalError as error:
            _log.warning("what a sibling said was not noted: %s", error.code)

    async def _handle(self, message: Message) -> None:
        match message:
            case OwnDevices() | Papers():
                self._family.handle(message)
            case SiblingHave() | SiblingRecords() | SiblingAll():
                await self.sync.handle(message)
            case _ if isinstance(message, SIBLING_WORK):
                await self.letting_go.handle(message)
            case _ if isinstance(message, ALBUM_WORK):
                self.albums.handle(message)
            case FetchHeld():
                self._server.fetch_held(message, self.bringing.find)
            case Credit():
                self._server.credit(message)
            case FetchStop():
                self._server.stop(message)
            case ManifestPart():
                self._fetcher.manifest(message)
            case Piece():
                self._fetcher.piece(message)
            case FetchRefused():
                self._fetcher.refused(message)
            case _:
                self._family.handle(message)

    async def close(self) -> None:
        """The link has ended."""
        await self._server.close()
        await self.sync.close()
        await self.albums.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
