"""A link that goes down and comes back twenty times in ten seconds."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..scenario.household import is_well
from .conftest import Hosts, Two
from .links import Stopwatch, tell, until_linked

pytestmark = pytest.mark.netns

LISTENER = Path(__file__).with_name("announcement_listener.py")
FLAPS = 20
SECONDS = 10.0
SETTLED_SECONDS = 8.0
"""Two looks and the three packets of an announcement take five."""

ANNOUNCED_SECONDS = 3.0
"""The packets of one announcement are out by then."""
ONE_ANNOUNCEMENT = 1.5
"""Seconds between the packets of one: it is said several times (RFC 6762, section 8.3)."""


def heard(listener: subprocess.Popen[str]) -> list[float]:
    """End the listener; when it heard announcements."""
    assert listener.stdout is not None
    listener.terminate()
    # Not `communicate`, which may pass over what `readline` has read ahead.
    packets = [json.loads(line)["time"] for line in listener.stdout]
    listener.wait()
    return packets


def gaps(times: list[float]) -> list[float]:
    """The seconds before each."""
    return [now - before for before, now in itertools.pairwise([-math.inf, *times])]


def listening(hosts: Hosts) -> subprocess.Popen[str]:
    listener = hosts.popen("b", [sys.executable, str(LISTENER), hosts.address["b"]])
    assert listener.stdout is not None
    assert json.loads(listener.stdout.readline()) == {"ready": True}
    return listener


def test_twenty_flaps_in_ten_seconds_are_at_most_five_announcements_and_all_is_well_after(
    two_hosts: Hosts, friends: Two, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, bob = friends
    two_hosts.no_ipv6()
    first = listening(two_hosts)
    anna.start()
    assert first.stdout is not None
    assert json.loads(first.stdout.readline())["instances"]  # what is counted below is heard
    time.sleep(ANNOUNCED_SECONDS)  # what is measured is the wire, in its own time

    listener = listening(two_hosts)
    begun = time.monotonic()
    for number in range(FLAPS):
        for half, direction in enumerate(("down", "up")):
            moment = begun + (2 * number + half) * SECONDS / (2 * FLAPS)
            time.sleep(max(0.0, moment - time.monotonic()))
            two_hosts.ip("a", "link", "set", two_hosts.link, direction)
    flapped = time.monotonic() - begun
    assert listener.stdout is not None
    one = json.loads(listener.stdout.readline())["time"]  # a busy machine may take its time
    time.sleep(SETTLED_SECONDS)
    packets = [one, *heard(listener)]
    announcements = sum(1 for each in gaps(packets) if each > ONE_ANNOUNCEMENT)
    tell(
        capsys,
        seconds_of_flapping=round(flapped, 2),
        announcements=announcements,
        packets=len(packets),
    )
    assert 1 <= announcements <= 5

    bob.start()
    watch = Stopwatch()
    until_linked(bob, anna)
    tell(capsys, seconds_until_linked=watch.seconds())
    is_well(anna)
