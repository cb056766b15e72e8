"""Photos on their way in: who offers one that is being fetched helps to bring it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Generator
from functools import partial
from io import BytesIO
from typing import Final

from ..crypto.blob import Kind, piece_count
from ..crypto.errors import MalformedError, PeerError
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.errors import BusyError
from ..protocol.photo import Metadata, PhotoRecord
from ..protocol.transfer import Download
from .blobstore import BlobStore, Incoming
from .events import Events
from .exporting import DigestSink
from .gathering import Gathering
from .library import IncomingOffer

_REMEMBERED: Final = 4096
"""Keys that were tried in vain: a hash of each."""


def is_small(offer: IncomingOffer) -> bool:
    """Whether a photo is so small that it comes in one piece."""
    return piece_count(offer.record.ciphertext_length) == 1


class Arrival:
    """One photo, under one record, whoever offers it.

    Pieces are checked against the record alone, so that it does not matter whose keys are right:
    each offer's are tried, in `turn`, when the blobs are whole.
    """

    def __init__(self, record: PhotoRecord, content: Gathering, metadata: Gathering) -> None:
        self.record: Final = record
        self.content: Final = content
        self.metadata: Final = metadata
        self.turn: Final = asyncio.Lock()
        self.offers = 0


class Arrivals:
    """All that are on their way, by photo."""

    def __init__(self, blobs: BlobStore, events: Events) -> None:
        self._blobs = blobs
        self._events = events
        self._arrivals: dict[bytes, Arrival] = {}
        self._progress: dict[bytes, tuple[int, int]] = {}
        self._in_vain: dict[bytes, type[PeerError]] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def __contains__(self, photo_id: bytes) -> bool:
        return photo_id in self._arrivals

    def progress(self, photo_id: bytes) -> tuple[int, int] | None:
        """Pieces here and pieces in all of a photo that is being fetched."""
        return self._progress.get(photo_id)

    @contextlib.asynccontextmanager
    async def joined(self, offer: IncomingOffer) -> AsyncGenerator[Arrival]:
        """The arrival of the photo that is offered. It is over when the last has left.

        `BusyError` while there is one of another record under its id: nobody waits for what only
        who signed both can be quick with.
        """
        photo_id = offer.photo_id
        arrival = self._arrivals.get(photo_id)
        if arrival is None:
            arrival = self._arrivals[photo_id] = self._arrival(offer)
        elif arrival.record.signed != offer.record.signed:
            raise BusyError
        arrival.offers += 1
        try:
            yield arrival
        finally:
            arrival.offers -= 1
            if not arrival.offers:
                del self._arrivals[photo_id]
                self._progress.pop(photo_id, None)

    def check(self, offer: IncomingOffer) -> None:
        """Raise what was wrong when the same blobs were opened with the same keys.

        Opening costs us as much as sending costs a peer, so it is not had again for a mere offer.
        """
        error = self._in_vain.get(_tried(offer))
        if error is not None:
            raise error

    @contextlib.contextmanager
    def trying(self, offer: IncomingOffer) -> Generator[None]:
        """While the blobs are opened with the keys of an offer: an error is remembered."""
        self.check(offer)
        try:
            yield
        except PeerError as error:
            self._in_vain[_tried(offer)] = type(error)
            if len(self._in_vain) > _REMEMBERED:
                del self._in_vain[next(iter(self._in_vain))]
            raise

    def _arrival(self, offer: IncomingOffer) -> Arrival:
        record = offer.record
        small, large = self._blobs.small, partial(self._blobs.incoming, offer.photo_id)
        content = Gathering(
            Download(record.content_id, record.ciphertext_length),
            (small if is_small(offer) else large)(record.content_id),
            partial(self._report, offer.photo_id),
        )
        metadata = Gathering(Download(record.metadata_id, None), small(record.metadata_id), _untold)
        return Arrival(record, content, metadata)

    def _report(self, photo_id: bytes, done: int, total: int) -> None:
        self._progress[photo_id] = (done, total)
        self._events.publish("progress", id=photo_id.hex(), pieces=done, of=total)


def verify(
    photo_id: bytes,
    content: Incoming,
    content_key: Secret,
    metadata: Incoming,
    metadata_key: Secret,
) -> Metadata:
    """Open both blobs to the last byte before anything counts as received; in a thread."""
    details = opened_metadata(photo_id, metadata, metadata_key)
    digest = DigestSink()
    length = content.unseal(digest, content_key, Kind.ORIGINAL, photo_id, limits.PHOTO_BYTES)
    if length != details.length or digest.digest() != details.sha256:
        raise MalformedError("the photo is not the one that its metadata describe")
    return details


def opened_metadata(photo_id: bytes, metadata: Incoming, key: Secret) -> Metadata:
    """The metadata of a photo whose content may be still to come."""
    body = BytesIO()
    metadata.unseal(body, key, Kind.METADATA, photo_id, limits.METADATA_BYTES)
    return Metadata.decode(body.getvalue())


def finish(*places: Incoming) -> None:
    """Give blobs that are whole their final names; in a thread."""
    for place in places:
        place.finish()


def _tried(offer: IncomingOffer) -> bytes:
    """All that it depends on whether a photo can be opened; its record may be signed twice."""
    record, tried = offer.record, hashlib.sha256(offer.photo_id)
    for part in (record.content_id, record.metadata_id):
        tried.update(part)
    for key in (offer.content_key, offer.metadata_key):
        tried.update(key.reveal())
    return tried.digest()


def _untold(_done: int, _total: int) -> None:
    """Progress of what is too small to show."""
