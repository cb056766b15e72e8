"""Leaves this node's addresses, sealed, with contacts who relay, and asks for those of others.

So two find each other again who both have new addresses, as long as each finds the same relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from ..crypto.errors import KinlightError
from ..crypto.secret import Secret
from ..protocol import rendezvous
from ..protocol.delivery import day_of
from ..protocol.opening import LocalDevice
from ..protocol.rendezvous import Answer, Notice
from .errors import BadAddressError
from .link import Link
from .multiaddrs import Multiaddr
from .whereabouts import Whereabouts

LOOK_SECONDS: Final = 2.0
"""Between two looks whether there is something new to say or to ask."""
ASK_SECONDS: Final = 60.0
"""Between two questions for the same contacts."""
LEAVE_SECONDS: Final = 6 * 3600
"""After which the same addresses are left again, in seconds of the clock: records don't last."""
TRIES: Final = 5
"""Before it is believed that a contact keeps nothing: it may learn a moment later than this node
that they are contacts."""

RELAYED: Final = 4
"""Addresses through relays that come first in a notice."""


class Sought(Protocol):
    """A contact, or another device of our own: `key` tells it from the others."""

    @property
    def key(self) -> bytes:
        """As in `calling.Wanted`."""
        ...

    @property
    def identity(self) -> bytes:
        """Who leaves the notices."""
        ...

    @property
    def pair_secret(self) -> Secret:
        """Under what they are left."""
        ...


Ask = Callable[[bytes], Awaitable[bytes]]

_log = logging.getLogger(__name__)


class Rendezvous:
    """What is said to each contact who keeps records.

    `heard` is called when there are new `whereabouts` of somebody. Of `filler` those are made up
    who are asked for besides.
    """

    def __init__(
        self,
        *,
        device: LocalDevice,
        contacts: Callable[[], Sequence[Sought]],
        wanted: Callable[[], Sequence[Sought]],
        addresses: Callable[[], list[str]],
        whereabouts: Whereabouts,
        heard: Callable[[], None],
        filler: Callable[[], Secret],
        now: Callable[[], int],
    ) -> None:
        self.device: Final = device.chain.device
        self._identity = device.identity
        self._contacts = contacts
        self._wanted = wanted
        self._addresses = addresses
        self._whereabouts = whereabouts
        self._heard = heard
        self._filler = filler
        self._now = now

    async def attend(self, link: Link, ask: Ask) -> None:
        """As long as a link with a contact stands, who may keep records; `ask` asks it.

        Returns at once where it keeps none.
        """
        loop = asyncio.get_running_loop()
        said: object = None
        tries = TRIES
        left_at = asked_at = float("-inf")
        missed: set[bytes] = set()
        while not link.ended.is_set():
            now = self._now()
            reached = {link.peer.identity, link.peer.device}
            others = [each for each in self._contacts() if each.key not in reached]
            wanted = self._wanted()
            missing = {each.key for each in wanted}
            to_say = (self._addresses(), day_of(now), {each.key for each in others})
            leaving = to_say != said or abs(now - left_at) >= LEAVE_SECONDS
            asking = bool(missing) and (
                bool(missing - missed) or loop.time() - asked_at >= ASK_SECONDS
            )
            if leaving or asking:
                left = others if leaving else []
                try:
                    await self._exchange(ask, left, wanted, now)
                except (OSError, TimeoutError, KinlightError) as error:
                    _log.debug("a contact keeps no records, or not now: %s", error)
                    tries -= said is None
                    if not tries:
                        return
                else:
                    if leaving:
                        said, left_at = to_say, now
                asked_at = loop.time()
            missed = missing
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await link.ended.wait()

    async def _exchange(
        self, ask: Ask, left: Sequence[Sought], wanted: Sequence[Sought], now: int
    ) -> None:
        own = Notice(self._identity, self.device, now, _in_order(self._addresses()))
        requests = rendezvous.requests(
            own,
            [each.pair_secret for each in left],
            [each.pair_secret for each in wanted],
            now,
            self._filler(),
        )
        for request in requests:
            answer = Answer.decode(await ask(request.encode()))
            for record in answer.found:
                await self._take(record, wanted, now)
            await asyncio.sleep(0)

    async def _take(self, record: bytes, wanted: Sequence[Sought], now: int) -> None:
        for contact in wanted:
            await asyncio.sleep(0)  # a keeper that sends what nobody can open must not stall us
            try:
                found = Notice.open(record, contact.pair_secret, contact.identity, now)
            except KinlightError:
                continue  # it is another one's, or nobody's
            if contact.key not in (found.identity, found.device):
                continue  # of a device of ours, by another one
            addresses = _understood(found.addresses)
            if self._whereabouts.heard(contact.key, found.device, found.issued, addresses):
                self._heard()
            return


def _in_order(addresses: list[str]) -> tuple[str, ...]:
    """Some that lead through a relay first: where there is no room for all, they are worth most to
    who is far away.
    """
    relayed = [text for text in addresses if Multiaddr.parse(text).via is not None][:RELAYED]
    return tuple(dict.fromkeys([*relayed, *addresses]))


def _understood(addresses: tuple[str, ...]) -> list[Multiaddr]:
    found: list[Multiaddr] = []
    for text in addresses:
        with contextlib.suppress(BadAddressError):
            found.append(Multiaddr.parse(text))
    return found
