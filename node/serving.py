"""Serving blobs to a peer: what it shows a capability for, or what is held and it may have."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from ..crypto import blob
from ..crypto.blob import Kind, Manifest
from ..crypto.errors import KinlightError, TruncatedError
from ..protocol import limits
from ..protocol.capability import Capability
from ..protocol.errors import (
    BusyError,
    DeniedError,
    GoneError,
    OutOfScopeError,
    PeerFailedError,
    wire_code,
)
from ..protocol.messages import (
    Credit,
    Fetch,
    FetchHeld,
    FetchRefused,
    FetchStop,
    ManifestPart,
    Piece,
)
from ..protocol.photo import KINDS
from ..protocol.transfer import Upload
from .album_photos import AlbumPhotos
from .blobstore import BlobStore
from .events import Events
from .judge import Judge, network_of
from .library import Library, Photo, StoredBlob
from .link import Link
from .photo_errors import BlobMissingError

_log = logging.getLogger(__name__)


def _untold(_index: int) -> None:
    """Nobody is told of the pieces."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A blob that the peer may have."""

    manifest: Manifest
    file: BinaryIO
    again: Callable[[], object]
    """Called before each piece: raises the `DeniedError` or `GoneError` of what ended meanwhile."""
    sent: Callable[[int], None] = _untold
    """Called with the index of each piece that went."""


@dataclass(slots=True)
class _Open:
    """A fetch that was allowed."""

    request: int
    manifest_too: bool
    allowed: Allowed
    upload: Upload
    credit: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Server:
    """Answers the fetches of one link. Every fetch is judged now, and while it goes on."""

    def __init__(
        self,
        link: Link,
        contact: str,
        judge: Judge,
        library: Library,
        blobs: BlobStore,
        events: Events,
        albums: AlbumPhotos,
        lacked: Callable[[bytes], None],
    ) -> None:
        """`lacked` hears of which album the peer asked for something that is not here."""
        self._link: Final = link
        self._contact = contact
        self._judge = judge
        self._library = library
        self._blobs = blobs
        self._events = events
        self._albums = albums
        self._lacked = lacked
        self._open: dict[int, _Open] = {}

    def fetch(self, message: Fetch) -> None:
        """Start to serve what a capability allows, or refuse with the reason."""
        self._answer(message, lambda: self._by_capability(message))

    def fetch_held(self, message: FetchHeld, find: Callable[[FetchHeld], Allowed]) -> None:
        """Start to serve what `find` allows, or refuse with what it raises."""
        self._answer(message, lambda: find(message))

    def _answer(self, message: Fetch | FetchHeld, allow: Callable[[], Allowed]) -> None:
        try:
            if message.request in self._open or len(self._open) >= limits.FETCHES:
                raise BusyError
            allowed = allow()
        except BlobMissingError:
            self._events.counters.refused("fetch", GoneError.code)
            self._link.post(FetchRefused(message.request, wire_code(GoneError())))
            return
        except KinlightError as error:
            _log.debug("refused a fetch: %s", error.code)
            self._events.counters.refused("fetch", error.code)
            self._link.post(FetchRefused(message.request, wire_code(error)))
            return
        upload = Upload(allowed.manifest.pieces, message.ranges, message.credit)
        opened = _Open(message.request, message.manifest, allowed, upload)
        self._open[message.request] = opened
        opened.task = asyncio.create_task(self._serve(opened))

    def _by_capability(self, message: Fetch) -> Allowed:
        moment = self._judge.moment()
        capability = Capability.decode(message.capability)
        stored = self._authorise(message, capability)
        manifest = stored.decoded_manifest()

        def again() -> None:
            """What was allowed may have ended meanwhile, or the photo was removed."""
            nonlocal moment
            now = self._judge.moment()
            if now == moment:
                return
            if self._albums.is_of_album(capability):
                self._by_album(capability, message.photo_id)
            else:
                photo = self._judge.served(capability, message.photo_id)
                self._allow(capability, message.photo_id, photo)
                if photo is None:
                    raise GoneError
            moment = now

        def sent(index: int) -> None:
            self._events.publish(
                "sending",
                photo=message.photo_id.hex(),
                to=self._contact,
                pieces=index + 1,
                of=manifest.pieces,
            )

        file = self._blobs.open(message.content_id)
        return Allowed(manifest, file, again, sent if stored.kind is Kind.ORIGINAL else _untold)

    def _authorise(self, message: Fetch, capability: Capability) -> StoredBlob:
        """The blob, if the capability allows this peer this photo now; else the reason.

        What is not here and what is not this photo's look the same to the asker, and both only
        show after the capability has been checked. A photo of somebody else is served if we passed
        it on, see `Judge.served`, or if both are in an album with it.
        """
        if self._albums.is_of_album(capability):
            photo = self._by_album(capability, message.photo_id)
        else:
            photo = self._judge.served(capability, message.photo_id)
            self._judge.verify(capability, message.photo_id, photo)
            self._allow(capability, message.photo_id, photo)
        if photo is None:
            raise GoneError
        if message.content_id not in (photo.record.blob_id(kind) for kind in KINDS):
            raise OutOfScopeError
        stored = self._library.blob(message.content_id)
        if stored is None:
            raise GoneError
        return stored

    def _by_album(self, capability: Capability, photo_id: bytes) -> Photo:
        network = network_of(self._link.pipe.path)
        try:
            return self._albums.serve(capability, self._link.peer, photo_id, network)
        except GoneError:
            self._lacked(capability.links[0].caveats.album or b"")
            raise

    def _allow(self, capability: Capability, photo_id: bytes, photo: Photo | None) -> None:
        network = network_of(self._link.pipe.path)
        self._judge.allow(capability, self._link.peer, photo_id, photo, network)

    async def _serve(self, opened: _Open) -> None:
        allowed, upload, request = opened.allowed, opened.upload, opened.request
        try:
            with allowed.file as file:
                if opened.manifest_too:
                    await self._send_manifest(request, allowed.manifest)
                while not upload.done:
                    index = upload.take()
                    if index is None:
                        if not upload.done:
                            await opened.credit.wait()
                            opened.credit.clear()
                        continue
                    allowed.again()
                    file.seek(blob.piece_offset(index))
                    data = file.read(allowed.manifest.piece_length(index))
                    await self._link.send(Piece(request, index, data))
                    self._events.counters.pieces_sent += 1
                    allowed.sent(index)
        except TruncatedError:
            pass
        except (DeniedError, GoneError, OSError) as error:
            reason = PeerFailedError() if isinstance(error, OSError) else error
            with contextlib.suppress(TruncatedError):
                await self._link.send(FetchRefused(request, wire_code(reason)))
        finally:
            self._open.pop(request, None)

    async def _send_manifest(self, request: int, manifest: Manifest) -> None:
        encoded = manifest.encode()
        for start in range(0, len(encoded), limits.MANIFEST_PART_BYTES):
            part = encoded[start : start + limits.MANIFEST_PART_BYTES]
            await self._link.send(ManifestPart(request, part))

    def credit(self, message: Credit) -> None:
        """More room at the other side. For a fetch that has just ended it means nothing."""
        found = self._open.get(message.request)
        if found is not None:
            found.upload.add_credit(message.pieces)
            found.credit.set()

    def stop(self, message: FetchStop) -> None:
        """The other side wants no more of this fetch."""
        found = self._open.pop(message.request, None)
        if found is not None and found.task is not None:
            found.task.cancel()

    async def close(self) -> None:
        """End all fetches."""
        tasks = [found.task for found in self._open.values() if found.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
