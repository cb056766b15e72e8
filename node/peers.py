"""The peers that are connected now, and the effort to connect the others.

Everybody dials everybody: whoever finds the other first. Nodes seen on the network carry no names,
so an unknown one is asked once for all contacts that are not connected; one that is a stranger is
not asked again until the contacts change. Addresses where a contact was reached before are tried
as well, and again with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from ..crypto.channel import ChannelSettings
from ..crypto.errors import KinlightError, PeerError
from ..crypto.identity import DeviceChain
from ..crypto.pairing import Code, Invitation
from ..protocol import limits
from ..protocol.errors import RevokedDeviceError, UnknownPeerError
from ..protocol.messages import Message
from ..protocol.opening import Acquaintance, Entropy, LocalDevice, PairingWindow, Pinned
from ..protocol.session import Callee, Session
from .addresses import Address
from .discovery import Discovery, Gone
from .errors import UnreachableError
from .events import Events
from .library import Contact, Library
from .link import FAREWELL_SECONDS, Link
from .pipes import Dial, Pipe

STRANGERS: Final = 32
"""Connections that may be in their hello at a time."""
STRANGERS_PER_SOURCE: Final = 8
LINKS_PER_CONTACT: Final = 8
"""Devices of one contact that may be connected at a time."""
STAGGER_SECONDS: Final = 0.25
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 60.0
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


class Peers:
    """Keeps at most one link per device of a contact."""

    def __init__(
        self,
        *,
        settings: ChannelSettings,
        device: LocalDevice,
        library: Library,
        events: Events,
        dial: Dial,
        entropy: Entropy,
        now: Callable[[], int],
        converse: Callable[[Link, Contact], Conversation],
        paired: Callable[[Link, Acquaintance], Awaitable[None]],
        refused: Callable[[KinlightError], None],
        lost: Callable[[DeviceChain], bool],
    ) -> None:
        self._settings = settings
        self._device = device
        self._library = library
        self._events = events
        self._dial_pipe = dial
        self._entropy = entropy
        self._now = now
        self._converse = converse
        self._paired = paired
        self._refuse_caller = refused
        self._lost = lost
        self._links: dict[bytes, tuple[Link, Contact, Conversation]] = {}
        self._strangers: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._effort: list[asyncio.Task[None]] = []
        self._dialling: set[Address] = set()
        self._asked: dict[str, float] = {}
        self._nudge = asyncio.Event()
        self._closed = False
        self.window: PairingWindow | None = None

    # Who is connected.

    def connections(self) -> list[tuple[Link, Contact]]:
        """All links that are up."""
        return [(link, contact) for link, contact, _ in self._links.values()]

    def connected_names(self) -> set[str]:
        """The names of the contacts that are connected."""
        return {contact.name for _, contact, _ in self._links.values()}

    def links(self, identity: bytes) -> list[Link]:
        """The links to devices of a contact."""
        return [link for link, contact, _ in self._links.values() if contact.identity == identity]

    def conversations(self, identity: bytes | None = None) -> list[Conversation]:
        """What goes on with a contact, or with all."""
        return [
            conversation
            for _, contact, conversation in self._links.values()
            if identity in (None, contact.identity)
        ]

    @property
    def greeting(self) -> int:
        """Callers whose hello is under way."""
        return self._strangers.total()

    # Being dialled.

    async def accept(self, pipe: Pipe) -> None:
        """A connection came in: judge its hello, then carry it."""
        self._spawn(self._accept(pipe))

    async def _accept(self, pipe: Pipe) -> None:
        source = pipe.remote.host if pipe.remote else ""
        if (
            self._closed
            or self._strangers.total() >= STRANGERS
            or self._strangers[source] >= STRANGERS_PER_SOURCE
        ):
            await pipe.close()
            return
        self._strangers[source] += 1
        callee = Callee(self._callers, lambda: self.window)
        link = self._link(pipe, callee)
        try:
            outcome = await link.open()
        except KinlightError as error:
            _log.info("a caller was refused: %s", error.code)
            self._refuse_caller(error)
            await pipe.close()
            return
        finally:
            self._strangers[source] -= 1
            self._strangers += Counter()  # drops the zeros
        if isinstance(outcome, Acquaintance):
            await self._paired(link, outcome)
        else:
            await self._carry(link, outcome)

    def _callers(self) -> Iterable[Pinned]:
        return (contact.pinned for contact in self._library.contacts() if not contact.blocked)

    # Dialling.

    async def pair(self, address: Address, secret: Code | Invitation) -> tuple[Link, Acquaintance]:
        """Run a pairing at `address`; raises the reason if it fails."""
        link = await self._dial(address, secret)
        try:
            outcome = await link.open()
        except KinlightError:
            await link.pipe.close()
            raise
        if not isinstance(outcome, Acquaintance):
            raise UnknownPeerError
        return link, outcome

    async def _dial(self, address: Address, to: Code | Invitation | tuple[Pinned, ...]) -> Link:
        try:
            pipe = await self._dial_pipe(address)
        except (OSError, TimeoutError):
            raise UnreachableError(str(address)) from None
        return self._link(pipe, to)

    def _link(self, pipe: Pipe, to: Callee | Code | Invitation | tuple[Pinned, ...]) -> Link:
        session = Session(self._settings, self._device, to, self._entropy, self._lost)
        return Link(pipe, session)

    async def call(self, addresses: Iterable[Address]) -> bool | None:
        """Ask one node for every contact that is not connected.

        It has several addresses and some are stale: each is dialled a moment after the one before
        (RFC 8305), and those that answer say their hello one after the other until one is a
        contact. Returns True for a contact, False for a stranger, None if nothing answered.
        """
        turn = asyncio.Lock()
        found = asyncio.Event()
        fresh = [address for address in addresses if address not in self._dialling]
        answers = await asyncio.gather(
            *(
                self._ask(address, number * STAGGER_SECONDS, turn, found)
                for number, address in enumerate(fresh)
            )
        )
        return max((answer for answer in answers if answer is not None), default=None)

    async def _ask(
        self, address: Address, delay: float, turn: asyncio.Lock, found: asyncio.Event
    ) -> bool | None:
        self._dialling.add(address)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await found.wait()
            if found.is_set():
                return None
            wanted = [contact.pinned for contact in self._wanted()]
            for start in range(0, len(wanted), limits.DIAL_TAGS):
                link = await self._dial(address, tuple(wanted[start : start + limits.DIAL_TAGS]))
                async with turn:
                    if found.is_set():
                        await link.pipe.close()
                        return None
                    if await self._greet(link, address):
                        found.set()
                        return True
            return False
        except (PeerError, UnreachableError) as error:
            _log.debug("no answer: %s", error.code)
            return None
        finally:
            self._dialling.discard(address)

    async def _greet(self, link: Link, address: Address) -> bool:
        """Say hello; carry the link if a contact answers."""
        try:
            outcome = await link.open()
        except UnknownPeerError:
            await link.pipe.close()
            return False
        except BaseException:
            await link.pipe.close()
            raise
        if not isinstance(outcome, DeviceChain):
            return False
        now = self._now()
        self._library.put_address(outcome.identity, address.host, address.port, now)
        self._spawn(self._carry(link, outcome))
        return True

    def _wanted(self) -> list[Contact]:
        connected = {contact.identity for _, contact, _ in self._links.values()}
        return [
            contact
            for contact in self._library.contacts()
            if not contact.blocked and contact.identity not in connected
        ]

    # Carrying a link.

    async def _carry(self, link: Link, chain: DeviceChain) -> None:
        contact = self._library.contact_of(chain.identity)
        if contact is None or contact.blocked or self._closed:
            await link.close()
            return
        if len(self.links(chain.identity)) >= LINKS_PER_CONTACT and chain.device not in self._links:
            await link.close()
            return
        earlier = self._links.get(chain.device)
        if earlier is not None and self._prefers(earlier[0], link):
            await link.close()
            return
        self._library.put_device(chain, self._now())
        conversation = self._converse(link, contact)
        entry = (link, contact, conversation)
        self._links[chain.device] = entry
        try:
            if earlier is not None:
                await earlier[0].close()
            self._events.publish("connected", contact=contact.name, path=link.pipe.path)
            conversation.start()
            error = await link.run(conversation.handle)
            _log.info("a link ended: %s", error.code if error else "goodbye")
        finally:
            if self._links.get(chain.device) is entry:
                del self._links[chain.device]
                self._events.publish("disconnected", contact=contact.name)
            await conversation.close()
            self.nudge()

    def _prefers(self, standing: Link, new: Link) -> bool:
        """Of two links to one device keep one, and at both ends the same.

        When both sides dial at once, or one by two addresses, the two ends may see the links come
        up in different order; the exporter is the same at both, so the smaller one wins. A link
        that has stood for a while gives way: who dials again knows that it is dead.
        """
        if standing.age > SETTLED_SECONDS:
            return False
        return standing.session.exporter < new.session.exporter

    # The effort.

    def nudge(self) -> None:
        """Something changed: try now instead of after the pause."""
        self._nudge.set()

    def forget_refusals(self) -> None:
        """The contacts changed, so strangers may have become contacts."""
        self._refused.clear()
        self._asked.clear()
        self.nudge()

    def start(self, discovery: Discovery | None) -> None:
        """Begin to look for contacts."""
        self._effort.append(asyncio.create_task(self._keep_trying(discovery)))
        if discovery is not None:
            self._effort.append(asyncio.create_task(self._watch(discovery)))

    async def _watch(self, discovery: Discovery) -> None:
        async for event in discovery.events():
            if isinstance(event, Gone):
                self._refused.discard(event.instance)
                self._asked.pop(event.instance, None)
            elif event.sighting.instance not in self._refused:
                self.nudge()

    async def _keep_trying(self, discovery: Discovery | None) -> None:
        pause = FIRST_PAUSE
        while not self._closed:
            self._nudge.clear()
            if self._wanted():
                if discovery is not None:
                    for sighting in discovery.sightings():
                        self._spawn(self._try_sighting(sighting.instance, sighting.addresses))
                for contact in self._wanted():
                    known = self._library.addresses(contact.identity)
                    self._spawn(self.call([Address(host, port) for host, port in known]))
            try:
                async with asyncio.timeout(pause):
                    await self._nudge.wait()
                pause = FIRST_PAUSE
                # News come in bursts; half a second more costs nobody anything.
                await asyncio.sleep(0.05)
            except TimeoutError:
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _try_sighting(self, instance: str, addresses: tuple[Address, ...]) -> None:
        """Ask a node that is in sight, unless it is a stranger or was asked just now."""
        now = asyncio.get_running_loop().time()
        if instance in self._refused or now - self._asked.get(instance, -FIRST_PAUSE) < FIRST_PAUSE:
            return
        self._asked[instance] = now
        # Both sides see each other at the same moment; with luck only one dials.
        await asyncio.sleep(int.from_bytes(self._entropy(1)) / 256 * STAGGER_SECONDS)
        if await self.call(addresses) is False:
            self._refused.add(instance)

    def _spawn(self, work: Awaitable[object]) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection task failed: %s", type(error).__name__, exc_info=error)

    async def drop(self, identity: bytes) -> None:
        """End all links to a contact."""
        await _close_all(self.links(identity))

    def drop_lost(self) -> None:
        """End the links to devices that were revoked meanwhile, and say why."""
        for link, _, _ in self._links.values():
            if self._lost(link.peer):
                self._spawn(link.close(RevokedDeviceError()))

    async def close(self) -> None:
        """End everything."""
        self._closed = True
        for task in self._effort:
            task.cancel()
        await _close_all([link for link, _, _ in self._links.values()])
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._effort, *self._tasks, return_exceptions=True)


async def _close_all(links: list[Link]) -> None:
    """All at once: a peer that reads nothing must not delay the end of the others."""
    await asyncio.gather(*(link.close() for link in links), return_exceptions=True)
