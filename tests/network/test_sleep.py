"""A machine sleeps, and wakes. SIGSTOP to its daemon stands for the sleep."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ..scenario.household import is_well, sha256, together
from ..scenario.pictures import noise
from ..scenario.test_stalled import start
from .conftest import Two
from .links import Stopwatch, shares, tell, until_alone, until_linked

pytestmark = pytest.mark.netns

LONG_ENOUGH = 14
"""Seconds after which a node knows that it slept, and after which impatient friends gave it up."""


def sleep(friends: Two, folder: Path, seconds: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Bob sleeps that long; what Anna shares meanwhile comes when he is awake."""
    anna, bob = friends
    until_linked(anna, bob)
    photo = noise(folder / "meanwhile.jpg", 300_000, 1)
    stopped = time.monotonic()
    os.kill(bob.pid, signal.SIGSTOP)
    try:
        until_alone(anna)
        noticed = time.monotonic() - stopped
        shared = anna.run("share", photo, "--with", "Bob", "--metadata", "original", "--no-wait")
        assert shared.value["state"] == "queued"
        assert "Bob  not connected, last here" in anna.screen("status")
        time.sleep(max(0.0, seconds - (time.monotonic() - stopped)))  # it is about sleep
    finally:
        os.kill(bob.pid, signal.SIGCONT)
    watch = Stopwatch()
    until_linked(anna, bob)
    until_linked(bob, anna)
    back = watch.seconds()
    assert bob.received(shared.value["photo_id"])["sha256"] == sha256(photo)
    tell(
        capsys,
        seconds_until_missed=round(noticed, 2),
        seconds_from_waking_until_linked=back,
        seconds_until_the_photo=watch.seconds(),
    )
    assert back < 10
    shares(bob, anna, folder, 2)
    is_well(anna)
    is_well(bob)


def test_a_friend_who_slept_for_a_moment_is_back_soon_after_and_gets_what_was_shared(
    friends: Two, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(*friends)
    sleep(friends, tmp_path, LONG_ENOUGH, capsys)


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_a_friend_who_slept_for_two_minutes_is_back_soon_after_and_gets_what_was_shared(
    friends: Two, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together(*(person.start for person in friends))
    sleep(friends, tmp_path, 120, capsys)
