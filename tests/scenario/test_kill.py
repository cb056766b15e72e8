"""kill -9 of either daemon at random moments loses nothing that was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node import Node
from kinlight.node.views import ShareItem

from ..conftest import RecordFigure
from .conftest import Couple
from .household import Person, Value, sha256, together
from .pictures import noise

PHOTOS_PER_ROUND = 6


class Soak:
    """Shares photos, kills one side at a random moment, starts it again, and looks."""

    def __init__(self, couple: Couple, folder: Path, seed: int) -> None:
        self.anna, self.bob = couple
        self._folder = folder
        self._chance = random.Random(seed)
        self._files: dict[str, Path] = {}
        self.acknowledged: set[str] = set()
        """Ids of the photos that Anna's node called delivered before a kill."""
        self.cut = 0
        """Rounds whose kill came before all of their photos were delivered."""

    def round(self, number: int) -> None:
        """One kill."""
        files = [
            noise(
                self._folder / "from" / f"{number}-{index}.jpg",
                self._chance.randrange(1, 6_000_000),
                seed=self._chance.randrange(2**32),
            )
            for index in range(PHOTOS_PER_ROUND)
        ]
        victim = self._chance.choice((self.anna, self.bob))
        acknowledged = asyncio.run(self._share_and_kill(files, victim))
        self.cut += len(acknowledged) < len(files)
        self.acknowledged |= acknowledged
        victim.wait_until_ended()
        victim.start()
        self._nothing_is_half(acknowledged, number)
        # A kill while Anna sealed leaves files unshared: her next try adds just those.
        self._note(
            self.anna.run(
                "share", *files, "--with", "Bob", "--metadata", "original", "--no-wait"
            ).values
        )

    async def _share_and_kill(self, files: list[Path], victim: Person) -> set[str]:
        delivered: set[str] = set()

        async def share() -> None:
            async with Node.connect(self.anna.home) as node:
                async for step in node.share_steps(files, ["Bob"], metadata="original"):
                    if isinstance(step, ShareItem) and step.photo_id is not None:
                        self._files[step.photo_id] = Path(step.file)
                        if step.state == "delivered":
                            delivered.add(step.photo_id)

        sharing = asyncio.create_task(share())
        # The moment of the kill is the point of this test; what follows depends on no time.
        await asyncio.sleep(self._chance.uniform(0.0, 1.0))
        os.kill(victim.pid, signal.SIGKILL)
        if victim is self.bob:
            sharing.cancel()
        with contextlib.suppress(KinlightError, asyncio.CancelledError):
            await sharing
        return delivered

    def _note(self, items: list[Value]) -> None:
        for item in items:
            self._files[item["photo_id"]] = Path(item["file"])

    def _nothing_is_half(self, acknowledged: set[str], number: int) -> None:
        """What was acknowledged opens byte for byte; what is not yet whole is not to be had."""
        states = {item["id"]: item["state"] for item in self.bob.inbox()}
        assert {photo for photo in acknowledged if states.get(photo) != "stored"} == set()
        out = self._folder / "out" / str(number)
        for photo, state in states.items():
            if photo not in self._files:
                continue
            if state == "stored":
                if self._files[photo].name.startswith(f"{number}-"):
                    assert sha256(self.bob.exported(photo, out)) == sha256(self._files[photo])
            else:
                assert self.bob.run("show", photo, code=6).error == "not-here-yet"

    def finish(self) -> None:
        """Everything is delivered and whole, nothing else lies around, both libraries open."""
        states = self.anna.until(self._states, lambda found: set(found.values()) == {"delivered"})
        for photo in states:
            exported = self.bob.exported(photo, self._folder / "out" / "all")
            assert sha256(exported) == sha256(self._files[photo])
        together(self.anna.kill, self.bob.kill)
        together(self.anna.start, self.bob.start)
        for person in (self.anna, self.bob):
            blobs = [path for path in person.files() if "blobs" in path.parts]
            assert len(blobs) == 2 * len(states)
            assert not [path for path in blobs if path.parent.name == "incoming"]
        assert len(self.bob.inbox()) == len(states)

    async def _states(self, node: Node) -> dict[str, str]:
        found: dict[str, str] = {}
        for photo in self._files:
            found[photo] = (await node.get(photo)).deliveries[0].state
        return found

    @property
    def photos(self) -> int:
        """How many photos were shared in all."""
        return len(self._files)


def soak(couple: Couple, folder: Path, *, rounds: int, seed: int) -> dict[str, object]:
    """Run it; returns the figures."""
    begun = time.monotonic()
    soak = Soak(couple, folder, seed)
    for number in range(rounds):
        soak.round(number)
    soak.finish()
    return {
        "rounds": rounds,
        "cut_midway": soak.cut,
        "photos": soak.photos,
        "acknowledged_before_a_kill": len(soak.acknowledged),
        "lost": 0,
        "seconds": round(time.monotonic() - begun, 1),
    }


def test_kill_9_of_either_daemon_loses_nothing_that_was_acknowledged(
    running: Couple, tmp_path: Path
) -> None:
    assert soak(running, tmp_path, rounds=4, seed=4)["photos"] == 4 * PHOTOS_PER_ROUND


@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_fifty_kills_lose_nothing_that_was_acknowledged(
    running: Couple, tmp_path: Path, record_figure: RecordFigure
) -> None:
    figures = soak(running, tmp_path, rounds=50, seed=50)
    what = (
        f"50 kills (-9) of either daemon while {figures['photos']} photos go: acknowledged and lost"
    )
    record_figure(what, 0, "", 0)
