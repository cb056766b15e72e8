"""What an unlocked node does when something changes: who is told, and what goes on by it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ..crypto.errors import KinlightError
from ..protocol.devices import OwnDevice
from ..protocol.joining import Joined
from . import names
from .album_shelf import SharedAlbum
from .library import Contact, IncomingOffer
from .link import Link
from .network_parts import NetworkParts
from .sibling_link import SiblingLink
from .space import Connection
from .sync import Sync


class Reactions(NetworkParts):
    """What the parts have to do with each other beyond the calls that they make themselves."""

    def _converse(self, link: Link, contact: Contact) -> Sync:
        with contextlib.suppress(KinlightError):  # a full disk: it shows them again next time
            self.papers.note(link.peer.certificates)
        self._accompanying.spawn(self.wide.accompany(link))
        self.album_parts.tending.look_again()  # it may be a further device of a member
        return Sync(
            link,
            contact,
            judge=self.judge,
            correspondence=self.correspondence,
            library=self.library,
            blobs=self.blobs,
            outbox=self.outbox,
            inbox=self.inbox,
            mender=self.mender,
            mailboxes=self.mailboxes,
            depositing=self.depositing,
            backing_up=self.backing_up,
            collecting=self.collecting,
            recovery=self.recovery,
            commits=self.commits,
            hold=self.hold,
            albums=self.album_parts,
            devices=self.shower,
            heads=self.heads,
            guarding=self.guarding,
            events=self.events,
            heard=self._heard,
        )

    def _converse_with_sibling(self, link: Link) -> SiblingLink:
        self._accompanying.spawn(self.wide.accompany(link))
        with contextlib.suppress(KinlightError):  # a full disk: it shows them again next time
            if self.roster.put([OwnDevice(link.peer, "", 0)]):
                self._family_changed()
        known = self.roster.device(link.peer.device)
        name = "" if known is None else known.name
        return SiblingLink(link, self.family, self.sibling_parts, self.album_parts, name)

    def siblings(self) -> list[SiblingLink]:
        """What goes on with our other devices that are connected."""
        found = (standing.conversation for standing in self.peers.siblings())
        return [each for each in found if isinstance(each, SiblingLink)]

    def _bring_for_siblings(self) -> None:
        """Photos are to be here that another device of ours told of."""
        for sibling in self.siblings():
            sibling.bringing.want()
            sibling.letting_go.want()
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.fetch_for_siblings()

    def _keep_otherwise(self) -> None:
        """A person chose what is kept on this device."""
        self._bring_for_siblings()
        self._each_sibling(lambda each: each.letting_go.look())

    def _each_sibling(self, tell: Callable[[SiblingLink], None]) -> None:
        for sibling in self.siblings():
            tell(sibling)

    def met_sibling(self, joined: Joined) -> None:
        """A device of ours that did not know this one shared what own devices share."""
        self.roster.take_secret(joined.secret)
        self.roster.put([OwnDevice(joined.by, names.contact_name(joined.by_name), 0)])
        self._family_changed()

    def _family_changed(self) -> None:
        """There is news of our devices: the others are told, and new ones called."""
        own = self.roster.device(self.device.chain.device)
        if own is not None and own.chain.encoded != self.device.chain.encoded:
            self.renewed(own.chain)
        for sibling in self.siblings():
            sibling.tell()
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.tell_devices()
        self.peers.forget_refusals()

    def _contact_has_device(self) -> None:
        """A contact told of a device: albums may let it in."""
        self.album_parts.tending.look_again()

    def _heard_of_family(self) -> None:
        """A sibling told of something that we took back: that counts here too."""
        self.sibling_parts.heard_of_lost()
        self._spread()
        self.album_parts.tending.look_again()

    def _settled(self, offer: IncomingOffer) -> None:
        """Whoever holds what was offered need not do so any more. What an album brought may be
        fetched from here.
        """
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.settled(offer)
                if offer.album is not None:
                    conversation.album_photo_arrived(offer.album)
        if offer.state == "stored":
            self._each_sibling(lambda each: each.sync.arrived())
        if offer.album is not None and offer.state == "stored":
            self.events.publish("album-photo", id=offer.photo_id.hex(), album=offer.album.hex())

    def _album_changed(self, shared: SharedAlbum) -> None:
        """Something came to an album: who is in it is told, and admins look what is to be done."""
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.album_changed(shared)
        self._each_sibling(lambda each: each.albums.changed(shared))
        self.album_parts.tending.look_again()
        self.events.publish("album", id=shared.album_id.hex(), what="changed")

    def device_lost(self) -> None:
        """A device of ours was taken back, or counts again. What it shared with the others is
        another one from now on, and everybody who is here hears of it.
        """
        self.sibling_parts.cut_lost()
        self.roster.renew_secret(self.entropy)
        self._spread()
        self.renew_mailbox()
        self.sibling_parts.cut_lost()
        self.album_parts.tending.look_again()
        self.events.publish("devices")

    def renew_mailbox(self) -> None:
        """Who has a device of ours, or was blocked, is not to know what is left for us."""
        if self.mailboxes.ours() is not None:
            self.mailboxes.renew()
            self.tell_mailbox()

    def tell_mailbox(self) -> None:
        """Somebody was chosen to hold for us, or is not any more: all contacts are told."""
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.tell_mailbox()
                conversation.collect()
        self.backing_up.tell()

    def _removed(self) -> None:
        """Photos are gone: neither what was left for others of them nor their backup is needed."""
        self.depositing.look_again()
        self.backing_up.tell()

    def _met_again(self) -> None:
        """Contacts are back: strangers may have become some, and are called."""
        self.peers.forget_refusals()
        self.peers.nudge()

    def _tell_guardians(self) -> None:
        """There are shares for those who are connected."""
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.give_share()

    def _doubt_changed(self, identity: bytes) -> None:
        """A key came in doubt, and nothing goes there any more; or a person verified it."""
        if self.doubts.of(identity) is not None:
            self.peers.drop_doubted(identity)
        else:
            self._met_again()

    def _heard(self, identity: bytes) -> None:
        """Papers of a contact came: what it says is lost gets nothing more, and is sent away. Some
        photos may have waited for them, and those to whom we passed photos on are to know them.
        """
        for chain in filter(self._is_lost, self.library.devices(identity)):
            self.outbox.withdraw_device(chain.device)
        self._spread()
        self.album_parts.tending.look_again()

    def _connections(self) -> list[Connection]:
        """Who can be asked for something now."""
        conversations = self.peers.conversations()
        return [each.connection for each in conversations if isinstance(each, Sync)]

    async def _fetch_missing(self) -> None:
        """Let every contact who is here bring what is damaged, until that has come or can't."""
        conversations = self.peers.conversations()
        mending = [each.mend() for each in conversations if isinstance(each, Sync)]
        await asyncio.gather(*mending, return_exceptions=True)

    def _spread(self) -> None:
        """Papers changed: everybody who is connected is told, and what waited for them goes on."""
        self.peers.drop_lost()
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.look_again()
        for sibling in self.siblings():
            sibling.tell()
        self.open_grants.look_again()

    def follow_up(self, offer: IncomingOffer) -> None:
        """A person decided on an offer: tell its sender, and fetch if that is what was decided."""
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.decided(offer)
        self._each_sibling(lambda each: each.bringing.want())
