"""Group commit: what is ready at about the same time becomes durable by one transaction.

A commit waits for the disk, and costs the same for one photo as for a dozen. While one is under way
the threads make others ready, so the more there is to do, the more of it shares a commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from .database import Database
from .errors import DiskFullError

TOGETHER: Final = 64
"""Writes that share a commit at most: the loop waits for all of them."""

GATHER_SECONDS: Final = 0.002
"""From the first write of a group to its commit: about what a good disk takes for one."""

AGAIN_SECONDS: Final = 1.0
"""After a full disk, until what nobody waits for is tried again."""

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_Then = Callable[[object], None]
"""Called with what a write returned, once that is durable, or with its exception."""


@dataclass(frozen=True, slots=True)
class _Write:
    write: Callable[[], object]
    then: _Then | None
    given_up: Callable[[], bool] = lambda: False
    """Whether nobody wants it any more. Who was cancelled may have removed what it would enter."""


class Commits:
    """Runs writes in groups, each group in one transaction. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._waiting: list[_Write] = []
        self._full = False

    async def run(self, write: Callable[[], _Result]) -> _Result:
        """What `write` returns, once all that it wrote is durable.

        Its error is its own: nothing of it is written then, and the others of the group are. A
        commit that fails is everybody's error.
        """
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def settle(outcome: object) -> None:
            if done.done():
                return
            if isinstance(outcome, Exception):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)

        self._add(_Write(write, settle, done.done))
        return await done  # type: ignore[return-value] - it is the result of this very call

    def post(self, write: Callable[[], object], then: _Then | None = None) -> None:
        """Write soon. `then` hears how it went; without it an error is logged."""
        self._add(_Write(write, then))

    def _add(self, write: _Write) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._commit)
        self._waiting.append(write)

    def _commit(self) -> None:
        group, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        outcomes: list[object]
        try:
            with self._db.transaction():
                outcomes = [None if item.given_up() else self._part(item.write) for item in group]
            self._full = False
        except Exception as error:
            outcomes = [error] * len(group)
        for item, outcome in zip(group, outcomes, strict=True):
            try:
                self._settle(item, outcome)
            except Exception:  # the others of the group have their answers
                _log.exception("what follows a commit failed")

    def _settle(self, item: _Write, outcome: object) -> None:
        if item.then is not None:
            item.then(outcome)
        elif isinstance(outcome, DiskFullError):  # it is noted once there is room
            if not self._full:
                _log.warning("the disk is full: what happened is noted when there is room")
            self._full = True
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._add, item)
        elif isinstance(outcome, Exception):
            code = getattr(outcome, "code", type(outcome).__name__)
            _log.warning("something was not noted: %s", code)

    def _part(self, write: Callable[[], object]) -> object:
        try:
            with self._db.transaction():
                return write()
        except Exception as error:
            if not self._db.in_transaction:  # a full disk, say, ended all of it
                raise
            return error
