"""Photos that came whole are verified and entered in the library, durably or not at all."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager

from ..crypto.blob import Kind
from ..crypto.errors import (
    TruncatedError,
)
from ..crypto.secret import Secret
from ..protocol.opening import LocalDevice
from ..protocol.photo import Metadata
from .arrivals import Arrival, finish, verify
from .blobstore import BlobStore
from .commits import Commits
from .library import IncomingOffer, Library, StoredBlob


class Storing:
    """Stores what was fetched, and forgets what is not wanted any more."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        blobs: BlobStore,
        commits: Commits,
        fingerprint_key: Secret,
        now: Callable[[], int],
        arrived: Callable[[bytes], None],
    ) -> None:
        """`arrived` hears of each photo within the transaction that enters it."""
        self._device = device
        self._library = library
        self._blobs = blobs
        self._commits = commits
        self._fingerprint_key = fingerprint_key
        self._now = now
        self._arrived = arrived

    def still_accepted(self, offer: IncomingOffer) -> bool:
        """Not of who was blocked meanwhile, whoever brings it."""
        current = self._library.offer(offer.envelope_hash)
        contact = self._library.contact_of(offer.identity)
        wanted = not is_offered(offer) if contact is None else not contact.blocked
        return wanted and current is not None and current.state == "accepted"

    async def store(
        self, offer: IncomingOffer, arrival: Arrival, trying: AbstractContextManager[None]
    ) -> None:
        """Verify a photo, then write what is in memory of it, then enter it: all of it durably."""
        content, metadata = arrival.content.place, arrival.metadata.place
        with trying:
            details = await asyncio.to_thread(
                verify, offer.photo_id, content, offer.content_key, metadata, offer.metadata_key
            )
        if not self.still_accepted(offer):
            raise TruncatedError  # declined in the meantime; what came is swept
        try:
            await asyncio.to_thread(finish, metadata, content)
            await self._enter(offer, details, arrival)
        except BaseException:
            self._take_back(offer, arrival)
            raise
        content.discard()  # what lies beside the whole blob

    async def _enter(self, offer: IncomingOffer, details: Metadata, arrival: Arrival) -> None:
        """Enter a photo whose files lie here durably; `TruncatedError` if it was declined."""
        record = offer.record
        blobs = [
            StoredBlob(
                record.content_id, Kind.ORIGINAL, offer.photo_id,
                arrival.content.manifest.encode(), offer.content_key,
            ),
            StoredBlob(
                record.metadata_id, Kind.METADATA, offer.photo_id,
                arrival.metadata.manifest.encode(), offer.metadata_key,
            ),
        ]  # fmt: skip
        fingerprint = hmac.digest(self._fingerprint_key.reveal(), details.sha256, "sha256")
        now = self._now()

        def enter() -> None:
            if not self.still_accepted(offer):
                raise TruncatedError
            self._library.add_photo(
                record, details, blobs, fingerprint, now, stored_offer=offer.envelope_hash
            )
            if offer.record.author != self._device.identity:
                self._arrived(offer.photo_id)

        await self._commits.run(enter)

    def discard(self, offer: IncomingOffer) -> None:
        """Forget what came of a photo, but for blobs that another offer's record names too."""
        wanted = {
            content_id
            for other in self._library.offers_of(offer.photo_id, every=True)
            if other.state == "accepted" and other.envelope_hash != offer.envelope_hash
            for content_id in _blobs_of(other)
        }
        for content_id in _blobs_of(offer):
            if content_id not in wanted:
                self._blobs.incoming(offer.photo_id, content_id).discard()

    def _take_back(self, offer: IncomingOffer, arrival: Arrival) -> None:
        """Its files may have their final names, and no row names them: another try goes on there.

        A full disk had no room for the row, or the offer was declined.
        """
        for gathering in (arrival.content, arrival.metadata):
            if self._library.blob(gathering.download.content_id) is None:
                gathering.place.take_back()
        if not self.still_accepted(offer):
            self.discard(offer)


def is_offered(offer: IncomingOffer) -> bool:
    """Whether somebody offered it to this very device."""
    return offer.album is None and not offer.sibling


def _blobs_of(offer: IncomingOffer) -> tuple[bytes, bytes]:
    return offer.record.content_id, offer.record.metadata_id
