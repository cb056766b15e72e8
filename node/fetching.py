"""Fetching over one link: what is asked of the peer, and what it answers.

What a link is asked for, and what becomes of its pieces, is the business of a `Gathering`. How many
may be under way adapts: more where the writing thread waits for the wire, fewer where pieces pile
up before it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from functools import partial
from typing import Final, NamedTuple, Protocol
from weakref import WeakValueDictionary

from ..crypto.blob import Manifest
from ..crypto.errors import KinlightError, PeerError, TruncatedError
from ..protocol import limits
from ..protocol.errors import UnexpectedMessageError, from_wire
from ..protocol.messages import (
    Credit,
    Fetch,
    FetchHeld,
    FetchRefused,
    FetchStop,
    ManifestPart,
    Message,
    Piece,
    Ranges,
)
from .counters import Counters
from .gathering import Gathering, Source
from .link import Link

STALL_SECONDS: Final = 120.0
"""A fetch of which nothing came for so long is given up: others may bring the photo."""


SAMPLE_SECONDS: Final = 20.0
"""And one piece that is to be shown is waited for so long."""


class Ask(Protocol):
    """Makes the message that asks for a share of a blob."""

    def __call__(
        self, request: int, content_id: bytes, manifest: bool, ranges: Ranges, credit: int, /
    ) -> Message:
        """For so many pieces, and the manifest if it is not known yet."""
        ...


def under_grant(photo_id: bytes, capability: bytes) -> Ask:
    """Ask under a capability, from who has the photo."""

    def ask(
        request: int, content_id: bytes, manifest: bool, ranges: Ranges, credit: int, /
    ) -> Fetch:
        return Fetch(request, photo_id, content_id, capability, manifest, ranges, credit)

    return ask


def under_token(token: bytes) -> Ask:
    """Ask with a fetch token from who holds the blob; without one, from who leaves it with us."""

    def ask(
        request: int, content_id: bytes, manifest: bool, ranges: Ranges, credit: int, /
    ) -> FetchHeld:
        return FetchHeld(request, content_id, token, manifest, ranges, credit)

    return ask


class _Sample:
    """One piece that is to be shown, as a `Source` that keeps nothing."""

    def __init__(self, manifest: Manifest, index: int) -> None:
        self._manifest = manifest
        self._index = index
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def done(self) -> bool:
        return self._done.done()

    async def brought(self) -> None:
        await self._done

    @contextlib.contextmanager
    def failing(self) -> Generator[None]:
        try:
            yield
        except KinlightError as error:
            self.fail(error)

    def manifest(self, _data: bytes) -> None:
        raise UnexpectedMessageError  # it was not asked for

    def piece(self, index: int, data: bytes) -> None:
        if index != self._index:
            raise UnexpectedMessageError
        self._manifest.check_piece(index, data)
        if not self._done.done():
            self._done.set_result(None)

    def fail(self, error: KinlightError) -> None:
        if not self._done.done():
            self._done.set_exception(error)


class _Running(NamedTuple):
    source: Source | _Sample
    limit: asyncio.Timeout


class Fetcher:
    """The fetches that we have open on one link."""

    def __init__(self, link: Link, counters: Counters) -> None:
        self._link = link
        self._counters = counters
        self._running: dict[int, _Running] = {}
        self._last = 0
        # Photos for us and what is left with us for others share what a peer lets us have open.
        self._room = asyncio.Semaphore(limits.FETCHES)
        self._turns: WeakValueDictionary[Gathering, asyncio.Lock] = WeakValueDictionary()
        self._clock = asyncio.get_running_loop().time
        self._room = asyncio.Semaphore(limits.FETCHES)  # more are refused, whatever they are for

    async def fetch(self, ask: Ask, gathering: Gathering) -> None:
        """Help to bring a blob, until all of it is here; `ask` makes the messages that ask for it.

        Raises the peer's refusal, `PieceMismatchError` for a lie, `TruncatedError` if nothing comes
        any more, a `LocalError` if the disk did. Pieces that were verified stay for the next time,
        and other sources go on. One link is one source: a second offer on it waits for the first.
        """
        turn = self._turns.setdefault(gathering, asyncio.Lock())
        async with turn, self._room, gathering.joined(self._counters) as source:
            while await source.claim():
                await self._ask(ask, gathering.download.content_id, source)

    async def sample(self, ask: Ask, manifest: Manifest, index: int) -> None:
        """Have the peer show one piece of a blob, to know that it has it and gives it to us.

        Raises the peer's refusal, `PieceMismatchError` for other bytes, `TruncatedError` if nothing
        comes for `SAMPLE_SECONDS`.
        """
        async with self._room:
            self._last = request = self._last + 1
            sample = _Sample(manifest, index)
            limit = asyncio.timeout(SAMPLE_SECONDS)
            self._running[request] = _Running(sample, limit)
            try:
                async with limit:
                    await self._link.send(
                        ask(request, manifest.content_id, False, ((index, 1),), 1)
                    )
                    await sample.brought()
            except TimeoutError:
                raise TruncatedError from None
            finally:
                del self._running[request]

    async def _ask(self, ask: Ask, content_id: bytes, source: Source) -> None:
        """One fetch of all that was claimed."""
        self._last = request = self._last + 1  # no link sees 2**32 of them
        running = _Running(source, asyncio.timeout(STALL_SECONDS))
        self._running[request] = running
        stops = True
        try:
            message = ask(
                request, content_id, source.wants_manifest,
                source.share.ranges, source.open(partial(self._credit, request)),
            )  # fmt: skip
            async with running.limit:
                await self._link.send(message)
                await source.brought()
            stops = source.share.owed
        except TimeoutError:
            raise TruncatedError from None
        finally:
            source.release()
            if stops:
                with contextlib.suppress(PeerError):
                    self._link.post(FetchStop(request))
            del self._running[request]

    def _credit(self, request: int, pieces: int) -> None:
        self._link.post(Credit(request, pieces))

    # Messages of the peer.

    def manifest(self, message: ManifestPart) -> None:
        """The next bytes of a manifest."""
        source = self._heard(message.request)
        if source is not None:
            with source.failing():
                source.manifest(message.data)

    def piece(self, message: Piece) -> None:
        """One piece."""
        source = self._heard(message.request)
        if source is not None:
            with source.failing():
                source.piece(message.index, message.data)

    def refused(self, message: FetchRefused) -> None:
        """The peer refuses, with a code that has a sentence of ours."""
        source = self._heard(message.request)
        if source is not None:
            source.fail(from_wire(message.code))

    def _heard(self, request: int) -> Source | _Sample | None:
        """Whose fetch a message is about, if anything more is taken of it.

        What was on the way when its fetch ended may come at any time later.
        """
        running = self._running.get(request)
        if running is None:
            if not 0 < request <= self._last:
                raise UnexpectedMessageError
            return None
        if not running.limit.expired() and isinstance(running.source, Source):
            running.limit.reschedule(self._clock() + STALL_SECONDS)
        return None if running.source.done else running.source
