"""Over one link: which originals another device keeps for this one, and previews of those that
only it has.

    SiblingKeep -> SiblingKept -> let go of, or SiblingLetGo        see `sibling_keeping`
    SiblingPreviewAsk -> SiblingPreview -> its blob, by its token
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from io import BytesIO
from typing import Final

from ..crypto.blob import Kind, fetch_token
from ..crypto.errors import KinlightError, LocalError, PeerError, TruncatedError
from ..crypto.secret import Secret
from ..protocol.errors import GoneError, UnexpectedMessageError
from ..protocol.messages import Message
from ..protocol.sibling_messages import (
    SiblingKeep,
    SiblingKept,
    SiblingLetGo,
    SiblingPreview,
    SiblingPreviewAsk,
)
from ..protocol.transfer import Download
from .arrivals import opened_metadata
from .blobstore import BlobStore
from .fetching import Fetcher, under_token
from .gathering import Gathering
from .library import IncomingOffer, Library, StoredBlob
from .link import Link
from .renditions import Renditions
from .sibling_keeping import PREVIEW, PREVIEW_BYTES, SiblingKeeping
from .sibling_store import SiblingStore
from .tasks import together

LOOK_SECONDS: Final = 300.0
"""How often it is looked through what can go."""

_log = logging.getLogger(__name__)


class SiblingLettingGo:
    """The part on one link."""

    def __init__(
        self,
        link: Link,
        fetcher: Fetcher,
        keeping: SiblingKeeping,
        *,
        library: Library,
        store: SiblingStore,
        blobs: BlobStore,
        renditions: Renditions,
    ) -> None:
        self._link = link
        self._fetcher = fetcher
        self._keeping = keeping
        self._library = library
        self._store = store
        self._blobs = blobs
        self._renditions = renditions
        self._asked: tuple[bytes, ...] = ()
        self._answer: asyncio.Future[SiblingPreview] | None = None
        self._asked_for = b""
        self._refused: set[bytes] = set()
        self._not_there: set[bytes] = set()
        self._news = asyncio.Event()
        self._work: asyncio.Queue[Message] = asyncio.Queue(64)

    def want(self) -> None:
        """There may be more of which there is no preview here."""
        self._news.set()

    def look(self) -> None:
        """What is kept here may have changed, or the other device has more."""
        self._refused.clear()
        self._not_there.clear()
        self._news.set()

    async def run(self) -> None:
        """Let go of what can go, and show what is elsewhere, for as long as the link is up."""
        with contextlib.suppress(TruncatedError):
            await together(self._look(), self._do())

    async def _look(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._ask_to_keep()
                await self._bring_previews()
            except LocalError as error:
                _log.warning("what is kept here does not change for now: %s", error.code)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()

    async def handle(self, message: Message) -> None:
        """A message of the other device. Raises what ends the link."""
        if isinstance(message, SiblingPreview):
            answer = self._answer
            if answer is None or answer.done() or message.photo_id != self._asked_for:
                raise UnexpectedMessageError
            answer.set_result(message)
            return
        await self._work.put(message)

    async def _do(self) -> None:
        while True:
            message = await self._work.get()
            try:
                await self._do_one(message)
            except LocalError as error:
                _log.warning("what another device asked for is not done: %s", error.code)

    async def _do_one(self, message: Message) -> None:
        device = self._link.peer.device
        match message:
            case SiblingKeep():
                kept = self._keeping.promise(device, message.photos)
                await self._link.send(SiblingKept(tuple(kept)))
            case SiblingKept():
                await self._let_go(message.photos)
            case SiblingLetGo():
                self._store.end_promises(device, message.photos)
            case SiblingPreviewAsk():
                await self._give_preview(message.photo_id)
            case _:
                raise UnexpectedMessageError

    # What can go.

    async def _ask_to_keep(self) -> None:
        if self._asked:
            return
        spare = [each for each in await self._keeping.spare() if each not in self._refused]
        if spare:
            self._asked = tuple(sorted(spare))
            await self._link.send(SiblingKeep(self._asked))

    async def _let_go(self, kept: tuple[bytes, ...]) -> None:
        asked, self._asked = self._asked, ()
        promised = [each for each in asked if each in kept]
        self._refused.update(each for each in asked if each not in kept)
        gone = await self._keeping.let_go(promised)
        not_needed = tuple(sorted({*kept} - {*gone}))
        if not_needed:
            self._refused.update(not_needed)
            await self._link.send(SiblingLetGo(not_needed))
        if gone:
            self._news.set()

    def came(self, photo_id: bytes) -> None:
        """The original of a photo is here again: nobody need keep it for us."""
        with contextlib.suppress(PeerError):  # the link is about to end: they keep it
            self._link.post(SiblingLetGo((photo_id,)))

    # Previews.

    async def _give_preview(self, photo_id: bytes) -> None:
        photo = self._library.photo(photo_id)
        answer = SiblingPreview(photo_id, b"", b"", 0, 0)
        if photo is not None:
            try:
                stored, _ = await self._renditions.stored(photo, PREVIEW)
            except KinlightError:
                pass  # nothing that can be opened
            else:
                width, height = self._renditions.size(photo_id, PREVIEW)
                answer = SiblingPreview(
                    photo_id, stored.content_id, stored.key.reveal(), width, height
                )
        await self._link.send(answer)

    async def _bring_previews(self) -> None:
        for row in self._keeping.without_preview():
            offer = self._library.offer(row)
            if offer is None or row in self._not_there:
                continue
            try:
                await self._bring_preview(offer)
            except TruncatedError:
                if self._link.ended.is_set():
                    raise
                self._not_there.add(row)
            except PeerError as error:
                if not isinstance(error, GoneError):
                    _log.info("a preview did not come: %s", error.code)
                self._not_there.add(row)

    async def _bring_preview(self, offer: IncomingOffer) -> None:
        record = offer.record
        described = Gathering(
            Download(record.metadata_id, None), self._blobs.small(record.metadata_id), _untold
        )
        token = fetch_token(offer.metadata_key).reveal()
        await self._fetcher.fetch(under_token(token), described)
        metadata = await asyncio.to_thread(
            opened_metadata, offer.photo_id, described.place, offer.metadata_key
        )
        self._asked_for = offer.photo_id
        self._answer = asyncio.get_running_loop().create_future()
        await self._link.send(SiblingPreviewAsk(offer.photo_id))
        answer = await self._answer
        preview = await self._fetched(answer) if answer.content_id and answer.key else None
        if self._library.is_at_sibling(offer.photo_id):
            self._keeping.put_preview(
                offer.photo_id, metadata, preview, (answer.width, answer.height)
            )

    async def _fetched(self, answer: SiblingPreview) -> StoredBlob:
        """The preview, whole and opened once, durably in the blob folder."""
        key, photo_id = Secret(answer.key), answer.photo_id
        place = self._blobs.incoming(photo_id, answer.content_id)
        gathering = Gathering(Download(answer.content_id, None), place, _untold)
        await self._fetcher.fetch(under_token(fetch_token(key).reveal()), gathering)

        def finish() -> None:
            place.unseal(BytesIO(), key, Kind.RENDITION, photo_id, PREVIEW_BYTES)
            place.finish()

        await asyncio.to_thread(finish)
        place.discard()
        manifest = gathering.manifest.encode()
        return StoredBlob(answer.content_id, Kind.RENDITION, photo_id, manifest, key)


def _untold(_done: int, _total: int) -> None:
    """Progress of what is too small to show."""
