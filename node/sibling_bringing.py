"""Bringing photos from another device of ours over one link, and giving it those that are here.

Which are to come says a row of `offers`; what fetches offers, resumes, verifies and enters them is
the same as for everybody's (`inbox`). The token of a blob follows from its key, which only our
devices and those who may have the photo know.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from typing import Final

from ..crypto.blob import fetch_token
from ..protocol.errors import GoneError, RevokedDeviceError
from ..protocol.messages import FetchHeld
from .album_sync import AlbumSync
from .arrivals import is_small
from .blobstore import BlobStore
from .fetching import Fetcher
from .inbox import Inbox
from .library import IncomingOffer, Library, StoredBlob
from .link import Link
from .serving import Allowed
from .tasks import together

SMALL_AT_ONCE: Final = 24
LARGE_AT_ONCE: Final = 4
"""Photos fetched from one device at a time: of one piece, and of more."""
AGAIN_SECONDS: Final = 60.0
"""After which a device is asked again for what it did not bring, without news of it."""

_log = logging.getLogger(__name__)


class SiblingBringing:
    """The photos' part of one link."""

    def __init__(
        self,
        link: Link,
        fetcher: Fetcher,
        inbox: Inbox,
        library: Library,
        blobs: BlobStore,
        *,
        revoked: Callable[[bytes], bool],
        came: Callable[[bytes], None],
    ) -> None:
        """`came` is called for each photo that is here now."""
        self._link = link
        self._fetcher = fetcher
        self._inbox = inbox
        self._library = library
        self._blobs = blobs
        self._revoked = revoked
        self._came = came
        self.albums: AlbumSync | None = None
        """What hears of photos of albums that were tried."""
        self._not_there: set[bytes] = set()
        self._handed: set[bytes] = set()
        self._lanes: dict[bool, asyncio.Queue[bytes]] = {
            True: asyncio.Queue(), False: asyncio.Queue(),
        }  # fmt: skip
        self._news = asyncio.Event()

    def want(self) -> None:
        """There may be more to bring."""
        self._news.set()

    def heard(self) -> None:
        """The sibling says what it has: it may have by now what it lacked."""
        self._not_there.clear()
        self._news.set()

    def fetch(self, offer: IncomingOffer) -> None:
        """Bring a photo of an album."""
        if offer.envelope_hash not in self._handed:
            self._handed.add(offer.envelope_hash)
            self._lanes[is_small(offer)].put_nowait(offer.envelope_hash)

    async def run(self) -> None:
        """Bring what is to be here, for as long as the link is up."""
        await together(
            self._look(),
            *(self._work(self._lanes[True]) for _ in range(SMALL_AT_ONCE)),
            *(self._work(self._lanes[False]) for _ in range(LARGE_AT_ONCE)),
        )

    async def _look(self) -> None:
        while True:
            self._news.clear()
            for row in self._library.sibling_offers("accepted"):
                offer = self._library.offer(row)
                if row in self._not_there or row in self._handed or offer is None:
                    continue
                self._handed.add(row)
                self._lanes[is_small(offer)].put_nowait(row)
            try:
                async with asyncio.timeout(AGAIN_SECONDS if self._not_there else None):
                    await self._news.wait()
            except TimeoutError:
                self._not_there.clear()

    async def _work(self, lane: asyncio.Queue[bytes]) -> None:
        while True:
            row = await lane.get()
            try:
                await self._bring(row)
            except Exception:  # of this photo: the others come
                _log.exception("a photo of another device did not come")
                self._not_there.add(row)
            finally:
                self._handed.discard(row)

    async def _bring(self, row: bytes) -> None:
        offer = self._library.offer(row)
        if offer is None:
            if self.albums is not None:
                self.albums.given_up(row)
            return
        if offer.state == "accepted":
            await self._inbox.fetch(self._link, self._fetcher, offer)
        now = self._library.offer(row) or offer
        if now.state != "accepted":
            self._came(now.photo_id)
        elif now.album is None:
            self._not_there.add(row)
        if now.album is not None and self.albums is not None:
            self.albums.fetched(now)

    # What is given.

    def find(self, message: FetchHeld) -> Allowed:
        """A blob that is here, for who shows its token. Raises `GoneError`."""

        def again() -> StoredBlob:
            if self._revoked(self._link.peer.device):
                raise RevokedDeviceError
            stored = self._library.blob(message.content_id)
            token = b"" if stored is None else fetch_token(stored.key).reveal()
            if stored is None or not hmac.compare_digest(token, message.token):
                raise GoneError
            return stored

        stored = again()
        file = self._blobs.open(stored.content_id)
        return Allowed(stored.decoded_manifest(), file, again)
