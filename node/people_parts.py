"""Whom an unlocked node knows, by which papers, and who is connected."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from ..crypto.channel import ChannelSettings
from ..crypto.errors import KinlightError
from ..crypto.identity import DeviceChain
from ..protocol.joining import DeviceRequest
from ..protocol.opening import Acquaintance
from . import joining
from .addresses import Address
from .core import Given
from .counters import counted_dial
from .doubts import Doubts
from .family import Family
from .grants import Grants
from .guardians import Guarding
from .heads import Heads
from .library import Contact
from .link import Link
from .mailboxes import Mailboxes
from .our_devices import OurDevices
from .own_devices import OwnDevices
from .papers import Papers
from .peers import Peers
from .photo_parts import PhotoParts
from .pipes import Pipe
from .roster import Roster
from .showing_devices import DeviceShower
from .sibling_link import SiblingLink
from .sync import Sync
from .tickets import Tickets
from .whereabouts import Whereabouts


class PeopleParts(PhotoParts, ABC):
    """Contacts, devices of this person, papers and links."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.grants: Final = Grants(self.database)
        self.papers: Final = Papers(
            device=self.device, database=self.database, entropy=self.entropy, now=self.clock
        )
        self.roster: Final = Roster(
            device=self.device,
            database=self.database,
            lost=lambda chain: self.papers.revocations.revokes_chain(chain),
            now=self.clock,
        )
        self.family: Final = Family(
            device=self.device,
            roster=self.roster,
            papers=self.papers,
            events=self.events,
            lost=self._is_lost,
            heard=self._heard_of_family,
            changed=self._family_changed,
        )
        self.shower: Final = DeviceShower(
            library=self.library,
            roster=self.roster,
            papers=self.papers,
            lost=self._is_lost,
            changed=self._contact_has_device,
        )
        self.doubts: Final = Doubts(
            database=self.database,
            library=self.library,
            events=self.events,
            changed=self._doubt_changed,
            now=self.clock,
        )
        self.heads: Final = Heads(
            device=self.device,
            database=self.database,
            library=self.library,
            doubts=self.doubts,
            devices=lambda: [each.chain.device for each in self.roster.live()],
            revoked=self.papers.own_list,
            lost=lambda identity, signer: self.papers.revocations.revokes_device(identity, signer),
            entropy=self.entropy,
            now=self.clock,
        )
        self.guarding: Final = Guarding(
            device=self.device,
            database=self.database,
            library=self.library,
            doubts=self.doubts,
            events=self.events,
            changed=self._tell_guardians,
            now=self.clock,
        )
        self.mailboxes: Final = Mailboxes(self.database, self.entropy)
        self.own_devices: Final = OwnDevices(self.device, self.library, self.roster)
        self.whereabouts: Final = Whereabouts(self.database)
        joining.take_over(self.home, self.keys, self.roster, self.whereabouts, self.clock())
        self.tickets: Final = Tickets(
            device=self.device,
            database=self.database,
            library=self.library,
            entropy=self.entropy,
            now=self.clock,
        )
        self.peers: Final = Peers(
            settings=ChannelSettings(),
            device=self.device,
            library=self.library,
            roster=self.roster,
            whereabouts=self.whereabouts,
            events=self.events,
            dial=counted_dial(self._dial, self.events.counters),
            entropy=self.entropy,
            now=self.clock,
            converse=self._converse,
            converse_with_sibling=self._converse_with_sibling,
            paired=self._paired,
            tickets=self.tickets.issued,
            refused=self._refused,
            lost=self._is_lost,
            doubted=lambda identity: self.doubts.of(identity) is not None,
            other_key=lambda error: self.doubts.saw(error.expected, "secret", error.seen),
        )
        self.our_devices: Final = OurDevices(
            device=self.device,
            library=self.library,
            roster=self.roster,
            papers=self.papers,
            entropy=self.entropy,
            connected=lambda: {each.link.peer.device for each in self.peers.siblings()},
            lost=self.device_lost,
            changed=self._family_changed,
            now=self.clock,
        )

    def _is_lost(self, chain: DeviceChain) -> bool:
        """Of a device of ours the best papers that are known count: it may not have them yet."""
        if chain.identity == self.device.identity and chain.device != self.device.chain.device:
            known = self.roster.device(chain.device)
            chain = chain if known is None else known.chain
        return self.papers.revocations.revokes_chain(chain)

    @abstractmethod
    def _heard_of_family(self) -> None:
        """A sibling told of something that we took back: that counts here too."""

    @abstractmethod
    def _family_changed(self) -> None:
        """There is news of our devices: the others are told, and new ones called."""

    @abstractmethod
    def _contact_has_device(self) -> None:
        """A contact told of a device: albums may let it in."""

    @abstractmethod
    def _doubt_changed(self, identity: bytes) -> None:
        """A key came in doubt, and nothing goes there any more; or a person verified it."""

    @abstractmethod
    def _tell_guardians(self) -> None:
        """There are shares for those who are connected."""

    @abstractmethod
    async def _dial(self, address: Address) -> Pipe: ...

    @abstractmethod
    def _converse(self, link: Link, contact: Contact) -> Sync: ...

    @abstractmethod
    def _converse_with_sibling(self, link: Link) -> SiblingLink: ...

    @abstractmethod
    async def _paired(self, link: Link, acquaintance: Acquaintance | DeviceRequest) -> None: ...

    @abstractmethod
    def _refused(self, error: KinlightError) -> None: ...

    @abstractmethod
    def device_lost(self) -> None:
        """A device of ours was taken back, or counts again. What it shared with the others is
        another one from now on, and everybody who is here hears of it.
        """
