"""How the resident memory of processes grows while something is done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

import psutil

from benchmarks.figures import MIB

LOOK_SECONDS: Final = 0.1


class Growth:
    """Of one process, in MiB: before, at its peak, and after."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.peak = self.after = self._now()

    def look(self) -> None:
        """Note how much it is now."""
        self.after = self._now()
        self.peak = max(self.peak, self.after)

    def _now(self) -> float:
        return self._process.memory_info().rss / MIB


@contextlib.asynccontextmanager
async def watched(*pids: int) -> AsyncGenerator[list[Growth]]:
    """Look at these processes all the time while the block runs."""
    grown = [Growth(pid) for pid in pids]

    async def watch() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for each in grown:
                each.look()

    watching = asyncio.create_task(watch())
    try:
        yield grown
        for each in grown:
            each.look()
    finally:
        watching.cancel()
