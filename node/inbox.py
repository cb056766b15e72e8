"""What comes in: offers are judged, and photos fetched; `storing` verifies and stores them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Generator
from typing import Final

from ..crypto.blob import fetch_token
from ..crypto.errors import (
    KinlightError,
    LocalError,
    MalformedError,
    PeerError,
    PieceMismatchError,
    SealBrokenError,
    TruncatedError,
)
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.capability import Capability
from ..protocol.errors import (
    BusyError,
    DeclinedError,
    DeniedError,
    GoneError,
    MissingAttributeError,
    PeerFailedError,
    RevokedDeviceError,
    StaleRevocationsError,
    StorageFullError,
    TooMuchError,
    UnknownPeerError,
    wire_code,
    wire_number,
)
from ..protocol.messages import Delivered, Offer, OfferRefused, OfferTaken, Stored
from ..protocol.opening import LocalDevice
from ..protocol.photo import Envelope
from ..protocol.receipt import Receipt
from .arrivals import Arrival, Arrivals, is_small
from .blobstore import BlobStore
from .commits import Commits
from .errors import DiskFullError
from .events import Events
from .fetching import Ask, Fetcher, under_grant, under_token
from .judge import Judge
from .library import Contact, IncomingOffer, Library, Photo
from .link import Link
from .photo_errors import NotHereYetError
from .storing import Storing, is_offered
from .tasks import to_the_end, together

RETRY_SECONDS: Final = 30.0
"""Pause before photos are fetched again on the same link after a passing trouble."""

_FINAL: Final = (
    DeniedError, GoneError, PieceMismatchError, SealBrokenError, MalformedError, TooMuchError,
)  # fmt: skip
"""What ends an offer for good: the grant, or bytes that are not what was promised. But a grant
that only lacks papers (`_WAITS`) waits for them: they bring the fetch back."""
_WAITS: Final = (StaleRevocationsError, MissingAttributeError)
_OF_SENDER: Final = (DeniedError, SealBrokenError, MalformedError, TooMuchError)
"""What we find ourselves wrong with a photo that somebody else brought."""

_log = logging.getLogger(__name__)


class Inbox:
    """Judges offers and keeps what was accepted."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        judge: Judge,
        library: Library,
        blobs: BlobStore,
        commits: Commits,
        events: Events,
        fingerprint_key: Secret,
        now: Callable[[], int],
        settled: Callable[[IncomingOffer], None],
        arrived: Callable[[bytes], None],
        album_grant: Callable[[bytes], bytes],
    ) -> None:
        """`settled` hears of each offer that was stored, declined or refused, `arrived` of each
        photo within the transaction that enters it. `album_grant` is what we show for an album's.
        """
        self._device = device
        self._judge = judge
        self._library = library
        self._commits = commits
        self._events = events
        self._now = now
        self._settled = settled
        self._album_grant = album_grant
        self._arrivals = Arrivals(blobs, events)
        self._storing = Storing(
            device=device,
            library=library,
            blobs=blobs,
            commits=commits,
            fingerprint_key=fingerprint_key,
            now=now,
            arrived=arrived,
        )
        self._running: dict[asyncio.Task[bool], bytes] = {}

    # Offers.

    def offered(
        self,
        link: Link,
        contact: Contact,
        message: Offer,
        accepted: Callable[[IncomingOffer], None],
    ) -> None:
        """Judge an offer, and answer it once it is noted; `accepted` gets one to be fetched now."""
        envelope_hash = hashlib.sha256(message.envelope).digest()
        known = self._library.offer(envelope_hash)
        try:
            if known is None:
                envelope = self._opened(message.envelope, link.peer.device)
                self._judge.note(envelope.certificates.found)
            elif known.device != link.peer.device:
                raise DeniedError
            else:
                self._heard(link, known, accepted)
                return
        except KinlightError as error:
            self._refuse(link, envelope_hash, error)
            return

        told_as: list[str] = []

        def note() -> IncomingOffer:
            return self._note(contact, envelope, envelope_hash, told_as.append)

        def noted(outcome: object) -> None:
            if isinstance(outcome, IncomingOffer):
                for name in told_as:
                    self._publish(outcome, name)
                self._heard(link, outcome, accepted)
            elif isinstance(outcome, KinlightError):
                self._refuse(link, envelope_hash, outcome)
            elif isinstance(outcome, Exception):
                _log.error("an offer was not noted", exc_info=outcome)

        self._commits.post(note, noted)

    def collected(
        self,
        holder: Link,
        sealed: bytes,
        judged: Callable[[bytes, IncomingOffer | None], None],
        put_off: Callable[[], None],
    ) -> None:
        """Judge an envelope that somebody held for us, as if its sender had offered it.

        `judged` hears its hash and what became of it, once that is noted: None if it is nothing for
        us, whoever brings it. What is for another of our devices stays there, and what is for a
        later time, of which `put_off` hears.
        """
        envelope_hash = hashlib.sha256(sealed).digest()
        known = self._library.offer(envelope_hash)
        if known is not None:
            judged(envelope_hash, known)
            return
        try:
            envelope = self._opened(sealed, None)
            contact = self._sender(envelope)
            if contact is not None:
                self._judge.note(envelope.certificates.found)
        except SealBrokenError:
            return
        except KinlightError as error:
            _log.info("what was held is nothing for us: %s", error.code)
            self._events.counters.refused("held", error.code)
            judged(envelope_hash, None)
            return
        if contact is None:
            put_off()
            return
        sender = contact

        def note() -> IncomingOffer:
            return self._note(sender, envelope, envelope_hash, told_as.append)

        told_as: list[str] = []

        def noted(outcome: object) -> None:
            if isinstance(outcome, IncomingOffer):
                for name in told_as:
                    self._publish(outcome, name, held_by=self._name_of(holder.peer.identity))
                judged(envelope_hash, outcome)
            elif isinstance(outcome, Exception):
                _log.info("what was held was not noted: %s", type(outcome).__name__)
                put_off()

        self._commits.post(note, noted)

    def _sender(self, envelope: Envelope) -> Contact | None:
        """The contact that sealed it; None if its device is not known yet: it may be met later.

        Certificates inside don't count for that (docs/spec/record.md): nobody was asked.
        """
        device = envelope.sender_device
        identity = self._library.identity_of(device)
        if identity is None:
            named = envelope.devices.get(device)
            if named is None or self._library.contact_of(named) is None:
                raise UnknownPeerError
            return None
        contact = self._library.contact_of(identity)
        if contact is None or contact.blocked:
            raise UnknownPeerError
        if self._judge.is_lost(identity, device):
            raise RevokedDeviceError
        return contact

    def _name_of(self, identity: bytes) -> str:
        contact = self._library.contact_of(identity)
        return contact.name if contact else ""

    def receipt(self, offer: IncomingOffer) -> bytes:
        """Our word to the sender of a stored offer that its photo is here, and since when.

        It is the same bytes whenever it is asked for, so none needs to be kept.
        """
        content_id = offer.record.content_id
        signing, since = self._device.signing, offer.updated
        return Receipt.sign(signing, offer.identity, content_id, since).encoded

    def _refuse(self, link: Link, envelope_hash: bytes, error: KinlightError) -> None:
        _log.info("refused an offer: %s", error.code)
        self._events.counters.refused("offer", error.code)
        with contextlib.suppress(PeerError):  # the link is about to end
            link.post(OfferRefused(envelope_hash, _refusal(error)))

    def _heard(
        self, link: Link, offer: IncomingOffer, accepted: Callable[[IncomingOffer], None]
    ) -> None:
        if offer.state != "accepted" or not is_small(offer):
            with contextlib.suppress(PeerError):
                self.answer(link, offer)  # what is small is here as soon as that could be said
        if offer.state == "accepted" and not link.ended.is_set():
            accepted(offer)

    def _opened(self, sealed: bytes, sender: bytes | None) -> Envelope:
        """An envelope that is worth keeping; else the reason why it is not."""
        envelope = Envelope.open(sealed, self._device, sender)
        if envelope.record.author == self._device.identity:
            raise DeclinedError  # nobody gives us what is ours, nor brings back what we removed
        self._check(envelope.capability, envelope.record.photo_id)
        return envelope

    def _note(
        self,
        contact: Contact,
        envelope: Envelope,
        envelope_hash: bytes,
        tell_as: Callable[[str], None],
    ) -> IncomingOffer:
        """Keep an offer, within a group commit; a new one is told of unless its sender is muted."""
        known = self._library.offer(envelope_hash)  # the same may have come twice in one breath
        if known is not None:
            return known
        if not self._library.has_room_for_offers(contact.identity, limits.OFFERS_PER_CONTACT):
            raise BusyError
        # Settings may have changed since the link came up.
        current = self._library.contact_of(contact.identity) or contact
        wanted = current.accept == "always" and not current.muted
        if wanted or self._library.is_at_sibling(envelope.record.photo_id):
            state = "accepted"  # of the latter one a person has decided, at another device
        else:
            state = "waiting"
        offer = self._library.add_offer(
            envelope_hash, contact.identity, envelope, state, self._now()
        )
        if not current.muted:
            tell_as(current.name)
        return offer

    def _check(self, capability: Capability, photo_id: bytes) -> None:
        """Whether the grant of an offer is worth keeping: the fetch judges it again."""
        with contextlib.suppress(*_WAITS):  # newer papers may come before that
            self._judge.allow_us(capability, photo_id)

    def answer(self, link: Link, offer: IncomingOffer) -> None:
        """Tell the sender how an offer stands; who only holds it hears when it is settled. Photos
        of albums, and those of another device of ours, were not offered to this one.
        """
        if link.peer.device != offer.device or not is_offered(offer):
            return
        match offer.state:
            case "waiting" | "accepted":
                link.post(OfferTaken(offer.envelope_hash, offer.state == "waiting"))
            case "stored" if link.session.takes(Delivered):
                link.post(Delivered(offer.envelope_hash, self.receipt(offer)))
            case "stored":
                link.post(Stored(offer.envelope_hash))
            case "declined":
                link.post(OfferRefused(offer.envelope_hash, wire_code(DeclinedError())))
            case _:
                link.post(OfferRefused(offer.envelope_hash, wire_number(offer.code or "")))

    def _publish(self, offer: IncomingOffer, sender: str, **more: object) -> None:
        self._events.publish(
            "offer", id=offer.photo_id.hex(), sender=sender, state=offer.state, **more
        )

    def decide(self, offer: IncomingOffer, *, accept: bool) -> IncomingOffer:
        """A person accepts or declines a waiting offer, or tries one again that failed."""
        if accept:
            self._check(Capability.decode(offer.capability), offer.photo_id)
        state = "accepted" if accept else "declined"
        self._library.set_offer_state(offer.envelope_hash, state, None, self._now())
        if not accept:
            for task, envelope_hash in list(self._running.items()):
                if envelope_hash == offer.envelope_hash:
                    task.cancel()
            self._storing.discard(offer)
        decided = self._library.offer(offer.envelope_hash) or offer
        if not accept:
            self._settled(decided)
        return decided

    def progress(self, photo_id: bytes) -> tuple[int, int] | None:
        """Pieces here and pieces in all of a photo that is being fetched."""
        return self._arrivals.progress(photo_id)

    def is_coming(self, photo_id: bytes) -> bool:
        """Whether a photo is being fetched, over whatever link."""
        return photo_id in self._arrivals

    @property
    def fetching(self) -> int:
        """How many photos are being fetched."""
        return len(self._arrivals)

    # Fetching.

    async def fetch(self, link: Link, fetcher: Fetcher, offer: IncomingOffer) -> bool:
        """Bring an accepted photo over, verify it and store it; then tell the sender.

        Others who offer it bring it together with this link: another device, somebody who passes it
        on, or a link that replaces this one. Trouble that passes (a cut link, a full disk) leaves
        the offer accepted; what does not pass refuses it with the reason. Whether it is not to be
        tried again on this link.
        """
        # A task of its own: who declines the photo ends this fetch, and not those behind it.
        task = asyncio.create_task(self._bring(link, fetcher, offer))
        self._running[task] = offer.envelope_hash
        task.add_done_callback(self._running.pop)
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, asyncio.CancelledError):
            return True
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def _bring(self, link: Link, fetcher: Fetcher, offer: IncomingOffer) -> bool:
        try:
            async with self._arrivals.joined(offer) as arrival:
                await self._fetch(link, fetcher, offer, arrival)
        except TruncatedError:
            self._answer_if_accepted(link, offer)
            # If others bring it, it is here soon, and this link is to be told.
            return link.ended.is_set() or not self.is_coming(offer.photo_id)
        except _HolderError as failed:
            return self._holder_failed(link, offer, failed.error)
        except (PeerError, LocalError) as error:
            return self._failed(link, offer, error)
        return True

    async def _fetch(
        self, link: Link, fetcher: Fetcher, offer: IncomingOffer, arrival: Arrival
    ) -> None:
        if self._storing.still_accepted(offer) and self._library.photo(offer.photo_id) is None:
            # The log of an album was asked; and what is ours is so by no grant.
            if offer.album is None and offer.capability:
                self._judge.allow_us(Capability.decode(offer.capability), offer.photo_id)
            self._arrivals.check(offer)
            with _by_holder(link, offer):
                await together(
                    fetcher.fetch(self._asking(link, offer, offer.metadata_key), arrival.metadata),
                    fetcher.fetch(self._asking(link, offer, offer.content_key), arrival.content),
                )
        async with arrival.turn:
            if not self._storing.still_accepted(offer):
                self._answer_if_stored(link, offer)
                return
            here = self._library.photo(offer.photo_id)
            if here is None:
                await to_the_end(self._storing.store(offer, arrival, self._arrivals.trying(offer)))
            elif here.record.signed != offer.record.signed:
                raise MalformedError("another photo has this id")
            else:
                now = self._now()
                self._library.set_offer_state(offer.envelope_hash, "stored", None, now)
        stored = self._library.offer(offer.envelope_hash) or offer
        with contextlib.suppress(PeerError):  # who takes no answers is not to keep it from others
            self.answer(link, stored)
        self._settled(stored)
        if offer.album is None and offer.identity != self._device.identity:
            self._publish(stored, self._name_of(offer.identity))
        else:  # nobody offered it, but it is new here, and is to be looked at
            self._events.publish("photo", id=stored.photo_id.hex())

    def _asking(self, link: Link, offer: IncomingOffer, key: Secret) -> Ask:
        """How a blob of an offer is asked for: by the grant from its sender, by its token from who
        holds it and from another device of ours, by our own role in an album.
        """
        if link.peer.identity == self._device.identity:
            return under_token(fetch_token(key).reveal())
        if offer.album is not None:
            return under_grant(offer.photo_id, self._album_grant(offer.album))
        if link.peer.device == offer.device:
            return under_grant(offer.photo_id, offer.capability)
        return under_token(fetch_token(key).reveal())

    def _answer_if_accepted(self, link: Link, offer: IncomingOffer) -> None:
        """It did not come yet, and of a small one nothing was said: its sender waits for that."""
        current = self._library.offer(offer.envelope_hash)
        if current is not None and current.state == "accepted":
            with contextlib.suppress(PeerError):  # the link is about to end
                self.answer(link, current)

    def _answer_if_stored(self, link: Link, offer: IncomingOffer) -> None:
        """It came meanwhile over another link, which may have ended before it could say so."""
        current = self._library.offer(offer.envelope_hash)
        if current is not None and current.state == "stored":
            self.answer(link, current)

    def _failed(self, link: Link, offer: IncomingOffer, error: KinlightError) -> bool:
        """Note why a fetch failed and tell the sender; True if it is not tried again here."""
        if not self._storing.still_accepted(offer):
            return True  # the person declined it in the meantime: that stands
        if link.peer.device != offer.device or not is_offered(offer):
            return self._failed_to_collect(offer, error)
        waits = isinstance(error, _WAITS)
        final = isinstance(error, _FINAL) and not waits
        state = "refused" if final else "accepted"
        _log.info("a photo did not come: %s", error.code)
        if final:
            self._events.counters.refused("fetch", error.code)
            self._storing.discard(offer)
        with contextlib.suppress(PeerError):  # the link is about to end
            link.post(OfferRefused(offer.envelope_hash, _refusal(error)))
        if (offer.state, offer.code) != (state, error.code):  # else it is noted already
            with contextlib.suppress(LocalError):  # a disk so full that not even this can be noted
                self._library.set_offer_state(offer.envelope_hash, state, error.code, self._now())
        current = self._library.offer(offer.envelope_hash) or offer
        contact = self._library.contact_of(offer.identity)
        self._publish(current, contact.name if contact else "", code=error.code)
        return final or waits

    def _holder_failed(self, holder: Link, offer: IncomingOffer, error: PeerError) -> bool:
        """Who holds a photo did not bring it: it may lack it, or lie. Whatever reason it gives, its
        sender still has it.
        """
        if not self._storing.still_accepted(offer):
            return True
        _log.info("a photo did not come from its holder: %s", error.code)
        if not is_offered(offer):
            return True  # other members, or other devices of ours, may have it
        name = self._name_of(holder.peer.identity)
        self._events.publish("holder-failed", holder=name, code=error.code)
        self._publish(offer, self._name_of(offer.identity), code=error.code)
        return True

    def _failed_to_collect(self, offer: IncomingOffer, error: KinlightError) -> bool:
        """What a holder brought, or was not asked for, is not to be had: what is wrong with the
        grant, or with what the sender sealed, is so whoever brings it.
        """
        _log.info("a photo could not be collected: %s", error.code)
        if isinstance(error, _OF_SENDER) and not isinstance(error, _WAITS):
            self._events.counters.refused("fetch", error.code)
            self._storing.discard(offer)
            self._library.set_offer_state(offer.envelope_hash, "refused", error.code, self._now())
            self._settled(self._library.offer(offer.envelope_hash) or offer)
        if is_offered(offer):
            current = self._library.offer(offer.envelope_hash) or offer
            self._publish(current, self._name_of(offer.identity), code=error.code)
        return not isinstance(error, LocalError)

    # Photos that are here.

    def here(self, photo_id: bytes) -> Photo:
        """The photo, if it is here; `NotHereYetError` if it was only offered."""
        photo = self._library.photo(photo_id)
        if photo is None:
            raise NotHereYetError
        return photo

    def require(self, photo_id: bytes) -> Photo:
        """The photo, if it is here and to be seen.

        `ExpiredGrantError` or `RevokedGrantError` if all that it came with has ended.
        """
        photo = self.here(photo_id)
        self._judge.check_held(photo)
        return photo


class _HolderError(Exception):
    """Why a holder did not bring something, as it says or as its pieces show."""

    def __init__(self, error: PeerError) -> None:
        self.error: Final = error


@contextlib.contextmanager
def _by_holder(link: Link, offer: IncomingOffer) -> Generator[None]:
    """While blobs are fetched: what goes wrong over another link than the sender's is told apart
    from what is found here, as the word of who holds counts for nothing. So is that of a member of
    an album: others may have its photos.
    """
    try:
        yield
    except TruncatedError:
        raise
    except PeerError as error:
        if link.peer.device == offer.device and is_offered(offer):
            raise
        raise _HolderError(error) from None


def _refusal(error: KinlightError) -> int:
    """The wire code for the sender; what went wrong on our own side is named only if it helps."""
    if isinstance(error, DiskFullError):
        return wire_code(StorageFullError())
    if isinstance(error, LocalError):
        return wire_code(PeerFailedError())
    return wire_code(error)
