"""Leaving what is for contacts who are away with those who hold for them.

    queued, and its device not here -> Deposit -> the holder fetches the blobs -> Held
    delivered, refused or removed   -> HeldDone -> HeldGone

What was left is still offered to its device whenever that can be reached; whoever is first, the
device takes it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from ..crypto.blob import Kind
from ..crypto.errors import PeerError
from ..crypto.identity import DeviceChain
from ..protocol import limits, messages
from ..protocol.delivery import HeldBlob, day_of, mailbox_tag
from ..protocol.errors import (
    BusyError,
    DeniedError,
    HolderFullError,
    NotHoldingError,
    PeerFailedError,
    StorageFullError,
    UnexpectedMessageError,
    from_wire,
)
from ..protocol.opening import Entropy
from .deposits import Deposits
from .library import Delivery, Library, StoredBlob
from .link import Link
from .mailboxes import Mailbox, Mailboxes
from .outbox import FINAL_STATES, Outbox
from .pace import about
from .photo_errors import BlobMissingError
from .tasks import together

AWAY_SECONDS: Final = 3
"""How long something is queued before it is left with a holder: a link may be on its way."""
RETRY_SECONDS: Final = 600.0
"""About how long a holder that had no room is left alone."""
LOOK_SECONDS: Final = 3600.0
"""How often it is looked what is to be left, on a link on which nothing happens."""
_AT_ONCE: Final = limits.DEPOSITS // 2
_PAGE: Final = 64
_BURST_SECONDS: Final = 0.1
_FAILURES: Final = 8
"""Failures of a holder one after the other with which it is left alone: fewer are about a photo."""
_PASSING: Final = (BusyError, HolderFullError, StorageFullError, PeerFailedError)

_log = logging.getLogger(__name__)

Check = Callable[[Delivery, DeviceChain], None]
"""Raises why a delivery may not be left for a device; see `Judge.check_deposit`."""


class Depositing:
    """What all links have in common: what is to be left, with whom, and who is here."""

    def __init__(
        self,
        *,
        library: Library,
        deposits: Deposits,
        mailboxes: Mailboxes,
        outbox: Outbox,
        check: Check,
        is_here: Callable[[bytes], bool],
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self.library: Final = library
        self.deposits: Final = deposits
        self.mailboxes: Final = mailboxes
        self.outbox: Final = outbox
        self.check: Final = check
        self.is_here: Final = is_here
        self.now: Final = now
        self._entropy = entropy
        self._depositors: set[Depositor] = set()

    def join(self, depositor: Depositor) -> None:
        """A link that may lead to a holder is up."""
        self._depositors.add(depositor)

    def leave(self, depositor: Depositor) -> None:
        """It has ended."""
        self._depositors.discard(depositor)

    def tell(self) -> None:
        """Something was queued, or somebody went."""
        for depositor in self._depositors:
            depositor.tell()

    def over(self, envelope_hash: bytes) -> None:
        """What became of an envelope is known: nobody need hold it."""
        for depositor in self._depositors:
            depositor.over(envelope_hash)

    def look_again(self) -> None:
        """Something else changed: all that was left, or is to be, is looked at."""
        for depositor in self._depositors:
            depositor.look_again()

    def told(self, owner: bytes) -> None:
        """Somebody says where what is for it may be left."""
        mailbox = self.mailboxes.of(owner)
        self.deposits.dismiss(
            owner, lambda holder: mailbox is not None and mailbox.is_held_by(holder)
        )
        self.look_again()

    def pause(self) -> float:
        """Seconds for which a holder is left alone."""
        return about(RETRY_SECONDS, self._entropy)


class Depositor:
    """Leaves envelopes with the contact at the other end of one link, if that holds for others."""

    def __init__(self, link: Link, depositing: Depositing) -> None:
        self._link = link
        self._holder: Final = link.peer.identity
        self._all = depositing
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._over: set[bytes] = set()
        self._looked: dict[bytes, int] = {}
        self._looked_at = 0
        self._looks = True
        self._answers = asyncio.Event()
        self._under_way: dict[bytes, tuple[bytes, ...]] = {}
        self._quiet_until = 0.0
        self._full_until: dict[bytes, float] = {}
        self._failures = 0
        self._not_held: dict[bytes, bytes] = {}
        self._told_over: set[bytes] = set()

    def tell(self) -> None:
        """There may be something to leave."""
        self._news.set()

    def over(self, envelope_hash: bytes) -> None:
        """What became of an envelope is known."""
        self._over.add(envelope_hash)
        self._ended.set()

    def look_again(self) -> None:
        """There may be something to leave or to withdraw of all that there is."""
        self._looked = {}
        self._looks = True
        self._news.set()
        self._ended.set()

    async def run(self) -> None:
        """Leave what there is to leave, and withdraw what is over, for as long as the link is up.

        Neither waits for the other: what is being fetched may take hours.
        """
        self._all.join(self)
        try:
            await together(
                self._keep(self._news, self._leave_all), self._keep(self._ended, self._tell_over)
            )
        finally:
            self._all.leave(self)

    async def _keep(self, news: asyncio.Event, work: Callable[[], Awaitable[float]]) -> None:
        """Do it whenever there are news, and after as many seconds as it says."""
        while True:
            news.clear()
            waits = await work()
            await asyncio.sleep(_BURST_SECONDS)  # news come in bursts
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(waits):
                    await news.wait()

    async def _tell_over(self) -> float:
        """Say what need not be held any more, also of what is just being fetched."""
        over, self._over = self._over, set()
        looks, self._looks = self._looks, False
        for envelope_hash in over:
            if self._all.deposits.state(envelope_hash, self._holder) is not None:
                await self._withdraw(envelope_hash)
        after: bytes | None = b""
        while looks and after is not None:
            found, after = self._all.deposits.over(self._holder, after, _PAGE)
            for envelope_hash in found:
                await self._withdraw(envelope_hash)
            await asyncio.sleep(0)  # there may be thousands
        return LOOK_SECONDS

    async def _withdraw(self, envelope_hash: bytes) -> None:
        if envelope_hash not in self._told_over:
            self._told_over.add(envelope_hash)
            if self._under_way.pop(envelope_hash, None) is not None:
                self._answers.set()
            await self._link.send(messages.HeldDone(envelope_hash, b""))

    async def _leave_all(self) -> float:
        """Leave what is for all devices that are away; after how many seconds to look again."""
        clock = asyncio.get_running_loop().time
        waits = LOOK_SECONDS
        if not 0 <= self._all.now() - self._looked_at < LOOK_SECONDS:
            self._looked_at = self._all.now()
            self._not_held.clear()  # its owner may have told the holder since that it holds
            self.look_again()
        for mailbox in self._all.mailboxes.held_by(self._holder):
            if self._not_held.get(mailbox.identity) == mailbox.secret.reveal():
                continue
            if self._is_full(mailbox.identity):
                waits = min(waits, self._full_until[mailbox.identity] - clock())
                continue
            for chain in self._all.library.devices(mailbox.identity):
                if self._all.is_here(chain.device):
                    continue
                if self._is_quiet():
                    return self._quiet_until - clock()
                await self._leave_for(mailbox, chain)
                if self._all.deposits.are_young(chain.device, self._before()):
                    waits = min(waits, AWAY_SECONDS)
        return waits

    def _is_quiet(self) -> bool:
        """Whether it had no room lately."""
        return asyncio.get_running_loop().time() < self._quiet_until

    def _is_full(self, identity: bytes) -> bool:
        """Whether it had no room for somebody lately; it may well have some for others."""
        return asyncio.get_running_loop().time() < self._full_until.get(identity, 0.0)

    def _before(self) -> int:
        return self._all.now() - AWAY_SECONDS

    async def _leave_for(self, mailbox: Mailbox, chain: DeviceChain) -> None:
        """Leave what is for one device, behind what was looked at before."""
        looked = self._looked  # another one, once all is to be looked at again
        while True:
            page, last = self._all.deposits.to_leave(
                chain.device, self._holder,
                now=self._all.now(), before=self._before(),
                after=looked.get(chain.device, 0), most=_PAGE,
            )  # fmt: skip
            for delivery in page:
                quiet = self._is_quiet() or self._is_full(mailbox.identity)
                if quiet or self._all.is_here(chain.device):
                    return
                looked[chain.device] = delivery.number
                await self._leave(mailbox, chain, delivery)
            if last is None:
                return
            looked[chain.device] = last
            await asyncio.sleep(0)  # of thousands that are held nothing may be to be left

    async def _leave(self, mailbox: Mailbox, chain: DeviceChain, delivery: Delivery) -> None:
        envelope_hash, now = delivery.envelope_hash, self._all.now()
        while len(self._under_way) >= _AT_ONCE:
            self._answers.clear()
            await self._answers.wait()
        current = self._all.library.delivery(envelope_hash)
        if current is None or current.state in FINAL_STATES or envelope_hash in self._under_way:
            return
        try:
            self._all.check(delivery, chain)
            blobs = self._blobs(delivery)
        except (DeniedError, BlobMissingError) as error:
            await self._not_left(envelope_hash, error)
            return
        ends = now + limits.HELD_SECONDS
        expires = day_of(ends if delivery.expires is None else min(ends, delivery.expires))
        self._under_way[envelope_hash] = tuple(blob.content_id for blob in blobs)
        self._all.deposits.put(envelope_hash, self._holder, "offered", None, now)
        tag = mailbox_tag(mailbox.secret, mailbox.identity, day_of(now))
        await self._link.send(messages.Deposit(tag, delivery.envelope, expires, blobs))

    async def _not_left(self, envelope_hash: bytes, error: DeniedError | BlobMissingError) -> None:
        """It may not be left now: what waits for papers is judged again when its device comes. If
        it was left there before, it is withdrawn.
        """
        was_left = self._all.deposits.state(envelope_hash, self._holder) is not None
        now = self._all.now()
        self._all.deposits.put(envelope_hash, self._holder, "refused", error.code, now)
        if was_left:
            self._dropped(envelope_hash)
            await self._link.send(messages.HeldDone(envelope_hash, b""))

    def _dropped(self, envelope_hash: bytes) -> None:
        """This holder has it no more; maybe nobody has."""
        if not self._all.deposits.holders(envelope_hash):
            self._all.outbox.not_held(envelope_hash)

    def _blobs(self, delivery: Delivery) -> tuple[HeldBlob, ...]:
        """All that a delivery is about; `BlobMissingError`."""
        photo = self._all.library.photo(delivery.photo_id)
        if photo is None:
            raise BlobMissingError
        found: list[HeldBlob] = []
        for kind in (Kind.ORIGINAL, Kind.METADATA):
            stored = self._all.library.blob(photo.record.blob_id(kind))
            if stored is None:
                raise BlobMissingError
            length = stored.decoded_manifest().length
            found.append(HeldBlob.under(stored.content_id, length, stored.key))
        return tuple(found)

    # What the other side says.

    def to_pull(self, message: messages.FetchHeld) -> StoredBlob | None:
        """A blob that the holder may fetch, as it belongs to what is under way to it."""
        if not any(message.content_id in blobs for blobs in self._under_way.values()):
            return None
        return self._all.library.blob(message.content_id)

    def held(self, envelope_hash: bytes) -> None:
        """It holds an envelope and all its blobs."""
        if self._answered(envelope_hash):
            self._failures = 0
            now = self._all.now()
            self._all.deposits.put(envelope_hash, self._holder, "held", None, now)
            self._all.outbox.held(envelope_hash)

    def refused(self, envelope_hash: bytes, code: int) -> None:
        """It does not take an envelope, now or ever."""
        if not self._answered(envelope_hash):
            return
        error = from_wire(code)
        _log.info("a holder refused what was left for somebody: %s", error.code)
        deposits, now = self._all.deposits, self._all.now()
        if isinstance(error, NotHoldingError):
            deposits.remove(envelope_hash, self._holder)
            self._leave_out(envelope_hash)
        elif isinstance(error, _PASSING):
            deposits.remove(envelope_hash, self._holder)
            self._leave_alone(envelope_hash, error)
        else:
            deposits.put(envelope_hash, self._holder, "refused", error.code, now)
            self._all.look_again()
        self._dropped(envelope_hash)
        self.tell()

    def _leave_alone(self, envelope_hash: bytes, error: PeerError) -> None:
        """It has no room for somebody, or does not take anything now. What can't be brought for a
        reason of its own, such as a file that can't be read, keeps nothing else waiting.
        """
        if isinstance(error, PeerFailedError):
            self._failures += 1
            if self._failures < _FAILURES:
                return
            self._failures = 0
        until = asyncio.get_running_loop().time() + self._all.pause()
        self._looked = {}
        delivery = self._all.library.delivery(envelope_hash)
        if isinstance(error, HolderFullError) and delivery is not None:
            self._full_until[delivery.identity] = until
        else:
            self._quiet_until = until

    def _leave_out(self, envelope_hash: bytes) -> None:
        """It says that it does not hold for somebody: nothing more is left until they agree."""
        delivery = self._all.library.delivery(envelope_hash)
        mailbox = None if delivery is None else self._all.mailboxes.of(delivery.identity)
        if mailbox is not None:
            self._not_held[mailbox.identity] = mailbox.secret.reveal()

    def _answered(self, envelope_hash: bytes) -> bool:
        """Whether an answer was due."""
        if self._under_way.pop(envelope_hash, None) is None:
            if self._all.deposits.state(envelope_hash, self._holder) is None:
                raise UnexpectedMessageError  # nothing of that kind was ever left there
            return False
        self._answers.set()
        return True

    def gone(self, envelope_hash: bytes) -> None:
        """It holds an envelope no longer: it was told so, or the time that it gives is over."""
        self._told_over.discard(envelope_hash)
        delivery = self._all.library.delivery(envelope_hash)
        dismissed = self._all.deposits.is_dismissed(envelope_hash, self._holder)
        if delivery is None or delivery.state in FINAL_STATES or dismissed:
            self._all.deposits.remove(envelope_hash, self._holder)
            if dismissed:  # it may have been chosen again
                self.look_again()
        elif self._all.deposits.state(envelope_hash, self._holder) is not None:
            now, code = self._all.now(), NotHoldingError.code
            self._all.deposits.put(envelope_hash, self._holder, "refused", code, now)
            self._dropped(envelope_hash)
            self._all.look_again()
