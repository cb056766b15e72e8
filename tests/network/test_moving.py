"""Two people who both get a new address while the other is off meet again through a friend."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.node import Node

from ..scenario.household import Household, Person, is_well, together
from .links import until_linked

pytestmark = pytest.mark.netns

PORT = 4712
FRED = "203.0.113.9"
FIRST = {"anna": "203.0.113.1", "bob": "203.0.113.2", "fred": FRED}
LATER = {"anna": "203.0.113.11", "bob": "203.0.113.12"}


class Town:
    """A namespace each for Anna, Bob and Fred, at a bridge in a fourth one."""

    def __init__(self) -> None:
        token = secrets.token_hex(4)
        self._namespace = {
            name: f"kinlight-{token}-{name}" for name in ("town", "anna", "bob", "fred")
        }

    def inside(self, name: str) -> tuple[str, ...]:
        """What a command is put behind to run at that place."""
        return "ip", "netns", "exec", self._namespace[name]

    def raise_up(self) -> None:
        """Make all of it. The port of the wide area is the only one that lets anybody in."""
        for name in self._namespace.values():
            _run("ip", "netns", "add", name)
        self._in("town", "ip", "link", "add", "wire", "type", "bridge")
        self._in("town", "ip", "link", "set", "wire", "up")
        for name, address in FIRST.items():
            self._in(name, "ip", "link", "set", "lo", "up")
            peer = ("peer", "name", name, "netns", self._namespace["town"])
            self._in(name, "ip", "link", "add", "eth0", "type", "veth", *peer)
            self._in("town", "ip", "link", "set", name, "master", "wire", "up")
            self._in(name, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
            self._in(name, "ip", "link", "set", "eth0", "up")
            for rule in (
                "-A INPUT -i eth0 -m state --state ESTABLISHED,RELATED -j ACCEPT",
                f"-A INPUT -i eth0 -p tcp --dport {PORT} -j ACCEPT",
                "-A INPUT -i eth0 -j DROP",
            ):
                self._in(name, "iptables", *rule.split())

    def move(self, name: str) -> None:
        """Give somebody another address; the one of before leads nowhere."""
        self._in(name, "ip", "addr", "add", f"{LATER[name]}/24", "dev", "eth0")
        self._in(name, "ip", "addr", "del", f"{FIRST[name]}/24", "dev", "eth0")
        self._in(name, "ip", "addr", "replace", f"{LATER[name]}/24", "dev", "eth0")

    def take_down(self) -> None:
        for name in self._namespace.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def _in(self, name: str, *words: str) -> None:
        _run(*self.inside(name), *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


@dataclass
class Far:
    """Three people in the wide area alone: the local network finds nobody."""

    anna: Person
    bob: Person
    fred: Person
    town: Town


@pytest.fixture
def far(_namespaces: None, tmp_path: Path, runtime: Path) -> Iterator[Far]:
    if shutil.which("iptables") is None:
        pytest.skip("`iptables` is not installed")
    town = Town()
    household = Household(tmp_path, runtime)
    try:
        town.raise_up()
        anna, bob, fred = people = [
            household.person(name, inside=town.inside(name.lower()))
            for name in ("Anna", "Bob", "Fred")
        ]
        together(*(each.make for each in people))
        together(*(each.stop for each in people))
        for each in people:
            settings = f"on = true\nport = {PORT}\nrelay = {str(each is fred).lower()}\n"
            text = f"[network]\ndiscovery = false\n[wide]\n{settings}"
            (each.home / "config.toml").write_text(text)
        together(*(each.start for each in people))
        yield Far(anna, bob, fred, town)
    finally:
        household.close()
        town.take_down()


def wide_address(person: Person) -> str:
    async def addresses(node: Node) -> list[str]:
        return (await node.wide()).addresses

    return person.until(addresses, lambda found: any("/p2p/" in each for each in found))[0]


def until_kept(relay: Person, count: int) -> None:
    """Wait until so many notices are kept."""

    async def notices(node: Node) -> int:
        return (await node.wide()).notices

    relay.until(notices, lambda found: found >= count)


@pytest.mark.timeout(600)  # some twenty commands, each a process of its own
def test_both_move_while_the_other_is_off_and_meet_again(far: Far) -> None:
    anna, bob, fred, town = far.anna, far.bob, far.fred, far.town
    # They meet at an address of hers that leads straight there, and know no other one.
    ticket = anna.run("ticket", "new", "--at", wide_address(anna)).value["text"]
    bob.run("pair", ticket)
    until_linked(bob, anna, lambda link: link.path == "direct")
    together(bob.stop)
    ticket = fred.run("ticket", "new", "--uses", "2", "--at", wide_address(fred)).value["text"]
    anna.run("pair", ticket)
    until_linked(anna, fred)
    together(anna.stop)
    bob.start()
    bob.run("pair", ticket)
    until_linked(bob, fred)
    bob.stop()
    # What was left so far names their first addresses, and is gone with Fred's memory.
    fred.stop()
    fred.start()

    for person, name in ((anna, "anna"), (bob, "bob")):
        town.move(name)
        person.start()
        until_linked(person, fred)
        until_kept(fred, 1 if person is anna else 2)
        person.stop()

    together(anna.start, bob.start)
    until_linked(bob, anna)
    until_linked(anna, bob)
    for person in (anna, bob, fred):
        is_well(person)
