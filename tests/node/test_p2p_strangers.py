"""What a stranger of the wide area can do who speaks libp2p, but not as it should."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Any

import pytest
import trio
from kinlight.node import p2p_host
from kinlight.node.addresses import source_of
from kinlight.node.multiaddrs import Multiaddr
from kinlight.node.p2p_host import CONNECTIONS_PER_SOURCE
from kinlight.node.p2p_muxer import STREAMS_PER_CONNECTION
from libp2p.identity.identify.identify import ID as IDENTIFY
from libp2p.identity.identify_push.identify_push import ID_PUSH
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import (  # pyright: ignore[reportMissingTypeStubs] - its folder is no package
    ID,
)
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_SYN,
    TYPE_DATA,
    TYPE_PING,
    YAMUX_HEADER_FORMAT,
)

from .nodes import PATIENCE, eventually
from .strangers import Stranger, slow_dials, stranger
from .test_p2p import MIB, Start, Wide, read, sockets, start

__all__ = ["slow_dials", "start"]

ENDLESS = b"\xff\xff\xff\xff\x0f"
"""The length of a message, as a varint: 4 GiB."""


async def poured(write: Callable[[bytes], Any], most: int) -> int:
    """How many bytes are taken before the connection ends, up to `most`; in the trio loop."""
    sent = 0
    with contextlib.suppress(Exception):  # whatever libp2p says to it
        while sent < most:
            with trio.fail_after(PATIENCE):
                await write(bytes(256 * 1024))
            sent += 256 * 1024
    return sent


async def secured(other: Stranger, target: Multiaddr) -> Any:
    """A connection with Noise that has not come to Yamux; in the trio loop."""
    stream = await trio.open_tcp_stream(target.endpoint.host, target.endpoint.port)
    other.sockets.append(stream)
    raw = RawConnection(TrioTCPStream(stream), True)
    return await other.swarm.upgrader.upgrade_security(raw, True, ID(target.peer))


@pytest.mark.usefixtures("slow_dials")
async def test_the_name_of_a_protocol_without_an_end_is_not_taken_in(start: Start) -> None:
    bob = await start()
    async with stranger() as other:

        async def flood() -> int:
            connection = await secured(other, bob.address)
            await connection.write(ENDLESS)
            return await poured(connection.write, 128 * MIB)

        assert await other.run(flood) < 64 * MIB
        await eventually(lambda: not sockets(bob.area.port))


@pytest.mark.usefixtures("slow_dials")
async def test_a_frame_larger_than_any_window_is_not_awaited(start: Start) -> None:
    """Else each connection could have 16 MiB held for it, for a stream that does not exist."""
    bob = await start()
    async with stranger() as other:
        connection = await other.run(other.connect, bob.address)

        async def announce() -> None:
            header = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_DATA, 0, 99, 16 * MIB)
            await connection.muxed_conn._write_frame(header)  # pyright: ignore

        await other.run(announce)
        await eventually(lambda: not sockets(bob.area.port))


@pytest.mark.usefixtures("slow_dials")
async def test_who_takes_no_farewell_loses_its_place_all_the_same(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p2p_host, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr(p2p_host, "CLOSE_SECONDS", 1.0)
    bob = await start()
    async with stranger() as other:

        async def ask_and_never_listen() -> None:
            # Whatever libp2p says to it: on a busy machine it may be sent away before that.
            with contextlib.suppress(Exception), trio.move_on_after(PATIENCE):
                connection = await other.connect(bob.address)
                muxed: Any = connection.muxed_conn

                async def deaf(_: int | None = None) -> bytes:
                    await trio.sleep_forever()
                    raise AssertionError

                muxed.secured_conn.read = deaf
                pings = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_PING, FLAG_SYN, 0, 1) * 5000
                while True:  # until bob's answers fill the way back, and then the way there
                    await muxed._write_frame(pings)

        await other.run(ask_and_never_listen)
        await eventually(lambda: not places(bob))


@pytest.mark.usefixtures("slow_dials")
async def test_streams_that_were_reset_take_no_place(start: Start) -> None:
    bob = await start()
    async with stranger() as other:
        connection = await other.run(other.connect, bob.address)
        stream = await other.run(other.open, connection)

        async def speak_nonsense() -> None:
            for _ in range(2 * STREAMS_PER_CONNECTION):
                other_one = await connection.new_stream()
                with contextlib.suppress(Exception):  # it is reset
                    await other_one.write(bytes(1000))
                    with trio.fail_after(PATIENCE):
                        while await other_one.read(1000):
                            pass

        await other.run(speak_nonsense)
        await other.run(stream.write, b"still here")
        assert await read(await bob.next(), 10) == b"still here"


@pytest.mark.usefixtures("slow_dials")
async def test_nothing_is_kept_of_what_strangers_say_of_themselves(start: Start) -> None:
    """A new key costs them nothing, and each could leave thousands of addresses."""
    bob = await start()
    host: Any = bob.area._host  # pyright: ignore[reportPrivateUsage]
    async with stranger() as other:
        asked: list[object] = []
        answer = other.host.multiselect.handlers[IDENTIFY]

        async def told(stream: Any) -> None:
            asked.append(stream)
            await answer(stream)

        other.host.set_stream_handler(IDENTIFY, told)
        connection = await other.run(other.connect, bob.address)
        with pytest.raises(Exception, match=r"rotocol|multiselect"):
            await other.run(other.open, connection, ID_PUSH)
        stream = await other.run(other.open, connection)
        await other.run(stream.write, b"hello")
        await bob.next()
        assert asked == []
        assert host._swarm.peerstore.peer_ids() == [host._host.get_id()]


def places(wide: Wide) -> int:
    """Connections that are counted."""
    host = wide.area._host  # pyright: ignore[reportPrivateUsage]
    assert host is not None
    return host._sources.total()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::5", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_who_has_a_network_of_addresses_is_one_source(host: str, source: str) -> None:
    assert source_of(host) == source


async def test_connections_of_one_ipv6_network_are_counted_together(start: Start) -> None:
    bob = await start()
    host: Any = bob.area._host  # pyright: ignore[reportPrivateUsage]
    host._sources["2001:db8:1:2::/64"] = CONNECTIONS_PER_SOURCE
    assert not host._has_room("2001:db8:1:2::5")
    assert host._has_room("2001:db8:1:3::5")
