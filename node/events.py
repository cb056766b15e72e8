"""News inside the node, for the page, the command line and scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Final

_BACKLOG: Final = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `name` is stable; `data` holds JSON values."""

    name: str
    data: dict[str, object] = field(default_factory=dict[str, object])


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

    async def listen(self) -> AsyncGenerator[Event]:
        """Events from now on, until the iterator is closed."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)
