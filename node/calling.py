"""The effort to connect the contacts who are not: where to call, and when.

Everybody calls everybody: whoever finds the other first. Nodes seen on the network carry no names,
so each is asked for all contacts that are not connected, and for nobody twice. An address where a
contact was reached before is asked for that contact only. All of them are called at the same time;
of the addresses of one node each a moment after the one before (RFC 8305, section 5).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from typing import Final, Protocol

from ..crypto.errors import KinlightError, LocalError, PeerError, TruncatedError
from ..crypto.identity import DeviceChain
from ..crypto.pairing import Code, Invitation
from ..protocol import limits
from ..protocol.errors import (
    ExpiredTicketError,
    RevokedTicketError,
    UnknownPeerError,
    UnknownTicketError,
    UsedUpTicketError,
)
from ..protocol.opening import Acquaintance, Entropy, Pinned
from ..protocol.session import Bearer
from ..protocol.ticket import Ticket
from .addresses import Address
from .attempts import LONGEST_PAUSE, Attempt, Attempts, Outcome, Place, outcome_of
from .discovery import Discovery
from .errors import UnreachableError
from .link import Link
from .multiaddrs import Multiaddr
from .pipes import Dial, Pipe
from .tasks import Tasks
from .tcp import STAGGER_SECONDS
from .whereabouts import Whereabouts

CALLS: Final = 32
"""Nodes in sight that are called at a time, and as many contacts at remembered addresses: nobody
who announces nonsense can hold up those who are known."""
HEAD_START: Final = 1.0
"""Seconds for a hello before the next way to the same node is tried as well: some networks let a
connection be made and then swallow what is larger than its first packets."""
SHORTEST_PAUSE: Final = 0.05
STALE_FAILURES: Final = 3

_log = logging.getLogger(__name__)

To = Code | Invitation | Bearer | tuple[Pinned, ...]


class Wanted(Protocol):
    """Whom to call: a contact, or one other device of our own."""

    @property
    def key(self) -> bytes:
        """What tells it from the others: an identity, or the key of a device of ours."""
        ...

    @property
    def pinned(self) -> Pinned:
        """What the hello needs."""
        ...


class Caller:
    """Calls contacts at all places that are known, until they are connected."""

    def __init__(
        self,
        *,
        dial: Dial,
        link: Callable[[Pipe, To], Link],
        carry: Callable[[Link, DeviceChain], None],
        wanted: Callable[[], Sequence[Wanted]],
        key: Callable[[DeviceChain], bytes],
        whereabouts: Whereabouts,
        entropy: Entropy,
        now: Callable[[], int],
    ) -> None:
        self._dial = dial
        self._link = link
        self._carry = carry
        self._wanted = wanted
        self._key = key
        self._whereabouts = whereabouts
        self._entropy = entropy
        self._now = now
        self._attempts = Attempts(asyncio.get_running_loop().time, now)
        self._calling: set[Address] = set()
        self._nudge = asyncio.Event()
        self._gates = {True: asyncio.Semaphore(CALLS), False: asyncio.Semaphore(CALLS)}
        self._discovery: Discovery | None = None
        self._tasks = Tasks(_log)

    # The effort.

    def start(self, discovery: Discovery | None) -> None:
        """Begin to look for contacts."""
        self._discovery = discovery
        self._tasks.spawn(self._keep_trying())
        if discovery is not None:
            self._tasks.spawn(self._watch(discovery))

    def nudge(self) -> None:
        """Something changed: see at once whom to call where."""
        self._nudge.set()

    def try_all_again(self) -> None:
        """The network is another one: what failed before may be reached now."""
        self._attempts.try_all_again()
        self.nudge()

    def forget_refusals(self) -> None:
        """The contacts changed, so strangers may have become contacts."""
        self._attempts.forget()
        self.nudge()

    def last_try(self, addresses: Iterable[Address]) -> tuple[Address, Attempt] | None:
        """The latest try at the first of these addresses that was tried, and how it went."""
        return self._attempts.last(addresses)

    async def close(self) -> None:
        """Call nobody any more."""
        await self._tasks.close()

    async def _watch(self, discovery: Discovery) -> None:
        async for _ in discovery.events():
            self.nudge()

    async def _keep_trying(self) -> None:
        while True:
            self._nudge.clear()
            pause = self._call_who_is_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudge.wait()
                    # News come in bursts; a moment more costs nobody anything.
                    await asyncio.sleep(SHORTEST_PAUSE)

    def _call_who_is_due(self) -> float:
        """One round. Returns the seconds until the next place is due."""
        wanted = [each.key for each in self._wanted()]
        pause = LONGEST_PAUSE
        for places, identities in self._groups(wanted):
            due: list[Place] = []
            asked: set[bytes] = set()
            for place in places:
                worth = self._attempts.worth_asking(place, identities)
                if not worth or place.address in self._calling:
                    continue  # there is a nudge when that call has ended
                wait = self._attempts.seconds_until(place)
                if wait:
                    pause = min(pause, wait)
                else:
                    due.append(place)
                    asked.update(worth)
            if due:
                self._calling |= {place.address for place in due}
                self._tasks.spawn(self._call_group(due, asked))
        return max(pause, SHORTEST_PAUSE)

    def _groups(self, wanted: list[bytes]) -> list[tuple[list[Place], list[bytes]]]:
        """The places that lead to one node each, and for whom to ask there; last seen ones first.

        What is in sight is left to the announcement's group, which asks for more.
        """
        sightings = self._discovery.sightings() if self._discovery else []
        groups = [
            ([Place(address, sighting.instance) for address in sighting.addresses], wanted)
            for sighting in sightings
        ]
        in_sight = {address for sighting in sightings for address in sighting.addresses}
        known = self._whereabouts.everywhere()
        for identity, addresses in known.items():
            if identity in wanted:
                # The local network first: it may answer before the others are even dialled.
                ways = sorted(addresses, key=lambda each: isinstance(each, Multiaddr))
                places = [Place(address) for address in ways if address not in in_sight]
                groups.append((places, [identity]))
        remembered = {Place(address) for addresses in known.values() for address in addresses}
        self._attempts.keep(remembered.union(*(places for places, _ in groups)))
        return groups

    async def _call_group(self, places: list[Place], identities: Collection[bytes]) -> None:
        seen = bool(places[0].instance)
        try:
            async with self._gates[seen]:
                if seen:
                    # Both sides see each other at the same moment; with luck only one calls.
                    await asyncio.sleep(self._entropy(1)[0] / 256 * STAGGER_SECONDS)
                await self._call(places, identities)
        finally:
            self._calling -= {place.address for place in places}
            self.nudge()

    # One call.

    async def call(self, addresses: Iterable[Address]) -> bool | None:
        """Ask one node, now, for every contact that is not connected.

        Returns True if a contact answered, False for a stranger, None if nobody did.
        """
        return await self._call(
            [Place(address) for address in addresses],
            [each.key for each in self._wanted()],
        )

    async def reach(self, contact: Wanted, address: Address) -> None:
        """Call a contact at an address that a person gave, now; returns when the link is up.

        Raises `UnreachableError`, or the `PeerError` that prevented it.
        """
        place = Place(address)
        try:
            pipe = await self._dialled(place)
        except (OSError, TimeoutError):
            raise UnreachableError(str(address)) from None
        await self._greet(place, pipe, [contact])

    async def _call(self, places: Sequence[Place], identities: Collection[bytes]) -> bool | None:
        answer = None
        left = list(identities)
        while left and places:
            some, left = set(left[: limits.DIAL_TAGS]), left[limits.DIAL_TAGS :]
            contacts = [each for each in self._wanted() if each.key in some]
            if contacts:
                answer = await self._ask(places, contacts)
                if answer is not False:
                    break
        return answer

    async def _ask(self, places: Sequence[Place], contacts: Sequence[Wanted]) -> bool | None:
        """One hello for so many contacts, by whichever way answers first."""
        hellos: list[asyncio.Task[bool | None]] = []
        try:
            async with contextlib.aclosing(self._arrivals(places)) as arrivals:
                async for place, pipe in arrivals:
                    hello = asyncio.create_task(self._asked(place, pipe, contacts))
                    hellos.append(hello)
                    await asyncio.wait({hello}, timeout=HEAD_START)
                    if any(each.done() and each.result() for each in hellos):
                        return True
            answers = await asyncio.gather(*hellos)
            return max((answer for answer in answers if answer is not None), default=None)
        finally:
            for hello in hellos:
                hello.cancel()
            await asyncio.gather(*hellos, return_exceptions=True)

    async def _asked(self, place: Place, pipe: Pipe, contacts: Sequence[Wanted]) -> bool | None:
        try:
            await self._greet(place, pipe, contacts)
        except UnknownPeerError:
            return False
        except PeerError as error:
            _log.debug("no answer: %s", error.code)
            return None
        return True

    async def _greet(self, place: Place, pipe: Pipe, contacts: Sequence[Wanted]) -> None:
        """Say hello; carry the link if one of the contacts answers, else raise why not."""
        link = self._link(pipe, tuple(contact.pinned for contact in contacts))
        try:
            outcome = await link.open()
            if not isinstance(outcome, DeviceChain):
                raise UnknownPeerError
        except UnknownPeerError:
            self._attempts.denied(place, [each.key for each in contacts])
            await pipe.close()
            raise
        except PeerError:
            self._failed(place, "broken-off")
            await pipe.close()
            raise
        except BaseException:
            await pipe.close()
            raise
        self._attempts.reached(place)
        with contextlib.suppress(LocalError):  # a full disk: it is found again another way
            self._whereabouts.reached(self._key(outcome), place.address, self._now())
        self._carry(link, outcome)

    async def go_over(self, pipe: Pipe, contact: Wanted) -> None:
        """Carry on with a contact over a better pipe; if that fails all stays as it is.

        Its address is not remembered: it is good while both sides dial at the same moment.
        """
        link = self._link(pipe, (contact.pinned,))
        try:
            outcome = await link.open()
            if not isinstance(outcome, DeviceChain):
                raise UnknownPeerError
        except PeerError as error:
            _log.info("a better way is none: %s", error.code)
            await pipe.close()
            return
        except BaseException:
            await pipe.close()
            raise
        self._carry(link, outcome)

    async def _arrivals(self, places: Sequence[Place]) -> AsyncGenerator[tuple[Place, Pipe]]:
        """Dial all places, each a moment after the one before; pipes as they come up."""
        arrived: asyncio.Queue[tuple[Place, Pipe] | None] = asyncio.Queue()

        async def dial(number: int, place: Place) -> None:
            await asyncio.sleep(number * STAGGER_SECONDS)
            pipe: Pipe | None = None
            with contextlib.suppress(OSError, TimeoutError):
                pipe = await self._dialled(place)
            arrived.put_nowait(None if pipe is None else (place, pipe))

        dialling = [asyncio.create_task(dial(*item)) for item in enumerate(places)]
        try:
            for _ in places:
                arrival = await arrived.get()
                if arrival is not None:
                    yield arrival
        finally:
            for task in dialling:
                task.cancel()
            await asyncio.gather(*dialling, return_exceptions=True)
            while not arrived.empty():
                arrival = arrived.get_nowait()
                if arrival is not None:
                    await arrival[1].close()

    async def _dialled(self, place: Place) -> Pipe:
        try:
            return await self._dial(place.address)
        except (OSError, TimeoutError) as error:
            self._failed(place, outcome_of(error))
            raise

    def _failed(self, place: Place, outcome: Outcome) -> None:
        failures = self._attempts.failed(place, outcome)
        if failures >= STALE_FAILURES and not place.instance and outcome != "no-way":
            with contextlib.suppress(LocalError):
                self._whereabouts.forget_if_stale(place.address, self._now())

    # Pairing.

    async def pair(
        self, addresses: Sequence[Address], secret: Code | Invitation
    ) -> tuple[Link, Acquaintance, Address]:
        """Run a pairing with the node at these addresses, where it answers first.

        One try of its code is spent. Raises `UnreachableError`, or the reason of the refusal.
        """
        reason: KinlightError = UnreachableError(", ".join(map(str, addresses)))
        places = [Place(address) for address in addresses]
        async with contextlib.aclosing(self._arrivals(places)) as arrivals:
            async for place, pipe in arrivals:
                link = self._link(pipe, secret)
                try:
                    outcome = await link.open()
                except PeerError as error:
                    await pipe.close()
                    # What is cut may be the way's fault. An invitation's addresses may be somebody
                    # else's by now; a code's are of one node, and what it says is its answer.
                    if isinstance(secret, Code) and not isinstance(error, TruncatedError):
                        raise
                    reason = error
                    continue
                except BaseException:
                    await pipe.close()
                    raise
                if not isinstance(outcome, Acquaintance):
                    await pipe.close()
                    raise UnknownPeerError
                return link, outcome, place.address
        raise reason

    async def pair_by_ticket(
        self, addresses: Sequence[Address], ticket: Ticket
    ) -> tuple[Link, Acquaintance, Address]:
        """Meet who made a ticket, at whichever of these addresses it proves itself first.

        All are dialled and greeted at the same time: some may be somebody else's by now, who lets
        callers wait. Raises `UnreachableError`, or the reason of the refusal that says most.
        """
        claims = iter((True,))
        bearer = Bearer(ticket, lambda: next(claims, False))
        meeting = [asyncio.create_task(self._meet(bearer, each)) for each in addresses]
        reasons: list[KinlightError] = []
        try:
            for met in asyncio.as_completed(meeting):
                try:
                    return await met
                except KinlightError as error:
                    reasons.append(error)
        finally:
            for task in meeting:
                task.cancel()
            await asyncio.gather(*meeting, return_exceptions=True)
        raise max(reasons, key=_says)

    async def _meet(self, bearer: Bearer, address: Address) -> tuple[Link, Acquaintance, Address]:
        try:
            pipe = await self._dialled(Place(address))
        except (OSError, TimeoutError):
            raise UnreachableError(str(address)) from None
        link = self._link(pipe, bearer)
        try:
            outcome = await link.open()
        except BaseException:
            await pipe.close()
            raise
        if not isinstance(outcome, Acquaintance):
            await pipe.close()
            raise UnknownPeerError
        return link, outcome, address


def _says(reason: KinlightError) -> int:
    """How much a refusal says: who knows the ticket before who does not, and anybody before none.

    A refusal proves nothing of who gave it, so it is told and changes nothing.
    """
    if isinstance(reason, ExpiredTicketError | RevokedTicketError | UsedUpTicketError):
        return 4
    if isinstance(reason, UnknownTicketError):
        return 2
    if isinstance(reason, PeerError) and not isinstance(reason, TruncatedError):
        return 3
    return 1 if isinstance(reason, TruncatedError) else 0
