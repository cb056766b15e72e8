"""Working ahead: a few pieces of work at a time, their results in order, progress in between.

What one waits for (the disk, a thread, a group commit) the others use, and whoever watches still
reads the results in the order of the work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Final

from .views_sharing import ShareItem, ShareProgress

AHEAD: Final = 16
"""Pieces of work under way at a time."""
PROGRESS_SECONDS: Final = 0.2


class StoppedError(Exception):
    """Nobody waits for this work any more."""


class Work:
    """One piece of work, as it is seen from inside: how far it is, and whether to go on."""

    def __init__(self) -> None:
        self.stopped = False
        self._latest: dict[str, tuple[int, int]] = {}
        self._told: dict[str, tuple[int, int]] = {}

    def reporter(self, file: str) -> Callable[[int, int], None]:
        """For what takes a while; may be called from any thread, and raises `StoppedError`."""

        def report(done: int, total: int) -> None:
            self.check()
            self._latest[file] = (done, total)

        return report

    def check(self) -> None:
        """Raise `StoppedError` if nobody waits any more."""
        if self.stopped:
            raise StoppedError

    def news(self) -> list[ShareProgress]:
        """What has moved since this was last asked."""
        latest = dict(self._latest)
        moved = [
            ShareProgress(file, None, *at)
            for file, at in latest.items()
            if self._told.get(file) != at
        ]
        self._told = latest
        return moved


Job = Callable[[Work], Coroutine[None, None, list[ShareItem]]]


async def in_order(jobs: Iterable[Job]) -> AsyncGenerator[ShareItem | ShareProgress]:
    """Run the jobs, `AHEAD` at a time; yields the items of each, in order, and progress.

    A job's error ends this. When this is left before its end, the jobs under way are told to stop
    and waited for: their threads would go on unseen.
    """
    clock = asyncio.get_running_loop().time
    coming = iter(jobs)
    begun: deque[tuple[Work, asyncio.Task[list[ShareItem]]]] = deque()
    told = clock()
    try:
        while True:
            while len(begun) < AHEAD and (job := next(coming, None)) is not None:
                work = Work()
                begun.append((work, asyncio.create_task(job(work))))
            if not begun:
                return
            _, first = begun[0]
            await asyncio.wait({first}, timeout=PROGRESS_SECONDS)
            if clock() - told >= PROGRESS_SECONDS:
                told = clock()
                for work, _ in begun:
                    for step in work.news():
                        yield step
            if first.done():
                begun.popleft()
                for item in first.result():
                    yield item
    finally:
        for work, _ in begun:
            work.stopped = True
        if begun:
            tasks = [task for _, task in begun]
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # taken note of: nobody waits for it
