"""Holding for contacts who are away: what all links have in common, and what a person decides.

`holder` is the part that talks on a link, `held` keeps, `holding_terms` says how much.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..crypto.blob import Manifest
from ..crypto.errors import KinlightError, LocalError, PeerError
from ..protocol import messages
from ..protocol.delivery import DAY_SECONDS, day_of, mailbox_tags
from ..protocol.errors import ExpiredGrantError, GoneError, MalformedError, NotHoldingError
from ..protocol.messages import Deposit
from . import views_holding
from .commits import Commits
from .counters import Counters
from .held import AT_A_TIME, NOTHING, HeldStore, Item, Removed
from .holder import Holder
from .holding_terms import HoldingTerms
from .library import Contact, Library
from .mailboxes import Mailboxes
from .papers import LAST_SECOND
from .pulling import Pulls

SWEEP_SECONDS: Final = 600.0
"""How often what is over is looked for."""

_log = logging.getLogger(__name__)


class Hold:
    """What this node holds, and the links over which it does."""

    def __init__(
        self,
        *,
        identity: bytes,
        library: Library,
        held: HeldStore,
        terms: HoldingTerms,
        mailboxes: Mailboxes,
        commits: Commits,
        counters: Counters,
        now: Callable[[], int],
    ) -> None:
        self.held: Final = held
        self.terms: Final = terms
        self.pulls: Final = Pulls(held)
        self._identity = identity
        self._library = library
        self._mailboxes = mailboxes
        self._commits = commits
        self._counters = counters
        self._now = now
        self._tags_of = (-1, -1)
        self._tags: dict[bytes, bytes] = {}
        self._holders: set[Holder] = set()
        self._unlinking: set[asyncio.Task[None]] = set()

    # Links.

    def join(self, holder: Holder) -> None:
        """A link is up."""
        self._holders.add(holder)

    def leave(self, holder: Holder) -> None:
        """It has ended."""
        self._holders.discard(holder)

    def _links_to(self, identity: bytes) -> list[Holder]:
        return [holder for holder in self._holders if holder.identity == identity]

    def announcement(self, identity: bytes) -> messages.Holding:
        """What a contact is told that is held for it."""
        if not self.terms.holds_for(identity):
            return messages.Holding(0, 0, backup=False)
        terms = self.terms.get()
        return messages.Holding(
            terms.per_contact, terms.seconds, backup=self.terms.backs_up(identity)
        )

    # Taking in.

    async def admit(self, depositor: bytes, envelope_hash: bytes, message: Deposit) -> Item:
        """The item of a deposit: one that is here, or a new one whose blobs are to be fetched.

        Raises why it is not taken in.
        """
        owner = self._owner_of(message.tag)
        return await self._commits.run(
            lambda: self._admit(depositor, owner, envelope_hash, message)
        )

    def _admit(
        self, depositor: bytes, owner: bytes, envelope_hash: bytes, message: Deposit
    ) -> Item:
        contact = self._library.contact_of(depositor)
        if contact is None or contact.blocked:  # while its links are being ended
            raise NotHoldingError
        known = self.held.find(depositor, envelope_hash)
        if known is not None:
            if known.owner != owner or set(self.held.blobs_of(known)) != set(message.blobs):
                raise MalformedError("a deposit that is another than before")
            return known
        now, terms = self._now(), self.terms.get()
        expires = min((message.expires + 1) * DAY_SECONDS, now + terms.seconds)
        if depositor == owner:
            if not self.terms.backs_up(owner):
                raise NotHoldingError
            expires = LAST_SECOND
        if expires <= now:
            raise ExpiredGrantError
        return self.held.add(
            depositor, owner, message.envelope, message.blobs,
            expires=expires, terms=terms, now=now,
        )  # fmt: skip

    def _owner_of(self, tag: bytes) -> bytes:
        """For whom something is left under a tag; `NotHoldingError` if that is nobody we hold for.

        The tags of all mailboxes are made once a day and whenever one changes: a flood of deposits
        must not cost as much as there are contacts. They look random to who lacks the secret, so
        how far one agrees with that of a guess tells nothing.
        """
        today = day_of(self._now())
        if self._tags_of != (today, self._mailboxes.changes):
            self._tags_of = (today, self._mailboxes.changes)
            self._tags = {
                known: mailbox.identity
                for mailbox in self._mailboxes.held_by(self._identity)
                for known in mailbox_tags(mailbox.secret, mailbox.identity, today)
            }
        found = self._tags.get(tag)
        contact = None if found is None else self._library.contact_of(found)
        if contact is None or contact.blocked or not self.terms.holds_for(contact.identity):
            raise NotHoldingError
        return contact.identity

    def look_again(self) -> None:
        """A contact is not blocked any more: its mailbox counts."""
        self._tags_of = (-1, -1)

    async def complete(self, item: Item, manifests: list[Manifest]) -> None:
        """All blobs of an item are here: it counts now, and whose it is may hear of it.

        `manifests` are those of the ones that were fetched.
        """
        try:
            await self._commits.run(lambda: self.held.complete(item, manifests))
        except GoneError:
            blobs = frozenset((item.depositor, each.content_id) for each in manifests)
            self._clear(Removed(0, blobs))
            raise
        self.held.settle(item.depositor, manifests)
        self._counters.held += 1
        for holder in self._links_to(item.owner):
            if item.depositor != item.owner:
                holder.news()

    def refused(self, error: PeerError) -> None:
        """A deposit was refused."""
        self._counters.refused("deposit", error.code)

    async def give_up(self, item: Item) -> None:
        """An item whose blobs do not come, or are not what they must be."""
        with contextlib.suppress(LocalError):  # a full disk, say: it is swept later
            self._clear(await self._commits.run(lambda: self.held.end(item)))

    # Removing.

    def done(
        self, identity: bytes, envelope_hash: bytes, receipt: bytes, then: Callable[[], None]
    ) -> None:
        """Remove what was for or from a contact; `then` is called once it is gone durably."""
        depositors: set[bytes] = set()

        def remove() -> Removed:
            depositors.update(self.held.depositors_of(identity, envelope_hash))
            return self.held.done(identity, envelope_hash, receipt, self._now())

        def removed(outcome: object) -> None:
            if not isinstance(outcome, Removed):
                return  # it is said again on the next link
            self._counters.released += outcome.items
            self._clear(outcome)
            then()
            for depositor in depositors if receipt else ():
                for holder in self._links_to(depositor):
                    holder.send_receipts()

        self._commits.post(remove, removed)

    def _clear(self, removed: Removed) -> None:
        """Remove the files of blobs that nothing names any more."""
        aside = self.held.take_out(removed.blobs, self.pulls.is_busy)
        if aside:
            task = asyncio.create_task(asyncio.to_thread(_unlink, aside))
            self._unlinking.add(task)
            task.add_done_callback(self._unlinking.discard)

    async def _remove_all(self, remove: Callable[[], Removed]) -> int:
        """Remove some after the other, so that others have their turn, until none is left."""
        count = 0
        while True:
            removed = await self._commits.run(remove)
            self._clear(removed)
            count += removed.items
            if removed.items < AT_A_TIME:
                return count

    async def sweep(self) -> int:
        """Remove what has been here too long; how many."""
        now = self._now()
        count = await self._remove_all(lambda: self.held.remove_over(now))
        await self._commits.run(lambda: self.held.remove_old_receipts(now))
        return count

    async def run(self) -> None:
        """Keep removing what is over."""
        while True:
            try:
                await self.sweep()
            except KinlightError as error:  # a full disk: it is tried again
                _log.warning("what is held too long could not be removed: %s", error.code)
            await asyncio.sleep(SWEEP_SECONDS)

    async def close(self) -> None:
        """Wait for files that are being removed."""
        await asyncio.gather(*self._unlinking, return_exceptions=True)

    async def forget(self, identity: bytes) -> None:
        """A contact was blocked: nothing of it or for it is kept."""
        await self._remove_all(lambda: self.held.remove_of(identity, from_it=True))
        await self._commits.run(lambda: self.held.remove_receipts_of(identity))

    # What a person decides.

    def view(self) -> views_holding.Holding:
        """How it stands."""
        terms, total = self.terms.get(), self.held.total()
        contacts = [self._view_of(contact) for contact in self._library.contacts()]
        return views_holding.Holding(
            everybody=terms.everybody,
            quota=terms.quota,
            per_contact=terms.per_contact,
            days=terms.seconds // DAY_SECONDS,
            items=total.items,
            bytes=total.bytes,
            contacts=[
                view
                for view in contacts
                if terms.everybody or view.holds or view.items or view.left_items
            ],
        )

    def _view_of(self, contact: Contact) -> views_holding.HeldFor:
        held = self.held.total_of(contact.identity, "owner")
        left = self.held.total_of(contact.identity, "depositor")
        mailbox = self._mailboxes.of(contact.identity)
        return views_holding.HeldFor(
            name=contact.name,
            holds=self.terms.holds_for(contact.identity) and not contact.blocked,
            lets=mailbox is not None and mailbox.is_held_by(self._identity),
            backup=self.terms.backs_up(contact.identity),
            items=held.items,
            bytes=held.bytes,
            oldest=None if held == NOTHING else self.held.oldest_for(contact.identity),
            left_items=left.items,
            left_bytes=left.bytes,
        )

    def turn_on(
        self,
        names: list[str],
        *,
        quota: int | None = None,
        per_contact: int | None = None,
        days: int | None = None,
        backup: list[str] | None = None,
    ) -> views_holding.Holding:
        """Hold for some contacts, or for all where none is named; what is not given stays.

        Of a node that holds for somebody already, terms alone change nothing about for whom.
        """
        contacts = [self._library.contact(name) for name in names]
        backed_up = [self._library.contact(name) for name in backup or []]
        given = {"quota": quota, "per_contact": per_contact}
        changes = {name: value for name, value in given.items() if value is not None}
        if days is not None:
            changes["seconds"] = days * DAY_SECONDS
        before = self.terms.get()
        terms = dataclasses.replace(before, **changes)
        if quota is not None and per_contact is None:
            terms = dataclasses.replace(terms, per_contact=min(terms.per_contact, quota))
        everybody = not contacts and not backed_up and not (changes and self.terms.are_on)
        if everybody:
            terms = dataclasses.replace(terms, everybody=True)
        self.terms.set(terms.checked())
        if everybody:
            self.terms.hold_for_all()
        for contact in (*contacts, *backed_up):
            self.terms.set_for(contact.identity, holds=True)
        for contact in backed_up:
            self.terms.set_backup(contact.identity, backup=True)
            self.held.begin_backup(contact.identity, LAST_SECOND)
        self._announce()
        return self.view()

    async def turn_off(self, names: list[str], *, drop: bool) -> views_holding.Holding:
        """Hold for some contacts no longer, or for nobody where none is named.

        What is here stays until it is delivered or its time is over; with `drop` it goes now.
        """
        contacts = [self._library.contact(name) for name in names]
        terms = self.terms.get()
        if contacts:
            self.terms.set(terms)
            for contact in contacts:
                self.terms.stop_for(contact.identity)
        else:
            self.terms.stop(terms)
        for contact in contacts or self._library.contacts():
            self.held.end_backup(contact.identity, self._now() + terms.seconds)
        self._announce()
        if drop:
            for contact in contacts or self._library.contacts():
                identity = contact.identity
                await self._remove_all(
                    lambda identity=identity: self.held.remove_of(identity, from_it=False)
                )
        return self.view()

    def _announce(self) -> None:
        for holder in self._holders:
            holder.announce()


def _unlink(files: list[Path]) -> None:
    """In a thread: large ones take long. What can't be removed is swept at the next start."""
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
