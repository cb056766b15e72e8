"""What devices of one person tell each other of themselves: papers, names, the secret they share,
and what was taken back. What else goes between them is handled beside this.

`Family` is what all links share, `FamilyTalk` the part on one link.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from ..crypto.errors import PeerError
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.allowance import Allowance
from ..protocol.attributes import encode_shown
from ..protocol.device_messages import OwnDevices
from ..protocol.devices import OwnSecret, decode_devices, encode_devices, may_add
from ..protocol.errors import (
    BrokenRevocationsError,
    OldRevocationsError,
    RevokedDeviceError,
    TooMuchError,
    UnexpectedMessageError,
)
from ..protocol.messages import Message, Papers
from ..protocol.opening import LocalDevice
from ..protocol.revocation import RevocationList, device_hash
from .events import Events
from .link import Link
from .papers import Papers as PapersStore
from .roster import Roster

_IGNORED: Final = (BrokenRevocationsError, OldRevocationsError, RevokedDeviceError)
"""Lists that are no news. That of a sibling that was away is behind."""

_log = logging.getLogger(__name__)


class Family:
    """What this device knows of its siblings. `heard` is called when a list of revocations came
    from one, `changed` when anything else did.
    """

    def __init__(
        self,
        *,
        device: LocalDevice,
        roster: Roster,
        papers: PapersStore,
        events: Events,
        lost: Callable[[DeviceChain], bool],
        heard: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._device = device
        self.roster: Final = roster
        self._papers = papers
        self._events = events
        self._lost = lost
        self._heard = heard
        self._changed = changed

    def told(self, sibling: DeviceChain) -> list[Message]:
        """What a sibling is to know. One that was revoked hears of that alone."""
        secret = self.roster.secret()
        devices = encode_devices(self.roster.devices())
        found: list[Message] = [
            Papers(encode_shown([]), each.signed.encode()) for each in self._papers.own_lists()
        ]
        if secret is not None and not self._lost(sibling):
            found.append(OwnDevices(secret.generation, secret.secret.reveal(), devices))
        return found

    def take_devices(self, message: OwnDevices) -> None:
        """What a sibling knows of all of us."""
        devices = decode_devices(message.devices, self._device.identity)
        news = self.roster.put(devices)
        for each in devices:
            self._papers.note(each.chain.certificates)
        secret = OwnSecret(message.generation, Secret(message.secret))
        if self.roster.take_secret(secret) or news:
            self._events.publish("devices")
            self._changed()

    def take_list(self, message: Papers) -> None:
        """A list of revocations of our own that a sibling has."""
        found = RevocationList.decode(message.revocations)
        signer = self.roster.device(found.signer)
        known = self._papers.revocations
        if not found.by_root and (signer is None or known.revokes_chain(signer.chain)):
            return
        standing = known.known.get(found.issuer)
        ours = frozenset[bytes]() if standing is None else standing.hashes
        try:
            news = self._papers.take_list(
                found,
                {} if signer is None else {found.signer: found.issuer},
                certifier=signer is not None and may_add(signer.chain),
            )
        except OldRevocationsError:
            # It did not know of ours, nor we of what it took back. Devices of before the root key's
            # list say nothing that counts.
            news = False
            if standing is not None and standing.root is None:
                self._papers.join_in(found.hashes)
        except _IGNORED as error:
            _log.info("a list of our own revocations was not taken: %s", error.code)
            return
        else:
            # Of devices the root key has the last word.
            devices = {device_hash(each.device) for each in self.roster.devices()}
            self._papers.join_in(ours - devices if found.by_root else ours)
        if news or self._papers.revocations.known.get(found.issuer) is not standing:
            self._events.publish("devices")
            self._heard()


class FamilyTalk:
    """One link to a sibling."""

    def __init__(self, link: Link, family: Family) -> None:
        self._link = link
        self._family = family
        self._told: list[Message] = []
        self._taking = Allowance(limits.PAPERS_AT_ONCE, limits.PAPERS_PER_SECOND)

    def tell(self) -> None:
        """Say what it was not told yet on this link."""
        now = self._family.told(self._link.peer)
        new = [each for each in now if each not in self._told]
        self._told = now
        try:
            self._post(each for each in new if self._link.session.takes(type(each)))
        except PeerError as error:  # the link is about to end
            _log.info("a sibling was not told: %s", error.code)

    def _post(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._link.post(message)

    def handle(self, message: Message) -> None:
        """One of these messages. Any other is none that a sibling says."""
        if not self._taking.take(asyncio.get_running_loop().time()):
            raise TooMuchError("news of devices")
        match message:
            case OwnDevices():
                self._family.take_devices(message)
            case Papers() if message.revocations:
                self._family.take_list(message)
            case _:
                raise UnexpectedMessageError
