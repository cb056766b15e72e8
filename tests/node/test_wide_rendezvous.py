"""Contacts who both moved find each other again by what they left with a friend who relays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from kinlight.crypto.secret import Secret
from kinlight.node import p2p_punch, rendezvous
from kinlight.node.p2p_rendezvous import RENDEZVOUS
from kinlight.node.rendezvous import TRIES, Sought
from kinlight.protocol.delivery import DAY_SECONDS, day_of
from kinlight.protocol.rendezvous import Answer, Notice, Request, tag_of

from .nodes import NOW, Clock, TestedNode, eventually
from .strangers import stranger
from .test_wide import loopback
from .test_wide_relay import Three, who_met

NOWHERE = ("/ip4/127.0.0.1/tcp/9/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p2p_punch, "PAUSES", ())
    monkeypatch.setattr(rendezvous, "LOOK_SECONDS", 0.05)


@pytest.fixture
async def three(tmp_path: Path) -> AsyncGenerator[Three]:
    async with who_met(tmp_path) as met:
        yield met


async def until_kept(relay: TestedNode, count: int) -> None:
    async with asyncio.timeout(60):
        while (await relay.engine.wide()).notices != count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


def forget(node: TestedNode, other: TestedNode) -> None:
    """Where the other one was: it has moved, and nobody answers there."""
    node.parts.database.write("DELETE FROM addresses WHERE identity = ?", other.identity)


def secret_of(node: TestedNode, other: TestedNode) -> Secret:
    contact = node.parts.library.contact_of(other.identity)
    assert contact is not None
    return contact.pair_secret


class Keeper:
    """Somebody who takes what a node leaves, and finds for it what a test says."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.found: tuple[bytes, ...] = ()

    async def ask(self, request: bytes) -> bytes:
        self.requests.append(Request.decode(request))
        return Answer(0, self.found).encode()

    @property
    def left(self) -> dict[bytes, bytes]:
        return {tag: record for each in self.requests for tag, record in each.left}


async def attend(node: TestedNode, other: TestedNode, keeper: Keeper) -> None:
    """On whichever link there is: where both dialled, one soon gives way to the other."""
    while True:
        for link in node.parts.peers.links(other.identity):
            await node.parts.rendezvous.attend(link, keeper.ask)
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def attending(node: TestedNode, other: TestedNode) -> AsyncGenerator[Keeper]:
    """`node` takes a keeper for the one at the other end of its link with `other`."""
    keeper = Keeper()
    task = asyncio.create_task(attend(node, other, keeper))
    try:
        await eventually(lambda: bool(keeper.requests))
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_two_who_both_moved_meet_again(three: Three) -> None:
    anna, bob, fred = three.anna, three.bob, three.fred
    await until_kept(fred, 2)
    await bob.stop()
    forget(anna, bob)
    await anna.restart()
    await anna.until(lambda: anna.connected_to(fred))
    await anna.stop()
    await bob.start()
    forget(bob, anna)
    heard = bob.parts.whereabouts.everywhere
    await bob.until(lambda: anna.identity in heard())
    await anna.start()
    await bob.until(lambda: bob.connected_to(anna))


async def test_a_notice_is_left_for_each_contact_and_again_when_a_day_begins(three: Three) -> None:
    anna, bob = three.anna, three.bob
    secret, day = secret_of(anna, bob), day_of(NOW)
    async with attending(anna, three.fred) as keeper:
        found = Notice.open(keeper.left[tag_of(secret, day)], secret, anna.identity, NOW)
        assert found.device == anna.parts.rendezvous.device
        assert set(found.addresses) == set(anna.parts.wide.addresses())
        assert "/p2p-circuit/" in found.addresses[0]
        assert len(keeper.left) == 1  # none for Fred himself
        clock = anna.environment.now
        assert isinstance(clock, Clock)
        clock.time += DAY_SECONDS
        await eventually(lambda: tag_of(secret, day + 1) in keeper.left)


async def test_for_who_is_blocked_none_is_left(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, looks = three.anna, 0
    await anna.engine.update_contact("Bob", blocked=True)
    contacts = anna.parts.rendezvous._contacts  # pyright: ignore[reportPrivateUsage]

    def counted() -> Sequence[Sought]:
        nonlocal looks
        looks += 1
        return contacts()

    monkeypatch.setattr(anna.parts.rendezvous, "_contacts", counted)
    keeper = Keeper()
    task = asyncio.create_task(attend(anna, three.fred, keeper))
    await eventually(lambda: looks >= 3)
    assert not keeper.requests
    await anna.engine.update_contact("Bob", blocked=False)
    await eventually(lambda: bool(keeper.left))
    task.cancel()


async def test_who_is_connected_is_not_asked_for(three: Three) -> None:
    anna, bob = three.anna, three.bob
    secret = secret_of(anna, bob)
    async with attending(anna, three.fred) as keeper:
        assert not any(each.asked for each in keeper.requests)
        await bob.stop()
        await eventually(lambda: any(each.asked for each in keeper.requests))
        asked = {tag for each in keeper.requests for tag in each.asked}
        assert {tag_of(secret, day_of(NOW) + off) for off in (-1, 0, 1)} < asked


async def test_an_older_notice_or_a_forged_one_takes_nothing_back(three: Three) -> None:
    anna, bob = three.anna, three.bob
    secret, device = secret_of(anna, bob), bob.parts.rendezvous.device
    await bob.stop()
    forget(anna, bob)
    everywhere = anna.parts.whereabouts.everywhere
    later = Notice(bob.identity, device, NOW + 3, NOWHERE)
    older = Notice(bob.identity, device, NOW + 2, ())
    mirrored = Notice(anna.identity, device, NOW + 4, ())
    forged = Notice(bob.identity, device, NOW + 5, ()).seal(Secret(bytes(32)))
    keeper = Keeper()
    keeper.found = (
        later.seal(secret), older.seal(secret), mirrored.seal(secret), forged, bytes(2048),
    )  # fmt: skip
    task = asyncio.create_task(attend(anna, three.fred, keeper))
    await eventually(
        lambda: [str(each) for each in everywhere().get(bob.identity, [])] == [*NOWHERE]
    )
    asked = len(keeper.requests)
    await bob.start()  # so that there is something new to ask for
    await bob.stop()
    await eventually(lambda: len(keeper.requests) >= asked)
    assert [str(each) for each in everywhere()[bob.identity]][-1:] == [*NOWHERE]
    task.cancel()


async def test_records_that_nobody_can_open_leave_time_for_all_else(three: Three) -> None:
    anna, bob = three.anna, three.bob
    await bob.stop()
    keeper, turns = Keeper(), 0
    keeper.found = tuple(number.to_bytes(2048) for number in range(200))
    (contact,) = [each for each in anna.parts.library.contacts() if each.identity == bob.identity]

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await anna.parts.rendezvous._exchange(keeper.ask, [], [contact], NOW)  # pyright: ignore[reportPrivateUsage]
    assert turns >= len(keeper.found)
    counting.cancel()


async def test_who_keeps_nothing_is_not_asked_for_ever(three: Three) -> None:
    asked = 0

    async def refuses(_: bytes) -> bytes:
        nonlocal asked
        asked += 1
        raise OSError("it speaks no such protocol")

    (link,) = three.anna.parts.peers.links(three.fred.identity)
    await asyncio.wait_for(three.anna.parts.rendezvous.attend(link, refuses), 60)
    assert asked == TRIES


async def test_strangers_are_answered_nothing(three: Three) -> None:
    await until_kept(three.fred, 2)
    address = loopback(three.fred)
    async with stranger() as other:

        async def ask() -> None:
            stream: Any = await other.open(await other.connect(address), RENDEZVOUS)
            data = Request(asked=(bytes(32),)).encode()
            with trio.fail_after(20):
                await stream.write(len(data).to_bytes(4) + data)
                if not await stream.read(4):
                    raise ConnectionResetError

        with pytest.raises(Exception, match=r".*"):  # whatever libp2p says to it
            await other.run(ask)


async def test_who_does_not_relay_keeps_nothing(three: Three) -> None:
    address = loopback(three.anna)
    async with stranger() as other:

        async def ask() -> None:
            await other.open(await other.connect(address), RENDEZVOUS)

        with pytest.raises(Exception, match=r"rotocol|multiselect"):
            await other.run(ask)


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02\x91\x07"])
async def test_what_is_too_long_or_no_request_ends_the_stream_alone(
    three: Three, sent: bytes
) -> None:
    await until_kept(three.fred, 2)
    area: Any = three.anna.parts.wide._area  # pyright: ignore[reportPrivateUsage]
    fred = loopback(three.fred).peer

    async def say() -> None:
        host = area._host
        stream = await host.open(host.standing(fred), RENDEZVOUS)
        await stream.write(sent)
        with trio.fail_after(20):
            if not await stream.read(4):
                raise ConnectionResetError("the end")

    with pytest.raises(Exception, match=r".*"):  # whatever libp2p says to it
        await area._bridge.call(say)
    assert three.anna.connected_to(three.fred)
    answer = await area.ask(fred, Request().encode())
    assert Answer.decode(answer) == Answer(0, ())
