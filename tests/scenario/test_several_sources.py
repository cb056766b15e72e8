"""A large photo that its author and somebody who passes it on send to a third at a time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from kinlight.node import Node
from kinlight.node.views_library import PhotoDetails
from kinlight.node.views_sharing import ShareItem
from kinlight.protocol import limits

from .conftest import Couple
from .footprint import numbers
from .household import KINLIGHT, Household, Person, is_well, together
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

    def __init__(
        self, household: Household, couple: Couple, path: Path, bobs: Sequence[str]
    ) -> None:
        self.path = path
        self.anna, self.bob = couple
        self.carol = household.person("Carol")
        together(
            lambda: self.anna.start_with((sys.executable, "-c", SLOW)),
            lambda: self.bob.start_with(bobs),
            self.carol.make,
        )
        for host in couple:
            household.introduce(host, self.carol)
            self.carol.ask(lambda node, name=host.name: node.update_contact(name, accept="always"))
        wait_for_links(self.carol, "Anna", "Bob")
        wait_for_links(self.anna, "Bob", "Carol")
        self.photo: str = self.anna.run("import", path, "--no-albums").value["id"]
        (item,) = self.anna.ask(self._to_bob)
        assert item.state == "delivered"

    async def _to_bob(self, node: Node) -> list[ShareItem]:
        pass_on = ["view", "reshare"]
        return await node.grant([self.photo], ["Bob"], operations=pass_on, metadata="original")

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


def sent(person: Person) -> int:
    """Pieces that the daemon has sent since it started."""
    found = numbers(person.ask(lambda node: node.metrics()))
    return int(found["pieces_sent_total"])


@pytest.mark.timeout(300)
def test_both_send_their_part_and_who_stops_holds_up_nobody(
    household: Household, couple: Couple, tmp_path: Path
) -> None:
    trio = Trio(household, couple, noise(tmp_path / "large.jpg", LARGE, 1), KINLIGHT)
    before = sent(trio.anna)
    with trio.stopped_midway():
        assert trio.passed_on().state == "delivered"
        trio.carol.has_whole({trio.photo: trio.path}, tmp_path / "out")
    trio.delivered_by_anna()
    pieces = -(-LARGE // 262_144)
    of_anna, of_bob = sent(trio.anna) - before, sent(trio.bob)
    assert of_anna > 1
    assert of_bob > 1
    padding = pieces // 8
    assert of_anna + of_bob <= pieces + padding + limits.CREDIT
    for person in (trio.anna, trio.bob, trio.carol):
        is_well(person)


@pytest.mark.timeout(300)
def test_who_lies_is_named_and_the_photo_comes_from_the_other(
    household: Household, couple: Couple, tmp_path: Path
) -> None:
    liar = (sys.executable, "-c", LIAR)
    trio = Trio(household, couple, noise(tmp_path / "large.jpg", LARGE, 1), liar)
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
