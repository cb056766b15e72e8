"""Fetching blobs from a peer: pieces are checked, written at their place, and credited.

Checking and writing is a thread's work, a few pieces at a time; meanwhile the next ones come in.
How many may be under way adapts: more where the thread waits for the wire, fewer where pieces pile
up before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final

from ..crypto.blob import MAX_PIECES
from ..crypto.errors import KinlightError, PeerError, TruncatedError
from ..protocol import limits
from ..protocol.errors import TooMuchError, UnexpectedMessageError, from_wire
from ..protocol.messages import Credit, Fetch, FetchRefused, FetchStop, ManifestPart, Piece
from ..protocol.transfer import Depth, Download
from .blobstore import Incoming
from .counters import Counters
from .link import Link

STALL_SECONDS: Final = 120.0
"""A fetch of which nothing came for so long is given up: others may bring the photo."""
_RECENT: Final = 256
"""Ended fetches whose last messages may still be on the wire."""

Progress = Callable[[int, int], None]
"""Called with pieces verified so far and pieces in all."""


@dataclass(slots=True)
class _Running:
    download: Download
    incoming: Incoming
    progress: Progress
    done: asyncio.Future[None]
    limit: asyncio.Timeout
    depth: Depth = field(default_factory=Depth)
    pieces: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    """Those that came and are not written yet."""
    writer: asyncio.Task[None] | None = None
    left: int = 0
    """Pieces that this fetch asked for and that are not written yet."""


class Fetcher:
    """The fetches that we have open on one link."""

    def __init__(self, link: Link, counters: Counters) -> None:
        self._link = link
        self._counters = counters
        self._running: dict[int, _Running] = {}
        self._ended: dict[int, None] = {}
        self._numbers = itertools.count(1)
        self._clock = asyncio.get_running_loop().time

    async def fetch(
        self,
        photo_id: bytes,
        download: Download,
        capability: bytes,
        incoming: Incoming,
        progress: Progress,
    ) -> None:
        """Bring all missing pieces into the place of a blob that is on its way in.

        Raises the peer's refusal, `PieceMismatchError` for a lie, `TruncatedError` if nothing comes
        any more, a `LocalError` if the disk did. Pieces that were verified stay for the next time.
        """
        if incoming.resumes:
            await asyncio.to_thread(incoming.resume, download)
        while not download.complete:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            limit = asyncio.timeout(STALL_SECONDS)
            running = _Running(download, incoming, progress, done, limit)
            await self._fetch_once(photo_id, capability, running)

    async def _fetch_once(self, photo_id: bytes, capability: bytes, running: _Running) -> None:
        download, incoming = running.download, running.incoming
        request = next(self._numbers) % 2**32
        missing = tuple(download.have.missing(limits.RANGES)) or ((0, MAX_PIECES),)
        running.left = sum(count for _, count in missing)
        self._running[request] = running
        try:
            if download.manifest is not None:
                incoming.begin(download.manifest)
            message = Fetch(
                request, photo_id, download.content_id, capability,
                download.manifest is None, missing, running.depth.open(),
            )  # fmt: skip
            async with running.limit:
                await self._link.send(message)
                await running.done
        except BaseException as error:
            with contextlib.suppress(PeerError):
                self._link.post(FetchStop(request))
            if isinstance(error, TimeoutError):
                raise TruncatedError from None
            raise
        finally:
            self._forget(request)
            running.pieces.clear()
            try:
                if running.writer is not None:  # its thread has the file
                    await asyncio.wait({running.writer})
            finally:
                incoming.end()

    def _forget(self, request: int) -> None:
        self._running.pop(request, None)
        self._ended[request] = None
        if len(self._ended) > _RECENT:
            del self._ended[next(iter(self._ended))]

    # Messages of the peer.

    def manifest(self, message: ManifestPart) -> None:
        """The next bytes of a manifest."""
        running = self._heard(message.request)
        if running is not None:
            with _failing(running):
                if running.download.receive_manifest(message.data):
                    manifest = running.download.manifest
                    if manifest is not None:
                        running.left = manifest.pieces
                        running.incoming.begin(manifest)

    def piece(self, message: Piece) -> None:
        """One piece: to be checked, then written, then credited."""
        running = self._heard(message.request)
        if running is None or running.done.done():
            return
        with _failing(running):
            if running.download.manifest is None:
                raise UnexpectedMessageError
            if not running.depth.take():
                raise TooMuchError("pieces that there was no credit for")
            running.pieces.append((message.index, message.data))
            if not running.incoming.resumes:
                self._write(running, running.pieces)
                self._written(message.request, running)
            elif running.writer is None:
                running.writer = asyncio.create_task(self._write_all(message.request, running))

    def refused(self, message: FetchRefused) -> None:
        """The peer refuses, with a code that has a sentence of ours."""
        running = self._heard(message.request)
        if running is not None and not running.done.done():
            running.done.set_exception(from_wire(message.code))

    def _heard(self, request: int) -> _Running | None:
        """The fetch that a message is about, if it is still under way."""
        running = self._running.get(request)
        if running is not None and not running.limit.expired():
            running.limit.reschedule(self._clock() + STALL_SECONDS)
        elif running is None and request not in self._ended:
            raise UnexpectedMessageError
        return running

    # Writing.

    async def _write_all(self, request: int, running: _Running) -> None:
        """Write what came, until nothing is left that came."""
        try:
            with _failing(running):
                while running.pieces and not running.done.done():
                    pieces, running.pieces = running.pieces, []
                    await asyncio.to_thread(self._write, running, pieces)
                    self._written(request, running, len(pieces))
        finally:
            running.writer = None

    @staticmethod
    def _write(running: _Running, pieces: list[tuple[int, bytes]]) -> None:
        download = running.download
        for index, data in pieces:
            download.receive_piece(index, data)
            running.incoming.write_piece(index, data)
            download.have.add(index)

    def _written(self, request: int, running: _Running, count: int = 1) -> None:
        download = running.download
        self._counters.pieces_received += count
        running.left -= count
        if download.manifest is not None:
            running.progress(download.have.count, download.manifest.pieces)
        # With more gaps than one fetch may name, the rest is asked for next.
        if download.complete or running.left <= 0:
            if not running.done.done():
                running.done.set_result(None)
            return
        credit = running.depth.written(count, waiting=len(running.pieces))
        if credit:
            self._link.post(Credit(request, credit))


@contextlib.contextmanager
def _failing(running: _Running) -> Generator[None]:
    """An error ends this fetch, not the link: other photos go on."""
    try:
        yield
    except KinlightError as error:
        if not running.done.done():
            running.done.set_exception(error)
