"""A daemon gives back what was freed, when something has travelled; see `allocator`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from . import allocator

TRIM_SECONDS: Final = 60.0
"""Between two looks; a trim takes some milliseconds."""


async def keep_trimmed(moved: Callable[[], int], *, seconds: float = TRIM_SECONDS) -> None:
    """Trim now and then, when `moved`, a count of pieces, has changed since."""
    if not allocator.can_trim():
        return
    before = moved()
    while True:
        await asyncio.sleep(seconds)
        if moved() != before:
            before = moved()
            await asyncio.to_thread(allocator.trim)
