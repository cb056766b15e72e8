"""Waiting: for a time, or for news, by a clock that tests can move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_News = TypeVar("_News")


def about(seconds: float, entropy: Callable[[int], bytes]) -> float:
    """Half to one and a half times as many: so that not all who were turned away come again at the
    same moment.
    """
    return seconds * (0.5 + int.from_bytes(entropy(2)) / 2**16)


@dataclass(frozen=True, slots=True)
class Pace:
    """A clock in seconds that never goes back, and a way to wait by it."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def news(self, queue: asyncio.Queue[_News], seconds: float | None) -> list[_News]:
        """All that is in the queue, as soon as there is any; none after so many seconds."""
        found: list[_News] = []
        if queue.empty():
            coming = asyncio.ensure_future(queue.get())
            waits: set[asyncio.Future[Any]] = {coming}
            if seconds is not None:
                waits.add(asyncio.ensure_future(self.sleep(seconds)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    found.append(coming.result())
            finally:
                for wait in waits:
                    wait.cancel()
        while not queue.empty():
            found.append(queue.get_nowait())
        return found
