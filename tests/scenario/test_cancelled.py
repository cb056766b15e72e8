"""Sends that are given up, by either side and at any moment, leave nothing behind."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node import Node
from kinlight.node.views import Event

from .conftest import Couple
from .footprint import resting
from .household import PATIENCE, Person, is_well, sha256
from .pictures import noise

LONG = 12_000_000
"""Bytes of a photo whose transfer takes long enough to be given up in the middle."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def is_half(event: Event) -> bool:
    """Half of a photo has gone or come; or it is over, which no test may wait for in vain."""
    pieces, of = event.data.get("pieces"), event.data.get("of")
    if isinstance(pieces, int) and isinstance(of, int) and of > 1:
        return 2 * pieces >= of
    return event.data.get("state") in ("stored", "delivered")


def is_sealed(event: Event) -> bool:
    """A photo is in the library."""
    return event.name == "photo"


class Senders:
    """Anna, who types `share` and thinks again, and Bob, to whom it goes."""

    def __init__(self, couple: Couple, folder: Path) -> None:
        self.anna, self.bob = couple
        self._folder = folder
        self._chance = random.Random(20)
        self._made = 0

    def photo(self) -> Path:
        """A new one."""
        self._made += 1
        return noise(self._folder / "from" / f"{self._made}.jpg", LONG, self._made)

    def typed(self) -> subprocess.Popen[str]:
        """`share` of a new photo, running."""
        return self.anna.popen("share", self.photo(), "--with", "Bob", "--metadata", "original")

    def when(self, watched: Person, moment: Callable[[Event], bool]) -> subprocess.Popen[str]:
        """`share` in a process that runs, at that moment as somebody's daemon tells it."""

        async def until_then(node: Node) -> subprocess.Popen[str]:
            process: subprocess.Popen[str] | None = None
            async with contextlib.aclosing(node.events()) as events:
                async for event in events:
                    if process is None:  # the first event says that none is missed from now on
                        process = self.typed()
                    elif moment(event):
                        return process
            raise AssertionError("the daemon ended")

        return watched.ask(until_then)

    def when_sealing(self) -> subprocess.Popen[str]:
        """`share` in a process that runs, while its photo is being sealed."""
        incoming = self.anna.home / "blobs" / "incoming"
        process = self.typed()
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and not any(incoming.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.001)  # there is no event for it
        return process

    def ended_by(self, number: signal.Signals) -> None:
        """A client process ends by a signal; the node goes on with what was queued by then."""
        match self._chance.choice(["sealing", "sealed", "half"]):
            case "sealing":
                process = self.when_sealing()
            case "sealed":
                process = self.when(self.anna, is_sealed)
            case _:
                process = self.when(self.anna, is_half)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)

    def declined(self) -> None:
        """Bob wants it no more when half of it is here."""
        process = self.when(self.bob, is_half)

        async def decline(node: Node) -> None:
            for item in await node.inbox():
                if item.state == "accepted":
                    with contextlib.suppress(KinlightError):  # it may be whole by now
                        await node.decline(item.id)

        self.bob.ask(decline)
        process.communicate(timeout=PATIENCE)

    def removed(self) -> None:
        """Anna takes the photo out of her library when half of it has gone."""
        process = self.when(self.anna, is_half)
        (photo,) = self.anna.ask(lambda node: node.search(f"{self._made}.jpg"))
        self.anna.ask(lambda node: node.remove(photo.id, force=True))
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize(
    "cancelled",
    [5, pytest.param(20, marks=[pytest.mark.nightly, pytest.mark.timeout(600)])],
)
def test_cancelled_sends_leave_nothing_behind_and_the_next_one_works(
    running: Couple, tmp_path: Path, cancelled: int
) -> None:
    senders = Senders(running, tmp_path)
    anna, bob = running
    # What is kept from the first photo on, such as the process that opens pictures.
    anna.share([senders.photo()], bob)
    before = {person.name: resting(person) for person in running}
    for number in range(cancelled):
        match number % 5:
            case 3:
                senders.declined()
            case 4:
                senders.removed()
            case which:
                senders.ended_by(SIGNALS[which])
    photo = senders.photo()
    (item,) = anna.share([photo], bob)
    assert item["state"] == "delivered"
    assert sha256(bob.exported(item["photo_id"], tmp_path / "out")) == sha256(photo)
    for person in running:
        resting(person, no_more_than=before[person.name])
        is_well(person)
