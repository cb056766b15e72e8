"""Work that goes on when who asked for it has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

_Result = TypeVar("_Result")


class Tasks:
    """Tasks that nobody waits for. One that fails is noted in the log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[object]] = set()

    def spawn(self, work: Coroutine[None, None, object]) -> None:
        """Let it run."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("a task failed: %s", type(error).__name__, exc_info=error)

    async def close(self, *, patience: float = 0.0) -> None:
        """Give them so many seconds to end, then end them."""
        if self._tasks and patience:
            await asyncio.wait(self._tasks, timeout=patience)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(work: Coroutine[None, None, _Result]) -> _Result:
    """Run `work` whole even if who asked has gone: its threads would go on unseen, and no row name
    their files.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # nobody else may ask for it


async def together(*work: Coroutine[None, None, None]) -> None:
    """Run all; the first failure ends the others and is raised."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
