"""News inside the node, for the page, the command line and scripts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import Final

from .views import Event

_BACKLOG: Final = 1000


class Events:
    """Hands each event to every listener. A listener that sleeps loses the oldest ones."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event]] = set()

    def publish(self, name: str, **data: object) -> None:
        """Tell all listeners."""
        event = Event(name, data)
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    @contextlib.contextmanager
    def listen(self) -> Generator[asyncio.Queue[Event]]:
        """A queue of all events from now on, until the block is left."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
