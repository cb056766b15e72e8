"""Who stands behind a photo that was passed on: whose links its grant has, and by whose papers.

Those further up need not be contacts. What shows for whom their devices speak came with the photo.
"""

from __future__ import annotations

from typing import Final

from ..crypto.identity import DeviceChain
from ..protocol.capability import Capability
from ..protocol.certificates import Certificates, joined
from ..protocol.opening import LocalDevice
from ..protocol.revocation import RevocationList
from .grants import Grants
from .library import IncomingOffer, Library
from .papers import Papers

LISTS_OF_STRANGERS: Final = 64
"""Lists of revocations of people who are no contacts that are kept: anybody can make people up."""


class Lineage:
    """Finds the papers of those who granted a photo, and passes on what they took back."""

    def __init__(
        self, *, device: LocalDevice, library: Library, grants: Grants, papers: Papers
    ) -> None:
        self._device = device
        self._library = library
        self._grants = grants
        self._papers = papers
        self._issuers: dict[bytes, tuple[bytes, ...]] = {}

    # For a judgement.

    def passed_on(self, capability: Capability) -> bool:
        """Whether a chain says that we passed on what somebody else granted."""
        return capability.parent is not None and (
            capability.links[-1].issuer == self._device.identity
        )

    def signers(self, capability: Capability, photo_id: bytes) -> dict[bytes, bytes]:
        """The identities of those who signed a chain, as far as they are known.

        That is us, our contacts, and for what we passed on, those who had signed when it came.
        All certificates were verified when they were stored.
        """
        found: dict[bytes, bytes] = {}
        for link in capability.links:
            identity = self._library.identity_of(link.signer)
            if identity is not None:
                found[link.signer] = identity
        if capability.parent is not None and self.passed_on(capability):
            came = self._library.offer_under(photo_id, capability.parent.encoded)
            if came is not None:
                # That chain was verified by these: only they say who signed it.
                found |= self.certificates(came).devices
        found[self._device.signing.public] = self._device.identity
        return found

    def certificates(self, offer: IncomingOffer) -> Certificates:
        """What came with an offer; before version 0.2.0 it was the author who offered."""
        if offer.certificates:
            return Certificates.decode(offer.certificates)
        chains = self._library.devices(offer.record.author)
        return Certificates(joined(chain.certificates for chain in chains))

    # What they took back.

    def lists_for(self, peer: DeviceChain) -> list[RevocationList]:
        """The lists of those whose photos we passed on to a device that has taken the offer.

        Before that it would not know whose lists they are.
        """
        above: dict[bytes, None] = {}
        taken = self._grants.passed_on_to(peer.device, self._device.identity)
        for digest, capability in taken.items():
            if digest not in self._issuers:
                self._issuers[digest] = Capability.decode(capability).issuers
            above |= dict.fromkeys(self._issuers[digest])
        found: list[RevocationList] = []
        for issuer in sorted(above):
            standing = self._papers.revocations.known.get(issuer)
            if standing is not None and issuer not in (self._device.identity, peer.identity):
                found += standing.lists
        return found

    def devices_of(self, found: RevocationList, sender: bytes) -> tuple[dict[bytes, bytes], bool]:
        """By which devices a list of somebody else than who sent it counts: those of the issuers
        in chains that the same contact brought. Also whether its signer may certify devices.
        """
        issuer = found.issuer
        if issuer == self._device.identity or self._full(issuer):
            return {}, False
        for capability, encoded in self._library.chains_with(sender, issuer, found.signer):
            certificates = Certificates.decode(encoded)
            if issuer in Capability.decode(capability).issuers and certificates.devices.get(
                found.signer
            ) == (issuer):
                return {found.signer: issuer}, certificates.may_certify(found.signer)
        return {}, False

    def _full(self, issuer: bytes) -> bool:
        known = self._papers.revocations.known
        if issuer in known:
            return False
        strangers = [each for each in known if self._library.contact_of(each) is None]
        return len(strangers) >= LISTS_OF_STRANGERS
