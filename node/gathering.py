"""One blob on its way in, from however many links at a time.

Each link is a source: `claims` says what is asked of whom, the source's own fetch brings it, and
one thread at a time checks and writes what came from all of them. Which pieces are here is the only
state that lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from typing import Final

from ..crypto.blob import Manifest
from ..crypto.errors import KinlightError, TruncatedError
from ..protocol.claims import Claims, Share
from ..protocol.errors import TooMuchError, UnexpectedMessageError
from ..protocol.transfer import Depth, Download, ManifestParts
from .blobstore import Incoming
from .counters import Counters

HURRY_SECONDS: Final = 1.0
"""How long a source that has nothing to do leaves others alone with what they owe. One that was
quicker than that at its own part waits only for as long as that took."""

Progress = Callable[[int, int], None]
"""Called with pieces verified so far and pieces in all."""


@dataclass(frozen=True, slots=True)
class _Came:
    """A piece that waits to be checked and written."""

    source: Source
    share: Share
    index: int
    data: bytes


class Gathering:
    """The one owner of a blob's `Download`, of its place, and of who is asked for what."""

    def __init__(self, download: Download, place: Incoming, progress: Progress) -> None:
        self.download: Final = download
        self.place: Final = place
        self._progress = progress
        self._claims: Claims | None = None
        self._sources: set[Source] = set()
        self._came: list[_Came] = []
        self._begun = False
        self._resuming: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def manifest(self) -> Manifest:
        """Known once the blob is whole."""
        if self.download.manifest is None:
            raise TruncatedError
        return self.download.manifest

    @contextlib.asynccontextmanager
    async def joined(self, counters: Counters) -> AsyncGenerator[Source]:
        """One more source, until the block is left; the last to leave closes the place."""
        source = Source(self, counters)
        self._sources.add(source)
        try:
            await self._resume()
            yield source
        finally:
            self._sources.discard(source)
            if not self._sources:
                await self._rest()

    async def _resume(self) -> None:
        if self.place.resumes and self._claims is None:
            if self._resuming is None:
                self._resuming = asyncio.create_task(
                    asyncio.to_thread(self.place.resume, self.download)
                )
            await asyncio.shield(self._resuming)

    async def _rest(self) -> None:
        """Nobody brings any more. While a thread has the file, only `_write_all` may close it."""
        self._came.clear()
        if self._writer is None:
            self._end()
        at_work = {task for task in (self._resuming, self._writer) if task is not None}
        if at_work:
            await asyncio.wait(at_work)

    @property
    def claims(self) -> Claims:
        """Made when first asked for: by then it is known what is here."""
        if self._claims is None:
            self._claims = Claims(self.download.have)
        return self._claims

    @property
    def alone(self) -> bool:
        """Whether there is a single source."""
        return len(self._sources) == 1

    @property
    def news(self) -> asyncio.Event:
        """Set at the next moment at which there may be something to claim, or nothing any more."""
        return self._news

    def tell(self) -> None:
        """Who has nothing to do looks again."""
        self._news.set()
        self._news = asyncio.Event()

    def begin(self) -> None:
        """Get the place ready for pieces, once their manifest is known."""
        if self.download.manifest is not None and not self._begun:
            self.place.begin(self.download.manifest, self.download.have)
            self._begun = True

    def _end(self) -> None:
        if self._begun:
            self._begun = False
            self.place.end()

    # Writing.

    def take(self, came: _Came) -> None:
        """A piece that a source was asked for."""
        if not self.place.resumes:
            self._written([came], self._write([came]))
            return
        self._came.append(came)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        """Write what came, until nothing is left that came."""
        try:
            while self._came and self._begun:
                came, self._came = self._came, []
                self._written(came, await asyncio.to_thread(self._write, came))
        finally:
            self._writer = None
            if not self._sources:
                self._end()

    def _write(self, came: list[_Came]) -> list[KinlightError | None]:
        """Check and write pieces; what was wrong with each. In a thread."""
        return [self._write_one(piece) for piece in came]

    def _write_one(self, piece: _Came) -> KinlightError | None:
        try:
            self.download.check_piece(piece.index, piece.data)
            if piece.index not in self.download.have:  # else two were asked, at the end
                self.place.write_piece(piece.index, piece.data)
        except KinlightError as error:
            return error
        return None

    def _written(self, came: list[_Came], errors: list[KinlightError | None]) -> None:
        for piece, error in zip(came, errors, strict=True):
            if error is None:
                self.claims.here(piece.index)
        if self.download.complete:
            self._end()
        self._progress(self.download.have.count, self.download.have.size)
        for piece, error in zip(came, errors, strict=True):
            piece.source.written(piece.share, error)
        self.settle()

    def settle(self) -> None:
        """After a change: who has brought its share, or whose share was taken over, is done."""
        for source in self._sources:
            source.settle()
        if self.download.complete:
            self.tell()


class Source:
    """One link's part in a gathering: a share at a time."""

    def __init__(self, gathering: Gathering, counters: Counters) -> None:
        self._gathering = gathering
        self._counters = counters
        self._clock = asyncio.get_running_loop().time
        self._depth = Depth()
        self._share: Share | None = None
        self._parts: ManifestParts | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._give: Callable[[int], None] = _nobody
        self._uncredited = 0
        self._since = 0.0
        self._worked = 0.0
        self._brought = False
        self._hurries = False

    # For the fetch: claim, ask, release.

    async def claim(self) -> bool:
        """Wait until there is something to ask this source for; False once the blob is whole."""
        gathering = self._gathering
        patience = min(self._worked, HURRY_SECONDS) if self._brought else HURRY_SECONDS
        until = self._clock() + patience
        while not gathering.download.complete:
            gathering.begin()
            news = gathering.news
            if self._claim():
                gathering.settle()  # a share of which the rest was taken over may be done by that
                gathering.tell()  # and half of this one can be taken over
                return True
            try:
                async with asyncio.timeout_at(None if self._hurries else until):
                    await news.wait()
            except TimeoutError:
                self._hurries = True
        return False

    def _claim(self) -> bool:
        claims, download = self._gathering.claims, self._gathering.download
        share = claims.claim()
        if share is not None:
            self._hurries = False
        elif self._hurries:
            share = claims.claim(again=True)
        if share is None:
            return False
        self._share = share
        self._parts = ManifestParts(download) if download.manifest is None else None
        self._done = asyncio.get_running_loop().create_future()
        self._uncredited = 0
        self._since = self._clock()
        return True

    @property
    def share(self) -> Share:
        """What is asked of it now; after `claim`."""
        if self._share is None:
            raise ValueError("nothing was claimed")
        return self._share

    @property
    def wants_manifest(self) -> bool:
        """Whether it is asked for the manifest too."""
        return self._parts is not None

    def open(self, give: Callable[[int], None]) -> int:
        """The credit that its fetch begins with; what is added goes to `give`."""
        self._give = give
        credit = self._depth.open(self.share.room(alone=self._gathering.alone))
        self.share.allow(credit)
        return credit

    async def brought(self) -> None:
        """Until all of its share is here; raises what was wrong with it."""
        await self._done

    def release(self) -> None:
        """Its fetch has ended: what did not come is for others."""
        share, self._share = self.share, None
        self._gathering.claims.release(share)
        self._worked += self._clock() - self._since
        self._gathering.tell()

    # From the peer.

    @property
    def done(self) -> bool:
        """Whether nothing more is taken of this fetch."""
        return self._done.done()

    def fail(self, error: KinlightError) -> None:
        """What it sent, or what became of it here, ends its fetch."""
        if not self._done.done():
            self._done.set_exception(error)

    @contextlib.contextmanager
    def failing(self) -> Generator[None]:
        """An error ends this fetch, not the link: other photos go on."""
        try:
            yield
        except KinlightError as error:
            self.fail(error)

    def manifest(self, data: bytes) -> None:
        """The next bytes of the manifest."""
        if self._parts is None:
            raise UnexpectedMessageError
        if self._parts.receive(data):
            self._gathering.begin()

    def piece(self, index: int, data: bytes) -> None:
        """A piece: to be checked, then written, then credited."""
        if self._parts is not None and not self._parts.whole:
            raise UnexpectedMessageError
        if not self._depth.take():
            raise TooMuchError("pieces that there was no credit for")
        self.share.take(index)
        self._gathering.take(_Came(self, self.share, index, data))

    # From the gathering.

    def written(self, share: Share, error: KinlightError | None) -> None:
        """One of its pieces is here, or was not what it must be."""
        if error is None:
            self._counters.pieces_received += 1
            self._brought = True
        if share is not self._share:
            return  # it belongs to a fetch that has ended
        if error is None:
            self._uncredited += 1
        else:
            self.fail(error)

    def settle(self) -> None:
        """Done, or room for more."""
        if self._share is None or self._done.done():
            return
        if self._share.done:
            self._done.set_result(None)
        elif self._uncredited:
            written, self._uncredited = self._uncredited, 0
            room = self._share.room(alone=self._gathering.alone)
            credit = self._depth.written(written, room)
            if credit:
                self._share.allow(credit)
                with self.failing():
                    self._give(credit)


def _nobody(_pieces: int) -> None:
    """Nothing was asked yet."""
