"""The machine's own network: what is news, and who is told."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import pytest
from kinlight.node.addresses import Interface
from kinlight.node.surroundings import (
    SLEPT_SECONDS,
    WATCH_SECONDS,
    Footing,
    Look,
    Surroundings,
)

CABLE = Interface("eth0", 2, ("10.0.0.1",), present=("10.0.0.1", "fe80::1"))
UNPLUGGED = dataclasses.replace(CABLE, up=False, obstacle="no cable")
MOVED = Interface("eth0", 2, ("10.0.0.9",), present=("10.0.0.9", "fe80::1"))
VPN = Interface("wg0", 3, ("10.9.0.1",), present=("10.9.0.1",))


def look(*interfaces: Interface) -> Look:
    return Look(interfaces, 0.0)


def test_a_change_is_news_when_two_looks_in_a_row_saw_it() -> None:
    footing = Footing(look(CABLE))
    assert not footing.take(look(MOVED))
    change = footing.take(look(MOVED))
    assert (change.names, change.lost) == ({"eth0"}, {"10.0.0.1"})
    assert not footing.take(look(MOVED))
    assert footing.interface_of("10.0.0.9") == "eth0"
    assert footing.interface_of("10.0.0.1") is None


def test_a_link_that_flaps_is_no_news_and_another_one_beside_it_is() -> None:
    footing = Footing(look(CABLE))
    for step in range(10):
        flapping = UNPLUGGED if step % 2 == 0 else CABLE
        change = footing.take(look(flapping, VPN))
        assert change.names == ({"wg0"} if step == 1 else set())
        assert not change.lost


@pytest.mark.parametrize("after", [(UNPLUGGED,), ()])
def test_the_addresses_of_a_link_that_is_down_or_gone_are_lost(
    after: tuple[Interface, ...],
) -> None:
    footing = Footing(look(CABLE))
    footing.take(look(*after))
    assert footing.take(look(*after)).lost == {"10.0.0.1", "fe80::1"}


def test_an_address_that_moved_to_another_link_is_not_lost() -> None:
    footing = Footing(look(CABLE))
    other = dataclasses.replace(CABLE, name="wlan0", index=4)
    footing.take(look(other))
    change = footing.take(look(other))
    assert change.names == {"eth0", "wlan0"}
    assert not change.lost


def test_a_look_that_the_system_refused_changes_nothing() -> None:
    footing = Footing(look(CABLE))
    refused = Look((), 0.0, fault="Too many open files")
    assert not footing.take(refused)
    assert not footing.take(refused)
    assert footing.interface_of("fe80::1%eth0") == "eth0"


class Watched:
    """Surroundings whose looks happen when they are told to."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.looks: asyncio.Queue[None] = asyncio.Queue()
        self.surroundings = Surroundings(
            pause=self._pause, clock=lambda: self.time, interfaces=lambda: (CABLE,)
        )

    async def _pause(self, _: float) -> None:
        await self.looks.get()
        self.looks.task_done()


async def test_a_look_that_comes_much_too_late_means_sleep() -> None:
    watched = Watched()
    told: asyncio.Queue[Look] = asyncio.Queue()

    async def tell(found: Look) -> None:
        told.put_nowait(found)

    watched.surroundings.listen(tell)
    watched.surroundings.start()
    slept: list[bool] = []
    for seconds in (WATCH_SECONDS, WATCH_SECONDS + SLEPT_SECONDS + 1, WATCH_SECONDS, -3600.0):
        watched.time += seconds
        watched.looks.put_nowait(None)
        slept.append((await told.get()).slept)
    assert slept == [False, True, False, True]
    await watched.surroundings.close()


async def test_a_listener_that_fails_is_noted_once_and_keeps_no_news_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    watched = Watched()
    told: asyncio.Queue[Look] = asyncio.Queue()

    async def fail(_: Look) -> None:
        raise LookupError

    async def tell(found: Look) -> None:
        told.put_nowait(found)

    watched.surroundings.listen(fail)
    watched.surroundings.listen(tell)
    watched.surroundings.start()
    for _ in range(3):
        watched.looks.put_nowait(None)
        assert (await told.get()).interfaces == (CABLE,)
    assert len(caplog.records) == 1
    await watched.surroundings.close()
