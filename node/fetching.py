"""Fetching blobs from a peer: pieces are checked, written at their place, and credited."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import BinaryIO, Final

from ..crypto.blob import MAX_PIECES
from ..crypto.errors import KinlightError, PeerError, TruncatedError
from ..protocol import limits
from ..protocol.errors import UnexpectedMessageError, from_wire
from ..protocol.messages import Credit, Fetch, FetchRefused, FetchStop, ManifestPart, Piece
from ..protocol.transfer import Download
from .blobstore import BlobStore, IncomingBlob
from .counters import Counters
from .link import Link

WINDOW: Final = 16
"""Pieces that a fetch has under way: 4 MiB."""
STALL_SECONDS: Final = 120.0
"""A fetch of which nothing came for so long is given up: others may bring the photo."""
_RECENT: Final = 256
"""Ended fetches whose last messages may still be on the wire."""

Progress = Callable[[int, int], None]
"""Called with pieces verified so far and pieces in all."""


@dataclass(slots=True)
class _Running:
    download: Download
    incoming: IncomingBlob
    progress: Progress
    done: asyncio.Future[None]
    file: BinaryIO | None = None
    credited: int = 0
    heard: int = 0
    """Messages that came for it."""
    left: int = 0
    """Pieces that this fetch asked for and that have not come yet."""


class Fetcher:
    """The fetches that we have open on one link."""

    def __init__(self, link: Link, blobs: BlobStore, counters: Counters) -> None:
        self._link = link
        self._blobs = blobs
        self._counters = counters
        self._running: dict[int, _Running] = {}
        self._ended: dict[int, None] = {}
        self._numbers = itertools.count(1)

    async def fetch(
        self, photo_id: bytes, download: Download, capability: bytes, progress: Progress
    ) -> None:
        """Bring all missing pieces into the blob store's partial file.

        Raises the peer's refusal, `PieceMismatchError` for a lie, `TruncatedError` if the link
        ended, a `LocalError` if the disk did. Pieces that were verified stay for the next time.
        """
        incoming = self._blobs.incoming(photo_id, download.content_id)
        await asyncio.to_thread(incoming.resume, download)
        while not download.complete:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            running = _Running(download, incoming, progress, done)
            await self._fetch_once(photo_id, running, capability)

    async def _fetch_once(self, photo_id: bytes, running: _Running, capability: bytes) -> None:
        download = running.download
        request = next(self._numbers) % 2**32
        missing = tuple(download.have.missing(limits.RANGES)) or ((0, MAX_PIECES),)
        running.left = sum(count for _, count in missing)
        self._running[request] = running
        try:
            if download.manifest is not None:
                running.file = running.incoming.begin(download.manifest)
            await self._link.send(
                Fetch(
                    request, photo_id, download.content_id, capability,
                    download.manifest is None, missing, WINDOW,
                )
            )  # fmt: skip
            await self._until_done(running)
        except BaseException:
            with contextlib.suppress(PeerError):
                self._link.post(FetchStop(request))
            raise
        finally:
            self._forget(request)
            if running.file is not None:
                running.file.close()

    async def _until_done(self, running: _Running) -> None:
        ended = asyncio.ensure_future(self._link.ended.wait())
        try:
            while True:
                heard = running.heard
                done, _ = await asyncio.wait(
                    {running.done, ended},
                    timeout=STALL_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if done or running.heard == heard:
                    break
            if not running.done.done():
                raise TruncatedError
            running.done.result()
        finally:
            ended.cancel()
            running.done.cancel()

    def _forget(self, request: int) -> None:
        self._running.pop(request, None)
        self._ended[request] = None
        if len(self._ended) > _RECENT:
            del self._ended[next(iter(self._ended))]

    # Messages of the peer.

    def manifest(self, message: ManifestPart) -> None:
        """The next bytes of a manifest."""
        running = self._find(message.request)
        if running is not None:
            running.heard += 1
            with _failing(running):
                if running.download.receive_manifest(message.data):
                    manifest = running.download.manifest
                    if manifest is not None:
                        running.left = manifest.pieces
                        running.file = running.incoming.begin(manifest)

    def piece(self, message: Piece) -> None:
        """One piece: checked, then written, then credited."""
        running = self._find(message.request)
        if running is None:
            return
        running.heard += 1
        with _failing(running):
            download = running.download
            download.receive_piece(message.index, message.data)
            if running.file is None:
                raise UnexpectedMessageError
            running.incoming.write_piece(running.file, message.index, message.data)
            download.have.add(message.index)
            self._counters.pieces_received += 1
            running.credited += 1
            if running.credited == WINDOW // 2:
                self._link.post(Credit(message.request, running.credited))
                running.credited = 0
            manifest = download.manifest
            if manifest is not None:
                running.progress(download.have.count, manifest.pieces)
            running.left -= 1
            # With more gaps than one fetch may name, the rest is asked for next.
            if (download.complete or running.left == 0) and not running.done.done():
                running.done.set_result(None)

    def refused(self, message: FetchRefused) -> None:
        """The peer refuses, with a code that has a sentence of ours."""
        running = self._find(message.request)
        if running is not None and not running.done.done():
            running.done.set_exception(from_wire(message.code))

    def _find(self, request: int) -> _Running | None:
        running = self._running.get(request)
        if running is None and request not in self._ended:
            raise UnexpectedMessageError
        return running


@contextlib.contextmanager
def _failing(running: _Running) -> Generator[None]:
    """An error ends this fetch, not the link: other photos go on."""
    try:
        yield
    except KinlightError as error:
        if not running.done.done():
            running.done.set_exception(error)
