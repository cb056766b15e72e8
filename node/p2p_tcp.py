"""TCP for libp2p: sockets that listen, sockets that dial, and their addresses as multiaddrs.

It dials from the port at which it listens, where the system allows that: the router then sees one
port, and others can tell this node under which address it is seen. For that the port is shared with
itself, and so with whoever runs as the same user; a port where somebody listens is refused first.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from typing import Final

import trio
from libp2p.io.trio import TrioTCPStream
from multiaddr import Multiaddr as RawMultiaddr

from .addresses import Address
from .tcp import listening_socket

_SHARED: Final = hasattr(socket, "SO_REUSEPORT")
_TAKEN: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM, errno.EINVAL)
_CODE: Final = {4: b"\x04", 6: b"\x29"}
_TCP: Final = b"\x06"
"""Of a multiaddr: what follows is an IP address of that version, a TCP port."""


class Socket(TrioTCPStream):
    """A TCP connection that knows its other end, also where that has an IPv6 address."""

    def __init__(self, stream: trio.SocketStream, remote: Address) -> None:
        super().__init__(stream)
        self._remote = remote

    def get_remote_address(self) -> tuple[str, int] | None:
        """Host and port."""
        return self._remote.host, self._remote.port


def listen(port: int) -> socket.socket:
    """A socket that listens at `port`, or at any free one for 0. `OSError` if that can't be."""
    alone = listening_socket(port)
    if not _SHARED:
        return alone
    family, port = alone.family, alone.getsockname()[1]
    alone.close()
    both = {"dualstack_ipv6": True} if family == socket.AF_INET6 else {}
    return socket.create_server(("", port), family=family, reuse_port=True, **both)


async def connect(endpoint: Address, port: int) -> trio.SocketStream:
    """Connect, from `port` if that can be; the error of the system where the host is an address."""
    try:
        ipaddress.ip_address(endpoint.host.partition("%")[0])
    except ValueError:
        return await trio.open_tcp_stream(endpoint.host, endpoint.port)
    if _SHARED:
        with contextlib.suppress(_TakenError):
            return await _connect(endpoint, port)
    return await _connect(endpoint, 0)


class _TakenError(Exception):
    """Between these two ports there is a connection, or was one just now."""


async def _connect(endpoint: Address, port: int) -> trio.SocketStream:
    version = 6 if ":" in endpoint.host else 4
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    connection = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        if port:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            await connection.bind(("0.0.0.0" if version == 4 else "::", port))  # noqa: S104 - as it listens
        await connection.connect((endpoint.host, endpoint.port))
    except BaseException as error:
        connection.close()
        if port and isinstance(error, OSError) and error.errno in _TAKEN:
            raise _TakenError from error
        raise
    return trio.SocketStream(connection)


def remote_of(stream: trio.SocketStream) -> Address | None:
    """The other end."""
    try:
        host, port, *_ = stream.socket.getpeername()
    except OSError:  # it has gone already
        return None
    return Address(host.removeprefix("::ffff:") if "." in host else host, port)


def raw_address(address: Address) -> RawMultiaddr:
    """An address as libp2p takes it."""
    version = 6 if ":" in address.host else 4
    return RawMultiaddr(f"/ip{version}/{address.host.partition('%')[0]}/tcp/{address.port}")


def packed_address(address: Address) -> bytes:
    """The bytes of `raw_address`, which takes ten times as long: strangers can ask for many."""
    host = ipaddress.ip_address(address.host.partition("%")[0])
    return _CODE[host.version] + host.packed + _TCP + address.port.to_bytes(2)


def endpoint_of(raw: bytes) -> Address | None:
    """The address in a multiaddr that somebody sent; None if it is not an IP address and a port."""
    packed, port = raw[1:-3], int.from_bytes(raw[-2:])
    version = {4: 4, 16: 6}.get(len(packed))
    if version is None or raw[:1] != _CODE[version] or raw[-3:-2] != _TCP:
        return None
    address = ipaddress.ip_address(packed)
    if address.is_multicast or address.is_unspecified or not port:
        return None
    return Address(str(address), port)
