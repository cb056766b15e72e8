"""Passing on what others granted: a further link under their grant, to one of our contacts.

photo -> the grant by which we have it (judge) -> rules -> outbox. The keys go with it as they came.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from ..crypto.errors import BadCertificateError, KinlightError
from ..crypto.identity import DeviceCertificate
from ..protocol.capability import Capability
from ..protocol.errors import OperationDeniedError, UnmadeRenditionError
from ..protocol.judging import Verdict
from ..protocol.opening import LocalDevice
from ..protocol.rendition import Rendition
from . import forms
from .catalogue import Catalogue
from .cataloguing import Cataloguer
from .contact_errors import NoDeviceError
from .copies import told
from .grants import Terms
from .judge import Judge
from .library import Contact, IncomingOffer, Library, Photo
from .lineage import Lineage
from .outbox import Outbox
from .photo_errors import NotForPassingOnError, OwnPhotoError, PassedBackError, PassedOnEnoughError
from .rules import Rules
from .sharing import CLIP, Wish
from .views_sharing import ShareItem

_NEVER_ENDS: Final = 2**64


class Delegating:
    """Gives contacts photos of others, as far as their grants allow it."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        catalogue: Catalogue,
        cataloguer: Cataloguer,
        judge: Judge,
        rules: Rules,
        lineage: Lineage,
        outbox: Outbox,
    ) -> None:
        self._device = device
        self._library = library
        self._catalogue = catalogue
        self._cataloguer = cataloguer
        self._judge = judge
        self._rules = rules
        self._lineage = lineage
        self._outbox = outbox

    async def run(
        self, photos: list[Photo], wish: Wish, device: bytes | None
    ) -> AsyncGenerator[ShareItem]:
        """Queue each photo for each contact, or for one device of the only contact.

        Yields one item for each; what can't be passed on is a `failed` one. A clip goes with its
        still if it may.
        """
        wish.check()
        for contact in wish.contacts:
            known = [chain.device for chain in self._library.devices(contact.identity)]
            if device is not None and device not in known:
                raise NoDeviceError(contact.name)
        for photo in photos:
            for half in self._halves(photo):
                with contextlib.suppress(KinlightError):  # what isn't known is for the rules
                    await self._cataloguer.look(half)
            for contact in wish.contacts:
                for item in self._items(photo, contact, wish, device):
                    yield item

    def _halves(self, photo: Photo) -> list[Photo]:
        """The photo, and its clip if there is one."""
        clip_id = self._catalogue.clip_of(photo.photo_id)
        clip = None if clip_id is None else self._library.photo(clip_id)
        return [photo] if clip is None else [photo, clip]

    def _items(
        self, photo: Photo, contact: Contact, wish: Wish, device: bytes | None
    ) -> list[ShareItem]:
        left_out: list[str] = []
        clips: list[ShareItem] = []
        for clip in self._halves(photo)[1:]:
            try:
                clips.append(self._pass_on(clip, contact, wish, device, []))
            except KinlightError:
                left_out.append(CLIP)
        try:
            return [self._pass_on(photo, contact, wish, device, left_out), *clips]
        except KinlightError as error:
            return [_failed(photo, contact, error)]

    def _pass_on(
        self,
        photo: Photo,
        contact: Contact,
        wish: Wish,
        device: bytes | None,
        left_out: list[str],
    ) -> ShareItem:
        if photo.author == self._device.identity:
            raise OwnPhotoError
        offer, parent = self._parent(photo, wish)
        if contact.identity in parent.issuers:
            raise PassedBackError(contact.name)
        held = self._form(photo, contact, wish)
        ends = [end for end in (wish.until, parent.expires) if end is not None]
        terms = Terms(held, min(ends, default=None), wish.operations)
        papers = self._papers(offer, parent)
        delivery = self._outbox.pass_on(photo, contact, terms, parent, papers, device)
        return ShareItem(
            file=photo.photo_id.hex(),
            name=photo.metadata.name,
            to=contact.name,
            state=delivery.state,
            photo_id=photo.photo_id.hex(),
            sha256=photo.metadata.sha256.hex(),
            bytes=photo.metadata.length,
            policy=photo.metadata.policy,
            leaves=list(told(self._catalogue.facts(photo.photo_id))),
            left_out=left_out,
            code=delivery.code,
            max_px=held.max_px,
            grant=None if delivery.grant_hash is None else delivery.grant_hash.hex(),
        )

    def _parent(self, photo: Photo, wish: Wish) -> tuple[IncomingOffer, Capability]:
        """The grant that carries furthest of those by which the photo came and may be passed on.

        Raises why none may.
        """
        allowed: list[tuple[IncomingOffer, Capability]] = []
        denied: list[Verdict] = []
        for offer in self._library.offers_of(photo.photo_id):
            if offer.state != "stored":
                continue
            capability = Capability.decode(offer.capability)
            verdict = self._judge.pass_on(capability, photo, wish.operations)
            if verdict.allowed:
                allowed.append((offer, capability))
            else:
                denied.append(verdict)
        if not allowed:
            raise _reason(denied)
        named = [found for found in allowed if not _for_whoever(found[1])]
        if not named:
            raise NotForPassingOnError("who gets it could not know that you have what it demands")
        needed = 2 if "reshare" in wish.operations else 1
        far = [found for found in named if found[1].links_left >= needed]
        if not far:
            raise PassedOnEnoughError
        return max(far, key=lambda found: (_end(found[1]), found[1].encoded))

    def _form(self, photo: Photo, contact: Contact, wish: Wish) -> Rendition:
        """What the photo is, if that tells no more than is asked for and the rules allow.

        Only its author could make a copy that tells less under the same grant.
        """
        actions = {"reshare", *wish.operations}
        demand = self._rules.demand(photo.photo_id, contact.identity, actions)
        held = self._judge.rendition(photo)
        if not held.at_least_as_strict_as(demand.combine(Rendition(wish.max_px))):
            forms.check_made(demand)
            raise UnmadeRenditionError("only its author can make a copy that tells less")
        return held

    def _papers(self, offer: IncomingOffer, parent: Capability) -> tuple[DeviceCertificate, ...]:
        signers = {offer.record.device, *(link.signer for link in parent.links)}
        try:
            return self._lineage.certificates(offer).of(signers)
        except BadCertificateError:
            raise NotForPassingOnError("the papers of its author are not here") from None


def _for_whoever(capability: Capability) -> bool:
    """Whether somebody has it for an attribute, of which the next one would not be told."""
    return any(link.caveats.attributes for link in capability.links)


def _end(capability: Capability) -> int:
    return _NEVER_ENDS if capability.expires is None else capability.expires


def _reason(denied: list[Verdict]) -> KinlightError:
    """The one that says most: that a grant was for viewing alone says least."""
    for verdict in denied:
        if verdict.error is not None and verdict.error is not OperationDeniedError:
            return verdict.error(verdict.detail)
    if any(verdict.caveat == "max_depth" for verdict in denied):
        return PassedOnEnoughError()
    return NotForPassingOnError()


def _failed(photo: Photo, contact: Contact, error: KinlightError) -> ShareItem:
    return ShareItem(
        photo.photo_id.hex(), photo.metadata.name, contact.name, "failed",
        policy=photo.metadata.policy, code=error.code, message=str(error),
    )  # fmt: skip
