"""What contacts tell each other beside photos: what is said of them, and what was taken back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from ..crypto.identity import DeviceChain
from ..protocol import limits
from ..protocol.attributes import decode_shown, encode_shown
from ..protocol.errors import (
    BrokenRevocationsError,
    OldRevocationsError,
    RevokedDeviceError,
)
from ..protocol.messages import Papers as PapersMessage
from ..protocol.opening import LocalDevice
from ..protocol.revocation import RevocationList
from .events import Events
from .library import Contact
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
        papers: Papers,
        lineage: Lineage,
        events: Events,
        spread: Callable[[], None],
    ) -> None:
        self._device = device
        self._papers = papers
        self._lineage = lineage
        self._spread = spread
        self._events = events

    def for_device(self, peer: DeviceChain) -> Iterator[PapersMessage]:
        """What a contact's device is to know: what we say of the contact, and what we took back.

        Nothing, if the contact said that the device is no longer its own.
        What others say of us is theirs to show, and ours to nobody: who knows whom is private.
        """
        if self._papers.revocations.revokes_device(peer.identity, peer.device):
            return
        said = self._papers.attestations(subject=peer.identity, issuer=self._device.identity)
        counting = [each for each in said if self._papers.counts(each) in COUNTING]
        own = self._papers.own_list()
        revocations = own.signed.encode() if own else b""
        if not counting and revocations:
            yield PapersMessage(encode_shown([]), revocations)
        for start in range(0, len(counting), limits.ATTESTATIONS):
            batch = counting[start : start + limits.ATTESTATIONS]
            yield PapersMessage(encode_shown(batch), b"" if start else revocations)
        for found in self._lineage.lists_for(peer):
            yield PapersMessage(encode_shown([]), found.signed.encode())

    def taken(self, peer: DeviceChain, contact: Contact, message: PapersMessage) -> bool:
        """Verify what came and keep what counts; whether any is news.

        `MalformedError` for what is none.
        """
        shown = decode_shown(message.attestations)
        found = RevocationList.decode(message.revocations) if message.revocations else None
        devices = {peer.device: peer.identity}
        about_us = [
            said
            for said in shown
            if said.issuer == peer.identity and said.subject == self._device.identity
        ]
        news = self._papers.take(about_us, devices)
        if found is not None:
            try:
                if found.issuer != peer.identity:
                    devices = self._lineage.devices_of(found, peer.identity)
                if self._papers.take_list(found, devices):
                    news = True
                    self._spread()  # to those to whom we passed on photos of its issuer
            except _IGNORED as error:
                _log.info("a list of revocations was not taken: %s", error.code)
        if news:
            self._events.publish("papers", contact=contact.name)
        if found is not None and found.issuer in self._papers.forks:
            _log.warning("two lists of revocations of one number: a device of a contact lied")
        return news
