"""Look-ups in the wide area: by whoever its user names, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from kinlight.node import p2p_kad
from kinlight.node.errors import BadAddressError
from kinlight.node.kademlia import Node
from kinlight.node.multiaddrs import PEER_ID_PREFIX, Multiaddr, multiaddr
from kinlight.node.p2p import WideArea
from kinlight.node.p2p_kad import DIALS_PER_SOURCE, KAD, MESSAGE_BYTES
from kinlight.node.pipes import Pipe
from libp2p.kad_dht.pb.kademlia_pb2 import Message
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited

from .nodes import TestedNode, eventually
from .strangers import Stranger, stranger
from .test_wide import loopback, make, meet

STRANGE = PEER_ID_PREFIX + secrets.token_bytes(32)


async def nobody(pipe: Pipe) -> None:
    await pipe.close()


@contextlib.asynccontextmanager
async def areas(count: int) -> AsyncGenerator[list[WideArea]]:
    """So many that know each other by the first of them."""
    made: list[WideArea] = []
    try:
        for _ in range(count):
            named = [here(made[0])] if made else []
            area = WideArea(secrets.token_bytes(32), nobody, bootstraps=named)
            made.append(area)
            await area.start(0)
            if named:
                await eventually(lambda area=area: area.found().known > 0)
        yield made
    finally:
        for area in made:
            await area.close()


def here(area: WideArea) -> Multiaddr:
    return multiaddr("127.0.0.1", area.port, area.peer)


async def test_who_came_by_the_same_bootstrap_is_found() -> None:
    async with areas(4) as (first, second, third, last):
        for one, other in ((second, last), (last, second), (third, first)):
            async with asyncio.timeout(60):
                while not (found := await one.find(other.peer)):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
            assert {each.peer for each in found} == {other.peer}
            assert other.port in {each.endpoint.port for each in found}
        assert await last.find(STRANGE) == []


async def test_who_takes_no_part_is_found_by_nobody_and_asked_by_nobody() -> None:
    apart = WideArea(secrets.token_bytes(32), nobody)
    await apart.start(0)
    try:
        assert await apart.find(STRANGE) == []
        asking = WideArea(secrets.token_bytes(32), nobody, bootstraps=[here(apart)])
        await asking.start(0)
        try:
            await eventually(lambda: "no part" in str(asking.found().bootstraps[0][1]))
            assert asking.found().known == 0
        finally:
            await asking.close()
    finally:
        await apart.close()


async def test_a_dead_bootstrap_is_named_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p2p_kad, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(p2p_kad, "LONGEST_PAUSE", 0.2)
    seed = secrets.token_bytes(32)
    friend = WideArea(seed, nobody, bootstraps=[])
    await friend.start(0)
    address = here(friend)
    await friend.close()
    asking = WideArea(secrets.token_bytes(32), nobody, bootstraps=[address])
    await asking.start(0)
    try:
        await eventually(lambda: asking.found().bootstraps[0][1] == "nothing listens there")
        await friend.start(address.endpoint.port)
        await eventually(lambda: asking.found().bootstraps[0][1] is None)
        assert asking.found().known == 1
    finally:
        await asking.close()
        await friend.close()


async def test_one_with_another_key_than_was_named_is_refused() -> None:
    async with areas(1) as (friend,):
        false = multiaddr("127.0.0.1", friend.port, STRANGE)
        asking = WideArea(secrets.token_bytes(32), nobody, bootstraps=[false])
        await asking.start(0)
        try:
            await eventually(lambda: "another one" in str(asking.found().bootstraps[0][1]))
        finally:
            await asking.close()


async def say(other: Stranger, address: Multiaddr, data: bytes) -> bytes:
    """What comes back for these bytes in the protocol of look-ups; raises if nothing does."""

    async def ask() -> bytes:
        stream: Any = await other.open(await other.connect(address), KAD)
        with trio.fail_after(20):
            await stream.write(data)
            return await read_varint_prefixed_bytes_limited(stream, MESSAGE_BYTES)

    return await other.run(ask)


def put_value() -> bytes:
    message = Message(type=Message.PUT_VALUE, key=b"/name/anna")
    message.record.key, message.record.value = b"/name/anna", b"192.0.2.7"
    return encode_varint_prefixed(message.SerializeToString())


@pytest.mark.parametrize(
    "data", [put_value(), b"\xff\xff\xff\x7f", b"\x03\xff\xff\xff", b"\x02\x08\x02"]
)
async def test_nothing_can_be_left_and_nonsense_ends_the_stream(data: bytes) -> None:
    async with areas(1) as (friend,), stranger() as other:
        with pytest.raises(Exception, match=r".*"):  # whatever libp2p says to it
            await say(other, here(friend), data)
        ping = encode_varint_prefixed(Message(type=Message.PING).SerializeToString())
        answer = Message()
        answer.ParseFromString(await say(other, here(friend), ping))
        assert answer.type == Message.PING


async def test_who_asks_and_answers_nothing_itself_is_not_told_to_others() -> None:
    async with areas(2) as (friend, second), stranger() as other:
        question = Message(type=Message.FIND_NODE, key=other.peer)
        asked = encode_varint_prefixed(question.SerializeToString())
        answer = Message()
        answer.ParseFromString(await say(other, here(friend), asked))
        assert [each.id for each in answer.closerPeers] == [second.peer]
        assert friend.found().known == 1


async def test_one_source_has_so_many_questions_open_and_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(p2p_kad, "ANSWERING_PER_SOURCE", 2)
    monkeypatch.setattr(p2p_kad, "QUERY_SECONDS", 600.0)
    ping = encode_varint_prefixed(Message(type=Message.PING).SerializeToString())
    async with areas(1) as (friend,), stranger() as other:

        async def hold() -> None:
            connection = await other.connect(here(friend))
            for number in range(3):
                stream = await other.open(connection, KAD)
                await stream.write(ping)
                with trio.fail_after(20):
                    came = await stream.read(1)
                if number == 2 and not came:
                    raise ConnectionResetError

        with pytest.raises(Exception, match=r".*"):  # whatever libp2p says to it
            await other.run(hold)
        assert friend.found().known == 0


async def test_from_afar_no_address_of_a_local_network_is_believed() -> None:
    raw = [p2p_kad.packed_address(_address(each)) for each in ("10.0.0.1", "8.8.8.8")]
    told = Message.Peer(id=STRANGE, addrs=raw)
    far, near = _address("9.9.9.9"), _address("192.168.1.7")

    def hosts(teller: Any) -> Sequence[str]:
        node = p2p_kad._node(told, teller)  # pyright: ignore[reportPrivateUsage]
        return [] if node is None else [each.endpoint.host for each in node.addresses]

    assert hosts(far) == ["8.8.8.8"]
    assert hosts(None) == ["8.8.8.8"]
    assert hosts(near) == ["10.0.0.1", "8.8.8.8"]
    assert p2p_kad._node(Message.Peer(id=b"anna", addrs=raw), near) is None  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    "host",
    [
        "::ffff:10.0.0.1",
        "::ffff:100.64.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "fec0::1",
        "::a00:1",
    ],
)
async def test_nor_one_that_hides_in_an_ipv6_address(host: str) -> None:
    told = Message.Peer(id=STRANGE, addrs=[p2p_kad.packed_address(_address(host))])
    node = p2p_kad._node(told, _address("9.9.9.9"))  # pyright: ignore[reportPrivateUsage]
    assert node is not None
    assert node.addresses == ()


async def test_one_network_is_dialled_so_often_in_a_look_up() -> None:
    dialled: Counter[str] = Counter()

    def left(host: str, count: int) -> int:
        peer = PEER_ID_PREFIX + secrets.token_bytes(32)
        node = Node(peer, tuple(multiaddr(host, 4001 + each, peer) for each in range(count)))
        return len(p2p_kad._bounded(node, dialled).addresses)  # pyright: ignore[reportPrivateUsage]

    assert left("8.8.8.8", 6) == 6
    assert left("8.8.8.8", 6) == DIALS_PER_SOURCE - 6
    assert left("8.8.8.8", 6) == 0
    assert left("9.9.9.9", 6) == 6
    assert left("192.168.1.7", 50) == 50  # those are told by the local network alone


async def test_what_others_say_of_a_node_is_not_told_on() -> None:
    async with areas(2) as (first, second):
        elsewhere = multiaddr("127.0.0.1", 9, second.peer)
        host = first._host  # pyright: ignore[reportPrivateUsage]
        assert host is not None
        kad = host._kad  # pyright: ignore[reportPrivateUsage]
        assert kad is not None
        both = Node(second.peer, (here(second), elsewhere))
        await first._bridge.call(kad._query, both, second.peer)  # pyright: ignore[reportPrivateUsage]
        known = kad._table.get(second.peer)  # pyright: ignore[reportPrivateUsage]
        assert known is not None
        assert elsewhere not in known.addresses


def _address(host: str) -> Any:
    return p2p_kad.Address(host, 4001)


# Whole nodes.


async def test_a_contact_who_moved_is_found_by_a_friend_whom_both_named(tmp_path: Path) -> None:
    anna, bob = make(tmp_path, "Anna"), make(tmp_path, "Bob")
    friend = make(tmp_path, "Friend", "on = true\nlookup = true")
    every = (anna, bob, friend)
    for node in every:
        await node.start()
    for node in every:
        await node.until(lambda node=node: node.engine.status().wide == "on")
    address = str(loopback(friend))
    await meet(anna, bob, str(loopback(anna)))
    for node in (anna, bob):
        found = await node.engine.set_wide(on=None, relay=None, lookup=True, bootstraps=[address])
        assert (found.state, found.lookup) == ("on", True)
        assert [each.address for each in found.bootstraps] == [address]
        await node.until(lambda node=node: node.engine.status().wide_bootstraps[0].reason is None)
    await bob.stop()
    await anna.stop()
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    settings = anna.home.config.read_text().replace("[wide]\n", f"[wide]\nport = {port}\n")
    anna.home.config.write_text(settings)
    await anna.start()
    await anna.until(lambda: anna.engine.status().wide == "on")
    assert loopback(anna).endpoint.port == port
    # She calls nobody, so that it is for him to find her.
    anna.parts.database.write("DELETE FROM addresses")
    await bob.start()
    await bob.until(lambda: bob.connected_to(anna))
    for node in every:
        await node.stop()


async def test_settings_say_whom_to_ask_and_false_ones_are_refused(tmp_path: Path) -> None:
    node: TestedNode = make(tmp_path, "Anna", "on = false")
    await node.start()
    for text in ("192.0.2.7:4711", "/ip4/192.0.2.7/tcp/4711"):
        with pytest.raises(BadAddressError):
            await node.engine.set_wide(on=True, relay=None, lookup=True, bootstraps=[text])
    assert (await node.engine.wide()).state == "off"
    friend = multiaddr("127.0.0.1", 9, STRANGE)
    await node.engine.set_wide(on=True, relay=None, lookup=True, bootstraps=[str(friend)])
    await node.restart()
    await node.until(lambda: node.engine.status().wide == "on")
    found = await node.engine.wide()
    assert found.lookup
    assert [each.address for each in found.bootstraps] == [str(friend)]
    found = await node.engine.set_wide(on=None, relay=None, lookup=False)
    assert (found.lookup, found.bootstraps) == (False, [])
    again = await node.engine.set_wide(on=None, relay=None, lookup=True)
    assert [each.address for each in again.bootstraps] == [str(friend)]
    await node.stop()
