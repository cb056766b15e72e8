"""What two contacts do over one link: offers both ways, fetches both ways."""

from __future__ import annotations

import asyncio
import logging
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
from .correspondence import Correspondence, messages
from .events import Events
from .fetching import Fetcher
from .inbox import PHOTOS_AT_ONCE, Inbox
from .judge import Judge
from .library import Contact, IncomingOffer, Library
from .link import Link
from .mending import Mender
from .outbox import Outbox
from .serving import Server
from .showing import Showing

PAPERS_SECONDS: Final = 3600.0
"""How often a link is looked at for papers to show, as our own list is made anew each day, and
for photos that wait for papers."""

_log = logging.getLogger(__name__)


class Sync:
    """One `Conversation`: hands each message to whose business it is."""

    def __init__(
        self,
        link: Link,
        contact: Contact,
        *,
        judge: Judge,
        correspondence: Correspondence,
        library: Library,
        blobs: BlobStore,
        outbox: Outbox,
        inbox: Inbox,
        mender: Mender,
        events: Events,
        heard: Callable[[bytes], None],
    ) -> None:
        self._link = link
        self._contact = contact
        self._judge = judge
        self._correspondence = correspondence
        self._library = library
        self._outbox = outbox
        self._inbox = inbox
        self._heard = heard
        self._mender = mender
        self._server = Server(link, contact.name, judge, library, blobs, events)
        self._fetcher = Fetcher(link, blobs, events.counters)
        self._slots = asyncio.Semaphore(PHOTOS_AT_ONCE)
        self._fetching: set[bytes] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._showing = Showing(link, self._spawn)
        self._asked: set[bytes] = set()
        self._taking = Allowance(limits.PAPERS_AT_ONCE, limits.PAPERS_PER_SECOND)

    def start(self) -> None:
        """Show papers, offer what is open, and fetch what was accepted before."""
        self.show_papers()
        self._spawn(self._outbox.deliver(self._link, self._judge.check_offer))
        self._fetch_accepted()
        self._spawn(self.mend())
        self._spawn(self._keep_showing())

    async def mend(self) -> None:
        """Fetch again what was damaged here of photos that came from this device."""
        await self._mender.mend_from(self._link, self._fetcher)

    def _fetch_accepted(self) -> None:
        for offer in self._library.accepted_offers(self._link.peer.device):
            self.fetch(offer)

    def show_papers(self) -> None:
        """Tell the contact what is said of it and what was taken back, if its node knows how."""
        if self._link.session.takes_papers:
            self._showing.show(list(self._correspondence.for_device(self._link.peer)))

    def _show_lineage(self, envelope_hash: bytes) -> None:
        """Who takes a photo that we passed on is told what its author took back."""
        if self._outbox.is_passed_on(envelope_hash):
            self.show_papers()

    async def _keep_showing(self) -> None:
        """A link may be up for longer than a list of revocations counts."""
        while True:
            await asyncio.sleep(PAPERS_SECONDS)
            self.show_papers()
            self._fetch_accepted()

    def look_again(self) -> None:
        """Papers changed, ours or somebody's: show them, and go on with what waited for them."""
        self.show_papers()
        self._outbox.look_again(self.device)
        self._fetch_accepted()

    def fetch(self, offer: IncomingOffer) -> None:
        """Fetch an accepted offer of this device as soon as there is a slot."""
        if offer.envelope_hash not in self._fetching:
            self._fetching.add(offer.envelope_hash)
            self._show_asked(offer)
            self._spawn(self._fetch(offer))

    def _show_asked(self, offer: IncomingOffer) -> None:
        """Just before a fetch, and once: the papers that its grant asks for."""
        if not self._link.session.takes_papers:
            return
        asked = self._correspondence.asked_by(self._link.peer, offer)
        new = [said for said in asked if said.signed.digest() not in self._asked]
        self._asked.update(said.signed.digest() for said in new)
        self._showing.show_first(messages(new))

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
                self._show_lineage(message.envelope_hash)
            case OfferRefused():
                self._outbox.refused(device, message)
            case Stored():
                self._outbox.stored(device, message)
                self._show_lineage(message.envelope_hash)
            case Papers():
                if not self._taking.take(asyncio.get_running_loop().time()):
                    raise TooMuchError("papers")
                if self._correspondence.taken(self._link.peer, self._contact, message):
                    self._heard(self._contact.identity)
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
