"""Two daemons on two hosts of a network of their own: they find each other and share."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from kinlight.node import Node

from ..scenario.household import sha256, together
from ..scenario.pictures import noise
from ..scenario.test_stalled import start, wait_for_links
from .conftest import Hosts, Two

pytestmark = pytest.mark.netns


def seconds_until_seen(people: Two) -> float:
    """From now until each has the other in sight."""

    async def sees(node: Node) -> None:
        while (await node.status()).nodes_seen == 0:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.02)

    begun = time.monotonic()
    together(*(lambda person=person: person.ask(sees) for person in people))
    return round(time.monotonic() - begun, 2)


def test_two_daemons_find_each_other_pair_and_share_20_megabytes(
    apart: Two, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, bob = apart
    together(anna.make, bob.make)
    seen = seconds_until_seen(apart)
    begun = time.monotonic()
    anna.household.introduce(anna, bob, at=None)
    paired = round(time.monotonic() - begun, 2)
    bob.run("contacts", "accept-from", "Anna", "always")
    photo = noise(tmp_path / "photo.jpg", 20_000_000, 1)
    begun = time.monotonic()
    (item,) = anna.share([photo], bob)
    shared = round(time.monotonic() - begun, 2)
    assert item["state"] == "delivered"
    assert sha256(bob.exported(item["photo_id"], tmp_path / "out")) == sha256(photo)
    assert [link["path"] for link in bob.run("status").value["connections"]] == ["lan"]
    figures = {"seconds_until_seen": seen, "seconds_to_pair": paired, "seconds_for_20_mb": shared}
    with capsys.disabled():
        print(json.dumps(figures), file=sys.stderr)
    assert seen < 30


def test_a_photo_goes_on_by_itself_after_the_cable_was_out(
    two_hosts: Hosts, apart: Two, tmp_path: Path
) -> None:
    anna, bob = apart
    together(anna.make, bob.make)
    anna.household.introduce(anna, bob, at=None)
    photo = noise(tmp_path / "photo.jpg", 60_000_000, 1)
    (item,) = anna.share([photo], bob)
    assert item["state"] == "waiting"

    async def until_half(node: Node) -> None:
        async for event in node.events():
            if event.name == "listening":
                bob.popen("inbox", "accept", item["photo_id"])
            done, total = event.data.get("pieces"), event.data.get("of")
            if isinstance(done, int) and isinstance(total, int) and 2 * done >= total:
                return

    bob.ask(until_half)
    two_hosts.ip("b", "link", "set", two_hosts.link, "down")
    (offer,) = bob.inbox()
    two_hosts.ip("b", "link", "set", two_hosts.link, "up")
    assert offer["state"] in ("accepted", "stored")
    assert bob.received(item["photo_id"])["sha256"] == sha256(photo)
    anna.until(
        lambda node: node.get(item["photo_id"]), lambda own: own.deliveries[0].state == "delivered"
    )
    assert photo.stat().st_size == 60_000_000


@pytest.mark.nightly
def test_a_link_that_is_half_open_is_noticed_and_what_is_shared_meanwhile_comes_later(
    two_hosts: Hosts, apart: Two, tmp_path: Path
) -> None:
    anna, bob = apart
    together(anna.make, bob.make)
    anna.household.introduce(anna, bob, at=None)
    bob.run("contacts", "accept-from", "Anna", "always")
    together(anna.stop, bob.stop)
    start(anna, bob)
    wait_for_links(anna, "Bob")
    two_hosts.ip("b", "link", "set", two_hosts.link, "down")
    wait_for_links(anna)  # no end of the connection came: only silence tells
    photo = noise(tmp_path / "photo.jpg", 3_000_000, 1)
    item = anna.run("share", photo, "--with", "Bob", "--metadata", "original", "--no-wait").value
    assert item["state"] == "queued"
    two_hosts.ip("b", "link", "set", two_hosts.link, "up")
    assert bob.received(item["photo_id"])["sha256"] == sha256(photo)
