"""A trio loop in a thread of its own, called from asyncio: libp2p lives there.

A thread can't stall the local API, whatever the library does. Nothing of libp2p leaves the thread:
calls go in, bytes and plain values come out.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, TypeVarTuple

import trio

JOIN_SECONDS: Final = 10.0

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class BridgeClosedError(OSError):
    """The other loop has ended, or ends."""


class Bridge:
    """Runs trio functions for asyncio. `start` first; after `close` it may be started again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._started: asyncio.Future[None] | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._stop: trio.Event | None = None

    async def start(self) -> None:
        """Start the thread; returns when its loop runs."""
        loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = loop.create_future()
        self._started = started

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                self._token = trio.lowlevel.current_trio_token()
                self._nursery = nursery
                self._stop = trio.Event()
                loop.call_soon_threadsafe(started.set_result, None)
                await self._stop.wait()
                self._nursery = None  # nothing new begins
                nursery.cancel_scope.cancel()

        self._thread = threading.Thread(target=trio.run, args=(main,), name=self._name, daemon=True)
        self._thread.start()
        await asyncio.shield(started)  # `close` waits for it too

    async def call(
        self,
        work: Callable[[*_Ts], Awaitable[_T]],
        *arguments: *_Ts,
        finish: bool = False,
        unwanted: Callable[[_T], object] | None = None,
    ) -> _T:
        """Await `work(*arguments)` in the trio loop; its exceptions are raised here.

        When the caller is cancelled so is the work, unless it has to `finish`: a half-written frame
        breaks a whole connection. What it returns nevertheless goes to `unwanted`, in asyncio's
        loop. `BridgeClosedError` where the loop has ended or ends meanwhile.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()
        scope = trio.CancelScope()

        def settle(result: list[_T], error: Exception) -> None:
            if answer.done():
                if result and unwanted is not None:
                    unwanted(result[0])
            elif result:
                answer.set_result(result[0])
            else:
                answer.set_exception(error)

        async def run() -> None:
            result: list[_T] = []
            error: Exception = BridgeClosedError("the wide area was turned off")
            try:
                with scope:
                    result.append(await work(*arguments))
            except Exception as raised:  # an exception that got out would end the whole loop
                error = raised
            finally:
                with contextlib.suppress(RuntimeError):  # asyncio's loop has ended before
                    loop.call_soon_threadsafe(settle, result, error)

        def begin() -> None:
            if self._nursery is None:
                nothing: list[_T] = []
                loop.call_soon_threadsafe(settle, nothing, BridgeClosedError("it is off"))
            else:
                self._nursery.start_soon(run)

        if not self.post(begin):
            raise BridgeClosedError("the wide area is off")
        try:
            return await answer
        except asyncio.CancelledError:
            if not finish:
                self.post(scope.cancel)
            raise

    @property
    def nursery(self) -> trio.Nursery:
        """Where tasks of the trio loop live; for what runs there."""
        if self._nursery is None:
            raise BridgeClosedError("the wide area is off")
        return self._nursery

    def post(self, work: Callable[[], object]) -> bool:
        """Have `work`, which must not raise, called in the trio loop soon; False if it is over."""
        if self._token is None:
            return False
        try:
            self._token.run_sync_soon(work)
        except trio.RunFinishedError:
            return False
        return True

    async def close(self) -> None:
        """End the loop and its thread, whatever still runs there."""
        thread, started = self._thread, self._started
        if thread is None or started is None:
            return
        await started
        if self._stop is not None:
            self.post(self._stop.set)
        await asyncio.to_thread(thread.join, JOIN_SECONDS)
        self._thread = self._token = self._stop = None
