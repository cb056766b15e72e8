"""The time by which this node judges: its system's, unless that was set back a little.

The latest moment that this device has seen is kept in the library, so that a clock which was set
back by up to five minutes brings nothing back to life. One that lies further ahead is set aside and
shown, and never judged by: a clock that once ran far ahead must not end grants for ever
(docs/spec/revocation.md, "Time").
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from ..protocol import limits
from ..protocol.clock import Reckoning, Witness, reckon
from . import views
from .events import Events
from .library import Library

KEPT_SECONDS: Final = 60.0
"""How often the moment is kept while the node runs; a kill loses no more than that."""

_SEEN: Final = "clock-seen"
_ASIDE: Final = "clock-aside"

_log = logging.getLogger(__name__)


class Clock:
    """Called, it says what to judge by: seconds since 1970."""

    def __init__(
        self, *, device: bytes, library: Library, events: Events, system: Callable[[], int]
    ) -> None:
        self._device = device
        self._library = library
        self._events = events
        self._system = system
        # Two moments: after a clock ran far ahead, the one is that, and the other goes on.
        self._seen = self._setting(_SEEN)
        self._aside = self._setting(_ASIDE)
        self._kept = (self._seen, self._aside)
        self._told = 0
        self()

    def _setting(self, name: str) -> int:
        return int.from_bytes(self._library.setting(name) or b"")

    def __call__(self) -> int:
        """What to judge by."""
        system = self._system()
        if (
            self._seen <= system and self._aside <= system
        ):  # asked for each piece, and nearly always
            self._seen = system
            return system
        return self._reckon(system).now

    def _reckon(self, system: int) -> Reckoning:
        if self._seen > system + limits.CLOCK_SECONDS:
            self._aside, self._seen = max(self._aside, self._seen), system
        moments = (Witness(self._device, time) for time in (self._seen, self._aside))
        found = reckon(system, moments, {self._device})
        self._seen = max(self._seen, found.now)
        return found

    def view(self) -> views.Clock:
        """What is judged by, what the system says, and what was set aside."""
        system = self._system()
        found = self._reckon(system)
        return views.Clock(found.now, system, self._aside if found.doubtful else None)

    def keep(self) -> None:
        """Keep the latest moment; tell once if the clock looks wrong."""
        view = self.view()
        moments = (self._seen, self._aside)
        if moments != self._kept:
            self._library.set_setting(_SEEN, self._seen.to_bytes(8))
            self._library.set_setting(_ASIDE, self._aside.to_bytes(8))
            self._kept = moments
        if view.witnessed is not None and view.witnessed != self._told:
            self._told = view.witnessed
            _log.warning("the clock looks wrong: it was set back by more than five minutes")
            self._events.publish("clock", system=view.system, witnessed=view.witnessed)

    def believe(self) -> None:
        """A person says that the system's clock is right: forget what was set aside."""
        self._seen, self._aside, self._told = self._system(), 0, 0
        self.keep()
