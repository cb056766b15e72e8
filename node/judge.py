"""What this node knows when a grant is judged: the time, the photo, what was said of whom.

The judgement itself is `protocol/judging`; this module only gathers its facts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import Final

from ..crypto.identity import DeviceCertificate, DeviceChain
from ..protocol.attributes import Attributes
from ..protocol.capability import Capability, Request
from ..protocol.errors import (
    DeniedError,
    ExpiredGrantError,
    MissingAttributeError,
    OtherRenditionError,
    RevokedGrantError,
)
from ..protocol.judging import Verdict
from ..protocol.opening import LocalDevice
from ..protocol.policy import NETWORKS
from ..protocol.rendition import ORIGINAL, Rendition
from . import forms
from .copies import Copies
from .library import Library, Photo
from .lineage import Lineage
from .papers import Papers
from .rules import Rules

LAN: Final = "lan"
INTERNET: Final = "internet"

_ENDS: Final = (ExpiredGrantError, MissingAttributeError, RevokedGrantError)


class Judge:
    """Judges grants at both ends: those that peers show, and those that they give."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        copies: Copies,
        papers: Papers,
        rules: Rules,
        lineage: Lineage,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._library = library
        self._copies = copies
        self._papers = papers
        self._rules = rules
        self._lineage = lineage
        self._now = now

    def moment(self) -> tuple[int, int]:
        """While it is the same, so is the answer to the same question."""
        return self._now(), self._library.changes

    def served(self, capability: Capability, photo_id: bytes) -> Photo | None:
        """The photo that a chain can be about here: one of ours, or one that we passed on by it.

        Any other is as if it were not here: who shows a grant by its author must not learn from us
        who has it.
        """
        photo = self._library.photo(photo_id)
        if photo is None or photo.author == self._device.identity:
            return photo
        # What another author is said to have granted can't be it: that tells nothing either.
        is_by_author = capability.links[0].issuer == photo.author
        return photo if is_by_author and self._lineage.passed_on(capability) else None

    def verify(self, capability: Capability, photo_id: bytes, photo: Photo | None) -> None:
        """Check signatures and succession, from the author on of the photo that `served` found."""
        if photo is not None:
            author = photo.author
        elif self._lineage.passed_on(capability):
            author = capability.links[0].issuer  # what we passed on, and removed since
        else:
            author = self._device.identity
        capability.verify(author, self._lineage.signers(capability, photo_id))

    def allow(
        self,
        capability: Capability,
        peer: DeviceChain,
        photo_id: bytes,
        photo: Photo | None,
        network: str,
    ) -> None:
        """Return if a verified grant lets a peer view what is here; else raise the reason.

        The grant is held against what the photo here really is, whatever the grant says it is; and
        the owner's rules are asked again.
        """
        request = self._request(capability, peer.identity, peer.device, photo_id, photo, network)
        try:
            capability.allow(request)
        except OtherRenditionError:
            forms.check_made(capability.rendition)
            raise
        if photo is not None:
            given = self.rendition(photo)
            self._rules.serve(photo_id, peer.identity, peer.device, network, given)

    def check_offer(self, capability: Capability, peer: DeviceChain, photo_id: bytes) -> None:
        """Raise the reason if a device could fetch what is to be offered to it on no way now.

        Each fetch is then judged by the way that it really comes.
        """
        photo = self._library.photo(photo_id)
        reasons: list[DeniedError] = []
        for network in NETWORKS:
            try:
                self.allow(capability, peer, photo_id, photo, network)
            except DeniedError as error:
                reasons.append(error)
        if len(reasons) == len(NETWORKS):
            raise reasons[0]

    def check_deposit(self, capability: Capability, chain: DeviceChain, photo_id: bytes) -> None:
        """Raise the reason if a device may not have a photo on the way over somebody who holds it:
        that is no way on the local network.
        """
        self.allow(capability, chain, photo_id, self._library.photo(photo_id), INTERNET)

    def is_lost(self, identity: bytes, device: bytes) -> bool:
        """Whether an identity said that a device is no longer its own."""
        return self._papers.revocations.revokes_device(identity, device)

    def note(self, certificates: Iterable[DeviceCertificate]) -> None:
        """Remember by whom devices that signed something are certified; see `Papers.note`."""
        self._papers.note(certificates)

    def allow_us(self, capability: Capability, photo_id: bytes) -> None:
        """Whether a grant lets us have a photo now: an honest node judges this itself.

        What we get is what the grant demands, by the word of who made it.
        """
        us, device = self._device.identity, self._device.signing.public
        capability.allow(self._request(capability, us, device, photo_id, None, None))

    def pass_on(self, capability: Capability, photo: Photo, operations: Collection[str]) -> Verdict:
        """What a grant by which we have a photo says now to our passing it on for that."""
        us, device = self._device.identity, self._device.signing.public
        verdict = Verdict()
        for operation in ("reshare", *sorted(operations)):
            request = self._request(capability, us, device, photo.photo_id, photo, None, operation)
            verdict = capability.judge(request)
            if not verdict.allowed:
                break
        return verdict

    def ended(self, photo: Photo) -> type[DeniedError] | None:
        """Why a photo that came is not to be seen any more; None if it is, or is our own.

        Every grant that it came with has ended or was taken back, or demands an attribute that
        nobody says of us any more. Nothing is deleted.
        """
        if photo.author == self._device.identity:
            return None
        reason: type[DeniedError] | None = None
        for offer in self._library.offers_of(photo.photo_id, every=True):
            if offer.state != "stored":
                continue
            if offer.album is not None:
                return None  # what came by an album stays, also with who was taken out since
            try:
                self.allow_us(Capability.decode(offer.capability), photo.photo_id)
            except _ENDS as error:
                reason = reason or type(error)
            except DeniedError:
                return None  # what else is wrong with a grant matters when it is fetched
            else:
                return None
        return reason

    def check_held(self, photo: Photo) -> None:
        """Raise the reason if a photo that is here is not to be seen any more."""
        reason = self.ended(photo)
        if reason is not None:
            raise reason

    def explain(
        self,
        capability: Capability,
        identity: bytes,
        devices: Collection[bytes],
        photo: Photo,
        operation: str,
        networks: Collection[str],
    ) -> Verdict:
        """What would be said now to somebody who shows a grant by us, by the best way there is.

        The rules are asked as for a fetch, and it counts what the photo of the grant really is.
        """
        ways = product(networks, devices)
        said = [self._explain(capability, identity, photo, operation, *way) for way in ways]
        return next((verdict for verdict in said if verdict.allowed), said[0])

    def _explain(
        self,
        capability: Capability,
        identity: bytes,
        photo: Photo,
        operation: str,
        network: str,
        device: bytes,
    ) -> Verdict:
        request = self._request(
            capability, identity, device, photo.photo_id, photo, network, operation
        )
        signers = self._lineage.signers(capability, photo.photo_id)
        verdict = capability.explain(photo.author, signers, request)
        if verdict.error is OtherRenditionError:
            try:
                forms.check_made(capability.rendition)
            except DeniedError as error:
                verdict = replace(verdict, error=type(error), detail=error.detail)
        if not verdict.allowed:
            return verdict
        given = self.rendition(photo)
        try:
            self._rules.serve(photo.photo_id, identity, device, network, given, operation)
        except DeniedError as error:
            return replace(verdict, error=type(error), detail=error.detail)
        return verdict

    def _request(
        self,
        capability: Capability,
        identity: bytes,
        device: bytes,
        photo_id: bytes,
        photo: Photo | None,
        network: str | None,
        operation: str = "view",
    ) -> Request:
        return Request(
            identity=identity,
            device=device,
            photo_id=photo_id,
            operation=operation,
            rendition=self.rendition(photo) if photo else capability.rendition,
            now=self._now(),
            network=network,
            attributes=self._attributes(capability, identity),
            revocations=self._papers.revocations,
        )

    def _attributes(self, capability: Capability, asking: bytes) -> Attributes:
        """What is said of all for whom a link of the chain is."""
        holders = dict.fromkeys((*capability.issuers[1:], asking))
        said = [self._papers.attributes(holder).attestations for holder in holders]
        return Attributes(tuple(attestation for each in said for attestation in each))

    def rendition(self, photo: Photo) -> Rendition:
        """What a photo that is here really is; of somebody else's, what its author says."""
        if photo.author == self._device.identity:
            return self._copies.rendition(photo)
        came = self._library.offers_of(photo.photo_id)
        demanded = (Capability.decode(offer.capability).first_rendition for offer in came)
        return reduce(Rendition.combine, demanded, ORIGINAL)


def network_of(path: str) -> str:
    """How rules and grants call the way that a connection goes."""
    return LAN if path == LAN else INTERNET
