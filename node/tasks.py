"""Work that goes on when who asked for it has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

_Result = TypeVar("_Result")


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
