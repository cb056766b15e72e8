"""Papers on their way over one link, no faster than the other side has to take them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Final

from ..protocol import limits
from ..protocol.allowance import Allowance
from ..protocol.errors import TooMuchError
from ..protocol.messages import Papers
from .link import Link

SHOWN_AT_ONCE: Final = limits.PAPERS_AT_ONCE // 2
SHOWN_PER_SECOND: Final = limits.PAPERS_PER_SECOND / 2
"""How fast papers are shown: less than any node has to take, whoever's clock runs faster."""


class Showing:
    """What is shown on a link; `spawn` runs work that ends with it."""

    def __init__(self, link: Link, spawn: Callable[[Coroutine[None, None, None]], None]) -> None:
        self._link = link
        self._spawn = spawn
        self._allowance = Allowance(SHOWN_AT_ONCE, SHOWN_PER_SECOND)
        self._shown: list[Papers] = []
        self._asked: deque[Papers] = deque()
        self._standing: deque[Papers] = deque()
        self._waiting = False

    def show(self, papers: list[Papers]) -> None:
        """What the contact is to know now. What was shown last is not shown again."""
        if papers != self._shown:
            # What waits keeps its place, or somebody's frequent news would hold up all others'.
            waiting = [each for each in self._standing if each in papers]
            new = [each for each in papers if each not in self._shown and each not in waiting]
            self._shown = papers
            self._standing = deque([*waiting, *new])
            self._go_on()

    def show_first(self, papers: Iterable[Papers]) -> None:
        """What a fetch waits for."""
        self._asked.extend(papers)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            return
        now = asyncio.get_running_loop().time()
        try:
            while (queue := self._asked or self._standing) and self._allowance.take(now):
                self._link.post(queue.popleft())
        except TooMuchError:
            # Who reads nothing must not keep the others from being told.
            self._asked.clear()
            self._standing.clear()
            self._spawn(self._link.close())
        if self._asked or self._standing:
            self._waiting = True
            self._spawn(self._later())

    async def _later(self) -> None:
        await asyncio.sleep(1 / SHOWN_PER_SECOND)
        self._waiting = False
        self._go_on()
