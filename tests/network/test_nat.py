"""Two people behind routers meet by tickets through a friend, and share through him."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.node import Node

from ..conftest import RecordFigure
from ..scenario.household import Household, Person, is_well, together
from ..scenario.pictures import noise
from .homes import FRED, Homes, homes
from .links import until_linked

pytestmark = pytest.mark.netns

PORT = 4712
RELAYED = "/p2p-circuit/"


@dataclass
class Far:
    """Anna and Bob at their homes, Fred at his, all with nodes in the wide area."""

    anna: Person
    bob: Person
    fred: Person
    homes: Homes


@pytest.fixture
def far(_namespaces: None, tmp_path: Path, runtime: Path) -> Iterator[Far]:
    with homes() as made:
        household = Household(tmp_path, runtime)
        anna, bob, fred = (
            household.person(name, inside=made.inside(name.lower()))
            for name in ("Anna", "Bob", "Fred")
        )
        made.forward(PORT)
        try:
            together(anna.make, bob.make, fred.make)
            fred.stop()
            (fred.home / "config.toml").write_text(f"[wide]\nport = {PORT}\n")
            fred.start()
            fred.run("relay")
            for person in (anna, bob):
                person.run("wide", "--on")
            yield Far(anna, bob, fred, made)
        finally:
            household.close()


def until_relayed(person: Person) -> str:
    """Wait for an address of theirs that leads through somebody."""

    async def addresses(node: Node) -> list[str]:
        return (await node.wide()).addresses

    found = person.until(addresses, lambda found: any(RELAYED in each for each in found))
    return next(each for each in found if RELAYED in each)


def meet(far: Far, path: str) -> None:
    """Both become contacts of Fred, then of each other, by tickets alone; and how that ends up."""
    address = next(each for each in far.fred.run("wide").value["addresses"] if FRED in each)
    ticket = far.fred.run("ticket", "new", "--uses", "2", "--at", address).value["text"]
    for person in (far.anna, far.bob):
        person.run("pair", ticket)
        until_linked(person, far.fred, lambda link: link.path == "direct")
    assert until_relayed(far.anna).startswith(address)
    made = far.anna.run("ticket", "new").value
    assert RELAYED in made["addresses"][0]
    far.bob.run("pair", made["text"])
    far.bob.run("contacts", "accept-from", "Anna", "always")
    until_linked(far.bob, far.anna, lambda link: link.path == path)
    until_linked(far.anna, far.bob, lambda link: link.path == path)


def shares(far: Far, folder: Path, count: int, size: int) -> float:
    """Anna's photos reach Bob as they were, through Fred; the seconds that it took."""
    photos = [noise(folder / "photos" / f"{number}.jpg", size, number) for number in range(count)]
    begun = time.monotonic()
    items = far.anna.share(photos, far.bob)
    seconds = time.monotonic() - begun
    assert [item["state"] for item in items] == ["delivered"] * count
    sent = dict(zip((item["photo_id"] for item in items), photos, strict=True))
    far.bob.has_whole(sent, folder / "out")
    assert not far.fred.inbox()
    return seconds


def relayed(far: Far) -> int:
    """The bytes that went through Fred so far."""
    return far.fred.run("relay", "--status").value["bytes_relayed"]


def reaches(far: Far, name: str, host: str, port: int) -> bool:
    """Whether a plain TCP connection comes about."""
    code = f"import socket; socket.create_connection(({host!r}, {port}), 2)"
    argv = [*far.homes.inside(name), sys.executable, "-c", code]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


@pytest.mark.timeout(600)  # some twenty commands, each a process of its own
def test_two_behind_routers_meet_and_share_through_a_friend(far: Far, tmp_path: Path) -> None:
    assert reaches(far, "anna", FRED, PORT)
    assert not reaches(far, "anna", FRED, far.fred.port)
    assert not reaches(far, "bob", "203.0.113.1", far.anna.port)
    far.homes.keep_apart()
    meet(far, "relay")
    shares(far, tmp_path, 4, 500_000)
    assert relayed(far) > 2_000_000

    # Nobody types anything again after a restart.
    together(far.anna.stop, far.bob.stop)
    together(far.anna.start, far.bob.start)
    until_linked(far.bob, far.anna, lambda link: link.path == "relay")
    for person in (far.anna, far.bob, far.fred):
        is_well(person)


@pytest.mark.timeout(600)
def test_routers_that_drop_what_nobody_asked_for_let_two_through_who_dial_at_once(
    far: Far, tmp_path: Path
) -> None:
    assert not reaches(far, "bob", "203.0.113.1", far.anna.port)
    meet(far, "direct")
    before = relayed(far)
    shares(far, tmp_path, 4, 500_000)
    assert relayed(far) - before < 1_000_000
    for person in (far.anna, far.bob, far.fred):
        is_well(person)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", ["relay", "direct"])
def test_a_hundred_megabytes_between_two_homes(
    far: Far, tmp_path: Path, record_figure: RecordFigure, path: str
) -> None:
    if path == "relay":
        far.homes.keep_apart()
    meet(far, path)
    seconds = shares(far, tmp_path, 20, 5_000_000)
    record_figure(f"100 MB between two homes behind routers, {path}", 100 / seconds, "MB/s")
