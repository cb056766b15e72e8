"""The node itself: opens the home, wires the parts together, and does what the API asks.

    Engine(home)            locked: answers `status` only
      unlock(secret)        opens keys and library, listens, looks for peers
      lock()                closes all of that and forgets the keys

One photo's way: `share` here, `outbox`, `sync` at both ends, `inbox` there, `export` there.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Final

from ..crypto.errors import MalformedError
from ..crypto.identity import DeviceChain, fingerprint, parse_fingerprint, safety_number
from ..crypto.recovery import RecoveryWords
from ..crypto.secret import Secret
from ..protocol import errors as protocol_errors
from ..protocol.capability import Capability
from ..protocol.devices import OwnDevice
from ..protocol.joining import DeviceRequest, Gift
from . import exporting, forms, grants, joining, keys, library, names, policies, views
from .albums import Albums
from .archiving import Archiver
from .collection import Collection
from .config import Config, read_bootstraps, set_wide
from .device_photos import DevicePhotos
from .doctor import Doctor
from .doubts import Doubt
from .drop_desk import DropDesk
from .drops import DropItem
from .environment import Environment
from .errors import (
    BadRequestError,
    BlockedContactError,
    EndedGrantError,
    LockedError,
    NoHomeError,
    NoSuchPhotoError,
    NotWaitingError,
    OtherFingerprintError,
)
from .events import Events
from .explaining import Explainer
from .exporting import Exported, ExportedPhoto
from .following import EVENTS, Following
from .granting import Granting
from .guardians import Guarding
from .holding import Hold
from .home import Home
from .keeping import Keeper
from .meeting import OpenCode
from .metrics import Metrics
from .multiaddrs import parse_any_address
from .our_devices import OurDevices
from .outbox import FINAL_STATES
from .readiness import Readiness
from .receipts import Receipts
from .recovery import Recovery
from .rules import Rules
from .sharing import OpenWish, Wish
from .sibling_keeping import PREVIEW
from .space import Space
from .tasks import Tasks
from .tickets import Tickets
from .unlocked import Unlocked
from .version import VERSION
from .views_space import SpaceItem
from .weblink_desk import WebLinkDesk

_log = logging.getLogger(__name__)


class Engine:
    """One node. Not thread-safe: it lives on one event loop."""

    def __init__(self, home: Home, environment: Environment | None = None) -> None:
        self.home: Final = home
        self.events: Final = Events()
        self._metrics = Metrics(self.events.counters)
        self._environment = environment or Environment()
        self._open: Unlocked | None = None
        self._keys: keys.UnlockedKeys | None = None
        self._unlocking = asyncio.Lock()
        self._tasks = Tasks(_log)

    # Locked and unlocked.

    async def unlock(self, secret: Secret | RecoveryWords) -> None:
        """Open everything; a wrong pass phrase changes nothing.

        Of a node that is unlocked already it says that its owner is there, for rules that ask.
        """
        async with self._unlocking:
            config = Config.load(self.home)
            unlocked = await asyncio.to_thread(keys.unlock, self.home, secret)
            if self._open is not None:
                self._open.rules.present()
                return
            self._open = await self._opened(config, unlocked)
            self.events.publish("unlocked")

    async def _opened(self, config: Config, unlocked: keys.UnlockedKeys) -> Unlocked:
        opened = await Unlocked.open(
            self.home, config, unlocked, self.events, self._environment, self._new_papers
        )
        self._keys = unlocked
        return opened

    def _new_papers(self, chain: DeviceChain) -> None:
        """Another device certified this one anew."""
        self._tasks.spawn(self._with_papers(chain))

    async def _with_papers(self, chain: DeviceChain, words: RecoveryWords | None = None) -> None:
        """Open everything anew with other papers for this device: each part has them."""
        async with self._unlocking:
            if self._open is None or self._keys is None:
                return
            if self._open.device.chain.encoded == chain.encoded:
                return  # it was told twice
            unlocked = await asyncio.to_thread(keys.with_chain, self.home, self._keys, chain, words)
            opened, self._open = self._open, None
            await opened.close()
            self._open = await self._opened(Config.load(self.home), unlocked)
            self.events.publish("devices")

    async def lock(self) -> None:
        """End all connections, close the library and forget the keys."""
        async with self._unlocking:
            opened, self._open, self._keys = self._open, None, None
            if opened is not None:
                self.events.publish("locked")
                await opened.close()

    def _unlocked(self) -> Unlocked:
        if self._open is None:
            raise LockedError if self.home.exists else NoHomeError
        return self._open

    @property
    def collection(self) -> Collection:
        """The library: import, search, albums."""
        return self._unlocked().collection

    @property
    def albums(self) -> Albums:
        """Albums that several people keep."""
        return self._unlocked().albums

    @property
    def doctor(self) -> Doctor:
        """Looks through the home, and repairs it."""
        return self._unlocked().doctor

    @property
    def space(self) -> Space:
        """The room that photos take here."""
        return self._unlocked().space

    @property
    def granting(self) -> Granting:
        """What was granted, and to whom."""
        return self._unlocked().granting

    @property
    def receipts(self) -> Receipts:
        """Who signed that it has what was sent."""
        return self._unlocked().receipts

    @property
    def explainer(self) -> Explainer:
        """Why somebody may have a photo or not."""
        return self._unlocked().explainer

    @property
    def rules(self) -> Rules:
        """The owner's rules."""
        return self._unlocked().rules

    @property
    def hold(self) -> Hold:
        """What is held for others."""
        return self._unlocked().hold

    @property
    def recovery(self) -> Recovery:
        """What comes back from the 24 words."""
        return self._unlocked().recovery

    @property
    def our_devices(self) -> OurDevices:
        """The devices of this person."""
        return self._unlocked().our_devices

    @property
    def archiver(self) -> Archiver:
        """Backups of the whole library in a file."""
        return self._unlocked().archiver

    @property
    def device_photos(self) -> DevicePhotos:
        """What the devices of this person have in common."""
        return self._unlocked().device_photos

    @property
    def guarding(self) -> Guarding:
        """Shares of recovery words, ours and others'."""
        return self._unlocked().guarding

    @property
    def readiness(self) -> Readiness:
        """What there is to get everything back with."""
        return self._unlocked().readiness

    @property
    def tickets(self) -> Tickets:
        """The tickets that were made here."""
        return self._unlocked().tickets

    @property
    def weblinks(self) -> WebLinkDesk:
        """Links to photos that browsers open."""
        return self._unlocked().weblinks

    @property
    def drops(self) -> DropDesk:
        """Links by which browsers send photos."""
        return self._unlocked().drops

    @property
    def keeper(self) -> Keeper:
        """The folders that are kept up."""
        return self._unlocked().keeper

    # What it is, and who else there is.

    def status(self) -> views.Status:
        """How the node is; the one question that a locked node answers."""
        locked = views.Status(VERSION, os.getpid(), str(self.home.path), locked=True)
        if self._open is None:
            return locked
        opened = self._open
        discovery = opened.discovery
        return dataclasses.replace(
            locked,
            locked=False,
            name=opened.device.name,
            port=opened.listener.port,
            discovery=discovery.state if discovery else "off",
            discovery_reason=discovery.reason if discovery else None,
            nodes_seen=len(discovery.sightings()) if discovery else 0,
            looking=discovery is not None and discovery.looking,
            sandbox=opened.decoder.level,
            libraries=opened.decoder.libraries,
            clock=opened.clock.view(),
            wide=opened.wide.state,
            wide_reason=opened.wide.reason,
            wide_addresses=opened.wide.addresses(),
            wide_bootstraps=[views.Bootstrap(*each) for each in opened.wide.found()[1]],
            invitations=opened.albums.invitations(),
            readiness=opened.readiness.view(),
            connections=[
                views.Connection(
                    standing.contact.name,
                    standing.link.pipe.path,
                    str(standing.link.pipe.remote or ""),
                    opened.peers.interface_of(standing.link),
                    standing.since,
                )
                for standing in opened.peers.standing()
            ],
            absent=self._absent(opened),
            devices=opened.device_photos.standing(),
        )

    @staticmethod
    def _absent(opened: Unlocked) -> list[views.Absent]:
        """Who is not connected; who was here last comes first."""
        last_seen = opened.whereabouts.last_seen()
        known = opened.whereabouts.known()
        absent: list[views.Absent] = []
        for contact in opened.peers.wanted():
            attempt = opened.peers.last_try(known.get(contact.identity, ()))
            found = views.Absent(contact.name, last_seen.get(contact.identity))
            if attempt is not None:
                address, tried = attempt
                found = dataclasses.replace(
                    found, address=str(address), tried=tried.at, outcome=tried.outcome
                )
            absent.append(found)
        return sorted(absent, key=lambda each: each.last_seen or 0, reverse=True)

    def believe_clock(self) -> views.Clock:
        """A person says that the system's clock is right."""
        opened = self._unlocked()
        opened.clock.believe()
        return opened.clock.view()

    def metrics(self) -> bytes:
        """The node in numbers, as OpenMetrics; few of them while it is locked."""
        return self._metrics.text(self._open)

    def identity(self) -> views.Identity:
        """Who this node is to others."""
        device = self._unlocked().device
        return views.Identity(
            device.name,
            fingerprint(device.identity),
            device.identity.hex(),
            device.signing.public.hex(),
        )

    def contacts(self) -> list[views.Contact]:
        """Everybody this node paired with."""
        opened = self._unlocked()
        return [self._contact(opened, contact) for contact in opened.library.contacts()]

    def contact(self, name: str) -> views.Contact:
        """One of them."""
        opened = self._unlocked()
        return self._contact(opened, opened.library.contact(name))

    def _contact(self, opened: Unlocked, contact: library.Contact) -> views.Contact:
        return views.Contact(
            name=contact.name,
            fingerprint=fingerprint(contact.identity),
            safety_number=safety_number(opened.device.identity, contact.identity),
            verified=contact.verified,
            muted=contact.muted,
            blocked=contact.blocked,
            accept=contact.accept,
            metadata=contact.metadata,
            connected=not contact.blocked and bool(opened.peers.links(contact.identity)),
            added=contact.added,
            holder=opened.mailboxes.standing(contact.identity),
            backup=opened.mailboxes.backup_standing(contact.identity),
            backed_up=opened.backing_up.backups.count(contact.identity),
            **_doubt(opened.doubts.of(contact.identity)),
        )

    async def update_contact(
        self,
        name: str,
        *,
        rename: str | None = None,
        verified: bool | None = None,
        muted: bool | None = None,
        blocked: bool | None = None,
        accept: str | None = None,
        metadata: str | None = None,
        holder: bool | None = None,
        backup: bool | None = None,
        yes: bool = False,
        fingerprint_seen: str | None = None,
    ) -> views.Contact:
        """Change what is given. Blocking ends the connections at once.

        `LastBackupError`, unless `yes` is given, where that would end the only backup. With
        `verified` a doubt about the key is over; `fingerprint_seen` is what the other side shows,
        and verifies as well if it is the contact's, `OtherFingerprintError`.
        """
        opened = self._unlocked()
        contact = opened.library.contact(name)
        if fingerprint_seen is not None:
            self._compare_fingerprint(opened, contact, fingerprint_seen)
            verified = True
        ends_backup = blocked or holder is False or backup is False
        if ends_backup:  # first what nobody may do, then what wants a word
            opened.space.check_end(contact.identity)
            if not yes:
                opened.readiness.guard(contact.identity)
        given = {
            "name": _optional_name(rename), "verified": verified, "muted": muted,
            "blocked": blocked, "accept": accept, "metadata": metadata,
        }  # fmt: skip
        if accept not in (None, "ask", "always"):
            raise BadRequestError("accept-from is ask or always")
        if metadata is not None:
            policies.check(metadata)
        fields = {field: value for field, value in given.items() if value is not None}
        if fields:
            opened.library.update_contact(contact.identity, **fields)
        if verified:
            opened.doubts.clear(contact.identity)
        if holder and contact.blocked and blocked is not False:
            raise BlockedContactError(contact.name)
        if holder is not None:
            opened.mailboxes.choose(contact.identity, contact.name, chosen=holder, backup=backup)
            opened.tell_mailbox()
        if blocked:
            await opened.peers.drop(contact.identity)
            opened.renew_mailbox()
            await opened.hold.forget(contact.identity)
        elif blocked is False:
            opened.tell_mailbox()
            opened.hold.look_again()
            opened.peers.forget_refusals()
            opened.open_grants.look_again()
        return self.contact(rename or name)

    @staticmethod
    def _compare_fingerprint(opened: Unlocked, contact: library.Contact, text: str) -> None:
        try:
            shown = parse_fingerprint(text)
        except MalformedError as error:
            what = f"{error.detail}; `kinlight id` there shows it"
            raise BadRequestError(what) from None
        if shown == fingerprint(contact.identity):
            return
        doubt = opened.doubts.of(contact.identity)
        if doubt is not None and doubt.kind != "fork" and shown == fingerprint(doubt.seen):
            raise OtherFingerprintError(
                "it is that of the key that was seen; if they have told you so themselves, pair"
                " with it, or rename it where it is a contact already, and block the old one"
            )
        raise OtherFingerprintError

    async def reach(self, name: str, at: str) -> views.Contact:
        """Connect a contact at an address that a person gives; see `Caller.reach`."""
        opened = self._unlocked()
        contact = opened.library.contact(name)
        if contact.blocked:
            raise BlockedContactError
        address = parse_any_address(at)
        opened.wide.check(address)
        await opened.peers.reach(contact, address)
        return self.contact(name)

    async def wide(self) -> views.WideArea:
        """How this node is in the wide area."""
        opened = self._unlocked()
        peers, circuits, passed, notices = await opened.wide.relayed()
        known, bootstraps = opened.wide.found()
        outside = opened.wide.forwarding.outside
        names = {
            standing.link.pipe.transport.peer: standing.contact.name
            for standing in opened.peers.standing()
            if standing.link.pipe.transport is not None
        }
        return views.WideArea(
            state=opened.wide.state,
            reason=opened.wide.reason,
            addresses=opened.wide.addresses(),
            relaying=opened.wide.relaying,
            reachable=sorted(names[peer] for peer in peers if peer in names),
            circuits=circuits,
            bytes_relayed=passed,
            notices=notices,
            lookup=opened.wide.bootstraps is not None,
            known=known,
            bootstraps=[views.Bootstrap(*each) for each in bootstraps],
            forwarded=None if outside is None else str(outside),
            forwarded_reason=opened.wide.forwarding.reason,
        )

    async def set_wide(
        self,
        *,
        on: bool | None,
        relay: bool | None,
        lookup: bool | None = None,
        bootstraps: Sequence[str] | None = None,
    ) -> views.WideArea:
        """Turn the wide area on or off, relaying in it, and look-ups, by way of `bootstraps`; None
        leaves it. The settings say so from then on.

        `BadConfigError` if they can't be changed, `BadAddressError` for a bootstrap that is none.
        """
        opened = self._unlocked()
        relay = opened.wide.relaying if relay is None else relay
        on = opened.wide.on if on is None else on
        before = Config.load(self.home)
        by = before.wide_bootstrap if bootstraps is None else read_bootstraps(bootstraps)
        lookup = opened.wide.bootstraps is not None if lookup is None else lookup
        set_wide(self.home, on=on, relay=relay, lookup=lookup, bootstraps=by)
        await opened.wide.turn(on=on, relaying=relay, bootstraps=by if lookup else None)
        return await self.wide()

    async def open_pairing(
        self, name: str | None
    ) -> AsyncGenerator[views.PairingCode | views.Contact]:
        """Show a code, then who used it; see `Meeting.open`."""
        opened = self._unlocked()
        meeting = opened.meeting.open(_optional_name(name))
        async with contextlib.aclosing(meeting):
            async for step in meeting:
                if isinstance(step, OpenCode):
                    yield views.PairingCode(str(step.code), str(step.invitation), step.expires)
                else:
                    yield self._contact(opened, step)

    async def join_pairing(self, text: str, at: str | None, name: str | None) -> views.Contact:
        """Use a code; see `Meeting.join`."""
        opened = self._unlocked()
        return self._contact(opened, await opened.meeting.join(text, at, _optional_name(name)))

    async def add_device(
        self, name: str | None, words: RecoveryWords | None, *, may_certify: bool
    ) -> AsyncGenerator[views.PairingCode | views.OwnDevice]:
        """Show a code for a device of ours, then the device that used it; see `OurDevices.add`."""
        opened = self._unlocked()
        ours = opened.our_devices
        certifier = ours.certifier(words)
        if may_certify and words is None:
            raise BadRequestError("only the 24 words let a new device certify others")
        name = _optional_name(name)

        def add(request: DeviceRequest) -> tuple[OwnDevice, Gift]:
            return ours.add(request, certifier, name, may_certify=may_certify)

        async with contextlib.aclosing(opened.meeting.open_for_device(add)) as steps:
            async for step in steps:
                if isinstance(step, OpenCode):
                    yield views.PairingCode(str(step.code), str(step.invitation), step.expires)
                else:
                    yield ours.view(step.device)

    async def meet_device(self, text: str, at: str | None) -> views.OwnDevice:
        """Link with another device of this identity by its code; see `joining.meet`."""
        opened = self._unlocked()
        joined, address = await joining.meet(text, at, opened.device, self._environment)
        opened.whereabouts.reached(joined.by.device, address, opened.clock())
        opened.met_sibling(joined)
        return opened.our_devices.view(joined.by.device)

    async def allow_device(self, words: RecoveryWords) -> views.OwnDevice:
        """Let this device add and revoke others, by the root key; see `OurDevices.allowed`."""
        device = self._unlocked().device.chain.device
        await self._with_papers(self._unlocked().our_devices.allowed(words), words)
        return self._unlocked().our_devices.view(device)

    async def new_ticket(
        self, *, seconds: int, uses: int, name: str | None, at: list[str]
    ) -> views.Ticket:
        """Make a ticket; see `Tickets.new`."""
        opened = self._unlocked()
        await opened.wide.settled()  # one that was made earlier would lack its addresses
        port = opened.listener.port
        name = _optional_name(name)
        wide = opened.wide.addresses()
        return opened.tickets.new(
            seconds=seconds, uses=uses, name=name, at=at, port=port, wide=wide
        )

    # Photos out.

    async def share(
        self,
        paths: list[Path],
        to: list[str],
        *,
        metadata: str | None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None,
        rehash: bool = False,
        check: bool = False,
        wait: bool,
    ) -> AsyncGenerator[views.ShareItem | views.ShareProgress]:
        """Seal, queue and, if `wait`, follow each photo until it is there or is going nowhere.

        `metadata` is the policy for all of them; None takes that of each contact. With `check` each
        photo is looked at for signs of editing before it is queued, whatever that comes to.

        Yields one item per file and contact when it is queued and one more for each change, with
        progress in between.
        """
        opened = self._unlocked()
        wish = self._wish(to, metadata, max_px, until, watermark=watermark)
        if not paths:
            raise BadRequestError("say what to share and with whom")
        async with contextlib.aclosing(
            self._follow(opened.sharing.run(paths, wish, rehash=rehash, check=check), wait=wait)
        ) as steps:
            async for step in steps:
                yield step

    async def grant(
        self,
        photos: list[str],
        to: list[str],
        *,
        album: str | None = None,
        operations: list[str] | None = None,
        metadata: str | None = None,
        max_px: int | None = None,
        watermark: bool = False,
        until: int | None = None,
        wait: bool = True,
        having: list[str] | None = None,
        by: list[str] | None = None,
    ) -> AsyncGenerator[views.ShareItem | views.ShareProgress]:
        """As `share`, for photos that are here: those of ids, and all of an album.

        `having` are attributes, in place of `to`: whoever has them all by the word of one of `by`.
        """
        opened = self._unlocked()
        chosen = [opened.inbox.require(opened.library.find_photo_id(photo)) for photo in photos]
        if album is not None:
            chosen += opened.collection.photos_in(album)
        unique = list({photo.photo_id: photo for photo in chosen}.values())
        may = grants.operations(operations)
        if having:
            if to:
                raise BadRequestError("say either to whom, or what they must have")
            if watermark:
                raise protocol_errors.UnmadeRenditionError(
                    "a mark names one person, and this is for several"
                )
            whoever = self._open_wish(having, by, metadata, max_px, until, may)
            sharing = opened.sharing.grant_open(unique, whoever)
        else:
            wish = self._wish(to, metadata, max_px, until, may, watermark=watermark)
            sharing = opened.sharing.grant(unique, wish)
        if not chosen or (by and not having):
            raise BadRequestError("say which photos to grant and to whom")
        async with contextlib.aclosing(self._follow(sharing, wait=wait)) as steps:
            async for step in steps:
                yield step

    async def delegate(
        self,
        photos: list[str],
        to: list[str],
        *,
        operations: list[str] | None = None,
        max_px: int | None = None,
        until: int | None = None,
        device: str | None = None,
        wait: bool = True,
    ) -> AsyncGenerator[views.ShareItem | views.ShareProgress]:
        """As `grant`, for photos of others that they granted for passing on."""
        opened = self._unlocked()
        chosen = [opened.inbox.require(opened.library.find_photo_id(photo)) for photo in photos]
        wish = self._wish(to, None, max_px, until, grants.operations(operations))
        if not chosen:
            raise BadRequestError("say which photos to pass on and to whom")
        key = None if device is None else _device_key(device, wish)
        unique = list({photo.photo_id: photo for photo in chosen}.values())
        async with contextlib.aclosing(
            self._follow(opened.delegating.run(unique, wish, key), wait=wait)
        ) as steps:
            async for step in steps:
                yield step

    def _wish(
        self,
        to: list[str],
        metadata: str | None,
        max_px: int | None,
        until: int | None,
        operations: frozenset[str] = grants.VIEW,
        *,
        watermark: bool = False,
    ) -> Wish:
        opened = self._unlocked()
        self._check_terms(metadata, max_px, until, watermark=watermark)
        contacts = [opened.library.contact(name) for name in dict.fromkeys(to)]
        for contact in contacts:
            opened.doubts.check(contact)
        if not contacts:
            raise BadRequestError("say what to share and with whom")
        return Wish(contacts, metadata, max_px, until, operations, watermark=watermark)

    def _open_wish(
        self,
        having: list[str],
        by: list[str] | None,
        metadata: str | None,
        max_px: int | None,
        until: int | None,
        operations: frozenset[str],
    ) -> OpenWish:
        self._check_terms(metadata, max_px, until)
        if operations != grants.VIEW:
            raise BadRequestError(
                "what is for whoever has an attribute can't be passed on: who gets it then could"
                " not know whether the one before has it"
            )
        demands, to = self._unlocked().granting.whoever(having, by or [])
        return OpenWish(demands, to, metadata, max_px, until, operations)

    def _check_terms(
        self,
        metadata: str | None,
        max_px: int | None,
        until: int | None,
        *,
        watermark: bool = False,
    ) -> None:
        forms.check(metadata, max_px, watermark)
        if until is not None and until <= self._unlocked().clock():
            raise EndedGrantError

    async def _follow(
        self, sharing: AsyncGenerator[views.ShareItem | views.ShareProgress], *, wait: bool
    ) -> AsyncGenerator[views.ShareItem | views.ShareProgress]:
        """The steps of a share as they come, and what becomes of each item after that."""
        opened = self._unlocked()
        async with contextlib.aclosing(self._steps(opened, sharing, wait=wait)) as steps:
            async for step in steps:
                yield _with_holders(opened, step) if isinstance(step, views.ShareItem) else step

    async def _steps(
        self,
        opened: Unlocked,
        sharing: AsyncGenerator[views.ShareItem | views.ShareProgress],
        *,
        wait: bool,
    ) -> AsyncGenerator[views.ShareItem | views.ShareProgress]:
        with self.events.listen(EVENTS) as news:
            following = Following(news, opened.outbox.states)
            async with contextlib.aclosing(sharing):
                async for step in sharing:
                    yield step
                    if isinstance(step, views.ShareItem):
                        following.add(step)
                    for news_step in following.drain():
                        yield news_step
            opened.peers.nudge()
            if wait:
                async for step in following.until_settled(opened.peers.connected_names):
                    yield step

    async def trace(self, paths: list[Path]) -> AsyncGenerator[views.TracedMark]:
        """Read the invisible marks of files: those of this library, and those that all can read."""
        async with contextlib.aclosing(self._unlocked().tracer.run(paths)) as found:
            async for mark in found:
                yield mark

    # Photos in.

    def inbox(self) -> list[views.InboxItem]:
        """Every offer that came, and what browsers offered by drop links, oldest first."""
        opened = self._unlocked()
        items = [self._inbox_item(opened, offer) for offer in opened.library.offers()]
        items += [self._dropped_item(opened, item) for item in opened.drops.items()]
        return sorted(items, key=lambda item: item.received)

    def _dropped_item(self, opened: Unlocked, item: DropItem) -> views.InboxItem:
        photo = None if item.photo_id is None else opened.library.photo(item.photo_id)
        return views.InboxItem(
            id=(item.photo_id or item.item_id).hex(),
            sender=item.drop_name,
            state=item.state,
            bytes=item.length,
            received=item.received,
            expires=None,
            name=item.name,
            sha256=item.sha256.hex(),
            verdict=None if photo is None else opened.verdicts.of(photo),
            by_link=True,
        )

    def _inbox_item(self, opened: Unlocked, offer: library.IncomingOffer) -> views.InboxItem:
        contact = opened.library.contact_of(offer.identity)
        author = opened.library.contact_of(offer.record.author)
        photo = opened.library.photo(offer.photo_id)
        ended = None if photo is None else opened.judge.ended(photo)
        state, code = offer.state, offer.code
        if ended is not None:
            photo = None  # what it is called is not to be seen either
            if state == "stored":
                state, code = "ended", ended.code
        pieces = opened.inbox.progress(offer.photo_id)
        return views.InboxItem(
            id=offer.photo_id.hex(),
            sender=contact.name if contact else "",
            state=state,
            bytes=photo.metadata.length if photo else offer.record.ciphertext_length,
            received=offer.received,
            expires=Capability.decode(offer.capability).expires,
            name=photo.metadata.name if photo else None,
            sha256=photo.metadata.sha256.hex() if photo else None,
            code=code,
            message=protocol_errors.sentence(code) if code else None,
            pieces=pieces[0] if pieces else None,
            pieces_total=pieces[1] if pieces else None,
            author=author.name if author else None,
            author_fingerprint=fingerprint(offer.record.author),
            verdict=None if photo is None else opened.verdicts.of(photo),
        )

    async def check(self, photo: str) -> views.Verdict:
        """Look at a photo that is here for signs of editing, also if that was done before."""
        opened = self._unlocked()
        found = opened.inbox.require(opened.library.find_photo_id(photo))
        await opened.checker.check(found, again=True)
        verdict = opened.verdicts.of(found)
        if verdict is None:  # it was removed meanwhile
            raise NoSuchPhotoError
        return verdict

    def decide(self, photo: str, *, accept: bool) -> views.InboxItem:
        """Accept or decline the latest open offer of a photo; `photo` begins its id.

        Its author's comes before those of others who pass it on: their grants may end earlier.
        """
        opened = self._unlocked()
        if (dropped := opened.drops.find_item(photo)) is not None:
            if dropped.state == "stored":
                raise NotWaitingError
            decided = opened.drops.decide(dropped, accept=accept)
            return self._dropped_item(opened, decided)
        offers = opened.library.offers_of(opened.library.find_photo_id(photo))
        open_offers = [offer for offer in offers if offer.state not in ("stored", "declined")]
        if not open_offers:
            raise NotWaitingError
        open_offers.sort(key=lambda offer: offer.identity != offer.record.author)
        offer = opened.inbox.decide(open_offers[0], accept=accept)
        opened.follow_up(offer)
        return self._inbox_item(opened, offer)

    def photo(self, photo: str) -> views.PhotoDetails:
        """All about a photo that is here; `photo` begins its id."""
        opened = self._unlocked()
        found = opened.inbox.require(opened.library.find_photo_id(photo))
        author = opened.library.contact_of(found.author)
        offers = opened.library.offers_of(found.photo_id)
        senders = [opened.library.contact_of(offer.identity) for offer in offers]
        sent = [(found.photo_id, found.metadata.policy)]
        sent += opened.catalogue.copies_of(found.photo_id)
        deliveries = [
            views.DeliveryState(
                name, item.state, item.code, item.expires, item.updated, policy,
                item.device.hex(), opened.receipts.time_of(item),
                [] if item.state in FINAL_STATES else opened.deposits.holders(item.envelope_hash),
            )
            for photo_id, policy in sent
            for name, item in opened.outbox.states(photo_id)
        ]  # fmt: skip
        metadata = found.metadata
        item = opened.collection.item(found.photo_id)
        return views.PhotoDetails(
            id=found.photo_id.hex(),
            name=metadata.name,
            media_type=metadata.media_type,
            bytes=metadata.length,
            sha256=metadata.sha256.hex(),
            modified=metadata.modified // 10**9,
            policy=metadata.policy,
            own=found.author == opened.device.identity,
            author=author.name if author else None,
            author_fingerprint=fingerprint(found.author),
            author_device=found.record.device.hex(),
            signature="valid",
            content_id=found.record.content_id.hex(),
            added=found.added,
            expires=Capability.decode(offers[0].capability).expires if offers else None,
            deliveries=deliveries,
            captured=item.captured,
            captured_source=item.captured_source,
            camera=item.camera,
            width=item.width,
            height=item.height,
            c2pa=item.c2pa,
            refused=item.refused,
            clip=item.clip,
            albums=item.albums,
            tags=item.tags,
            sensitivity=item.sensitivity,
            position=item.position,
            place=item.place,
            senders=sorted({sender.name for sender in senders if sender is not None}),
            verdict=opened.verdicts.of(found),
        )

    def tag(
        self, photos: list[str], *, add: list[str], remove: list[str], sensitivity: str | None
    ) -> list[views.LibraryItem]:
        """What a person says of photos that are here; see `Collection.tag`."""
        opened = self._unlocked()
        found = [opened.inbox.require(opened.library.find_photo_id(photo)) for photo in photos]
        return opened.collection.tag(found, add=add, remove=remove, sensitivity=sensitivity)

    async def remove(self, photo: str, *, force: bool) -> views.RemovedPhoto:
        """Take a photo out of the library; see `Remover.remove`."""
        opened = self._unlocked()
        photo_id = opened.library.find_photo_id(photo)
        if opened.library.photo(photo_id) is None and opened.library.is_at_sibling(photo_id):
            opened.device_photos.remove(photo_id)
            return views.RemovedPhoto(photo_id.hex(), "", [])
        found = opened.inbox.here(photo_id)
        removed = await opened.remover.remove(found.photo_id, force=force)
        return views.RemovedPhoto(found.photo_id.hex(), found.metadata.name, removed.people)

    async def rendition(self, photo: str, name: str) -> bytes:
        """A picture made from a photo that is here; see `Renditions.get`. Of one that another
        device of ours keeps there may be a preview.
        """
        opened = self._unlocked()
        photo_id = opened.library.find_photo_id(photo)
        if name == PREVIEW and opened.library.photo(photo_id) is None:
            shown = await opened.device_photos.preview(photo_id)
            if shown is not None:
                return shown[0]
        found = opened.inbox.require(photo_id)
        return await opened.renditions.get(found, name)

    async def fetch_away(self, photos: list[str]) -> list[SpaceItem]:
        """Have photos again that were let go, by their ids, or all of them."""
        opened = self._unlocked()
        found = [opened.library.find_photo_id(photo) for photo in photos]
        return await opened.space.fetch(found or None)

    async def export(
        self, photo: str, folder: Path, *, keep_both: bool, rendition: str | None = None
    ) -> views.ExportedFile:
        """Write a photo, or a rendition of it, into a folder; see `exporting.export`."""
        opened = self._unlocked()
        photo_id = opened.library.find_photo_id(photo)
        if rendition == PREVIEW and opened.library.photo(photo_id) is None:
            shown = await opened.device_photos.preview(photo_id)
            if shown is not None:
                made = await asyncio.to_thread(
                    exporting.export, opened.blobs, *shown[1:], folder, keep_both=keep_both
                )
                return _exported(photo_id, ExportedPhoto(made, None))
        found = opened.inbox.require(photo_id)
        if rendition is None:
            written = await opened.exporter.export(found, folder, keep_both=keep_both)
            return _exported(found.photo_id, written)
        stored, metadata = await opened.renditions.stored(found, rendition)
        made = await asyncio.to_thread(
            exporting.export, opened.blobs, stored, metadata, folder, keep_both=keep_both
        )
        return _exported(found.photo_id, ExportedPhoto(made, None))


def _exported(photo_id: bytes, written: ExportedPhoto) -> views.ExportedFile:
    def view(file: Exported, clip: views.ExportedFile | None = None) -> views.ExportedFile:
        return views.ExportedFile(
            photo_id.hex(), str(file.path), file.sha256, file.length, file.already, clip
        )

    return view(written.photo, None if written.clip is None else view(written.clip))


def _device_key(device: str, wish: Wish) -> bytes:
    """A device of the one contact that is to have something, as it was typed."""
    if len(wish.contacts) != 1:
        raise BadRequestError("a device is of one contact")
    try:
        return bytes.fromhex(device)
    except ValueError:
        raise BadRequestError("a device is the 64 hex digits of its key") from None


def _optional_name(name: str | None) -> str | None:
    """A name that the user gives somebody; `BadRequestError` if it can't be shown as it is."""
    if name is not None and name != names.contact_name(name):
        raise BadRequestError("a name is one line of at most 40 characters")
    return name


def _with_holders(opened: Unlocked, item: views.ShareItem) -> views.ShareItem:
    """An item, with the names of those who hold it where it is held."""
    if item.state != "held" or item.photo_id is None:
        return item
    deliveries = opened.outbox.states(bytes.fromhex(item.photo_id))
    holders = {
        holder
        for to, delivery in deliveries
        if to == item.to and delivery.state == "held"
        for holder in opened.deposits.holders(delivery.envelope_hash)
    }
    return dataclasses.replace(item, held_by=sorted(holders))


def _doubt(doubt: Doubt | None) -> dict[str, Any]:
    """What a contact's view says of a doubt."""
    if doubt is None:
        return {}
    return {
        "doubt": doubt.kind,
        "doubt_since": doubt.since,
        "doubt_seen": doubt.seen.hex() if doubt.kind == "fork" else fingerprint(doubt.seen),
        "doubt_proof": [each.hex() for each in doubt.proof or ()],
    }
