"""kill -9 of either daemon at random moments loses nothing that was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from kinlight.crypto.errors import KinlightError
from kinlight.node import Node
from kinlight.node.views import Event
from kinlight.node.views_sharing import ShareItem

from ..conftest import RecordFigure
from .conftest import Couple
from .household import Person, Value, together
from .pictures import noise

PIECE = 256 * 1024
BATCHES = ((6, 6_000_000), (40, PIECE), (3, 30_000_000))
"""How many photos at once, and their most bytes: several pieces each, many of one piece, large."""
PHASES = ("any", "sealing", "offering", "fetching", "storing")


async def _refusal(photo: str, node: Node) -> str | None:
    """Why a photo can't be shown; None if it can."""
    try:
        await node.get(photo)
    except KinlightError as error:
        return error.code
    return None


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
        self.again = 0
        """The most pieces of one photo that had come before a kill and came again after it."""
        self._told: dict[str, int] = {}

    def round(self, number: int) -> None:
        """One kill."""
        count, most = BATCHES[number % len(BATCHES)]
        files = [
            noise(
                self._folder / "from" / f"{number}-{index}.jpg",
                self._chance.randrange(1, most),
                seed=self._chance.randrange(2**32),
            )
            for index in range(count)
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

        async with Node.connect(self.bob.home) as node:
            heard: asyncio.Queue[Event] = asyncio.Queue()
            listening = asyncio.create_task(self._listen(node, heard))
            assert (await heard.get()).name == "listening"
            sharing = asyncio.create_task(share())
            moment = asyncio.create_task(self._moment(heard))
            await asyncio.wait({sharing, moment}, return_when=asyncio.FIRST_COMPLETED)
            os.kill(victim.pid, signal.SIGKILL)
            if victim is self.bob:
                sharing.cancel()
            for task in (sharing, moment, listening):
                if task is not sharing:
                    task.cancel()
                with contextlib.suppress(KinlightError, asyncio.CancelledError):
                    await task
        return delivered

    async def _listen(self, node: Node, heard: asyncio.Queue[Event]) -> None:
        """Pass on what Bob's daemon says, and hold how far each photo is against what it said."""
        begun: set[str] = set()
        async with contextlib.aclosing(node.events()) as events:
            async for event in events:
                heard.put_nowait(event)
                if event.name != "progress":
                    continue
                photo, pieces = event.data["id"], event.data["pieces"]
                assert isinstance(photo, str)
                assert isinstance(pieces, int)
                before = self._told.get(photo, 0)
                if photo not in begun:  # this piece, and those that were found on the disk
                    self.again = max(self.again, before - (pieces - 1))
                begun.add(photo)
                self._told[photo] = max(before, pieces)

    async def _moment(self, heard: asyncio.Queue[Event]) -> None:
        """When to kill. That is the point of this test; what follows depends on no time."""
        phase = self._chance.choice(PHASES)
        if phase == "any":
            await asyncio.sleep(self._chance.uniform(0.0, 1.0))
        elif phase == "sealing":
            incoming = self.anna.home / "blobs" / "incoming"
            while not any(incoming.iterdir()):  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0)
        else:
            part = self._chance.random() if phase == "fetching" else 1.0
            while True:
                event = await heard.get()
                if event.name == "offer" and phase == "offering":
                    return
                if event.name == "progress" and phase != "offering":
                    done, total = event.data["pieces"], event.data["of"]
                    if isinstance(done, int) and isinstance(total, int) and done >= part * total:
                        return

    def _note(self, items: list[Value]) -> None:
        for item in items:
            self._files[item["photo_id"]] = Path(item["file"])

    def _nothing_is_half(self, acknowledged: set[str], number: int) -> None:
        """What was acknowledged opens byte for byte; what is not yet whole is not to be had."""
        states = {item["id"]: item["state"] for item in self.bob.inbox()}
        assert {photo for photo in acknowledged if states.get(photo) != "stored"} == set()
        known = states.keys() & self._files.keys()
        here = {
            photo: self._files[photo]
            for photo in known
            if states[photo] == "stored" and self._files[photo].name.startswith(f"{number}-")
        }
        self.bob.has_whole(here, self._folder / "out" / str(number))
        for photo in [photo for photo in known if states[photo] != "stored"][:3]:
            code = self.bob.ask(partial(_refusal, photo))
            assert code in ("not-here-yet", "no-such-photo", None)
            if code is None:  # it came meanwhile: then all of it did
                self.bob.has_whole({photo: self._files[photo]}, self._folder / "out" / photo)
        assert self.again <= 1

    def finish(self) -> None:
        """Everything is delivered and whole, nothing else lies around, both libraries open."""
        states = self.anna.until(self._states, lambda found: set(found.values()) == {"delivered"})
        self.bob.has_whole(self._files, self._folder / "out" / "all")
        together(self.anna.kill, self.bob.kill)
        together(self.anna.start, self.bob.start)
        for person in (self.anna, self.bob):
            blobs = [path for path in person.files() if "blobs" in path.parts]
            assert len(blobs) == 2 * len(states)
            assert not [path for path in blobs if path.parent.name == "incoming"]
            assert person.run("doctor", "--deep").values == []
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


def soak(couple: Couple, folder: Path, *, rounds: int, seed: int) -> dict[str, float]:
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
        "again": soak.again,
        "seconds": round(time.monotonic() - begun, 1),
    }


def test_kill_9_of_either_daemon_loses_nothing_that_was_acknowledged(
    running: Couple, tmp_path: Path
) -> None:
    soak(running, tmp_path, rounds=3, seed=4)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_hundred_kills_lose_nothing_that_was_acknowledged_and_send_next_to_nothing_again(
    running: Couple, tmp_path: Path, record_figure: RecordFigure
) -> None:
    figures = soak(running, tmp_path, rounds=100, seed=100)
    kills = f"100 kills (-9) of either daemon, in any phase, while {figures['photos']} photos go"
    record_figure(f"{kills}: acknowledged and lost", 0, "", 0)
    record_figure("most pieces of one photo that came again after a kill", figures["again"], "", 1)
