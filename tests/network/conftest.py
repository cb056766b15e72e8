"""Two hosts on one cable: network namespaces joined by a veth pair, for tests that need a network.

    def test_something(two_hosts):
        daemon = two_hosts.popen("a", [sys.executable, "-m", "kinlight.node", "up"])
        two_hosts.run("b", ["ping", "-c1", two_hosts.address["a"]])
        two_hosts.ip("a", "link", "set", two_hosts.link, "down")

Needs Linux, root and `ip` (iproute2), `Hosts.block` also iptables; without them the tests are
skipped and say why. Names are drawn anew for each test, so several runs fit on one machine.
Afterwards the processes that were started are ended by their own ids, then the namespaces are
removed, and the links go with them.

`apart` and `friends` are Anna on host "a" and Bob on host "b", with daemons of their own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from ..scenario.conftest import paired, runtime
from ..scenario.household import Household, Person

__all__ = ["paired", "runtime"]

Two = tuple[Person, Person]


class Hosts:
    """Two namespaces, called "a" and "b", each with loopback up and one link called `link`."""

    link = "veth0"
    address: Mapping[str, str] = {"a": "10.77.0.1", "b": "10.77.0.2"}
    prefix = 24

    def __init__(self) -> None:
        token = secrets.token_hex(4)
        self.namespace = {host: f"kinlight-{token}-{host}" for host in self.address}
        self._processes: list[subprocess.Popen[str]] = []

    def raise_up(self) -> None:
        """Make the namespaces, the link between them, and the addresses."""
        for name in self.namespace.values():
            _ip("netns", "add", name)
        near, far = self.namespace["a"], self.namespace["b"]
        peer = ("peer", "name", self.link, "netns", far)
        _ip("-n", near, "link", "add", self.link, "type", "veth", *peer)
        for host, address in self.address.items():
            self.ip(host, "link", "set", "lo", "up")
            self.ip(host, "addr", "add", f"{address}/{self.prefix}", "dev", self.link)
            self.ip(host, "link", "set", self.link, "up")

    def join(self, link: str, subnet: str) -> dict[str, str]:
        """A second cable between the hosts: each has `link`, and an address that begins so."""
        near, far = self.namespace["a"], self.namespace["b"]
        _ip("-n", near, "link", "add", link, "type", "veth", "peer", "name", link, "netns", far)
        addresses = {"a": f"{subnet}.1", "b": f"{subnet}.2"}
        for host, address in addresses.items():
            self.ip(host, "addr", "add", f"{address}/{self.prefix}", "dev", link)
            self.ip(host, "link", "set", link, "up")
        return addresses

    def dead_end(self, host: str, link: str, address: str) -> None:
        """Another link inside one host, up and connected, on which nobody ever answers."""
        far = f"{link}-far"
        self.ip(host, "link", "add", link, "type", "veth", "peer", "name", far)
        self.ip(host, "addr", "add", f"{address}/{self.prefix}", "dev", link)
        self.ip(host, "link", "set", link, "up")
        self.ip(host, "link", "set", far, "addrgenmode", "none")
        self.ip(host, "link", "set", far, "up")

    def no_ipv6(self) -> None:
        """From here on both hosts have IPv4 only."""
        setting = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
        for host in self.address:
            self.run(host, ["sh", "-c", f"echo 1 > {setting}"])

    def block(self, *rule: str) -> None:
        """Both hosts drop what comes in and fits this rule of iptables, without a word."""
        if shutil.which("iptables") is None:
            pytest.skip("`iptables` is not installed")
        for host in self.address:
            self.run(host, ["iptables", "-A", "INPUT", *rule, "-j", "DROP"])

    def sent_packets(self, host: str, link: str) -> int:
        """Packets that left a host by a link."""
        statistics = f"/sys/class/net/{link}/statistics/tx_packets"
        return int(self.run(host, ["cat", statistics]).stdout)

    def take_down(self) -> None:
        """End the started processes, then remove the namespaces and with them the link."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(BrokenPipeError):
                    if stream is not None:
                        stream.close()
        for name in self.namespace.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def ip(self, host: str, *words: str) -> None:
        """`ip` inside a host, as in `ip("a", "link", "set", "veth0", "down")`."""
        _ip("-n", self.namespace[host], *words)

    def run(
        self, host: str, argv: Sequence[str], **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside a host until it ends; raises if it fails."""
        options = {"check": True, "capture_output": True, "timeout": 60} | options
        return subprocess.run(self._inside(host, argv), text=True, **options)

    def popen(
        self,
        host: str,
        argv: Sequence[str],
        *,
        stdin: int | IO[str] | None = subprocess.PIPE,
        stdout: int | IO[str] | None = subprocess.PIPE,
        stderr: int | IO[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command inside a host; it is killed when the test is over.

        `ip netns exec` becomes the command, so the process id is the command's own.
        """
        process = subprocess.Popen(
            self._inside(host, argv),
            text=True,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=None if env is None else dict(env),
        )
        self._processes.append(process)
        return process

    def _inside(self, host: str, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace[host], *argv]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def why_no_namespaces() -> str | None:
    """Why this machine can't make network namespaces, or None if it can."""
    if sys.platform != "linux":
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "`ip` (iproute2) is not installed"
    name = f"kinlight-{secrets.token_hex(4)}-try"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    return f"`ip netns add` fails: {made.stderr.strip()}" if made.returncode else None


@contextlib.contextmanager
def hosts() -> Generator[Hosts]:
    """Two hosts for the length of a `with` block."""
    pair = Hosts()
    try:
        pair.raise_up()
        yield pair
    finally:
        pair.take_down()


@pytest.fixture(scope="session")
def _namespaces() -> None:
    reason = why_no_namespaces()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def two_hosts(_namespaces: None) -> Iterator[Hosts]:
    """Two hosts joined by a cable; see `Hosts`."""
    with hosts() as pair:
        yield pair


def _on_hosts(household: Household, hosts: Hosts) -> Two:
    inside = {
        host: ("ip", "netns", "exec", namespace) for host, namespace in hosts.namespace.items()
    }
    anna = household.person("Anna", inside=inside["a"])
    return anna, household.person("Bob", inside=inside["b"])


@pytest.fixture
def apart(two_hosts: Hosts, tmp_path: Path, runtime: Path) -> Iterator[Two]:
    """Anna on host "a" and Bob on host "b", without nodes yet."""
    household = Household(tmp_path, runtime)
    try:
        yield _on_hosts(household, two_hosts)
    finally:
        household.close()


@pytest.fixture
def friends(two_hosts: Hosts, tmp_path: Path, runtime: Path, paired: Household) -> Iterator[Two]:
    """The same, paired and not running. What they know of each other's addresses is stale."""
    household = Household(tmp_path / "household", runtime)
    paired.copy(household.folder)
    try:
        yield _on_hosts(household, two_hosts)
    finally:
        household.close()
