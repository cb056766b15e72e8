"""The wide area and js-libp2p, each as client, as server and as relay of the other."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from kinlight.node.multiaddrs import Multiaddr, multiaddr, peer_id_text
from kinlight.node.p2p import WideArea
from kinlight.node.p2p_host import PROTOCOL
from kinlight.node.p2p_relay import HOP
from kinlight.node.pipes import Pipe
from kinlight.protocol.messages import VERSIONS
from kinlight.protocol.profile import Profile

from ..node.nodes import PATIENCE, eventually, random_bytes
from . import javascript as js

javascript, javascript_peer = js.javascript, js.javascript_peer

MIB = 1024 * 1024
PHOTO = 8 * MIB
PREVIEW = 128 * 1024
"""Less than a window of Yamux."""


class Ours:
    """A wide area on loopback that sends back whatever comes."""

    def __init__(self, *, relaying: bool, bootstraps: list[Multiaddr] | None) -> None:
        self.area = WideArea(
            secrets.token_bytes(32), self._accept, relaying=relaying, bootstraps=bootstraps
        )
        self.met: asyncio.Queue[bytes] = asyncio.Queue()
        """By which keys who came is known."""
        self._tasks: list[asyncio.Task[None]] = []
        self._links = asyncio.Event()

    @property
    def address(self) -> Multiaddr:
        return multiaddr("127.0.0.1", self.area.port, self.area.peer)

    async def _accept(self, pipe: Pipe) -> None:
        assert pipe.transport is not None
        self.met.put_nowait(pipe.transport.peer)
        try:
            while data := await pipe.read():
                await pipe.write(data)
        finally:
            await pipe.close()

    def trust(self, peer: bytes) -> None:
        """It is a contact, with a link on the connection that stands."""
        self._tasks.append(asyncio.create_task(self.area.accompany(peer, peer, self._links)))

    async def close(self) -> None:
        self._links.set()
        await asyncio.gather(*self._tasks)
        await self.area.close()


Start = Callable[..., Awaitable[Ours]]


@pytest.fixture
async def ours() -> AsyncGenerator[Start]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            *, relaying: bool = False, bootstraps: list[Multiaddr] | None = None
        ) -> Ours:
            one = Ours(relaying=relaying, bootstraps=bootstraps)
            await one.area.start(0)
            stack.push_async_callback(one.close)
            return one

        yield start


async def echoes(pipe: Pipe, photo: bytes) -> bool:
    """Whether the other end sends the same bytes back; then it is let go."""
    sending = asyncio.create_task(pipe.write(photo))
    received = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            while len(received) < len(photo):
                data = await pipe.read()
                assert data, "the pipe ended"
                received += data
            await sending
    finally:
        sending.cancel()
        await pipe.close()
    return bytes(received) == photo


async def test_it_dials_us_identifies_us_and_pings(ours: Start, javascript_peer: js.Start) -> None:
    us, it = await ours(), await javascript_peer()
    told = await it.ask("identify", address=str(us.address))
    assert told["peer"] == peer_id_text(us.area.peer)
    assert PROTOCOL in told["protocols"]
    assert HOP not in told["protocols"]
    assert "/ipfs/ping/1.0.0" in told["protocols"]
    assert 0 <= await it.ask("ping", address=str(us.address)) < 1000 * PATIENCE


async def test_it_is_refused_where_another_key_answers(
    ours: Start, javascript_peer: js.Start
) -> None:
    us, other, it = await ours(), await ours(), await javascript_peer()
    false = multiaddr("127.0.0.1", other.area.port, us.area.peer)
    with pytest.raises(js.JavaScriptError):
        await it.ask("ping", address=str(false))


async def test_bytes_go_both_ways_whoever_dials(ours: Start, javascript_peer: js.Start) -> None:
    us, it = await ours(), await javascript_peer()
    assert await it.ask("echo", address=str(us.address), bytes=PHOTO)
    assert await us.met.get() == it.peer
    pipe = await us.area.dial(it.address)
    assert pipe.transport is not None
    assert pipe.transport.peer == it.peer
    assert await echoes(pipe, random_bytes("photo", PHOTO))


async def test_it_relays_for_two_of_us(ours: Start, javascript_peer: js.Start) -> None:
    anna, bob, relay = await ours(), await ours(), await javascript_peer("relay")
    links = [await each.area.dial(relay.address) for each in (anna, bob)]
    for each in (anna, bob):
        each.trust(relay.peer)
    circuit = relay.address.onward_to(anna.area.peer)
    await eventually(lambda: circuit in anna.area.addresses())
    pipe = await bob.area.dial(circuit)
    assert pipe.path == "relay"
    assert await echoes(pipe, random_bytes("photo", PHOTO))
    assert await anna.met.get() == bob.area.peer
    for link in links:
        await link.close()


@pytest.mark.parametrize("size", [PREVIEW, pytest.param(PHOTO, marks=pytest.mark.nightly)])
async def test_we_relay_for_two_of_it_that_are_contacts(
    ours: Start, javascript_peer: js.Start, size: int
) -> None:
    relay, one, other = await ours(relaying=True), await javascript_peer(), await javascript_peer()
    for each in (one, other):
        await each.ask("open", address=str(relay.address))
        relay.trust(await relay.met.get())
    (circuit,) = await one.ask("reserve", address=str(relay.address))
    assert Multiaddr.parse(circuit).peer == one.peer
    assert await other.ask("echo", address=circuit, bytes=size)


async def test_we_relay_for_no_stranger(ours: Start, javascript_peer: js.Start) -> None:
    relay, it = await ours(relaying=True), await javascript_peer()
    with pytest.raises(js.JavaScriptError, match="PERMISSION_DENIED"):
        await it.ask("reserve", address=str(relay.address))


@pytest.mark.parametrize(
    ("relaying", "bootstraps", "roles"), [(True, [], ("lookup", "relay")), (False, None, ())]
)
async def test_it_reads_what_a_node_says_of_itself(
    ours: Start,
    javascript_peer: js.Start,
    relaying: bool,
    bootstraps: list[Multiaddr] | None,
    roles: tuple[str, ...],
) -> None:
    us, it = await ours(relaying=relaying, bootstraps=bootstraps), await javascript_peer()
    challenge = secrets.token_bytes(16)
    told = await it.ask("profile", address=str(us.address), challenge=challenge.hex())
    assert told["verified"]
    profile = Profile.decode(bytes.fromhex(told["data"]), us.area.peer, challenge)
    assert (profile.versions, profile.roles) == (tuple(sorted(VERSIONS)), roles)


async def test_it_finds_one_of_us_by_another(ours: Start, javascript_peer: js.Start) -> None:
    friend = await ours(bootstraps=[])
    us = await ours(bootstraps=[friend.address])
    await eventually(lambda: friend.area.found().known == 1)
    it = await javascript_peer()
    peer = peer_id_text(us.area.peer)
    found = await it.ask("find", bootstrap=str(friend.address), peer=peer)
    assert any(f"/tcp/{us.area.port}" in each for each in found)
    assert 0 <= await it.ask("ping", address=str(us.address)) < 1000 * PATIENCE


async def test_one_of_us_finds_another_by_it_and_it_by_another(
    ours: Start, javascript_peer: js.Start
) -> None:
    it = await javascript_peer("lookup")
    one = await ours(bootstraps=[it.address])
    await eventually(lambda: one.area.found().known == 1)
    other = await ours(bootstraps=[it.address])
    async with asyncio.timeout(PATIENCE):
        while not (found := await other.area.find(one.area.peer)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    assert one.area.port in {each.endpoint.port for each in found}
    third = await ours(bootstraps=[one.address])
    async with asyncio.timeout(PATIENCE):
        while not (found := await third.area.find(it.peer)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert it.address in found
