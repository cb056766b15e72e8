"""Collecting what contacts held for us while we were away.

    Collect -> HeldItem… -> HeldEnd -> judged like any offer -> fetched with the blobs' tokens
    stored, declined or refused -> HeldDone, with the receipt for the sender -> HeldGone

Who holds is trusted with nothing: an envelope is its sender's by the signature inside, a piece is
what it must be by the record, and the same envelope counts once, whoever brings it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from ..crypto.errors import LocalError, MalformedError, PeerError
from ..protocol import messages
from ..protocol.errors import UnexpectedMessageError
from .database import Database
from .inbox import Inbox
from .library import IncomingOffer, Library
from .link import Link
from .mailboxes import Mailboxes

PAGE: Final = 64
"""Envelopes that are asked for at a time."""
WORTHLESS: Final = 256
"""Envelopes that are nothing for us: who shows more of them is let rest before it is asked again.
Whoever left them there is another, and what others left lies behind them."""
REST_SECONDS: Final = 30.0
"""For how long."""
SETTLED: Final = ("stored", "declined", "refused")
"""States of an offer with which its envelope need not be held any more."""


class HeldOffers:
    """Which offers are held by whom. It shares the database with `library`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, envelope_hash: bytes, holder: bytes) -> None:
        """An envelope lies at a holder."""
        self._db.write("INSERT OR IGNORE INTO held_offers VALUES (?, ?)", envelope_hash, holder)

    def remove(self, envelope_hash: bytes, holder: bytes) -> None:
        """It lies there no longer."""
        self._db.write(
            "DELETE FROM held_offers WHERE envelope_hash = ? AND holder = ?", envelope_hash, holder
        )

    def is_held(self, envelope_hash: bytes, holder: bytes) -> bool:
        """Whether it lies there."""
        return bool(
            self._db.value(
                "SELECT 1 FROM held_offers WHERE envelope_hash = ? AND holder = ?",
                envelope_hash,
                holder,
            )
        )

    def of(self, holder: bytes) -> list[bytes]:
        """All envelopes that lie at a holder."""
        rows = self._db.rows("SELECT envelope_hash FROM held_offers WHERE holder = ?", holder)
        return [row[0] for row in rows]


class Collecting:
    """What all links have in common: how far each holder's numbers were seen."""

    def __init__(
        self, *, library: Library, held: HeldOffers, mailboxes: Mailboxes, inbox: Inbox
    ) -> None:
        self.library: Final = library
        self.held: Final = held
        self.mailboxes: Final = mailboxes
        self.inbox: Final = inbox
        self.seen: Final[dict[bytes, int]] = {}
        """By the holder's device. After a start everything that is still held is seen again."""
        self._put_off: dict[bytes, int] = {}

    def put_off(self, device: bytes, position: int) -> None:
        """What has that number there is for later: there was no room for it, or its sender is not
        known yet.
        """
        self._put_off[device] = min(position, self._put_off.get(device, position))

    def take_up(self, device: bytes) -> bool:
        """Go back to what was put off; whether there is any."""
        position = self._put_off.pop(device, None)
        if position is not None:
            self.seen[device] = min(position - 1, self.seen.get(device, 0))
        return position is not None


class Asked(Protocol):
    """Who asked a holder what it has."""

    def item(self, message: messages.HeldItem) -> None:
        """One of it."""
        ...

    def end(self, message: messages.HeldEnd) -> None:
        """That was all, or all of a page."""
        ...


class Collects:
    """What was asked of the holder at the other end of one link. It answers in that order."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: deque[Asked] = deque()

    def ask(self, message: messages.Collect, asked: Asked) -> None:
        """Ask; nobody hears of it if the link is about to end."""
        self._waiting.append(asked)
        with contextlib.suppress(PeerError):
            self._link.post(message)

    def item(self, message: messages.HeldItem) -> None:
        """One envelope, for who asked first."""
        if not self._waiting:
            raise UnexpectedMessageError
        self._waiting[0].item(message)

    def end(self, message: messages.HeldEnd) -> None:
        """The answer to who asked first is over."""
        if not self._waiting:
            raise UnexpectedMessageError
        self._waiting.popleft().end(message)


class Collector:
    """Collects from the contact at the other end of one link, if a person chose it to hold."""

    def __init__(
        self,
        link: Link,
        collecting: Collecting,
        fetch: Callable[[IncomingOffer], None],
        collects: Collects,
    ) -> None:
        self._link = link
        self._collects = collects
        self._holder: Final = link.peer.identity
        self._device: Final = link.peer.device
        self._all = collecting
        self._fetch = fetch
        self._asked = False
        self._again = False
        self._last = 0
        self._shown = 0
        self._worthless = 0
        self._rests = False
        self._told: set[bytes] = set()

    @property
    def _is_chosen(self) -> bool:
        holder = self._all.mailboxes.holder(self._holder)
        return holder is not None and holder.chosen

    async def start(self) -> None:
        """Say what is over, go on with what was accepted, and ask for what is new."""
        for envelope_hash in self._all.held.of(self._holder):
            offer = self._all.library.offer(envelope_hash)
            if offer is not None and offer.state == "accepted":
                self._fetch(offer)
            elif (offer is None or offer.state in SETTLED) and envelope_hash not in self._told:
                self._told.add(envelope_hash)
                await self._link.send(self._done(envelope_hash, offer))
            await asyncio.sleep(0)  # there may be thousands
        self._all.take_up(self._device)
        self.ask()

    def ask(self) -> None:
        """Ask for what is new, unless it was asked for already."""
        if self._asked or self._rests or not self._is_chosen:
            return
        if self._worthless >= WORTHLESS:
            self._rests = True
            asyncio.get_running_loop().call_later(REST_SECONDS, self._rested)
            return
        self._asked, self._shown = True, 0
        self._last = self._all.seen.get(self._device, 0)
        self._collects.ask(messages.Collect(self._last, PAGE, own=False), self)

    def _rested(self) -> None:
        self._rests, self._worthless = False, 0
        if not self._link.ended.is_set():
            self.ask()

    def look_again(self) -> None:
        """Some time has gone by: there may be room for what was put off."""
        if not self._asked and self._all.take_up(self._device):
            self.ask()

    def item(self, message: messages.HeldItem) -> None:
        """One envelope that lies there. It may be anything."""
        self._shown += 1
        if not self._asked or self._shown > PAGE:
            raise UnexpectedMessageError
        if message.position <= self._last:
            raise MalformedError("what is held comes in the order of its numbers")
        self._last = message.position
        put_off = partial(self._all.put_off, self._device, message.position)
        self._all.inbox.collected(self._link, message.envelope, self._judged, put_off)

    def _judged(self, envelope_hash: bytes, offer: IncomingOffer | None) -> None:
        """What became of an envelope; None if it is nothing for us, ever."""
        if offer is None:
            self._worthless += 1
            self._say_done(envelope_hash, None)
            return
        with contextlib.suppress(LocalError):  # a full disk: it is shown again after a start
            self._all.held.add(envelope_hash, self._holder)
        if offer.state == "accepted":
            self._fetch(offer)
        elif offer.state in SETTLED:
            self._say_done(envelope_hash, offer)

    def end(self, message: messages.HeldEnd) -> None:
        """That was all, or all of a page."""
        if not self._asked:
            raise UnexpectedMessageError
        self._asked, again, self._again = False, self._again, False
        before = self._all.seen.get(self._device, 0)
        # Smaller numbers than were seen: it counts anew.
        anew = message.last < before
        self._all.seen[self._device] = 0 if anew else self._last
        if anew or again or (message.more and self._shown):
            self.ask()

    def news(self) -> None:
        """Something new lies there."""
        if self._asked:
            self._again = True
        else:
            self.ask()

    def can_bring(self, offer: IncomingOffer) -> bool:
        """Whether an offer lies there, and this device of its holder can be asked for it."""
        return self._link.session.takes(messages.FetchHeld) and self._all.held.is_held(
            offer.envelope_hash, self._holder
        )

    def settled(self, offer: IncomingOffer) -> None:
        """An offer was stored, declined or refused: it need not be held any more."""
        if offer.state in SETTLED and self.can_bring(offer):
            self._say_done(offer.envelope_hash, offer)

    def _say_done(self, envelope_hash: bytes, offer: IncomingOffer | None) -> None:
        if envelope_hash in self._told or self._link.ended.is_set():
            return
        self._told.add(envelope_hash)
        self._say(self._done(envelope_hash, offer))

    def _done(self, envelope_hash: bytes, offer: IncomingOffer | None) -> messages.HeldDone:
        stored = offer is not None and offer.state == "stored"
        receipt = self._all.inbox.receipt(offer) if offer is not None and stored else b""
        return messages.HeldDone(envelope_hash, receipt)

    def _say(self, message: messages.Message) -> None:
        """Often for what was done over other links: theirs are not to end by this one, which its
        reader ends.
        """
        with contextlib.suppress(PeerError):
            self._link.post(message)

    def gone(self, envelope_hash: bytes) -> None:
        """It lies there no longer."""
        self._told.discard(envelope_hash)
        self._all.held.remove(envelope_hash, self._holder)
