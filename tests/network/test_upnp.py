"""A router that opens ports when it is asked: miniupnpd, as many routers have it."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kinlight.node import Node
from kinlight.node.views import WideArea

from ..scenario.household import Household, Person, is_well, together
from .links import until_linked

pytestmark = pytest.mark.netns

OUTSIDE, INSIDE, SUBNET = "11.0.0.1", "192.168.1.1", "192.168.1.0/24"
"""It opens nothing where it has no public address; in a namespace any will do."""
FRED = "11.0.0.9"
IGD = shutil.which("miniupnpd") or shutil.which("miniupnpd", path="/usr/sbin:/usr/local/sbin")
TABLES = shutil.which("iptables-legacy")
SETTINGS = f"""
ext_ifname=eth0
ext_ip={OUTSIDE}
listening_ip=home
http_port=5000
enable_upnp=yes
enable_natpmp=no
secure_mode=yes
uuid=1b1d1a1e-0000-4000-8000-000000000001
allow 1024-65535 {SUBNET} 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class Home:
    """Anna behind a router, Fred outside; a namespace each."""

    def __init__(self, folder: Path) -> None:
        token = secrets.token_hex(4)
        self._folder = folder
        self._namespace = {name: f"kinlight-{token}-{name}" for name in ("anna", "router", "fred")}
        self._igd: subprocess.Popen[bytes] | None = None

    def inside(self, name: str) -> tuple[str, ...]:
        """What a command is put behind to run at that place."""
        return "ip", "netns", "exec", self._namespace[name]

    def raise_up(self) -> None:
        """Make all of it. The router passes on what was asked for from inside alone."""
        for name in self._namespace.values():
            _run("ip", "netns", "add", name)
        for name in self._namespace:
            self._in(name, "ip", "link", "set", "lo", "up")
        self._cable("fred", f"{FRED}/24", "eth0", f"{OUTSIDE}/24")
        self._cable("anna", "192.168.1.2/24", "home", f"{INSIDE}/24")
        self._in("anna", "ip", "route", "add", "default", "via", INSIDE)
        self._in("router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for rule in (
            "-t nat -N MINIUPNPD",
            "-t nat -N MINIUPNPD-POSTROUTING",
            "-N MINIUPNPD",
            "-t nat -A PREROUTING -i eth0 -j MINIUPNPD",
            "-t nat -A POSTROUTING -o eth0 -j MASQUERADE",
            "-A FORWARD -i eth0 -m state --state ESTABLISHED,RELATED -j ACCEPT",
            "-A FORWARD -i eth0 -j MINIUPNPD",
            "-A FORWARD -i eth0 -j DROP",
            "-A INPUT -i eth0 -j DROP",
        ):
            self._in("router", str(TABLES), *rule.split())

    def serve(self) -> None:
        """The router opens ports from now on."""
        settings = self._folder / "miniupnpd.conf"
        settings.write_text(SETTINGS)
        words = [*self.inside("router"), str(IGD), "-d", "-f", str(settings)]
        words += ["-P", str(self._folder / "miniupnpd.pid")]
        self._igd = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def opened(self) -> str:
        """The ports that it leads on."""
        words = [*self.inside("router"), str(TABLES), "-t", "nat", "-S", "MINIUPNPD"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def take_down(self) -> None:
        """Remove all of it."""
        if self._igd is not None:
            self._igd.kill()
            self._igd.wait()
        for name in self._namespace.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def _cable(self, name: str, address: str, link: str, other: str) -> None:
        peer = ("peer", "name", link, "netns", self._namespace["router"])
        self._in(name, "ip", "link", "add", "eth0", "type", "veth", *peer)
        for place, end, at in ((name, "eth0", address), ("router", link, other)):
            self._in(place, "ip", "addr", "add", at, "dev", end)
            self._in(place, "ip", "link", "set", end, "up")

    def _in(self, name: str, *words: str) -> None:
        _run(*self.inside(name), *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


@dataclass
class Far:
    """Anna at her home, Fred elsewhere."""

    anna: Person
    fred: Person
    home: Home


@pytest.fixture
def far(_namespaces: None, tmp_path: Path, runtime: Path) -> Iterator[Far]:
    if IGD is None or TABLES is None:
        pytest.skip("`miniupnpd` and `iptables-legacy` are not installed")
    home = Home(tmp_path)
    household = Household(tmp_path, runtime)
    try:
        home.raise_up()
        anna = household.person("Anna", inside=home.inside("anna"))
        fred = household.person("Fred", inside=home.inside("fred"))
        together(anna.make, fred.make)
        yield Far(anna, fred, home)
    finally:
        household.close()
        home.take_down()


async def area(node: Node) -> WideArea:
    return await node.wide()


@pytest.mark.timeout(600)
def test_a_router_that_opens_ports_lets_a_contact_in(far: Far) -> None:
    far.home.serve()
    far.anna.run("wide", "--on")
    found = far.anna.until(area, lambda found: found.forwarded is not None)
    assert found.forwarded is not None
    host, _, port = found.forwarded.partition(":")
    assert host == OUTSIDE
    assert port in far.home.opened()
    (address,) = (each for each in found.addresses if OUTSIDE in each)
    assert f"/tcp/{port}/" in address

    far.fred.run("wide", "--on")
    ticket = far.anna.run("ticket", "new").value
    assert address in ticket["addresses"]
    far.fred.run("pair", ticket["text"])
    link = until_linked(far.fred, far.anna)
    assert link.path == "direct"
    assert OUTSIDE in str(link.address)

    # It is given back with the wide area.
    off = far.anna.run("wide", "--off").value
    assert (off["forwarded"], off["addresses"]) == (None, [])
    assert port not in far.home.opened()
    for person in (far.anna, far.fred):
        is_well(person)


@pytest.mark.timeout(600)
def test_where_no_router_opens_ports_the_reason_is_told(far: Far) -> None:
    far.anna.run("wide", "--on")
    found = far.anna.until(area, lambda found: found.forwarded_reason is not None)
    assert found.forwarded_reason == "no router here opens ports (UPnP)"
    assert found.state == "on"
    is_well(far.anna)
