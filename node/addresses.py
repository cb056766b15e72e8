"""Where a node can be reached: addresses as people write them, and this machine's interfaces.

Nothing here keeps state. `all_interfaces` looks at the machine again each time; `surroundings`
calls it every few seconds, which is how a changed network is noticed on every platform alike.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ifaddr

from .errors import BadAddressError

MDNS_IPV4 = "224.0.0.251"
MDNS_IPV6 = "ff02::fb"
MDNS_PORT = 5353

# Bridges and tunnels that software makes for itself: containers, virtual machines, VPNs and Apple's
# peer links. People are not found there, and an announcement on a VPN tells strangers about a node.
# A setting that names such an interface overrides this.
SOFTWARE_INTERFACES = (
    *("docker", "br-", "podman", "cni", "cali", "flannel", "lxc", "lxd"),
    *("virbr", "vmnet", "vboxnet"),
    *("tun", "tap", "wg", "tailscale", "zt", "utun", "ppp", "ipsec"),
    *("awdl", "llw"),
)

_SYSFS = Path("/sys/class/net")  # Linux; elsewhere the probe below has to be enough
_UP = 0x1
_LOOPBACK = 0x8
_MULTICAST = 0x1000

_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,64}")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """One place to dial: a host name or IP address, and a TCP port from 1 to 65535.

    An IPv6 link-local host carries its interface, as in `fe80::1%eth0`.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default_port: int | None = None) -> Address:
    """Read `name:port`, `192.0.2.7:port` or `[IPv6]:port`.

    With `default_port` the port may be absent, and IPv6 then needs no brackets. Raises
    `BadAddressError`.
    """
    text = text.strip()
    match = _WITH_PORT.fullmatch(text)
    if match is not None:
        host, port = match["v6"] or match["name"], int(match["port"])
        bracketed = match["v6"] is not None
    elif default_port is not None:
        host, port = text.removeprefix("[").removesuffix("]"), default_port
        bracketed = ":" in host
    else:
        raise BadAddressError("the port is missing")
    if not 1 <= port <= 65535:
        raise BadAddressError(f"{port} is no port; ports go from 1 to 65535")
    if bracketed:
        return Address(_checked_ipv6(host), port)
    if not is_host_name(host) and not _is_ipv4(host):
        raise BadAddressError("the host is neither a name nor an IP address")
    return Address(host, port)


def source_of(host: str) -> str:
    """By what callers from far away are counted: of IPv6 the network, of which each has 2**64."""
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def is_host_name(text: str) -> bool:
    """Whether it can be the name of a host, rather than a number or anything else."""
    # A label of another length can't even be asked for: Python's IDNA codec raises.
    labels = text.removesuffix(".").split(".")
    return (
        _HOST.fullmatch(text) is not None
        and not text.replace(".", "").isdigit()
        and all(0 < len(label) < 64 for label in labels)
    )


def _checked_ipv6(host: str) -> str:
    bare, _, scope = host.partition("%")
    try:
        address = ipaddress.IPv6Address(bare)
    except ValueError:
        raise BadAddressError("the part in brackets is not an IPv6 address") from None
    if "%" in host and _SCOPE.fullmatch(scope) is None:
        raise BadAddressError("after % belongs the name of an interface")
    if address.is_link_local and not scope:
        raise BadAddressError("a link-local address needs its interface, as in [fe80::1%eth0]:4711")
    return f"{address}%{scope}" if scope else str(address)


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface with the addresses that multicast can leave from.

    `ipv6` holds plain addresses without a scope, link-local ones first. `networks` are the subnets
    on the link. `obstacle` says why the interface can't be used for discovery, or is None.

    `present` are all of its addresses, also those that multicast can't leave from, and `up` says
    whether anything can travel there at all: what a connection needs.
    """

    name: str
    index: int
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    networks: tuple[IPNetwork, ...] = ()
    obstacle: str | None = None
    loopback: bool = False
    present: tuple[str, ...] = ()
    up: bool = True

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, IPv4 first."""
        return self.ipv4 + self.ipv6

    @property
    def scoped_addresses(self) -> tuple[str, ...]:
        """The same, link-local IPv6 ones with their interface, as in `fe80::1%eth0`."""
        return self.ipv4 + tuple(
            f"{text}%{self.name}" if ipaddress.ip_address(text).is_link_local else text
            for text in self.ipv6
        )


def usable_interfaces(only: Sequence[str] | None = None) -> tuple[Interface, ...]:
    """The interfaces of `survey` that have no obstacle."""
    return tuple(interface for interface in survey(only) if interface.obstacle is None)


def places_to_dial(port: int) -> list[Address]:
    """Where others may dial this machine, for what is passed on by hand rather than announced.

    Link-local IPv6 addresses are left out: they mean nothing without the other's interface.
    """
    return [
        Address(host, port)
        for interface in usable_interfaces()
        for host in interface.addresses
        if not host.startswith("fe80:")
    ]


def survey(only: Sequence[str] | None = None) -> tuple[Interface, ...]:
    """`chosen` of this machine's interfaces now; raises as `all_interfaces` does."""
    return chosen(all_interfaces(), only)


def all_interfaces() -> tuple[Interface, ...]:
    """Every configured interface, by name, with what stands in the way of each.

    Raises OSError where the system refuses to list its interfaces.
    """
    return tuple(_inspect(name, adapters) for name, adapters in sorted(_adapters().items()))


def chosen(found: Iterable[Interface], only: Sequence[str] | None) -> tuple[Interface, ...]:
    """The interfaces on which people can be found.

    With `only` None that is every one but loopback, the ports of bridges and the
    `SOFTWARE_INTERFACES`; otherwise exactly the ones named.
    """
    if only is not None:
        by_name = {each.name: each for each in found}
        missing = "there is no such interface"
        return tuple(by_name.get(name) or Interface(name, 0, obstacle=missing) for name in only)
    return tuple(
        each
        for each in found
        if not each.loopback
        and not each.name.startswith(SOFTWARE_INTERFACES)
        and not (_SYSFS / each.name / "master").exists()
    )


def loopback_of(found: Iterable[Interface]) -> Interface | None:
    """The loopback interface with 127.0.0.1, the meeting place of a machine without a network."""
    for each in found:
        if each.loopback and each.ipv4 and each.obstacle is None:
            return each
    return None


def holder(found: Iterable[Interface], host: str) -> Interface | None:
    """The interface that has this address, as `Interface.present` has it or with a scope."""
    bare = host.partition("%")[0]
    return next((each for each in found if bare in each.present), None)


def _adapters() -> dict[str, list[ifaddr.Adapter]]:
    """Adapters by interface; a Linux alias such as `eth0:1` counts to `eth0`."""
    grouped: dict[str, list[ifaddr.Adapter]] = {}
    for adapter in ifaddr.get_adapters():
        grouped.setdefault(_interface_name(adapter), []).append(adapter)
    return grouped


def _interface_name(adapter: ifaddr.Adapter) -> str:
    # Windows names its adapters by a GUID; people know them by the name of the connection.
    if adapter.name.startswith("{") and adapter.ips:
        return adapter.ips[0].nice_name
    return adapter.name.partition(":")[0]


def _inspect(name: str, adapters: Iterable[ifaddr.Adapter]) -> Interface:
    index = 0
    ipv4: list[str] = []
    ipv6: list[str] = []
    networks: set[IPNetwork] = set()
    refusals: list[str] = []
    present: list[str] = []
    loopback = False
    for adapter in adapters:
        index = index or adapter.index or 0
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            present.append(str(address))
            loopback = loopback or address.is_loopback
            if address.is_loopback and address.version == 6:
                continue  # ::1 has no link for multicast to stay on
            refusal = _refusal(address, index)
            if refusal is not None:
                refusals.append(refusal)
                continue
            (ipv4 if address.version == 4 else ipv6).append(str(address))
            networks.add(ipaddress.ip_network(f"{address}/{entry.network_prefix}", strict=False))
    down, mute = _flag_obstacles(name)
    return Interface(
        name,
        index,
        tuple(sorted(ipv4, key=ipaddress.ip_address)),
        tuple(sorted(ipv6, key=_link_local_first)),
        tuple(sorted(networks, key=str)),
        down or mute or (None if ipv4 or ipv6 else "; ".join(refusals) or "no address"),
        loopback,
        tuple(sorted(present)),
        down is None,
    )


def _link_local_first(text: str) -> tuple[bool, IPAddress]:
    address = ipaddress.ip_address(text)
    return not address.is_link_local, address


def _refusal(address: IPAddress, index: int) -> str | None:
    """Why multicast DNS can't leave from this address; None if it can.

    Connecting a datagram socket asks the system for a route and sends nothing. It also fails for an
    IPv6 address whose uniqueness the system is still checking, so that one joins a moment later.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if address.version == 4:
                probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, address.packed)
                probe.bind((str(address), 0))
                probe.connect((MDNS_IPV4, MDNS_PORT))
            else:
                probe.bind((str(address), 0, 0, index if address.is_link_local else 0))
                probe.connect((MDNS_IPV6, MDNS_PORT, 0, index))
    except OSError as error:
        return f"{address}: {error.strerror or error}"
    return None


def _flag_obstacles(name: str) -> tuple[str | None, str | None]:
    """What the kernel's flags say against an interface, and against multicast there (Linux)."""
    try:
        flags = int((_SYSFS / name / "flags").read_text(), 16)
    except (OSError, ValueError):
        return None, None
    if not flags & _UP:
        return "it is down", None
    try:
        carrier = (_SYSFS / name / "carrier").read_text().strip()
    except OSError:
        carrier = "1"
    if carrier == "0":
        return "no cable or network is connected", None
    # Linux leaves the flag off loopback, where multicast works.
    return None, None if flags & (_MULTICAST | _LOOPBACK) else "it cannot send multicast"
