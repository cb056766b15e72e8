"""Of two ways between two machines one swallows packets, all or the large ones, without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scenario.household import is_well
from .conftest import Hosts, Two
from .links import Stopwatch, shares, tell, until_linked

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    "swallowed", [(), ("-m", "length", "--length", "400:65535")], ids=["all", "the large ones"]
)
def test_the_other_way_is_used_at_once(
    swallowed: tuple[str, ...],
    two_hosts: Hosts,
    friends: Two,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    anna, bob = friends
    two_hosts.no_ipv6()
    two_hosts.join("veth1", "10.78.0")
    two_hosts.block("-i", two_hosts.link, "-p", "tcp", *swallowed)
    bob.start()
    watch = Stopwatch()
    anna.start()
    started = watch.seconds()
    until_linked(bob, anna, lambda link: link.interface == "veth1")
    linked = watch.seconds()
    shares(anna, bob, tmp_path, 1)
    tell(capsys, seconds_to_start=started, seconds_until_linked=linked)
    assert linked < 10
    is_well(anna)
    is_well(bob)
