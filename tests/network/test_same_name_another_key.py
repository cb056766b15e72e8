"""Somebody on the link announces a friend's node as their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ..scenario.household import Person, is_well
from .conftest import Hosts, Two
from .links import Stopwatch, shares, tell, until_linked

pytestmark = pytest.mark.netns

HERE = Path(__file__).parent


@pytest.fixture
def mallory(two_hosts: Hosts, friends: Two) -> Person:
    """A node with a key of its own on Anna's host; it doesn't announce itself."""
    anna, _ = friends
    inside = ("ip", "netns", "exec", two_hosts.namespace["a"])
    person = anna.household.person("Mallory", inside=inside)
    person.home.mkdir(mode=0o700)
    (person.home / "config.toml").write_text("[network]\ndiscovery = false\n")
    person.make()
    return person


def test_a_known_name_that_leads_to_another_key_fools_nobody_and_the_friend_is_reached(
    two_hosts: Hosts,
    friends: Two,
    mallory: Person,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    anna, bob = friends
    two_hosts.no_ipv6()
    here, there = two_hosts.address["a"], two_hosts.address["b"]
    listener = two_hosts.popen("b", [sys.executable, str(HERE / "announcement_listener.py"), there])
    assert listener.stdout is not None
    assert json.loads(listener.stdout.readline()) == {"ready": True}
    anna.start()
    (instance,) = json.loads(listener.stdout.readline())["instances"]
    listener.terminate()
    bob.start()
    until_linked(bob, anna)
    announcer = [sys.executable, str(HERE / "false_announcer.py"), here, instance]
    liar = two_hosts.popen("a", [*announcer, here, str(mallory.port)])
    assert liar.stdout is not None
    assert liar.stdout.readline() == "lying\n"

    bob.stop()
    bob.start()
    watch = Stopwatch()
    link = until_linked(bob, anna)
    tell(capsys, seconds_until_linked=watch.seconds())
    assert not link.address.endswith(f":{mallory.port}")
    shares(anna, bob, tmp_path, 1)
    status = bob.run("status").value
    assert [each["contact"] for each in status["connections"]] == ["Anna"]
    assert status["nodes_seen"] <= 2
    assert mallory.run("status").value["connections"] == []
    assert mallory.run("contacts", "list").values == []
    for person in (anna, bob, mallory):
        is_well(person)
