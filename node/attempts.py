"""How tries to reach contacts went, place by place, and when each is due again.

A place that fails rests, each time longer, whatever else happens; only a change of this machine's
own network, or its waking up, makes all of them worth a try at once. Nobody is asked twice for a
contact that they are not.
"""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from .addresses import Address

FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 30.0
"""Where multicast is blocked only one of two may know where the other is; who comes back waits."""
STRANGER_PAUSE: Final = 600.0
"""The longest before a remembered address where a stranger answered is tried again: addresses are
lent anew. At first it is not as long: who blocked somebody for a moment looks like a stranger."""
REPEAT_PAUSE: Final = 0.25
"""Before a place that answered is called again: a link that ends at once is no reason to hurry."""

Outcome = Literal[
    "no-answer", "refused", "no-way", "unknown-name", "somebody-else", "broken-off", "reached"
]


@dataclass(frozen=True, slots=True)
class Place:
    """An address to try, by whose word: the `instance` of an announcement, or "" if remembered."""

    address: Address
    instance: str = ""


@dataclass(slots=True)
class Attempt:
    """The last try at a place: how it went, when (seconds since 1970), how often it failed."""

    outcome: Outcome
    at: int
    failures: int
    due: float


class Attempts:
    """What is known of each place. `clock` gives seconds for the pauses, `now` those since 1970."""

    def __init__(self, clock: Callable[[], float], now: Callable[[], int]) -> None:
        self._clock = clock
        self._now = now
        self._attempts: dict[Place, Attempt] = {}
        self._denied: dict[Place, set[bytes]] = {}

    def seconds_until(self, place: Place) -> float:
        """Until the place may be tried; 0 if that is now."""
        attempt = self._attempts.get(place)
        return 0.0 if attempt is None else max(0.0, attempt.due - self._clock())

    def failed(self, place: Place, outcome: Outcome) -> int:
        """A try failed. Returns how many did in a row."""
        earlier = self._attempts.get(place)
        failures = 1 + (earlier.failures if earlier else 0)
        is_strange = outcome == "somebody-else" and not place.instance
        longest = STRANGER_PAUSE if is_strange else LONGEST_PAUSE
        pause = min(FIRST_PAUSE * 2.0 ** (failures - 1), longest)
        self._attempts[place] = Attempt(outcome, self._now(), failures, self._clock() + pause)
        return failures

    def reached(self, place: Place) -> None:
        """A contact answered there."""
        self._attempts[place] = Attempt("reached", self._now(), 0, self._clock() + REPEAT_PAUSE)

    def denied(self, place: Place, identities: Iterable[bytes]) -> None:
        """Who answered is none of these."""
        self.failed(place, "somebody-else")
        if place.instance:  # one process, which is nobody else until it ends
            self._denied.setdefault(place, set()).update(identities)
            self._attempts[place].due = self._clock()

    def worth_asking(self, place: Place, identities: Iterable[bytes]) -> list[bytes]:
        """Those of the identities that who answers there may still be."""
        denied = self._denied.get(place, set())
        return [identity for identity in identities if identity not in denied]

    def try_all_again(self) -> None:
        """The network is another one: every place is worth a try now."""
        for attempt in self._attempts.values():
            attempt.due, attempt.failures = -math.inf, 0

    def forget(self) -> None:
        """The contacts changed, so strangers may have become contacts."""
        self._attempts.clear()
        self._denied.clear()

    def keep(self, places: Collection[Place]) -> None:
        """Forget all other places."""
        for known in (self._attempts, self._denied):
            for place in known.keys() - places:
                del known[place]

    def last(self, addresses: Iterable[Address]) -> tuple[Address, Attempt] | None:
        """The latest try at the first of these addresses that was tried."""
        for address in addresses:
            tries = [each for place, each in self._attempts.items() if place.address == address]
            if tries:
                return address, max(tries, key=lambda attempt: attempt.at)
        return None


def outcome_of(error: OSError | TimeoutError) -> Outcome:
    """What a failed connection says about the place."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, socket.gaierror):
        return "unknown-name"
    if error.errno in (errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ENODEV):
        return "no-way"
    return "no-answer"
