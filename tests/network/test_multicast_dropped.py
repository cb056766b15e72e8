"""A network that lets no multicast through: guests' Wi-Fi, for instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scenario.household import is_well, together
from ..scenario.pictures import noise
from .conftest import Hosts, Two
from .links import shares, until_linked, until_refused

pytestmark = pytest.mark.netns


def test_where_multicast_vanishes_an_address_connects_and_after_a_restart_the_last_one_does(
    two_hosts: Hosts, friends: Two, tmp_path: Path
) -> None:
    anna, bob = friends
    two_hosts.no_ipv6()
    two_hosts.block("-p", "udp", "--dport", "5353")
    together(anna.start, bob.start)
    bob.eventually(lambda node: node.status(), lambda found: not found.looking)
    screen = bob.screen("status")
    assert "nobody is there, or this network blocks multicast" in screen
    assert "Anna  not connected, last here" in screen
    wrong = bob.run("contacts", "reach", "Anna", f"{two_hosts.address['a']}:9", code=1)
    assert wrong.error == "unreachable"

    address = f"{two_hosts.address['a']}:{anna.port}"
    assert bob.run("contacts", "reach", "Anna", address).value["connected"]
    screen = bob.screen("status")
    assert "No other node is in sight although contacts are connected" in screen
    assert f"Anna  lan  {address} via {two_hosts.link}" in screen
    shares(anna, bob, tmp_path, 1)

    bob.stop()
    bob.start()
    assert until_linked(bob, anna).address == address
    anna.stop()
    until_refused(bob, address)
    assert f"nobody listens at {address}" in bob.screen("status")
    is_well(bob)


def test_where_no_interface_can_send_multicast_status_says_so_and_an_address_pairs(
    two_hosts: Hosts, apart: Two, tmp_path: Path
) -> None:
    anna, bob = apart
    for host in two_hosts.namespace:
        two_hosts.ip(host, "link", "set", two_hosts.link, "multicast", "off")
    together(anna.make, bob.make)
    status = anna.run("status").value
    assert two_hosts.link in status["discovery_reason"]
    assert two_hosts.link in anna.screen("status")
    anna.household.introduce(anna, bob, at=two_hosts.address["a"])
    bob.run("contacts", "accept-from", "Anna", "always")
    (item,) = anna.share([noise(tmp_path / "photo.jpg", 100_000, 1)], bob)
    assert item["state"] == "delivered"
