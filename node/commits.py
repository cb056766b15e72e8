"""Group commit: what is ready at about the same time becomes durable by one transaction.

A commit waits for the disk, and costs the same for one photo as for a dozen. While one is under way
the threads make others ready, so the more there is to do, the more of it shares a commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

from .database import Database
from .errors import DiskFullError

TOGETHER: Final = 64
"""Writes that share a commit at most: the loop waits for all of them."""

AGAIN_SECONDS: Final = 1.0
"""After a full disk, until what nobody waits for is tried again."""

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_Waiting = tuple[Callable[[], object], "asyncio.Future[object] | None"]


class Commits:
    """Runs writes in groups, each group in one transaction. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._waiting: list[_Waiting] = []

    async def run(self, write: Callable[[], _Result]) -> _Result:
        """What `write` returns, once all that it wrote is durable.

        Its error is its own: nothing of it is written then, and the others of the group are. A
        commit that fails is everybody's error.
        """
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._add(write, done)
        return await done  # type: ignore[return-value] - it is the result of this very call

    def post(self, write: Callable[[], object]) -> None:
        """Write soon, for what nobody waits for; an error is logged."""
        self._add(write, None)

    def _add(self, write: Callable[[], object], done: asyncio.Future[object] | None) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        self._waiting.append((write, done))

    def _commit(self) -> None:
        group, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        outcomes: list[object] = []
        try:
            with self._db.transaction():
                for write, done in group:
                    # Who was cancelled in the meantime may have removed what it would enter.
                    skipped = done is not None and done.done()
                    outcomes.append(None if skipped else self._part(write))
        except Exception as error:
            outcomes = [error] * len(group)
        for (write, done), outcome in zip(group, outcomes, strict=True):
            if done is None:
                if isinstance(outcome, DiskFullError):  # it is noted once there is room
                    asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._add, write, None)
                elif isinstance(outcome, Exception):
                    code = getattr(outcome, "code", type(outcome).__name__)
                    _log.warning("something was not noted: %s", code)
            elif not done.done():
                if isinstance(outcome, Exception):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)

    def _part(self, write: Callable[[], object]) -> object:
        try:
            with self._db.transaction():
                return write()
        except Exception as error:
            if not self._db.in_transaction:  # a full disk, say, ended all of it
                raise
            return error
