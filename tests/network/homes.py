"""Two homes behind routers, and a friend whose router forwards one port, on a small internet.

    anna ── router ──┐
                     ├── internet ── fred
    bob ─── router ──┘

Each is a network namespace. The routers masquerade, pass nothing on that nobody inside asked for,
and say nothing about it. What listens at Fred's is dropped too, but for one port: as much as people
forward on the router of a home.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import Generator

import pytest

FRED = "203.0.113.9"
_ROUTERS = {"anna": ("203.0.113.1", "192.168.1"), "bob": ("203.0.113.2", "192.168.2")}


class Homes:
    """The namespaces, by who lives there: `anna`, `bob`, `fred`."""

    def __init__(self) -> None:
        token = secrets.token_hex(4)
        names = ("internet", "fred", "anna", "bob", "anna-router", "bob-router")
        self.namespace = {name: f"kinlight-{token}-{name}" for name in names}

    def inside(self, name: str) -> tuple[str, ...]:
        """What a command is put behind to run at that place."""
        return "ip", "netns", "exec", self.namespace[name]

    def raise_up(self) -> None:
        """Make all of it."""
        for name in self.namespace.values():
            _run("ip", "netns", "add", name)
        for name in self.namespace:
            self._in(name, "ip", "link", "set", "lo", "up")
        self._in("internet", "ip", "link", "add", "wire", "type", "bridge")
        self._in("internet", "ip", "link", "set", "wire", "up")
        self._connect("fred", f"{FRED}/24")
        for name, (outside, subnet) in _ROUTERS.items():
            router = f"{name}-router"
            self._connect(router, f"{outside}/24")
            self._cable(name, "eth0", router, "home")
            self._address(name, "eth0", f"{subnet}.2/24")
            self._address(router, "home", f"{subnet}.1/24")
            self._in(name, "ip", "route", "add", "default", "via", f"{subnet}.1")
            self._in(router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            for rule in (
                "-t nat -A POSTROUTING -o eth0 -j MASQUERADE",
                "-A FORWARD -i eth0 -m state --state ESTABLISHED,RELATED -j ACCEPT",
                "-A FORWARD -i eth0 -j DROP",
                "-A INPUT -i eth0 -j DROP",
            ):
                self._in(router, "iptables", *rule.split())

    def forward(self, port: int) -> None:
        """Of what listens at Fred's this TCP port alone is to be reached."""
        for rule in (
            "-A INPUT -i eth0 -m state --state ESTABLISHED,RELATED -j ACCEPT",
            f"-A INPUT -i eth0 -p tcp --dport {port} -j ACCEPT",
            "-A INPUT -i eth0 -j DROP",
        ):
            self._in("fred", "iptables", *rule.split())

    def keep_apart(self) -> None:
        """Nothing that one home sends to the other's router gets there: only a relay helps."""
        for name, (outside, _) in _ROUTERS.items():
            self._in(f"{name}-router", "iptables", "-I", "INPUT", "-s", outside, "-j", "DROP")
            for other, _ in _ROUTERS.values():
                rule = ("-I", "FORWARD", "-o", "eth0", "-d", other, "-j", "DROP")
                self._in(f"{name}-router", "iptables", *rule)

    def take_down(self) -> None:
        """Remove the namespaces and with them all links."""
        for name in self.namespace.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def _connect(self, name: str, address: str) -> None:
        """To the internet, by `eth0`."""
        self._cable(name, "eth0", "internet", name)
        self._in("internet", "ip", "link", "set", name, "master", "wire", "up")
        self._address(name, "eth0", address)

    def _cable(self, one: str, link: str, other: str, far: str) -> None:
        peer = ("peer", "name", far, "netns", self.namespace[other])
        self._in(one, "ip", "link", "add", link, "type", "veth", *peer)

    def _address(self, name: str, link: str, address: str) -> None:
        self._in(name, "ip", "addr", "add", address, "dev", link)
        self._in(name, "ip", "link", "set", link, "up")

    def _in(self, name: str, *words: str) -> None:
        _run(*self.inside(name), *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


@contextlib.contextmanager
def homes() -> Generator[Homes]:
    """All of it for the length of a `with` block."""
    if shutil.which("iptables") is None:
        pytest.skip("`iptables` is not installed")
    made = Homes()
    try:
        made.raise_up()
        yield made
    finally:
        made.take_down()
