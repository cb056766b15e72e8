"""The machine under the node: its interfaces, and whether it slept. Looked at every two seconds.

One look serves all who depend on the network: `discovery` announces by it, `calling` gives up links
whose way is gone. Each of them damps what it sees in its own measure.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from .addresses import Interface, all_interfaces, holder

WATCH_SECONDS: Final = 2.0
SLEPT_SECONDS: Final = 10
"""A look that comes this much too late means that the machine slept."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What the machine looks like at the moment `time` (seconds of the clock).

    `fault` says why the system would not list its interfaces, which are then none. `slept` is set
    when the look comes so late that the machine must have slept, or the clock was set back.
    """

    interfaces: tuple[Interface, ...]
    time: float
    slept: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is another than before: the interfaces, by name, and the addresses that can't be used
    any more, since they were taken away or their interface is down.
    """

    names: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names)


class Footing:
    """The interfaces as two looks in a row saw them, each by itself: what flaps is no news."""

    def __init__(self, first: Look) -> None:
        self._seen = {each.name: each for each in first.interfaces}
        self._settled = dict(self._seen)

    def interface_of(self, host: str) -> str | None:
        """The name of the interface that has this address."""
        found = holder(self._settled.values(), host)
        return None if found is None else found.name

    def take(self, look: Look) -> Change:
        """What has settled with this look."""
        if look.fault is not None:
            return Change()
        now = {each.name: each for each in look.interfaces}
        seen, self._seen = self._seen, now
        settled = dict(self._settled)
        for name in settled.keys() | now.keys() | seen.keys():
            if now.get(name) == seen.get(name):
                if name in now:
                    settled[name] = now[name]
                else:
                    settled.pop(name, None)
        before, self._settled = self._settled, settled
        names = {
            name for name in before.keys() | settled.keys() if before.get(name) != settled.get(name)
        }
        return Change(frozenset(names), frozenset(_usable(before) - _usable(settled)))


def _usable(interfaces: dict[str, Interface]) -> set[str]:
    return {host for each in interfaces.values() if each.up for host in each.present}


class Surroundings:
    """Looks at the machine and tells whoever listens. Nothing that it meets raises.

    `pause` and `clock` (seconds, of a clock that runs while the machine sleeps) time the looks.
    """

    def __init__(
        self,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        interfaces: Callable[[], tuple[Interface, ...]] = all_interfaces,
    ) -> None:
        self._pause = pause
        self._clock = clock
        self._interfaces = interfaces
        self._last = clock()
        self._listeners: list[Callable[[Look], Awaitable[None]]] = []
        self._failing: set[int] = set()
        self._watching: asyncio.Task[None] | None = None

    def listen(self, tell: Callable[[Look], Awaitable[None]]) -> None:
        """Have `tell` called with each look, after those who asked before."""
        self._listeners.append(tell)

    def look(self) -> Look:
        """The machine now."""
        now = self._clock()
        slept = not 0 <= now - self._last <= WATCH_SECONDS + SLEPT_SECONDS
        self._last = now
        try:
            return Look(self._interfaces(), now, slept)
        except OSError as error:
            return Look((), now, slept, error.strerror or type(error).__name__)

    def start(self) -> None:
        """Look from now on, until `close`."""
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await self._pause(WATCH_SECONDS)
            look = self.look()
            for number, tell in enumerate(self._listeners):
                try:
                    await tell(look)
                except Exception:  # the others have to be told nevertheless; once is enough said
                    if number not in self._failing:
                        self._failing.add(number)
                        _log.exception("the network's state was not taken in")

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
