"""Holding, over one link: what a contact leaves, what it comes for, what is over.

    Deposit   -> its blobs are fetched from who left it -> Held
    Collect   -> HeldItem… -> HeldEnd
    FetchHeld -> pieces, to whom an item is for and who shows the blob's token
    HeldDone  -> HeldGone, and the receipt goes to who left the item

docs/spec/holding.md has the rules. What a contact may do here depends on nothing but who it is by
its link, and on the tag and the tokens that it shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final

from ..crypto.blob import Manifest, piece_count
from ..crypto.errors import LocalError, PeerError, TruncatedError
from ..protocol import limits
from ..protocol.delivery import HeldBlob
from ..protocol.errors import (
    BusyError,
    PeerFailedError,
    StorageFullError,
    TooMuchError,
    wire_code,
)
from ..protocol.messages import (
    Collect,
    Deposit,
    FetchHeld,
    Held,
    HeldDone,
    HeldEnd,
    HeldGone,
    HeldItem,
    HeldNews,
    HeldReceipt,
    HeldRefused,
    Holding,
    Message,
)
from .errors import DiskFullError
from .fetching import Fetcher
from .held import Item
from .link import Link
from .serving import Allowed
from .tasks import together

if TYPE_CHECKING:
    from .holding import Hold

SMALL_AT_ONCE: Final = 24
LARGE_AT_ONCE: Final = 4
"""Blobs fetched from one depositor at a time: of one piece, and of more."""
COLLECTS: Final = 8
"""`Collect`s that may wait for their answer on a link."""
_PAGE: Final = 16
"""Envelopes that are in memory at a time for somebody who collects."""

_PASSING: Final = (BusyError, PeerFailedError, StorageFullError)
"""Answers to a fetch that are about the moment: the deposit stays, to be repeated."""

_log = logging.getLogger(__name__)


class Holder:
    """This node's part as a holder, towards the contact at the other end of one link."""

    def __init__(self, link: Link, hold: Hold, fetcher: Fetcher) -> None:
        self._link = link
        self._contact: Final = link.peer.identity
        self._hold = hold
        self._fetcher = fetcher
        self._tasks: set[asyncio.Task[None]] = set()
        self._deposits: dict[bytes, asyncio.Task[None]] = {}
        self._small = asyncio.Semaphore(SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._collects: list[Collect] = []
        self._collecting: asyncio.Task[None] | None = None
        self._news_told = False
        self._receipts: asyncio.Task[None] | None = None
        self._receipts_again = False
        self._receipts_sent: set[bytes] = set()

    @property
    def identity(self) -> bytes:
        """The contact at the other end."""
        return self._contact

    @property
    def under_way(self) -> int:
        """Deposits that are being taken in."""
        return len(self._deposits)

    def start(self) -> None:
        """The link is up."""
        if self._link.session.takes(Holding):
            self._hold.join(self)
            if self._hold.terms.were_set:  # a node that never held anything says nothing of it
                self.announce()
            self.send_receipts()

    def announce(self) -> None:
        """Say what is held for the contact."""
        self._say(self._hold.announcement(self._contact))

    # What it leaves.

    def deposit(self, message: Deposit) -> None:
        """Take something in, for whoever the tag's mailbox belongs to; or refuse it."""
        envelope_hash = hashlib.sha256(message.envelope).digest()
        if envelope_hash in self._deposits:
            return  # it is under way, and will be answered
        if len(self._deposits) >= limits.DEPOSITS:
            self._refuse(envelope_hash, BusyError())
            return
        self._deposits[envelope_hash] = self._started(self._take_in(envelope_hash, message))

    async def _take_in(self, envelope_hash: bytes, message: Deposit) -> None:
        """Bring all of a deposit, and answer it once."""
        try:
            error = await self._outcome(envelope_hash, message)
        finally:
            # Not that of one that came after this one was withdrawn; the answer may bring it, too.
            if self._deposits.get(envelope_hash) is asyncio.current_task():
                del self._deposits[envelope_hash]
        if error is None:
            self._say(Held(envelope_hash))
        elif not self._link.ended.is_set():  # else it is repeated on the next link
            self._refuse(envelope_hash, error)

    async def _outcome(self, envelope_hash: bytes, message: Deposit) -> PeerError | None:
        """Why something is not held, or None once it is."""
        item: Item | None = None
        try:
            item = await self._hold.admit(self._contact, envelope_hash, message)
            if item.position is None:
                brought: list[Manifest] = []
                missing = self._hold.held.missing(item)
                await together(*(self._bring(item, blob, brought) for blob in missing))
                await self._hold.complete(item, brought)
        except TruncatedError:
            return BusyError()  # nothing comes any more; what came stays
        except PeerError as error:
            if item is not None and not isinstance(error, _PASSING):
                await self._hold.give_up(item)
            return error
        except DiskFullError:
            return StorageFullError()
        except LocalError:
            return PeerFailedError()
        return None

    async def _bring(self, item: Item, blob: HeldBlob, brought: list[Manifest]) -> None:
        lane = self._small if piece_count(blob.length) == 1 else self._large
        async with lane:
            brought.append(await self._hold.pulls.bring(self._fetcher, item.depositor, blob))

    def _refuse(self, envelope_hash: bytes, error: PeerError) -> None:
        _log.info("a deposit was refused: %s", error.code)
        self._hold.refused(error)
        self._say(HeldRefused(envelope_hash, wire_code(error)))

    def _say(self, message: Message) -> None:
        """Answer, outside of `handle`: a link that takes no answers is ended by its reader."""
        with contextlib.suppress(PeerError):
            self._link.post(message)

    # What it comes for.

    def collect(self, message: Collect) -> None:
        """Show what is held for it."""
        if len(self._collects) >= COLLECTS:
            raise TooMuchError("it asks what is held and does not wait for the answer")
        self._collects.append(message)
        self._news_told = False
        if self._collecting is None:
            self._collecting = self._started(self._answer_collects())

    async def _answer_collects(self) -> None:
        try:
            while self._collects:
                await self._show(self._collects[0])
                self._collects.pop(0)
        except TruncatedError:
            pass  # the link has ended
        finally:
            self._collecting = None

    async def _show(self, message: Collect) -> None:
        held, after, left = self._hold.held, message.after, message.most
        while left and (
            page := held.items_for(self._contact, after, min(left, _PAGE), own=message.own)
        ):
            left -= len(page)
            for after, envelope in page:
                await self._link.send(HeldItem(after, envelope))
        # No other task runs between these two: what comes whole after them is news.
        more = held.has_more(self._contact, after, own=message.own)
        self._say(HeldEnd(held.last(self._contact), more))

    def news(self) -> None:
        """Something new is held for it. Told once, until it collects; an answer that is under way
        tells of it anyway.
        """
        if self._news_told or self._collecting is not None or self._link.ended.is_set():
            return
        self._news_told = True
        self._say(HeldNews())

    def find(self, message: FetchHeld) -> Allowed:
        """A blob, if it is held for the contact and its token is shown; else `GoneError`."""
        held = self._hold.held
        depositor, manifest = held.blob_for(self._contact, message.content_id, message.token)
        seen = held.removals

        def again() -> None:
            """What was held may have been removed meanwhile."""
            nonlocal seen
            if held.removals != seen:
                held.blob_for(self._contact, message.content_id, message.token)
                seen = held.removals

        return Allowed(manifest, held.open(depositor, message.content_id), again)

    # What is over.

    def done(self, message: HeldDone) -> None:
        """Something need not be held any more."""
        task = self._deposits.pop(message.envelope_hash, None)
        if task is not None:  # it is withdrawn before it was whole, and needs no other answer
            task.cancel()
        self._receipts_sent.discard(message.envelope_hash)
        gone = HeldGone(message.envelope_hash)
        self._hold.done(
            self._contact, message.envelope_hash, message.receipt, lambda: self._say(gone)
        )

    def send_receipts(self) -> None:
        """Send the receipts that were left for the contact, each once on this link."""
        if self._receipts is None:
            self._receipts = self._started(self._send_receipts())
        else:
            self._receipts_again = True

    async def _send_receipts(self) -> None:
        after = b""
        try:
            while True:
                page = self._hold.held.receipts_for(self._contact, after, _PAGE)
                for after, receipt in page:
                    if after not in self._receipts_sent:
                        self._receipts_sent.add(after)
                        await self._link.send(HeldReceipt(after, receipt))
                if page:
                    continue
                if not self._receipts_again:
                    return
                self._receipts_again, after = False, b""
        except TruncatedError:
            pass  # the link has ended
        finally:
            self._receipts = None

    async def close(self) -> None:
        """The link has ended."""
        self._hold.leave(self)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _started(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("holding for a contact failed: %s", type(error).__name__, exc_info=error)
