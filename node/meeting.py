"""Meeting somebody for the first time, by code, by QR or by ticket, on either side; and the code
under which a device of our own is added (`adding`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..crypto import pairing
from ..crypto.errors import InvalidCodeError, KinlightError, PeerError, WrongCodeError
from ..crypto.pairing import Code, Invitation, Purpose
from ..crypto.secret import Secret
from ..protocol import limits
from ..protocol.devices import OwnDevice
from ..protocol.errors import RevokedDeviceError
from ..protocol.joining import DeviceRequest, Gift
from ..protocol.opening import Acquaintance, Entropy, LocalDevice, PairingWindow
from ..protocol.ticket import IssuedTicket, Ticket
from . import names
from .addresses import Address, parse_address, places_to_dial
from .contact_errors import (
    BlockedContactError,
    NoSuchContactError,
    NoSuchNodeError,
    OwnTicketError,
    PairingOpenError,
    PairingOverError,
    PairingSpentError,
)
from .discovery import Discovery, Sighting
from .errors import BadAddressError, UnreachableError, WideAreaOffError
from .events import Events
from .library import Contact, Library
from .link import Link
from .multiaddrs import parse_any_address
from .peers import Peers
from .tickets import Tickets
from .whereabouts import Whereabouts

SEARCH_SECONDS: Final = 20.0
"""How long a joiner looks for the slot of a typed code."""

ASK_SECONDS: Final = 1.2
"""Announcers say the same thing at most once a second."""

Add = Callable[[DeviceRequest], tuple[OwnDevice, Gift]]
"""Takes a new device of ours in, durably; what it gets in return."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that can be used now. `expires` is in seconds since 1970."""

    code: Code
    invitation: Invitation
    expires: int


class Meeting:
    """Both sides of a pairing. At most one code is open at a time."""

    def __init__(
        self,
        *,
        device: LocalDevice,
        library: Library,
        whereabouts: Whereabouts,
        peers: Peers,
        tickets: Tickets,
        lost: Callable[[bytes, bytes], bool],
        check: Callable[[Address], None],
        same_name: Callable[[bytes, bytes], None],
        events: Events,
        discovery: Discovery | None,
        port: int,
        entropy: Entropy,
        choose: Callable[[int], int],
        now: Callable[[], int],
    ) -> None:
        """`same_name` hears of a contact, and of a new identity that says to be called so."""
        self._device = device
        self._library = library
        self._whereabouts = whereabouts
        self._peers = peers
        self._tickets = tickets
        self._lost = lost
        self._check = check
        self._same_name = same_name
        self._events = events
        self._discovery = discovery
        self._port = port
        self._entropy = entropy
        self._choose = choose
        self._now = now
        self._outcome: asyncio.Future[Contact | OwnDevice] | None = None
        self._name: str | None = None
        self._add: Add | None = None

    # The side that shows a code.

    async def open(self, name: str | None) -> AsyncGenerator[OpenCode | Contact]:
        """Show a code, then the contact that used it.

        The code ends with this generator, after two minutes, or after three wrong tries.
        """
        async with contextlib.aclosing(self._show("pair", name, None)) as steps:
            async for step in steps:
                if not isinstance(step, OwnDevice):
                    yield step

    async def open_for_device(self, add: Add) -> AsyncGenerator[OpenCode | OwnDevice]:
        """Show a code for a device of our own, then the device that used it; `add` takes it in.

        The code ends as that of a pairing does. There is one code at a time, for one purpose.
        """
        async with contextlib.aclosing(self._show("device", None, add)) as steps:
            async for step in steps:
                if not isinstance(step, Contact):
                    yield step

    async def _show(
        self, purpose: Purpose, name: str | None, add: Add | None
    ) -> AsyncGenerator[OpenCode | Contact | OwnDevice]:
        if self._outcome is not None:
            raise PairingOpenError
        self._outcome = asyncio.get_running_loop().create_future()
        self._name, self._add = name, add
        opened = self._open_code(purpose)
        window = PairingWindow(opened.code, opened.invitation, purpose)
        self._peers.window = window
        try:
            if self._discovery is not None:
                await self._discovery.announce_slot(opened.code.slot)
            yield opened
            try:
                async with asyncio.timeout(limits.PAIRING_SECONDS):
                    outcome = await self._outcome
            except TimeoutError:
                raise PairingOverError from None
            yield outcome
        finally:
            window.closed = True
            self._peers.window = None
            self._outcome = self._add = None
            if self._discovery is not None:
                await self._discovery.announce_slot(None)

    def _open_code(self, purpose: Purpose) -> OpenCode:
        taken = {sighting.slot for sighting in self._sightings()}
        free = [slot for slot in pairing.SLOTS if slot not in taken] or list(pairing.SLOTS)
        code = Code.generate(free[self._choose(len(free))], self._choose)
        expires = self._now() + limits.PAIRING_SECONDS
        addresses = [str(address) for address in places_to_dial(self._port)]
        invitation = Invitation(
            pairing.identity_hash(self._device.identity),
            Secret(self._entropy(pairing.SECRET_BYTES)),
            tuple(addresses[: limits.INVITATION_ADDRESSES]),
            expires,
            purpose,
        )
        return OpenCode(code, invitation, expires)

    async def paired(self, link: Link, acquaintance: Acquaintance | DeviceRequest) -> None:
        """A dialer used the code or a ticket: keep it as a contact, or as a device of ours, then
        let it know.
        """
        if isinstance(acquaintance, DeviceRequest):
            await self._asked(link, acquaintance)
            return
        if link.session.ticket is not None:
            await self._paired_by_ticket(link, link.session.ticket, acquaintance)
            return
        current = link.session.window is self._peers.window
        if not current or self._outcome is None or self._outcome.done():
            await link.close()  # its code has ended; another one that is open now is not for it
            return
        contact = self._pin(acquaintance, self._name)
        link.session.pairing_stored()
        await link.close()
        if not self._outcome.done():
            self._outcome.set_result(contact)

    async def _asked(self, link: Link, request: DeviceRequest) -> None:
        """A dialer used the code for a device: certify it, then give it its papers."""
        current = link.session.window is self._peers.window
        if not current or self._add is None or self._outcome is None or self._outcome.done():
            await link.close()
            return
        try:
            added, gift = self._add(request)
        except KinlightError as error:  # no room on the disk, say: whoever waits hears of it
            self._outcome.set_exception(error)
            await link.close()
            return
        link.session.device_given(gift)
        await link.close()
        if not self._outcome.done():
            self._outcome.set_result(added)

    async def _paired_by_ticket(
        self, link: Link, ticket: IssuedTicket, acquaintance: Acquaintance
    ) -> None:
        is_new = self._library.contact_of(acquaintance.chain.identity) is None
        try:
            contact = self._tickets.use(ticket, acquaintance)
        except PeerError as error:
            self._peers.refuse(error)
            await link.close(error)
            return
        link.session.pairing_stored()
        await link.close()
        if is_new:
            self._compare_names(acquaintance, contact)
        self._met(contact, ticket.ticket_id.hex())

    def refused(self, error: KinlightError) -> None:
        """A caller was refused. When no tries are left and none is under way, the code ends."""
        window = self._peers.window
        if window is None or window.used:
            return
        if isinstance(error, WrongCodeError):
            self._events.publish("pairing-tried", left=window.runs_left)
        if window.spent:
            delay = 0.0 if self._peers.greeting <= 1 else limits.OPENING_SECONDS
            asyncio.get_running_loop().call_later(delay, self._end_spent, window)

    def _end_spent(self, window: PairingWindow) -> None:
        outcome = self._outcome
        if self._peers.window is window and not window.used and outcome and not outcome.done():
            outcome.set_exception(PairingSpentError())

    # The side that types it.

    async def join(self, text: str, at: str | None, name: str | None) -> Contact:
        """Pair with whoever shows this code or QR text, or made this ticket; `at` gives an address
        to try.
        """
        address = parse_any_address(at) if at is not None else None
        if address is not None:
            self._check(address)
        if Ticket.matches(text):
            return await self._join_ticket(Ticket.parse(text), address, name)
        if Invitation.matches(text):
            return await self._join_invitation(Invitation.parse(text), address, name)
        return await self._join_code(Code.parse(text), address, name)

    async def _join_invitation(
        self, invitation: Invitation, at: Address | None, name: str | None
    ) -> Contact:
        if invitation.purpose != "pair":
            raise InvalidCodeError(
                "it adds a device of one's own: `kinlight device join` on the new one takes it"
            )
        if invitation.expires < self._now():
            raise PairingOverError
        places = [at] if at else [parse_address(text) for text in invitation.addresses]
        return await self._join_at(places, invitation, name)

    async def _join_ticket(self, ticket: Ticket, at: Address | None, name: str | None) -> Contact:
        if ticket.identity == self._device.identity:
            raise OwnTicketError
        ticket.check(self._now())
        if self._lost(ticket.identity, ticket.device):
            raise RevokedDeviceError
        known = self._library.contact_of(ticket.identity)
        if known is not None and known.blocked:
            raise BlockedContactError(known.name)
        places = [at] if at else self._dialable(ticket.addresses)
        link, acquaintance, address = await self._peers.pair_by_ticket(places, ticket)
        return await self._joined(link, acquaintance, address, name)

    def _dialable(self, texts: Sequence[str]) -> list[Address]:
        """The addresses of a ticket that this node knows how to dial; others are for other ways."""
        found: list[Address] = []
        reason: KinlightError = UnreachableError("the ticket names none that this version can dial")
        for text in texts:
            try:
                address = parse_any_address(text)
                self._check(address)
            except BadAddressError:
                continue
            except WideAreaOffError as error:
                reason = error
                continue
            found.append(address)
        if not found:
            raise reason
        return found

    async def _join_code(self, code: Code, at: Address | None, name: str | None) -> Contact:
        """Try the nodes that announce the slot, three in all: more would be guessing."""
        if at is not None:
            return await self._join_at([at], code, name)
        tried: set[str] = set()
        reason: KinlightError = NoSuchNodeError(f"slot {code.slot}")
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(SEARCH_SECONDS),
                contextlib.aclosing(self._announcing(code.slot)) as announcing,
            ):
                async for sightings in announcing:
                    for sighting in sightings:
                        if sighting.instance in tried or len(tried) == limits.PAIRING_RUNS:
                            continue
                        tried.add(sighting.instance)
                        try:
                            return await self._join_at(sighting.addresses, code, name)
                        except (PeerError, UnreachableError) as error:
                            reason = error
                    if isinstance(reason, PeerError):
                        break  # it answered and refused: looking on would only keep people waiting
        raise reason

    async def _join_at(
        self, addresses: Sequence[Address], secret: Code | Invitation, name: str | None
    ) -> Contact:
        """At the first of a node's addresses that answers: a run is spent only there."""
        link, acquaintance, address = await self._peers.pair(addresses, secret)
        return await self._joined(link, acquaintance, address, name)

    async def _joined(
        self, link: Link, acquaintance: Acquaintance, address: Address, name: str | None
    ) -> Contact:
        contact = self._pin(acquaintance, name)
        self._whereabouts.reached(contact.identity, address, self._now())
        await link.close()
        self._peers.forget_refusals()
        return contact

    async def _announcing(self, slot: int) -> AsyncGenerator[list[Sighting]]:
        """The nodes that announce the slot, each time that this changes; asks while it waits."""
        if self._discovery is None:
            return
        asking = asyncio.create_task(self._keep_asking(self._discovery))
        try:
            async for _ in self._discovery.events():
                found = [sighting for sighting in self._sightings() if sighting.slot == slot]
                if found:
                    yield found
        finally:
            asking.cancel()

    @staticmethod
    async def _keep_asking(discovery: Discovery) -> None:
        while True:
            discovery.ask()
            await asyncio.sleep(ASK_SECONDS)

    def _sightings(self) -> list[Sighting]:
        return self._discovery.sightings() if self._discovery is not None else []

    def _pin(self, acquaintance: Acquaintance, name: str | None) -> Contact:
        is_new = self._library.contact_of(acquaintance.chain.identity) is None
        contact = self._library.add_contact(
            acquaintance.chain,
            name or names.contact_name(acquaintance.name),
            acquaintance.pair_secret,
            self._now(),
        )
        if is_new and name is None:
            self._compare_names(acquaintance, contact)
        self._met(contact)
        return contact

    def _compare_names(self, acquaintance: Acquaintance, contact: Contact) -> None:
        """Somebody new may be somebody known with another key, or say so. Who is given a name of
        their own by the person here is meant to be somebody else.
        """
        claimed = names.contact_name(acquaintance.name)
        if contact.name.rpartition(" ")[0] == claimed:  # a number was added: the name was taken
            with contextlib.suppress(NoSuchContactError):
                self._same_name(self._library.contact(claimed).identity, contact.identity)

    def _met(self, contact: Contact, ticket: str | None = None) -> None:
        by = {} if ticket is None else {"ticket": ticket}
        self._events.publish("paired", contact=contact.name, **by)
        self._peers.forget_refusals()
