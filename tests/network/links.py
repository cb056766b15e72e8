"""What a scenario waits for and measures: links between people's daemons, and a photo over them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kinlight.node import Node
from kinlight.node.views import Connection, Status

from ..scenario.household import Person
from ..scenario.pictures import noise


def anybody(_: Connection) -> bool:
    """Whatever link there is."""
    return True


async def _status(node: Node) -> Status:
    return await node.status()


def until_linked(
    person: Person, other: Person, fits: Callable[[Connection], bool] = anybody
) -> Connection:
    """Wait until `person` is connected to `other` in such a way."""

    def linked(status: Status) -> bool:
        return any(each.contact == other.name and fits(each) for each in status.connections)

    status = person.until(_status, linked)
    return next(each for each in status.connections if each.contact == other.name and fits(each))


def until_alone(person: Person) -> None:
    """Wait until `person` is connected to nobody."""
    person.until(_status, lambda status: not status.connections)


def until_refused(person: Person, address: str) -> None:
    """Wait until `person` found nobody at the address of a contact; no event tells of it."""

    async def refused(node: Node) -> None:
        while ("refused", address) not in {  # noqa: ASYNC110
            (each.outcome, each.address) for each in (await node.status()).absent
        }:
            await asyncio.sleep(0.05)

    person.ask(refused)


def shares(person: Person, other: Person, folder: Path, seed: int) -> None:
    """A photo goes from one to the other and arrives as it was."""
    photo = noise(folder / f"photo {seed}.jpg", 300_000, seed)
    other.ask(lambda node: node.update_contact(person.name, accept="always"))
    (item,) = person.ask(lambda node: node.share(photo, other.name, metadata="original"))
    assert item.state == "delivered"
    assert item.photo_id is not None
    other.has_whole({item.photo_id: photo}, folder / "out")


class Stopwatch:
    """Seconds from its making, or from the last time that it was read."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def seconds(self) -> float:
        now = time.monotonic()
        begun, self._begun = self._begun, now
        return round(now - begun, 2)


def tell(capsys: pytest.CaptureFixture[str], **figures: float) -> None:
    """Print what was measured, also where the tests pass."""
    with capsys.disabled():
        print(json.dumps(figures), file=sys.stderr)
