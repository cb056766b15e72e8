"""A command that is forked behind `ip netns exec` is where one that was started would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..forks import client
from ..scenario.household import Person
from .conftest import Hosts

pytestmark = pytest.mark.netns


def _network(of: Path) -> int:
    return of.stat().st_ino


def test_a_command_and_the_daemon_that_it_starts_are_in_that_namespace(
    apart: tuple[Person, Person], two_hosts: Hosts
) -> None:
    anna, bob = apart
    for person, host in ((anna, "a"), (bob, "b")):
        person.make()
        inside = _network(Path("/run/netns", two_hosts.namespace[host]))
        assert _network(Path(f"/proc/{person.pid}/ns/net")) == inside
        assert _network(Path("/proc/self/ns/net")) != inside
        # What /sys shows is what the namespace has.
        assert {each.name for each in Path(f"/proc/{person.pid}/root/sys/class/net").iterdir()} >= {
            "lo",
            two_hosts.link,
        }


def test_a_namespace_that_does_not_exist_fails_the_command(apart: tuple[Person, Person]) -> None:
    anna, _ = apart
    argv = ["ip", "netns", "exec", "kinlight-none", *anna.argv("version", "--json")[4:]]
    process = client.popen(
        argv, env=anna.household.env, stdout=client.PIPE, stderr=client.PIPE, stdin=client.DEVNULL
    )
    out, said = process.communicate()
    assert isinstance(process, client.Forked)
    assert process.returncode
    assert not out
    assert "kinlight-none" in said
