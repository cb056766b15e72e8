"""How an unlocked node keeps what it has, here, at contacts and on other devices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Final

from .archiving import Archiver
from .away import Away
from .backing_up import BackingUp, Backups
from .collecting import Collecting, HeldOffers
from .core import Given
from .device_photos import DevicePhotos
from .doctor import Doctor
from .exchange_parts import ExchangeParts
from .held import HeldStore
from .holding import Hold
from .holding_terms import HoldingTerms
from .library import IncomingOffer
from .mending import Mender, Repairs
from .notes_back import NotesBack
from .noting import Noting
from .readiness import Readiness
from .recovery import Recovery
from .recovery_state import expected
from .sibling_link import SiblingLink
from .sibling_parts import SiblingParts
from .space import Connection, Space


class KeepingParts(ExchangeParts, ABC):
    """Backups, what is held, what devices share, room and repair."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.backups: Final = Backups(self.database)
        self.backing_up: Final = BackingUp(
            device=self.device,
            own_devices=self.own_devices,
            library=self.library,
            backups=self.backups,
            noting=Noting(self.database, self.library, self.watermarks),
            mailboxes=self.mailboxes,
            completed=lambda holder: self.readiness.completed(holder),
            now=self.clock,
            pause=self.depositing.pause,
        )
        self.collecting: Final = Collecting(
            library=self.library,
            held=HeldOffers(self.database),
            mailboxes=self.mailboxes,
            inbox=self.inbox,
        )
        self.recovery: Final = Recovery(
            device=self.device,
            library=self.library,
            judge=self.judge,
            own_devices=self.own_devices,
            backups=self.backups,
            notes=NotesBack(
                device=self.device,
                library=self.library,
                catalogue=self.catalogue,
                marks=self.marks,
                rules=self.rules,
                watermarks=self.watermarks,
                shelf=self.album_parts.shelf,
                entropy=self.entropy,
                now=self.clock,
            ),
            events=self.events,
            fingerprint=self.originals.fingerprint,
            arrived=self.checker.arrived,
            met=self._met_again,
            now=self.clock,
        )
        self.hold: Final = Hold(
            identity=self.device.identity,
            library=self.library,
            held=HeldStore(self.database, self.home.held, self.keys.holding_key),
            terms=HoldingTerms(self.database),
            mailboxes=self.mailboxes,
            commits=self.commits,
            counters=self.events.counters,
            now=self.clock,
        )
        self.sibling_parts: Final = SiblingParts(
            self,
            backing_up=self.backing_up,
            in_album=self._is_relied_on,
            follow_up=self.follow_up,
            news=lambda: self._each_sibling(lambda each: each.sync.tell()),
            wanted=self._bring_for_siblings,
            arrived=lambda: self._each_sibling(lambda each: each.sync.arrived()),
            again=lambda photo_id: self._each_sibling(lambda each: each.letting_go.came(photo_id)),
            met=self._met_again,
            spread=self._spread,
            mailbox_changed=self.tell_mailbox,
            album_missing=lambda album_id: self._each_sibling(
                lambda each: each.albums.meet(album_id)
            ),
        )
        self.device_photos: Final = DevicePhotos(
            parts=self.sibling_parts,
            library=self.library,
            roster=self.roster,
            connected=lambda: {each.link.peer.device for each in self.peers.siblings()},
            look=self._keep_otherwise,
        )
        self.repairs: Final = Repairs(self.database)
        self.away: Final = Away(self.database, self.blobs)
        self.away.load()
        self.mender: Final = Mender(
            library=self.library,
            catalogue=self.catalogue,
            repairs=self.repairs,
            backups=self.backups,
            blobs=self.blobs,
            events=self.events,
            fingerprint=self.originals.fingerprint,
            bringers=self.album_parts.photos.bringers,
        )
        self.space: Final = Space(
            us=self.device.identity,
            database=self.database,
            library=self.library,
            blobs=self.blobs,
            away=self.away,
            mender=self.mender,
            repairs=self.repairs,
            renditions=self.renditions,
            events=self.events,
            relied_on=self._is_relied_on,
            connections=self._connections,
            fetch_missing=self._fetch_missing,
            choose=self.environment.choose,
            now=self.clock,
        )
        self.doctor: Final = Doctor(
            home=self.home,
            device_identity=self.device.identity,
            database=self.database,
            library=self.library,
            blobs=self.blobs,
            repairs=self.repairs,
            mender=self.mender,
            expected=partial(expected, self.library),
            fetch_missing=self._fetch_missing,
        )
        self.archiver: Final = Archiver(
            home=self.home,
            keys=self.keys,
            database=self.database,
            library=self.library,
            blobs=self.blobs,
            events=self.events,
            entropy=self.entropy,
            now=self.clock,
        )
        self.readiness: Final = Readiness(
            device=self.device,
            database=self.database,
            library=self.library,
            mailboxes=self.mailboxes,
            backups=self.backups,
            archiver=self.archiver,
            events=self.events,
            now=self.clock,
        )

    @abstractmethod
    def _met_again(self) -> None:
        """Contacts are back: strangers may have become some, and are called."""

    @abstractmethod
    def follow_up(self, offer: IncomingOffer) -> None:
        """A person decided on an offer: tell its sender, and fetch if that is what was decided."""

    @abstractmethod
    def _each_sibling(self, tell: Callable[[SiblingLink], None]) -> None: ...

    @abstractmethod
    def _bring_for_siblings(self) -> None:
        """Photos are to be here that another device of ours told of."""

    @abstractmethod
    def _keep_otherwise(self) -> None:
        """A person chose what is kept on this device."""

    @abstractmethod
    def tell_mailbox(self) -> None:
        """Somebody was chosen to hold for us, or is not any more: all contacts are told."""

    @abstractmethod
    def _connections(self) -> list[Connection]:
        """Who can be asked for something now."""

    @abstractmethod
    async def _fetch_missing(self) -> None:
        """Let every contact who is here bring what is damaged, until that has come or can't."""
