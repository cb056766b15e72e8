"""A link: one session driven over one pipe.

One task reads, one writes. What is queued for writing is bounded: `send` waits for room, `post`
(for answers given while reading, which must not wait or two nodes could wait for each other) ends
the link when a peer causes more answers than it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from ..crypto.errors import PeerError, TruncatedError
from ..crypto.identity import DeviceChain
from ..protocol import limits
from ..protocol.errors import OtherKeyError, TooMuchError
from ..protocol.joining import DeviceRequest, Joined
from ..protocol.messages import Message, Ping, Pong
from ..protocol.opening import Acquaintance
from ..protocol.session import Added, Asked, Ended, Established, Paired, Received, Session, State
from .pipes import Pipe

QUEUE_BYTES: Final = 1024 * 1024
"""`send` waits while more than this is queued."""
POST_BYTES: Final = 4 * QUEUE_BYTES
"""A link whose peer lets more than this pile up is ended."""
PING_SECONDS: Final = 15.0
"""Silence after which the peer is asked whether it is there."""
SILENCE_SECONDS: Final = 40.0
"""Silence after which the link is taken for dead."""
CHECK_SECONDS: Final = 5.0
"""The same, where there is a reason to doubt it: the network changed, or the machine slept."""
FAREWELL_SECONDS: Final = 2.0

Outcome = DeviceChain | Acquaintance | DeviceRequest | Joined
"""What a hello came to: a device that is known, somebody new, or a device to be added here; or, at
that device, its papers."""

_log = logging.getLogger(__name__)


class Link:
    """One connection to another node. `open` first, then `run`."""

    def __init__(self, pipe: Pipe, session: Session) -> None:
        self.pipe: Final = pipe
        self.session: Final = session
        self.ended = asyncio.Event()
        self._out: deque[bytes] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._held: list[Received] = []
        self._pings = 0
        self._heard = asyncio.Event()
        self._listening = False
        self._writer: asyncio.Task[None] | None = None
        self._born = asyncio.get_running_loop().time()
        self.other_key: Callable[[OtherKeyError], None] = _untold
        """Hears of somebody who has a contact's secret and another key."""

    @property
    def peer(self) -> DeviceChain:
        """The authenticated other side of an established link."""
        if self.session.peer is None:
            raise ValueError("the link is not established")
        return self.session.peer

    @property
    def age(self) -> float:
        """Seconds since the connection was made."""
        return asyncio.get_running_loop().time() - self._born

    async def open(self) -> Outcome:
        """Handshake and hello, within the limits of time and bytes.

        Returns the contact's device, or what a pairing or adding a device yielded; raises the
        `PeerError` that prevented it.
        """
        try:
            async with asyncio.timeout(limits.OPENING_SECONDS):
                return await self._open()
        except OtherKeyError as error:
            self.other_key(error)
            raise
        except TimeoutError:
            raise TruncatedError("it took too long to answer") from None
        except OSError:
            raise TruncatedError from None

    async def _open(self) -> Outcome:
        outcome: Outcome | None = None
        while outcome is None:
            await self._flush()
            data = await self.pipe.read()
            events = self.session.receive(data) if data else self.session.receive_eof()
            for event in events:
                match event:
                    case Established():
                        outcome = event.peer
                    case Paired():
                        outcome = event.acquaintance
                    case Asked():
                        outcome = event.request
                    case Added():
                        outcome = event.joined
                    case Received():
                        self._held.append(event)
                    case Ended():
                        if outcome is not None:
                            continue  # a goodbye right after a pairing
                        await self._flush()
                        raise event.error or TruncatedError()
        with contextlib.suppress(OSError):  # what was agreed counts although the end can't be said
            await self._flush()
        return outcome

    async def _flush(self) -> None:
        data = self.session.to_send()
        if data:
            await self.pipe.write(data)

    async def run(self, handle: Callable[[Message], Awaitable[None]]) -> PeerError | None:
        """Carry messages until the end; return why it ended, None after a goodbye.

        `handle` is awaited for each message before the next is read, which is the back-pressure;
        it must not wait for a further message of this link. A `PeerError` from it ends the link.
        """
        self._writer = asyncio.create_task(self._write())
        keeper = asyncio.create_task(self._keep_alive())
        try:
            return await self._read(handle)
        finally:
            keeper.cancel()
            self._end()
            await asyncio.wait({self._writer}, timeout=FAREWELL_SECONDS)
            self._writer.cancel()
            await self.pipe.close()

    async def _read(self, handle: Callable[[Message], Awaitable[None]]) -> PeerError | None:
        try:
            held, self._held = self._held, []
            for event in held:
                await self._deliver(event.message, handle)
            # The peer may have said goodbye in the same breath as its hello.
            while self.session.state is not State.ENDED:
                self._listening = True
                async with asyncio.timeout(SILENCE_SECONDS):
                    data = await self.pipe.read()
                self._listening = False
                self._heard.set()
                events = self.session.receive(data) if data else self.session.receive_eof()
                self._collect()
                for event in events:
                    match event:
                        case Received():
                            await self._deliver(event.message, handle)
                        case Ended():
                            return event.error
                        case _:
                            pass
            return None
        except (OSError, TimeoutError):
            return TruncatedError()
        except PeerError as error:
            self.session.close(error)
            with contextlib.suppress(TooMuchError):
                self._collect()
            return error

    async def _deliver(
        self, message: Message, handle: Callable[[Message], Awaitable[None]]
    ) -> None:
        match message:
            case Ping():
                self.post(Pong(message.token))
            case Pong():
                pass
            case _:
                await handle(message)
                await asyncio.sleep(0)  # one read can hold a thousand messages: others have a turn

    async def _write(self) -> None:
        while not (self.ended.is_set() and not self._out):
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._out:
                    data = self._out.popleft()
                    await self.pipe.write(data)
                    self._queued -= len(data)
                    if self._queued < QUEUE_BYTES:
                        self._room.set()
            except OSError:
                return  # the reader finds out as well, and says so

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            with contextlib.suppress(TooMuchError):  # such a link ends by its silence
                self._ping()

    async def check(self) -> None:
        """Ask whether the peer is still there, and end the link if nothing comes in time."""
        self._heard.clear()
        with contextlib.suppress(TooMuchError):
            self._ping()
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._heard.wait()
        except TimeoutError:
            if self._listening:  # else it is this side that has not come to what was said
                await self.drop()

    async def drop(self) -> None:
        """End the link without a word: what it ran over is gone. `run` returns soon after."""
        await self.pipe.close()

    def _ping(self) -> None:
        self._pings += 1
        self.post(Ping(self._pings))

    def _collect(self) -> None:
        """Move what the session wants to say into the bounded queue."""
        data = self.session.to_send()
        if data:
            self._out.append(data)
            self._queued += len(data)
            if self._queued >= QUEUE_BYTES:
                self._room.clear()
            self._wake.set()
        if self._queued > POST_BYTES:
            raise TooMuchError("it causes answers and does not take them")

    async def send(self, message: Message) -> None:
        """Queue a message; waits until there is room. `TruncatedError` if the link has ended."""
        while not self._room.is_set() and not self.ended.is_set():
            await self._room.wait()
        if self.ended.is_set() or self.session.state is not State.UP:
            raise TruncatedError
        self.session.send(message)
        self._collect()

    def post(self, message: Message) -> None:
        """Queue an answer at once; `TooMuchError` if the peer takes no answers."""
        if not self.ended.is_set() and self.session.state is State.UP:
            self.session.send(message)
            self._collect()

    async def close(self, error: PeerError | None = None) -> None:
        """Say goodbye, with the reason if there is one, and let go. `run` returns soon after."""
        self.session.close(error)
        with contextlib.suppress(OSError, TimeoutError, TooMuchError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                if self._writer is None:
                    await self._flush()
                else:
                    self._collect()
                    self._end()
                    await asyncio.wait({self._writer})
        self._end()
        await self.pipe.close()

    def _end(self) -> None:
        self.ended.set()
        self._room.set()
        self._wake.set()


def _untold(_: OtherKeyError) -> None:
    """Nobody wants to know."""
