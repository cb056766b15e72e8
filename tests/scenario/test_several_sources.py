"""A large photo that its author and somebody who passes it on send to a third at a time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kinlight.node import Node
from kinlight.node.views import PhotoDetails, ShareItem
from kinlight.protocol import limits

from .footprint import numbers
from .household import Household, Person, is_well, together
from .pictures import noise
from .test_stalled import until, wait_for_links

LARGE = 40_000_000
SLOW = """
import asyncio
from kinlight.node import tcp
write = tcp.TcpPipe.write
async def slowly(pipe, data):
    await asyncio.sleep(len(data) / 8e6)
    await write(pipe, data)
tcp.TcpPipe.write = slowly
from kinlight.node.cli import main
main()
"""
"""A daemon that sends 8 MB a second, so that it can be stopped in the middle."""
LIAR = """
from kinlight.node import serving
from kinlight.node.mallory import flip_byte
from kinlight.protocol.messages import Piece
serving.Piece = lambda request, index, data: Piece(request, index, flip_byte(data))
from kinlight.node.cli import main
main()
"""


class Trio:
    """Anna's photo, which Bob has and may pass on, is to come to Carol, who knows both."""

    def __init__(self, household: Household, folder: Path) -> None:
        self.path = noise(folder / "large.jpg", LARGE, 1)
        people = [household.person(name) for name in ("Anna", "Bob", "Carol")]
        together(*(person.make for person in people))
        self.anna, self.bob, self.carol = people
        for host, guest in ((self.anna, self.bob), (self.anna, self.carol), (self.bob, self.carol)):
            household.introduce(host, guest)
        for person, sender in ((self.bob, "Anna"), (self.carol, "Anna"), (self.carol, "Bob")):
            person.run("contacts", "accept-from", sender, "always")
        self.photo: str = self.anna.run("import", self.path, "--no-albums").value["id"]
        self.anna.run(
            "grant", "--who", "Bob", "--photo", self.photo, "--metadata", "original",
            "--op", "view,reshare", "--until", "30d",
        )  # fmt: skip
        self.bob.received(self.photo)

    def restart(self, person: Person, program: str, *links: str) -> None:
        person.stop()
        person.start_with((sys.executable, "-c", program))
        wait_for_links(person, *links)

    @contextmanager
    def stopped_midway(self) -> Generator[None]:
        """Anna sends to Carol and stops in the middle; at the end of the block she goes on."""

        async def grant(node: Node) -> None:
            async def begin() -> None:
                await node.grant([self.photo], ["Carol"], metadata="original", wait=False)

            await until(
                node,
                begin,
                lambda event: event.name == "sending" and int(str(event.data["of"])) > 1,
            )

        pid = self.anna.pid
        self.anna.ask(grant)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def passed_on(self) -> ShareItem:
        (item,) = self.bob.ask(lambda node: node.delegate([self.photo], ["Carol"]))
        return item

    def delivered_by_anna(self) -> None:
        def to_carol(photo: PhotoDetails) -> bool:
            states = {item.to: item.state for item in photo.deliveries}
            return states["Carol"] == "delivered"

        self.anna.until(lambda node: node.get(self.photo), to_carol)


@pytest.fixture
def trio(household: Household, tmp_path: Path) -> Trio:
    return Trio(household, tmp_path)


def sent(person: Person) -> int:
    """Pieces that the daemon has sent since it started."""
    found = numbers(person.ask(lambda node: node.metrics()))
    return int(found["pieces_sent_total"])


@pytest.mark.timeout(300)
def test_both_send_their_part_and_who_stops_holds_up_nobody(trio: Trio, tmp_path: Path) -> None:
    trio.restart(trio.anna, SLOW, "Bob", "Carol")
    with trio.stopped_midway():
        assert trio.passed_on().state == "delivered"
        trio.carol.has_whole({trio.photo: trio.path}, tmp_path / "out")
    trio.delivered_by_anna()
    pieces = -(-LARGE // 262_144)
    assert sent(trio.anna) > 1
    assert sent(trio.bob) > pieces // 2
    padding = pieces // 8
    assert sent(trio.anna) + sent(trio.bob) <= pieces + padding + limits.CREDIT
    for person in (trio.anna, trio.bob, trio.carol):
        is_well(person)


@pytest.mark.timeout(300)
def test_who_lies_is_named_and_the_photo_comes_from_the_other(trio: Trio, tmp_path: Path) -> None:
    trio.restart(trio.bob, LIAR, "Anna", "Carol")
    trio.restart(trio.anna, SLOW, "Bob", "Carol")
    with trio.stopped_midway():
        lie = trio.passed_on()
        assert (lie.state, lie.code) == ("refused", "piece-mismatch")
    trio.delivered_by_anna()
    trio.carol.has_whole({trio.photo: trio.path}, tmp_path / "out")
    offers = {item["sender"]: (item["state"], item["code"]) for item in trio.carol.inbox()}
    assert offers == {"Anna": ("stored", None), "Bob": ("refused", "piece-mismatch")}
    found = numbers(trio.carol.ask(lambda node: node.metrics()))
    assert found["refusals_total piece-mismatch fetch"] == 1
    assert "piece-mismatch" in trio.carol.log()
    for person in (trio.anna, trio.bob, trio.carol):
        is_well(person)
