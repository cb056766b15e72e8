"""News inside the node, for the page, the command line and scripts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Generator
from typing import Final

from .counters import Counters
from .views import Event

_BACKLOG: Final = 1000


class Events:
    """Hands each event to every listener. A listener that sleeps loses the oldest ones."""

    def __init__(self) -> None:
        self.counters: Final = Counters()
        self._listeners: dict[asyncio.Queue[Event], Collection[str] | None] = {}

    def publish(self, name: str, **data: object) -> None:
        """Tell all listeners."""
        event = Event(name, data)
        for queue, names in self._listeners.items():
            if names is not None and name not in names:
                continue
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    @contextlib.contextmanager
    def listen(self, names: Collection[str] | None = None) -> Generator[asyncio.Queue[Event]]:
        """A queue of the events of these names (None: all) from now on, until the block is left."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)
        self._listeners[queue] = names
        try:
            yield queue
        finally:
            del self._listeners[queue]
