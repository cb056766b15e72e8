"""The networks that transfers are measured in: this machine alone, or a slow line through it."""

from __future__ import annotations

import contextlib
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from benchmarks.running import MODULE, line_of, running


@dataclass(frozen=True, slots=True)
class Network:
    """`delay` is in seconds, each way; `rate` in bytes a second, each way; None: uncapped."""

    word: str
    name: str
    delay: float = 0.0
    rate: float | None = None

    @contextlib.asynccontextmanager
    async def way_to(self, port: int, *, part: float = 1.0) -> AsyncGenerator[int]:
        """The port at which `port` is reached by this network, with that part of its delay."""
        if self.rate is None:
            yield port
            return
        words = (*MODULE, "benchmarks.slow_line", str(port), str(part * self.delay), str(self.rate))
        async with running(*words, out=PIPE) as line:
            yield int(await line_of(line.stdout))


LOOPBACK: Final = Network("loopback", "loopback")
SLOW: Final = Network("slow", "20 ms, 200 Mbit/s", 0.020, 200e6 / 8)
