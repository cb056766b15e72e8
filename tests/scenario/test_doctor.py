"""`kinlight doctor`: what it says, its exit codes, and that a kill in its middle loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from kinlight.crypto.errors import KinlightError
from kinlight.node import Node

from .conftest import Couple
from .household import Person, is_well, sha256
from .pictures import noise
from .test_damage import damage

PIECES = 20
FINDING = {"kind", "severity", "state", "remedy", "file", "photo", "name"}


def sealed_file(person: Person, photo: str) -> Path:
    content_id = person.run("show", photo).value["content_id"]
    (found,) = (path for path in person.files() if path.name == content_id)
    return found


def test_what_is_damaged_is_told_and_repaired(running: Couple, tmp_path: Path) -> None:
    anna, bob = running
    assert bob.run("doctor").values == []
    assert bob.screen("doctor", "--deep") == "Nothing is wrong.\n"
    photo = noise(tmp_path / "large.jpg", 900_000, 1)
    (item,) = anna.share([photo], bob)
    sealed = sealed_file(bob, item["photo_id"])
    damage(sealed, 700_000)
    assert bob.run("doctor").values == []  # its length is right
    found = bob.run("doctor", "--deep", code=1).value
    assert set(found) == FINDING
    assert (found["kind"], found["state"], found["name"]) == (
        "blob-pieces", "found", "large.jpg",
    )  # fmt: skip
    assert found["photo"] == item["photo_id"]
    assert bob.run("doctor", "--deep", "--repair").value["state"] == "repaired"
    assert bob.run("doctor", "--deep").values == []
    assert sha256(bob.exported(item["photo_id"], tmp_path / "out")) == sha256(photo)
    bob.stop()
    assert bob.run("doctor", code=4).error == "not-running"


def test_a_locked_node_says_so(running: Couple) -> None:
    _, bob = running
    bob.run("lock")
    assert bob.run("doctor", code=5).error == "locked"


def test_kill_9_in_the_middle_of_a_repair_loses_nothing(running: Couple, tmp_path: Path) -> None:
    anna, bob = running
    photo = noise(tmp_path / "large.jpg", PIECES * 262_144, 2)
    (item,) = anna.share([photo], bob)
    sealed = sealed_file(bob, item["photo_id"])
    whole = sealed.read_bytes()
    for pieces in (0, 3):
        for piece in range(0, PIECES, 2):
            damage(sealed, 262_400 * piece + 100)
        asyncio.run(_kill_after(bob, pieces))
        bob.wait_until_ended()
        assert len(sealed.read_bytes()) == len(whole)
        bob.start()
        bob.until(lambda node: node.doctor(deep=True, repair=True), lambda found: found == [])
        assert sealed.read_bytes() == whole
    assert sha256(bob.exported(item["photo_id"], tmp_path / "out")) == sha256(photo)
    is_well(bob)


async def _kill_after(person: Person, pieces: int) -> None:
    """Let the daemon repair, and kill it when so many pieces have come again."""
    async with Node.connect(person.home) as node, contextlib.aclosing(node.events()) as events:
        await anext(events)
        repairing = asyncio.create_task(node.doctor(deep=True, repair=True))
        while pieces:
            pieces -= (await anext(events)).name == "progress"
        os.kill(person.pid, signal.SIGKILL)
        with contextlib.suppress(KinlightError):
            await repairing
