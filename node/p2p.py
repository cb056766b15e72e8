"""The wide area as the daemon sees it: pipes to and from other nodes over libp2p.

Import it only where the wide area is on: with it comes libp2p, half a second and 60 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import trio

from ..protocol.opening import Transport
from .addresses import Address, usable_interfaces
from .bridge import Bridge, BridgeClosedError
from .multiaddrs import Multiaddr, multiaddr
from .p2p_host import Host
from .p2p_kad import Found
from .p2p_relay import Relayed
from .p2p_stream import Stream
from .p2p_tcp import listen
from .pipes import PathKind, Pipe
from .tasks import Tasks

RESTART_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 8.0

_log = logging.getLogger(__name__)


class StreamPipe:
    """One libp2p stream as a `Pipe`."""

    def __init__(
        self,
        bridge: Bridge,
        stream: Stream,
        transport: Transport,
        path: PathKind,
        remote: Address | None,
    ) -> None:
        self._bridge = bridge
        self._stream = stream
        self._transport = transport
        self._path: PathKind = path
        self._remote = remote
        self._portions: deque[bytes] = deque()
        self._came = asyncio.Event()
        self._ended = False
        self._closed = False

    @property
    def path(self) -> PathKind:
        """`direct` or `relay`."""
        return self._path

    @property
    def remote(self) -> Address | None:
        """Where its connection goes, which may be a relay."""
        return self._remote

    @property
    def local(self) -> Address | None:
        """Not known: the connection's own signs of life tell when its interface has gone."""
        return None

    @property
    def transport(self) -> Transport:
        """By which keys both ends are known to libp2p."""
        return self._transport

    def deliver(self, data: bytes) -> None:
        """Bytes came; empty ones are the end."""
        if data:
            self._portions.append(data)
        else:
            self._ended = True
        self._came.set()

    async def read(self) -> bytes:
        """See `Pipe`."""
        while not self._portions:
            if self._ended or self._closed:
                return b""
            self._came.clear()
            await self._came.wait()
        data = b"".join(self._portions)
        self._portions.clear()
        self._bridge.post(lambda: self._stream.taken(len(data)))
        return data

    async def write(self, data: bytes) -> None:
        """See `Pipe`."""
        if self._closed:
            raise BrokenPipeError("the pipe was closed")
        with _as_os_errors():
            await self._bridge.call(self._stream.write, data, finish=True)

    async def close(self) -> None:
        """See `Pipe`."""
        if self._closed:
            return
        self._closed = True
        self._came.set()
        with contextlib.suppress(OSError), _as_os_errors():
            await self._bridge.call(self._stream.close, finish=True)


class WideArea:
    """Accepts pipes at a port, dials others. `start` after `close` begins anew.

    `seed` makes the transport key (32 bytes): no identity, and worth nothing but reachability. With
    `bootstraps`, be they none, it takes part in look-ups.
    """

    def __init__(
        self,
        seed: bytes,
        accept: Callable[[Pipe], Awaitable[None]],
        improved: Callable[[Pipe], Awaitable[None]] | None = None,
        *,
        relaying: bool = False,
        bootstraps: Sequence[Multiaddr] | None = None,
    ) -> None:
        self._bootstraps = bootstraps
        self._seed = seed
        self._improved = improved or accept
        self._relaying = relaying
        self._accept = accept
        self._bridge = Bridge("kinlight-wide-area")
        self._host: Host | None = None
        self._tasks = Tasks(_log)
        self.port = 0
        self.peer = b""
        self.outside: Address | None = None
        """Where a router says that it can be dialled for this node."""

    async def start(self, port: int) -> None:
        """Listen on `port`, or on any free one for 0. `OSError` if that can't be."""
        self._tasks = Tasks(_log)
        listening = listen(port)
        self.port = listening.getsockname()[1]
        try:
            await self._bridge.start()
            failed = await self._begin(listening)
        except BaseException:
            await self._bridge.close()
            listening.close()
            raise
        self._tasks.spawn(self._keep(failed))

    async def _begin(self, listening: socket.socket) -> asyncio.Event:
        """Make a host and let it serve; the event is set when it ends."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        async def begin() -> None:
            try:
                await serving()
            except BaseException:
                listening.close()
                raise

        async def serving() -> None:
            host = Host(
                self._seed,
                partial(arrived, self._accept),
                partial(arrived, self._improved),
                relaying=self._relaying,
                bootstraps=self._bootstraps,
                outside=lambda: self.outside,
            )

            async def serve(*, task_status: trio.TaskStatus[None]) -> None:
                try:
                    await host.serve(listening, task_status=task_status)
                except Exception:
                    _log.exception("the wide area failed")
                finally:
                    with contextlib.suppress(RuntimeError):
                        loop.call_soon_threadsafe(ended.set)

            await self._bridge.nursery.start(serve)
            self._host, self.peer = host, host.peer

        def arrived(
            take: Callable[[Pipe], Awaitable[None]],
            stream: Stream,
            peer: bytes,
            source: Address | None,
        ) -> Callable[[bytes], None]:
            path: PathKind = "relay" if source is not None and source.port == 0 else "direct"
            pipe = self._pipe(stream, peer, path, source)

            async def taken() -> None:
                await take(pipe)

            loop.call_soon_threadsafe(lambda: self._tasks.spawn(taken()))
            return lambda data: _tell(loop, pipe, data)

        try:
            await self._bridge.call(begin)
        except BridgeClosedError:
            listening.close()
            raise
        return ended

    async def _keep(self, ended: asyncio.Event) -> None:
        """A host that ended by a fault of its own is replaced by another one."""
        while True:
            await ended.wait()
            await asyncio.sleep(RESTART_SECONDS)
            try:
                ended = await self._begin(listen(self.port))
            except OSError as error:
                _log.warning(
                    "the wide area could not start again: %s",
                    error.strerror or type(error).__name__,
                )
            except Exception:
                _log.exception("the wide area could not start again")

    async def dial(self, address: Multiaddr) -> Pipe:
        """A pipe to that node; `OSError` or `TimeoutError` if that fails."""
        host = self._host
        if host is None:
            raise BridgeClosedError("the wide area is off")
        loop = asyncio.get_running_loop()

        def unwanted(stream: Stream) -> None:
            self._bridge.post(lambda: host.let_go(stream))

        with _as_os_errors():
            stream = await self._bridge.call(host.dial, address, unwanted=unwanted)
        path: PathKind = "direct" if address.via is None else "relay"
        pipe = self._pipe(stream, address.peer, path, address.endpoint)
        self._bridge.post(lambda: host.pump(stream, lambda data: _tell(loop, pipe, data)))
        return pipe

    def _pipe(
        self, stream: Stream, peer: bytes, path: PathKind, remote: Address | None
    ) -> StreamPipe:
        return StreamPipe(self._bridge, stream, Transport(self.peer, peer), path, remote)

    def addresses(self) -> list[Multiaddr]:
        """Where this node can be dialled, as far as it can know: not through a router, unless that
        one said so.

        A machine without a network has loopback alone.
        """
        hosts = [
            host
            for interface in usable_interfaces()
            for host in interface.addresses
            if not host.startswith("fe80:")  # means nothing without the caller's interface
        ]
        direct = [multiaddr(host, self.port, self.peer) for host in hosts or ["127.0.0.1"]]
        if self.outside is not None:
            direct.append(multiaddr(self.outside.host, self.outside.port, self.peer))
        relays = self._host.relays() if self._host else []
        return [*direct, *(relay.onward_to(self.peer) for relay in relays)]

    async def relayed(self) -> Relayed:
        """What goes through this node now; nothing where it has ended."""
        host = self._host
        if host is None:
            return Relayed()

        async def ask() -> Relayed:
            return host.relayed()

        return await self._bridge.call(ask)

    async def accompany(self, peer: bytes, owner: bytes, ended: asyncio.Event) -> None:
        """A link with a contact stands on a direct connection until `ended`: while it does each of
        the two may relay for the other. `owner` is the contact's identity.
        """
        host = self._host
        if host is None:
            return
        self._bridge.post(lambda: host.met(peer, owner))
        try:
            await ended.wait()
        finally:
            self._bridge.post(lambda: host.parted(peer))

    async def ask(self, peer: bytes, request: bytes) -> bytes:
        """What a contact who keeps records answers; `OSError` or `TimeoutError` if it does not."""
        host = self._host
        if host is None:
            raise BridgeClosedError("the wide area is off")
        with _as_os_errors():
            return await self._bridge.call(host.ask, peer, request)

    async def find(self, peer: bytes) -> list[Multiaddr]:
        """Where others say that a peer is; `OSError` or `TimeoutError` if that can't be asked."""
        host = self._host
        if host is None:
            raise BridgeClosedError("the wide area is off")
        with _as_os_errors():
            return await self._bridge.call(host.find, peer)

    def found(self) -> Found:
        """How it is with look-ups."""
        return Found() if self._host is None else self._host.found()

    async def improve(self, peer: bytes, ended: asyncio.Event) -> None:
        """A link with a contact stands through a relay until `ended`: find a better way meanwhile.

        Where one is found it is given to `improved`, at the end that began.
        """
        host = self._host
        if host is None:
            return
        self._bridge.post(lambda: host.improve(peer))
        try:
            await ended.wait()
        finally:
            self._bridge.post(lambda: host.enough(peer))

    async def close(self) -> None:
        """End it, and all pipes over it. Never raises."""
        await self._tasks.close()
        host, self._host = self._host, None
        if host is not None:
            self._bridge.post(host.close)
        await self._bridge.close()


def _tell(loop: asyncio.AbstractEventLoop, pipe: StreamPipe, data: bytes) -> None:
    with contextlib.suppress(RuntimeError):  # asyncio's loop has ended before
        loop.call_soon_threadsafe(pipe.deliver, data)


class _as_os_errors(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a statement
    """What can go wrong in libp2p, as `Pipe` and `Dial` promise it."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, trio.TooSlowError):
            raise TimeoutError("it did not answer in time") from None
        if isinstance(error, Exception) and not isinstance(error, OSError | TimeoutError):
            raise OSError(str(error) or type(error).__name__) from error
