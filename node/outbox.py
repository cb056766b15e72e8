"""What goes out: files become sealed photos, photos become offers, offers become deliveries."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Final

from ..crypto.blob import Kind
from ..crypto.errors import KinlightError
from ..protocol.capability import Audience, Capability, Caveats
from ..protocol.errors import (
    BusyError,
    PeerFailedError,
    StorageFullError,
    UnsupportedGrantError,
    from_wire,
)
from ..protocol.messages import Offer, OfferRefused, OfferTaken, Stored
from ..protocol.opening import Entropy, LocalDevice
from ..protocol.photo import POLICIES, Envelope
from . import sources
from .errors import (
    BadRequestError,
    BlockedContactError,
    NoDeviceError,
    UnreadableFileError,
)
from .events import Events
from .library import Contact, Delivery, Library, Photo
from .link import Link
from .originals import Originals, Taken
from .views import ShareItem, ShareProgress

OFFERS_ON_THE_WAY: Final = 256
"""Offers sent on a link and not yet answered."""
PROGRESS_SECONDS: Final = 0.2
FINAL_STATES: Final = ("delivered", "refused")

_RETRIED: Final = (StorageFullError, BusyError, PeerFailedError)
"""Refusals that are about the moment, not about the photo: offered again on the next link."""


def check_policy(policy: str | None) -> str:
    """The metadata policy to use. This version can only send originals, and never tacitly."""
    if policy == "original":
        return policy
    if policy is None:
        raise UnsupportedGrantError(
            "it can only send a file as it is, with place, time and camera if they are in it."
            " Say `--metadata original` if that is meant"
        )
    if policy in POLICIES:
        raise UnsupportedGrantError(f"`--metadata {policy}` needs a later version; only `original`")
    raise BadRequestError(f"metadata is one of {', '.join(POLICIES)}")


class Outbox:
    """Seals, signs, queues and keeps track of what goes out."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        events: Events,
        originals: Originals,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._library = library
        self._events = events
        self._originals = originals
        self._entropy = entropy
        self._now = now
        self._news: dict[bytes, asyncio.Event] = {}
        self._answers: dict[bytes, asyncio.Event] = {}
        self._unanswered: dict[bytes, set[bytes]] = {}

    # Sharing.

    async def share(
        self, paths: list[Path], contacts: list[Contact], policy: str, until: int | None
    ) -> AsyncGenerator[ShareItem | ShareProgress]:
        """Seal and queue each file for each contact; yields one item per file and contact.

        A file that can't be shared yields `failed` items and the others go on.
        """
        for contact in contacts:
            if contact.blocked:
                raise BlockedContactError(contact.name)
        for path in sources.files_in(paths):
            yield ShareProgress(str(path), None, 0, 1)
            importing = _Importing(str(path))
            try:
                async for step in importing.follow(self._originals.take(path, importing.report)):
                    yield step
                photo = importing.taken().photo
                items = [self._queue(path, photo, contact, until) for contact in contacts]
            except KinlightError as error:
                items = [
                    ShareItem(
                        str(path), path.name, contact.name, "failed",
                        code=error.code, message=str(error),
                    )
                    for contact in contacts
                ]  # fmt: skip
            for item in items:
                yield item

    def _queue(self, path: Path, photo: Photo, contact: Contact, until: int | None) -> ShareItem:
        """Grant the photo to the contact and queue an envelope for each of its devices."""
        standing = [
            delivery
            for delivery in self._library.deliveries(photo.photo_id)
            if delivery.identity == contact.identity
            and delivery.expires == until
            and delivery.state != "refused"
        ]
        if not standing:
            capability = Capability.grant(
                self._device.signing,
                self._device.identity,
                Audience("identity", contact.identity),
                Caveats(
                    photos=frozenset([photo.photo_id]),
                    operations=frozenset(["view"]),
                    before=until,
                    rendition="original",
                ),
                self._entropy(16),
            )
            standing = self._address(photo, contact, capability)
        for delivery in standing:
            self._event_for(self._news, delivery.device).set()
        return self.outgoing(str(path), contact.name, photo, standing[0])

    def _address(self, photo: Photo, contact: Contact, capability: Capability) -> list[Delivery]:
        content = self._library.blob(photo.record.content_id)
        metadata = self._library.blob(photo.record.metadata_id)
        if content is None or metadata is None:
            raise UnreadableFileError("its sealed copy is missing")
        now = self._now()
        deliveries: list[Delivery] = []
        for chain in self._library.devices(contact.identity):
            if chain.kem_not_after <= now:
                continue  # its key is over; it shows a new one when it next connects
            envelope = Envelope.seal(
                self._device,
                chain.device,
                chain.kem,
                photo.record,
                capability,
                {Kind.ORIGINAL: content.key, Kind.METADATA: metadata.key},
                self._device.chain.certificates,
            )
            deliveries.append(
                Delivery(
                    envelope_hash=hashlib.sha256(envelope).digest(),
                    photo_id=photo.photo_id,
                    identity=contact.identity,
                    device=chain.device,
                    envelope=envelope,
                    expires=capability.expires,
                    state="queued",
                    code=None,
                    created=now,
                    updated=now,
                )
            )
        if not deliveries:
            raise NoDeviceError(contact.name)
        self._library.add_deliveries(deliveries)
        return deliveries

    def outgoing(self, file: str, to: str, photo: Photo, delivery: Delivery) -> ShareItem:
        """How a delivery looks from outside."""
        return ShareItem(
            file,
            photo.metadata.name,
            to,
            delivery.state,
            photo.photo_id.hex(),
            photo.metadata.sha256.hex(),
            photo.metadata.length,
            delivery.code,
        )

    # Delivering over one link.

    async def deliver(self, link: Link) -> None:
        """Offer everything open to the device at the other end, and what comes up later."""
        device = link.peer.device
        news = self._event_for(self._news, device)
        answers = self._event_for(self._answers, device)
        unanswered = self._unanswered[device] = set[bytes]()
        offered: set[bytes] = set()
        while True:
            news.clear()
            for delivery in self._library.open_deliveries(device):
                if delivery.envelope_hash in offered:
                    continue
                while len(unanswered) >= OFFERS_ON_THE_WAY:
                    answers.clear()
                    await answers.wait()
                offered.add(delivery.envelope_hash)
                unanswered.add(delivery.envelope_hash)
                await link.send(Offer(delivery.envelope))
            await news.wait()

    @staticmethod
    def _event_for(events: dict[bytes, asyncio.Event], device: bytes) -> asyncio.Event:
        return events.setdefault(device, asyncio.Event())

    def taken(self, device: bytes, message: OfferTaken) -> None:
        """The device keeps the offer."""
        self._answer(device, message.envelope_hash, "waiting" if message.waiting else "offered")

    def stored(self, device: bytes, message: Stored) -> None:
        """The device has the photo, whole and verified."""
        self._answer(device, message.envelope_hash, "delivered")

    def refused(self, device: bytes, message: OfferRefused) -> None:
        """The device doesn't take the photo, now or ever."""
        error = from_wire(message.code)
        state = "offered" if isinstance(error, _RETRIED) else "refused"
        self._answer(device, message.envelope_hash, state, error.code)

    def _answer(
        self, device: bytes, envelope_hash: bytes, state: str, code: str | None = None
    ) -> None:
        delivery = self._library.delivery(envelope_hash)
        if delivery is None or delivery.device != device:
            return  # nobody can move another device's delivery
        if device in self._unanswered:
            self._unanswered[device].discard(envelope_hash)
            self._event_for(self._answers, device).set()
        if delivery.state in FINAL_STATES or (delivery.state, delivery.code) == (state, code):
            return
        now = self._now()
        self._library.set_delivery_state(envelope_hash, state, code, now)
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


class _Importing:
    """Runs an import and hands out its progress, which comes from threads, in between."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._latest: tuple[int, int] = (0, 1)
        self._task: asyncio.Task[Taken] | None = None

    def report(self, done: int, total: int) -> None:
        """Called from any thread; only the latest counts."""
        self._latest = (done, total)

    async def follow(self, work: Coroutine[None, None, Taken]) -> AsyncGenerator[ShareProgress]:
        """Run `work`; yields progress about five times a second. Errors show in `taken`."""
        task = self._task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=PROGRESS_SECONDS)
                yield ShareProgress(self._file, None, *self._latest)
        finally:
            if not task.done():
                task.cancel()

    def taken(self) -> Taken:
        """The result of `follow`, or its error."""
        if self._task is None:
            raise ValueError("not followed")
        return self._task.result()
