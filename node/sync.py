"""What two contacts do over one link: offers both ways, fetches both ways."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final

from ..crypto.errors import LocalError, PeerError, TruncatedError
from ..protocol import limits
from ..protocol.album_messages import ALBUM_WORK
from ..protocol.allowance import Allowance
from ..protocol.device_messages import DeviceChains
from ..protocol.errors import GoneError, TooMuchError, UnexpectedMessageError
from ..protocol.guardian_messages import GuardianKept, GuardianShare
from ..protocol.head_messages import Heads as HeadsMessage
from ..protocol.head_messages import HeadShown
from ..protocol.messages import (
    Collect,
    Credit,
    Delivered,
    Deposit,
    Fetch,
    FetchHeld,
    FetchRefused,
    FetchStop,
    Held,
    HeldDone,
    HeldEnd,
    HeldGone,
    HeldItem,
    HeldNews,
    HeldReceipt,
    HeldRefused,
    Holding,
    Mailbox,
    ManifestPart,
    Message,
    Offer,
    OfferRefused,
    OfferTaken,
    Papers,
    Piece,
    Stored,
)
from . import inbox
from .album_parts import AlbumParts
from .album_shelf import SharedAlbum
from .album_sync import AlbumSync
from .arrivals import is_small
from .backing_up import Backer, BackingUp
from .blobstore import BlobStore
from .collecting import Collecting, Collector, Collects
from .commits import Commits
from .correspondence import Correspondence, messages
from .depositing import Depositing, Depositor
from .events import Events
from .fetching import Fetcher
from .guardians import Guarding
from .heads import Heads
from .holder import Holder
from .holding import Hold
from .inbox import Inbox
from .judge import Judge
from .library import Contact, IncomingOffer, Library, StoredBlob
from .link import Link
from .mailboxes import Mailboxes
from .mending import Mender
from .outbox import Outbox
from .recovering import Recoverer
from .recovery import Recovery
from .serving import Allowed, Server
from .showing import Showing
from .showing_devices import DeviceShower, Shown
from .space import Connection

SMALL_AT_ONCE: Final = 26
LARGE_AT_ONCE: Final = 6
"""Photos fetched from one peer at a time: of one piece, and of more. Together with their metadata
they are as many fetches as a peer lets us have open."""
PAPERS_SECONDS: Final = 3600.0
"""How often a link is looked at for papers to show, as our own list is made anew each day, for
photos that wait for papers, and for what is held and was put off."""

HEAD_SECONDS: Final = 2.0
"""Pause between two heads of ours."""

_log = logging.getLogger(__name__)


class _Lane:
    """Offers that wait to be fetched, by their envelopes, and how many are being fetched.

    Only their names wait here: a peer may offer ten thousand photos at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._waiting: deque[bytes] = deque()
        self._in_it: set[bytes] = set()
        self._put_back: set[bytes] = set()

    def join(self, envelope_hash: bytes) -> bool:
        """Let one wait, if it is not in the lane; whether one more is to be fetched at a time."""
        if envelope_hash in self._in_it:
            return False
        self._in_it.add(envelope_hash)
        self._waiting.append(envelope_hash)
        if self._busy == self._most:
            return False
        self._busy += 1
        return True

    def next(self) -> bytes | None:
        """The one that waited longest."""
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, envelope_hash: bytes) -> bool:
        """Let one wait behind the others, once; whether it does."""
        if not self._waiting or envelope_hash in self._put_back:
            return False
        self._put_back.add(envelope_hash)
        self._waiting.append(envelope_hash)
        return True

    def left(self, envelope_hash: bytes) -> None:
        """It is not being fetched any more."""
        self._in_it.discard(envelope_hash)
        self._put_back.discard(envelope_hash)

    def end(self) -> None:
        """One less is fetched at a time."""
        self._busy -= 1


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
        mailboxes: Mailboxes,
        depositing: Depositing,
        backing_up: BackingUp,
        collecting: Collecting,
        recovery: Recovery,
        commits: Commits,
        hold: Hold,
        albums: AlbumParts,
        devices: DeviceShower,
        heads: Heads,
        guarding: Guarding,
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
        self._heads = heads
        self._guarding = guarding
        self._shares_come = Allowance(limits.GUARDIANS_AT_ONCE, limits.GUARDIANS_PER_SECOND)
        self._heads_come = Allowance(limits.HEADS_AT_ONCE, limits.HEADS_PER_SECOND)
        self._head_news = asyncio.Event()
        self._mender = mender
        self._albums = AlbumSync(link, albums, self.fetch)
        self._server = Server(
            link, contact.name, judge, library, blobs, events, albums.photos, self._albums.lacked
        )
        self._fetcher = Fetcher(link, events.counters)
        self._holder = Holder(link, hold, self._fetcher)
        self._small = _Lane(SMALL_AT_ONCE)
        self._large = _Lane(LARGE_AT_ONCE)
        self._later: list[bytes] = []
        self._not_held: set[bytes] = set()  # what was asked for on this link
        self._tasks: set[asyncio.Task[None]] = set()
        self._showing = Showing(link, self._spawn)
        self._shower = devices
        self._shown_devices = Shown(link, devices)
        self._asked: set[bytes] = set()
        self._taking = Allowance(limits.PAPERS_AT_ONCE, limits.PAPERS_PER_SECOND)
        self._news = Allowance(limits.HOLDING_NEWS_AT_ONCE, limits.HOLDING_NEWS_PER_SECOND)
        self._mailboxes = mailboxes
        self._depositing = depositing
        self._blobs = blobs
        self._events = events
        self._depositor = Depositor(link, depositing)
        self._backing_up = backing_up
        self._backer = Backer(link, backing_up)
        self._collects = Collects(link)
        self._collector = Collector(link, collecting, self.fetch, self._collects)
        self._recoverer = Recoverer(
            link, recovery, self._fetcher, self._collects,
            library=library, blobs=blobs, commits=commits,
        )  # fmt: skip
        self._told_mailbox: Mailbox | None = None

    def start(self) -> None:
        """Show papers, offer what is open, and fetch what was accepted before."""
        self.show_papers()
        self._spawn(self._tell_heads())
        self.give_share()
        self._holder.start()
        self._spawn(self._outbox.deliver(self._link, self._judge.check_offer))
        self._fetch_accepted()
        self._spawn(self.mend())
        self._spawn(self._keep_showing())
        if self._link.session.takes(Mailbox):
            self.tell_mailbox()
            self._spawn(self._collector.start())
            self._spawn(self._depositor.run())
            self._spawn(self._backer.run())
            self._spawn(self._recoverer.run())
        self._albums.start()
        self._shown_devices.tell()

    def tell_devices(self) -> None:
        """There is news of our own devices."""
        self._shown_devices.tell()

    def album_changed(self, shared: SharedAlbum) -> None:
        """Something came to an album, from whomever."""
        self._albums.changed(shared)

    def album_photo_arrived(self, album_id: bytes) -> None:
        """A photo of an album is here now."""
        self._albums.arrived(album_id)

    def tell_mailbox(self) -> None:
        """Tell the contact where what is for us may be left, if that is news."""
        ours = self._mailboxes.ours()
        if self._link.session.takes(Mailbox) and ours is not None and ours != self._told_mailbox:
            self._told_mailbox = ours
            with contextlib.suppress(PeerError):  # all the others are to hear of it
                self._link.post(ours)

    def collect(self) -> None:
        """Ask for what is held for us, as the contact was chosen to hold just now."""
        if self._link.session.takes(Mailbox):
            self._collector.ask()

    def decided(self, offer: IncomingOffer) -> None:
        """A person decided on an offer: its sender is told, and whoever can bring it does."""
        brings = self.device == offer.device or self._collector.can_bring(offer)
        if brings:
            self.answer(offer)
            if offer.state == "accepted":
                self.fetch(offer)

    def settled(self, offer: IncomingOffer) -> None:
        """An offer need not be held any more, if the contact holds it."""
        self._collector.settled(offer)

    @property
    def connection(self) -> Connection:
        """How the peer can be asked for what it has."""
        return Connection(self._link, self._fetcher)

    async def mend(self) -> None:
        """Fetch again what was damaged here of photos that came from this device."""
        await self._mender.mend_from(self._link, self._fetcher)

    def _fetch_accepted(self) -> None:
        for offer in self._library.accepted_offers(self._link.peer.device):
            self.fetch(offer)
        self.fetch_for_siblings()

    def fetch_for_siblings(self) -> None:
        """Fetch what is known from another device of ours and is to be here, if the contact holds
        for us: that device may be lost, or away for long.
        """
        holder = self._mailboxes.holder(self._contact.identity)
        if holder is None or not holder.chosen:
            return
        for envelope_hash in self._library.sibling_offers("accepted"):
            offer = self._library.offer(envelope_hash)
            if offer is not None and envelope_hash not in self._not_held:
                self._not_held.add(envelope_hash)
                self.fetch(offer)

    def show_papers(self) -> None:
        """Tell the contact what is said of it and what was taken back, if its node knows how."""
        if self._link.session.takes(Papers):
            self._showing.show(list(self._correspondence.for_device(self._link.peer)))

    def give_share(self) -> None:
        """Give the contact its share of our words, if it is a guardian that lacks it."""
        if self._link.session.takes(GuardianShare):
            share = self._guarding.to_send(self._link.peer)
            if share is not None:
                with contextlib.suppress(PeerError):  # all the others are to get theirs
                    self._link.post(share)

    def tell_own_head(self) -> None:
        """Our newest head may be news to the contact."""
        self._head_news.set()

    async def _tell_heads(self) -> None:
        """What there is of others to compare, and our own head whenever it is news: not at each of
        many changes that come together, as the other side takes so many at a time.
        """
        if not self._link.session.takes(HeadShown):
            return
        await self._link.send(self._heads.told(self._link.session.exporter))
        told: HeadShown | None = None
        while True:
            self._head_news.clear()
            try:
                own = self._heads.own()
            except LocalError as error:  # a full disk: one that is not kept is not told either
                _log.warning("our head is not told for now: %s", error.code)
                own = told
            if own is not None and own != told:
                await self._link.send(own)
                told = own
            await asyncio.sleep(HEAD_SECONDS)
            await self._head_news.wait()

    async def _compare_heads(self, message: HeadsMessage) -> None:
        exporter = self._link.session.exporter
        for shown in list(self._heads.compare(message, self._link.peer, exporter)):
            await self._link.send(shown)

    def _show_lineage(self, envelope_hash: bytes) -> None:
        """Who takes a photo that we passed on is told what its author took back."""
        if not self._link.ended.is_set() and self._outbox.is_passed_on(envelope_hash):
            self.show_papers()

    async def _keep_showing(self) -> None:
        """A link may be up for longer than a list of revocations counts."""
        while True:
            await asyncio.sleep(PAPERS_SECONDS)
            self.show_papers()
            self._fetch_accepted()
            self._collector.look_again()

    def look_again(self) -> None:
        """Papers changed, ours or somebody's: show them, and go on with what waited for them."""
        self.show_papers()
        self.tell_own_head()
        self._outbox.look_again(self.device)
        self._fetch_accepted()

    def fetch(self, offer: IncomingOffer) -> None:
        """Fetch an accepted offer of this device as soon as there is room."""
        lane = self._small if is_small(offer) else self._large
        if lane.join(offer.envelope_hash):
            self._spawn(self._fetch_from(lane))

    async def _fetch_from(self, lane: _Lane) -> None:
        """Fetch one after the other until none waits in the lane."""
        try:
            while (envelope_hash := lane.next()) is not None:
                waits = False
                try:
                    offer = self._library.offer(envelope_hash)
                    waits = (
                        offer is not None and self._comes(offer) and lane.put_back(envelope_hash)
                    )
                    if offer is None:
                        self._albums.given_up(envelope_hash)
                    elif not waits:
                        await self._fetch_one(offer)
                finally:
                    if not waits:
                        lane.left(envelope_hash)
        finally:
            lane.end()

    async def _fetch_one(self, offer: IncomingOffer) -> None:
        if offer.state != "accepted":  # another link, or a person, was quicker
            self.answer(offer)
            if offer.album is not None:
                self._albums.fetched(offer)
            return
        self._show_asked(offer)
        again = not await self._inbox.fetch(self._link, self._fetcher, offer)
        if again:
            self._put_off(offer.envelope_hash)
        elif offer.album is not None:
            self._albums.fetched(offer)

    def _comes(self, offer: IncomingOffer) -> bool:
        """Whether others bring the one piece of a photo: this link has better to do meanwhile."""
        return is_small(offer) and self._inbox.is_coming(offer.photo_id)

    def _put_off(self, envelope_hash: bytes) -> None:
        """Try again after a while. Others have their turn meanwhile, and their sender an answer."""
        self._later.append(envelope_hash)
        if len(self._later) == 1:
            self._spawn(self._fetch_later())

    async def _fetch_later(self) -> None:
        await asyncio.sleep(inbox.RETRY_SECONDS)
        again, self._later = self._later, []
        for envelope_hash in again:
            offer = self._library.offer(envelope_hash)
            if offer is not None:
                self.fetch(offer)

    def _show_asked(self, offer: IncomingOffer) -> None:
        """Just before a fetch, and once: the papers that its grant asks for. Its sender judges by
        them; who only holds it has no business with them.
        """
        from_sender = self.device == offer.device and offer.album is None
        if not self._link.session.takes(Papers) or not from_sender:
            return
        asked = self._correspondence.asked_by(self._link.peer, offer)
        new = [said for said in asked if said.signed.digest() not in self._asked]
        self._asked.update(said.signed.digest() for said in new)
        self._showing.show_first(messages(new))

    def answer(self, offer: IncomingOffer) -> None:
        """Tell the device how its offer stands now."""
        with contextlib.suppress(PeerError):  # the link is about to end
            self._inbox.answer(self._link, offer)

    @property
    def device(self) -> bytes:
        """The device at the other end."""
        return self._link.peer.device

    async def handle(self, message: Message) -> None:
        """One message of the peer. What goes wrong at this side, a full disk say, does not end the
        link: what could not be noted is said again on the next one.
        """
        try:
            self._handle(message)
        except LocalError as error:
            _log.warning("what a peer said was not noted: %s", error.code)

    def _handle(self, message: Message) -> None:
        device = self._link.peer.device
        match message:
            case Offer():
                self._inbox.offered(self._link, self._contact, message, self.fetch)
            case OfferTaken():
                noted = partial(self._show_lineage, message.envelope_hash)
                self._outbox.taken(device, message, noted)
            case OfferRefused():
                self._outbox.refused(device, message)
            case Stored():
                noted = partial(self._show_lineage, message.envelope_hash)
                self._outbox.stored(device, message, noted)
            case Delivered():
                noted = partial(self._show_lineage, message.envelope_hash)
                self._outbox.delivered(device, message, noted)
            case Papers():
                if not self._taking.take(asyncio.get_running_loop().time()):
                    raise TooMuchError("papers")
                if self._correspondence.taken(self._link.peer, self._contact, message):
                    self._heard(self._contact.identity)
            case DeviceChains():
                if not self._taking.take(asyncio.get_running_loop().time()):
                    raise TooMuchError("devices")
                self._shower.take(self._contact, message)
            case HeadsMessage() | HeadShown() if not self._heads_come.take(
                asyncio.get_running_loop().time()
            ):
                raise TooMuchError("heads")
            case GuardianShare():
                if not self._shares_come.take(asyncio.get_running_loop().time()):
                    raise TooMuchError("shares")
                self._link.post(self._guarding.take(message, self._contact))
            case GuardianKept():
                self._guarding.kept(self._link.peer, message)
            case HeadShown():
                self._heads.take(message)
            case HeadsMessage():
                self._spawn(self._compare_heads(message))
            case Mailbox() | Holding() if not self._news.take(asyncio.get_running_loop().time()):
                raise TooMuchError("news of what is held")
            case Mailbox():
                if self._mailboxes.told(self._contact.identity, message):
                    self._depositing.told(self._contact.identity)
            case Holding():
                self._offered_to_hold(message)
            case Held():
                if not self._backer.held(message.envelope_hash):
                    self._depositor.held(message.envelope_hash)
            case HeldRefused():
                if not self._backer.refused(message.envelope_hash, message.code):
                    self._depositor.refused(message.envelope_hash, message.code)
            case HeldGone():
                self._depositor.gone(message.envelope_hash)
                self._backer.gone(message.envelope_hash)
                self._collector.gone(message.envelope_hash)
            case HeldItem():
                self._collects.item(message)
            case HeldEnd():
                self._collects.end(message)
            case HeldNews():
                self._collector.news()
            case HeldReceipt():
                self._outbox.receipt_held(message, partial(self._receipt_noted, message))
            case Fetch():
                self._server.fetch(message)
            case FetchHeld() if not message.token:
                self._server.fetch_held(message, self._pulled)
            case FetchHeld():
                self._server.fetch_held(message, self._holder.find)
            case Deposit():
                self._holder.deposit(message)
            case Collect():
                self._holder.collect(message)
            case HeldDone():
                self._holder.done(message)
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
            case _ if isinstance(message, ALBUM_WORK):
                self._albums.handle(message)
            case _:
                raise UnexpectedMessageError

    def _offered_to_hold(self, message: Holding) -> None:
        holder = self._contact.identity
        was = self._mailboxes.holder(holder)
        if self._mailboxes.offered(holder, message):
            self._events.publish(
                "holding", contact=self._contact.name,
                quota=message.quota, seconds=message.seconds,
            )  # fmt: skip
        now = self._mailboxes.holder(holder)
        if was is not None and not was.takes_backups and now is not None and now.takes_backups:
            self._backing_up.began_again(holder)
        self._backer.tell()

    def _pulled(self, message: FetchHeld) -> Allowed:
        """A blob of what we leave with the contact; `GoneError` for any other."""

        def again() -> StoredBlob:
            stored = self._depositor.to_pull(message) or self._backer.to_pull(message)
            if stored is None:
                raise GoneError
            return stored

        stored = again()
        file = self._blobs.open(stored.content_id)
        return Allowed(stored.decoded_manifest(), file, again)

    def _receipt_noted(self, message: HeldReceipt) -> None:
        """The receipt that the contact kept for us is here, or is none."""
        if not self._link.ended.is_set():
            self._link.post(HeldDone(message.envelope_hash, b""))

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
        await self._holder.close()
        await self._albums.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
