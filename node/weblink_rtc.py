"""Data channels to browsers, by aiortc, in a thread with a loop of its own.

aiortc is loaded by the first offer, since it takes a second and 60 MB. It encrypts and packs in
Python, so on the daemon's own loop a transfer would hold up everybody else's. No object of aiortc
leaves the thread. It is told no STUN server but those that the settings name: nothing here asks
anybody on the internet anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from ..protocol.weblink_errors import LinkBusyError, LinkOfferError
from .weblink_serving import BUFFERED_BYTES, STALLED_SECONDS, Channel

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCPeerConnection

LABEL: Final = "kinlight"
CONNECTIONS: Final = 16
"""At a time, of all browsers."""
CONNECTIONS_EACH: Final = 4
"""Of those, from one address."""
OPEN_SECONDS: Final = 30.0
"""From an answer to an open channel."""
ANSWER_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.25
"""How often it is looked whether a browser sends more than it may."""

_log = logging.getLogger(__name__)


class Attendance(Protocol):
    """What goes on over a channel, once it is open."""

    def hear(self, message: object) -> None:
        """A message of the page."""
        ...

    async def run(self) -> None:
        """Until something ends it."""
        ...


Attend = Callable[[Channel], Attendance]


class RtcThread:
    """Answers offers. Its methods are called on the daemon's loop."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = tuple(servers)
        self._thread: threading.Thread | None = None
        self._inside: _Inside | None = None
        self._starting = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether anybody came."""
        return self._thread is not None

    async def answer(self, offer: str, source: str, attend: Attend) -> str:
        """The answer to a harmless offer; `attend` begins what goes on over its channel.

        Raises `LinkBusyError`, and `LinkOfferError` for what aiortc can't use.
        """
        async with self._starting:
            if self._inside is None:
                await self._start()
        inside = self._inside
        assert inside is not None  # noqa: S101 - `_start` made it
        work = asyncio.run_coroutine_threadsafe(inside.answer(offer, source, attend), inside.loop)
        return await asyncio.wrap_future(work)

    def tell(self, what: Callable[[], None]) -> None:
        """Call something where the channels are, if there is any."""
        if self._inside is not None:
            self._inside.loop.call_soon_threadsafe(what)

    async def close(self) -> None:
        """End all channels and the thread."""
        inside, thread = self._inside, self._thread
        self._inside = self._thread = None
        if inside is not None and thread is not None:
            inside.loop.call_soon_threadsafe(inside.end.set)
            await asyncio.to_thread(thread.join)

    async def _start(self) -> None:
        begun: asyncio.Future[_Inside] = asyncio.get_running_loop().create_future()
        here = asyncio.get_running_loop()

        async def live() -> None:
            inside = _Inside(self._servers)
            here.call_soon_threadsafe(begun.set_result, inside)
            await inside.live()

        thread = threading.Thread(target=lambda: asyncio.run(live()), name="links", daemon=True)
        self._thread = thread
        thread.start()
        self._inside = await begun


class _Inside:
    """What lives in the thread."""

    def __init__(self, servers: Sequence[str]) -> None:
        self.loop: Final = asyncio.get_running_loop()
        self.end: Final = asyncio.Event()
        self._servers = servers
        self._live: dict[asyncio.Task[None], str] = {}

    async def live(self) -> None:
        await self.end.wait()
        tasks = list(self._live)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def answer(self, offer: str, source: str, attend: Attend) -> str:
        here = list(self._live.values())
        if len(here) >= CONNECTIONS or here.count(source) >= CONNECTIONS_EACH:
            raise LinkBusyError
        answered: asyncio.Future[str] = self.loop.create_future()
        task = asyncio.create_task(self._attend(offer, attend, answered))
        self._live[task] = source
        task.add_done_callback(lambda done: self._live.pop(done, None))
        return await answered

    async def _attend(self, offer: str, attend: Attend, answered: asyncio.Future[str]) -> None:
        """One browser, from its offer to its end."""
        from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

        servers = [RTCIceServer(urls=url) for url in self._servers]
        # A list in any case: the default of aiortc is a public STUN server.
        connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        try:
            visit = _Visit(connection, attend)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
                    await connection.setLocalDescription(await connection.createAnswer())
            except Exception as error:
                _log.debug("an offer could not be answered: %s", type(error).__name__)
                raise LinkOfferError from None
            if not answered.done():  # else who asked has gone
                answered.set_result(connection.localDescription.sdp)
                await visit.run()
        except LinkOfferError as error:
            if not answered.done():
                answered.set_exception(error)
        finally:
            if not answered.done():
                answered.set_exception(LinkBusyError())
            await connection.close()


class _Visit:
    """The one channel of a connection; what else is opened in it is closed."""

    def __init__(self, connection: RTCPeerConnection, attend: Attend) -> None:
        self._connection = connection
        self._attend = attend
        self._opened = asyncio.Event()
        self._over = asyncio.Event()
        self._serving: Attendance | None = None
        connection.on("datachannel", self._channel)
        connection.on("connectionstatechange", self._state)

    def _channel(self, channel: RTCDataChannel) -> None:
        if self._serving is not None or channel.label != LABEL or not channel.ordered:
            channel.close()
            return
        self._serving = self._attend(_Paced(channel, self._over))
        channel.on("message", self._serving.hear)
        channel.on("close", self._over.set)
        self._opened.set()

    def _state(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self._over.set()

    async def run(self) -> None:
        """Until either side ends it, or it does not come about."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_SECONDS):
                await self._opened.wait()
        if self._serving is None:
            return
        ends: list[asyncio.Task[None]] = [
            asyncio.create_task(self._serving.run()),
            asyncio.create_task(self._gone()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.wait(ends)
        error = None if ends[0].cancelled() else ends[0].exception()
        if error is not None:
            _log.error("a visit failed: %s", type(error).__name__, exc_info=error)

    async def _gone(self) -> None:
        """Until the connection is over, or is to be: aiortc puts a message together whatever its
        size, and only its window, which it does not enforce, tells how much it holds.
        """
        window = self._connection.sctp
        while not self._over.is_set() and getattr(window, "_advertised_rwnd", 0) >= 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._over.wait()


class _Paced:
    """A channel that says when it has room."""

    def __init__(self, channel: RTCDataChannel, over: asyncio.Event) -> None:
        self._channel = channel
        self._over = over
        self._room = asyncio.Event()
        channel.bufferedAmountLowThreshold = BUFFERED_BYTES // 2
        channel.on("bufferedamountlow", self._room.set)

    def send(self, data: bytes) -> None:
        if self._over.is_set() or self._channel.readyState != "open":
            raise TimeoutError
        self._channel.send(data)

    async def drained(self) -> None:
        if self._channel.bufferedAmount < BUFFERED_BYTES:
            return
        async with asyncio.timeout(STALLED_SECONDS):
            while self._channel.bufferedAmount > BUFFERED_BYTES // 2:
                self._room.clear()
                await self._room.wait()
