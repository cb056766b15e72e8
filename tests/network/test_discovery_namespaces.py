from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kinlight.node.sightings import MAX_SIGHTINGS

if TYPE_CHECKING:
    from .conftest import Hosts

pytestmark = pytest.mark.netns

HERE = Path(__file__).parent
Said = dict[str, Any]


class Peer:
    """One discovery process inside a host; `until` waits for a line of its output that fits."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[Said] = []
        self._lines: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.instance: str = self.until("started")["instance"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def until(self, kind: str, fits: Callable[[Said], bool] = lambda _: True) -> Said:
        while True:
            said = self._lines.get(timeout=60)
            self.said.append(said)
            if said["kind"] == kind and fits(said):
                return said

    def sees(self, other: Peer, address: str, without: str = "") -> Said:
        """Wait until the other one is known at this address, and no longer at the one `without`."""

        def fits(said: Said) -> bool:
            hosts = {each["host"] for each in said.get("addresses", ())}
            known = said.get("instance") == other.instance
            return known and address in hosts and without not in hosts

        while True:
            said = self._lines.get(timeout=60)
            self.said.append(said)
            if fits(said):
                return said

    def looks(self, count: int) -> None:
        """Let this many looks at the interfaces happen (for a peer started with --step)."""
        for _ in range(count):
            self.tell("look")
            self.until("looking")

    def state(self) -> Said:
        self.tell("state")
        return self.until("state")

    def warnings(self) -> list[str]:
        return [said["text"] for said in self.said if said["kind"] == "log"]

    def end(self) -> None:
        self.process.kill()
        self._reader.join()


class Peers:
    """Starts peers in the two hosts and ends them."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._started: list[Peer] = []

    def start(self, host: str, *options: str) -> Peer:
        argv = [sys.executable, str(HERE / "discovery_peer.py"), *options]
        peer = Peer(self._hosts.popen(host, argv))
        self._started.append(peer)
        return peer

    def end(self) -> None:
        for peer in self._started:
            peer.end()


@pytest.fixture
def peers(two_hosts: Hosts) -> Iterator[Peers]:
    started = Peers(two_hosts)
    yield started
    started.end()


def test_two_hosts_discover_each_other(two_hosts: Hosts, peers: Peers) -> None:
    a = peers.start("a")
    b = peers.start("b")
    b.sees(a, two_hosts.address["a"])
    a.sees(b, two_hosts.address["b"])
    assert a.state()["interfaces"] == [two_hosts.link]


def test_two_hosts_without_ipv4_discover_each_other(two_hosts: Hosts, peers: Peers) -> None:
    for host in ("a", "b"):
        two_hosts.ip(host, "addr", "flush", "dev", two_hosts.link, "scope", "global")
    a = peers.start("a")
    b = peers.start("b")
    for here, there in ((a, b), (b, a)):
        said = here.until("seen", lambda said, there=there: said["instance"] == there.instance)
        assert said["addresses"][0]["host"].startswith("fe80::")
        assert said["addresses"][0]["host"].endswith(f"%{two_hosts.link}")


def test_a_pairing_slot_is_seen_by_the_other_host(two_hosts: Hosts, peers: Peers) -> None:
    a = peers.start("a")
    b = peers.start("b")
    b.sees(a, two_hosts.address["a"])
    a.tell("slot 7")
    b.until("changed", lambda said: said["slot"] == 7)
    a.tell("slot")
    b.until("changed", lambda said: said["slot"] is None)


def test_f14_after_an_address_change_both_hosts_see_each_other_again(
    two_hosts: Hosts, peers: Peers
) -> None:
    a = peers.start("a")
    b = peers.start("b")
    b.sees(a, two_hosts.address["a"])
    a.sees(b, two_hosts.address["b"])
    two_hosts.ip("a", "link", "set", two_hosts.link, "down")
    a.until("log", lambda said: "it is down" in said["text"])
    b.until("log", lambda said: "no cable" in said["text"])
    two_hosts.ip("a", "addr", "flush", "dev", two_hosts.link)
    two_hosts.ip("a", "addr", "add", "10.77.0.11/24", "dev", two_hosts.link)
    two_hosts.ip("a", "link", "set", two_hosts.link, "up")
    # The old address goes with the new announcement, not only when its time is over.
    b.sees(a, "10.77.0.11", without=two_hosts.address["a"])
    b.tell("slot 9")
    a.until("changed", lambda said: said["instance"] == b.instance and said["slot"] == 9)


@pytest.mark.nightly
def test_f14_after_twenty_seconds_without_a_link_both_hosts_see_each_other_again(
    two_hosts: Hosts, peers: Peers
) -> None:
    a = peers.start("a", "--interval", "2")
    b = peers.start("b", "--interval", "2")
    b.sees(a, two_hosts.address["a"])
    two_hosts.ip("a", "link", "set", two_hosts.link, "down")
    time.sleep(20)
    two_hosts.ip("a", "addr", "flush", "dev", two_hosts.link)
    two_hosts.ip("a", "addr", "add", "10.77.0.11/24", "dev", two_hosts.link)
    two_hosts.ip("a", "link", "set", two_hosts.link, "up")
    started = time.monotonic()
    b.sees(a, "10.77.0.11")
    b.tell("slot 9")
    a.until("changed", lambda said: said["instance"] == b.instance and said["slot"] == 9)
    assert time.monotonic() - started < 15


def test_f14_a_host_that_was_killed_is_gone_when_its_announcement_has_run_out(
    two_hosts: Hosts, peers: Peers
) -> None:
    a = peers.start("a", "--host-ttl", "3")
    b = peers.start("b")
    b.sees(a, two_hosts.address["a"])
    a.process.kill()
    b.until("gone", lambda said: said["instance"] == a.instance)


@pytest.mark.nightly
def test_a_host_that_slept_announces_itself_when_it_wakes(two_hosts: Hosts, peers: Peers) -> None:
    a = peers.start("a", "--host-ttl", "3")
    b = peers.start("b")
    b.sees(a, two_hosts.address["a"])
    a.process.send_signal(signal.SIGSTOP)
    b.until("gone", lambda said: said["instance"] == a.instance)
    time.sleep(12)
    a.process.send_signal(signal.SIGCONT)
    b.sees(a, two_hosts.address["a"])


def test_a_host_that_comes_back_after_it_was_gone_is_seen_again(
    two_hosts: Hosts, peers: Peers
) -> None:
    b = peers.start("b")
    a = peers.start("a", "--host-ttl", "3")
    b.sees(a, two_hosts.address["a"])
    a.tell("close")
    b.until("gone", lambda said: said["instance"] == a.instance)
    again = peers.start("a")
    b.sees(again, two_hosts.address["a"])


def test_f15_links_that_cannot_be_used_cost_one_warning_each_and_disturb_nobody(
    two_hosts: Hosts, peers: Peers
) -> None:
    two_hosts.no_ipv6()
    two_hosts.dead_end("a", "mute0", "10.78.0.1")
    two_hosts.ip("a", "link", "set", "mute0", "multicast", "off")
    two_hosts.dead_end("a", "off0", "10.79.0.1")
    two_hosts.ip("a", "link", "set", "off0", "down")
    a = peers.start("a", "--step")
    a.looks(20)
    b = peers.start("b")
    a.sees(b, two_hosts.address["b"])
    b.sees(a, two_hosts.address["a"])
    assert a.state()["interfaces"] == [two_hosts.link]
    assert sorted(a.warnings()) == [
        "interface mute0 is not used for discovery: it cannot send multicast",
        "interface off0 is not used for discovery: it is down",
    ]
    two_hosts.ip("a", "link", "set", "mute0", "down")
    a.looks(20)
    a.state()
    assert a.warnings()[2:] == ["interface mute0 is not used for discovery: it is down"]
    assert two_hosts.sent_packets("a", "mute0") == 0


def test_f15_only_the_interfaces_of_the_setting_see_any_packet(
    two_hosts: Hosts, peers: Peers
) -> None:
    two_hosts.no_ipv6()
    two_hosts.dead_end("a", "spare0", "10.78.0.1")
    a = peers.start("a", "--interface", two_hosts.link)
    b = peers.start("b")
    a.sees(b, two_hosts.address["b"])
    b.sees(a, two_hosts.address["a"])
    assert a.state()["interfaces"] == [two_hosts.link]
    assert two_hosts.sent_packets("a", "spare0") == 0
    assert two_hosts.sent_packets("a", two_hosts.link) > 0


def test_vpn_and_container_links_are_left_alone_unless_the_setting_names_them(
    two_hosts: Hosts, peers: Peers
) -> None:
    for number, name in enumerate(("wg0", "docker0")):
        two_hosts.dead_end("a", name, f"10.80.{number}.1")
    assert peers.start("a").state()["interfaces"] == [two_hosts.link]
    named = peers.start("a", "--interface", "wg0", "--port", "4712")
    assert named.state()["interfaces"] == ["wg0"]


def test_a_link_that_flaps_between_looks_is_announced_once_it_has_settled(
    two_hosts: Hosts, peers: Peers
) -> None:
    two_hosts.no_ipv6()
    a = peers.start("a", "--step")
    b = peers.start("b")
    a.sees(b, two_hosts.address["b"])
    for _ in range(20):
        for direction in ("down", "up"):
            two_hosts.ip("a", "link", "set", two_hosts.link, direction)
            a.looks(1)
    assert a.state()["interfaces"] == [two_hosts.link]
    assert a.warnings() == []
    two_hosts.ip("a", "addr", "add", "10.77.0.11/24", "dev", two_hosts.link)
    a.looks(2)
    b.sees(a, "10.77.0.11")


def test_a_machine_without_a_network_finds_its_own_nodes_on_loopback(
    two_hosts: Hosts, peers: Peers
) -> None:
    two_hosts.ip("a", "link", "delete", two_hosts.link)
    first = peers.start("a", "--port", "4711")
    second = peers.start("a", "--port", "4712")
    second.sees(first, "127.0.0.1")
    first.sees(second, "127.0.0.1")
    assert first.state()["interfaces"] == ["lo"]


def test_a_host_without_any_usable_interface_says_so_and_recovers(
    two_hosts: Hosts, peers: Peers
) -> None:
    two_hosts.ip("a", "link", "set", two_hosts.link, "down")
    two_hosts.ip("a", "link", "set", "lo", "down")
    a = peers.start("a")
    blocked = a.state()
    assert blocked["state"] == "blocked"
    assert f"{two_hosts.link}: it is down" in blocked["reason"]
    b = peers.start("b")
    two_hosts.ip("a", "link", "set", two_hosts.link, "up")
    b.sees(a, two_hosts.address["a"])
    a.sees(b, two_hosts.address["b"])
    recovered = a.state()
    assert recovered["state"] == "mdns"
    assert recovered["reason"] is None


def test_a_taken_multicast_port_is_said_once_and_used_as_soon_as_it_is_free(
    two_hosts: Hosts, peers: Peers
) -> None:
    take = "import socket as s; t = s.socket(s.AF_INET, s.SOCK_DGRAM); t.bind(('', 5353))"
    code = f"{take}; print('taken', flush=True); input()"
    holder = two_hosts.popen("a", [sys.executable, "-c", code])
    assert holder.stdout is not None
    assert holder.stdout.readline() == "taken\n"
    a = peers.start("a", "--step")
    a.looks(10)
    assert "Address already in use" in a.state()["reason"]
    assert len(a.warnings()) == 1
    b = peers.start("b")
    holder.kill()
    holder.wait()
    a.looks(2)
    b.sees(a, two_hosts.address["a"])


def test_a_flood_of_hostile_announcements_stays_bounded_and_hides_nobody_known(
    two_hosts: Hosts, peers: Peers
) -> None:
    a = peers.start("a")
    b = peers.start("b")
    a.sees(b, two_hosts.address["b"])
    announcer = str(HERE / "hostile_announcer.py")
    two_hosts.run("b", [sys.executable, announcer, two_hosts.address["b"]])
    b.tell("slot 7")
    a.until("changed", lambda said: said["instance"] == b.instance and said["slot"] == 7)
    a.state()
    known: set[str] = set()
    for said in a.said:
        match said["kind"]:
            case "seen":
                known.add(said["instance"])
            case "gone":
                known.remove(said["instance"])
            case "log":
                pytest.fail(f"the flood was logged: {said}")
            case _:
                pass
        assert len(known) <= MAX_SIGHTINGS
        assert len(said.get("addresses", ())) <= 8
    assert b.instance in known
    assert not {"e" * 16, "d" * 16} & known
