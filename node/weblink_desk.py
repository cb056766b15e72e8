"""Links to photos, put together: photos become copies, a link and a URL; its page is served where
it is said to be, and browsers that prove the key get what the link leads to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final, TypeVar

from ..crypto.errors import KinlightError
from ..crypto.link_keys import Signals
from ..protocol import weblink_offer
from ..protocol.weblink_errors import UnknownLinkError
from . import views_sharing
from .addresses import places_to_dial
from .blobstore import BlobStore
from .counters import Counters
from .drop_desk import DropDesk
from .errors import BadRequestError
from .events import Events
from .forms import Form
from .library import Library, Photo, StoredBlob
from .photo_errors import LinkPageError, NoPhotosError
from .sharing import LINKED, LinkWish, Sharing
from .views_weblinks import WebLink
from .weblink_rtc import RtcThread
from .weblink_server import Listeners
from .weblink_serving import Granted, Serving
from .weblink_site import (
    DROP,
    LINK,
    OFFERS,
    OFFERS_EACH,
    WRONG,
    WRONG_EACH,
    Door,
    Patience,
    Site,
)
from .weblinks import Made, Place, Terms, WebLinks

LOOPBACK: Final = "127.0.0.1"
SWEEP_SECONDS: Final = 60.0

_Found = TypeVar("_Found")
_log = logging.getLogger(__name__)


class WebLinkDesk:
    """What the API does with links."""

    def __init__(
        self,
        *,
        links: WebLinks,
        listeners: Listeners,
        sharing: Sharing,
        library: Library,
        blobs: BlobStore,
        events: Events,
        counters: Counters,
        rtc: RtcThread,
        clock: Callable[[], float],
    ) -> None:
        self._links = links
        self._listeners = listeners
        self._sharing = sharing
        self._library = library
        self._blobs = blobs
        self._events = events
        self._counters = counters
        self._rtc = rtc
        self._drops: DropDesk | None = None
        # Of all places together: a link has one place, an attacker tries all.
        self._wrong = Patience(WRONG_EACH, WRONG, clock)
        self._offers = Patience(OFFERS_EACH, OFFERS, clock)

    def join(self, drops: DropDesk) -> None:
        """Serve the pages of drop links as well, at the same listeners."""
        self._drops = drops

    # What the user does.

    async def make(
        self, paths: list[Path], terms: Terms, form: Form, *, rehash: bool
    ) -> AsyncGenerator[views_sharing.ShareItem | views_sharing.ShareProgress | WebLink]:
        """An item for each file, with progress in between, and the link at last.

        Raises `NoPhotosError` if no file can go, `LinkPageError` if its page can't be served, and
        what `WebLinks.new` raises.
        """
        terms.check()
        self._links.check_room()
        photos: dict[bytes, Photo] = {}
        wish = LinkWish(form)
        async for step in self._sharing.for_link(paths, wish, rehash=rehash):
            if isinstance(step, views_sharing.ShareItem) and step.state == LINKED and step.photo_id:
                photo_id = bytes.fromhex(step.photo_id)
                if (photo := self._library.photo(photo_id)) is not None:
                    photos[photo_id] = photo
            yield step
        if not photos:
            raise NoPhotosError
        made = self._links.new(list(photos.values()), terms)
        await self.renew()
        view = self._view(self._links.view(made.link_id), made)
        if not view.served:
            self._links.revoke(made.link_id.hex())
            raise LinkPageError(view.reason or terms.host)
        yield view

    def list(self) -> list[WebLink]:
        """All that are remembered, the latest first."""
        return [self._view(link) for link in self._links.list()]

    def revoke(self, link: str) -> WebLink:
        """Take one back; see `WebLinks.revoke`."""
        return self._view(self._links.revoke(link))

    def _view(self, link: WebLink, made: Made | None = None) -> WebLink:
        return self._listeners.told(link, None if made is None else made.tail)

    @property
    def rtc_loaded(self) -> bool:
        """Whether a browser came, so that aiortc is loaded."""
        return self._rtc.loaded

    # The page.

    async def run(self) -> None:
        """Serve pages for as long as there are links, and until this is cancelled."""
        try:
            while True:
                try:
                    await self.renew()
                except KinlightError as error:  # a full disk: it is tried again
                    _log.warning("the page of links was not looked after: %s", error.code)
                await asyncio.sleep(SWEEP_SECONDS)
        finally:
            await self._listeners.close()
            await self._rtc.close()

    async def renew(self) -> None:
        """Listen where a link says, and nowhere else."""
        places = self._links.places()
        if self._drops is not None:
            places |= self._drops.drops.places()
        await self._listeners.serve(places, self._site)

    def _site(self, place: Place, authorities: list[str]) -> Site:
        doors = {LINK: Door(self._links.known, self._links.why_not, self._answer)}
        if self._drops is not None:
            rows = self._drops.drops
            doors[DROP] = Door(rows.known, rows.why_not, self._answer_drop)
        return Site(
            doors=doors,
            wrong=self._wrong,
            offers=self._offers,
            authorities=authorities,
            secure=place.secure,
        )

    async def _answer(self, signals: Signals, visit: bytes, offer: str, source: str) -> str:
        """A browser that proved the key: it is counted, and gets what the link leads to."""
        harmless = weblink_offer.harmless(offer, _reachable(source))
        self._links.visit(signals.link, visit)
        here = asyncio.get_running_loop()

        async def on_loop(question: Callable[[], _Found]) -> _Found:
            """The library is asked on the daemon's loop alone, and this runs on another."""

            async def ask() -> _Found:
                return question()

            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), here))

        async def listing() -> bytes:
            return await on_loop(lambda: self._links.listing(signals.link, visit))

        async def served(number: int) -> StoredBlob:
            return await on_loop(lambda: self._links.served(signals.link, visit, number))

        def sent() -> None:
            here.call_soon_threadsafe(self._count)

        granted = Granted(listing, served, self._blobs, sent)
        answer = await self._rtc.answer(harmless, source, lambda channel: Serving(channel, granted))
        self._events.publish("link-opened", id=signals.link.hex())
        return answer

    async def _answer_drop(self, signals: Signals, _visit: bytes, offer: str, source: str) -> str:
        """A browser that proved the key of a drop link."""
        if self._drops is None:
            raise UnknownLinkError
        harmless = weblink_offer.harmless(offer, _reachable(source))
        return await self._drops.answer(signals, offer, harmless, source)

    def _count(self) -> None:
        self._counters.pieces_sent += 1


def where(at: str | None) -> str:
    """The address to serve a page at: the one given, else the first in the local network.

    Raises `BadRequestError` for what is no address of this machine.
    """
    if at == "localhost":
        return LOOPBACK
    here = [place.host for place in places_to_dial(0)]
    if at is None:
        found = next((host for host in here if ":" not in host), None)
        if found is None:
            raise BadRequestError("this machine is in no network; `--at localhost` is for itself")
        return found
    if at not in (*here, LOOPBACK):
        raise BadRequestError("a page is served at an address of this machine, or at localhost")
    return at


def _reachable(source: str) -> str:
    """The address of a browser, for candidates that hide it. WebRTC does not use loopback: a
    browser on this machine is met at an address that the machine has in a network.
    """
    if not ipaddress.ip_address(source.split("%")[0]).is_loopback:
        return source
    here = [place.host for place in places_to_dial(0) if ":" not in place.host]
    return here[0] if here else source
