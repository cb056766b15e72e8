"""How photos of an unlocked node go out and come in, and who may have which."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Final

from ..crypto.identity import DeviceChain
from ..protocol.errors import DeniedError
from .album_parts import AlbumParts
from .album_shelf import SharedAlbum
from .collection import Collection
from .core import Given
from .correspondence import Correspondence
from .delegating import Delegating
from .depositing import Depositing
from .deposits import Deposits
from .drop_desk import DropDesk
from .drop_parts import DropParts
from .drops import Drops
from .explaining import Explainer
from .exporting import Exporter
from .folders import Folders
from .granting import Granting
from .inbox import Inbox
from .judge import Judge
from .keeping import Keeper
from .library import Delivery, IncomingOffer
from .lineage import Lineage
from .open_grants import OpenGrants
from .outbox import Outbox
from .people_parts import PeopleParts
from .receipts import Receipts
from .removing import Remover
from .rules import Rules
from .searching import Search
from .sharing import Sharing
from .tracing import Tracer
from .weblink_desk import WebLinkDesk
from .weblink_rtc import RtcThread
from .weblink_server import Listeners
from .weblinks import WebLinks


class ExchangeParts(PeopleParts, ABC):
    """Rules, grants, albums, what goes and what comes."""

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.receipts: Final = Receipts(
            database=self.database,
            library=self.library,
            catalogue=self.catalogue,
            is_hidden=lambda photo: self.judge.ended(photo) is not None,
        )
        self.outbox: Final = Outbox(
            device=self.device,
            own_devices=self.own_devices,
            library=self.library,
            commits=self.commits,
            grants=self.grants,
            receipts=self.receipts,
            papers=self.papers,
            events=self.events,
            entropy=self.entropy,
            now=self.clock,
            changed=lambda: self.depositing.tell(),
            over=lambda envelope_hash: self.depositing.over(envelope_hash),
        )
        self.rules: Final = Rules(
            device=self.device,
            library=self.library,
            catalogue=self.catalogue,
            marks=self.marks,
            derivations=self.derivations,
            papers=self.papers,
            roles=self._roles_of,
            now=self.clock,
        )
        self.granting: Final = Granting(
            device=self.device,
            library=self.library,
            grants=self.grants,
            catalogue=self.catalogue,
            derivations=self.derivations,
            papers=self.papers,
            outbox=self.outbox,
            spread=self._spread,
            lost=self.device_lost,
            now=self.clock,
        )
        self.tracer: Final = Tracer(
            decoder=self.decoder,
            service=self.mark_service,
            watermarks=self.watermarks,
            library=self.library,
            receipts=self.receipts,
        )
        self.remover: Final = Remover(
            database=self.database,
            catalogue=self.catalogue,
            receipts=self.receipts,
            blobs=self.blobs,
            events=self.events,
            in_album=self._is_relied_on,
            removed=self._removed,
            now=self.clock,
        )
        self.lineage: Final = Lineage(
            device=self.device, library=self.library, grants=self.grants, papers=self.papers
        )
        self.judge: Final = Judge(
            device=self.device,
            library=self.library,
            copies=self.copies,
            papers=self.papers,
            rules=self.rules,
            lineage=self.lineage,
            now=self.clock,
        )
        self.open_grants: Final = OpenGrants(
            device=self.device,
            library=self.library,
            grants=self.grants,
            papers=self.papers,
            judge=self.judge,
            outbox=self.outbox,
            entropy=self.entropy,
            now=self.clock,
            queued=lambda: self.peers.nudge(),
        )
        self.sharing: Final = Sharing(
            device=self.device,
            originals=self.originals,
            commits=self.commits,
            blobs=self.blobs,
            library=self.library,
            catalogue=self.catalogue,
            cataloguer=self.cataloguer,
            copies=self.copies,
            checker=self.checker,
            rules=self.rules,
            outbox=self.outbox,
            open_grants=self.open_grants,
            remover=self.remover,
            now=self.clock,
        )
        self.delegating: Final = Delegating(
            device=self.device,
            library=self.library,
            cataloguer=self.cataloguer,
            catalogue=self.catalogue,
            judge=self.judge,
            rules=self.rules,
            lineage=self.lineage,
            outbox=self.outbox,
        )
        self.exporter: Final = Exporter(
            library=self.library, catalogue=self.catalogue, blobs=self.blobs, judge=self.judge
        )
        self.explainer: Final = Explainer(
            device=self.device,
            library=self.library,
            grants=self.grants,
            derivations=self.derivations,
            judge=self.judge,
            rules=self.rules,
        )
        self.correspondence: Final = Correspondence(
            device=self.device,
            library=self.library,
            papers=self.papers,
            lineage=self.lineage,
            events=self.events,
        )
        self.album_parts: Final = AlbumParts(
            self,
            rules=self.rules,
            remover=self.remover,
            changed=self._album_changed,
            connected=lambda: {
                standing.link.peer.device: standing.link.peer
                for standing in (*self.peers.standing(), *self.peers.siblings())
            },
            revoked=self._spread,
        )
        self.albums: Final = self.album_parts.albums
        self.collection: Final = Collection(
            device=self.device,
            library=self.library,
            catalogue=self.catalogue,
            marks=self.marks,
            search=Search(self.database),
            importer=self.importer,
            judge=self.judge,
            checks=self.checks,
            shared=lambda: self.albums,
        )
        self.inbox: Final = Inbox(
            device=self.device,
            judge=self.judge,
            library=self.library,
            blobs=self.blobs,
            commits=self.commits,
            events=self.events,
            fingerprint_key=self.keys.fingerprint_key,
            now=self.clock,
            settled=self._settled,
            arrived=self.checker.arrived,
            album_grant=self.album_parts.photos.grant,
        )
        self.deposits: Final = Deposits(self.database)
        self.depositing: Final = Depositing(
            library=self.library,
            deposits=self.deposits,
            mailboxes=self.mailboxes,
            outbox=self.outbox,
            check=self._check_deposit,
            is_here=self.outbox.is_here,
            entropy=self.entropy,
            now=self.clock,
        )
        listeners = Listeners(self.library, self.config.links_port, self.clock)
        rtc = RtcThread(self.config.links_ice)
        self.weblinks: Final = WebLinkDesk(
            links=WebLinks(
                device=self.device,
                database=self.database,
                library=self.library,
                copies=self.copies,
                rules=self.rules,
                entropy=self.entropy,
                now=self.clock,
            ),
            listeners=listeners,
            sharing=self.sharing,
            library=self.library,
            blobs=self.blobs,
            events=self.events,
            counters=self.events.counters,
            rtc=rtc,
            clock=time.monotonic,
        )
        self.drops: Final = DropDesk(
            name=self.device.name,
            drops=Drops(database=self.database, entropy=self.environment.entropy, now=self.clock),
            parts=DropParts(self.home.dropped, self.environment.entropy),
            originals=self.originals,
            library=self.library,
            catalogue=self.catalogue,
            blobs=self.blobs,
            commits=self.commits,
            events=self.events,
            entropy=self.entropy,
            listeners=listeners,
            renew=self.weblinks.renew,
            rtc=rtc,
            arrived=self.checker.arrived,
        )
        self.drops.sweep()
        self.weblinks.join(self.drops)
        self.keeper: Final = Keeper(
            folders=Folders(self.database),
            library=self.library,
            catalogue=self.catalogue,
            importer=self.importer,
            exporter=self.exporter,
            sharing=self.sharing,
            events=self.events,
            shared=self.peers.nudge,
            pace=self.environment.pace,
            now=self.clock,
        )

    def _check_deposit(self, delivery: Delivery, chain: DeviceChain) -> None:
        """Raise why a delivery may not be left with somebody for its device."""
        if self.doubts.of(chain.identity) is not None:
            raise DeniedError
        capability = None
        if delivery.grant_hash is not None:
            capability = self.grants.capability(delivery.grant_hash)
        if capability is None:
            raise DeniedError  # of before version 0.2.0: what it allows is not known
        self.judge.check_deposit(capability, chain, delivery.photo_id)

    def _is_relied_on(self, photo_id: bytes) -> bool:
        return self.albums.relies_on_us(photo_id)

    def _roles_of(self, identity: bytes) -> frozenset[tuple[str, str, bytes]]:
        return self.albums.roles_of(identity)

    @abstractmethod
    def _spread(self) -> None:
        """Papers changed: everybody who is connected is told, and what waited for them goes on."""

    @abstractmethod
    def _removed(self) -> None:
        """Photos are gone: neither what was left for others of them nor their backup is needed."""

    @abstractmethod
    def _album_changed(self, shared: SharedAlbum) -> None:
        """Something came to an album: who is in it is told, and admins look what is to be done."""

    @abstractmethod
    def _settled(self, offer: IncomingOffer) -> None:
        """Whoever holds what was offered need not do so any more. What an album brought may be
        fetched from here.
        """
