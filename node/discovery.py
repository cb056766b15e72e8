"""Finding other nodes on the local network by DNS-SD over multicast DNS (RFC 6762, RFC 6763).

What is announced is as little as works: a service of type `_kinlight._tcp`, names drawn anew at
every start, addresses, port, the version, and the slot of a pairing code while one is open. It
carries no tag of an identity or of a contact. What is heard is a hint from anybody on the network:
it is parsed strictly, bounded, and decides only where to dial; the channel decides who answers.

python-zeroconf does the sockets, the answering and the cache. Its browser and its resolver are not
used: their work grows with what strangers send, and they forget a dead peer only after an hour.
Here everything is level-triggered instead. Each look of `surroundings` at the interfaces is taken
in; one task reads the cache after news, at most ten times a second, and derives the list of
sightings from it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Literal, cast

import zeroconf
from zeroconf import DNSOutgoing, DNSQuestion  # pyright: ignore[reportPrivateImportUsage]
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from ..crypto.pairing import SLOTS
from .addresses import Interface, chosen, loopback_of
from .sightings import (
    CLASS_IN,
    SERVICE_TYPE,
    TYPE_PTR,
    Changed,
    Event,
    Gone,
    Seen,
    Sighting,
    differences,
    encode_txt,
    read_sightings,
)
from .surroundings import WATCH_SECONDS, Look, Surroundings

__all__ = ["Changed", "Discovery", "Event", "Gone", "Seen", "Sighting"]

HOST_TTL = 120
"""Seconds for which an announcement counts (RFC 6762, section 10, for records with a host name)."""
ASK_SECONDS = 45
"""Two questions fit into HOST_TTL, so one lost packet makes nobody disappear."""
LOOKING_SECONDS = 3.0
"""After a start: registering takes 1.2 s, and others answer within moments."""
READ_SECONDS = 0.1
AGAIN_SECONDS = 1.2

# RFC 1035, section 4.1.1: the flags of a question, and of an authoritative answer.
_QUERY, _RESPONSE = 0x0000, 0x8400

_log = logging.getLogger(__name__)


class Discovery:
    """Announces this node and keeps the list of the others.

    `port` is where this node listens. `interfaces` names the only interfaces to use; None means
    every ordinary one, or loopback where there is no other. Nothing that the network does raises:
    `state` and `reason` say whether discovery works.

    `surroundings` are watched by whoever made them. `token_hex` draws the names: one object is one
    start. `pause` sleeps for so many seconds.
    """

    def __init__(
        self,
        port: int,
        interfaces: Sequence[str] | None = None,
        *,
        surroundings: Surroundings,
        token_hex: Callable[[int], str] = secrets.token_hex,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        host_ttl: int = HOST_TTL,
    ) -> None:
        self._port = port
        self._only = interfaces
        self._surroundings = surroundings
        self._pause = pause

        self.instance = token_hex(8)
        self._service = AsyncServiceInfo(
            SERVICE_TYPE,
            f"{self.instance}.{SERVICE_TYPE}",
            port=port,
            properties=encode_txt(None),
            server=f"{token_hex(8)}.local.",
            host_ttl=host_ttl,
            addresses=[],
        )
        self._zeroconf: AsyncZeroconf | None = None
        self._reason: str | None = "Discovery has not started."
        self._used: tuple[Interface, ...] = ()
        self._last_survey: tuple[Interface, ...] = ()
        self._obstacles: dict[str, str] = {}
        self._complaint = ""
        self._begun: float | None = None
        self._ask_gap = 0.0
        self._next_ask = 0.0

        self._sightings: dict[str, Sighting] = {}
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> Literal["mdns", "blocked"]:
        """Whether multicast DNS works on at least one interface."""
        return "mdns" if self._reason is None else "blocked"

    @property
    def reason(self) -> str | None:
        """Why the state is "blocked", as a sentence for the user."""
        return self._reason

    @property
    def looking(self) -> bool:
        """Whether it began so lately that nobody can have been seen yet."""
        now = asyncio.get_running_loop().time()
        return self._begun is not None and now < self._begun + LOOKING_SECONDS

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces in use."""
        return self._used

    def sightings(self) -> list[Sighting]:
        """Every other node that is announced now, at most MAX_SIGHTINGS."""
        return list(self._sightings.values())

    async def events(self) -> AsyncIterator[Event]:
        """What changes from now on, the nodes already known first, until `close`.

        Events are differences between two lists, made when they are asked for: a reader that is
        slow gets fewer of them and still ends with the right list, and nothing piles up.
        """
        told: dict[str, Sighting] = {}
        while not self._closed:
            changed, now = self._changed, self._sightings
            for event in differences(told, now):
                yield event
            told = now
            await changed.wait()

    async def start(self) -> None:
        """Announce this node and begin to listen."""
        self._begun = asyncio.get_running_loop().time()
        # Whatever strangers send is reported at most as a sighting; python-zeroconf would log it.
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)
        first = self._surroundings.look()
        self._last_survey = _survey(first, self._only)
        await self._look(first)
        self._surroundings.listen(self._look)
        self._spawn(self._follow())

    async def announce_slot(self, slot: int | None) -> None:
        """Say that a pairing code with this slot (one of `SLOTS`) is open, or no longer is."""
        if slot is not None and slot not in SLOTS:
            raise ValueError(f"a code has no slot {slot}")
        self._service.text = encode_txt(slot)
        self._service.async_clear_cache()
        await self._announce()
        self._spawn(self._announce_again())

    async def _announce_again(self) -> None:
        """Once more after a second: an answer queued before the change may have come after it, and
        receivers keep both forms of a record that changes twice within a second.
        """
        await self._pause(AGAIN_SECONDS)
        await self._announce()

    def ask(self) -> None:
        """Ask the network at once, for somebody who waits."""
        self._ask()

    async def close(self) -> None:
        """Say goodbye and stop; `events` ends. Takes a quarter of a second."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            # An answer that was queued before may have gone out between those goodbyes, and a
            # receiver drops packets that it saw within a second: the last word has to differ.
            farewell = DNSOutgoing(_RESPONSE)
            farewell.add_answer_at_time(self._service.dns_pointer(override_ttl=0), 0)
            farewell.add_answer_at_time(self._service.dns_service(override_ttl=0), 0)
            self._zeroconf.zeroconf.async_send(farewell)
            await self._zeroconf.async_close()
            self._zeroconf = None
        self._used = ()
        self._reason = "Discovery has ended."
        self._replace({})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._reason = f"Discovery stopped by a fault of its own ({type(error).__name__})."
            _log.error("%s", self._reason, exc_info=error)

    # The interfaces

    async def _look(self, look: Look) -> None:
        """Follow the interfaces, speak up after a sleep, ask when it is time."""
        if self._closed:
            return
        found = _survey(look, self._only)
        # An interface that flaps is left alone until two looks in a row saw the same.
        if found == self._last_survey:
            usable = tuple(interface for interface in found if interface.obstacle is None)
            if usable != self._used or self._zeroconf is None:
                await self._use(usable, found)
            self._warn(found)
        self._last_survey = found

        if look.slept:
            await self._announce()
            self._ask_gap = self._next_ask = 0.0
        if look.time >= self._next_ask:
            self._ask()
            # Soon again after a start or a change, when packets get lost, then ever more seldom.
            self._ask_gap = min(max(self._ask_gap * 2, WATCH_SECONDS), ASK_SECONDS)
            self._next_ask = look.time + self._ask_gap
        self._news.set()

    async def _use(self, usable: tuple[Interface, ...], found: tuple[Interface, ...]) -> None:
        """Announce on these interfaces from now on."""
        self._service.addresses = [
            ipaddress.ip_address(text).packed for each in usable for text in each.addresses
        ]
        # One IPv4 and one IPv6 source per interface: a group can be joined only once on a link.
        sources, before = _sources(usable), _sources(self._used)
        self._used = usable
        self._ask_gap = self._next_ask = 0.0
        # Loopback alone is discovery only on a machine that has no other interface.
        real = [each for each in found if not each.loopback]
        if any(not each.loopback for each in usable) or (usable and not real):
            self._reason = None
        else:
            why = "; ".join(f"{each.name}: {each.obstacle}" for each in real) or "none found"
            self._block(f"No network interface can be used ({why}).")
        try:
            if self._zeroconf is None:
                await self._open(sources)
            else:
                # Announces by itself on an interface that is new, else not.
                await self._zeroconf.async_update_interfaces(sources)
                if set(sources) <= set(before):
                    await self._announce()
        except (OSError, RuntimeError, zeroconf.Error) as error:
            self._used = ()  # the next look tries again
            self._block(f"Multicast DNS cannot be used ({_cause(error)}).")
            return
        if usable:
            self._complaint = ""
            _log.info("looking for nodes on %s", ", ".join(each.name for each in usable))

    async def _open(self, sources: list[str]) -> None:
        opened = AsyncZeroconf(interfaces=sources)
        try:
            opened.zeroconf.async_add_listener(_Listener(self._news.set), None)
            # Probing for a name conflict would cost most of a second; 64 random bits need none.
            announcing = cast(
                "Awaitable[None]",
                await opened.async_register_service(  # pyright: ignore[reportUnknownMemberType]
                    self._service, cooperating_responders=True
                ),
            )
        except BaseException:
            await opened.async_close()
            raise
        self._zeroconf = opened
        self._spawn(_finish(announcing))

    def _block(self, reason: str) -> None:
        if reason != self._complaint:
            _log.warning("%s Other nodes are not found by themselves.", reason)
        self._reason = self._complaint = reason

    def _warn(self, found: Iterable[Interface]) -> None:
        """One line for each interface that can't be used, and again only when that changes."""
        obstacles = {each.name: each.obstacle for each in found if each.obstacle is not None}
        for name, obstacle in obstacles.items():
            if self._obstacles.get(name) != obstacle:
                _log.warning("interface %s is not used for discovery: %s", name, obstacle)
        self._obstacles = obstacles

    async def _announce(self) -> None:
        if self._zeroconf is not None:
            announcing = cast(
                "Awaitable[None]",
                await self._zeroconf.async_update_service(  # pyright: ignore[reportUnknownMemberType]
                    self._service
                ),
            )
            self._spawn(_finish(announcing))

    def _ask(self) -> None:
        """Ask who is there. Without known answers: every reply also says "I am still here"."""
        if self._zeroconf is not None:
            question = DNSOutgoing(_QUERY)
            question.add_question(DNSQuestion(SERVICE_TYPE, TYPE_PTR, CLASS_IN))
            self._zeroconf.zeroconf.async_send(question)

    # The others

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._zeroconf is not None:
                cache = self._zeroconf.zeroconf.cache
                known = self._sightings
                found = read_sightings(cache, known, self._used, self.instance, self._port)
                if any(_moved(known.get(name), now) for name, now in found.items()):
                    # It may be a lie. The node itself answers to the next look's question.
                    self._ask_gap = self._next_ask = 0.0
                self._replace(found)
            await asyncio.sleep(READ_SECONDS)

    def _replace(self, sightings: dict[str, Sighting]) -> None:
        if sightings != self._sightings or self._closed:
            self._sightings = sightings
            self._changed.set()
            self._changed = asyncio.Event()


class _Listener(zeroconf.RecordUpdateListener):
    """Tells that the cache has news."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def async_update_records(
        self, zc: zeroconf.Zeroconf, now: float, records: list[zeroconf.RecordUpdate]
    ) -> None:
        """Nothing: the cache does not hold these records yet."""

    def async_update_records_complete(self) -> None:
        self._tell()


def _survey(look: Look, only: Sequence[str] | None) -> tuple[Interface, ...]:
    """The interfaces to consider; loopback where no other is usable and none was asked for.

    So two nodes on a machine without a network still find each other, and a machine with one
    never announces 127.0.0.1 on it.
    """
    if look.fault is not None:
        return (Interface("all", 0, obstacle=look.fault),)
    found = chosen(look.interfaces, only)
    if only is None and all(each.obstacle is not None for each in found):
        loopback = loopback_of(look.interfaces)
        return (*found, loopback) if loopback is not None else found
    return found


def _moved(before: Sighting | None, now: Sighting) -> bool:
    """Whether a known node is announced elsewhere than before."""
    return before is not None and before.addresses != now.addresses


def _sources(interfaces: Iterable[Interface]) -> list[str]:
    return [text for each in interfaces for text in (*each.ipv4[:1], *each.ipv6[:1])]


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


async def _finish(work: Awaitable[None]) -> None:
    await work
