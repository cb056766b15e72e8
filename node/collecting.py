"""Collecting what contacts held for us while we were away.

    Collect -> HeldItem… -> HeldEnd -> judged like any offer -> fetched with the blobs' tokens
    stored, declined or refused -> HeldDone, with the receipt for the sender -> HeldGone

Who holds is trusted with nothing: an envelope is its sender's by the signature inside, a piece is
what it must be by the record, and the same envelope counts once, whoever brings it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..crypto.errors import MalformedError
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
"""Envelopes that are nothing for us: who shows more of them is not asked again on that link."""
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


class Collector:
    """Collects from the contact at the other end of one link, if a person chose it to hold."""

    def __init__(
        self, link: Link, collecting: Collecting, fetch: Callable[[IncomingOffer], None]
    ) -> None:
        self._link = link
        self._holder: Final = link.peer.identity
        self._device: Final = link.peer.device
        self._all = collecting
        self._fetch = fetch
        self._asked = False
        self._again = False
        self._last = 0
        self._shown = 0
        self._worthless = 0
        self._told: set[bytes] = set()

    @property
    def _is_chosen(self) -> bool:
        holder = self._all.mailboxes.holder(self._holder)
        return holder is not None and holder.chosen

    def start(self) -> None:
        """Say what is over, go on with what was accepted, and ask for what is new."""
        for envelope_hash in self._all.held.of(self._holder):
            offer = self._all.library.offer(envelope_hash)
            if offer is not None and offer.state == "accepted":
                self._fetch(offer)
            elif offer is None or offer.state in SETTLED:
                self._say_done(envelope_hash, offer)
        self.ask()

    def ask(self) -> None:
        """Ask for what is new, unless it was asked for already."""
        if self._is_chosen and not self._asked and self._worthless < WORTHLESS:
            self._asked, self._shown = True, 0
            self._last = self._all.seen.get(self._device, 0)
            self._link.post(messages.Collect(self._last, PAGE, own=False))

    def item(self, message: messages.HeldItem) -> None:
        """One envelope that lies there. It may be anything."""
        self._shown += 1
        if not self._asked or self._shown > PAGE:
            raise UnexpectedMessageError
        if message.position <= self._last:
            raise MalformedError("what is held comes in the order of its numbers")
        self._last = message.position
        self._all.inbox.collected(self._link, message.envelope, self._judged)

    def _judged(self, envelope_hash: bytes, offer: IncomingOffer | None) -> None:
        """What became of an envelope; None if it is nothing for us, ever."""
        if offer is None:
            self._worthless += 1
            self._say_done(envelope_hash, None)
            return
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
        """Whether an offer lies there."""
        return self._all.held.is_held(offer.envelope_hash, self._holder)

    def settled(self, offer: IncomingOffer) -> None:
        """An offer was stored, declined or refused: it need not be held any more."""
        if offer.state in SETTLED and self._all.held.is_held(offer.envelope_hash, self._holder):
            self._say_done(offer.envelope_hash, offer)

    def _say_done(self, envelope_hash: bytes, offer: IncomingOffer | None) -> None:
        if envelope_hash in self._told or self._link.ended.is_set():
            return
        self._told.add(envelope_hash)
        stored = offer is not None and offer.state == "stored"
        receipt = self._all.inbox.receipt(offer) if offer is not None and stored else b""
        self._link.post(messages.HeldDone(envelope_hash, receipt))

    def gone(self, envelope_hash: bytes) -> None:
        """It lies there no longer."""
        self._told.discard(envelope_hash)
        self._all.held.remove(envelope_hash, self._holder)
