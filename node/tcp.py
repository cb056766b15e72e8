"""The TCP pipe: for the local network and for addresses that can be reached directly."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from .addresses import Address
from .pipes import PathKind

_READ_BYTES: Final = 256 * 1024
CONNECT_SECONDS: Final = 5.0
STAGGER_SECONDS: Final = 0.25
"""From one dialled address of a node to the next (RFC 8305, section 5)."""
FAREWELL_SECONDS: Final = 1.0


class TcpPipe:
    """One TCP connection as a `Pipe`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        with contextlib.suppress(OSError):
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._remote = _address(writer.get_extra_info("peername"))
        self._local = _address(writer.get_extra_info("sockname"))

    @property
    def path(self) -> PathKind:
        """`lan` for private, link-local and loopback addresses, else `direct`."""
        if self._remote is None:
            return "direct"
        address = ipaddress.ip_address(self._remote.host.split("%")[0])
        return "lan" if address.is_private or address.is_link_local else "direct"

    @property
    def remote(self) -> Address | None:
        """The other end's address and port."""
        return self._remote

    @property
    def local(self) -> Address | None:
        """This end's address and port."""
        return self._local

    @property
    def transport(self) -> None:
        """TCP knows nobody."""
        return

    async def read(self) -> bytes:
        """See `Pipe`."""
        return await self._reader.read(_READ_BYTES)

    async def write(self, data: bytes) -> None:
        """See `Pipe`."""
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """See `Pipe`."""
        self._writer.close()
        # asyncio's `wait_closed` hands one future to all who wait, so cancelling one wait would
        # cancel the others: this waits for a task of its own.
        closed = asyncio.ensure_future(self._wait_closed())
        await asyncio.wait({closed}, timeout=FAREWELL_SECONDS)
        if not closed.done():
            # The peer doesn't read. Without this the system keeps descriptor and buffer for ever.
            self._writer.transport.abort()

    async def _wait_closed(self) -> None:
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _address(name: Any) -> Address | None:
    if not isinstance(name, tuple):
        return None
    host, port = str(name[0]), int(name[1])  # pyright: ignore[reportUnknownArgumentType]
    # A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
    return Address(host.removeprefix("::ffff:") if "." in host else host, port)


async def dial(address: Address) -> TcpPipe:
    """Connect within `CONNECT_SECONDS`; `OSError` or `TimeoutError` if that fails."""
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(
            address.host,
            address.port,
            limit=2 * _READ_BYTES,
            happy_eyeballs_delay=STAGGER_SECONDS,  # where a name has several addresses
        )
    return TcpPipe(reader, writer)


class TcpListener:
    """Accepts connections on all interfaces, IPv4 and IPv6, on one port."""

    def __init__(self, accept: Callable[[TcpPipe], Awaitable[None]]) -> None:
        self._accept = accept
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """See `Listener`."""
        return self._port

    async def start(self, port: int) -> None:
        """Listen on `port`, or on any free one for 0. `OSError` if that can't be."""
        listening = listening_socket(port)
        self._port = listening.getsockname()[1]

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._accept(TcpPipe(reader, writer))

        self._server = await asyncio.start_server(accepted, sock=listening, limit=2 * _READ_BYTES)

    async def close(self) -> None:
        """Stop accepting. Connections that stand are their owners' matter."""
        if self._server is not None:
            self._server.close()
            self._server = None


def listening_socket(port: int) -> socket.socket:
    """One dual-stack socket where the system has IPv6, else one for IPv4."""
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port), family=socket.AF_INET)
