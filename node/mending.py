"""Making damaged blobs whole again: from what is still right of them, from files, from peers.

    noted in `repairs` -> good pieces -> pieces sealed again from a file -> pieces fetched -> whole

A blob keeps its content id, so that whatever names it stays as it is; each piece is checked against
its manifest, wherever it comes from. The damaged file stays until the new one is whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final
from weakref import WeakValueDictionary

from ..crypto import blob
from ..crypto.blob import Kind, Manifest, Readable
from ..crypto.errors import (
    KinlightError,
    LocalError,
    PeerError,
    PieceMismatchError,
    SealBrokenError,
    SourceChangedError,
    TruncatedError,
)
from ..protocol.errors import BusyError, PeerFailedError, StaleRevocationsError
from ..protocol.messages import FetchHeld
from ..protocol.transfer import Bitmap, Download
from .backing_up import Backups
from .blobstore import BlobStore
from .catalogue import Catalogue
from .database import Database
from .errors import UnreadableFileError
from .events import Events
from .fetching import Ask, Fetcher, under_grant, under_token
from .gathering import Gathering
from .library import IncomingOffer, Library, Photo, StoredBlob
from .link import Link
from .sources import open_file

_PASSING: Final = (BusyError, PeerFailedError, StaleRevocationsError)
"""What ends by itself: the next link tries again."""
_HASH_STEP: Final = 1024 * 1024

_log = logging.getLogger(__name__)


class Repairs:
    """Which blobs are to be made whole again. They are noted until they are, over restarts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(self, content_id: bytes) -> None:
        """A blob is damaged."""
        self._db.write("INSERT OR IGNORE INTO repairs VALUES (?)", content_id)

    def done(self, content_id: bytes) -> None:
        """It is whole, or nobody can make it so."""
        self._db.write("DELETE FROM repairs WHERE content_id = ?", content_id)

    def noted(self) -> set[bytes]:
        """The content ids of all of them."""
        return {row[0] for row in self._db.rows("SELECT content_id FROM repairs")}

    def expected(self) -> list[tuple[bytes, bytes]]:
        """The (photo id, content id) of each: their partial files are no leftovers."""
        rows = self._db.rows(
            "SELECT photo_id, content_id FROM repairs JOIN blobs USING (content_id)"
        )
        return [(row[0], row[1]) for row in rows]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the bytes of a blob may be had again: files on this machine, contacts by name.

    `copy` says that the photo was made of another one, to be shared.
    """

    files: list[Path]
    contacts: list[str]
    copy: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """Who can bring a blob, and how it is asked."""

    key: bytes
    ask: Ask


class Mender:
    """Makes blobs whole."""

    def __init__(
        self,
        *,
        library: Library,
        catalogue: Catalogue,
        repairs: Repairs,
        backups: Backups,
        blobs: BlobStore,
        events: Events,
        fingerprint: Callable[[bytes], bytes],
        bringers: Callable[[bytes], Mapping[bytes, bytes]],
    ) -> None:
        """`bringers` are the devices that may bring a photo of an album, and what each is shown."""
        self._library = library
        self._catalogue = catalogue
        self._repairs = repairs
        self._backups = backups
        self._blobs = blobs
        self._events = events
        self._fingerprint = fingerprint
        self._bringers = bringers
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._refused: dict[bytes, dict[bytes, str]] = {}

    def sources(self, photo: Photo) -> Sources:
        """Where the content of a photo may be had again."""
        holders = self._backups.holders(photo.photo_id)
        came_from = (offer.identity for offer in self._offers(photo.photo_id))
        bringers = map(self._library.identity_of, self._bringers(photo.photo_id))
        members = (identity for identity in bringers if identity is not None)
        identities = dict.fromkeys((*came_from, *members, *holders))
        contacts = [self._library.contact_of(identity) for identity in identities]
        return Sources(
            self._files(photo),
            [contact.name for contact in contacts if contact is not None],
            not self._catalogue.is_listed(photo.photo_id),
        )

    def refusal(self, content_id: bytes) -> str | None:
        """The code with which the last contact refused to send a blob again, in this run."""
        return next(iter(self._refused.get(content_id, {}).values()), None)

    def _files(self, photo: Photo) -> list[Path]:
        """Files that were imported with the content of a photo."""
        like = self._library.photos_like(self._fingerprint(photo.metadata.sha256), photo.author)
        paths = [path for each in like for path in self._catalogue.paths_of(each.photo_id)]
        return list(dict.fromkeys(paths))

    def _offers(self, photo_id: bytes) -> list[IncomingOffer]:
        """The offers that brought a photo: their grants may bring it again."""
        return [offer for offer in self._library.offers_of(photo_id) if offer.state == "stored"]

    # Without anybody else.

    async def mend_here(self, stored: StoredBlob, photo: Photo) -> bool:
        """Note that a blob is damaged and put together what this machine has of it.

        Whether it is whole now; what misses may come by `mend_from`.
        """
        self._repairs.note(stored.content_id)
        self._refused.pop(stored.content_id, None)
        async with self._turn(stored.content_id):
            if not self._is_noted(stored.content_id):
                return True  # a contact's node brought it meanwhile
            files = self._files(photo) if stored.kind is Kind.ORIGINAL else []
            whole = await asyncio.to_thread(self._put_together, stored, photo, files)
            if whole:
                await self._finish(stored)
            return whole

    def _put_together(self, stored: StoredBlob, photo: Photo, files: list[Path]) -> bool:
        manifest = stored.decoded_manifest()
        incoming = self._blobs.incoming(stored.photo_id, stored.content_id)
        incoming.keep_good(manifest)
        if stored.kind is Kind.METADATA:
            encoded = photo.metadata.encode()
            self._seal_again(stored, manifest, BytesIO(encoded), len(encoded))
        for path in files:
            try:
                source, status = open_file(path)
            except UnreadableFileError:
                continue
            with source:
                if status.st_size == photo.metadata.length and _is(source, photo.metadata.sha256):
                    self._seal_again(stored, manifest, source, status.st_size)
        return self._have(stored).complete

    def _have(self, stored: StoredBlob) -> Bitmap:
        """The pieces that the partial file has."""
        download = Download(stored.content_id, stored.decoded_manifest().length)
        self._blobs.incoming(stored.photo_id, stored.content_id).resume(download)
        return download.have

    def _seal_again(
        self, stored: StoredBlob, manifest: Manifest, source: Readable, length: int
    ) -> None:
        """Put pieces into the partial file that are the very same ones when sealed again."""
        have = self._have(stored)
        missing = {index for index in range(have.size) if index not in have}
        if not missing:
            return
        pieces = blob.reseal(
            source, length, manifest, stored.key, stored.kind, stored.photo_id, missing
        )
        incoming = self._blobs.incoming(stored.photo_id, stored.content_id)
        with incoming.writing(manifest, have):
            try:
                for index, piece in pieces:
                    incoming.write_piece(index, piece)
            except (OSError, PieceMismatchError, SourceChangedError, SealBrokenError):
                _log.info("a file is not what a blob was sealed from")

    # From the contact that it came from, or that keeps a backup.

    async def mend_from(self, link: Link, fetcher: Fetcher) -> None:
        """Fetch the pieces that miss of all blobs that the contact at the other end can bring."""
        for content_id in self._repairs.noted():
            stored = self._library.blob(content_id)
            source = None if stored is None else self._source(stored, link)
            if stored is None or source is None:
                continue
            async with self._turn(content_id):
                if not self._is_noted(content_id):
                    continue
                try:
                    await self._fetch(fetcher, stored, source.ask)
                except TruncatedError:
                    return
                except (LocalError, *_PASSING) as error:  # a full disk, say
                    _log.info("a blob was not made whole: %s", error.code)
                except PeerError as error:
                    self._refuse(stored, source.key, error)

    def _source(self, stored: StoredBlob, link: Link) -> _Source | None:
        """How the other end can be asked for a blob: by a grant of its, or as it holds a backup."""
        device, identity = link.peer.device, link.peer.identity
        offers = self._offers(stored.photo_id)
        offer = next((offer for offer in offers if offer.device == device), None)
        if offer is not None:
            return _Source(device, under_grant(stored.photo_id, offer.capability))
        grant = self._bringers(stored.photo_id).get(device)
        if grant is not None:
            return _Source(device, under_grant(stored.photo_id, grant))
        takes = link.session.takes(FetchHeld)
        if takes and identity in self._backups.holders(stored.photo_id):
            return _Source(identity, under_token(blob.fetch_token(stored.key).reveal()))
        return None

    def holders(self, photo_id: bytes) -> list[bytes]:
        """The identities of those who said that they keep a backup of a photo."""
        return self._backups.holders(photo_id)

    def ask_of(self, stored: StoredBlob, link: Link, *, backup: bool) -> Ask | None:
        """How the other end can be asked for a blob: with `backup` for what it holds of ours, else
        by the grant under which it came.
        """
        if backup and link.session.takes(FetchHeld):
            return under_token(blob.fetch_token(stored.key).reveal())
        found = self._source(stored, link)
        return None if found is None else found.ask

    def _source_keys(self, photo_id: bytes) -> set[bytes]:
        """All who can be asked for the blobs of a photo: devices, and holders by their identity."""
        return {
            *(offer.device for offer in self._offers(photo_id)),
            *self._bringers(photo_id),
            *self._backups.holders(photo_id),
        }

    async def _fetch(self, fetcher: Fetcher, stored: StoredBlob, ask: Ask) -> None:
        incoming = self._blobs.incoming(stored.photo_id, stored.content_id)
        manifest = stored.decoded_manifest()
        # Again, also after a kill: what is right of the damaged file need not travel.
        await asyncio.to_thread(incoming.keep_good, manifest)

        def report(done: int, total: int) -> None:
            self._events.publish("progress", id=stored.photo_id.hex(), pieces=done, of=total)

        gathering = Gathering(Download(stored.content_id, manifest.length), incoming, report)
        await fetcher.fetch(ask, gathering)
        await self._finish(stored)

    def _refuse(self, stored: StoredBlob, source: bytes, error: KinlightError) -> None:
        """A source can't or won't send it. Once all have said so, the repair is given up."""
        _log.info("a blob does not come again: %s", error.code)
        refusals = self._refused.setdefault(stored.content_id, {})
        refusals[source] = error.code
        if self._source_keys(stored.photo_id) <= refusals.keys():
            self.give_up(stored)

    def give_up(self, stored: StoredBlob) -> None:
        """Nobody can make it whole. What lies there of it stays."""
        self._blobs.incoming(stored.photo_id, stored.content_id).discard()
        self._repairs.done(stored.content_id)

    async def _finish(self, stored: StoredBlob) -> None:
        """The partial file takes the place of the damaged one, unless the photo was removed."""
        incoming = self._blobs.incoming(stored.photo_id, stored.content_id)
        if self._library.blob(stored.content_id) is None:
            incoming.discard()
            return
        await asyncio.to_thread(incoming.finish)
        incoming.discard()
        self._repairs.done(stored.content_id)
        self._events.publish("photo", id=stored.photo_id.hex())

    def _is_noted(self, content_id: bytes) -> bool:
        return content_id in self._repairs.noted()

    def _turn(self, content_id: bytes) -> asyncio.Lock:
        return self._turns.setdefault(content_id, asyncio.Lock())


def _is(source: BinaryIO, sha256: bytes) -> bool:
    """Whether a file has that content; it is then at its beginning again."""
    digest = hashlib.sha256()
    try:
        while block := source.read(_HASH_STEP):
            digest.update(block)
        source.seek(0)
    except OSError:
        return False
    return digest.digest() == sha256
