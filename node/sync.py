"""What two contacts do over one link: offers both ways, fetches both ways."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final

from ..crypto.errors import TruncatedError
from ..protocol import limits
from ..protocol.allowance import Allowance
from ..protocol.errors import TooMuchError, UnexpectedMessageError
from ..protocol.messages import (
    Credit,
    Fetch,
    FetchRefused,
    FetchStop,
    ManifestPart,
    Message,
    Offer,
    OfferRefused,
    OfferTaken,
    Papers,
    Piece,
    Stored,
)
from .blobstore import BlobStore
from .correspondence import Correspondence
from .events import Events
from .fetching import Fetcher
from .inbox import PHOTOS_AT_ONCE, Inbox
from .judge import Judge
from .library import Contact, IncomingOffer, Library
from .link import Link
from .outbox import Outbox
from .serving import Server

PAPERS_SECONDS: Final = 3600.0
"""How often a link is looked at for papers to show, as our own list is made anew each day, and
for photos that wait for papers."""

SHOWN_AT_ONCE: Final = limits.PAPERS_AT_ONCE // 2
SHOWN_PER_SECOND: Final = limits.PAPERS_PER_SECOND / 2
"""How fast papers are shown: less than any node has to take, whoever's clock runs faster."""

_log = logging.getLogger(__name__)


class Sync:
    """One `Conversation`: hands each message to whose business it is."""

    def __init__(
        self,
        link: Link,
        contact: Contact,
        *,
        us: bytes,
        judge: Judge,
        correspondence: Correspondence,
        library: Library,
        blobs: BlobStore,
        outbox: Outbox,
        inbox: Inbox,
        events: Events,
        news: Callable[[bytes], None],
    ) -> None:
        self._link = link
        self._contact = contact
        self._judge = judge
        self._correspondence = correspondence
        self._library = library
        self._outbox = outbox
        self._inbox = inbox
        self._news = news
        self._server = Server(link, contact.name, us, judge, library, blobs, events)
        self._fetcher = Fetcher(link, blobs)
        self._slots = asyncio.Semaphore(PHOTOS_AT_ONCE)
        self._fetching: set[bytes] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: list[Papers] = []
        self._to_show: deque[Papers] = deque()
        self._showing = Allowance(SHOWN_AT_ONCE, SHOWN_PER_SECOND)
        self._taking = Allowance(limits.PAPERS_AT_ONCE, limits.PAPERS_PER_SECOND)

    def start(self) -> None:
        """Show papers, offer what is open, and fetch what was accepted before."""
        self.show_papers()
        self._spawn(self._outbox.deliver(self._link, self._judge.check_offer))
        self._fetch_accepted()
        self._spawn(self._keep_showing())

    def _fetch_accepted(self) -> None:
        for offer in self._library.accepted_offers(self._link.peer.device):
            self.fetch(offer)

    def show_papers(self) -> None:
        """Tell the contact what is said of it and what was taken back, if its node knows how.

        What was shown last on this link is not shown again.
        """
        if not self._link.session.takes_papers:
            return
        papers = list(self._correspondence.for_device(self._link.peer))
        if papers == self._shown:
            return
        self._shown = papers
        waiting, self._to_show = bool(self._to_show), deque(papers)
        if not waiting:
            self._show_on()

    def _show_on(self) -> None:
        """Show what is left as fast as the other side has to take it."""
        try:
            while self._to_show and self._showing.take(asyncio.get_running_loop().time()):
                self._link.post(self._to_show.popleft())
        except TooMuchError:
            # Who reads nothing must not keep the others from being told.
            self._to_show.clear()
            self._spawn(self._link.close())
        if self._to_show:
            self._spawn(self._show_later())

    async def _show_later(self) -> None:
        await asyncio.sleep(1 / SHOWN_PER_SECOND)
        self._show_on()

    async def _keep_showing(self) -> None:
        """A link may be up for longer than a list of revocations counts."""
        while True:
            await asyncio.sleep(PAPERS_SECONDS)
            self.show_papers()
            self._fetch_accepted()

    def fetch(self, offer: IncomingOffer) -> None:
        """Fetch an accepted offer of this device as soon as there is a slot."""
        if offer.envelope_hash not in self._fetching:
            self._fetching.add(offer.envelope_hash)
            self._spawn(self._fetch(offer))

    async def _fetch(self, offer: IncomingOffer) -> None:
        try:
            async with self._slots:
                await self._inbox.fetch(self._link, self._fetcher, offer)
        finally:
            self._fetching.discard(offer.envelope_hash)

    def answer(self, offer: IncomingOffer) -> None:
        """Tell the device how its offer stands now."""
        self._inbox.answer(self._link, offer)

    @property
    def device(self) -> bytes:
        """The device at the other end."""
        return self._link.peer.device

    async def handle(self, message: Message) -> None:
        """One message of the peer."""
        device = self._link.peer.device
        match message:
            case Offer():
                offer = self._inbox.offered(self._link, self._contact, message)
                if offer is not None:
                    self.fetch(offer)
            case OfferTaken():
                self._outbox.taken(device, message)
            case OfferRefused():
                self._outbox.refused(device, message)
            case Stored():
                self._outbox.stored(device, message)
            case Papers():
                if not self._taking.take(asyncio.get_running_loop().time()):
                    raise TooMuchError("papers")
                if self._correspondence.taken(self._link.peer, self._contact, message):
                    self._news(self._contact.identity)
                    self._fetch_accepted()  # some may have waited for them
            case Fetch():
                self._server.fetch(message)
            case Credit():
                self._server.credit(message)
            case FetchStop():
                self._server.stop(message)
            case ManifestPart():
                self._fetcher.manifest(message)
            case Piece():
                self._fetcher.piece(message)
            case FetchRefused():
                self._fetcher.refused(message)
            case _:
                raise UnexpectedMessageError

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, TruncatedError):
            _log.error("work with a peer failed: %s", type(error).__name__, exc_info=error)

    async def close(self) -> None:
        """The link has ended."""
        await self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
