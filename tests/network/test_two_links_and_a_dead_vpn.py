"""Two machines with two cables between them, and VPNs on which nobody answers any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scenario.household import is_well, together
from .conftest import Hosts, Two
from .links import Stopwatch, shares, tell, until_linked

pytestmark = pytest.mark.netns


def test_a_dead_vpn_costs_nothing_and_when_one_cable_is_out_the_other_takes_over(
    two_hosts: Hosts, friends: Two, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, bob = friends
    two_hosts.no_ipv6()
    two_hosts.join("veth1", "10.78.0")
    for host, number in (("a", 1), ("b", 2)):
        # The one is no VPN by its name: it is announced, and its address comes first of all.
        two_hosts.dead_end(host, "corp0", f"10.70.0.{number}")
        two_hosts.dead_end(host, "wg0", f"10.71.0.{number}")
    together(anna.start, bob.start)
    watch = Stopwatch()
    first = until_linked(bob, anna)
    found = watch.seconds()
    # Where both had dialled, the other link may be the one that stays.
    while f"lan  {first.address} via {first.interface}" not in bob.screen("status"):
        first = until_linked(bob, anna)
    assert first.interface in (two_hosts.link, "veth1")
    shares(anna, bob, tmp_path, 1)

    watch = Stopwatch()
    two_hosts.ip("a", "link", "set", first.interface, "down")
    second = until_linked(bob, anna, lambda link: link.interface != first.interface)
    until_linked(anna, bob, lambda link: link.interface != first.interface)
    moved = watch.seconds()
    assert {first.interface, second.interface} == {two_hosts.link, "veth1"}
    shares(anna, bob, tmp_path, 2)
    tell(capsys, seconds_until_linked=found, seconds_to_the_other_cable=moved)
    assert moved < 15
    assert [two_hosts.sent_packets(host, "wg0") for host in ("a", "b")] == [0, 0]
    is_well(anna)
    is_well(bob)
