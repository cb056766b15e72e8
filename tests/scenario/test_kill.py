"""kill -9 of either daemon at random moments loses nothing that was acknowledged."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path

import pytest

from .conftest import Couple
from .household import PATIENCE, Person, Value, sha256, together
from .pictures import noise

PHOTOS_PER_ROUND = 6


def _kill_rounds(couple: Couple, folder: Path, rounds: int, seed: int) -> dict[str, object]:
    """Share, kill one side at a random moment, start it again, and look; `rounds` times."""
    anna, bob = couple
    chance = random.Random(seed)
    hashes: dict[str, str] = {}
    acknowledged: set[str] = set()
    for number in range(rounds):
        files = [
            noise(folder / f"{number}-{index}.jpg", chance.randrange(1, 2_000_000), seed=index)
            for index in range(PHOTOS_PER_ROUND)
        ]
        for item in anna.share(files, bob, code=0) if number == 0 else _queue(anna, bob, files):
            hashes[item["photo_id"]] = item["sha256"]
        victim = chance.choice((anna, bob))
        # The moment of the kill is the point of this test; what follows depends on no time.
        threading.Event().wait(chance.uniform(0.0, 0.4))
        acknowledged |= _delivered(anna, hashes)
        victim.kill()
        victim.start()
        _nothing_half(bob, acknowledged)
    _wait_for_all(anna, hashes)
    for photo, digest in hashes.items():
        assert sha256(bob.exported(photo, folder / "out" / photo)) == digest
    together(anna.stop, bob.stop)
    together(anna.start, bob.start)
    assert not [path for path in bob.files() if path.parent.name == "incoming"]
    return {"rounds": rounds, "photos": len(hashes), "acknowledged_before": len(acknowledged)}


def _queue(anna: Person, bob: Person, files: list[Path]) -> list[Value]:
    return anna.run(
        "share", *files, "--with", bob.name, "--metadata", "original", "--no-wait"
    ).values


def _delivered(anna: Person, hashes: dict[str, str]) -> set[str]:
    """What Anna's node calls delivered at this moment."""
    found: set[str] = set()
    for photo in hashes:
        deliveries = anna.ask(lambda node, photo=photo: node.get(photo)).deliveries
        if any(item.state == "delivered" for item in deliveries):
            found.add(photo)
    return found


def _nothing_half(bob: Person, acknowledged: set[str]) -> None:
    """What was acknowledged is there; what is shown as stored opens."""
    items = {item["id"]: item["state"] for item in bob.inbox()}
    assert {photo for photo in acknowledged if items.get(photo) != "stored"} == set()


def _wait_for_all(anna: Person, hashes: dict[str, str]) -> None:
    deadline = time.monotonic() + 4 * PATIENCE
    while len(_delivered(anna, hashes)) < len(hashes):
        assert time.monotonic() < deadline, "not everything was delivered"
        threading.Event().wait(0.2)


def test_kill_9_of_either_daemon_loses_nothing_that_was_acknowledged(
    running: Couple, tmp_path: Path
) -> None:
    _kill_rounds(running, tmp_path, rounds=4, seed=4)


@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_fifty_kills_lose_nothing_that_was_acknowledged(
    running: Couple, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    figures = _kill_rounds(running, tmp_path, rounds=50, seed=50)
    with capsys.disabled():
        print(json.dumps({**figures, "seconds": round(time.monotonic() - begun, 1)}))
