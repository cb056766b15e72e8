"""What contacts tell each other beside photos: what is said of them, and what was taken back.

Who knows whom is private. What we say of a contact goes to that contact alone; what others say of
us goes to those whom a person named, and to who grants us a photo on that condition. It is for the
one of whom it is said to show it: what we know of a third we tell nobody.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..crypto.identity import DeviceChain
from ..protocol import limits
from ..protocol.attributes import Attestation, decode_shown, encode_shown
from ..protocol.capability import Capability
from ..protocol.devices import may_add
from ..protocol.errors import (
    BrokenRevocationsError,
    OldRevocationsError,
    RevokedDeviceError,
)
from ..protocol.messages import Papers as PapersMessage
from ..protocol.opening import LocalDevice
from ..protocol.revocation import RevocationList
from .events import Events
from .library import Contact, IncomingOffer, Library
from .lineage import Lineage
from .papers import COUNTING, Papers

_IGNORED = (BrokenRevocationsError, OldRevocationsError, RevokedDeviceError)
"""Lists that count for nothing here and are no reason to end a link: a contact may have devices
that are not known here, and one of them may be behind."""

_log = logging.getLogger(__name__)


class Correspondence:
    """Shows papers to contacts and takes theirs."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        papers: Papers,
        lineage: Lineage,
        events: Events,
    ) -> None:
        self._device = device
        self._library = library
        self._papers = papers
        self._lineage = lineage
        self._events = events

    def for_device(self, peer: DeviceChain) -> Iterator[PapersMessage]:
        """What a contact's device is to know: what we say of the contact, what others say of us
        that we let it know, and what we took back.

        Nothing, if the contact said that the device is no longer its own.
        """
        if self._papers.revocations.revokes_device(peer.identity, peer.device):
            return
        said = self._papers.attestations(subject=peer.identity, issuer=self._device.identity)
        counting = self._counting((*said, *self._papers.shown_to(peer.identity)))
        lists = [each.signed.encode() for each in self._papers.own_lists()]
        for message in messages(counting):
            yield dataclasses.replace(message, revocations=lists.pop(0) if lists else b"")
        for found in lists:
            yield PapersMessage(encode_shown([]), found)
        for found in self._lineage.lists_for(peer):
            yield PapersMessage(encode_shown([]), found.signed.encode())

    def asked_by(self, peer: DeviceChain, offer: IncomingOffer) -> Sequence[Attestation]:
        """What has to be shown to fetch a photo: what others say of us that its grant demands.

        Whose grant it is knows these others, as it names them, and we take the photo.
        """
        if self._papers.revocations.revokes_device(peer.identity, peer.device):
            return ()
        last = Capability.decode(offer.capability).links[-1]
        demands = last.caveats.attributes
        if not demands or last.issuer != peer.identity:
            return ()
        us = self._device.identity
        said = [
            found
            for found in self._papers.attestations(subject=us)
            if found.issuer != peer.identity and any(each.met_by(found, us) for each in demands)
        ]
        return self._counting(said)

    def _counting(self, said: Iterable[Attestation]) -> list[Attestation]:
        return [each for each in said if self._papers.counts(each) in COUNTING]

    def taken(self, peer: DeviceChain, contact: Contact, message: PapersMessage) -> bool:
        """Verify what came and keep what counts; whether any is news.

        `MalformedError` for what is none.
        """
        shown = decode_shown(message.attestations)
        found = RevocationList.decode(message.revocations) if message.revocations else None
        devices, certifier = {peer.device: peer.identity}, may_add(peer)
        about_us = [
            said
            for said in shown
            if said.issuer == peer.identity and said.subject == self._device.identity
        ]
        news = self._papers.take(about_us, devices)
        news = self._taken_of_peer(peer.identity, shown) or news
        if found is not None:
            try:
                if found.issuer != peer.identity:
                    devices, certifier = self._lineage.devices_of(found, peer.identity)
                elif found.signer != peer.device:
                    devices, certifier = self._sibling_of(peer, found.signer)
                news = self._papers.take_list(found, devices, certifier=certifier) or news
            except _IGNORED as error:
                _log.info("a list of revocations was not taken: %s", error.code)
        if news:
            self._events.publish("papers", contact=contact.name)
        if found is not None and found.issuer in self._papers.forks:
            _log.warning("two lists of revocations of one number: a device of a contact lied")
        return news

    def _sibling_of(self, peer: DeviceChain, signer: bytes) -> tuple[dict[bytes, bytes], bool]:
        """By which other device of a contact a list counts that one of its devices shows."""
        for chain in self._library.devices(peer.identity):
            if chain.device == signer:
                return {signer: peer.identity}, may_add(chain)
        return {}, False

    def _taken_of_peer(self, peer: bytes, shown: Iterable[Attestation]) -> bool:
        """Keep what the peer shows that people whom we know say of it; whether any is news.

        Only of the peer itself, and only what counts or will: nobody fills this disk with the rest.
        """
        of_peer = [said for said in shown if said.subject == peer and said.issuer != peer]
        news = False
        for said in self._counting(of_peer):
            news = self._papers.take([said], self._devices(said.issuer)) or news
        return news

    def _devices(self, issuer: bytes) -> Mapping[bytes, bytes]:
        """The devices of somebody whose word may count here: ours, or a contact's."""
        if issuer == self._device.identity:
            return {self._device.signing.public: issuer}
        contact = self._library.contact_of(issuer)
        if contact is None or contact.blocked:
            return {}
        return {chain.device: issuer for chain in self._library.devices(issuer)}


def messages(said: Sequence[Attestation]) -> Iterator[PapersMessage]:
    """These attestations, in each message as many as it may hold."""
    for start in range(0, len(said), limits.ATTESTATIONS):
        yield PapersMessage(encode_shown(said[start : start + limits.ATTESTATIONS]), b"")
