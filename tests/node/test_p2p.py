from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import psutil
import pytest
import trio
from kinlight.node import bridge, p2p_host, p2p_muxer
from kinlight.node.multiaddrs import Multiaddr, multiaddr
from kinlight.node.p2p import WideArea
from kinlight.node.p2p_host import CONNECTIONS_PER_SOURCE, UPGRADES_PER_SOURCE
from kinlight.node.p2p_muxer import STREAMS_PER_CONNECTION
from kinlight.node.p2p_stream import AHEAD_BYTES
from kinlight.node.pipes import Pipe
from libp2p.crypto.keys import KeyPair
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.stream_muxer.mplex.mplex import MPLEX_PROTOCOL_ID, Mplex

from .nodes import PATIENCE, eventually, random_bytes
from .strangers import slow_dials, stranger

__all__ = ["slow_dials"]

MIB = 1024 * 1024


class Wide:
    """A wide area on loopback, and the pipes that came in."""

    def __init__(self) -> None:
        self.accepted: asyncio.Queue[Pipe] = asyncio.Queue()
        self.area = WideArea(secrets.token_bytes(32), self.accepted.put)

    @property
    def address(self) -> Multiaddr:
        return multiaddr("127.0.0.1", self.area.port, self.area.peer)

    async def dial(self, other: Wide) -> tuple[Pipe, Pipe]:
        """Both ends of a pipe."""
        near = await self.area.dial(other.address)
        return near, await other.next()

    async def next(self) -> Pipe:
        async with asyncio.timeout(PATIENCE):
            return await self.accepted.get()


Start = Callable[[], Awaitable[Wide]]


@pytest.fixture
async def start() -> AsyncGenerator[Start]:
    started: list[Wide] = []

    async def one() -> Wide:
        wide = Wide()
        await wide.area.start(0)
        started.append(wide)
        return wide

    yield one
    for wide in started:
        await wide.area.close()


async def read(pipe: Pipe, count: int) -> bytes:
    data = b""
    async with asyncio.timeout(PATIENCE):
        while len(data) < count:
            portion = await pipe.read()
            assert portion, "the pipe ended"
            data += portion
    return data


async def ends(pipe: Pipe) -> None:
    """Wait for the end of the pipe, and let go of it."""
    async with asyncio.timeout(PATIENCE):
        while await pipe.read():
            pass
    await pipe.close()


def sockets(port: int) -> int:
    """This process's connections at a port, either way."""
    return sum(
        1
        for each in psutil.Process().net_connections("tcp")
        if port in (each.laddr.port, each.raddr.port if each.raddr else 0)
        and each.status == psutil.CONN_ESTABLISHED
    )


async def test_what_is_written_at_one_end_comes_out_at_the_other(start: Start) -> None:
    anna, bob = await start(), await start()
    near, far = await anna.dial(bob)
    photo = random_bytes("photo", 9 * MIB)
    await near.write(b"hello")
    assert await read(far, 5) == b"hello"
    sending = asyncio.create_task(far.write(photo))
    assert await read(near, len(photo)) == photo
    await sending
    assert (near.path, far.path) == ("direct", "direct")
    await near.write(b"the last word")
    await near.close()
    assert await read(far, 13) == b"the last word"
    assert await far.read() == b""
    assert await far.read() == b""
    await far.close()


async def test_a_connection_that_is_just_ending_fails_no_dial(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = await start(), await start()
    first, _ = await anna.dial(bob)
    open_ = p2p_host.Host.open
    failed: list[Any] = []

    async def fails_once(host: p2p_host.Host, connection: Any, protocol: Any) -> Any:
        if not failed:
            failed.append(connection)
            raise OSError("it has just ended")
        return await open_(host, connection, protocol)

    monkeypatch.setattr(p2p_host.Host, "open", fails_once)
    near, far = await anna.dial(bob)
    assert failed
    await near.write(b"hello")
    assert await read(far, 5) == b"hello"
    await first.close()


async def test_both_ends_know_by_which_keys_they_are_connected(start: Start) -> None:
    anna, bob = await start(), await start()
    near, far = await anna.dial(bob)
    assert near.transport is not None
    assert far.transport is not None
    assert near.transport.own == far.transport.peer == anna.area.peer
    assert near.transport.peer == far.transport.own == bob.area.peer


async def test_who_answers_with_another_key_is_not_spoken_to(start: Start) -> None:
    anna, bob, carol = await start(), await start(), await start()
    false = multiaddr("127.0.0.1", carol.area.port, bob.area.peer)
    with pytest.raises(OSError, match=r".+"):
        await anna.area.dial(false)
    assert carol.accepted.empty()


async def test_this_node_itself_is_not_dialled(start: Start) -> None:
    anna = await start()
    with pytest.raises(OSError, match="this node itself"):
        await anna.area.dial(anna.address)


async def test_where_nobody_listens_the_system_says_so(start: Start) -> None:
    anna, bob = await start(), await start()
    address = bob.address
    await bob.area.close()
    with pytest.raises(ConnectionRefusedError):
        await anna.area.dial(address)


def plaintext(keys: KeyPair) -> dict[Any, Any]:
    return {PLAINTEXT_PROTOCOL_ID: InsecureTransport(keys)}


@pytest.mark.parametrize("old", ["plaintext", "mplex"])
async def test_plaintext_and_mplex_are_refused(start: Start, old: str) -> None:
    bob = await start()
    options: dict[str, Any] = {}
    if old == "plaintext":
        options["security"] = plaintext
    else:
        options["muxer"] = {MPLEX_PROTOCOL_ID: Mplex}
    async with stranger(**options) as other:
        with pytest.raises(Exception, match=r"upgrade|protocols|Multiselect|negotiat"):
            await other.run(other.connect, bob.address)
    assert bob.accepted.empty()


async def test_a_stranger_with_noise_and_yamux_gets_as_far_as_a_pipe(start: Start) -> None:
    bob = await start()
    async with stranger() as other:
        stream = await other.run(other.open, await other.run(other.connect, bob.address))
        await other.run(stream.write, b"hello")
        pipe = await bob.next()
        assert await read(pipe, 5) == b"hello"
        assert pipe.transport is not None
        assert pipe.transport.peer == other.peer


async def test_a_peer_that_is_merely_known_is_not_dialled(start: Start) -> None:
    """After about ten seconds libp2p would; fifteen are watched."""
    anna = await start()
    called = asyncio.Event()

    async def answer(_: object, writer: asyncio.StreamWriter) -> None:
        called.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with stranger() as other:
        from multiaddr import Multiaddr as Raw

        def know() -> None:
            swarm: Any = anna.area._host._swarm  # pyright: ignore
            address = Raw(f"/ip4/127.0.0.1/tcp/{port}")
            swarm.peerstore.add_addrs(other.host.get_id(), [address], 3600)
            swarm._schedule_auto_connect()

        anna.area._bridge.post(know)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(15):
                await called.wait()
    server.close()


@pytest.mark.usefixtures("slow_dials")
async def test_a_silent_connection_does_not_hold_up_another_one(start: Start) -> None:
    anna, bob = await start(), await start()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = multiaddr("127.0.0.1", silent.getsockname()[1], secrets_peer())
        waiting = asyncio.create_task(anna.area.dial(dead))
        near, far = await anna.dial(bob)
        assert not waiting.done()
        await near.write(b"hello")
        assert await read(far, 5) == b"hello"
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


def secrets_peer() -> bytes:
    return bytes.fromhex("002408011220") + secrets.token_bytes(32)


async def test_a_write_that_is_cancelled_breaks_nothing(start: Start) -> None:
    anna, bob = await start(), await start()
    near, far = await anna.dial(bob)
    photo = random_bytes("long", AHEAD_BYTES + 40 * MIB)
    writing = asyncio.create_task(near.write(photo))
    first = await read(far, 1)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    again = asyncio.create_task(near.write(b"afterwards"))
    whole = first + await read(far, len(photo) + 10 - len(first))
    await again
    assert whole == photo + b"afterwards"
    second, other_end = await anna.dial(bob)
    await second.write(b"another stream")
    assert await read(other_end, 14) == b"another stream"


async def test_a_dial_that_is_cancelled_leaves_no_connection(start: Start) -> None:
    anna, bob = await start(), await start()
    for _ in range(3):
        dialling = asyncio.create_task(anna.area.dial(bob.address))
        await asyncio.sleep(0)
        dialling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await dialling).close()
    await eventually(lambda: not sockets(bob.area.port))


async def test_a_reader_that_pauses_loses_nothing(start: Start) -> None:
    """More than is read ahead: libp2p's own writer gives up after five seconds."""
    anna, bob = await start(), await start()
    near, far = await anna.dial(bob)
    photo = random_bytes("long", AHEAD_BYTES + 20 * MIB)
    writing = asyncio.create_task(near.write(photo))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(7):
            await asyncio.shield(writing)
    assert await read(far, len(photo)) == photo
    await writing


async def test_who_ignores_its_window_loses_its_connection(start: Start) -> None:
    bob = await start()
    async with stranger() as other:
        stream = await other.run(other.open, await other.run(other.connect, bob.address))
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while sent < 512 * MIB:
                stream.muxed_stream.send_window = 16 * MIB
                with trio.fail_after(PATIENCE):
                    await stream.write(bytes(256 * 1024))
                sent += 256 * 1024

        pipe = await bob.next()
        with pytest.raises(Exception, match=r".*"):  # whatever libp2p says to it
            await other.run(flood)
        assert sent < 64 * MIB
        # Nothing was read of it, and what had come is all that there is.
        await ends(pipe)


async def test_who_opens_too_many_streams_loses_its_connection(start: Start) -> None:
    bob = await start()
    async with stranger() as other:
        connection = await other.run(other.connect, bob.address)

        async def open_many() -> int:
            count = 0
            with contextlib.suppress(Exception):
                for _ in range(4 * STREAMS_PER_CONNECTION):
                    await other.open(connection)
                    count += 1
            return count

        assert await other.run(open_many) <= STREAMS_PER_CONNECTION
        await eventually(lambda: not sockets(bob.area.port))


async def test_silent_connections_of_one_source_are_few_and_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p2p_host, "UPGRADES_PER_SOURCE", 4)
    bob = await start()
    silent = [await asyncio.open_connection("127.0.0.1", bob.area.port) for _ in range(30)]
    # Those beyond the limit end at once, the others when their handshake has taken too long.
    async with asyncio.timeout(PATIENCE):
        for reader, writer in silent:
            with contextlib.suppress(ConnectionError):
                while await reader.read(1000):
                    pass
            writer.close()
    assert UPGRADES_PER_SOURCE <= CONNECTIONS_PER_SOURCE
    near, far = await (await start()).dial(bob)
    await near.write(b"hello")
    assert await read(far, 5) == b"hello"


async def test_who_connects_and_wants_nothing_is_sent_away(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p2p_host, "IDLE_SECONDS", 0.5)
    bob = await start()
    async with stranger() as other:

        async def speaking() -> Any:
            while True:  # on a busy machine it may be sent away before it has said what it wants
                with contextlib.suppress(Exception):
                    return await other.open(await other.connect(bob.address))

        async def gone(connection: Any) -> None:
            with trio.fail_after(PATIENCE):
                await connection.event_closed.wait()

        stream = await other.run(speaking)
        # This one is looked at after the other one was.
        await other.run(gone, await other.run(other.connect, bob.address))
        await other.run(stream.write, b"still here")
        assert await read(await bob.next(), 10) == b"still here"


async def test_connections_that_have_ended_take_no_place(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p2p_host, "CONNECTIONS_PER_SOURCE", 2)
    anna, bob = await start(), await start()
    for _ in range(6):
        near, far = await anna.dial(bob)
        await near.close()
        await ends(far)
        await eventually(lambda: not sockets(bob.area.port))


STOPPED = """
import asyncio, sys
from kinlight.node.p2p import WideArea

async def main():
    pipes = []
    async def keep(pipe):
        pipes.append(pipe)
    area = WideArea(bytes(32), keep)
    await area.start(0)
    print(area.port, area.peer.hex(), flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def test_a_stopped_peer_is_noticed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the usual times that takes 15 to 20 seconds."""
    monkeypatch.setattr(p2p_muxer, "PING_SECONDS", 0.2)
    anna = await start()
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STOPPED, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        port, peer = (await other.stdout.readline()).decode().split()
        pipe = await anna.area.dial(multiaddr("127.0.0.1", int(port), bytes.fromhex(peer)))
        await pipe.write(b"hello")
        swarm: Any = anna.area._host._swarm  # pyright: ignore
        (connection,) = swarm.get_connections()
        answered: set[float] = set()

        def pinged() -> bool:
            answered.add(connection.muxed_conn._heard)
            return len(answered) > 3

        await eventually(pinged)  # nothing else would come
        psutil.Process(other.pid).suspend()
        monkeypatch.setattr(p2p_muxer, "SILENCE_SECONDS", 1.5)
        await ends(pipe)
    finally:
        other.kill()
        await other.wait()


async def test_leaving_with_an_open_stream_leaves_no_socket(start: Start) -> None:
    anna, bob = await start(), await start()
    near, far = await anna.dial(bob)
    await near.write(b"hello")
    await read(far, 5)
    port = bob.area.port
    await bob.area.close()
    await ends(near)
    await ends(far)
    await eventually(lambda: not sockets(port))
    with pytest.raises(OSError, match="off"):
        await bob.area.dial(anna.address)


async def test_it_ends_whole_when_it_is_ended_while_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide, go_on = Wide(), threading.Event()
    run = trio.run

    def late(main: Callable[[], Awaitable[None]]) -> None:
        go_on.wait(PATIENCE)
        run(main)

    monkeypatch.setattr(bridge.trio, "run", late)
    starting = asyncio.create_task(wide.area.start(0))
    await eventually(lambda: bool(threads()))
    starting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not threads()


def threads() -> list[threading.Thread]:
    """Those of wide areas."""
    return [each for each in threading.enumerate() if each.name == "kinlight-wide-area"]


async def test_it_starts_again_at_its_port_with_its_key(start: Start) -> None:
    anna, bob = await start(), await start()
    address = bob.address
    await bob.area.close()
    await bob.area.start(address.endpoint.port)
    assert bob.address == address
    near, far = await anna.dial(bob)
    await near.write(b"hello")
    assert await read(far, 5) == b"hello"


async def test_two_can_not_have_one_port(start: Start) -> None:
    anna = await start()
    other = Wide()
    with pytest.raises(OSError, match="in use"):
        await other.area.start(anna.area.port)
    await other.area.close()


async def test_a_host_that_fails_is_replaced(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kinlight.node import p2p

    monkeypatch.setattr(p2p, "RESTART_SECONDS", 0.0)
    anna, bob = await start(), await start()
    host: Any = bob.area._host  # pyright: ignore[reportPrivateUsage]

    async def fail() -> None:
        raise ValueError("as if libp2p had a fault")

    bob.area._bridge.post(lambda: host._nursery.start_soon(fail))  # pyright: ignore[reportPrivateUsage]
    await eventually(lambda: bob.area._host is not host)  # pyright: ignore[reportPrivateUsage]
    near, far = await anna.dial(bob)
    await near.write(b"hello")
    assert await read(far, 5) == b"hello"
    assert "the wide area failed" in caplog.text


def test_without_the_wide_area_libp2p_is_not_imported() -> None:
    code = "import sys, kinlight.node.daemon; assert not {'libp2p', 'trio'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
