"""Getting back, over one link, what a contact keeps of ours.

    Collect.own -> HeldItem… -> HeldEnd -> opened with the recovery key -> FetchHeld, token
    -> pieces, checked by the record -> metadata and content, opened -> the library

What comes is judged as if a stranger brought it. Nothing is said to be over for having been read:
the backup stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from ..crypto.blob import Kind, fetch_token, piece_count
from ..crypto.errors import LocalError, MalformedError, PeerError, TruncatedError
from ..protocol import limits, messages
from ..protocol.errors import BusyError, PeerFailedError, UnexpectedMessageError
from ..protocol.photo import Metadata
from ..protocol.transfer import Download
from .arrivals import finish, opened_metadata, verify
from .blobstore import BlobStore
from .collecting import Collects
from .commits import Commits
from .fetching import Fetcher, under_token
from .gathering import Gathering
from .library import Library
from .link import Link
from .recovery import Recovery
from .recovery_found import Found, stored_blobs
from .tasks import to_the_end, together

PAGE: Final = 32
"""Entries that are asked for at a time."""
SMALL_AT_ONCE: Final = 8
LARGE_AT_ONCE: Final = 3
"""Photos fetched from one contact at a time: of one piece, and of more."""
RETRY_SECONDS: Final = 30.0
"""Pause after a trouble that passes, a full disk say."""
_PASSING: Final = (BusyError, PeerFailedError)

_log = logging.getLogger(__name__)


class Recoverer:
    """Brings back what the contact at the other end of one link keeps, while that is on."""

    def __init__(
        self,
        link: Link,
        recovery: Recovery,
        fetcher: Fetcher,
        collects: Collects,
        *,
        library: Library,
        blobs: BlobStore,
        commits: Commits,
    ) -> None:
        self._link = link
        self._holder: Final = link.peer.identity
        self._all = recovery
        self._fetcher = fetcher
        self._collects = collects
        self._library = library
        self._blobs = blobs
        self._commits = commits
        self._news = asyncio.Event()
        self._round = 0
        self._last = 0
        self._page: list[bytes] = []
        self._ended: asyncio.Future[bool] | None = None

    def tell(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        """Do what is to do, for as long as the link is up."""
        self._all.join(self, self._holder)
        try:
            while True:
                self._news.clear()
                try:
                    if self._all.is_on:
                        await self._list()
                        await self._fetch_all()
                except LocalError as error:  # a full disk, say
                    _log.warning("what a holder keeps does not come for now: %s", error.code)
                    self._round = 0
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                await self._news.wait()
        finally:
            self._all.leave(self, self._holder)

    # Entries.

    async def _list(self) -> None:
        """See all entries that the contact shows, once in each round."""
        while self._all.is_on and self._round != self._all.round:
            await self._list_anew()

    async def _list_anew(self) -> None:
        self._round, self._last, shown, more = self._all.round, 0, 0, True
        self._all.listing(self._holder)
        while more and self._all.is_on and shown <= limits.HELD_PER_CONTACT:
            self._page = []
            self._ended = asyncio.get_running_loop().create_future()
            self._collects.ask(messages.Collect(self._last, PAGE, own=True), self)
            more = await self._ended
            page, self._page = self._page, []
            shown += len(page)
            more = more and bool(page)
            if self._round != self._all.round:
                return  # it began anew meanwhile: so does this
            await self._all.take(self._holder, page)
        if self._all.is_on and self._round == self._all.round:
            await self._all.listed(self._holder)

    def item(self, message: messages.HeldItem) -> None:
        """One entry. It may be anything."""
        if len(self._page) >= PAGE:
            raise UnexpectedMessageError
        if message.position <= self._last:
            raise MalformedError("what is held comes in the order of its numbers")
        self._last = message.position
        self._page.append(message.envelope)

    def end(self, message: messages.HeldEnd) -> None:
        """That was all of a page."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(message.more)

    # Photos.

    async def _fetch_all(self) -> None:
        small = (self._work(small=True) for _ in range(SMALL_AT_ONCE))
        large = (self._work(small=False) for _ in range(LARGE_AT_ONCE))
        await together(*small, *large)
        self._all.settle()

    async def _work(self, *, small: bool) -> None:
        while self._all.is_on and (found := self._all.claim(self._holder, small=small)):
            code: str | None = None
            try:
                await self._bring(found)
            except TruncatedError:
                if self._link.ended.is_set():
                    return
                code = TruncatedError.code
            except _PASSING as error:
                _log.info("a photo does not come back for now: %s", error.code)
                await asyncio.sleep(RETRY_SECONDS)
            except PeerError as error:
                _log.info("a photo did not come back from a holder: %s", error.code)
                code = error.code
            except LocalError as error:
                _log.warning("a photo does not come back for now: %s", error.code)
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                with contextlib.suppress(LocalError):
                    self._all.release(found, self._holder, code)

    async def _bring(self, found: Found) -> None:
        """Fetch both blobs, open them to the last byte, then enter the photo: all of it durably."""
        try:
            self._all.check(found)
        except PeerError as error:
            self._all.leave_out(found, error.code)
            return
        record, keys = found.entry.record, found.entry.keys
        small = self._blobs.small
        content = Gathering(
            Download(record.content_id, record.ciphertext_length),
            small(record.content_id)
            if piece_count(record.ciphertext_length) == 1
            else self._blobs.incoming(record.photo_id, record.content_id),
            _untold,
        )
        metadata = Gathering(Download(record.metadata_id, None), small(record.metadata_id), _untold)
        await self._fetch(metadata, found, Kind.METADATA)
        key = keys[Kind.METADATA]
        details = await asyncio.to_thread(opened_metadata, record.photo_id, metadata.place, key)
        if self._all.is_copy(found, details):
            self._all.leave_out(found)
            return
        await self._fetch(content, found, Kind.ORIGINAL)
        await to_the_end(self._store(found, content, metadata))

    async def _fetch(self, gathering: Gathering, found: Found, kind: Kind) -> None:
        token = fetch_token(found.entry.keys[kind]).reveal()
        await self._fetcher.fetch(under_token(token), gathering)

    async def _store(self, found: Found, content: Gathering, metadata: Gathering) -> None:
        keys, photo_id = found.entry.keys, found.photo_id
        details = await asyncio.to_thread(
            verify, photo_id, content.place, keys[Kind.ORIGINAL],
            metadata.place, keys[Kind.METADATA],
        )  # fmt: skip
        if not self._all.is_wanted(found):
            return
        try:
            await asyncio.to_thread(finish, metadata.place, content.place)
            await self._enter(found, details, content, metadata)
        except BaseException:
            for gathering in (content, metadata):
                if self._library.blob(gathering.download.content_id) is None:
                    gathering.place.take_back()
            raise
        content.place.discard()  # what lies beside the whole blob
        self._all.came(found)

    async def _enter(
        self, found: Found, details: Metadata, content: Gathering, metadata: Gathering
    ) -> None:
        manifests = {
            Kind.ORIGINAL: content.manifest.encode(), Kind.METADATA: metadata.manifest.encode(),
        }  # fmt: skip
        blobs = stored_blobs(found, manifests)

        def enter() -> None:
            if self._library.photo(found.photo_id) is None:
                self._all.enter(found, details, blobs)

        await self._commits.run(enter)


def _untold(_done: int, _total: int) -> None:
    """Progress is told by photos."""
