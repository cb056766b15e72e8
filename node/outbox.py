"""What goes out: photos become offers, offers become deliveries."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from ..crypto.blob import Kind
from ..crypto.errors import PeerError
from ..crypto.identity import DeviceCertificate, DeviceChain
from ..protocol.capability import WHOEVER, Audience, Capability
from ..protocol.certificates import joined
from ..protocol.errors import (
    BrokenReceiptError,
    BusyError,
    DeniedError,
    MissingAttributeError,
    PeerFailedError,
    RevokedDeviceError,
    RevokedGrantError,
    StaleRevocationsError,
    StorageFullError,
    from_wire,
)
from ..protocol.messages import Delivered, HeldReceipt, Offer, OfferRefused, OfferTaken, Stored
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.photo import Envelope
from ..protocol.receipt import Receipt
from .commits import Commits
from .contact_errors import NoDeviceError
from .errors import UnreadableFileError
from .events import Events
from .grants import Grants, Terms
from .library import Contact, Delivery, Library, Photo
from .link import Link
from .own_devices import OwnDevices
from .pace import about
from .papers import LAST_SECOND, Papers
from .receipts import Receipts, fits_clock

Check: TypeAlias = Callable[[Capability, DeviceChain, bytes], None]
"""Raises why a device may not have a photo by a grant of ours; see `Judge.check_offer`."""

OFFERS_ON_THE_WAY: Final = 256
"""Offers sent on a link and not yet answered."""
RETRY_SECONDS: Final = 300.0
"""About how long one who has too much to do is left alone."""
_PAGE: Final = 64
"""Deliveries that are read at a time."""
FINAL_STATES: Final = ("delivered", "refused")

_RETRIED: Final = (
    StorageFullError, BusyError, PeerFailedError, StaleRevocationsError, MissingAttributeError,
)  # fmt: skip
"""Refusals that are about the moment, not about the photo: offered again on the next link."""


_WAITS: Final = (StaleRevocationsError, MissingAttributeError)
"""Why something is not offered yet, until papers come: what others say, or took back."""


_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Way:
    """What is going on over the link to one device."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    after: int = 0
    """The number of the last delivery that was looked at."""
    offered: set[bytes] = field(default_factory=set[bytes])
    """The envelopes that were offered over this link and are still open."""
    unanswered: set[bytes] = field(default_factory=set[bytes])
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    again: float | None = None
    """When the device, which had too much to do for something, is offered that again."""


class Outbox:
    """Seals, signs, queues and keeps track of what goes out."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        own_devices: OwnDevices,
        library: Library,
        commits: Commits,
        grants: Grants,
        receipts: Receipts,
        papers: Papers,
        events: Events,
        entropy: Entropy,
        now: Callable[[], int],
        changed: Callable[[], None],
        over: Callable[[bytes], None],
    ) -> None:
        """`changed` is called when something is queued for who is not here, or who was here went;
        `over` with the hash of an envelope of which it is known what became of it.
        """
        self._device = device
        self._own_devices = own_devices
        self._library = library
        self._commits = commits
        self._grants = grants
        self._receipts = receipts
        self._papers = papers
        self._events = events
        self._entropy = entropy
        self._now = now
        self._changed = changed
        self._over = over
        self._ways: dict[bytes, list[_Way]] = {}

    # Queuing.

    def queue(self, photo: Photo, contact: Contact, terms: Terms) -> Delivery:
        """Grant a photo of ours to the contact and queue an envelope for each of its devices.

        Gives the first of the deliveries; those of an earlier grant of the same terms stand.
        """
        return self._queue(photo, contact, terms, Audience("identity", contact.identity), None, ())

    def pass_on(
        self,
        photo: Photo,
        contact: Contact,
        terms: Terms,
        parent: Capability,
        papers: tuple[DeviceCertificate, ...],
        device: bytes | None,
    ) -> Delivery:
        """The same under a grant that we have ourselves, to the contact or to one device of it.

        `papers` show who signed `parent` and the photo's record.
        """
        audience = (
            Audience("identity", contact.identity) if device is None else Audience("device", device)
        )
        return self._queue(photo, contact, terms, audience, parent, papers)

    def _queue(
        self,
        photo: Photo,
        contact: Contact,
        terms: Terms,
        audience: Audience,
        parent: Capability | None,
        papers: tuple[DeviceCertificate, ...],
    ) -> Delivery:
        caveats = terms.caveats(photo.photo_id)
        equal = {
            grant.grant_hash
            for grant in self._grants.find(photo.photo_id, contact.identity)
            if grant.capability.links[-1].caveats == caveats
            and grant.capability.links[-1].audience == audience
            and grant.capability.parent == parent
            and grant.capability.revoked(self._papers.revocations) is None
        }
        standing = [
            delivery
            for delivery in self._library.deliveries(photo.photo_id)
            if delivery.grant_hash in equal
            and delivery.state != "refused"
            and not self._is_lost(contact.identity, delivery.device)
        ]
        if not standing:
            capability = Capability.grant(
                self._device.signing,
                self._device.identity,
                audience,
                caveats,
                self._entropy(16),
                parent,
            )
            standing = self._address(photo, contact, capability, papers)
        for delivery in standing:
            self._tell(delivery.device)
        return standing[0]

    def queue_open(self, photo: Photo, contact: Contact, capability: Capability) -> Delivery:
        """Queue an envelope with an open grant, which is noted already, for each device."""
        deliveries = self._address(photo, contact, capability)
        for delivery in deliveries:
            self._tell(delivery.device)
        return deliveries[0]

    def look_again(self, device: bytes) -> None:
        """Something changed for a device that is connected: what waited may be offered now."""
        for way in self._ways_to(device):
            way.after = 0
            way.news.set()

    def _tell(self, device: bytes) -> None:
        """Something was queued for a device."""
        for way in self._ways_to(device):
            way.news.set()
        if device not in self._ways:
            self._changed()

    def is_here(self, device: bytes) -> bool:
        """Whether a link leads to a device."""
        return device in self._ways

    def _ways_to(self, device: bytes) -> list[_Way]:
        """For a moment there are two where both ends dialled; either may be the one that stays."""
        return self._ways.get(device, [])

    def _address(
        self,
        photo: Photo,
        contact: Contact,
        capability: Capability,
        papers: tuple[DeviceCertificate, ...] = (),
    ) -> list[Delivery]:
        """An envelope for each device of the contact that the capability is for."""
        content = self._library.blob(photo.record.content_id)
        metadata = self._library.blob(photo.record.metadata_id)
        if content is None or metadata is None:
            raise UnreadableFileError("its sealed copy is missing")
        own = photo.author == self._device.identity
        signed_by = self._own_devices.leading_to(photo.record.device) if own else ()
        now = self._now()
        audience = capability.links[-1].audience
        deliveries: list[Delivery] = []
        for chain in self._library.devices(contact.identity):
            if chain.kem_not_after <= now:
                continue  # its key is over; it shows a new one when it next connects
            if self._is_lost(contact.identity, chain.device):
                continue
            if audience.kind == "device" and audience.key != chain.device:
                continue
            envelope = Envelope.seal(
                self._device,
                chain.device,
                chain.kem,
                photo.record,
                capability,
                {Kind.ORIGINAL: content.key, Kind.METADATA: metadata.key},
                joined((papers, signed_by, self._device.chain.certificates)),
            )
            deliveries.append(
                Delivery(
                    envelope_hash=hashlib.sha256(envelope).digest(),
                    photo_id=photo.photo_id,
                    identity=contact.identity,
                    device=chain.device,
                    envelope=envelope,
                    expires=_storable(capability.expires),
                    state="queued",
                    code=None,
                    created=now,
                    updated=now,
                    grant_hash=capability.links[-1].signed.digest(),
                )
            )
        if not deliveries:
            raise NoDeviceError(contact.name)
        if capability.links[-1].audience != WHOEVER:  # these are noted before anybody has them
            self._grants.add(photo.photo_id, contact.identity, capability, now)
        self._library.add_deliveries(deliveries)
        return deliveries

    def is_passed_on(self, envelope_hash: bytes) -> bool:
        """Whether what is delivered was taken by somebody else."""
        delivery = self._library.delivery(envelope_hash)
        photo = None if delivery is None else self._library.photo(delivery.photo_id)
        return photo is not None and photo.author != self._device.identity

    def _is_lost(self, identity: bytes, device: bytes) -> bool:
        """Whether a contact said that a device is no longer its own: it gets no keys."""
        return self._papers.revocations.revokes_device(identity, device)

    def withdraw(self, photo_id: bytes, grant_hash: bytes) -> None:
        """Send no more of a grant that was taken back. What is there already stays there."""
        for delivery in self._library.deliveries(photo_id):
            if delivery.grant_hash == grant_hash:
                self._set(delivery, "refused", RevokedGrantError.code)

    def withdraw_device(self, device: bytes) -> None:
        """Send nothing more to a device that was lost."""
        for delivery in self._library.open_deliveries(device):
            self._set(delivery, "refused", RevokedDeviceError.code)

    # Delivering over one link.

    async def deliver(self, link: Link, check: Check) -> None:
        """Offer everything open to the device at the other end, and what comes up later.

        What waited here is checked first: with the offer the keys are gone.
        """
        device = link.peer.device
        way = _Way()
        self._ways.setdefault(device, []).append(way)
        try:
            while True:
                way.news.clear()
                while page := self._library.open_deliveries(device, way.after, _PAGE):
                    way.after = page[-1].number
                    for delivery in page:
                        await self._offer(link, way, delivery, check)
                    await asyncio.sleep(0)  # all of a page may have been offered before
                try:
                    async with asyncio.timeout_at(way.again):
                        await way.news.wait()
                except TimeoutError:
                    way.again, way.after = None, 0
        finally:
            ways = [each for each in self._ways_to(device) if each is not way]
            if ways:
                self._ways[device] = ways
            else:
                del self._ways[device]
                self._changed()

    async def _offer(self, link: Link, way: _Way, delivery: Delivery, check: Check) -> None:
        """Offer one delivery, if it is to be offered and this link has not done so."""
        device = link.peer.device
        if delivery.envelope_hash in way.offered:
            return
        while len(way.unanswered) >= OFFERS_ON_THE_WAY:
            way.answers.clear()
            await way.answers.wait()
        if self._is_lost(delivery.identity, device):
            self._set(delivery, "refused", RevokedDeviceError.code)
            return
        if delivery.state == "queued":
            try:
                self._check(delivery, link.peer, check)
            except DeniedError as error:
                state = "queued" if isinstance(error, _WAITS) else "refused"
                self._set(delivery, state, error.code)
                await asyncio.sleep(0)  # a long queue of these must not hold up the others
                return
        way.offered.add(delivery.envelope_hash)
        way.unanswered.add(delivery.envelope_hash)
        await link.send(Offer(delivery.envelope))

    def _check(self, delivery: Delivery, peer: DeviceChain, check: Check) -> None:
        """Raise why a queued delivery may not go now."""
        capability = self._grants.capability(delivery.grant_hash)
        if capability is not None:  # those of before version 0.2.0 are not known
            check(capability, peer, delivery.photo_id)

    def taken(self, device: bytes, message: OfferTaken, noted: Callable[[], None]) -> None:
        """The device keeps the offer; `noted` is called once the library knows."""
        state = "waiting" if message.waiting else "offered"
        self._answer(device, message.envelope_hash, state, None, noted)

    def stored(self, device: bytes, message: Stored, noted: Callable[[], None]) -> None:
        """The device has the photo, whole and verified; it speaks a version without receipts."""
        self._answer(device, message.envelope_hash, "delivered", None, noted)

    def delivered(self, device: bytes, message: Delivered, noted: Callable[[], None]) -> None:
        """The device has the photo, whole and verified, and signed that.

        Raises `BrokenReceiptError`, and `RevokedDeviceError` for a device that its owner called
        lost; nothing changes then.
        """
        receipt = self._receipt(message, device)
        self._answer(device, message.envelope_hash, "delivered", None, noted, receipt)

    def receipt_held(self, message: HeldReceipt, noted: Callable[[], None]) -> None:
        """Somebody kept a receipt for us; `noted` is called once it is known here, or is none.

        Who keeps receipts may show one again for a later delivery of the same photo, which a device
        on its own link speaks for itself: here its time must be that of the delivery.
        """
        envelope_hash = message.envelope_hash
        try:
            receipt = self._receipt(message, None)
            delivery = self._library.delivery(envelope_hash)
            if delivery is not None and not fits_clock(receipt, delivery.created, self._now()):
                raise BrokenReceiptError("its time is not that of the delivery")
        except PeerError as error:
            _log.info("a receipt that was held is none: %s", error)
            self._events.counters.refused("receipt", error.code)
            noted()
            return
        device = receipt.recipient
        self._is_answered(device, envelope_hash, "delivered")

        def then(outcome: object) -> None:
            """Who kept it keeps it until it is here durably."""
            if not isinstance(outcome, Exception):
                noted()

        move = partial(self._move, device, envelope_hash, "delivered", None, receipt)
        self._commits.post(move, then)

    def _receipt(self, message: Delivered | HeldReceipt, device: bytes | None) -> Receipt:
        """The receipt in a message, by `device` where that is known, for what the message names.

        Of what is not here any more only form and signature can be checked.
        """
        try:
            receipt = Receipt.decode(message.receipt)
        except PeerError as error:
            raise BrokenReceiptError(error.detail) from None
        if device not in (None, receipt.recipient):
            raise BrokenReceiptError("it is by another device than the one that shows it")
        delivery = self._library.delivery(message.envelope_hash)
        if delivery is None or device not in (None, delivery.device):
            return receipt  # and nobody can move another device's delivery
        photo = self._library.photo(delivery.photo_id)
        content_id = b"" if photo is None else photo.record.content_id
        if not receipt.acknowledges(delivery.device, self._device.identity, content_id):
            raise BrokenReceiptError("it is for something else")
        if self._is_lost(delivery.identity, delivery.device):
            raise RevokedDeviceError
        return receipt

    def held(self, envelope_hash: bytes) -> None:
        """Somebody holds it until its device comes."""
        delivery = self._library.delivery(envelope_hash)
        if delivery is not None and delivery.state in ("queued", "offered"):
            self._set(delivery, "held", None)

    def not_held(self, envelope_hash: bytes) -> None:
        """Somebody holds it no longer."""
        delivery = self._library.delivery(envelope_hash)
        if delivery is not None and delivery.state == "held":
            self._set(delivery, "queued", None)

    def refused(self, device: bytes, message: OfferRefused) -> None:
        """The device doesn't take the photo, now or ever."""
        error = from_wire(message.code)
        if isinstance(error, BusyError):  # it forgot the offer; what else passes it goes on with
            for way in self._ways_to(device):
                way.offered.discard(message.envelope_hash)
                if way.again is None:
                    way.again = asyncio.get_running_loop().time() + about(
                        RETRY_SECONDS, self._entropy
                    )
                    way.news.set()  # so that this counts from now on
        state = "offered" if isinstance(error, _RETRIED) else "refused"
        self._answer(device, message.envelope_hash, state, error.code, lambda: None)

    def _answer(
        self,
        device: bytes,
        envelope_hash: bytes,
        state: str,
        code: str | None,
        noted: Callable[[], None],
        receipt: Receipt | None = None,
    ) -> None:
        self._is_answered(device, envelope_hash, state)

        def note() -> None:
            self._move(device, envelope_hash, state, code, receipt)
            noted()

        self._commits.post(note)

    def _is_answered(self, device: bytes, envelope_hash: bytes, state: str) -> None:
        """Nothing is to be heard any more of an offer, for now or ever."""
        for way in self._ways_to(device):
            way.unanswered.discard(envelope_hash)
            if state in FINAL_STATES:
                way.offered.discard(envelope_hash)
            way.answers.set()

    def _move(
        self,
        device: bytes,
        envelope_hash: bytes,
        state: str,
        code: str | None,
        receipt: Receipt | None,
    ) -> None:
        delivery = self._library.delivery(envelope_hash)
        if delivery is None or delivery.device != device:
            return  # it was removed; and nobody can move another device's delivery
        if receipt is not None:  # also if the grant was taken back meanwhile: it has the photo
            self._receipts.add(envelope_hash, receipt, self._now())
        self._set(delivery, state, code)

    def _set(self, delivery: Delivery, state: str, code: str | None) -> None:
        if delivery.state in FINAL_STATES or (delivery.state, delivery.code) == (state, code):
            return
        now = self._now()
        self._library.set_delivery_state(delivery.envelope_hash, state, code, now)
        if state in FINAL_STATES:
            self._over(delivery.envelope_hash)
        if state == "refused":
            self._events.counters.refused("delivery", code or "")
        contact = self._library.contact_of(delivery.identity)
        self._events.publish(
            "delivery",
            photo=delivery.photo_id.hex(),
            to=contact.name if contact else "",
            state=state,
            code=code,
        )

    def states(self, photo: bytes) -> list[tuple[str, Delivery]]:
        """(contact's name, delivery) for each delivery of a photo."""
        found: list[tuple[str, Delivery]] = []
        for delivery in self._library.deliveries(photo):
            contact = self._library.contact_of(delivery.identity)
            found.append((contact.name if contact else "", delivery))
        return found


def _storable(time: int | None) -> int | None:
    """The format of grants goes further than the database."""
    return None if time is None else min(time, LAST_SECOND)
