"""Everything that exists only while the node is unlocked, wired together and started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from ..crypto.channel import ChannelSettings
from ..crypto.errors import KinlightError
from ..crypto.identity import DeviceChain
from ..crypto.secret import Secret
from ..protocol.devices import OwnDevice
from ..protocol.errors import DeniedError
from ..protocol.joining import DeviceRequest, Joined
from ..protocol.opening import Acquaintance, LocalDevice
from . import joining, names, trimming
from .addresses import Address
from .album_parts import AlbumParts
from .album_shelf import SharedAlbum
from .archiving import Archiver
from .away import Away
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
from .device_photos import DevicePhotos
from .discovery import Discovery
from .doctor import Doctor
from .doubts import Doubts
from .drop_desk import DropDesk
from .drop_parts import DropParts
from .drops import Drops
from .environment import Environment
from .errors import HomeUnusableError, LibraryDamagedError, LockedError
from .events import Events
from .explaining import Explainer
from .exporting import Exporter
from .family import Family
from .finding import Finding
from .folders import Folders
from .granting import Granting
from .grants import Grants
from .guardians import Guarding
from .heads import Heads
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
from .mark_service import MarkService
from .marks import Marks
from .meeting import Meeting
from .mending import Mender, Repairs
from .notes_back import NotesBack
from .notifying import Notifier
from .noting import Noting
from .open_grants import OpenGrants
from .originals import Originals
from .our_devices import OurDevices
from .outbox import Outbox
from .own_devices import OwnDevices
from .papers import Papers
from .peers import Peers
from .pipes import Pipe
from .readiness import Readiness
from .receipts import Receipts
from .recovery import Recovery
from .recovery_state import RecoveryState
from .removing import Remover
from .rendezvous import Rendezvous
from .renditions import Renditions
from .roster import Roster
from .rules import Rules
from .searching import Search
from .sharing import Sharing
from .showing_devices import DeviceShower
from .sibling_link import SiblingLink
from .sibling_parts import SiblingParts
from .space import Connection, Space
from .surroundings import Surroundings
from .sync import Sync
from .tasks import Tasks
from .tickets import Tickets
from .tracing import Tracer
from .watermarks import Watermarks
from .weblink_desk import WebLinkDesk
from .weblink_rtc import RtcThread
from .weblink_server import Listeners
from .weblinks import WebLinks
from .whereabouts import Whereabouts
from .wide import Wide

PROBE_SECONDS: Final = 2.0
_PORT_SETTING: Final = "port"

_log = logging.getLogger(__name__)


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
        renewed: Callable[[DeviceChain], None],
    ) -> None:
        """`renewed` is called when another device of ours certified this one anew."""
        self.device: Final = device
        self.database: Final = database
        self.library: Final = library
        self.blobs: Final = blobs
        self._events = events
        self._environment = environment
        self._renewed = renewed
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
        self.roster: Final = Roster(
            device=device,
            database=database,
            lost=lambda chain: self.papers.revocations.revokes_chain(chain),
            now=self.clock,
        )
        self.family: Final = Family(
            device=device,
            roster=self.roster,
            papers=self.papers,
            events=events,
            lost=self._is_lost,
            heard=self._heard_of_family,
            changed=self._family_changed,
        )
        self.shower: Final = DeviceShower(
            library=library,
            roster=self.roster,
            papers=self.papers,
            lost=self._is_lost,
            changed=self._contact_has_device,
        )
        self.doubts: Final = Doubts(
            database=database,
            library=library,
            events=events,
            changed=self._doubt_changed,
            now=self.clock,
        )
        self.heads: Final = Heads(
            device=device,
            database=database,
            library=library,
            doubts=self.doubts,
            devices=lambda: [each.chain.device for each in self.roster.live()],
            revoked=self.papers.own_list,
            lost=lambda identity, signer: self.papers.revocations.revokes_device(identity, signer),
            entropy=environment.entropy,
            now=self.clock,
        )
        self.guarding: Final = Guarding(
            device=device,
            database=database,
            library=library,
            doubts=self.doubts,
            events=events,
            changed=self._tell_guardians,
            now=self.clock,
        )
        self.mailboxes: Final = Mailboxes(database, environment.entropy)
        self.receipts: Final = Receipts(
            database=database,
            library=library,
            catalogue=self.catalogue,
            is_hidden=lambda photo: self.judge.ended(photo) is not None,
        )
        own_devices = OwnDevices(device, library, self.roster)
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
            lost=self.device_lost,
            now=self.clock,
        )
        self.renditions: Final = Renditions(
            library=library,
            derivations=derivations,
            blobs=blobs,
            decoder=self.decoder,
            entropy=environment.entropy,
        )
        self.mark_service: Final = MarkService()
        self.watermarks: Final = Watermarks(
            database=database, library=library, entropy=environment.entropy, now=self.clock
        )
        self.copies: Final = Copies(
            library=library,
            catalogue=self.catalogue,
            cataloguer=self.cataloguer,
            derivations=derivations,
            blobs=blobs,
            decoder=self.decoder,
            originals=self.originals,
            mark_service=self.mark_service,
            watermarks=self.watermarks,
        )
        self.tracer: Final = Tracer(
            decoder=self.decoder,
            service=self.mark_service,
            watermarks=self.watermarks,
            library=library,
            receipts=self.receipts,
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
            renditions=self.renditions,
            importer=self.importer,
            rules=self.rules,
            remover=self.remover,
            papers=self.papers,
            events=events,
            entropy=environment.entropy,
            now=self.clock,
            changed=self._album_changed,
            connected=lambda: {
                standing.link.peer.device: standing.link.peer
                for standing in (*self.peers.standing(), *self.peers.siblings())
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
            noting=Noting(database, library),
            mailboxes=self.mailboxes,
            completed=lambda holder: self.readiness.completed(holder),
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
            notes=NotesBack(
                device=device,
                library=library,
                catalogue=self.catalogue,
                marks=self.marks,
                rules=self.rules,
                shelf=self.album_parts.shelf,
                entropy=environment.entropy,
                now=self.clock,
            ),
            events=events,
            fingerprint=self.originals.fingerprint,
            arrived=self.checker.arrived,
            met=self._met_again,
            now=self.clock,
        )
        self.our_devices: Final = OurDevices(
            device=device,
            library=library,
            roster=self.roster,
            papers=self.papers,
            entropy=environment.entropy,
            connected=lambda: {each.link.peer.device for each in self.peers.siblings()},
            lost=self.device_lost,
            changed=self._family_changed,
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
        self.sibling_parts: Final = SiblingParts(
            device=device,
            database=database,
            library=library,
            catalogue=self.catalogue,
            marks=self.marks,
            blobs=blobs,
            rules=self.rules,
            papers=self.papers,
            albums=self.album_parts,
            mailboxes=self.mailboxes,
            backing_up=self.backing_up,
            own_devices=own_devices,
            remover=self.remover,
            roster=self.roster,
            inbox=self.inbox,
            judge=self.judge,
            renditions=self.renditions,
            in_album=self._is_relied_on,
            events=events,
            now=self.clock,
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
            library=library,
            roster=self.roster,
            connected=lambda: {each.link.peer.device for each in self.peers.siblings()},
            look=self._keep_otherwise,
        )
        repairs = Repairs(database)
        away = Away(database, blobs)
        away.load()
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
        self.space: Final = Space(
            us=device.identity,
            database=database,
            library=library,
            blobs=blobs,
            away=away,
            mender=self.mender,
            repairs=repairs,
            renditions=self.renditions,
            events=events,
            relied_on=self._is_relied_on,
            connections=self._connections,
            fetch_missing=self._fetch_missing,
            choose=environment.choose,
            now=self.clock,
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
        self.archiver: Final = Archiver(
            home=home,
            keys=keys,
            database=database,
            library=library,
            blobs=blobs,
            events=events,
            entropy=environment.entropy,
            now=self.clock,
        )
        self.readiness: Final = Readiness(
            device=device,
            database=database,
            library=library,
            mailboxes=self.mailboxes,
            backups=backups,
            archiver=self.archiver,
            events=events,
            now=self.clock,
        )
        self.whereabouts: Final = Whereabouts(database)
        joining.take_over(home, keys, self.roster, self.whereabouts, self.clock())
        self.tickets: Final = Tickets(
            device=device,
            database=database,
            library=library,
            entropy=environment.entropy,
            now=self.clock,
        )
        listeners = Listeners(library, config.links_port, self.clock)
        rtc = RtcThread(config.links_ice)
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
            listeners=listeners,
            sharing=self.sharing,
            library=library,
            blobs=blobs,
            events=events,
            counters=events.counters,
            rtc=rtc,
            clock=time.monotonic,
        )
        self.drops: Final = DropDesk(
            name=device.name,
            drops=Drops(database=database, entropy=environment.entropy, now=self.clock),
            parts=DropParts(home.dropped, environment.entropy),
            originals=self.originals,
            library=library,
            catalogue=self.catalogue,
            blobs=blobs,
            commits=self.commits,
            events=events,
            entropy=environment.entropy,
            listeners=listeners,
            renew=self.weblinks.renew,
            rtc=rtc,
            arrived=self.checker.arrived,
        )
        self.drops.sweep()
        self.weblinks.join(self.drops)
        self.peers: Final = Peers(
            settings=ChannelSettings(),
            device=device,
            library=library,
            roster=self.roster,
            whereabouts=self.whereabouts,
            events=events,
            dial=counted_dial(self._dial, events.counters),
            entropy=environment.entropy,
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
            contacts=lambda: [
                *(each for each in library.contacts() if not each.blocked),
                *self.roster.siblings(),
            ],
            wanted=self.peers.sought,
            addresses=lambda: self.wide.addresses(),
            whereabouts=self.whereabouts,
            heard=self.peers.nudge,
            filler=lambda: Secret(self.wide.seed()),
            now=self.clock,
        )
        self.finding: Final = Finding(
            wanted=self.peers.sought,
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
        renewed: Callable[[DeviceChain], None],
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
                home, keys.device, database, library, blobs, keys, config, events, environment,
                renewed,
            )  # fmt: skip
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
        self.archiver.sweep()
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
            same_name=lambda known, new: self.doubts.saw(known, "name", new),
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
            self.sibling_parts.run(),
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
            events=self._events,
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
            self._renewed(own.chain)
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
        self._each_sibling(lambda each: each.albums.changed(shared))
        self.album_parts.tending.look_again()
        self._events.publish("album", id=shared.album_id.hex(), what="changed")

    def device_lost(self) -> None:
        """A device of ours was taken back, or counts again. What it shared with the others is
        another one from now on, and everybody who is here hears of it.
        """
        self.sibling_parts.cut_lost()
        self.roster.renew_secret(self._environment.entropy)
        self._spread()
        self.renew_mailbox()
        self.sibling_parts.cut_lost()
        self.album_parts.tending.look_again()
        self._events.publish("devices")

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

    def _is_lost(self, chain: DeviceChain) -> bool:
        """Of a device of ours the best papers that are known count: it may not have them yet."""
        if chain.identity == self.device.identity and chain.device != self.device.chain.device:
            known = self.roster.device(chain.device)
            chain = chain if known is None else known.chain
        return self.papers.revocations.revokes_chain(chain)

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

    async def _paired(self, link: Link, acquaintance: Acquaintance | DeviceRequest) -> None:
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
        self._each_sibling(lambda each: each.bringing.want())

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
            await self.sibling_parts.close()
            await self.keeper.close()
            await self.importer.close()
            await self.check_service.close()
            await self.mark_service.close()
            await self.decoder.close()
        finally:
            with contextlib.suppress(KinlightError):
                self.clock.keep()
            with contextlib.suppress(KinlightError):
                self.library.close()


def _expected(library: Library) -> list[tuple[bytes, bytes]]:
    """The (photo id, content id) of all blobs of photos that may still come."""
    return [*library.coming(), *RecoveryState(library).parts()]
