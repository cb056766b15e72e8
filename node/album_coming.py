"""Photos of albums that come over one link. Any member may have them: who lacks one is asked again
when it has news of the album.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from .album_photos import AlbumPhotos
from .album_shelf import SharedAlbum
from .album_storage import AlbumStore
from .library import IncomingOffer, Library

AT_ONCE: Final = 64
"""Photos that are handed over to be fetched; the others wait by the hashes of their entries."""


class AlbumComing:
    """What is to come over this link."""

    def __init__(
        self,
        *,
        library: Library,
        store: AlbumStore,
        photos: AlbumPhotos,
        fetch: Callable[[IncomingOffer], None],
    ) -> None:
        """`fetch` brings a photo over this link as soon as there is room."""
        self._library = library
        self._store = store
        self._photos = photos
        self._fetch = fetch
        self._handed: set[bytes] = set()
        self._waiting: dict[bytes, deque[bytes]] = {}
        self._not_there: dict[bytes, set[bytes]] = {}

    def want(self, shared: SharedAlbum) -> None:
        """Fetch what misses of an album, as far as the peer may have it."""
        self._photos.expect(shared)
        if shared.state != "joined":
            return
        left_out = self._not_there.get(shared.album_id, set[bytes]()) | self._handed
        expected = self._store.expected(shared.album_id, "accepted")
        self._waiting[shared.album_id] = deque(each for each in expected if each not in left_out)
        self._hand_over()

    def heard_news(self, album_id: bytes) -> None:
        """The peer has news of an album, so it may have by now what it lacked."""
        self._not_there.pop(album_id, None)

    def fetched(self, offer: IncomingOffer) -> None:
        """A fetch ended, whether the photo came or not."""
        digest = offer.envelope_hash
        self._handed.discard(digest)
        now = self._library.offer(digest)
        if now is not None and now.state == "accepted" and now.album is not None:
            self._not_there.setdefault(now.album, set()).add(digest)
        self._hand_over()

    def given_up(self, digest: bytes) -> None:
        """It is not to come any more."""
        self._handed.discard(digest)
        self._hand_over()

    def _hand_over(self) -> None:
        for waiting in self._waiting.values():
            while waiting and len(self._handed) < AT_ONCE:
                digest = waiting.popleft()
                offer = self._library.offer(digest)
                if offer is None or digest in self._handed or offer.state != "accepted":
                    continue
                if self._photos.is_wanted(offer):
                    self._handed.add(digest)
                    self._fetch(offer)
