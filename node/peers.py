"""The peers that are connected now; `calling` is the effort to connect the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ..crypto.channel import ChannelSettings
from ..crypto.errors import KinlightError, LocalError
from ..crypto.identity import DeviceChain
from ..crypto.pairing import Code, Invitation
from ..protocol.errors import (
    DoubtedKeyError,
    OtherKeyError,
    RevokedDeviceError,
    UnknownTicketError,
)
from ..protocol.joining import DeviceRequest
from ..protocol.messages import Message
from ..protocol.opening import Acquaintance, Entropy, LocalDevice, PairingWindow, Pinned
from ..protocol.session import Callee, Session
from ..protocol.ticket import IssuedTicket, Ticket
from .addresses import Address, source_of
from .attempts import Attempt
from .calling import Caller, To
from .discovery import Discovery
from .events import Events
from .library import Contact, Library
from .link import FAREWELL_SECONDS, Link
from .pipes import Dial, Pipe
from .roster import Roster, Sibling
from .surroundings import Footing, Look, Surroundings
from .tasks import Tasks
from .whereabouts import Whereabouts

STRANGERS: Final = 32
"""Connections that may be in their hello at a time."""
STRANGERS_PER_SOURCE: Final = 8
WRONG_TICKET_SECONDS: Final = 1.0
"""A caller with a ticket that nobody made keeps its place for so long after its refusal: so one
address has eight guesses a second and no more."""
LINKS_PER_CONTACT: Final = 8
"""Devices of one contact that may be connected at a time."""
SETTLED_SECONDS: Final = 5.0
"""Two links to one device that come up within this time were dialled together."""

_log = logging.getLogger(__name__)


class Conversation(Protocol):
    """What the node does over an established link."""

    async def handle(self, message: Message) -> None:
        """One message of the peer."""
        ...

    def start(self) -> None:
        """The link is up."""
        ...

    async def close(self) -> None:
        """The link has ended."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """A link that is up, to whom, what goes on over it, and since when (seconds since 1970)."""

    link: Link
    contact: Contact
    conversation: Conversation
    since: int


@dataclass(frozen=True, slots=True, eq=False)
class SiblingStanding:
    """The same, with another device of our own: `link.peer` are its papers."""

    link: Link
    conversation: Conversation
    since: int


class Peers:
    """Keeps at most one link per device of a contact, and one to each other device of ours."""

    def __init__(
        self,
        *,
        settings: ChannelSettings,
        device: LocalDevice,
        library: Library,
        roster: Roster,
        whereabouts: Whereabouts,
        events: Events,
        dial: Dial,
        entropy: Entropy,
        now: Callable[[], int],
        converse: Callable[[Link, Contact], Conversation],
        converse_with_sibling: Callable[[Link], Conversation],
        paired: Callable[[Link, Acquaintance | DeviceRequest], Awaitable[None]],
        tickets: Callable[[], Iterable[IssuedTicket]],
        refused: Callable[[KinlightError], None],
        lost: Callable[[DeviceChain], bool],
        doubted: Callable[[bytes], bool],
        other_key: Callable[[OtherKeyError], None],
    ) -> None:
        self._settings = settings
        self._device = device
        self._library = library
        self._roster = roster
        self._events = events
        self._entropy = entropy
        self._now = now
        self._converse = converse
        self._converse_with_sibling = converse_with_sibling
        self._paired = paired
        self._tickets = tickets
        self._refuse_caller = refused
        self._lost = lost
        self._doubted = doubted
        self._other_key = other_key
        self._links: dict[bytes, Standing] = {}
        self._siblings: dict[bytes, SiblingStanding] = {}
        # Apart, so that no crowd of the wide area can keep the local network waiting.
        self._strangers = {"local": Counter[str](), "wide": Counter[str]()}
        self._tasks = Tasks(_log)
        self._footing = Footing(Look((), 0.0))
        self._whereabouts = whereabouts
        self._caller = Caller(
            dial=dial,
            link=self._link,
            carry=lambda link, chain: self._tasks.spawn(self._carry(link, chain)),
            wanted=self.sought,
            key=self._key,
            whereabouts=whereabouts,
            entropy=entropy,
            now=now,
        )
        self._closed = False
        self.window: PairingWindow | None = None

    # Who is connected.

    def connections(self) -> list[tuple[Link, Contact]]:
        """All links that are up."""
        return [(standing.link, standing.contact) for standing in self._links.values()]

    def standing(self) -> list[Standing]:
        """The same, with what goes on over them and since when."""
        return list(self._links.values())

    def interface_of(self, link: Link) -> str | None:
        """The name of the interface that carries a link, where that is known."""
        local = link.pipe.local
        return None if local is None else self._footing.interface_of(local.host)

    def connected_names(self) -> set[str]:
        """The names of the contacts that are connected."""
        return {standing.contact.name for standing in self._links.values()}

    def links(self, identity: bytes) -> list[Link]:
        """The links to devices of a contact."""
        return [
            standing.link
            for standing in self._links.values()
            if standing.contact.identity == identity
        ]

    def conversations(self, identity: bytes | None = None) -> list[Conversation]:
        """What goes on with a contact, or with all."""
        return [
            standing.conversation
            for standing in self._links.values()
            if identity in (None, standing.contact.identity)
        ]

    def siblings(self) -> list[SiblingStanding]:
        """The links to other devices of ours that are up."""
        return list(self._siblings.values())

    @property
    def greeting(self) -> int:
        """Callers whose hello is under way."""
        return sum(each.total() for each in self._strangers.values())

    # Being dialled.

    async def accept(self, pipe: Pipe) -> None:
        """A connection came in: judge its hello, then carry it."""
        self._tasks.spawn(self._accept(pipe))

    async def _accept(self, pipe: Pipe) -> None:
        source = pipe.remote.host if pipe.remote else ""
        strangers = self._strangers["local"]
        if pipe.transport is not None:
            source, strangers = source_of(source), self._strangers["wide"]
        if (
            self._closed
            or strangers.total() >= STRANGERS
            or strangers[source] >= STRANGERS_PER_SOURCE
        ):
            await pipe.close()
            return
        strangers[source] += 1
        callee = Callee(self._callers, lambda: self.window, self._tickets)
        link = self._link(pipe, callee)
        kept = 0.0
        try:
            outcome = await link.open()
        except KinlightError as error:
            if isinstance(error, UnknownTicketError):
                kept = WRONG_TICKET_SECONDS
            self.refuse(error)
            await pipe.close()
            return
        finally:
            if kept:
                asyncio.get_running_loop().call_later(kept, _let_go, strangers, source)
            else:
                _let_go(strangers, source)
        if isinstance(outcome, Acquaintance | DeviceRequest):
            try:
                await self._paired(link, outcome)
            except BaseException:  # a full disk, say: nobody else would end it
                await pipe.close()
                raise
        elif isinstance(outcome, DeviceChain):
            await self._carry(link, outcome)

    def refuse(self, error: KinlightError) -> None:
        """A caller was sent away: count it, and tell who may want to know."""
        _log.info("a caller was refused: %s", error.code)
        self._refuse_caller(error)

    def _callers(self) -> Iterable[Pinned]:
        contacts = [each.pinned for each in self._library.contacts() if not each.blocked]
        return [*self._roster.pinned(), *contacts]

    # Calling.

    async def pair(
        self, addresses: Sequence[Address], secret: Code | Invitation
    ) -> tuple[Link, Acquaintance, Address]:
        """See `Caller.pair`."""
        return await self._caller.pair(addresses, secret)

    async def pair_by_ticket(
        self, addresses: Sequence[Address], ticket: Ticket
    ) -> tuple[Link, Acquaintance, Address]:
        """See `Caller.pair_by_ticket`."""
        return await self._caller.pair_by_ticket(addresses, ticket)

    async def call(self, addresses: Iterable[Address]) -> bool | None:
        """See `Caller.call`."""
        return await self._caller.call(addresses)

    async def reach(self, contact: Contact, address: Address) -> None:
        """See `Caller.reach`."""
        await self._caller.reach(contact, address)
        await asyncio.sleep(0)  # the link is carried from the loop's next turn on

    async def improve(self, pipe: Pipe) -> None:
        """There is a better way to a contact who is connected through a relay: go over to it."""
        for standing in self._links.values():
            known = standing.link.pipe.transport
            if known is not None and known == pipe.transport and standing.link.pipe.path == "relay":
                await self._caller.go_over(pipe, standing.contact)
                return
        await pipe.close()

    def last_try(self, addresses: Iterable[Address]) -> tuple[Address, Attempt] | None:
        """See `Caller.last_try`."""
        return self._caller.last_try(addresses)

    def nudge(self) -> None:
        """Something changed: see at once whom to call where."""
        self._caller.nudge()

    def forget_refusals(self) -> None:
        """The contacts changed, so strangers may have become contacts."""
        self._caller.forget_refusals()

    def start(self, discovery: Discovery | None, surroundings: Surroundings) -> None:
        """Begin to look for contacts."""
        self._footing = Footing(surroundings.look())
        surroundings.listen(self._look)
        self._caller.start(discovery)

    def _link(self, pipe: Pipe, to: Callee | To) -> Link:
        session = Session(
            self._settings, self._device, to, self._entropy, self._lost, pipe.transport
        )
        link = Link(pipe, session)
        link.other_key = self._other_key
        return link

    def wanted(self) -> list[Contact]:
        """The contacts that are not connected and not blocked."""
        connected = {standing.contact.identity for standing in self._links.values()}
        return [
            contact
            for contact in self._library.contacts()
            if not contact.blocked
            and contact.identity not in connected
            and not self._doubted(contact.identity)
        ]

    def sought(self) -> list[Contact | Sibling]:
        """All who are not connected: contacts that are not blocked, and our other devices."""
        return [*self.wanted(), *self._wanted_siblings()]

    def _wanted_siblings(self) -> list[Sibling]:
        return [each for each in self._roster.siblings() if each.key not in self._siblings]

    def _key(self, chain: DeviceChain) -> bytes:
        """As `calling.Wanted` has it: the devices of a contact are one, ours are each its own."""
        return chain.device if chain.identity == self._device.identity else chain.identity

    # Carrying a link.

    async def _carry(self, link: Link, chain: DeviceChain) -> None:
        if chain.identity == self._device.identity:
            await self._carry_sibling(link, chain)
            return
        contact = self._library.contact_of(chain.identity)
        if contact is None or contact.blocked or self._closed:
            await link.close()
            return
        if self._doubted(chain.identity):
            await link.close(DoubtedKeyError())
            return
        if len(self.links(chain.identity)) >= LINKS_PER_CONTACT and chain.device not in self._links:
            await link.close()
            return
        earlier = self._links.get(chain.device)
        if earlier is not None and self._prefers(earlier.link, link):
            await link.close()
            return
        with contextlib.suppress(LocalError):  # a full disk: it shows them again on its next link
            self._library.put_device(chain, self._now())
        conversation = self._converse(link, contact)
        standing = Standing(link, contact, conversation, self._now())
        self._links[chain.device] = standing
        try:
            if earlier is not None:
                await earlier.link.close()
            self._events.publish("connected", contact=contact.name, path=link.pipe.path)
            try:
                conversation.start()
            except BaseException:  # nobody would read it, nor end it
                await link.close()
                raise
            error = await link.run(conversation.handle)
            _log.info("a link ended: %s", error.code if error else "goodbye")
        finally:
            if self._links.get(chain.device) is standing:
                del self._links[chain.device]
                self._events.publish("disconnected", contact=contact.name)
            with contextlib.suppress(KinlightError):  # a full disk: it is only for people to see
                self._whereabouts.left(chain.device, self._now())
            await conversation.close()
            self.nudge()

    async def _carry_sibling(self, link: Link, chain: DeviceChain) -> None:
        """The hello showed that the other end knows the own-device secret, and has papers of our
        identity that are not revoked.
        """
        earlier = self._siblings.get(chain.device)
        if (
            self._closed
            or chain.device == self._device.chain.device
            or (earlier is not None and self._prefers(earlier.link, link))
        ):
            await link.close()
            return
        conversation = self._converse_with_sibling(link)
        standing = SiblingStanding(link, conversation, self._now())
        self._siblings[chain.device] = standing
        try:
            if earlier is not None:
                await earlier.link.close()
            self._events.publish("device-connected", device=chain.device.hex(), path=link.pipe.path)
            try:
                conversation.start()
            except BaseException:  # nobody would read it, nor end it
                await link.close()
                raise
            error = await link.run(conversation.handle)
            _log.info("a link to an own device ended: %s", error.code if error else "goodbye")
        finally:
            if self._siblings.get(chain.device) is standing:
                del self._siblings[chain.device]
                self._events.publish("device-disconnected", device=chain.device.hex())
            with contextlib.suppress(KinlightError):  # a full disk: it is only for people to see
                self._roster.seen(chain.device, self._now())
            await conversation.close()
            self.nudge()

    def _prefers(self, standing: Link, new: Link) -> bool:
        """Of two links to one device keep one, and at both ends the same.

        A direct one goes before one through a relay.
        When both sides dial at once, or one by two addresses, the two ends may see the links come
        up in different order; the exporter is the same at both, so the smaller one wins. A link
        that has stood for a while gives way: who dials again knows that it is dead.
        """
        if standing.age > SETTLED_SECONDS:
            return False
        relayed = standing.pipe.path == "relay"
        if relayed != (new.pipe.path == "relay"):
            return not relayed
        return standing.session.exporter < new.session.exporter

    async def _look(self, look: Look) -> None:
        """The machine's network: end what has no ground left, doubt what the change is near to."""
        change = self._footing.take(look)
        if not change and not look.slept:
            return
        for link in self._all_links():
            host = link.pipe.local.host if link.pipe.local else ""
            if host.partition("%")[0] in change.lost:
                self._tasks.spawn(link.drop())
            elif look.slept or self._footing.interface_of(host) in change.names:
                self._tasks.spawn(link.check())
        self._caller.try_all_again()

    # The end.

    async def drop(self, identity: bytes) -> None:
        """End all links to a contact."""
        await _close_all(self.links(identity))

    def drop_doubted(self, identity: bytes) -> None:
        """End all links to a contact whose key is in doubt, and say why."""
        for link in self.links(identity):
            self._tasks.spawn(link.close(DoubtedKeyError()))

    def drop_lost(self) -> None:
        """End the links to devices that were revoked meanwhile, and say why."""
        for link in self._all_links():
            if self._lost(link.peer):
                self._tasks.spawn(link.close(RevokedDeviceError()))

    def _all_links(self) -> list[Link]:
        return [each.link for each in (*self._links.values(), *self._siblings.values())]

    async def close(self) -> None:
        """End everything."""
        self._closed = True
        await self._caller.close()
        await _close_all(self._all_links())
        await self._tasks.close(patience=FAREWELL_SECONDS)


async def _close_all(links: list[Link]) -> None:
    """All at once: a peer that reads nothing must not delay the end of the others."""
    await asyncio.gather(*(link.close() for link in links), return_exceptions=True)


def _let_go(strangers: Counter[str], source: str) -> None:
    """A caller's hello is over."""
    strangers[source] -= 1
    strangers += Counter()  # drops the zeros
