"""Peers that stop, read too slowly or have no room: named, retried or refused, others go on.

The daemons here are less patient than usual, so that what they wait for comes within a test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from kinlight.crypto.blob import MAX_PIECES
from kinlight.crypto.pairing import Code
from kinlight.node import Node
from kinlight.node.link import Link
from kinlight.node.mallory import Mallory
from kinlight.node.pipes import PathKind, Pipe
from kinlight.node.views import Event
from kinlight.protocol import limits
from kinlight.protocol.messages import Fetch, Message, Offer
from kinlight.protocol.opening import Pinned
from kinlight.protocol.photo import Envelope

from .conftest import Couple
from .enemies import befriend
from .footprint import numbers, resting
from .household import Household, Person, is_well, together
from .pictures import noise, picture
from .test_full_disk import SmallDisk

OFFERS = 3
IMPATIENT = f"""
from kinlight.node import inbox, link
from kinlight.protocol import limits
link.PING_SECONDS, link.SILENCE_SECONDS, inbox.RETRY_SECONDS = 2.0, 6.0, 1.0
limits.OFFERS_PER_CONTACT = {OFFERS}
from kinlight.node.cli import main
main()
"""
LARGE = 30_000_000
"""Bytes of a photo that no buffers on the way can hold."""


def start(*people: Person) -> None:
    """Start impatient daemons."""
    program = (sys.executable, "-c", IMPATIENT)
    together(*(lambda person=person: person.start_with(program) for person in people))


def wait_for_links(person: Person, *names: str) -> None:
    """Until just these contacts are connected."""

    async def connected(node: Node) -> set[str]:
        return {link.contact for link in (await node.status()).connections}

    person.until(connected, lambda found: found == set(names))


async def until(
    node: Node, begin: Callable[[], Awaitable[None]], fits: Callable[[Event], bool]
) -> None:
    """Do something, and wait for what the daemon says then."""
    async with contextlib.aclosing(node.events()) as events:
        async for event in events:
            if event.name == "listening":
                await begin()
            elif fits(event):
                return
    raise AssertionError("the daemon ended")


def test_a_peer_that_stops_is_noticed_holds_up_nobody_and_gets_the_photo_later(
    couple: Couple, household: Household, tmp_path: Path
) -> None:
    anna, bob = couple
    carol = household.person("Carol")
    together(lambda: start(anna, bob), lambda: carol.make())
    household.introduce(anna, carol)
    carol.run("contacts", "accept-from", "Anna", "always")
    large, small = (noise(tmp_path / f"{n}.jpg", n, n) for n in (LARGE, 100_000))
    wait_for_links(anna, "Bob", "Carol")
    before = resting(anna)
    photos: list[str] = []

    async def stop_midway(node: Node) -> None:
        async def share() -> None:
            (item,) = await node.share(large, "Bob", metadata="original", wait=False)
            photos.append(item.photo_id or "")

        await until(node, share, lambda event: event.name == "sending")
        os.kill(bob.pid, signal.SIGSTOP)

    anna.ask(stop_midway)
    try:
        (item,) = anna.ask(lambda node: node.share(small, "Carol", metadata="original"))
        assert item.state == "delivered"
        wait_for_links(anna, "Carol")
        (delivery,) = anna.ask(lambda node: node.get(photos[0])).deliveries
        assert delivery.state == "offered"
    finally:
        os.kill(bob.pid, signal.SIGCONT)
    bob.received(photos[0])
    bob.has_whole({photos[0]: large}, tmp_path / "out")
    wait_for_links(anna, "Bob", "Carol")
    resting(anna, no_more_than=before)
    is_well(anna)
    is_well(bob)


class SlowPipe:
    """A pipe of which one byte a second is read once it is `slow`."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._held = b""
        self.path: PathKind = pipe.path
        self.remote = pipe.remote
        self.local = pipe.local
        self.transport = pipe.transport
        self.slow = False

    async def read(self) -> bytes:
        if self.slow:
            await asyncio.sleep(1)  # what it is about, and nothing waits for it
            self._held = self._held or await self._pipe.read()
            byte, self._held = self._held[:1], self._held[1:]
            return byte
        return await self._pipe.read()

    async def write(self, data: bytes) -> None:
        await self._pipe.write(data)

    async def close(self) -> None:
        await self._pipe.close()


class SlowReader(Mallory):
    """A contact that asks for everything and reads next to nothing."""

    pipe: SlowPipe | None = None

    async def dial(self, to: Code | tuple[Pinned, ...]) -> Link:
        link = await super().dial(to)
        self.pipe = SlowPipe(link.pipe)
        return Link(self.pipe, link.session)


async def test_a_peer_that_reads_a_byte_a_second_is_given_up_and_holds_up_nobody(
    couple: Couple, tmp_path: Path
) -> None:
    anna, bob = couple
    await asyncio.to_thread(start, anna, bob)
    await asyncio.to_thread(wait_for_links, anna, "Bob")
    large, small = (noise(tmp_path / f"{n}.jpg", n, n) for n in (LARGE, 100_000))
    async with Node.connect(anna.home) as node:
        mallory = await befriend(node, SlowReader)
        before = await asyncio.to_thread(resting, anna)
        async with mallory.connected() as conversation:
            (item,) = await node.share(large, "Mallory", metadata="original", wait=False)
            offer = await conversation.wait_for(Offer)
            device = conversation.link.peer.device
            envelope = Envelope.open(offer.envelope, mallory.device, device)
            everything: Message = Fetch(
                1, envelope.record.photo_id, envelope.record.content_id,
                envelope.capability.encoded, True, ((0, MAX_PIECES),), limits.CREDIT,
            )  # fmt: skip

            async def ask() -> None:
                assert mallory.pipe is not None
                mallory.pipe.slow = True
                await conversation.say(everything)
                (quick,) = await node.share(small, "Bob", metadata="original")
                assert quick.state == "delivered"

            await until(
                node,
                ask,
                lambda event: event.name == "disconnected" and event.data["contact"] == "Mallory",
            )
        assert item.photo_id is not None
        (delivery,) = (await node.get(item.photo_id)).deliveries
        assert delivery.state == "queued"  # she did not say that she has the offer
        await node.remove(item.photo_id, force=True)
    await asyncio.to_thread(resting, anna, no_more_than=before)
    is_well(anna)


def test_more_offers_than_one_contact_may_have_waiting_are_refused_and_come_later(
    couple: Couple, tmp_path: Path
) -> None:
    anna, bob = couple
    start(anna, bob)
    bob.run("contacts", "accept-from", "Anna", "ask")
    wait_for_links(anna, "Bob")
    files = [picture(tmp_path / f"{number}.jpg", number) for number in range(OFFERS + 2)]
    items = anna.share(files, bob, code=1)
    put_off = [item for item in items if item["code"] == "busy"]
    assert len(put_off) == 2  # which ones is nobody's business: many are offered at a time
    for item in put_off:
        assert item["state"] == "offered"
        assert "it will be tried again" in item["message"]
    assert {item["state"] for item in items if item not in put_off} == {"waiting"}
    found = bob.ask(lambda node: node.metrics())
    assert numbers(found)["refusals_total busy offer"] == 2
    for item in bob.inbox():
        bob.run("inbox", "accept", item["id"])
    bob.run("contacts", "accept-from", "Anna", "always")
    bob.stop()
    start(bob)
    for item in items:
        bob.received(item["photo_id"])
    is_well(anna)
    is_well(bob)


def read_only(disk: Path, *, ends: bool = False) -> None:
    """Make a `small_disk` read-only, or writable again."""
    mode = "rw" if ends else "ro"
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)


def test_a_read_only_home_is_named_when_the_daemon_starts(
    small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    disk = small_disk(household.folder / "bob", 20)
    paired.copy(household.folder)
    bob = household.person("Bob")
    read_only(disk)
    refused = bob.run("up", "--passphrase-file", bob.passphrase_file, code=7)
    assert refused.error == "home-unusable"
    assert "read-only" in refused.message.lower()
    read_only(disk, ends=True)
    assert bob.start().value["locked"] is False


def test_a_disk_that_turns_read_only_is_named_at_both_sides_and_the_photo_comes_later(
    tmp_path: Path, small_disk: SmallDisk, household: Household, paired: Household
) -> None:
    disk = small_disk(household.folder / "bob" / "blobs", 20)
    paired.copy(household.folder)
    anna, bob = household.person("Anna"), household.person("Bob")
    start(anna, bob)
    wait_for_links(anna, "Bob")
    read_only(disk)
    photo = noise(tmp_path / "beach.jpg", 900_000, 1)
    (item,) = anna.share([photo], bob, code=1)
    assert (item["state"], item["code"]) == ("offered", "peer-failed")
    (offer,) = bob.inbox()
    assert (offer["state"], offer["code"]) == ("accepted", "home-unusable")
    (own,) = bob.run("share", photo, "--with", "Anna", "--metadata", "original", code=1).values
    assert (own["state"], own["code"]) == ("failed", "home-unusable")
    read_only(disk, ends=True)
    bob.received(item["photo_id"])
    bob.has_whole({item["photo_id"]: photo}, tmp_path / "out")
    is_well(anna)
    is_well(bob)
