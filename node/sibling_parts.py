"""What devices of one person keep equal, wired together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..crypto.errors import LocalError
from ..protocol.sibling_kinds import ATTESTATION, CONTACT, HOLDER, MAILBOX, PHOTO, RULES, SHOWN
from .backing_up import BackingUp
from .library import IncomingOffer
from .sibling_albums import AlbumTeller
from .sibling_book import SiblingBook
from .sibling_contacts import ContactTeller, HolderTeller
from .sibling_keeping import SiblingKeeping
from .sibling_papers import AttributeTeller, RulesTeller
from .sibling_photos import GrantTeller, MarkTeller, PhotoTeller
from .sibling_store import SiblingStore
from .sibling_trash import SiblingTrash
from .siblings import Siblings
from .tasks import Tasks, together

if TYPE_CHECKING:
    from .exchange_parts import ExchangeParts

TRASH_LOOK_SECONDS: Final = 3600.0
"""How often it is looked for what has lain in the trash long enough."""

_log = logging.getLogger(__name__)


class SiblingParts:
    """All of it that is shared by all links."""

    def __init__(
        self,
        parts: ExchangeParts,
        *,
        backing_up: BackingUp,
        in_album: Callable[[bytes], bool],
        follow_up: Callable[[IncomingOffer], None],
        news: Callable[[], None],
        wanted: Callable[[], None],
        arrived: Callable[[], None],
        again: Callable[[bytes], None],
        met: Callable[[], None],
        spread: Callable[[], None],
        mailbox_changed: Callable[[], None],
        album_missing: Callable[[bytes], None],
    ) -> None:
        """`parts` are those that these stand on. `news`: there is something to tell siblings;
        `wanted`: photos are to be brought; `arrived`: some are here; `again`: one that another
        device kept for us. `follow_up` hears of offers that are accepted here because a sibling
        accepted the photo; the others are what the node does when contacts, papers or mailboxes
        changed.
        """
        self.device: Final = parts.device
        self.library: Final = parts.library
        self.blobs: Final = parts.blobs
        self.inbox: Final = parts.inbox
        self.judge: Final = parts.judge
        self.renditions: Final = parts.renditions
        self.events: Final = parts.events
        self.now: Final = parts.clock
        self._papers = parts.papers
        self._roster = parts.roster
        self._remover = parts.remover
        self._follow_up = follow_up
        self._wanted = wanted
        self._arrived = arrived
        self._again = again
        self._met = met
        self._spread = spread
        self._mailbox_changed = mailbox_changed
        self._accepted: list[IncomingOffer] = []
        self._tasks = Tasks(_log)
        self.store: Final = SiblingStore(parts.database)
        book = SiblingBook(
            device=parts.device, store=self.store, revoked=self.is_revoked, now=parts.clock
        )
        self.siblings: Final = Siblings(
            device=parts.device,
            database=parts.database,
            library=parts.library,
            book=book,
            own_devices=parts.own_devices,
            others=self._has_others,
            applied=self._applied,
            said=news,
            now=parts.clock,
        )
        self.albums: Final = AlbumTeller(
            database=parts.database,
            store=parts.album_parts.store,
            shelf=parts.album_parts.shelf,
            told=book,
            missing=album_missing,
        )
        self.trash: Final = SiblingTrash(
            parts.database, parts.library, parts.blobs, parts.device.identity, parts.clock
        )
        photos = PhotoTeller(
            device=parts.device,
            library=parts.library,
            backing_up=backing_up,
            own_devices=parts.own_devices,
            told=book,
            is_wanted=lambda photo_id: self.keeping.is_wanted(photo_id),
            removed=parts.remover.take_out,
            drop_preview=lambda photo_id: self.keeping.drop_preview(photo_id),
            trash=self.trash,
            accepted=self._accepted.append,
            now=parts.clock,
        )
        self.keeping: Final = SiblingKeeping(
            database=parts.database,
            library=parts.library,
            book=book,
            blobs=parts.blobs,
            renditions=parts.renditions,
            remover=parts.remover,
            events=parts.events,
            in_album=in_album,
            row=photos.row,
            identity=parts.device.identity,
            now=parts.clock,
        )
        self.siblings.know(
            ContactTeller(parts.database, parts.library, book),
            HolderTeller(parts.database, parts.library, parts.mailboxes),
            RulesTeller(parts.rules),
            AttributeTeller(
                database=parts.database,
                library=parts.library,
                papers=parts.papers,
                own_devices=lambda: {
                    each.device: parts.device.identity for each in parts.roster.devices()
                },
            ),
            photos,
            MarkTeller(parts.library, parts.catalogue, parts.marks, parts.clock),
            GrantTeller(parts.database, parts.library),
            self.albums,
        )

    def is_revoked(self, device: bytes) -> bool:
        """Whether our identity took back a device of its own."""
        known = self._roster.device(device)
        revocations = self._papers.revocations
        if known is not None:
            return revocations.revokes_chain(known.chain)
        return revocations.revokes_device(self.device.identity, device)

    def _has_others(self) -> bool:
        return len(self._roster.devices()) > 1

    def _applied(self, kinds: set[str]) -> None:
        """The library became otherwise by what a sibling said."""
        accepted = list(self._accepted)
        self._accepted.clear()
        for offer in accepted:
            self._follow_up(self.library.offer(offer.envelope_hash) or offer)
        if any(kind.startswith(CONTACT) for kind in kinds):
            self._met()
        if kinds & {RULES, ATTESTATION, SHOWN}:
            self._spread()
        if kinds & {MAILBOX, HOLDER}:
            self._mailbox_changed()
        self.albums.settle()
        if PHOTO in kinds:
            self._tasks.spawn(self._remover.clear())
            self._wanted()
        self.events.publish("siblings", kinds=sorted(kinds))

    def photo_came(self, photo_id: bytes) -> None:
        """A photo is here now for which other devices may wait."""
        if self.keeping.came(photo_id):
            self._again(photo_id)
        self._arrived()

    def cut_lost(self) -> None:
        """Devices of ours were taken back here: up to here their words count, and no further."""
        lost = self._lost()
        ledger = self.siblings.book.ledger
        self.siblings.revoked(device for device in lost if ledger.cut(device) is None)
        self.store.end_all_promises(lost)

    def heard_of_lost(self) -> None:
        """A sibling took devices back. Up to where their words count it says itself."""
        self.siblings.revoked()
        self.store.end_all_promises(self._lost())

    def _lost(self) -> list[bytes]:
        return [each.device for each in self._roster.devices() if self.is_revoked(each.device)]

    async def run(self) -> None:
        """Say what changes."""
        self.albums.settle_all()
        await together(self.siblings.run(), self._keep_trash())

    async def _keep_trash(self) -> None:
        """Empty it, now and then."""
        while True:
            with contextlib.suppress(LocalError):  # a full disk: it is tried again
                self.trash.empty()
            await asyncio.sleep(TRASH_LOOK_SECONDS)

    async def close(self) -> None:
        """The node is locked."""
        await self._tasks.close()
