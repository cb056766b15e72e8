"""One browser at the other end of a data channel: what it asks for goes out piece by piece.

Nothing is read ahead of the wire: a piece is read when the channel has sent most of what it has,
so a page that reads slowly costs no memory here, and one that does not read at all its visit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ..crypto.blob import Manifest
from ..crypto.errors import KinlightError, PeerError
from ..protocol import limits, weblink
from ..protocol.weblink import AskList, AskPieces
from ..protocol.weblink_errors import LinkBusyError, LinkGoneError, LinkOfferError
from .blobstore import BlobStore, read_piece
from .library import StoredBlob
from .photo_errors import BlobMissingError

BUFFERED_BYTES: Final = 1024 * 1024
"""What may wait in the channel before anything more is read."""
STALLED_SECONDS: Final = 60.0
"""After which a page that takes nothing is let go."""
IDLE_SECONDS: Final = 300.0
"""After which one that asks nothing is: it comes back when it wants something."""

_log = logging.getLogger(__name__)


class Channel(Protocol):
    """A data channel, as far as it is needed here."""

    def send(self, data: bytes) -> None:
        """Queue a message; `TimeoutError` where the other side has gone."""
        ...

    async def drained(self) -> None:
        """Until less than half of `BUFFERED_BYTES` waits; `TimeoutError` if that takes too long."""
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """What one visit may ask, each question judged when it is asked; see `WebLinks`."""

    listing: Callable[[], Awaitable[bytes]]
    served: Callable[[int], Awaitable[StoredBlob]]
    blobs: BlobStore
    sent: Callable[[], None]
    """Called for each piece that went, from any thread."""


class Serving:
    """Answers one channel. It lives on the loop of the channel."""

    def __init__(self, channel: Channel, granted: Granted) -> None:
        self._channel = channel
        self._granted = granted
        self._asked: deque[AskList | AskPieces] = deque()
        self._owed = 0
        self._news = asyncio.Event()
        self._fault: PeerError | None = None
        self._manifest: tuple[bytes, Manifest] | None = None

    def hear(self, message: object) -> None:
        """A message of the page. It asks again only for what it got: more ends the visit."""
        try:
            if not isinstance(message, bytes):
                raise LinkOfferError
            ask = weblink.read_ask(message)
            self._owed += ask.count if isinstance(ask, AskPieces) else 1
            if self._owed > limits.LINK_PIECES_ASKED:
                raise LinkBusyError
            self._asked.append(ask)
        except PeerError as fault:
            self._fault = fault
        self._news.set()

    async def run(self) -> None:
        """Until something ends it, which the page is told."""
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._news.wait()
                self._news.clear()
                while self._asked:
                    await self._answer(self._asked.popleft())
                self._check()
        except KinlightError as error:
            reason = error if isinstance(error, PeerError) else LinkGoneError()
            _log.debug("a visit ended: %s", reason.code)
            self._channel.send(weblink.refused(reason))
            await self._channel.drained()
        except TimeoutError:
            _log.debug("a visit ended: the page takes nothing")

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault

    async def _answer(self, ask: AskList | AskPieces) -> None:
        self._check()
        if isinstance(ask, AskList):
            for part in weblink.list_parts(await self._granted.listing()):
                await self._send(part)
            self._owed -= 1
            return
        for piece in range(ask.first, ask.first + ask.count):
            # Judged anew for each: a link that is taken back now ends here.
            stored = await self._granted.served(ask.photo)
            for part in weblink.piece_parts(ask.photo, piece, self._read(stored, piece)):
                await self._send(part)
            self._owed -= 1
            self._granted.sent()

    def _read(self, stored: StoredBlob, piece: int) -> bytes:
        if self._manifest is None or self._manifest[0] != stored.content_id:
            self._manifest = (stored.content_id, stored.decoded_manifest())
        manifest = self._manifest[1]
        if piece >= manifest.pieces:
            raise LinkOfferError
        try:
            with self._granted.blobs.open(stored.content_id) as file:
                found = read_piece(file, manifest, piece)
        except (BlobMissingError, OSError):
            found = None
        if found is None:  # damaged or gone: what is not whole does not go
            raise LinkGoneError
        return found

    async def _send(self, message: bytes) -> None:
        await self._channel.drained()
        self._check()
        self._channel.send(message)
