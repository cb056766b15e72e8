"""A machine gets another address while it is connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scenario.household import is_well, together
from .conftest import Hosts, Two
from .links import Stopwatch, shares, tell, until_linked

pytestmark = pytest.mark.netns

NEW = "10.77.0.11"


def test_friends_are_connected_again_ten_seconds_after_an_address_changed(
    two_hosts: Hosts, friends: Two, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anna, bob = friends
    two_hosts.no_ipv6()
    together(anna.start, bob.start)
    assert until_linked(bob, anna).address.startswith(two_hosts.address["a"])
    watch = Stopwatch()
    two_hosts.ip("a", "addr", "flush", "dev", two_hosts.link)
    two_hosts.ip("a", "addr", "add", f"{NEW}/{two_hosts.prefix}", "dev", two_hosts.link)
    until_linked(bob, anna, lambda link: link.address.startswith(f"{NEW}:"))
    until_linked(anna, bob)
    back = watch.seconds()
    shares(anna, bob, tmp_path, 1)
    tell(capsys, seconds_until_back=back, seconds_for_a_photo=watch.seconds())
    assert back < 10
    shares(bob, anna, tmp_path, 2)
    is_well(anna)
    is_well(bob)
