"""Everything that exists only while the node is unlocked, wired together and started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ..crypto.channel import ChannelSettings
from ..crypto.errors import KinlightError
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..protocol.errors import DeniedError
from ..protocol.opening import Acquaintance, Entropy, LocalDevice
from . import tcp, trimming
from .addresses import Address
from .album_parts import AlbumParts
from .album_shelf import SharedAlbum
from .backing_up import BackingUp, Backups
from .blobstore import BlobStore
from .catalogue import Catalogue
from .cataloguing import Cataloguer
from .check_service import CheckService
from .checks import Checker, Checks, Verdicts
from .clock import KEPT_SECONDS, Clock
from .collecting import Collecting, HeldOffers
from .collection import Collection
from .commits import Commits
from .config import Config
from .copies import Copies
from .correspondence import Correspondence
from .counters import counted_accept, counted_dial, counted_listener
from .database import Database
from .decoder import Decoder
from .delegating import Delegating
from .depositing import Depositing
from .deposits import Deposits
from .derivations import Derivations
from .discovery import Discovery
from .doctor import Doctor
from .errors import HomeUnusableError, LibraryDamagedError, LockedError
from .events import Events
from .explaining import Explainer
from .exporting import Exporter
from .finding import Finding
from .folders import Folders
from .granting import Granting
from .grants import Grants
from .held import HeldStore
from .holding import Hold
from .holding_terms import HoldingTerms
from .home import Home
from .importing import Importer
from .inbox import Inbox
from .judge import Judge
from .keeping import Keeper
from .keys import UnlockedKeys
from .library import Contact, Delivery, IncomingOffer, Library
from .lineage import Lineage
from .link import Link
from .mailboxes import Mailboxes
from .marks import Marks
from .meeting import Meeting
from .mending import Mender, Repairs
from .notifying import Notifier
from .open_grants import OpenGrants
from .originals import Originals
from .outbox import Outbox
from .own_devices import OwnDevices
from .pace import Pace
from .papers import Papers
from .peers import Peers
from .pipes import Dial, Listen, Pipe
from .receipts import Receipts
from .recovery import Recovery
from .recovery_state import RecoveryState
from .removing import Remover
from .rendezvous import Rendezvous
from .renditions import Renditions
from .rules import Rules
from .searching import Search
from .sharing import Sharing
from .surroundings import Surroundings
from .sync import Sync
from .tasks import Tasks
from .tickets import Tickets
from .weblink_desk import WebLinkDesk
from .weblink_server import Listeners
from .weblinks import WebLinks
from .whereabouts import Whereabouts
from .wide import Wide

PROBE_SECONDS: Final = 2.0
_PORT_SETTING: Final = "port"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Environment:
    """Where time, chance and pipes come from; tests bring their own."""

    now: Callable[[], int] = lambda: int(time.time())
    dial: Dial = tcp.dial
    listen: Listen = tcp.TcpListener
    entropy: Entropy = secrets.token_bytes
    choose: Callable[[int], int] = secrets.randbelow
    pace: Pace = field(default_factory=Pace)


class Unlocked:
    """The parts of an unlocked node. Made by `open`, ended by `close`."""

    def __init__(
        self,
        home: Home,
        device: LocalDevice,
        database: Database,
        library: Library,
        blobs: BlobStore,
        keys: UnlockedKeys,
        config: Config,
        events: Events,
        environment: Environment,
    ) -> None:
        self.device: Final = device
        self.database: Final = database
        self.library: Final = library
        self.blobs: Final = blobs
        self._events = events
        self._environment = environment
        self.clock: Final = Clock(
            device=device.signing.public,
            library=library,
            events=events,
            system=environment.now,
        )
        self.decoder: Final = Decoder(required=config.sandbox)
        self.catalogue: Final = Catalogue(database)
        self.marks: Final = Marks(database)
        self.commits: Final = Commits(database)
        self.originals: Final = Originals(
            device=device,
            library=library,
            blobs=blobs,
            commits=self.commits,
            events=events,
            fingerprint_key=keys.fingerprint_key,
            entropy=environment.entropy,
            now=self.clock,
            size_is_known=self.catalogue.has_file_of,
        )
        self.cataloguer: Final = Cataloguer(
            library=library,
            catalogue=self.catalogue,
            blobs=blobs,
            decoder=self.decoder,
            events=events,
        )
        self.check_service: Final = CheckService()
        self.checks: Final = Checks(database)
        self.verdicts: Final = Verdicts(
            us=device.identity, checks=self.checks, library=library, catalogue=self.catalogue
        )
        self.checker: Final = Checker(
            checks=self.checks,
            library=library,
            cataloguer=self.cataloguer,
            blobs=blobs,
            commits=self.commits,
            decoder=self.decoder,
            service=self.check_service,
            events=events,
            now=self.clock,
            received=config.received,
        )
        self.importer: Final = Importer(
            originals=self.originals,
            library=library,
            catalogue=self.catalogue,
            cataloguer=self.cataloguer,
            blobs=blobs,
            events=events,
            now=self.clock,
        )
        self.grants: Final = Grants(database)
        self.papers: Final = Papers(
            device=device, database=database, entropy=environment.entropy, now=self.clock
        )
        self.mailboxes: Final = Mailboxes(database, environment.entropy)
        self.receipts: Final = Receipts(
            database=database,
            library=library,
            catalogue=self.catalogue,
            is_hidden=lambda photo: self.judge.ended(photo) is not None,
        )
        own_devices = OwnDevices(device, library)
        self.outbox: Final = Outbox(
            device=device,
            own_devices=own_devices,
            library=library,
            commits=self.commits,
            grants=self.grants,
            receipts=self.receipts,
            papers=self.papers,
            events=events,
            entropy=environment.entropy,
            now=self.clock,
            changed=lambda: self.depositing.tell(),
            over=lambda envelope_hash: self.depositing.over(envelope_hash),
        )
        derivations = Derivations(database)
        self.rules: Final = Rules(
            device=device,
            library=library,
            catalogue=self.catalogue,
            marks=self.marks,
            derivations=derivations,
            papers=self.papers,
            roles=self._roles_of,
            now=self.clock,
        )
        self.granting: Final = Granting(
            device=device,
            library=library,
            grants=self.grants,
            catalogue=self.catalogue,
            derivations=derivations,
            papers=self.papers,
            outbox=self.outbox,
            spread=self._spread,
            lost=self.renew_mailbox,
            now=self.clock,
        )
        self.renditions: Final = Renditions(
            library=library,
            derivations=derivations,
            blobs=blobs,
            decoder=self.decoder,
            entropy=environment.entropy,
        )
        self.copies: Final = Copies(
            library=library,
            catalogue=self.catalogue,
            cataloguer=self.cataloguer,
            derivations=derivations,
            blobs=blobs,
            decoder=self.decoder,
            originals=self.originals,
        )
        self.remover: Final = Remover(
            database=database,
            catalogue=self.catalogue,
            receipts=self.receipts,
            blobs=blobs,
            events=events,
            in_album=self._is_relied_on,
            removed=self._removed,
            now=self.clock,
        )
        lineage = Lineage(device=device, library=library, grants=self.grants, papers=self.papers)
        self.judge: Final = Judge(
            device=device,
            library=library,
            copies=self.copies,
            papers=self.papers,
            rules=self.rules,
            lineage=lineage,
            now=self.clock,
        )
        self.open_grants: Final = OpenGrants(
            device=device,
            library=library,
            grants=self.grants,
            papers=self.papers,
            judge=self.judge,
            outbox=self.outbox,
            entropy=environment.entropy,
            now=self.clock,
            queued=lambda: self.peers.nudge(),
        )
        self.sharing: Final = Sharing(
            device=device,
            originals=self.originals,
            commits=self.commits,
            blobs=blobs,
            library=library,
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
            device=device,
            library=library,
            cataloguer=self.cataloguer,
            catalogue=self.catalogue,
            judge=self.judge,
            rules=self.rules,
            lineage=lineage,
            outbox=self.outbox,
        )
        self.exporter: Final = Exporter(
            library=library, catalogue=self.catalogue, blobs=blobs, judge=self.judge
        )
        self.collection: Final = Collection(
            device=device,
            library=library,
            catalogue=self.catalogue,
            marks=self.marks,
            search=Search(database),
            importer=self.importer,
            judge=self.judge,
            checks=self.checks,
            shared=lambda: self.albums,
        )
        self.explainer: Final = Explainer(
            device=device,
            library=library,
            grants=self.grants,
            derivations=derivations,
            judge=self.judge,
            rules=self.rules,
        )
        self.correspondence: Final = Correspondence(
            device=device,
            library=library,
            papers=self.papers,
            lineage=lineage,
            events=events,
        )
        self.album_parts: Final = AlbumParts(
            device=device,
            database=database,
            library=library,
            catalogue=self.catalogue,
            cataloguer=self.cataloguer,
            copies=self.copies,
            importer=self.importer,
            rules=self.rules,
            remover=self.remover,
            papers=self.papers,
            events=events,
            entropy=environment.entropy,
            now=self.clock,
            changed=self._album_changed,
            connected=lambda: {
                standing.link.peer.device: standing.link.peer for standing in self.peers.standing()
            },
            revoked=self._spread,
        )
        self.albums: Final = self.album_parts.albums
        self.inbox: Final = Inbox(
            device=device,
            judge=self.judge,
            library=library,
            blobs=blobs,
            commits=self.commits,
            events=events,
            fingerprint_key=keys.fingerprint_key,
            now=self.clock,
            settled=self._settled,
            arrived=self.checker.arrived,
            album_grant=self.album_parts.photos.grant,
        )
        self.deposits: Final = Deposits(database)
        self.depositing: Final = Depositing(
            library=library,
            deposits=self.deposits,
            mailboxes=self.mailboxes,
            outbox=self.outbox,
            check=self._check_deposit,
            is_here=self.outbox.is_here,
            entropy=environment.entropy,
            now=self.clock,
        )
        backups = Backups(database)
        self.backing_up: Final = BackingUp(
            device=device,
            own_devices=own_devices,
            library=library,
            backups=backups,
            mailboxes=self.mailboxes,
            now=self.clock,
            pause=self.depositing.pause,
        )
        self.collecting: Final = Collecting(
            library=library,
            held=HeldOffers(database),
            mailboxes=self.mailboxes,
            inbox=self.inbox,
        )
        self.recovery: Final = Recovery(
            device=device,
            library=library,
            judge=self.judge,
            own_devices=own_devices,
            backups=backups,
            events=events,
            fingerprint=self.originals.fingerprint,
            arrived=self.checker.arrived,
            met=self._met_again,
            now=self.clock,
        )
        self.hold: Final = Hold(
            identity=device.identity,
            library=library,
            held=HeldStore(database, home.held, keys.holding_key),
            terms=HoldingTerms(database),
            mailboxes=self.mailboxes,
            commits=self.commits,
            counters=events.counters,
            now=self.clock,
        )
        repairs = Repairs(database)
        self.mender: Final = Mender(
            library=library,
            catalogue=self.catalogue,
            repairs=repairs,
            backups=backups,
            blobs=blobs,
            events=events,
            fingerprint=self.originals.fingerprint,
            bringers=self.album_parts.photos.bringers,
        )
        self.doctor: Final = Doctor(
            home=home,
            device_identity=device.identity,
            database=database,
            library=library,
            blobs=blobs,
            repairs=repairs,
            mender=self.mender,
            expected=partial(_expected, library),
            fetch_missing=self._fetch_missing,
        )
        self.whereabouts: Final = Whereabouts(database)
        self.tickets: Final = Tickets(
            device=device,
            database=database,
            library=library,
            entropy=environment.entropy,
            now=self.clock,
        )
        self.weblinks: Final = WebLinkDesk(
            links=WebLinks(
                device=device,
                database=database,
                library=library,
                copies=self.copies,
                rules=self.rules,
                entropy=environment.entropy,
                now=self.clock,
            ),
            listeners=Listeners(library, config.links_port, self.clock),
            sharing=self.sharing,
            library=library,
            blobs=blobs,
            events=events,
            counters=events.counters,
            ice_servers=config.links_ice,
            clock=time.monotonic,
        )
        self.peers: Final = Peers(
            settings=ChannelSettings(),
            device=device,
            library=library,
            whereabouts=self.whereabouts,
            events=events,
            dial=counted_dial(self._dial, events.counters),
            entropy=environment.entropy,
            now=self.clock,
            converse=self._converse,
            paired=self._paired,
            tickets=self.tickets.issued,
            refused=self._refused,
            lost=self._is_lost,
        )
        self.keeper: Final = Keeper(
            folders=Folders(database),
            library=library,
            catalogue=self.catalogue,
            importer=self.importer,
            exporter=self.exporter,
            sharing=self.sharing,
            events=events,
            shared=self.peers.nudge,
            pace=environment.pace,
            now=self.clock,
        )
        self.listener: Final = counted_listener(
            environment.listen, self.peers.accept, events.counters
        )
        self.rendezvous: Final = Rendezvous(
            device=device,
            contacts=lambda: [each for each in library.contacts() if not each.blocked],
            wanted=self.peers.wanted,
            addresses=lambda: self.wide.addresses(),
            whereabouts=self.whereabouts,
            heard=self.peers.nudge,
            filler=lambda: Secret(self.wide.seed()),
            now=self.clock,
        )
        self.finding: Final = Finding(
            wanted=self.peers.wanted,
            whereabouts=self.whereabouts,
            heard=self.peers.nudge,
        )
        self.wide: Final = Wide(
            on=config.wide,
            port=config.wide_port,
            relaying=config.wide_relay,
            bootstraps=config.wide_bootstrap if config.wide_lookup else None,
            upnp=config.wide_upnp,
            library=library,
            tcp=environment.dial,
            accept=counted_accept(self.peers.accept, events.counters),
            improved=counted_accept(self.peers.improve, events.counters),
            attend=self.rendezvous.attend,
            keep_finding=self.finding.keep,
            entropy=environment.entropy,
            events=events,
        )
        self.surroundings: Final = Surroundings()
        self.discovery: Discovery | None = None
        self._config = config
        self._meeting: Meeting | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._accompanying = Tasks(_log)

    @classmethod
    async def open(
        cls,
        home: Home,
        config: Config,
        keys: UnlockedKeys,
        events: Events,
        environment: Environment,
    ) -> Unlocked:
        """Open the library, clear leftovers, listen, and look for contacts."""
        blobs = BlobStore(home.blobs)
        # Opening would make a new library, and the sweep would then take every blob for a leftover.
        if not Database.exists(home.library) and blobs.holds_any():
            raise LibraryDamagedError("library.db is missing or empty")
        database = Database(home.library, keys.library_key)
        library = Library(database)
        try:
            expected = [*_expected(library), *Repairs(database).expected()]
            await asyncio.to_thread(blobs.sweep, library.blob_ids(), expected)
            opened = cls(
                home, keys.device, database, library, blobs, keys, config, events, environment
            )
        except BaseException:
            library.close()
            raise
        try:
            await opened.album_parts.shelf.load()
            await opened._start()
        except BaseException:
            await opened.close()
            raise
        return opened

    async def _start(self) -> None:
        self.catalogue.prepare()
        await asyncio.to_thread(self.hold.held.sweep())
        await self._listen()
        if self._config.discovery:
            self.discovery = Discovery(
                self.listener.port, self._config.interfaces, surroundings=self.surroundings
            )
            await self.discovery.start()
        self._meeting = Meeting(
            device=self.device,
            library=self.library,
            whereabouts=self.whereabouts,
            peers=self.peers,
            tickets=self.tickets,
            lost=lambda identity, device: self.papers.revocations.revokes_device(identity, device),
            check=self.wide.check,
            events=self._events,
            discovery=self.discovery,
            port=self.listener.port,
            entropy=self._environment.entropy,
            choose=self._environment.choose,
            now=self.clock,
        )
        self.wide.start()
        self.peers.start(self.discovery, self.surroundings)
        self.surroundings.start()
        self.keeper.start()
        work = [
            self.cataloguer.run(),
            self.checker.run(),
            self._probe(),
            self.open_grants.run(),
            self._witness(),
            self.hold.run(),
            self.album_parts.tending.run(),
            self.weblinks.run(),
            trimming.keep_trimmed(lambda: self._events.counters.pieces),
        ]
        if self._config.desktop:
            notifier = Notifier(
                events=self._events,
                library=self.library,
                pace=self._environment.pace,
                details=self._config.details,
            )
            work.append(notifier.run())
        self._tasks += map(asyncio.create_task, work)

    async def _witness(self) -> None:
        """Keep the time that was seen, so that a clock which is set back is noticed."""
        while True:
            with contextlib.suppress(KinlightError):  # a full disk: it is tried again
                self.clock.keep()
            await asyncio.sleep(KEPT_SECONDS)

    async def _probe(self) -> None:
        """Learn how pictures will be caged, so that `status` can tell before there is one."""
        await asyncio.sleep(PROBE_SECONDS)  # after what somebody may be waiting for
        with contextlib.suppress(KinlightError):  # it is said when a picture is to be opened
            await self.decoder.probe()

    @property
    def meeting(self) -> Meeting:
        """Pairing, once the node listens."""
        if self._meeting is None:
            raise LockedError
        return self._meeting

    async def _listen(self) -> None:
        """On the port of the settings, else on the one of last time, else on any free one.

        Contacts remember where they reached this node, so the port should stay.
        """
        if self._config.port:
            try:
                await self.listener.start(self._config.port)
            except OSError as error:
                raise HomeUnusableError(
                    f"port {self._config.port} of config.toml is taken, {error.strerror}"
                ) from None
            return
        last = int.from_bytes(self.library.setting(_PORT_SETTING) or b"")
        try:
            await self.listener.start(last)
        except OSError:
            await self.listener.start(0)
        if self.listener.port != last:
            self.library.set_setting(_PORT_SETTING, self.listener.port.to_bytes(2))

    async def _dial(self, address: Address) -> Pipe:
        return await self.wide.dial(address)

    def _converse(self, link: Link, contact: Contact) -> Sync:
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
            events=self._events,
            heard=self._heard,
        )

    def _check_deposit(self, delivery: Delivery, chain: DeviceChain) -> None:
        """Raise why a delivery may not be left with somebody for its device."""
        capability = None
        if delivery.grant_hash is not None:
            capability = self.grants.capability(delivery.grant_hash)
        if capability is None:
            raise DeniedError  # of before version 0.2.0: what it allows is not known
        self.judge.check_deposit(capability, chain, delivery.photo_id)

    def _settled(self, offer: IncomingOffer) -> None:
        """Whoever holds what was offered need not do so any more. What an album brought may be
        fetched from here.
        """
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.settled(offer)
                if offer.album is not None:
                    conversation.album_photo_arrived(offer.album)
        if offer.album is not None and offer.state == "stored":
            self._events.publish("album-photo", id=offer.photo_id.hex(), album=offer.album.hex())

    def _is_relied_on(self, photo_id: bytes) -> bool:
        return self.albums.relies_on_us(photo_id)

    def _roles_of(self, identity: bytes) -> frozenset[tuple[str, str, bytes]]:
        return self.albums.roles_of(identity)

    def _album_changed(self, shared: SharedAlbum) -> None:
        """Something came to an album: who is in it is told, and admins look what is to be done."""
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.album_changed(shared)
        self.album_parts.tending.look_again()
        self._events.publish("album", id=shared.album_id.hex(), what="changed")

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

    def _is_lost(self, chain: DeviceChain) -> bool:
        return self.papers.revocations.revokes_device(chain.identity, chain.device)

    def _heard(self, identity: bytes) -> None:
        """Papers of a contact came: what it says is lost gets nothing more, and is sent away. Some
        photos may have waited for them, and those to whom we passed photos on are to know them.
        """
        for chain in filter(self._is_lost, self.library.devices(identity)):
            self.outbox.withdraw_device(chain.device)
        self._spread()
        self.album_parts.tending.look_again()

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
        self.open_grants.look_again()

    async def _paired(self, link: Link, acquaintance: Acquaintance) -> None:
        await self.meeting.paired(link, acquaintance)

    def _refused(self, error: KinlightError) -> None:
        self._events.counters.refused("caller", error.code)
        self._events.publish("caller-refused", code=error.code)
        self.meeting.refused(error)

    def follow_up(self, offer: IncomingOffer) -> None:
        """A person decided on an offer: tell its sender, and fetch if that is what was decided."""
        for conversation in self.peers.conversations():
            if isinstance(conversation, Sync):
                conversation.decided(offer)

    async def close(self) -> None:
        """End all of it. Never raises."""
        try:
            await self.listener.close()
            await self.surroundings.close()
            await self.peers.close()
            await self._accompanying.close()
            await self.wide.close()
            if self.discovery is not None:
                await self.discovery.close()
            for task in self._tasks:
                task.cancel()
                await asyncio.wait({task})
            await self.hold.close()
            await self.keeper.close()
            await self.importer.close()
            await self.check_service.close()
            await self.decoder.close()
        finally:
            with contextlib.suppress(KinlightError):
                self.clock.keep()
            with contextlib.suppress(KinlightError):
                self.library.close()


def _expected(library: Library) -> list[tuple[bytes, bytes]]:
    """The (photo id, content id) of all blobs of photos that may still come."""
    return [*library.coming(), *RecoveryState(library).parts()]
