"""Asks a router for a way in, in a process that holds no keys: whoever is in the local network may
answer in the router's place, and a library in C reads what they say.

    map PORT        the router is to lead a port of its own to PORT here; prints where
    unmap PORT      and no longer
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import sys
from typing import Final

FIND_MILLISECONDS: Final = 2000
LEASE_SECONDS: Final = 3600
"""After which the router forgets it, unless it is asked again."""
PORTS: Final = 4
"""Ports of the router that are tried, from the same one on: another machine may have that."""
_CPU_SECONDS: Final = 10
_MEMORY_BYTES: Final = 256 * 1024**2

BEHIND: Final = "the router is behind another one itself"
_INNER: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


def is_inner(host: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether only a router without a public address has this one: others would dial something of
    their own there.
    """
    return any(host in network for network in _INNER)


def main() -> None:
    """Do what the command line says, and print `{"host": …, "port": …}` or `{"reason": …}`."""
    action, port = sys.argv[1:3]
    _restrain()
    print(json.dumps(_map(int(port)) if action == "map" else _unmap(int(port))), flush=True)


def _map(port: int) -> dict[str, object]:
    try:
        import miniupnpc
    except ImportError:
        return {"reason": "miniupnpc, which asks routers, does not work here"}
    router = miniupnpc.UPnP()
    router.discoverdelay = FIND_MILLISECONDS
    try:
        router.discover()
        router.selectigd()
        here, outside = router.lanaddr, router.externalipaddress()
    except Exception:  # it says "Success" where nobody answers
        return {"reason": "no router here opens ports (UPnP)"}
    if not outside or outside == "0.0.0.0":  # noqa: S104 - what some say who have no address
        return {"reason": "the router has no address of its own"}
    with contextlib.suppress(ValueError):
        if is_inner(ipaddress.ip_address(outside)):
            return {"reason": BEHIND}
    for theirs in range(port, min(port + PORTS, 65536)):
        for lease in (LEASE_SECONDS, 0):  # some keep all for ever or nothing
            with contextlib.suppress(Exception):
                if router.addportmapping(theirs, "TCP", here, port, "kinlight", "", lease):
                    return {"host": outside, "port": theirs}
    return {"reason": "the router opens no port"}


def _unmap(port: int) -> dict[str, object]:
    with contextlib.suppress(Exception):
        import miniupnpc

        router = miniupnpc.UPnP()
        router.discoverdelay = FIND_MILLISECONDS
        router.discover()
        router.selectigd()
        router.deleteportmapping(port, "TCP")
    return {}


def _restrain() -> None:
    """Where the system can, so that nothing that is read makes it grow or run on."""
    with contextlib.suppress(ImportError):
        import resource

        for what, most in (
            (resource.RLIMIT_CPU, _CPU_SECONDS),
            (resource.RLIMIT_AS, _MEMORY_BYTES),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(what, (most, most))
