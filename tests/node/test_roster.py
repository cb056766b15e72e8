"""What is kept of one's own devices, and what a sibling can't do to it."""

from __future__ import annotations

import pytest
from kinlight.crypto.secret import Secret
from kinlight.node.roster import EARLIER_SECRETS, Roster
from kinlight.protocol import limits
from kinlight.protocol.devices import OwnDevice, OwnSecret

from .conftest import Start
from .nodes import NOW
from .people import chain_of


@pytest.fixture
async def roster(start: Start) -> Roster:
    return (await start("Laptop")).parts.roster


def phone(name: str = "Phone", named: int = NOW, device: str = "phone") -> OwnDevice:
    return OwnDevice(chain_of("Anna", device), name, named)


def secret(generation: int, label: bytes = b"s") -> OwnSecret:
    return OwnSecret(generation, Secret(label * 32))


async def test_a_name_from_the_future_counts_for_nothing(roster: Roster) -> None:
    assert roster.put([phone()])
    assert not roster.put([phone("Mine for ever", NOW + limits.CLOCK_SECONDS + 1)])
    assert roster.put([phone("Later", NOW + limits.CLOCK_SECONDS)])
    found = roster.device(phone().device)
    assert found is not None
    assert found.name == "Later"


async def test_an_earlier_name_does_not_come_back(roster: Roster) -> None:
    roster.put([phone("New", NOW)])
    assert not roster.put([phone("Old", NOW - 1)])


async def test_no_more_than_64_devices_are_kept(roster: Roster) -> None:
    roster.put([phone(device=str(number)) for number in range(limits.OWN_DEVICES + 3)])
    assert len(roster.devices()) == limits.OWN_DEVICES
    assert roster.put([phone("Renamed", NOW, "5")])


async def test_a_generation_that_jumps_is_not_taken(roster: Roster) -> None:
    roster.take_secret(secret(1))
    assert not roster.take_secret(secret(2 + limits.OWN_GENERATION_STEP))
    assert roster.take_secret(secret(1 + limits.OWN_GENERATION_STEP))
    assert roster.secret() == secret(1 + limits.OWN_GENERATION_STEP)


async def test_an_earlier_secret_is_answered_and_does_not_count(roster: Roster) -> None:
    for generation in range(1, EARLIER_SECRETS + 4):
        assert roster.take_secret(secret(generation))
    assert not roster.take_secret(secret(EARLIER_SECRETS + 2, b"r"))
    assert roster.secret() == secret(EARLIER_SECRETS + 3)
    assert len(roster.pinned()) == 1 + EARLIER_SECRETS


async def test_no_sibling_is_called_before_there_is_a_secret(roster: Roster) -> None:
    roster.put([phone()])
    assert roster.siblings() == []
    assert roster.pinned() == []
    roster.make_secret(bytes)
    (sibling,) = roster.siblings()
    assert (sibling.key, sibling.name) == (phone().device, "Phone")
